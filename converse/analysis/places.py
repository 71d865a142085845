"""Which values are the best and the second best of a column, and with how many digits a value is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Literal

Better = Literal["higher", "lower", ""]

MOST_DIGITS: Final = 6
"""Behind the point, however small a value is."""


def places(values: Mapping[int, float], better: Better) -> dict[int, int]:
    """The best and the second best.

    Args:
        values: row → its value as it is shown, of those that are held against each other.
        better: whether larger or smaller is better; empty where neither is.

    Returns:
        Row → 1 or 2. Ties share a place: two bests leave no second. Empty where fewer than two rows have a value.
    """
    if not better or len(values) < 2:
        return {}
    ordered = sorted(values.values(), reverse=better == "higher")
    ranks = {row: ordered.index(value) + 1 for row, value in values.items()}
    return {row: rank for row, rank in ranks.items() if rank <= 2}


def digits(value: float, least: int, significant: int = 0) -> int:
    """Digits behind the point.

    Args:
        value: that is said.
        least: so many at the least, where ``significant`` is 0: exactly so many.
        significant: so many digits of the value are to be seen, however small it is; 0 where the number of digits
            behind the point says how closely it is known.

    Returns:
        2 for 12.3 and 5 for 0.00123, with ``least`` 2 and ``significant`` 3.
    """
    if not significant or value == 0 or not math.isfinite(value):
        return least
    return max(least, min(MOST_DIGITS, significant - 1 - math.floor(math.log10(abs(value)))))
