"""How much one suite may ask for: what can be planned while one waits."""

from __future__ import annotations

from typing import Final

MOST_ENTRIES: Final = 500
"""Entries of a suite, variants of an ablation. Each network is built once before anything is trained."""

MOST_TRIALS: Final = 10_000
"""Entries that are trained, times seeds. Each trial has a folder of its own."""


def too_many_trials(trained: int, seeds: int) -> str | None:
    """What to say of so many trained entries under so many seeds; ``None`` where they are not too many."""
    if trained * seeds <= MOST_TRIALS:
        return None
    return (
        f"{seeds:,} seeds for {trained:,} trained entries make {trained * seeds:,} trials; at most {MOST_TRIALS:,} "
        "are allowed: divide the suite, or take fewer seeds"
    )
