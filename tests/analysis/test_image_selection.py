"""Oracle: a difference that was planted, and a window found by trying all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from converse.analysis.image_selection import choose_images, choose_window, rivals


def rows(values: dict[str, list[float]]) -> pd.DataFrame:
    lines = [
        {"entry": entry, "seed": 0, "image": f"{i}.png", "image_sha256": f"sha-{i}", "value": value}
        for entry, found in values.items()
        for i, value in enumerate(found)
    ]
    return pd.DataFrame(lines)


def test_images_of_the_largest_and_the_median_difference() -> None:
    frame = rows({"Converse": [30, 30, 30, 30], "Conv": [29.9, 27, 30.1, 29.7]})
    found = {
        one.why: (one.image, one.sha256, round(one.difference, 6)) for one in choose_images(frame, "Converse", "Conv")
    }
    # Differences −0.1, −3, 0.1, −0.3: in order −3, −0.3, −0.1, 0.1, of which −0.3 is the lower one in the middle.
    assert found == {"largest": ("1.png", "sha-1", -3.0), "median": ("3.png", "sha-3", -0.3)}


def test_one_image_is_shown_once() -> None:
    assert [one.why for one in choose_images(rows({"a": [1.0], "b": [2.0]}), "a", "b")] == ["largest"]


def test_rivals_are_the_best_network_of_each_kind() -> None:
    frame = rows({"DnCNN": [30], "Conv-DnCNN": [31], "Converse-DnCNN": [29], "Converse: zero": [28]})
    assert rivals(frame) == ("Converse-DnCNN", "Conv-DnCNN")
    assert rivals(frame, "Converse: zero") == ("Converse: zero", "Conv-DnCNN")
    assert rivals(rows({"Converse": [1.0]})) is None
    assert rivals(rows({"Converse": [1.0], "DnCNN": [2.0]}), "absent") is None


def test_a_planted_error_is_found() -> None:
    truth = np.full((60, 80, 3), 100, np.uint8)
    other = truth.copy()
    other[20:30, 40:50] = 130
    top, left = choose_window(truth, truth, other, 10)
    assert (top, left) == (20, 40)


@pytest.mark.parametrize(("multiple", "border"), [(1, 0), (4, 0), (1, 5), (4, 4)])
def test_the_window_is_the_best_of_all(multiple: int, border: int) -> None:
    draw = np.random.default_rng(3)
    truth, first, second = (draw.integers(0, 256, (37, 41, 1), dtype=np.uint8) for _ in range(3))
    side = 8
    exact = [image.astype(float) for image in (truth, first, second)]
    difference = ((exact[1] - exact[0]) ** 2 - (exact[2] - exact[0]) ** 2)[..., 0]
    tried = {
        (top, left): abs(difference[top : top + side, left : left + side].sum())
        for top in range(border, 37 - side + 1 - border)
        for left in range(border, 41 - side + 1 - border)
        if top % multiple == left % multiple == 0
    }
    assert choose_window(truth, first, second, side, multiple=multiple, border=border) == max(
        tried, key=tried.__getitem__
    )


def test_a_border_that_leaves_no_room_is_ignored() -> None:
    image = np.zeros((10, 10, 1), np.uint8)
    assert choose_window(image, image, image, 10, border=4) == (0, 0)


def test_images_of_different_shapes_are_refused() -> None:
    image = np.zeros((10, 10, 1), np.uint8)
    with pytest.raises(ValueError, match="three images of one shape"):
        choose_window(image, image[:5], image, 4)
    with pytest.raises(ValueError, match="at least 11"):
        choose_window(image, image, image, 11)
