"""What tests of suites and of ablations share: mistakes made in a good document, by hand and at random."""

from __future__ import annotations

import copy
import tomllib
from typing import Any

import pytest
from hypothesis import strategies as st

from converse.errors import SuiteError
from converse.experiments.suites.suite import Suite, parse_suite

Changes = list[tuple[str, str]]
"""What is replaced by what."""

Slip = tuple[tuple[Any, ...], str, Any, int]
"""A place in a document, a word, a value, and whether the place is emptied, filled with the value, or renamed."""


def read(text: str, **options: Any) -> Suite:
    return parse_suite(tomllib.loads(text), file="my.toml", **options)


def changed(text: str, changes: Changes) -> str:
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def refusal(text: str) -> str:
    """What the reader is told, after the file's name."""
    with pytest.raises(SuiteError) as caught:
        read(text)
    file, separator, message = str(caught.value).partition(": ")
    assert (file, separator) == ("my.toml", ": ")
    return message


def values(words: st.SearchStrategy[str], max_leaves: int) -> st.SearchStrategy[Any]:
    """All that TOML can say, with words that a document knows."""
    plain = st.one_of(
        st.integers(),
        st.integers(0, 40),
        st.floats(),
        st.booleans(),
        st.text(max_size=8),
        words,
        st.datetimes(),
        st.dates(),
        st.times(),
    )
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=4),
        max_leaves=max_leaves,
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all that is inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in items for place in places(inner, (*path, key)))]


def slips(text: str, words: st.SearchStrategy[str], max_leaves: int, max_size: int) -> st.SearchStrategy[list[Slip]]:
    """One slip or more in this document."""
    where = st.sampled_from(places(tomllib.loads(text))[1:])
    return st.lists(
        st.tuples(where, words | st.text(max_size=5), values(words, max_leaves), st.integers(0, 2)),
        min_size=1,
        max_size=max_size,
    )


def slipped(text: str, made: list[Slip]) -> dict[str, Any]:
    """The document with the slips in it."""
    document = copy.deepcopy(tomllib.loads(text))
    for path, word, value, what in made:
        at: Any = document
        for step in path[:-1]:
            try:
                at = at[step]
            except (KeyError, IndexError, TypeError):  # an earlier slip has taken the place away
                at = {}
        if isinstance(at, dict) and what == 0:
            at.pop(path[-1], None)
        elif isinstance(at, dict):
            at[path[-1] if what == 1 else word] = value
        elif isinstance(at, list):
            at.append(value)
    return document


def answered(document: Any, *budgets: str) -> None:
    """Whatever a document says, the answer is a suite, whose entries have configurations, or a message.

    Args:
        document: as TOML is read.
        budgets: that are looked at; otherwise all that the document has.
    """
    try:
        suite = parse_suite(document, file="my.toml")
        for budget in budgets or suite.budgets:
            for plan in suite.resolve(budget):
                plan.configuration()
    except SuiteError as error:
        first, *rest = str(error).splitlines()
        assert first.startswith("my.toml: ")
        assert all(line.startswith("  ") for line in rest)
        assert not rest or "mistakes" in first
