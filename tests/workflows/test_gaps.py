"""What was asked for and not got. Oracle: cells counted by hand."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from converse.analysis.tables import Expected
from converse.cli.exit_status import exit_status
from converse.data.images import ImageFile, ImageSet
from converse.data.tasks import TASKS
from converse.experiments.running.outcomes import Outcome
from converse.experiments.store.rows import ROW_COLUMNS
from converse.metrics import LACKING
from converse.workflows.gaps import Gap, expected_cells, find_gaps, with_reasons
from converse.workflows.request import Request
from converse.workflows.work import Work

METRICS = (
    SimpleNamespace(name="psnr", signature="p", lacking=None),
    SimpleNamespace(name="lpips", signature="l", lacking="x"),
)
IMAGES = tuple(ImageFile(f"{name}.png", Path(name), f"sha {name}") for name in "ab")
PHOTOS = ImageSet("photos", "photos", IMAGES)
DONE = Outcome("done", True)


def job(trial: str, seed: int | None = 0) -> Any:
    task = TASKS["denoising"]
    return SimpleNamespace(
        trial=SimpleNamespace(id=trial), task=task, plan=SimpleNamespace(seed=seed), test=(PHOTOS,), metrics=METRICS
    )


def rows(*found: tuple[str, str, float, str | None]) -> pd.DataFrame:
    """Of trial, name of the image, value and reason; every image has an LPIPS that lacks its features."""
    listed = []
    for trial, name, value, reason in found:
        image = {"trial": trial, "dataset": "photos", "image": f"{name}.png", "image_sha256": f"sha {name}"}
        listed.append({**image, "metric": "psnr", "signature": "p", "value": value, "reason": reason})
        listed.append({**image, "metric": "lpips", "signature": "l", "value": math.nan, "reason": f"{LACKING}: x"})
    return pd.DataFrame(listed, columns=list(ROW_COLUMNS))


def gaps(found: pd.DataFrame, outcomes: list[Outcome], request: Request | None = None, **more: Any) -> tuple[Gap, ...]:
    asked = [job(f"t{seed}", seed) for seed in range(len(outcomes))]
    labels = tuple((one.trial.id, "A", "quick") for one in asked)
    work = Work(tuple(asked), labels, more.pop("expected", ()))
    return find_gaps(request or Request(), work, outcomes, found, **more)


def test_a_request_without_a_gap_is_done_and_infinite_is_a_value() -> None:
    found = gaps(rows(("t0", "a", 30.0, None), ("t0", "b", math.inf, None)), [DONE])
    assert (found, exit_status((), found, True)) == ((), 0)


def test_an_image_without_a_value_is_a_gap_with_its_reason() -> None:
    (gap,) = found = gaps(rows(("t0", "a", 30.0, None), ("t0", "b", math.nan, "not finite")), [DONE])
    assert (gap.entry, gap.dataset, gap.metric, gap.failed) == ("A", "photos", "psnr", True)
    assert gap.reason == "1 of 2 images not measured: not finite"
    assert exit_status((), found, True) == 1


def test_a_trial_that_ended_early_leaves_gaps_with_the_reason_of_its_end() -> None:
    measured = rows(("t0", "a", 30.0, None), ("t0", "b", 30.0, None), ("t1", "a", 30.0, None))
    (gap,) = gaps(measured, [DONE, Outcome("failed", True, "KeyError: x")])
    assert (gap.reason, gap.failed) == ("1 of 2 images not measured: seed 1: KeyError: x", True)
    (gap,) = gaps(rows(), [Outcome("failed", True, "KeyError: x")])
    assert gap.reason == "seed 0: KeyError: x"
    (cell,) = expected_cells([gap])
    assert (cell.entry, cell.dataset, cell.reason) == ("A", "photos", "seed 0: KeyError: x")


def test_what_another_process_is_at_is_no_failure() -> None:
    (gap,) = found = gaps(rows(), [Outcome("busy", False, "is being worked on")])
    assert (gap.failed, exit_status((), found, True), exit_status((), found, False)) == (False, 3, 3)


def test_a_metric_without_its_features_counts_where_it_was_named() -> None:
    found = gaps(rows(("t0", "a", 30.0, None), ("t0", "b", 30.0, None)), [DONE], metrics=("psnr", "lpips"))
    assert [(gap.metric, gap.failed) for gap in found] == [("lpips", False)]
    assert exit_status((), found, True) == 3


@pytest.mark.parametrize(
    ("request_", "lacks", "named"),
    [
        (Request(), "images", False),
        (Request(datasets=("set12",)), "images", True),
        (Request(datasets=("set12",)), "weights", False),
        (Request(entries=("A",)), "weights", True),
    ],
)
def test_what_is_not_at_hand_counts_where_it_was_named(request_: Request, lacks: str, named: bool) -> None:
    expected = (Expected("denoising", "A", "Set12", None, "psnr", "not at hand", lacks),)
    (gap,) = found = gaps(rows(("t0", "a", 1.0, None), ("t0", "b", 1.0, None)), [DONE], request_, expected=expected)
    assert (gap.failed, gap.named) == (False, named)
    assert exit_status((), found, True) == (3 if named else 0)
    assert exit_status((), found, False) == 3


def test_reasons_are_added_to_result_rows_once() -> None:
    gap = Gap("denoising", "A", "photos", None, "psnr", "1 of 2 images not measured: torn", failed=True)
    row = {"task": "denoising", "entry": "A", "dataset": "photos", "case": None, "metric": "psnr"}
    frame = pd.DataFrame([{**row, "reason": None}, {**row, "reason": "1 of 2 images; torn"}, {**row, "entry": "B"}])
    found = list(with_reasons(frame, [gap])["reason"])
    assert found[:2] == ["1 of 2 images not measured: torn", "1 of 2 images; torn"]
    assert found[2] is None
