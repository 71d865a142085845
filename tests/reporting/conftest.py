"""A report whose every word is hostile, for the writers of pages."""

from __future__ import annotations

from collections import Counter

import pytest

from converse.reporting.inputs.evidence import Evidence
from converse.reporting.report import Environment, Failure, Missing, Part, Report, TrialFacts
from converse.reporting.tables.sheet import ALL_VERDICTS, Cell, Head, Row, Sheet
from tests.reporting.hostile import NAMES

WORDS = ALL_VERDICTS


@pytest.fixture
def sheet() -> Sheet:
    """Twelve columns, more than a page is wide; numbers, words and nothing in the cells."""
    heads = tuple(
        Head(f"h{i}", f"Set {i} {NAMES[i % 8][:12]}", group="G%1" if i < 4 else "", unit="dB", better="higher")
        for i in range(12)
    )
    evidence = Evidence(("a" * 16,), (0, 1), "psnr", "psnr|x", "Set12", ("a.png", "b.png"), ((1.0, 2.0), (2.0, 3.0)))

    def cell(line: int, column: int) -> Cell:
        if (line + column) % 4 == 0:
            return Cell()
        if (line + column) % 4 == 1:
            return Cell(text=NAMES[line][:20])
        return Cell(
            measured=30 + line / 10 + column / 100,
            deviation=0.02,
            low=-1.0,
            high=2.0,
            published=30.5,
            trust="secondary",
            difference=0.1234567,
            verdict=WORDS[(line + column) % len(WORDS)],
            reason=NAMES[line],
            evidence=evidence,
        )

    rows = tuple(
        Row(name, tuple(cell(line, column) for column in range(12)), "grp_1" if line < 4 else "grp%2", ("base",))
        for line, name in enumerate(NAMES)
    )
    return Sheet("hostile", "values", f"Hostile {NAMES[2]}", NAMES[1], "trained", "Network", heads, rows, NAMES[:2])


@pytest.fixture
def hostile(sheet: Sheet) -> Report:
    """A report that says hostile things wherever it says something."""
    trials = {
        f"{index:016x}": TrialFacts(f"{index:016x}", name, "done", "abcdef0123456", True, f"cpu, {name}", "v", name)
        for index, name in enumerate(NAMES * 8)
    }
    return Report(
        title=NAMES[2],
        subtitle=NAMES[6],
        verdicts=Counter(match=3, differs=1),
        differences=Counter(),
        lead=NAMES,
        findings=NAMES,
        parts=(Part("p", NAMES[3], NAMES[4], (sheet,), (), ((NAMES[2], NAMES[1]),), (NAMES[1],)),),
        audit=(),
        environments=(Environment(NAMES[5], ((NAMES[0], NAMES[3]),), ("a",)),),
        trials=trials,
        seeds=((NAMES[2], "0, 1"),),
        failures=(Failure("id", NAMES[1], NAMES[3], NAMES[0], NAMES[2]),),
        missing=(Missing(NAMES[2], NAMES[3]),),
        commands=(NAMES[1],),
        next_step=Missing(NAMES[3], NAMES[2]),
        damaged=NAMES,
    )
