"""An operator that is held to the contract: how it is built, what it is given, and how it is called."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from converse.nn.operators import OperatorClass

KERNEL_SIZE: Final = 5
"""k, unless an option says another."""

CHANNELS: Final = 8

SCALES: Final = (1, 2, 3, 4)
"""Tried of an operator that does not say which it has: those of the networks, and between them."""


class Defect(Exception):
    """A check failed; the text is what was seen."""


class NotTried(Exception):
    """A check could not be made; the text says why."""


@dataclass(frozen=True)
class Subject:
    """An operator under its checks.

    Attributes:
        build: its class.
        options: arguments beside channels, kernel size and scale.
        channels: C.
        kernel_size: k.
        scales: factors s that it claims to have; ``None`` to find out which those are.
        printed: what its file wrote to standard output when it was imported.
    """

    build: OperatorClass
    options: Mapping[str, Any] = field(default_factory=dict)
    channels: int = CHANNELS
    kernel_size: int = KERNEL_SIZE
    scales: tuple[int, ...] | None = None
    printed: str = ""

    @property
    def scale(self) -> int:
        """The factor s of most checks: 1 where it claims that, or nothing."""
        return 1 if self.scales is None or 1 in self.scales else self.scales[0]

    @property
    def side(self) -> int:
        """H and W of an ordinary input: even, and large enough for every way to continue it by k - 1 samples."""
        return max(12, 2 * self.kernel_size)

    def make(self, *, seed: int = 0, **changed: Any) -> nn.Module:
        """Build one.

        Args:
            seed: of torch's, NumPy's and Python's random numbers while it is built.
            changed: arguments in place of :attr:`scale`, circular padding and the options.

        Returns:
            The operator, in training mode.

        Raises:
            Defect: what the class gives is no module.
        """
        with seeded(seed):
            return self.built(**changed)

    def built(self, **changed: Any) -> nn.Module:
        """As :meth:`make`, with random numbers as they come."""
        given = {"scale": self.scale, "padding_mode": "circular", **self.options, **changed}
        made: object = self.build(self.channels, self.kernel_size, **given)
        if not isinstance(made, nn.Module):
            raise Defect(f"the class gives {_a(type(made).__name__)}, which is no torch.nn.Module")
        return made

    def input(self, height: int | None = None, width: int | None = None, *, samples: int = 2, seed: int = 1) -> Tensor:
        """Normally distributed numbers [N, C, H, W], the same for every call; H and W are :attr:`side` by default."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(samples, self.channels, height or self.side, width or self.side, generator=generator)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw from torch, NumPy and Python's ``random`` as from a fresh start; their states are put back afterwards."""
    numpy, python = np.random.get_state(), random.getstate()  # noqa: NPY002 (what an operator may use)
    with torch.random.fork_rng(devices=_started_devices()):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy)  # noqa: NPY002
            random.setstate(python)


def called(module: nn.Module, x: Tensor) -> Tensor:
    """What an operator makes of a copy of ``x``, random numbers drawn from one seed.

    Raises:
        Defect: that is no tensor.
    """
    with seeded(0):
        out: object = module(x.clone())
    if not isinstance(out, Tensor):
        raise Defect(f"gives {_a(type(out).__name__)}, expected a tensor")
    return out


def evaluated(module: nn.Module, x: Tensor) -> Tensor:
    """As :func:`called`, in evaluation and without gradients."""
    module.eval()
    with torch.no_grad():
        return called(module, x)


@dataclass(frozen=True)
class Pulled:
    """An output in training, and the gradients of a random weighting of it.

    Attributes:
        output: [N, C, s·H, s·W], with its graph if it has one.
        input: gradient of the input; ``None`` where none arrives.
        parameters: gradient of each parameter that asks for one, by its name.
    """

    output: Tensor
    input: Tensor | None
    parameters: Mapping[str, Tensor | None]


def pulled(module: nn.Module, x: Tensor) -> Pulled:
    """One pass forward and backward in training mode."""
    module.train()
    leaf = x.clone().requires_grad_()
    names = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    out = called(module, leaf)
    if not out.requires_grad:
        return Pulled(out, None, dict.fromkeys(names))
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(2)).to(out)
    first, *others = torch.autograd.grad(out, [leaf, *names.values()], weights, allow_unused=True)
    return Pulled(out, first, dict(zip(names, others, strict=True)))


def perturb(module: nn.Module, seed: int = 3) -> None:
    """Change all parameters a little in place, as a step of an optimiser does; equal modules stay equal."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point() or parameter.is_complex():
                noise = torch.randn(parameter.shape, generator=generator).to(parameter.device)
                size = float(parameter.abs().mean()) if parameter.numel() else 0.0
                parameter.add_((0.1 * size + 0.01) * noise)


def shape(tensor: Tensor) -> str:
    """``[2, 8, 12, 12]``."""
    return str(list(tensor.shape))


def _a(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _started_devices() -> list[int]:
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
