"""Blur kernels in the heads of tables. Oracle: the kernels themselves, read by NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converse.data.resources import Absent, Resources
from converse.reporting.tables.thumbnails import kernel_pictures


def test_a_kernel_is_its_picture_in_steps_of_a_grey(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = np.array([[0.0, 0.1], [0.2, 0.4]])
    monkeypatch.setattr(Resources, "_kernels", lambda self: {"kernel_1": kernel})
    assert kernel_pictures(Resources(None, fetch=False)) == {"kernel_1": ((0, 64 / 255), (128 / 255, 1))}


def test_without_kernels_there_are_no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "_kernels", lambda self: Absent("not at hand", "blur_kernels"))
    assert kernel_pictures(Resources(None, fetch=False)) == {}


def test_the_kernels_of_the_paper(shared: Path) -> None:
    found = kernel_pictures(Resources(shared, fetch=False))
    assert list(found) == [f"kernel_{number}" for number in range(1, 6)]
    for name, picture in found.items():
        kernel: Any = np.load(shared / "kernels" / f"{name}.npy")
        np.testing.assert_allclose(np.array(picture), kernel / kernel.max(), atol=0.5 / 255 + 1e-12)
