"""What is timed: one call of an operator, of a network, or of the bare transforms, on tensors that are made once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn

from converse.experiments.speed.cases import HALF_SPECTRUM, LIMIT, LITERAL, YARDSTICK, Case, Subject
from converse.experiments.speed.yardstick import Yardstick
from converse.experiments.suites.user_operators import build_network, operator_builder
from converse.nn.complexity import complexity
from converse.nn.functional import pad
from converse.nn.literal import LiteralConverse2D, make_literal
from converse.nn.models import parameter_count

_BLUR_SIZE: Final = 7


@dataclass(frozen=True)
class Work:
    """One subject, ready to be called.

    Attributes:
        call: does it once. Nothing waits for the device.
        parameters: learnt numbers.
        count: multiply-adds of one call in evaluation; counting carries the evaluation out twice.
    """

    call: Callable[[], object]
    parameters: int
    count: Callable[[], float]


class TransformPair(nn.Module):
    """The limit: one ``rfft2`` of the padded input and s² ``irfft2``, as many as the closed form needs.

    Without gradients they are made as quickly as we know: channels in groups that stay in a core's cache, each by one
    thread, as the operator has them.
    """

    def __init__(self, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, y: Tensor) -> Tensor:
        """``y`` [N, C, H, W], padded already → [s², N, C, H, W], without the first axis for s = 1."""
        if torch.is_grad_enabled():
            return self._pair(y)
        # Where it is asked for: another version of the package, whose networks are timed, may not have it.
        from converse.nn.channel_groups import shares
        from converse.nn.worker_threads import each

        out = y.new_empty(*([self.scale**2] if self.scale > 1 else []), *y.shape)

        def write(part: slice) -> None:
            out[..., part, :, :] = self._pair(y[:, part])

        each(write, shares(y, y, (y.shape[-2], y.shape[-1])), y)
        return out

    def _pair(self, y: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(y)
        if self.scale > 1:
            spectrum = spectrum.expand(self.scale**2, *spectrum.shape)
        inverse: Tensor = torch.fft.irfft2(spectrum, s=y.shape[-2:])
        return inverse


def prepare(subject: Subject, case: Case, device: str = "cpu") -> Work:
    """Build a subject and the tensors that it is called with.

    Args:
        subject: what to build; its parameters are drawn from seed 0.
        case: on what it works.
        device: where.

    Returns:
        The call.

    Raises:
        OptionError: an unknown operator, model or option.
    """
    torch.manual_seed(0)
    module = _module(subject, case).to(device)
    inputs = _inputs(subject, case, module, device)
    parameters = parameter_count(module)
    size = (case.scale * case.height, case.scale * case.width)
    if subject.kind == "limit":
        size = (int(inputs[0].shape[-2]), int(inputs[0].shape[-1]))

    def count() -> float:
        counted = complexity(
            module, channels=case.channels, scale=1 if subject.kind == "limit" else case.scale, size=size
        )
        return case.batch * (counted.convolutions + counted.transforms)

    compiled = torch.compile(module, dynamic=False) if case.compiled else module
    return Work(_call(compiled, module, inputs, case), parameters, count)


def _module(subject: Subject, case: Case) -> nn.Module:
    if subject.operator == YARDSTICK:
        return Yardstick(case.channels)
    if subject.kind == "network":
        network = build_network(subject.model or "", subject.operator, subject.options)
        if subject.formula == HALF_SPECTRUM:
            # Where it is asked for: another version of the package, whose networks are timed, may not have it.
            from converse.nn.half_spectrum import make_half_spectrum

            return make_half_spectrum(network)
        return make_literal(network) if subject.formula == LITERAL else network
    if subject.operator == LIMIT:
        return TransformPair(case.scale)
    return _operator(subject.operator or "")(case.channels, case.kernel_size, scale=case.scale, **subject.options)


def _operator(name: str) -> Callable[..., nn.Module]:
    if name == LITERAL:
        return LiteralConverse2D
    if name == HALF_SPECTRUM:
        from converse.nn.half_spectrum import HalfSpectrumConverse2D

        return HalfSpectrumConverse2D
    return operator_builder(name)


def _inputs(subject: Subject, case: Case, module: nn.Module, device: str) -> list[Tensor]:
    y = torch.rand(case.batch, case.channels, case.height, case.width, device=device)
    if subject.kind == "limit":
        p = subject.options.get("padding", case.padding or 0)
        return [pad(y, (p, p), (p, p), "circular")]
    given = {
        "input": y,
        "kernel": torch.full((case.batch, 1, _BLUR_SIZE, _BLUR_SIZE), _BLUR_SIZE**-2.0, device=device),
        "noise_level": torch.full((case.batch, 1, 1, 1), 0.01, device=device),
    }
    named: tuple[str, ...] = getattr(module, "inputs", ("input",))
    return [given[name] for name in named]


def _call(forward: Callable[..., Any], module: nn.Module, inputs: list[Tensor], case: Case) -> Callable[[], object]:
    """One call of the pass that is asked for."""
    kind = inputs[0].device.type

    def cast() -> contextlib.AbstractContextManager[Any]:
        wanted = case.dtype == "bfloat16"
        return torch.autocast(kind, torch.bfloat16) if wanted else contextlib.nullcontext()

    def run() -> Tensor:
        with cast():
            output: Tensor = forward(*inputs)
        return output

    module.train(case.pass_ != "evaluation")
    if case.pass_ in ("evaluation", "forward"):

        def without_gradients() -> Tensor:
            with torch.inference_mode():
                return run()

        return without_gradients
    if case.pass_ == "forward+backward":
        inputs[0].requires_grad_()
        leaves = [inputs[0], *(parameter for parameter in module.parameters() if parameter.requires_grad)]

        def with_gradients() -> object:
            output = run()
            # some parameters of a network may not take part
            return torch.autograd.grad(output, leaves, torch.ones_like(output), allow_unused=True)

        return with_gradients
    optimiser = torch.optim.AdamW(module.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        run().float().abs().mean().backward()
        optimiser.step()

    return step
