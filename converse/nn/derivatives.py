"""A clear end where a backward pass written by hand would give wrong second derivatives."""

from __future__ import annotations

import torch


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
