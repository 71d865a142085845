"""How fast each operator is on this machine: medians of torch's own timer, which warms up and waits for the device."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from converse.experiments.computing import Computing
from converse.nn.operators import OPERATORS

SHAPE: Final = (1, 32, 128, 128)
KERNEL_SIZE: Final = 5
SECONDS: Final = 0.5
"""Least time for which a median is taken."""


@dataclass(frozen=True)
class Speed:
    """Times of one operator.

    Attributes:
        operator: its name.
        forward: median milliseconds of evaluation; what is computed once and kept is not in it.
        training: median milliseconds of forward and backward.
    """

    operator: str
    forward: float
    training: float


def operator_speeds(
    here: Computing, shape: tuple[int, int, int, int] = SHAPE, seconds: float | None = None
) -> list[Speed]:
    """Time every registered operator.

    Args:
        here: device and threads.
        shape: of the input, [N, C, H, W].
        seconds: least time per median; :data:`SECONDS` by default.

    Returns:
        One line per operator.
    """
    return [_speed(name, here, shape, SECONDS if seconds is None else seconds) for name in OPERATORS]


def _speed(name: str, here: Computing, shape: tuple[int, int, int, int], seconds: float) -> Speed:
    operator = OPERATORS[name](shape[1], KERNEL_SIZE).to(here.device)
    y = torch.rand(shape, device=here.device)

    def train() -> None:
        output: Tensor = operator.train()(leaf)
        output.backward(ones)  # type: ignore[no-untyped-call]

    def evaluate() -> None:
        with torch.inference_mode():
            operator.eval()(y)

    leaf, ones = y.clone().requires_grad_(), torch.ones_like(y)
    return Speed(name, _median(evaluate, here, seconds), _median(train, here, seconds))


def _median(work: Callable[[], None], here: Computing, seconds: float) -> float:
    # Importing it looks for a compiler of CUDA, and complains where there is none.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from torch.utils.benchmark import Timer

    work()  # the first call is slower, and may compute what is kept
    timer = Timer("work()", globals={"work": work}, num_threads=here.threads)
    return float(timer.blocked_autorange(min_run_time=seconds).median * 1e3)
