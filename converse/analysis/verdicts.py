"""Whether a measured number is the published one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from converse.errors import OptionError

Verdict = Literal["match", "close", "differs", "not measured"]

# |30.705 - 30.70| is 0.005 to a reader and 0.00499999999999901 or a little more to a computer.
_SLACK = 1e-9


@dataclass(frozen=True)
class Thresholds:
    """How far apart two numbers may be, in dB, bounds included.

    Attributes:
        match: half of the paper's last digit by default: the measured number rounds to the published one.
        close: another machine, another library version.

    Raises:
        OptionError: they are not 0 ≤ match ≤ close.
    """

    match: float = 0.005
    close: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.match <= self.close:
            raise OptionError(f"thresholds must be 0 ≤ match ≤ close, got match {self.match} and close {self.close}")


def verdict(measured: float | None, published: float, thresholds: Thresholds) -> Verdict:
    """Hold a measured number against the published one.

    Args:
        measured: dB; ``None`` or NaN where there is none.
        published: dB.
        thresholds: bounds of the difference's size.

    Returns:
        ``match``, ``close``, ``differs``, or ``not measured``.
    """
    if measured is None or measured != measured:
        return "not measured"
    difference = abs(measured - published)
    if difference <= thresholds.match + _SLACK:
        return "match"
    return "close" if difference <= thresholds.close + _SLACK else "differs"
