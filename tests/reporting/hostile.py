"""Names as nobody should give them, for all that writes names: markup of every kind, orders, other scripts, length."""

from __future__ import annotations

CONTROLS = "\x1b[2J\x07\x9b\u202e\u2066\u2028\ufeff\ufffe\udce9"
"""Orders to a terminal, turned and hidden text, what XML may not hold, a byte of a name that is not UTF-8."""

NAMES = (
    "<script>alert(1)</script>",
    "\\input{/etc/passwd}",
    "100% _a_ #b $c^2$ ~d {e} & --- ``x'' ?` <<y>> | \"q\" [*]",
    "x" * 200,
    "مرحبا بالعالم",
    "emoji 🦜😀\n\\par" + CONTROLS,
    "λ = σ × 2 ± 1 ⌊k/2⌋ − é ß ł",
    "\\end{document}\\write18{touch pwned}",
)
