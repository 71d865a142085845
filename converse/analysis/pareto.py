"""Which networks no other beats in both quality and cost."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def pareto_front(cost: npt.ArrayLike, quality: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """The points that no other dominates.

    One point dominates another if it costs no more, is no worse, and differs in at least one of the two.

    Args:
        cost: [n], smaller is better.
        quality: [n], larger is better.

    Returns:
        [n], true on the front; a point without a finite cost and quality is not on it.
    """
    costs, qualities = np.asarray(cost, float), np.asarray(quality, float)
    finite = np.isfinite(costs) & np.isfinite(qualities)
    front = np.zeros(len(costs), dtype=bool)
    best = -np.inf
    order = np.lexsort((-qualities, costs))  # by cost, the better first
    last: tuple[float, float] | None = None
    for index in order[finite[order]]:
        point = (float(costs[index]), float(qualities[index]))
        if point[1] > best or point == last:
            front[index] = True
            best, last = point[1], point
    return front
