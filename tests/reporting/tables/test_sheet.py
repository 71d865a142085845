"""Sheets hold together; places are those that a reader would give by eye."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from converse.plain_text import slug, unique
from converse.reporting.tables.decided import notes
from converse.reporting.tables.sheet import (
    BLIND,
    CHANCE,
    EMPTY,
    INPUT,
    LIMIT,
    Cell,
    Head,
    Infinite,
    Kind,
    Row,
    Sheet,
    parts,
    tally,
)
from tests.reporting.tables.marked import places


def sheet(
    *rows: Row, heads: tuple[Head, ...] = (Head("psnr", "PSNR", better="higher"),), kind: Kind = "paper"
) -> Sheet:
    return Sheet("key", kind, "Title", "Caption.", "released", "Network", heads, rows)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([30.1, 30.3, 30.2], {1: 1, 2: 2}, id="order"),
        pytest.param([30.301, 30.304, 30.2], {0: 1, 1: 1}, id="equal-as-shown-share-the-first-place"),
        pytest.param([30.3, 30.1, 30.1], {0: 1, 1: 2, 2: 2}, id="two-seconds"),
        pytest.param([None, 30.1, None], {}, id="one-value-is-not-best-of-anything"),
    ],
)
def test_places(values: list[float | None], expected: dict[int, int]) -> None:
    assert places(sheet(*(Row(str(i), (Cell(measured=v),)) for i, v in enumerate(values))), 0) == expected


def test_places_within_groups_and_where_less_is_better() -> None:
    rows = [Row("a", (Cell(measured=v),), group) for v, group in [(1.0, "x"), (2.0, "x"), (9.0, "y"), (8.0, "y")]]
    assert places(sheet(*rows, heads=(Head("ms", "Time", better="lower"),)), 0) == {0: 1, 1: 2, 2: 2, 3: 1}
    assert places(sheet(*rows, heads=(Head("n", "Count"),)), 0) == {}


def test_a_row_needs_a_cell_for_each_head() -> None:
    with pytest.raises(ValueError, match="key: row 'a' has 2 cells for 1 heads"):
        sheet(Row("a", (EMPTY, EMPTY)))


def test_tally_counts_verdicts_of_one_kind_without_parameters() -> None:
    heads = (Head("parameters", "Parameters"), Head("Set12", "Set12"))
    row = Row("a", (Cell(verdict="differs"), Cell(verdict="match")))
    assert tally([sheet(row, heads=heads), sheet(row, heads=heads, kind="effects")], "paper") == {"match": 1}


def test_keys_are_plain_and_unique() -> None:
    assert slug("Converse-DnCNN: 5×5", None, "Über_all") == "converse-dncnn-5-5-ber-all"
    assert slug("../../etc/passwd") == "etc-passwd"
    assert slug("☃") == "untitled"
    assert unique(["a", "b", "a", "a"]) == ["a", "b", "a-2", "a-3"]


def test_a_mean_over_a_part_of_the_images_has_no_place_and_is_said() -> None:
    """It may be of the easier images; a reader sees beside it, or in a note, that it is of some alone."""
    heads = tuple(Head(name, name.upper(), group="Set5", better="higher") for name in ("psnr", "ssim"))
    some, whole = Cell(measured=40.0, part="1 of 5 images"), Cell(measured=30.0)
    found = sheet(
        Row("a", (some, some)), Row("b", (whole, whole)), Row("c", (whole, EMPTY)), heads=heads, kind="values"
    )
    assert (places(found, 0), places(found, 1)) == ({1: 1, 2: 1}, {})
    assert parts(found) == ("Over a part of the test set, and so neither best nor second: Set5 (1 of 5 images).",)
    judged = replace(some, verdict="not measured")  # which says it in its cell
    assert parts(sheet(Row("a", (judged, whole)), heads=heads)) == ()


def test_what_best_and_second_are_chosen_without_is_said() -> None:
    """By hand. A row that is not held against the others, or of which nothing was asked, lacks nothing."""
    heads = tuple(Head(name, name, "Test set", better="higher") for name in ("Set12", "BSD68"))
    value, published = Cell(measured=30.0), Cell(published=31.0, verdict="not measured")
    lacking = Row("Conv", (published, published))
    found = sheet(Row("a", (value, value)), Row("b", (value, published)), lacking, heads=heads)
    assert notes(found) == ("Best and second are those of what was measured: without Conv (Set12).",)
    assert notes(replace(found, kind="effects")) == ()  # nothing is ranked
    assert notes(replace(found, rows=found.rows[::2])) == ()  # one value is not best of anything
    assert notes(replace(found, rows=(*found.rows[:2], Row("c", (EMPTY, EMPTY))))) == ()
    unranked = tuple(replace(lacking, marks=(mark,)) for mark in (INPUT, LIMIT, CHANCE, BLIND))
    assert notes(replace(found, rows=(*found.rows[:2], *unranked))) == ()
    failed = Row("failed", (Cell(reason="out of memory"), EMPTY))
    both = replace(found, rows=(*found.rows[:2], lacking, failed), notes=("Own.",))
    assert notes(both) == ("Own.", "Best and second are those of what was measured: without Conv and failed (Set12).")


def test_arrows_are_explained_where_there_are_some() -> None:
    plain = Cell(measured=30.0)
    assert notes(sheet(Row("a", (plain,)), Row("b", (plain,)))) == ()
    (said,) = notes(sheet(Row("a", (plain,)), Row("b", (replace(plain, against="larger"),))))
    assert said.startswith("↑ ↓: larger or smaller than the base entry's by more than chance explains")


def test_many_names_that_best_is_chosen_without_are_counted() -> None:
    values = [Row(name, (Cell(measured=30.0),), "Set5") for name in "ab"]
    failed = [Row(f"n{index}", (Cell(reason="failed"),), "Set5") for index in range(6)]
    said = "Best and second are those of what was measured: without n0, n1, n2, n3 and 2 more (Set5)."
    assert notes(sheet(*values, *failed)) == (said,)


def column_of(*cells: Cell) -> Sheet:
    return sheet(*(Row(str(index), (cell,)) for index, cell in enumerate(cells)))


def test_where_a_mean_leaves_out_infinite_values_nobody_is_best() -> None:
    finite = [Cell(measured=40.0), Cell(measured=30.0)]
    assert places(column_of(*finite), 0) == {0: 1, 1: 2}
    assert places(column_of(*finite, Cell(measured=20.0, infinite=Infinite(2, 3))), 0) == {}
    # What is infinite for every image is above all that is not.
    assert places(column_of(*finite, Cell(measured=math.inf, infinite=Infinite(3, 3))), 0) == {2: 1, 0: 2}
    judged = Cell(measured=math.inf, infinite=Infinite(3, 3), verdict="not measured")
    assert places(column_of(*finite, judged), 0) == {}


def test_networks_that_are_not_given_the_kernel_are_ranked_among_themselves() -> None:
    rows = [Row(str(v), (Cell(measured=v),), marks=(BLIND,) if v < 29 else ()) for v in (28.0, 27.0, 31.0, 32.0)]
    assert places(sheet(*rows), 0) == {0: 1, 1: 2, 3: 1, 2: 2}
