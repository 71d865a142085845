"""Released weights held against the tables that the authors published before those of the paper."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import pandas as pd

from converse.analysis.published import Published
from converse.analysis.tables import PUBLISHED_METRIC, Expected, ResultRow, records, results

RETRAINED: Final = "the paper's table has other numbers of this network, so these weights are not the earlier table's"


def earlier_results(rows: pd.DataFrame, *, published: Published, expected: Iterable[Expected]) -> list[ResultRow]:
    """Result rows of the places that an earlier table has, with its numbers in the place of the paper's.

    Only where the paper repeats a network's numbers are the released weights known to be those of the earlier table;
    elsewhere there is a difference and no verdict.

    Args:
        rows: of released weights, with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
        published: the authors' numbers.
        expected: the cells of the earlier tables, with the reasons why they may have no value.

    Returns:
        In the order of the earlier tables.
    """
    earlier = published.earlier
    places = [(one.dataset, one.entry, one.case) for task in earlier.tasks for one in earlier.cells(task)]
    own = rows[rows["task"].isin(earlier.tasks) & (rows["metric"] == PUBLISHED_METRIC)]
    found = [row for row in records(results(own, published=earlier, expected=expected)) if row["published"] is not None]
    for row in found:
        if row["difference"] is not None and not published.unchanged(row["task"], row["entry"]):
            row |= {"verdict": None, "reason": RETRAINED}
    return sorted(found, key=lambda row: places.index((str(row["dataset"]), row["entry"], row["case"])))
