"""How much one suite may ask for: what can be planned while one waits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from converse.experiments.suites.mistakes import Mistake, Where

if TYPE_CHECKING:
    from converse.experiments.suites.tables import Suite

MOST_ENTRIES: Final = 500
"""Entries of a suite, variants of an ablation. Each network is built once before anything is trained."""

MOST_TRIALS: Final = 10_000
"""Entries that are trained, times seeds. Each trial has a folder of its own."""


def size_mistakes(suite: Suite) -> Iterator[Mistake]:
    """What makes a suite too large.

    Args:
        suite: each of its values is in order.

    Yields:
        One mistake for the entries, or one for each list of seeds.
    """
    if len(suite.entries) > MOST_ENTRIES:
        yield Mistake(("entries",), f"there are {len(suite.entries):,} of them; at most {MOST_ENTRIES:,} are allowed")
        return
    lists: dict[Where, tuple[int, ...]] = {("seeds",): suite.seeds}
    lists |= {("budgets", name, "seeds"): budget.seeds for name, budget in suite.budgets.items()}
    trained = sum(entry.released is None for entry in suite.entries)
    for where, seeds in lists.items():
        if text := too_many_trials(trained, len(seeds)):
            yield Mistake(where, text)


def too_many_trials(trained: int, seeds: int) -> str | None:
    """What to say of so many trained entries under so many seeds; ``None`` where they are not too many."""
    if trained * seeds <= MOST_TRIALS:
        return None
    return (
        f"{seeds:,} seeds for {trained:,} trained entries make {trained * seeds:,} trials; at most {MOST_TRIALS:,} "
        "are allowed: divide the suite, or take fewer seeds"
    )
