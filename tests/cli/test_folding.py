"""Oracle: the cells that were given; hypothesis tries to lose a word or to pass the margin."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from converse.cli.folding import Line, table_lines

WORD = st.text(st.sampled_from("abcdefgh-_/0123λ東"), min_size=1, max_size=40)
CELL = st.lists(WORD, max_size=8).map(" ".join)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), max_size=4)),
    st.integers(30, 200),
)
def test_nothing_is_lost_and_nothing_passes_the_margin(rows: list[list[str]], width: int) -> None:
    heads = [f"column{at}" for at in range(len(rows[0]) if rows else 1)]
    lines = texts(list(table_lines(heads, rows, width)))
    assert all(cell_len(line) <= width for line in lines)
    for letter in "λ東0123":
        told = sum(line.count(letter) for line in lines)
        given_ = sum(name.count(letter) for name in heads)
        given_ += sum(cell.count(letter) for row in rows for cell in row)
        assert told <= given_ * max(len(rows), 1)
        assert (told > 0) >= any(letter in cell for row in rows for cell in row)


def test_every_column_folds_between_words() -> None:
    rows = [["one two three four", "x", "five six seven eight nine ten"], ["a", "y", "b"]]
    assert texts(list(table_lines(("first", "n", "last"), rows, 30))) == [
        "first          n  last",
        "one two three  x  five six",
        "four              seven eight",
        "                  nine ten",
        "a              y  b",
    ]


def test_numbers_are_not_broken() -> None:
    rows = [["forward+backward", "-1.66 to 1.50", "2026-11-29 17:01"], ["evaluation", "-0.37 to 0.38", "-0.07"]]
    words = {word for line in texts(list(table_lines(("pass", "interval", "last"), rows, 32))) for word in line.split()}
    assert {"-1.66", "1.50", "-0.37", "0.38", "-0.07", "2026-11-29", "17:01"} <= words


def test_what_is_short_stays_whole() -> None:
    rows = [["Converse-DnCNN", "0.1 s", "loss became NaN at step 120"]]
    assert texts(list(table_lines(("entry", "time", "reason"), rows, 40)))[1:] == [
        "Converse-DnCNN  0.1 s  loss became NaN",
        "                       at step 120",
    ]


def test_what_all_rows_share_is_said_once_where_room_is_short() -> None:
    rows = [[f"a43aea2a0726710{at}", "denoising", "", "quick", f"entry{at}"] for at in range(3)]
    assert texts(list(table_lines(("trial", "task", "none", "budget", "entry"), rows, 40))) == [
        "in all rows: task: denoising; budget:",
        "quick",
        "trial             entry",
        "a43aea2a07267100  entry0",
        "a43aea2a07267101  entry1",
        "a43aea2a07267102  entry2",
    ]


def test_where_no_table_fits_rows_are_lists() -> None:
    rows = [["a43aea2a07267106", "a path/of/many/parts", ""], ["b43aea2a07267106", "c", "d"]]
    assert texts(list(table_lines(("trial", "file", "reason"), rows, 24))) == [
        "trial   a43aea2a07267106",
        "file    a path/of/many/",
        "        parts",
        "",
        "trial   b43aea2a07267106",
        "file    c",
        "reason  d",
    ]


def test_rows_that_need_no_folding_stand_as_those_that_do() -> None:
    """A row with an accent, a sign or two lines goes through the folding of words: columns stay where they were."""
    plain = [["a", "12 s", ""], ["bcd", "3 s", "x y"]]
    for strange in ("é", "東", "two\nlines", "abcdefgh"):
        lines = texts(list(table_lines(("n", "time", "why"), [*plain, [strange, "1 s", "z"]], None)))
        at = {line.index(word) for line, word in zip(lines, ("time", "12 s", "3 s"), strict=False)}
        assert at == {max(cell_len(part) for part in ("bcd", *strange.split("\n"))) + 2}
