"""Checks that need a compiler or a GPU; they are made when they are asked for."""

from __future__ import annotations

from typing import Final, cast

import torch
from torch import nn

from converse.nn.contract.numbers import on
from converse.nn.contract.observations import ROUND_OFF, by, close
from converse.nn.contract.subject import Defect, NotTried, Subject, evaluated, pulled

ON_A_GPU: Final = 1e-3
"""Of the largest value: a GPU beside the CPU, both in float32, other sums and other transforms."""


def compiles(subject: Subject) -> str:
    """A step of training and an evaluation through ``torch.compile``."""
    x = subject.input()
    module = subject.make()
    expected, still = pulled(module, x), evaluated(module, x)
    compiled = cast(nn.Module, torch.compile(module, dynamic=False))
    trained = pulled(compiled, x)
    pairs = {
        "training": (trained.output.detach(), expected.output.detach()),
        "evaluation": (evaluated(compiled, x), still),
    }
    if trained.input is not None and expected.input is not None:
        pairs["the gradient of the input"] = (trained.input, expected.input)
    for name, (one, other) in pairs.items():
        if not close(one, other, 10 * ROUND_OFF):
            raise Defect(f"compiled, {name} gives another result{by(one, other)}")
    return "compiled, it trains and evaluates as it does otherwise"


def cuda(subject: Subject) -> str:
    """The GPU beside the CPU: evaluation, and a step of training with and without autocast."""
    if not torch.cuda.is_available():
        raise NotTried("there is no CUDA device here")
    x = subject.input()
    expected = pulled(subject.make(), x)
    moved = subject.make().to("cuda")
    seen = pulled(moved, x.to("cuda"))
    if seen.output.device.type != "cuda":
        raise Defect(f"an input on the GPU gives an output on {seen.output.device.type}")
    pairs = {
        "an evaluation": (on(subject.make(), x, "cuda"), evaluated(subject.make(), x)),
        "a step of training": (seen.output.detach().cpu(), expected.output.detach()),
    }
    if seen.input is not None and expected.input is not None:
        pairs["the gradient of the input"] = (seen.input.cpu(), expected.input)
    for name, (one, other) in pairs.items():
        if not close(one, other, ON_A_GPU):
            raise Defect(f"{name} differs from that on the CPU{by(one, other)}")
    with torch.autocast("cuda", torch.bfloat16):
        cast = pulled(moved, x.to("cuda"))
    if not cast.output.isfinite().all():
        raise Defect("under autocast to bfloat16 it gives values that are not finite")
    return f"as on the CPU ({torch.cuda.get_device_name()})"
