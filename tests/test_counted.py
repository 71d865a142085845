"""Numbers with their nouns: the oracle is English."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import converse
from converse.content import content
from converse.counted import agreeing, counted

PACKAGE = Path(converse.__file__).parent
COUNTED = "images trials seeds rows threads files settings values measurements requests attempts calls"
NEXT = re.compile(rf" (?:{'|'.join(COUNTED.split())})\b")
BY_HAND = re.compile(r"\b[a-z]+\(s\)(?!\w)|else ['\"]s['\"]|if [^\n]* else \"s\"|['\"]s['\"] \*|['\"]s['\"] if")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (counted(0, "image"), "0 images"),
        (counted(1, "image"), "1 image"),
        (counted(2, "validation image"), "2 validation images"),
        (counted(2000, "row"), "2,000 rows"),
        (counted(1, "image", of=1), "1 of 1 image"),
        (counted(1, "image", of=5), "1 of 5 images"),
        (f"{agreeing(1, 'is', 'are')} {agreeing(0, 'is', 'are')} {agreeing(3, 'is', 'are')}", "is are are"),
    ],
)
def test_a_noun_has_the_number_of_what_is_counted(said: str, expected: str) -> None:
    assert said == expected


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "counted.py")


def test_no_module_puts_a_noun_behind_a_number_by_itself() -> None:
    """A noun that stands as it is behind a number is wrong for 1, or for all others."""
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            for number, text in zip(node.values, node.values[1:], strict=False):
                word = isinstance(text, ast.Constant) and NEXT.match(str(text.value))
                if word and isinstance(number, ast.FormattedValue) and not verb(number.value):
                    wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(number.value)}{word[0]}")
    assert not wrong


def verb(value: ast.expr) -> bool:
    """Whether it is a word that was made to agree, behind which an object stands: {has} values."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "agreeing"


def test_no_plural_is_made_by_hand() -> None:
    texts = [*sources(), *sorted((content("reports") / "templates").iterdir())]
    found = {path.name: BY_HAND.findall(path.read_text(encoding="utf-8")) for path in texts}
    code = {"str(s)", "len(s)", "http(s)"}
    wrong = {name: [one for one in matches if one not in code] for name, matches in found.items()}
    assert not {name: matches for name, matches in wrong.items() if matches}
