"""Clear errors where a hand-written backward pass has no answer: second derivatives, forward mode, ``torch.func``."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual
from torch.nn import Parameter


def first_derivatives_only(of: str) -> None:
    """Refuse to go on in a backward pass whose result is to be differentiated again; called at its start.

    PyTorch's ``once_differentiable`` raises only where the incoming gradient itself asks for one: after ``.sum()`` a
    Hessian would silently be 0.

    Args:
        of: what is differentiated, for the message.

    Raises:
        RuntimeError: autograd was asked for a graph of the derivatives (``create_graph=True``).
    """
    # What is compiled has a refusal of its own, and traces backward passes with gradients enabled.
    if not torch.compiler.is_compiling() and torch.is_grad_enabled():
        raise RuntimeError(
            f"{of} has first derivatives only, and create_graph=True asks for more (gradient penalties, Hessians). "
            "converse.nn.literal.literal_converse2d, slower, can be differentiated again"
        )


def transforming() -> bool:
    """Whether a transform of ``torch.func`` (``grad``, ``vmap``, ``jvp`` …) is at work."""
    return bool(torch._C._are_functorch_transforms_active())


def has_values(tensor: Tensor) -> bool:
    """Whether there are numbers that may be looked at: not those of meta and fake tensors, nor of what is traced."""
    plain = type(tensor) in (Tensor, Parameter) and tensor.device.type != "meta"
    return plain and not torch.compiler.is_compiling() and not transforming()


def refuse_transforms(*inputs: Tensor) -> None:
    """Refuse what only a backward pass is written for; called ahead of a function written by hand.

    PyTorch's own messages tell the author of such a function what to write; these tell who calls it what to do. (A
    ``jvp`` method of the function itself would be the place, but compilers refuse functions that have one.)

    Args:
        inputs: of that function.

    Raises:
        RuntimeError: inside a transform of ``torch.func``, or where an input carries a tangent of forward mode.
    """
    if torch.compiler.is_compiling():
        return
    if transforming():
        raise RuntimeError(_REFUSAL.format("the transforms of torch.func ask"))
    if any(unpack_dual(one).tangent is not None for one in inputs):
        raise RuntimeError(_REFUSAL.format("forward-mode differentiation asks"))


_REFUSAL: Final = (
    "reverse convolution and its blocks have a backward pass alone, and {} for more. Use torch.autograd "
    "(backward, grad) without create_graph, or converse.nn.literal.literal_converse2d: slower, of plain operations"
)
