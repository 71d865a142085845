"""The table of settings that were tried, from a store alone. Oracle: the numbers that are put into it here."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.experiments.store import Store
from converse.experiments.store.requests import RequestedEntry
from converse.reporting.chapters.contents import make_report
from converse.reporting.inputs.material import gather
from converse.reporting.tables.sheet import Sheet
from tests.workflows.conftest import Filled

RATES = (0.1, 0.2, 0.4)


def sheet(filled: Filled, last: str = "done") -> Sheet:
    trials = []
    for entry, values in (("A", (30.0, 31.0, 32.0)), ("B", (33.0, 35.0, 34.0))):
        for rate, value in zip(RATES, values, strict=True):
            name = f"{entry}: lr = {rate}"
            state = last if name == "B: lr = 0.4" else "done"
            trials.append((filled.trained(name, 7, [value] if state == "done" else [], lr=rate, state=state), name))
    filled.asked(
        trials,
        suite="mine-tuning",
        title="Mine (tuning)",
        entries=tuple(
            RequestedEntry(name, name.partition(": ")[2], {"training.lr": float(name.rpartition(" ")[2])})
            for _, name in trials
        ),
        tunes={name: name[0] for _, name in trials},
    )
    report = make_report(gather([filled.store]))
    (found,) = [one for one in report.sheets if one.key == "mine-tuning-quick-settings"]
    assert not report.differences
    return found


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(Store(tmp_path / "runs"))


def test_the_best_of_each_entry_is_marked(filled: Filled) -> None:
    found = sheet(filled)
    assert [(row.group, row.title, row.cells[0].measured) for row in found.rows][:2] == [
        ("A", "lr = 0.1", 30.0),
        ("A", "lr = 0.2", 31.0),
    ]
    assert [(row.group, row.title) for row in found.rows if row.marks] == [("A", "lr = 0.4"), ("B", "lr = 0.2")]
    assert found.notes == ("A: training.lr = 0.4 is the largest that was tried.",)


def test_what_failed_says_why(filled: Filled) -> None:
    (row,) = [row for row in sheet(filled, "failed").rows if row.title == "lr = 0.4" and row.group == "B"]
    assert (row.cells[0].measured, row.cells[0].reason) == (None, "seed 7: failed, loss became NaN at step 120")


def test_before_all_has_ended_nothing_is_chosen(filled: Filled) -> None:
    found = sheet(filled, "interrupted")
    assert not any(row.marks for row in found.rows)
    assert found.notes == ("Not all trials have ended: nothing is chosen yet.",)
