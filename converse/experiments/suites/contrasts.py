"""What of a suite is held against what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from converse.errors import unknown
from converse.experiments.suites.errors import Mistake, shown
from converse.experiments.suites.fields import Text, some
from converse.experiments.suites.settings import Table


class Contrast(NamedTuple):
    """A difference that a suite is about: entry − base.

    Attributes:
        entry: name of the entry.
        base: name of the entry that it is held against.
        label: what it stands for in a table: the value of an ablation, ``zero``, or else the entry's name.
    """

    entry: str
    base: str
    label: str


class Comparison(Table):
    """``[[comparisons]]``: one entry, and those that it is held against.

    Attributes:
        entry: name of the entry.
        against: names of others; the difference is entry − other.
    """

    entry: Text = Field(description="the name of an entry")
    against: Annotated[tuple[Text, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="a list of names of entries"
    )


def contrasts_of(comparisons: Sequence[Comparison], entries: Iterable[str]) -> tuple[Contrast, ...]:
    """The differences that a suite is about.

    Args:
        comparisons: as the suite states them; without any, every entry is held against the first.
        entries: names of the suite's entries, in its order.

    Returns:
        One per pair, in the order of the file.
    """
    names = {name.casefold(): name for name in entries}
    if not comparisons:
        first, *others = names.values()
        return tuple(Contrast(entry, first, entry) for entry in others)
    found = ((names[one.entry.casefold()], names[base.casefold()]) for one in comparisons for base in one.against)
    return tuple(Contrast(entry, base, entry) for entry, base in dict.fromkeys(found))


def comparison_mistakes(comparisons: Sequence[Comparison], names: Sequence[str]) -> Iterator[Mistake]:
    """Names that no entry has, and entries that are held against themselves."""
    known = {name.casefold() for name in names}
    for index, one in enumerate(comparisons):
        if one.entry.casefold() not in known:
            yield Mistake(("comparisons", index, "entry"), unknown("entry", one.entry, names))
        for place, base in enumerate(one.against):
            where = ("comparisons", index, "against", place)
            if base.casefold() not in known:
                yield Mistake(where, unknown("entry", base, names))
            elif base.casefold() == one.entry.casefold():
                yield Mistake(where, f"came {shown(base)}; an entry is not held against itself")
