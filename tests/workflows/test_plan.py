"""What a table takes. Oracles: the suite's numbers, multiplied here"""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.data.catalogue import datasets
from converse.errors import OptionError
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.learner import Learner
from converse.workflows.plan import plan
from converse.workflows.run_request import RunRequest


@pytest.fixture(autouse=True)
def _nothing_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No data, and no step of training."""
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setattr(Learner, "step", None)
    monkeypatch.chdir(tmp_path)


def test_a_table_of_the_paper_is_planned_without_data() -> None:
    found = plan(RunRequest("denoising"), on="h100")
    trained = load_suite("denoising", networks=False).resolve("paper")
    settings, seeds = trained[0].training, len({one.seed for one in trained})
    assert (found.budget, found.device) == ("paper", "H100")
    assert [(row["entry"], row["origin"], row["trials"]) for row in found.rows] == [
        ("DnCNN", "released weights", 1),
        ("Converse-DnCNN", "released weights", 1),
        *((entry, "trained", seeds) for entry in dict.fromkeys(one.entry for one in trained)),
    ]
    for row in found.rows[2:]:
        per_pixel, training = row["multiply_adds_per_pixel"], row["training_multiply_adds"]
        assert per_pixel is not None
        assert training is not None
        assert training == pytest.approx(settings.steps * settings.batch * settings.patch**2 * 3 * per_pixel)
        assert row["multiply_adds"] is not None
        assert row["multiply_adds"] > seeds * training
        assert row["least_seconds"] is not None
        assert row["most_seconds"] is not None
        assert row["most_seconds"] > 10 * row["least_seconds"]
    fetch, reproduce, fetch_more, run, report = found.steps
    assert fetch["command"] == "converse data fetch set12 bsd68 dncnn_weights converse_weights"
    assert fetch_more["command"] == "converse data fetch train400"
    assert fetch_more["download_bytes"] == datasets()["train400"].bytes
    assert reproduce["command"] == "converse reproduce denoising"
    assert run["command"] == "converse run denoising --budget paper"
    assert report["command"] == "converse report"
    assert run["multiply_adds"] == sum(row["multiply_adds"] or 0 for row in found.rows[2:])
    assert list(Path().iterdir()) == []


def test_what_does_not_fit_a_device_is_said() -> None:
    (note,) = plan(RunRequest("deblurring", entries=("ConvNet",)), on="RTX 3090").notes
    assert note.startswith("training takes more memory than RTX 3090 has (24 GB): ConvNet (")
    with pytest.raises(OptionError, match="unknown device 'RTX 309'"):
        plan(RunRequest("deblurring"), on="RTX 309")
