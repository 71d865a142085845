"""Tensors without values: what operations make of their shapes, while torch's compiler stays unloaded.

Torch has functions of its own for tensors on ``meta``. Those for what changes number by number, and for some more, are
written in Python for its compiler, and the first of them imports it: thousands of modules, which take as long as the
rest of torch. Here are rules in their place. An operation without a rule is torch's to answer, as slow as it may be.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Rule = Callable[[Any, Sequence[Any], Mapping[str, Any]], Any]
"""Operation, arguments, arguments by name → its result; ``None`` where the rule does not hold."""


@contextlib.contextmanager
def without_values() -> Iterator[None]:
    """Make tensors without values, and those of modules.

    Example:
        >>> import torch
        >>> from converse.nn.without_values import without_values
        >>> with without_values():
        ...     torch.nn.Linear(3, 4)(torch.rand(2, 3)).relu().shape
        torch.Size([2, 4])
    """
    with torch.device("meta"), _WithoutValues():
        yield


def result(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What an operation gives: by a rule if its tensors are on ``meta`` and it has one, otherwise by torch.

    Args:
        func: as a ``TorchDispatchMode`` gets it.
        args: its arguments.
        kwargs: those by name.
    """
    if rule := _rule(func):
        tensors = list(_tensors((*args, *kwargs.values())))
        if tensors and all(one.is_meta for one in tensors):
            made = rule(func, args, kwargs)
            if made is not None:
                return made
    return func(*args, **kwargs)


class _WithoutValues(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # to have it skipped, torch would load it

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return result(func, args, kwargs or {})


@cache
def _rule(func: Any) -> Rule | None:
    if _in_place(func):
        return lambda func, args, kwargs: args[0]
    return _elementwise if torch.Tag.pointwise in func.tags else _RULES.get(func)


def _in_place(func: Any) -> bool:
    """Whether an operation gives back its first argument, of the same shape, with other values."""
    given, returned = func._schema.arguments, func._schema.returns
    writes = bool(given) and given[0].alias_info is not None and given[0].alias_info.is_write
    same = len(returned) == 1 and returned[0].alias_info is not None and torch.Tag.inplace_view not in func.tags
    return writes and same and func._schema.name.endswith("_")


def _tensors(values: Iterable[Any]) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)


def _elementwise(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """What broadcasting gives, in torch's order in memory, where that is plain to see."""
    tensors = list(_tensors((*args, *kwargs.values())))
    shape = np.broadcast_shapes(*(one.shape for one in tensors))
    order = list(range(len(shape)))
    if not all(map(_falling, tensors)) and kwargs.get("memory_format") != torch.contiguous_format:
        strides = {one.stride() for one in tensors if one.shape == shape}
        beside = [one for one in tensors if one.shape != shape]
        if len(strides) != 1 or 1 in shape or any(map(_of_some_dimensions, beside)):
            return None
        stride = strides.pop()
        if 0 in stride or len(set(stride)) < len(stride):
            return None
        order.sort(key=stride.__getitem__, reverse=True)
    # The type is asked of the operation itself, with single numbers.
    one = func(*map(_one_number, args), **{name: _one_number(value) for name, value in kwargs.items()})
    return _in_order(shape, order, one.dtype)


def _falling(given: Tensor) -> bool:
    """Whether torch, which sorts dimensions by stride, would leave their order; expanded ones say nothing of it."""
    steps = [(stride, side) for side, stride in zip(given.shape, given.stride(), strict=True) if stride]
    return given.is_contiguous() or steps == sorted(steps, reverse=True)


def _of_some_dimensions(given: Tensor) -> bool:
    return sum(side > 1 for side in given.shape) > 1


def _one_number(value: Any) -> Any:
    return torch.ones((1,) * value.dim(), dtype=value.dtype, device="cpu") if isinstance(value, Tensor) else value


def _in_order(shape: Sequence[int], order: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor of this shape whose dimensions lie in memory in this order, the last one side by side."""
    made = torch.empty([shape[i] for i in order], dtype=dtype, device="meta")
    return made.permute(sorted(range(len(order)), key=order.__getitem__))


def _transform(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
    """A Fourier transform, laid out as MKL does: the dimensions that are not transformed first."""
    given, dims, last = args[0], list(args[1]), args[3]
    if kwargs or not torch.backends.mkl.is_available() or (func is _FROM_HALF and len(dims) > 1):
        return None
    shape, dtype = list(given.shape), given.dtype
    if func is _TO_HALF:
        shape[dims[-1]], dtype = (shape[dims[-1]] // 2 + 1 if last else shape[dims[-1]]), dtype.to_complex()
    elif func is _FROM_HALF:
        shape[dims[-1]], dtype = last, dtype.to_real()
    far = given.stride().__getitem__
    kept = sorted((i for i in range(given.dim()) if i not in dims), key=far, reverse=True)
    inner = dims[-1:] if func is _TO_HALF else []
    outer = sorted(dims[: len(dims) - len(inner)], key=far, reverse=True)
    return _in_order(shape, [*kept, *outer, *inner], dtype)


def _batch_norm(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Tensor, ...] | None:
    """The normalised map, and the mean and the deviation of each channel, in training."""
    given, training = args[0], args[5]
    if not training or not given.is_contiguous():
        return None
    return tuple(_like(given, shape) for shape in (given.shape, given.shape[1:2], given.shape[1:2]))


def _like(given: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.empty(shape, dtype=given.dtype, device="meta")


def _of_shape(shape: Callable[..., Sequence[int]]) -> Rule:
    """The rule of an operation on tensors of one type, whose result lies in memory in the order of its dimensions.

    Args:
        shape: arguments → shape of the result.
    """

    def rule(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor | None:
        tensors = list(_tensors(args))
        plain = not kwargs and len({one.dtype for one in tensors}) == 1 and not any(map(_channels_last, tensors))
        return _like(tensors[0], shape(*args)) if plain else None

    return rule


def _channels_last(given: Tensor) -> bool:
    return given.dim() == 4 and not given.is_contiguous() and given.is_contiguous(memory_format=torch.channels_last)


def _joined(tensors: Sequence[Tensor], dim: int = 0) -> list[int]:
    shape = list(tensors[0].shape)
    shape[dim] = sum(one.shape[dim] for one in tensors)
    return shape


def _padded(given: Tensor, more: Sequence[int]) -> list[int]:
    left, right, top, bottom = more
    return [*given.shape[:-2], given.shape[-2] + top + bottom, given.shape[-1] + left + right]


def _convolved(
    given: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    more: Sequence[int],
    groups: int,
) -> list[int]:
    across = zip(given.shape[2:], weight.shape[2:], stride, padding, dilation, more, strict=True)
    if transposed:
        sides = [(n - 1) * s - 2 * p + d * (k - 1) + 1 + m for n, k, s, p, d, m in across]
        return [given.shape[0], groups * weight.shape[1], *sides]
    return [given.shape[0], weight.shape[0], *((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d, _ in across)]


def _reduced(given: Tensor, dims: Sequence[int] | None, keep: bool = False) -> list[int]:
    gone = {dim % given.dim() for dim in dims or range(given.dim())}
    return [1 if i in gone else side for i, side in enumerate(given.shape) if keep or i not in gone]


_TO_HALF, _FROM_HALF = torch.ops.aten._fft_r2c.default, torch.ops.aten._fft_c2r.default
_resized = _of_shape(lambda given, size, *_: (*given.shape[:2], *size))
_RULES: Final[dict[Any, Rule]] = {
    **dict.fromkeys([_TO_HALF, torch.ops.aten._fft_c2c.default, _FROM_HALF], _transform),
    torch.ops.aten._softmax.default: _elementwise,
    torch.ops.aten.addmm.default: _of_shape(lambda _, a, b: (a.shape[0], b.shape[1])),
    torch.ops.aten.baddbmm.default: _of_shape(lambda _, a, b: (*a.shape[:2], b.shape[2])),
    torch.ops.aten.bmm.default: _of_shape(lambda a, b: (*a.shape[:2], b.shape[2])),
    torch.ops.aten.cat.default: _of_shape(_joined),
    torch.ops.aten.convolution.default: _of_shape(_convolved),
    torch.ops.aten.flip.default: _elementwise,
    torch.ops.aten.mean.dim: _of_shape(_reduced),
    torch.ops.aten.mv.default: _of_shape(lambda a, b: a.shape[:1]),
    torch.ops.aten.native_batch_norm.default: _batch_norm,
    torch.ops.aten.ones_like.default: _elementwise,
    torch.ops.aten.pixel_shuffle.default: _of_shape(
        lambda x, r: (len(x), x.shape[1] // r**2, *(r * n for n in x.shape[2:]))
    ),
    torch.ops.aten.reflection_pad2d.default: _of_shape(_padded),
    torch.ops.aten.replication_pad2d.default: _of_shape(_padded),
    torch.ops.aten.sum.dim_IntList: _of_shape(_reduced),
    torch.ops.aten.upsample_bilinear2d.default: _resized,
    torch.ops.aten.upsample_nearest2d.default: _resized,
}
