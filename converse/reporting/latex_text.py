"""Any text as LaTeX that prints it and does nothing else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final


class Latex(str):
    """Text that is LaTeX already and is not escaped again."""

    __slots__ = ()


_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
}

_LIGATURES: Final = frozenset("-,")
"""Two of these one after another would become another letter."""

_AFTER_A_LINE: Final = frozenset("[*")
"""After a line's end the first of a text would be its option, or its star."""

_APOSTROPHE: Final = re.compile(r"(?<=[^\W\d_])'(?=[^\W\d_])")
"""One between two letters, which is written as everybody does."""

_NEGATIVE: Final = re.compile(r"−(\d+(?:[.,]\d+)*(?:\u202f\d{3})*(?:\.\d+)?)")

_GREEK: Final = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma",
    "ς": "varsigma", "τ": "tau", "υ": "upsilon", "φ": "varphi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma",
    "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Υ": "Upsilon", "Φ": "Phi",
    "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip

_MATHS: Final = {
    "×": r"\times", "±": r"\pm", "−": "-", "≤": r"\le", "≥": r"\ge", "≈": r"\approx", "∞": r"\infty", "→": r"\to",
    "←": r"\leftarrow", "↗": r"\nearrow", "·": r"\cdot", "√": r"\surd", "≠": r"\ne", "∈": r"\in", "∑": r"\sum",
    "⌊": r"\lfloor", "⌋": r"\rfloor", "⌈": r"\lceil", "⌉": r"\rceil", "‖": r"\|", "⟨": r"\langle", "⟩": r"\rangle",
    "⊙": r"\odot", "⇓": r"\Downarrow", "↑": r"\uparrow", "↓": r"\downarrow", "∂": r"\partial", "∇": r"\nabla",
    "✓": r"\checkmark", "✗": r"\times", "≪": r"\ll", "≫": r"\gg", "∝": r"\propto", "°": r"{}^\circ",
    "⁰": "{}^0", "¹": "{}^1", "²": "{}^2", "³": "{}^3", "⁴": "{}^4", "⁵": "{}^5", "⁶": "{}^6", "⁷": "{}^7",
    "⁸": "{}^8", "⁹": "{}^9", "⁻": "{}^-", "₀": "{}_0", "₁": "{}_1", "₂": "{}_2", "₃": "{}_3", "₄": "{}_4",
    "½": r"\frac12", "¬": r"\neg", "µ": r"\mu",
}  # fmt: skip

_TEXT: Final = {
    "–": r"\textendash{}", "—": r"\textemdash{}", "…": r"\ldots{}", "†": r"\textdagger{}", "‡": r"\textdaggerdbl{}",
    "‘": r"\textquoteleft{}", "’": r"\textquoteright{}", "“": r"\textquotedblleft{}", "”": r"\textquotedblright{}",
    "„": r"\quotedblbase{}", "«": r"\guillemotleft{}", "»": r"\guillemotright{}", "•": r"\textbullet{}",
    "€": r"\texteuro{}", "£": r"\textsterling{}", "§": r"\S{}", "©": r"\textcopyright{}", "®": r"\textregistered{}",
    "™": r"\texttrademark{}", "\u00a0": "~", "\u202f": r"\,", "\u2009": r"\,", "\u2011": "-{}",
}  # fmt: skip

_RAISED: Final = {"<super>": "^", "<sub>": "_"}
"""How Unicode calls a letter that is raised or lowered."""

_FORMULAS: Final = {
    "K*/(|K|² + λ)": r"$\overline{K}/(|K|^2 + \lambda)$",
    "t ∝ Nᵃ": r"$t \propto N^a$",
    "N log N": r"$N \log N$",
}
"""Formulas that our own texts have, as text and as TeX sets them."""

_FORMULA: Final = re.compile("(" + "|".join(map(re.escape, _FORMULAS)) + ")")

_LATIN: Final = frozenset(
    chr(code) for code in range(0xC0, 0x180) if chr(code).isalpha() and chr(code) not in "ĦħĸĿŀŊŋŦŧŉſ"
)
"""Letters beyond ASCII that T1 fonts and ``inputenc`` have."""

_WORD: Final = 24
"""A word of more letters may be broken; shorter ones, which names are, are left whole."""

_NAME: Final = 18
"""Of a longer word, a part of no more letters is left whole, too."""

_RUN: Final = 10
"""Letters of a longer part after which a line may be broken."""

_BEHIND: Final = frozenset("/_.,=:−")
"""Behind these a long word may be broken: a path, or names that follow one another."""


@dataclass(frozen=True)
class _Written:
    """What is written for a letter, or for several together.

    Attributes:
        written: LaTeX.
        width: how many letters wide.
        separates: whether a line may be broken behind it, if the word is long.
        number: whether it stands for a letter that the fonts lack.
    """

    written: str
    width: int = 1
    separates: bool = False
    number: bool = False


def latex(text: str) -> Latex:
    r"""Text as LaTeX, for a document with ``\usepackage[T1]{fontenc}`` and ``amssymb``, as one would write it by hand.

    What the fonts of pdfLaTeX lack is written as its number, ``U+1F600``; what directs or controls, too. Line breaks
    are spaces. Words of many letters, such as paths, may be broken after some of them; names never are.

    Args:
        text: any.

    Returns:
        LaTeX in which nothing of the text is a command. Text that is :class:`Latex` already stays as it is.
    """
    if isinstance(text, Latex):
        return text
    parts = _FORMULA.split(unicodedata.normalize("NFC", text))
    return Latex("".join(_FORMULAS.get(part) or _prose(part, first=not at) for at, part in enumerate(parts)))


def _prose(text: str, *, first: bool) -> str:
    words = "".join(" " if letter.isspace() and letter not in _TEXT else letter for letter in text)
    split = re.split(" +", words)
    return " ".join(_word(word, first=first and not any(split[:place])) for place, word in enumerate(split))


def _word(word: str, *, first: bool) -> str:
    """A word without spaces between its letters; the first of its text, or a later one."""
    letters = list(_letters(word, first=first))
    if sum(one.width for one in letters) <= _WORD and not any(one.number for one in letters):
        return "".join(one.written for one in letters)
    return r"\allowbreak{}".join("".join(piece) for segment in _segments(letters) for piece in _pieces(segment))


def _segments(letters: Iterable[_Written]) -> Iterator[list[_Written]]:
    """A long word in parts, each of which ends with what separates."""
    segment: list[_Written] = []
    for one in letters:
        if segment and segment[-1].separates and (one.number or not one.separates):
            yield segment
            segment = []
        segment.append(one)
    yield segment


def _pieces(segment: list[_Written]) -> Iterator[list[str]]:
    """One part: whole where it is no longer than a name, or several with hyphens; otherwise in pieces."""
    if all(sum(one.width for one in part) <= _NAME for part in _hyphenated(segment)):
        yield [one.written for one in segment]
        return
    piece: list[str] = []
    width = 0
    for one in segment:
        if piece and width + one.width > _RUN:
            yield piece
            piece, width = [], 0
        piece.append(one.written)
        width += one.width
    yield piece


def _hyphenated(segment: Iterable[_Written]) -> Iterator[list[_Written]]:
    """What stands between hyphens, behind which TeX breaks a line by itself."""
    part: list[_Written] = []
    for one in segment:
        part.append(one)
        if one.written == "-":
            yield part
            part = []
    yield part


def _letters(word: str, *, first: bool) -> Iterator[_Written]:
    at = 0
    while at < len(word):
        letter = word[at]
        if number := _NEGATIVE.match(word, at):
            digits = number[1].replace("\u202f", _TEXT["\u202f"])
            yield _Written(f"$-{digits}$", len(number[0]))
            at = number.end()
            continue
        if letter in _LIGATURES and word[at + 1 : at + 2] == letter:
            yield _Written(f"{letter}{{}}")
        elif letter in _AFTER_A_LINE and first and at == 0:
            yield _Written(f"{{{letter}}}")
        elif _APOSTROPHE.match(word, at):
            yield _Written(letter)
        else:
            written = _letter(letter)
            number_of_it = written.startswith("U+")
            yield _Written(
                written, len(written) if number_of_it else 1, letter in _BEHIND or number_of_it, number_of_it
            )
        at += 1


def _letter(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter in _TEXT:
        return _TEXT[letter]
    if letter in _GREEK:
        return rf"$\{_GREEK[letter]}$"
    if letter in _MATHS:
        return f"${_MATHS[letter]}$"
    if " " < letter < "\x7f" or letter in _LATIN:
        return letter
    if raised := _RAISED.get(unicodedata.decomposition(letter).partition(" ")[0]):
        base = unicodedata.normalize("NFKC", letter)
        if len(base) == 1 and base.isascii() and base.isalnum():
            return f"${{}}{raised}{base}$"
    return f"U+{ord(letter):04X}"
