"""Reverse convolution with planted slowdowns, each of which ``converse speed`` has to see.

``converse speed --only size,converse,planted_slowdowns.py:Sleep --operator
benchmarks/speed/planted_slowdowns.py:Sleep`` shows one.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor

from converse import Converse2D

SHARE = 0.1
"""Of the time that the operator takes by itself."""


class Sleep(Converse2D):
    """Sleeps a millisecond after each call."""

    def forward(self, y: Tensor) -> Tensor:
        """Undo the convolution, and sleep."""
        output = super().forward(y)
        time.sleep(1e-3)
        return output


class Spin(Converse2D):
    """Computes nothing after each call, for a fifth of the processor time that the call took."""

    def forward(self, y: Tensor) -> Tensor:
        """Undo the convolution, and spin."""
        start = time.thread_time()
        output = super().forward(y)
        end = start + 1.2 * (time.thread_time() - start)
        while time.thread_time() < end:
            pass
        return output


class Hold(Converse2D):
    """Holds memory during each call.

    Args:
        arguments: as of the operator.
        size: bytes.
        options: as of the operator.
    """

    def __init__(self, *arguments: int, size: int, **options) -> None:
        super().__init__(*arguments, **options)
        self.size = size

    def forward(self, y: Tensor) -> Tensor:
        """Undo the convolution while memory is held."""
        held = torch.ones(self.size, dtype=torch.uint8)
        output = super().forward(y)
        del held
        return output


class Copy(Converse2D):
    """Copies the output again and again, as often as takes a tenth of the operator's own time."""

    def forward(self, y: Tensor) -> Tensor:
        """Undo the convolution, and copy."""
        output = super().forward(y)
        if not hasattr(self, "elements"):
            self.elements = self._a_tenth(y, output)
        copied = output.flatten()
        for start in range(0, self.elements, copied.numel()):
            copied[: min(self.elements - start, copied.numel())].clone()
        return output

    def _a_tenth(self, y: Tensor, output: Tensor) -> int:
        """How many numbers can be copied in a tenth of the operator's time; of several tries the shortest count."""
        flat = output.flatten()
        own = min(_seconds(lambda: super(Copy, self).forward(y)) for _ in range(30))
        copy = min(_seconds(flat.clone) for _ in range(30))
        return round(SHARE * own / copy * flat.numel())


def _seconds(call) -> float:
    with torch.inference_mode():
        start = time.perf_counter()
        call()
        return time.perf_counter() - start
