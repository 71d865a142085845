"""Oracles: strict UTF-8, Python's XML parser, Unicode's own categories, Python's JSON parser."""

from __future__ import annotations

import ast
import json
import os
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import converse
from converse.plain_text import json_safe, spreadsheet_cell, visible, writable

ANY = st.text(st.characters(exclude_categories=()))  # lone surrogates too


@given(ANY)
def test_visible_text_can_be_written_and_does_nothing(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert ElementTree.fromstring(f"<a>{shown.replace('&', '').replace('<', '').replace(']]>', '')}</a>") is not None
    assert not {unicodedata.bidirectional(c) for c in shown} & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "PDI"}
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in shown)
    assert visible(shown) == shown


@given(st.text(st.characters(categories=("L", "N", "P", "S", "M"), include_characters=" \u202f\u00a0")))
def test_what_people_write_stays(text: str) -> None:
    assert visible(text) == text == writable(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("caf\udce9.png", r"caf\xe9.png", id="byte-that-is-not-utf8"),
        pytest.param("caf\udcc3\udca9.png", "café.png", id="utf8-read-as-ascii"),
        pytest.param("a\ud800b", r"a\ud800b", id="lone-surrogate"),
        pytest.param("\x1b[2Ja", r"\x1b[2Ja", id="escape"),
        pytest.param("\x9b2Ja", r"\x9b2Ja", id="eight-bit-escape"),
        pytest.param("a\u202egnp.exe", r"a\u202egnp.exe", id="turned"),
        pytest.param("two\nlines\r\t", r"two\nlines\r\t", id="lines"),
        pytest.param("a\U000e0041b", r"a\U000e0041b", id="tag"),
    ],
)
def test_what_is_shown_by_its_number(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_stay_where_they_are_meant() -> None:
    assert visible("a\n\x1bb", keep="\n") == "a\n\\x1bb"


@given(st.binary(max_size=12))
def test_names_of_any_bytes_have_one_text_in_every_locale(name: bytes) -> None:
    in_utf8, in_ascii = (name.decode(encoding, "surrogateescape") for encoding in ("utf-8", "ascii"))
    assert writable(in_utf8) == writable(in_ascii) == name.decode("utf-8", "backslashreplace")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("@SUM(1+1)", "'@SUM(1+1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+ attention", "+ attention"),
        ("-0.05", "-0.05"),
        ("\x1b[1m", r"\x1b[1m"),
        (-0.05, -0.05),
        (None, None),
    ],
)
def test_no_cell_is_a_formula(text: object, cell: object) -> None:
    assert spreadsheet_cell(text) == cell


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=8))
def test_json_keeps_its_values_and_sends_nothing_to_a_terminal(value: object) -> None:
    document = json_safe(json.dumps(value, ensure_ascii=False, indent=2))
    assert json.loads(document) == json.loads(json.dumps(value))
    assert visible(document, keep="\n") == document


def test_every_text_file_says_its_encoding() -> None:
    """Otherwise the locale decides, and ``LC_ALL=C`` or Windows read other letters."""
    package = Path(converse.__file__).parent
    found = []
    for file in sorted(package.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _follows_the_locale(node):
                found.append(f"{os.path.relpath(file, package.parent)}:{node.lineno}: {ast.unparse(node)}")
    assert not found, "\n".join(found)


def _follows_the_locale(call: ast.Call) -> bool:
    keys = {keyword.arg for keyword in call.keywords}
    if "encoding" in keys:
        return False
    owner, _, name = ast.unparse(call.func).rpartition(".")
    if owner == "subprocess" and keys & {"text", "universal_newlines"}:
        return True
    if name == "open":
        modes = [str(argument.value) for argument in call.args if isinstance(argument, ast.Constant)]
        return owner not in ("os", "Image", "Pillow", "tarfile") and not any("b" in mode for mode in modes)
    # A store's own functions write UTF-8.
    return name in ("read_text", "write_text") and owner != "files" and len(call.args) < 2
