"""Oracles: a list of what was drawn, which the functions that draw keep on the disk, and the files that are kept."""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from converse.reporting.figure import Figure
from converse.reporting.figures import drawing
from converse.reporting.figures.drawing import ToDraw, draw, fingerprint
from converse.reporting.report import Missing


@dataclass(frozen=True)
class Record:
    name: str
    values: tuple[float, ...]


def sketch(listing: Path, name: str, value: Any = None) -> Figure | Missing:
    """A figure without matplotlib; each drawing is a line of the listing, with its process."""
    with listing.open("a") as file:
        file.write(f"{name} {os.getpid()}\n")
    if isinstance(value, str):
        return Missing(f"{name}: nothing to draw")
    return Figure(name, "A title", "A caption.", str(value), f"<svg>{name}</svg>", b"\x00pdf")


def sketch_elsewhere(listing: Path, name: str, here: int) -> Figure | Missing:
    if os.getpid() != here:
        os._exit(1)
    return sketch(listing, name)


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    return tmp_path / "drawn.txt"


def lines(listing: Path) -> list[str]:
    return [line.split()[0] for line in listing.read_text().splitlines()] if listing.exists() else []


def wanted(listing: Path, **values: Any) -> list[ToDraw]:
    return [partial(sketch, listing, name, value=value) for name, value in values.items()]


def test_what_has_not_changed_is_not_drawn_again(listing: Path, tmp_path: Path) -> None:
    kept = tmp_path / "report" / "cache"
    first = draw(wanted(listing, a=1, b=np.arange(3), c="nothing"), kept=kept)
    assert lines(listing) == ["a", "b", "c"]
    assert draw(wanted(listing, a=1, b=np.arange(3), c="nothing"), kept=kept) == first
    assert lines(listing) == ["a", "b", "c", "c"]  # to look for nothing takes no time
    (kept / "mine.txt").write_text("not a drawing")
    changed = draw(wanted(listing, a=2, b=np.arange(3)), kept=kept)
    assert lines(listing) == ["a", "b", "c", "c", "a"]
    assert isinstance(changed[0], Figure)
    assert changed[0].alt == "2"
    # Drawings of figures that nobody wants any more go; what is no drawing stays.
    assert sorted(path.suffix for path in kept.iterdir()) == [".json", ".json", ".txt"]


def test_a_drawing_of_other_code_or_a_damaged_one_is_none(
    listing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "cache"
    draw(wanted(listing, a=1), kept=kept)
    for text in ("", "[]", '{"name": "a"}', '{"name": 1, "pdf": 2}'):
        (path,) = kept.iterdir()
        path.write_text(text)
        (found,) = draw(wanted(listing, a=1), kept=kept)
        assert isinstance(found, Figure)
        assert (found.svg, found.pdf) == ("<svg>a</svg>", b"\x00pdf")
    assert len(lines(listing)) == 5
    monkeypatch.setattr(drawing, "_drawn_by", lambda: "another version")
    draw(wanted(listing, a=1), kept=kept)
    assert len(lines(listing)) == 6


def test_several_processes_draw_the_same_in_the_same_order(listing: Path) -> None:
    names = "abcdefg"
    many = draw(wanted(listing, **dict.fromkeys(names)), processes=2)
    assert sorted(lines(listing)) == list(names)
    assert str(os.getpid()) not in listing.read_text()
    assert many == draw(wanted(listing, **dict.fromkeys(names)))


def test_a_process_that_dies_is_no_reason_to_have_no_figures(listing: Path) -> None:
    here = os.getpid()
    found = draw([partial(sketch_elsewhere, listing, name, here) for name in "abcdef"], processes=2)
    assert [one.name for one in found if isinstance(one, Figure)] == list("abcdef")
    assert lines(listing) == list("abcdef")


CONTENT: list[Any] = [
    *(None, "", "1", 1, 1.0, True, b"1", ["1"], [["1"]], ["1", "1"], {"1": 1}, {"1": "1"}),
    *(Record("a", (1.0,)), Record("a", (1.0, 1.0)), Record("b", (1.0,))),
    *(np.zeros(2), np.zeros((1, 2)), np.zeros(2, np.float32), np.array([0, 1.0])),
    *(pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}), pd.DataFrame({"a": [1.0, 2]})),
    *(pd.DataFrame({"a": [2, 1]}), pd.DataFrame({"a": [[1], [2]]}), pd.DataFrame({"a": [[1], [3]]})),
]


def test_a_drawing_is_known_by_the_content_of_what_it_shows(listing: Path) -> None:
    keys = [fingerprint(partial(sketch, listing, "a", value)) for value in CONTENT]
    assert len(set(keys)) == len(keys)
    assert keys == [fingerprint(partial(sketch, listing, "a", copy.deepcopy(value))) for value in CONTENT]
    with pytest.raises(TypeError, match="a drawing is given a object, whose content is not known"):
        fingerprint(partial(sketch, listing, "a", object()))
