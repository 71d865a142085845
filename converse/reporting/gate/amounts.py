"""Values and changes of the gate's findings as readers see them: with as many digits as a change needs to be seen."""

from __future__ import annotations

import math
from typing import Final

from converse.analysis.gate.findings import Aspect, Finding
from converse.reporting.numbers import MINUS, number

_SHARES: Final[frozenset[Aspect]] = frozenset({"time", "memory"})
"""What is a share of the baseline's value."""

_WORDS: Final[dict[Aspect, tuple[str, str]]] = {"time": ("slower", "faster"), "memory": ("more", "less")}

_NUDGE: Final = 1e-6
"""So that a difference of 0.1 that is 0.09999… in float64 counts as 0.1."""

_MOST: Final = 15
"""Decimals of a float64 of the size of a PSNR."""


def change(finding: Finding) -> str:
    """By how much it is worse, with its interval.

    Returns:
        ``0.1 dB worse``, ``20 % slower [18 %, 22 %]``, ``0.02 dB better``, ``equal``; empty where it is not a number.
    """
    if math.isnan(finding.change):
        return ""
    worse, better = _WORDS.get(finding.aspect, ("worse", "better"))
    if finding.change == 0:
        said = "equal"
    else:
        said = f"{_amount(finding, abs(finding.change))} {worse if finding.change > 0 else better}"
    if finding.low == finding.change == finding.high or math.isnan(finding.low) or math.isnan(finding.high):
        return said
    return f"{said} [{_amount(finding, finding.low)}, {_amount(finding, finding.high)}]"


def allowed(finding: Finding) -> str:
    """The change up to which nothing is said: ``0.01 dB``, ``12 %``; empty where there is no such number."""
    return "" if math.isnan(finding.allowed) else _amount(finding, finding.allowed)


def before_and_now(finding: Finding) -> tuple[str, str]:
    """The baseline's value and the one here: ``31.2346 dB`` and ``31.1346 dB``; empty for what is not there."""
    pair = (finding.before, finding.now)
    decimals = _decimals([value for value in pair if isinstance(value, int | float)])
    before, now = (_value(value, decimals, finding.unit) for value in pair)
    return before, now


def _decimals(values: list[float]) -> int:
    """So many that what differs is seen to differ, by two digits; at least three digits that say something."""
    finite = [value for value in values if math.isfinite(value)]
    if all(float(value).is_integer() for value in finite):
        return 0
    size = max(abs(value) for value in finite)
    wanted = 2 - math.floor(math.log10(size)) if size else 0
    if len(finite) == 2 and (apart := abs(finite[0] - finite[1])):
        wanted = max(wanted, 1 - math.floor(math.log10(apart) + _NUDGE)) if math.isfinite(apart) else wanted
    return min(max(wanted, 0), _MOST)


def _value(value: float | str | None, decimals: int, unit: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if math.isnan(value):
        return "NaN"
    return f"{number(value, decimals)}{f' {unit}' if unit else ''}"


def _amount(finding: Finding, value: float) -> str:
    """Three digits of an amount of change, in the unit in which the finding has it."""
    share = finding.aspect in _SHARES
    unit = "%" if share else finding.unit
    scaled = 100 * value if share else value
    text = number(scaled, 0) if math.isinf(scaled) else f"{scaled:.3g}".replace("-", MINUS)
    return f"{text}{f' {unit}' if unit else ''}"
