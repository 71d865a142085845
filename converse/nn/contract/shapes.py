"""Checks of how an operator is built and called, and of the shapes that it gives."""

from __future__ import annotations

from typing import Final

import torch
from torch import nn

from converse.counted import agreeing, counted
from converse.errors import ConverseError
from converse.nn.contract.observations import by, close, wrong_shape
from converse.nn.contract.subject import SCALES, Defect, Subject, evaluated, seeded, shape
from converse.nn.functional import PADDING_MODES

REFUSALS: Final = (ValueError, NotImplementedError, ConverseError)
"""What an operator may raise to say that it has no such scale, padding or size."""

_TINY: Final = ((1, 1), (2, 3))
_CALLS: Final = 5
_IMAGE: Final = (321, 481)  # BSD68 has images of this size


def construction(subject: Subject) -> str:
    """Build it as networks do."""
    made = subject.make()
    if type(made).forward is nn.Module.forward and "forward" not in vars(made):
        raise Defect(f"{type(made).__name__} has no forward")
    numbers = sum(parameter.numel() for parameter in made.parameters())
    return f"{type(made).__name__} with {numbers:,} parameters for {subject.channels} channels"


def returns(subject: Subject) -> str:
    """Call it again and again, in training and in evaluation."""
    module, x = subject.make(), subject.input()
    for _ in range(_CALLS):
        out: object = module.train()(x.clone().requires_grad_() * 1.0)
        if isinstance(out, torch.Tensor) and out.requires_grad:
            out.sum().backward()
        with torch.no_grad():
            module.eval()(x.clone())
    return f"{counted(2 * _CALLS, 'call')} came back"


def same_shape(subject: Subject) -> str:
    """One ordinary call."""
    x = subject.input()
    for mode in (True, False):
        module = subject.make()
        with torch.no_grad():
            out: object = module.train(mode)(x.clone())
        if wrong := wrong_shape(x, out, subject.scale):
            raise Defect(f"{wrong}{'' if mode else ' in evaluation'}")
    return f"{shape(x)} to {shape(x.repeat(1, 1, subject.scale, subject.scale))}"


def scales(subject: Subject) -> str:
    """Each scale that it claims; without a claim those that it does not refuse."""
    has, ignored = _scales(subject)
    heard = f"{agreeing(len(has), 'scale', 'scales')} {', '.join(map(str, has))}"
    if ignored:
        heard += f"; takes {', '.join(map(str, ignored))} and ignores it: it cannot stand where images are enlarged"
    return heard


def padding_modes(subject: Subject) -> str:
    """Each way to continue an image."""
    x = subject.input()
    has, refused = [], []
    for mode in PADDING_MODES:
        try:
            module = subject.make(padding_mode=mode)
        except REFUSALS:
            refused.append(mode)
            continue
        if wrong := wrong_shape(x, evaluated(module, x), subject.scale):
            raise Defect(f"with {mode} padding it {wrong}")
        has.append(mode)
    if not has:
        raise Defect("refuses all of them")
    return ", ".join(has) + (f"; refused: {', '.join(refused)}" if refused else "")


def sizes(subject: Subject) -> str:
    """Odd, oblong, tiny and large inputs; the odd and oblong ones at each scale."""
    side, has = subject.side, _scales(subject)[0]
    ordinary = [(side + 1, side - 1, 2), (side, side + 8, 3), (side + 7, side, 1)]
    for scale in has:
        module = subject.make(scale=scale)
        for height, width, samples in [*ordinary, *([(*_IMAGE, 1)] if scale == subject.scale else [])]:
            x = subject.input(height, width, samples=samples)
            where = f"on {height}×{width} pixels" + (f" at scale {scale}" if len(has) > 1 else "")
            try:
                out = evaluated(module, x)
            except Exception as error:
                raise Defect(f"{where}: {type(error).__name__}: {_first(error)}") from error
            if wrong := wrong_shape(x, out, scale):
                raise Defect(f"{where} it {wrong}")
    tiny = [words for height, width in _TINY if (words := _tiny(subject, height, width))]
    return "; ".join(["odd, oblong, and 321×481 pixels, batches of 1 to 3", *tiny])


def layouts(subject: Subject) -> str:
    """Inputs that do not lie in memory row by row."""
    x = subject.input()
    expected = evaluated(subject.make(), x)
    strided = torch.zeros(*x.shape[:-1], 2 * x.shape[-1])[..., ::2].copy_(x)
    ways = {
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "transposed": x.mT.contiguous().mT,
        "every second value of a larger one": strided,
    }
    for name, laid in ways.items():
        module = subject.make().eval()
        with torch.no_grad(), seeded(0):
            out = module(laid)  # itself, for a copy of it would lie otherwise
        if not close(out, expected):
            raise Defect(f"an input that lies {name} gives another result{by(out, expected)}")
    return ", ".join(ways)


def _scales(subject: Subject) -> tuple[list[int], list[int]]:
    """The scales that it has, and those that it takes and ignores; raises ``Defect`` for a size that is neither."""
    x = subject.input()
    has, ignored = [], []
    for scale in subject.scales or SCALES:
        try:
            module = subject.make(scale=scale)
        except (*REFUSALS, TypeError) as error:
            if subject.scales is None and scale > 1:
                continue  # what it refuses it does not claim
            raise Defect(f"scale {scale} is refused: {_first(error)}") from error
        out = evaluated(module, x)
        if out.shape == x.shape and scale > 1 and subject.scales is None:
            ignored.append(scale)
        elif wrong := wrong_shape(x, out, scale):
            raise Defect(f"at scale {scale} it {wrong}")
        else:
            has.append(scale)
    return has, ignored


def _tiny(subject: Subject, height: int, width: int) -> str | None:
    """How it refuses an input of few pixels; ``None`` where it takes it."""
    x = subject.input(height, width, samples=1)
    try:
        out = evaluated(subject.make(), x)
    except (*REFUSALS, RuntimeError) as error:  # torch's own, of a padding that is too wide
        return f"{height}×{width} refused ({_first(error)})"
    if wrong := wrong_shape(x, out, subject.scale):
        raise Defect(f"on {height}×{width} pixels it {wrong}")
    return None


def _first(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
