"""What is asked of a function beside its value and its gradients: second derivatives, forward mode, `torch.func`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual
from torch.nn import Parameter


def transforming() -> bool:
    """Whether a transform of ``torch.func`` (``grad``, ``vmap``, ``jvp`` …) is at work."""
    return bool(torch._C._are_functorch_transforms_active())


def exporting() -> bool:
    """Whether ``torch.export`` is at work, for itself or for ONNX: what it writes down others have to understand.

    An older torch does not say so. There it is treated as compilation, and ONNX refuses what comes of it.
    """
    told = getattr(torch.compiler, "is_exporting", None)
    return told is not None and bool(told())


def transformed(*inputs: Tensor) -> bool:
    """Whether a function of these has to be made of plain operations, for which PyTorch has every rule.

    A function that is written by hand for speed has a backward pass, and writes into memory of its own. PyTorch would
    take further rules from it (``jvp``, ``vmap``), but compilers refuse functions that have them.

    Args:
        inputs: of that function.

    Returns:
        Inside a transform of ``torch.func``, where an input carries a tangent of forward mode, and in an export.
    """
    if exporting():
        return True
    if torch.compiler.is_compiling():
        return False
    return transforming() or any(unpack_dual(one).tangent is not None for one in inputs)


def differentiated_again(*upstream: Tensor | None) -> bool:
    """In a backward pass: whether autograd asks for a graph of it (``create_graph``), or for many passes in one.

    What is compiled traces its backward passes with gradients enabled, and refuses second derivatives itself.

    Args:
        upstream: the gradients that the pass was given.
    """
    if torch.compiler.is_compiling():
        return False
    return torch.is_grad_enabled() or transforming() or any(one is not None and _many(one) for one in upstream)


def _many(tensor: Tensor) -> bool:
    """Whether this stands for a batch, as in ``torch.autograd.grad(…, is_grads_batched=True)``."""
    return bool(torch._C._functorch.is_legacy_batchedtensor(tensor))


def has_values(tensor: Tensor) -> bool:
    """Whether there are numbers that may be looked at: not those of meta and fake tensors, nor of what is traced."""
    plain = type(tensor) in (Tensor, Parameter) and tensor.device.type != "meta"
    return plain and not torch.compiler.is_compiling() and not transforming()


def observed() -> bool:
    """Whether somebody looks at the operations of this thread: they are traced, counted, replaced or profiled.

    What is done elsewhere, in another library or by another thread, would escape him.
    """
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return True
    modes = torch._C._len_torch_dispatch_stack() + torch._C._len_torch_function_stack()
    return bool(modes or torch._C._autograd._profiler_enabled())
