"""What the gate finds: one finding for each thing that is held against the baseline, and one answer from them all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

Outcome = Literal["regressed", "not measured", "inconclusive", "passed", "better", "extra"]
"""Of one finding, the gravest first. ``not measured`` is what nothing could be said of for lack of something on this
machine (data, a device); what the baseline has and a run here has lost is ``regressed``. ``extra`` is mentioned:
what only the run has, and what of neither version is known."""
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)

Aspect = Literal["presence", "signature", "parameters", "shape", "quality", "time", "memory"]
"""What a finding is about: that an entry, a test set or an image is there at all; how a metric is defined; the number
of learnt parameters; the shape of an output; a metric's values; the time of a call; its memory."""
ASPECTS: Final[tuple[Aspect, ...]] = get_args(Aspect)

PASSED, REGRESSED, USAGE, NOT_MEASURED, INCONCLUSIVE = range(5)
"""Exit statuses of the gate."""


@dataclass(frozen=True)
class OneImage:
    """One image as one trial restored it: what a page shows of a finding.

    Attributes:
        entry: of the suite.
        seed: of the trial; ``None`` for released weights.
        dataset: name of the test set.
        case: blur kernel; ``None`` where the task has one case.
        name: of the image in the test set.
    """

    entry: str
    seed: int | None
    dataset: str
    case: str | None
    name: str


@dataclass(frozen=True)
class Finding:
    """One thing that was held against the baseline.

    Attributes:
        aspect: what it is about.
        subject: the entry of a suite, or the subject of a case of speed.
        place: where: the test set with its case, or the pass and size of a case of speed; empty where it is the whole
            subject.
        what: which statistic, in words: ``PSNR, mean of 12 images``, ``PSNR, worst image: 05.png``, ``time beside the
            yardstick``.
        outcome: what came of it.
        reason: in one sentence why, for whoever has to mend it.
        unit: of ``before``, ``now`` and ``change``: ``dB``, ``s``, ``MiB``, or empty for a number without one.
        before: the baseline's value.
        now: the value here.
        change: how much worse, in ``unit`` for quality and as a share of ``before`` for time and memory; negative is
            better. ``nan`` where it is not a number.
        low: lower end of the interval for ``change``; equal to ``change`` where values are exact.
        high: its upper end.
        allowed: the ``change`` up to which nothing is said.
        sure: how sure, in words: ``to the bit``, ``95 % interval of 60 turns``.
        look: the command to look closer; empty if there is none.
        image: the image that is worst; ``None`` where the finding is of no image, or nothing of it can be shown.
    """

    aspect: Aspect
    subject: str
    place: str
    what: str
    outcome: Outcome
    reason: str
    unit: str = ""
    before: float | str | None = None
    now: float | str | None = None
    change: float = math.nan
    low: float = math.nan
    high: float = math.nan
    allowed: float = math.nan
    sure: str = ""
    look: str = ""
    image: OneImage | None = None


def exit_status(findings: Sequence[Finding]) -> int:
    """The gate's answer, as the exit status of a command.

    Args:
        findings: all of a run.

    Returns:
        :data:`REGRESSED` where anything regressed; :data:`NOT_MEASURED` where nothing was measured, or something that
        was asked for was not; :data:`INCONCLUSIVE` where anything is too noisy to say; otherwise :data:`PASSED`.
    """
    outcomes = {finding.outcome for finding in findings}
    if "regressed" in outcomes:
        return REGRESSED
    if "not measured" in outcomes or not outcomes - {"extra"}:
        return NOT_MEASURED
    return INCONCLUSIVE if "inconclusive" in outcomes else PASSED
