"""Command lines in parts. Oracle: ``shlex`` and the application that is to understand them."""

from __future__ import annotations

import dataclasses
import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.experiments.store.command_line import CommandLine

NAMES = st.from_regex(r"[a-z]{1,8}(-[a-z]{1,8})?", fullmatch=True)
WORDS = st.text(min_size=1).filter(lambda text: not text.startswith("--"))
LINES = st.builds(CommandLine, NAMES, st.just("") | WORDS, st.dictionaries(NAMES, WORDS, max_size=4))


def test_lists_have_commas_and_what_has_commas_is_repeated() -> None:
    line = CommandLine("run", "a b.toml", {"seeds": (0, 1), "only": ("A", "λ = 1"), "images": 2})
    assert line.words() == ["converse", "run", "a b.toml", "--seeds", "0,1", "--only", "A,λ = 1", "--images", "2"]
    assert CommandLine("reproduce", "", {"datasets": ("a,b", "c")}).words()[2:] == [
        "--datasets",
        "a,b",
        "--datasets",
        "c",
    ]
    assert str(CommandLine("run", "x").changed(retry_failed=True)) == "converse run x --retry-failed"
    assert CommandLine("run", "x", {"threads": 2}).changed(threads=None) == CommandLine("run", "x")


@given(LINES)
def test_a_line_of_pairs_comes_back_from_its_text_and_from_json(line: CommandLine) -> None:
    assert shlex.split(str(line)) == line.words()
    assert CommandLine.parsed(str(line)) == line
    assert CommandLine.from_plain(json.loads(json.dumps(dataclasses.asdict(line)))) == line


@pytest.mark.parametrize(
    "text", ["", "converse", "rm -r x", "converse run x --flag", "converse run 'x", "converse run x y z"]
)
def test_what_is_no_line_of_pairs_is_none(text: str) -> None:
    assert CommandLine.parsed(text) is None


@pytest.mark.parametrize(
    "found",
    [
        {"name": "run; rm", "argument": "", "options": {}},
        {"name": "run", "argument": 3, "options": {}},
        {"name": "run", "argument": "", "options": []},
        {"name": "run", "argument": "", "options": {"a b": 1}},
        {"name": "run", "argument": "", "options": {"only": [[1]]}},
        {"name": "run", "argument": "", "options": {"only": []}},
        {"name": "run", "argument": "", "options": {"only": {"a": 1}}},
    ],
)
def test_what_is_no_request_is_refused(found: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        CommandLine.from_plain(found)
