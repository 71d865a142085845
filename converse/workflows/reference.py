"""The rows that come with this benchmark: brought into a store of one's own, whose report then has them too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from converse.content import content
from converse.counted import agreeing, counted
from converse.errors import StoreError


class Begun(NamedTuple):
    """What a store has of the reference.

    Attributes:
        brought: trials, and runs of `converse speed`, that it did not have, or had less of.
        all: how many the reference has.
        skipped: of those that could not be brought, why, each in a line.
    """

    brought: int
    all: int
    skipped: tuple[str, ...]

    def __str__(self) -> str:
        if not self.brought:
            return "the store has all of the reference; its report shows it too"
        said = f"of the reference {counted(self.brought, 'trial', of=self.all)}"
        return f"{said} {agreeing(self.brought, 'was', 'were')} brought into the store; its report shows them too"


def begin_from_reference(store: Path, progress: Callable[[int, int], None] = lambda done, total: None) -> Begun:
    """Bring what `reports/reference/store` has into a store, where that lacks it.

    Trials are known by what they follow from, the machine among it: what is computed here stands beside the reference,
    or takes its place where it is the same.

    Args:
        store: its folder; made where there is none.
        progress: told often how many are done, of how many.

    Raises:
        StoreError: the installation is without the reference, or the store cannot be written.
    """
    from converse.experiments.store import Store
    from converse.experiments.store.merging import merge

    reference = content("reports") / "reference" / "store"
    if not reference.is_dir():
        raise StoreError(f"there is no reference in {reference}: reinstall converse")
    done = list(merge(Store(store), [Store(reference, create=False)], progress))
    skipped = tuple(f"{one.kind} {one.id} of the reference: {one.reason}" for one in done if one.action == "skipped")
    return Begun(sum(one.action not in ("unchanged", "skipped") for one in done), len(done), skipped)
