"""Networks below their input. Oracle: values written down here."""

from __future__ import annotations

from converse.reporting.inputs.evidence import Evidence
from converse.reporting.tables.below import below
from converse.reporting.tables.decided import decided
from converse.reporting.tables.sheet import INPUT, Cell, Head, Row, Sheet

HEAD = Head("kernel_1", "kernel 1", unit="dB", better="higher")


def cell(*lines: tuple[float | None, ...], signature: str = "s") -> Cell:
    known = [value for line in lines for value in line if value is not None]
    names = ("a.png", "b.png", "c.png")[: len(lines[0])]
    found = Evidence(("t",), (), "psnr", signature, "BSD100 kernel 1", names, lines)
    return Cell(measured=sum(known) / len(known), evidence=found)


def sheet(*rows: Row) -> Sheet:
    given = Row("Blurred input", (cell((31.41, 20.0, 25.0)),), "BSD100", (INPUT,))
    return Sheet("k", "paper", "T", "C.", "released", "Network", (HEAD,), (given, *rows))


def test_images_below_the_input_are_named_with_both_values() -> None:
    whole = sheet(
        Row("ConverseNet", (cell((30.36, 26.0, 25.0)),), "BSD100"), Row("no evidence", (Cell(20.0),), "BSD100")
    )
    assert below(whole) == (
        "ConverseNet is below its own input on 1 of 3 images, BSD100, kernel 1: a.png (30.36 for 31.41 dB).",
    )
    assert [line[0].place for line in decided(whole)] == [None, 1, 2]  # the input is no rival


def test_seeds_are_averaged_and_what_cannot_be_compared_is_left_out() -> None:
    above = Row("two seeds", (cell((31.0, 30.0), (32.0, 30.0)),), "BSD100")
    lacking = Row("a gap", (cell((1.0, 30.0), (None, 30.0)),), "BSD100")
    other = Row("another metric", (cell((1.0,), signature="q"),), "BSD100")
    elsewhere = Row("another set", (cell((1.0,)),), "Urban100")
    assert below(sheet(above, lacking, other, elsewhere, Row("not measured", (Cell(),), "BSD100"))) == ()
