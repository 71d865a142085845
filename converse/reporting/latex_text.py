"""Any text as LaTeX that prints it and does nothing else."""

from __future__ import annotations

import re
import unicodedata
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
    # Ligatures would make other letters of these.
    "-": "-{}",
    ",": ",{}",
    # A bracket after a line's end would be its option, an asterisk its star.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}

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

_LATIN: Final = frozenset(
    chr(code) for code in range(0xC0, 0x180) if chr(code).isalpha() and chr(code) not in "ĦħĸĿŀŊŋŦŧŉſ"
)
"""Letters beyond ASCII that T1 fonts and ``inputenc`` have."""

_RUN: Final = 10
"""Letters without a space after which a line may be broken."""


def latex(text: str) -> Latex:
    r"""Text as LaTeX, for a document with ``\usepackage[T1]{fontenc}`` and ``amssymb``.

    What the fonts of pdfLaTeX lack is written as its number, ``U+1F600``; what directs or controls, too. Line breaks
    are spaces. Long words may be broken anywhere, after some letters.

    Args:
        text: any.

    Returns:
        LaTeX in which nothing of the text is a command. Text that is :class:`Latex` already stays as it is.
    """
    if isinstance(text, Latex):
        return text
    pieces: list[str] = []
    run = 0
    for letter in unicodedata.normalize("NFC", text):
        if letter.isspace() and letter not in _TEXT:
            pieces.append(" ")
            run = 0
            continue
        written = _letter(letter)
        width = len(written) if written.startswith("U+") else 1
        run += width
        if run > _RUN:
            pieces.append(r"\allowbreak{}")
            run = width
        pieces.append(written)
    return Latex(re.sub(" +", " ", "".join(pieces)))


def _letter(letter: str) -> str:
    if letter in _SPECIAL:
        return _SPECIAL[letter]
    if letter in _TEXT:
        return _TEXT[letter]
    if letter in _GREEK:
        return rf"\ensuremath{{\{_GREEK[letter]}}}"
    if letter in _MATHS:
        return rf"\ensuremath{{{_MATHS[letter]}}}"
    if " " < letter < "\x7f" or letter in _LATIN:
        return letter
    return f"U+{ord(letter):04X}"
