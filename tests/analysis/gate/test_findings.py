"""The answer is the gravest of the findings, and no findings are no pass."""

from __future__ import annotations

import pytest

from converse.analysis.gate.findings import Finding, Outcome, exit_status


def finding(outcome: Outcome) -> Finding:
    return Finding("quality", "Converse-DnCNN", "Set12", "PSNR, mean of 12 images", outcome, "it is so")


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ((), 3),
        (("extra",), 3),
        (("passed",), 0),
        (("passed", "better", "extra"), 0),
        (("passed", "inconclusive"), 4),
        (("passed", "inconclusive", "not measured"), 3),
        (("passed", "inconclusive", "not measured", "regressed"), 1),
    ],
)
def test_the_gravest_decides(outcomes: tuple[Outcome, ...], status: int) -> None:
    assert exit_status([finding(outcome) for outcome in outcomes]) == status
