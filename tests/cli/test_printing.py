"""Oracles: the cells that were given, the terminal's width, Python's parsers of JSON and CSV, its encoders."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from typing import Any

import pytest
from rich.text import Text

from converse.cli.options import OutputFormat
from converse.cli.printing import print_document, print_json, print_table, say, shown
from converse.cli.streams import FALLBACK, standard_streams
from converse.experiments.store.files import jsonable
from converse.plain_text import json_safe, visible

CELLS = ["Converse-DnCNN: circular", "3", "12,209", "Set12", "26.65 ± 0.12", "0.6832 ± 0.0064", "0.3194 ± 0.0110"]
HEADS = ["entry", "seeds", "parameters", "test set", "PSNR", "SSIM", "LPIPS", "reason"]
REASON = "a reason of many words that may be folded where the terminal is narrow"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("FORCE_COLOR", "1")
    return monkeypatch


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_terminal_is_never_too_narrow(
    width: int, terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.setenv("COLUMNS", str(width))
    print_table(HEADS, [[*CELLS, REASON], [*CELLS[:-1], "0.1", "another"]])
    out = Text.from_ansi(capsys.readouterr().out).plain
    assert max(map(len, out.splitlines())) <= width
    assert "…" not in out
    words = " ".join(out.split())
    assert all(word in words for cell in [*CELLS, REASON] for word in cell.split() if len(word) < 10)


def test_without_a_terminal_nothing_is_folded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(HEADS, [[*CELLS, REASON]])
    head, row = capsys.readouterr().out.splitlines()
    assert [head.index(name) for name in HEADS] == [row.index(cell) for cell in (*CELLS, REASON)]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "utf-8"])
def test_any_encoding_takes_all_of_it_and_columns_stay_in_line(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding))
    with standard_streams():
        print_table(("verdict", "value"), [["✓ match", "λ = 1e−3"], ["∞", "± 2 × σ … –"], ["file café\udce9", "東"]])
        say("→ ✓")
        sys.stdout.flush()
        lines = raw.getvalue().decode(encoding).splitlines()
    assert lines[1].index("λ" if encoding == "utf-8" else "lambda") == lines[0].index("value")
    assert "ok match" in lines[1] or encoding == "utf-8"
    assert lines[-1] == ("→ ✓" if encoding == "utf-8" else "-> ok")
    assert r"\xe9" in lines[3]


def test_the_words_for_symbols_are_ascii() -> None:
    from converse.cli.streams import _WORDS
    from converse.reporting.numbers import LOOKS

    assert all(word.isascii() and not symbol.isascii() and len(symbol) == 1 for symbol, word in _WORDS.items())
    with standard_streams():
        assert all("\\" not in look.symbol.encode("ascii", FALLBACK).decode() for look in LOOKS.values())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_document_has_its_values_in_any_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"λ": ["∞ ✓", "\x1b[2J\x9b", "caf\udce9", "\u202e"]}
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding, errors="strict"))
    print_json(value)
    sys.stdout.flush()
    text = raw.getvalue().decode(encoding)
    assert json.loads(text) == value
    assert text == visible(text, keep="\n")


def test_what_comes_from_outside_is_shown_and_not_sent(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "\x1b]0;title\x07\x1b[2Jname\u202e\x9b"
    print_table(("a\x1b[1m", "b"), [[hostile, "[bold]text[/bold]"]])
    say(f"failed: {hostile}\nmore")
    say(hostile, err=True)
    print_document(("name",), [{"name": hostile}], OutputFormat.json)
    print_document(("name",), [{"name": hostile}, {"name": "=1+1"}], OutputFormat.csv)
    out, err = capsys.readouterr()
    for character in "\x1b\x07\x9b\u202e":
        assert character not in out + err
    assert "[bold]text[/bold]" in out
    assert "\nmore\n" in out
    assert list(csv.reader(out.splitlines()[-2:])) == [[shown(hostile)], ["'=1+1"]]


def test_json_has_no_infinity(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    print_document(("a",), [{"a": math.inf}, {"a": [-math.inf, {"b": math.nan}]}], OutputFormat.json)
    said = json.loads(capsys.readouterr().out, parse_constant=refuse)
    assert said == [{"a": "inf"}, {"a": ["-inf", {"b": None}]}]
    print_document(("a",), [{"a": math.inf}], OutputFormat.csv)
    assert capsys.readouterr().out == "a\ninf\n"


RECORDS: list[Any] = [
    [],
    [{}],
    [{"a": 1}, {"b": 'x", y: {}\n', "c": None, "d": 1.5, "e": True, "é": "\x9b"}],
    [{"a": 1.0, "b": math.inf}, {"a": math.nan}],
    [{"a": [1]}, {"a": {"b": 2}}],
    [1, {"a": 2}],
    {"a": [{"b": 1}]},
]


@pytest.mark.parametrize("value", RECORDS, ids=repr)
def test_json_is_indented_as_pythons_own(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(value)
    said = json_safe(json.dumps(jsonable(value), indent=2, ensure_ascii=False))
    assert capsys.readouterr().out == f"{said}\n"
