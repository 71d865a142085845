"""Oracle: the ingredients that were changed, by hand, one at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.provenance import provenance
from converse.experiments.store import Store
from converse.experiments.trials import (
    ABSENT,
    NUMERICS_VERSION,
    Difference,
    Trial,
    default_threads,
    platform_class,
)
from converse.workflows.explain import compare, explain, leaves
from converse.workflows.threads import choose


def here() -> dict[str, Any]:
    return platform_class("cpu", threads=default_threads())


def trial(**changes: Any) -> Trial:
    given: dict[str, Any] = {
        "task": "denoising",
        "entry": "DnCNN",
        "source": "trained",
        "seed": 0,
        "budget": "quick",
        "configuration": {"training": {"lr": 0.001}},
        "data": {},
        "platform": here(),
    }
    return Trial(**{**given, **changes})


def finished(store: Store, made: Trial, **found: Any) -> str:
    folder = store.folder(made)
    folder.write_provenance({**provenance("cpu"), **found})
    folder.set_status("done")
    return folder.id


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_a_finished_trial_of_this_code_and_machine_is_up_to_date(store: Store) -> None:
    found = explain(store, finished(store, trial())[:6])
    assert (found.trial, found.up_to_date, found.reasons, found.notes) == (trial().id, True, (), ())
    assert found.ingredients == trial().ingredients()
    assert found.provenance is not None
    assert found.status.state == "done"


def test_another_number_of_threads_is_worth_knowing_and_no_reason(store: Store) -> None:
    """Oracle: what a request that names no number of threads chooses."""
    other = trial(platform={**here(), "threads": 999})
    found = explain(store, finished(store, other))
    assert (found.up_to_date, found.reasons) == (True, ())
    (note,) = found.notes
    assert note.startswith(f"platform.threads is 999, here it is {default_threads()}: ")
    assert note.endswith("--threads 999 does in any case")
    store.folder(other).seal_rows()
    assert choose([trial()], store.folders(), default_threads(), given=False).threads == 999


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"numerics": NUMERICS_VERSION + 1}, f"its numerics version is {NUMERICS_VERSION + 1}, that of this code is"),
        ({"platform": {**here(), "torch": "1.0"}}, "platform.torch is 1.0, here it is"),
        ({"platform": {**here(), "model": "Z80"}}, "platform.model is Z80, here it is"),
        ({"platform": {"device": "cuda", "model": "H100", "torch": "1.0"}}, "platform.torch is 1.0, here it is"),
    ],
    ids=["numerics", "torch", "model", "cuda"],
)
def test_what_makes_it_outdated(store: Store, changes: dict[str, Any], reason: str) -> None:
    found = explain(store, finished(store, trial(**changes)))
    assert not found.up_to_date
    assert len(found.reasons) == 1
    with pytest.raises(ValueError, match=reason):
        raise ValueError(found.reasons[0])


def test_an_unfinished_trial_is_not_up_to_date(store: Store) -> None:
    folder = store.folder(trial())
    assert explain(store, folder.id).reasons == ("it is planned",)
    folder.write_failure("loss became NaN", "Traceback …")
    assert explain(store, folder.id).reasons == ("it is failed: loss became NaN",)
    assert explain(store, folder.id).notes == (f"the traceback of its failure is in {folder.path / 'failure.txt'}",)
    assert explain(store, folder.id).provenance is None


def test_other_sources_are_a_note_not_a_reason(store: Store) -> None:
    found = explain(store, finished(store, trial(), code="0" * 64))
    assert found.up_to_date
    assert found.notes == ("its numbers were made by other sources than these",)


def test_which_ingredients_differ(store: Store) -> None:
    left = finished(store, trial(), commit="a" * 40)
    changed = {"training": {"lr": 0.002, "ema": 0.9}}
    right = finished(store, trial(configuration=changed, seed=1), commit="b" * 40, versions={"torch": "1.0"})
    found = compare(store, left, right)
    assert found.ingredients == (
        Difference("configuration.training.ema", ABSENT, 0.9),
        Difference("configuration.training.lr", 0.001, 0.002),
        Difference("seed", 0, 1),
    )
    paths = [one.path for one in found.provenance]
    assert paths[0] == "commit"
    assert "versions.torch" in paths
    assert "time" not in paths
    assert compare(store, left, left).ingredients == compare(store, left, left).provenance == ()


def test_a_damaged_trial_is_named(store: Store) -> None:
    folder = store.folder(trial())
    (folder.path / "trial.json").write_text("{")
    with pytest.raises(StoreError, match=r"trial.json is damaged"):
        explain(store, folder.id)


def test_leaves() -> None:
    assert leaves({"a": {"b": 1, "c": {}}, "d": [1, {"e": 2}]}) == [("a.b", 1), ("a.c", {}), ("d", [1, {"e": 2}])]
