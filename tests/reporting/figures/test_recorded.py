"""Oracle: matplotlib, which draws the same straight into each format."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from PIL import Image

from converse.reporting.figures.recorded import recorded
from converse.reporting.figures.style import styled

_PIXELS = 160
"""To the inch."""


@contextlib.contextmanager
def laid_out() -> Iterator[None]:
    """The style of figures, without its engine of layout."""
    with styled(), matplotlib.rc_context({"figure.constrained_layout.use": False}):
        yield


def drawing(*, picture: bool = False) -> Drawing:
    """All that figures are made from: lines, markers, bands, intervals, clips, texts that are turned or folded."""
    made = Drawing(figsize=(4, 3))
    axes = made.add_subplot()
    x = np.linspace(0, 1, 20)
    axes.plot(x, 2 * x**2, "o-", color="#0072b2")
    axes.fill_between(x, x, x + 0.2, alpha=0.3, linewidth=0)
    axes.errorbar(x[::5], x[::5], yerr=0.1, capsize=2)
    axes.axvspan(0.2, 0.3, alpha=0.2)
    axes.set_ylim(0, 1)  # what is above is cut off
    axes.annotate("there", (0.5, 0.5), (20, 20), textcoords="offset points", arrowprops={"arrowstyle": "-"})
    axes.text(0.1, 0.8, "two\nlines", rotation=30, ha="right")
    axes.set_ylabel("upwards")
    axes.legend(["a line"], loc="upper left")
    if picture:
        axes.imshow(np.random.default_rng(0).random((8, 8)), extent=(0.6, 0.9, 0.1, 0.4), zorder=5)
    return made


def saved(made: Drawing, kind: str) -> bytes:
    buffer = io.BytesIO()
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[kind]
    made.savefig(buffer, format=kind, dpi=_PIXELS, facecolor="white", metadata=date)
    return buffer.getvalue()


@pytest.mark.parametrize("picture", [False, True])
def test_a_recording_is_written_as_the_drawing_is(picture: bool) -> None:
    with laid_out():
        straight = saved(drawing(picture=picture), "svg")
        shown, pictures = recorded(drawing(picture=picture))
        assert saved(shown, "svg").split() == straight.split()
        assert saved(shown, "svg").split() == straight.split()  # as often as one likes
        assert pictures == picture


def test_a_recording_is_scaled_to_the_pixels_of_a_format() -> None:
    """Letters may be set by up to a pixel apart, since those of the recording are measured in points."""
    with laid_out():
        straight = Image.open(io.BytesIO(saved(drawing(), "png"))).convert("L")
        mine = Image.open(io.BytesIO(saved(recorded(drawing())[0], "png"))).convert("L")
    assert mine.size == straight.size == (4 * _PIXELS, 3 * _PIXELS)
    difference = np.abs(np.asarray(mine, float) - np.asarray(straight, float))
    assert difference.mean() < 3
    assert np.asarray(mine)[0, 0] == 255


def test_the_drawing_can_still_be_written_itself() -> None:
    with laid_out():
        made = drawing(picture=True)
        recorded(made)
        assert saved(made, "png") == saved(drawing(picture=True), "png")
