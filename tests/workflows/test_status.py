"""Oracle: the states that the trials were put into, and times written by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from converse.experiments.store import Store
from converse.experiments.store.state import State, Status
from converse.experiments.trials import Trial
from converse.workflows.status import duration, statuses, summary


def trial(entry: str = "DnCNN", seed: int = 0) -> Trial:
    return Trial("denoising", entry, "trained", seed, "quick", {"model": entry}, {}, platform={"device": "cpu"})


def test_every_state_with_its_times(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    states: tuple[State, ...] = ("done", "failed", "interrupted", "running")
    for seed, state in enumerate(states):
        folder = store.folder(trial(seed=seed))
        folder.set_status("running")
        folder.set_status(state, "a reason" if state in ("failed", "interrupted") else "")
        if state == "done":
            folder.adopt_status(Status("done", "", "2026-01-01T00:00:00Z", None, "2026-01-01T01:00:00Z", 3600.0, 2))
    store.folder(trial(seed=4))
    torn = store.folder(trial(seed=5))
    (torn.path / "trial.json").unlink()
    working = store.folder(trial("Converse-DnCNN"))
    with working.lock():
        working.set_status("running")
        lines = statuses(store)
    assert [(line.entry, line.seed, line.state) for line in lines] == [
        ("Converse-DnCNN", 0, "running"),
        ("DnCNN", 0, "done"),
        ("DnCNN", 1, "failed"),
        ("DnCNN", 2, "interrupted"),
        ("DnCNN", 3, "interrupted"),
        ("DnCNN", 4, "planned"),
        (None, None, "interrupted"),
    ]
    assert lines[0].reason.startswith("process ")
    assert lines[0].seconds >= 0
    assert (lines[1].seconds, lines[1].attempts, lines[1].finished) == (3600.0, 2, "2026-01-01T01:00:00Z")
    assert lines[2].reason == "a reason"
    assert "killed" in lines[4].reason
    assert "trial.json is missing" in lines[6].reason
    assert summary(lines).startswith("1 done, 1 running, 1 failed, 3 interrupted, 1 planned; 1 h 00 min of work")


def test_an_empty_store(tmp_path: Path) -> None:
    assert statuses(Store(tmp_path / "runs")) == []
    assert summary([]) == "no trials; 0.0 s of work"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (3540, "59 min"),
        (3580, "1 h 00 min"),
        (3 * 3600 + 300, "3 h 05 min"),
        (47.9 * 3600, "47 h 54 min"),
        (52 * 3600, "2 d 04 h"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_trial_costs_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a finished trial: what it is, how far it is, whether its rows are there; no digests."""
    store = Store(tmp_path / "runs")
    for seed in range(3):
        folder = store.folder(trial(seed=seed))
        with folder.lock():
            folder.set_status("running")
            folder.append_rows([{"dataset": "set12", "image": "a", "metric": "psnr", "value": 30.0}])
            folder.set_status("done")
    opened: list[str] = []
    real = os.open

    def counted(path: Any, *arguments: Any, **named: Any) -> int:
        opened.append(Path(path).name)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, "open", counted)
    assert [line.state for line in statuses(store)] == ["done"] * 3
    assert sorted(opened) == sorted(["index.json", *["trial.json", "status.json", "rows.parquet"] * 3])
