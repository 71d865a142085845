"""Text from outside (files' names, stores, servers, users' exceptions) as text that can be written and does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_BYTES: Final = re.compile("[\udc80-\udcff]+")  # how Python carries bytes of a name that it could not decode

# What a terminal obeys or does not show, what turns the direction of writing, and what XML may not hold. Joiners
# (U+200C, U+200D) stay: words of some languages need them.
_ACTIVE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)

# What a spreadsheet takes for a formula; signs alone begin many honest names ("+ attention").
_FORMULA: Final = re.compile(r"[=@]|[+-].*[(|!]")


def writable(text: str) -> str:
    r"""Text without lone surrogates, which no file, table or page can hold.

    Bytes of a file's name that Python could not decode are read as UTF-8 here, whatever the locale says, and those that
    are not UTF-8 are shown: ``caf\xe9.png``.

    Args:
        text: any.

    Returns:
        Text that every encoding of Unicode can write; most often the same object.
    """
    if _SURROGATES.search(text) is None:
        return text
    joined = _BYTES.sub(lambda run: run[0].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"), text)
    return _SURROGATES.sub(lambda one: f"\\u{ord(one[0]):04x}", joined)


def visible(text: str, keep: str = "") -> str:
    r"""Text in which each character is a sign on paper: what controls, hides or turns is shown by its number.

    An escape sequence in a name becomes ``\x1b[2J``, a line break ``\n``, an override of the direction ``\u202e``.
    To be called where text from outside is written: to a terminal, into a page, a figure or a table.

    Args:
        text: any.
        keep: characters that stay, ``"\n"`` where several lines are meant.

    Returns:
        Text that XML 1.0 may hold; most often the same object.
    """
    text = writable(text)
    if _ACTIVE.search(text) is None:
        return text
    return _ACTIVE.sub(lambda one: one[0] if one[0] in keep else one[0].encode("unicode_escape").decode(), text)


def spreadsheet_cell(value: Any) -> Any:
    """A value of a CSV file: visible text, with an apostrophe before what a spreadsheet would run as a formula.

    Args:
        value: text, or anything else, which stays.
    """
    if not isinstance(value, str):
        return value
    text = visible(value, keep="\n")
    return f"'{text}" if _FORMULA.match(text) else text


def json_safe(document: str) -> str:
    r"""A JSON document whose strings have the same values and no character that a terminal obeys or does not show.

    Args:
        document: of :func:`json.dumps`, which itself breaks lines only between values.

    Returns:
        The same document with ``\u009b`` for such characters, and for lone surrogates.
    """
    if _ACTIVE.search(document) is None and _SURROGATES.search(document) is None:
        return document
    return re.sub(
        f"{_ACTIVE.pattern}|{_SURROGATES.pattern}",
        lambda one: one[0] if one[0] == "\n" else _json_escape(one[0]),
        document,
    )


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def slug(*parts: str | None) -> str:
    """A key of lower-case ASCII letters, digits and hyphens, for names of files and anchors.

    Two different names may have the same slug; who needs unique ones numbers them (:func:`unique`).
    """
    text = "-".join(part for part in parts if part).lower()
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)
    return "-".join(filter(None, kept.split("-")))[:80].strip("-") or "untitled"


def unique(keys: Iterable[str]) -> list[str]:
    """The keys, each once: a second ``a`` becomes ``a-2``."""
    seen: set[str] = set()
    found = []
    for key in keys:
        number, name = 1, key
        while name in seen:
            number += 1
            name = f"{key}-{number}"
        seen.add(name)
        found.append(name)
    return found
