"""What a module's ``state_dict`` may hold, as tensors that a file can keep and JSON: nothing in it runs code when read.

Three things do not go into a safetensors file as they are. Tied weights are one tensor under two names; complex tensors
have no type there in all versions; ``get_extra_state`` may give anything. The first are written once per name, and are
tied in the module that reads them; the second as pairs of real numbers, under a mark; of the third, plain values.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import torch
from torch import Tensor

from converse.errors import CheckpointError

_COMPLEX: Final = "complex"
_EXTRA: Final = "extra"
_INSIDE: Final = "/"  # between the name of an extra state and the number of a tensor in it

Marks = dict[str, Any]
"""What is to be said of the tensors, JSON-able; empty for a module without complex tensors and extra states."""


def as_tensors(state: Mapping[str, Any]) -> tuple[dict[str, Tensor], Marks]:
    """What a file keeps of a state.

    Args:
        state: tensors by name, and what ``get_extra_state`` gave.

    Returns:
        Tensors on the CPU that share no memory and are not complex, and what has to be said of them.

    Raises:
        CheckpointError: an extra state has something that is neither a tensor nor a plain value, or a tensor is not a
            dense one.
    """
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    extra = {}
    for name, value in state.items():
        if not isinstance(value, Tensor):
            inside: list[Tensor] = []
            extra[name] = _plain(value, name, inside)
            tensors |= {f"{name}{_INSIDE}{number}": tensor for number, tensor in enumerate(inside)}
    marks: Marks = {_EXTRA: extra} if extra else {}
    if marked := sorted(name for name, value in tensors.items() if value.is_complex()):
        marks[_COMPLEX] = marked
    return _apart({name: _dense(name, value) for name, value in tensors.items()}), marks


def from_tensors(tensors: Mapping[str, Tensor], marks: Mapping[str, Any]) -> dict[str, Any]:
    """The state of which :func:`as_tensors` made this.

    Raises:
        CheckpointError: the two do not fit each other.
    """
    try:
        state: dict[str, Any] = dict(tensors)
        for name in marks.get(_COMPLEX, ()):
            state[name] = torch.view_as_complex(state[name])
        for name, value in marks.get(_EXTRA, {}).items():
            state[name] = _read(value, name, state)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"what is said of complex tensors and extra states does not fit: {error!r}") from error
    return state


def _dense(name: str, value: Tensor) -> Tensor:
    """The values, contiguous, on the CPU, complex numbers as pairs."""
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        kind = "quantized" if value.is_quantized else "meta" if value.is_meta else str(value.layout)
        raise CheckpointError(f"{name} is a {kind} tensor, which cannot be kept: expected a dense one")
    value = value.detach().resolve_conj().resolve_neg()
    return (torch.view_as_real(value) if value.is_complex() else value).contiguous().cpu()


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of which no two share memory: safetensors refuses those, and a file has no way to say it."""
    seen: set[int] = set()
    state = {}
    for name, value in tensors.items():
        memory = value.untyped_storage().data_ptr()
        state[name] = value.clone() if memory in seen and value.numel() else value
        seen.add(memory)
    return state


def _plain(value: Any, name: str, inside: list[Tensor]) -> Any:
    """JSON for the value: what JSON has stands for itself, all else in a table with one key, its type."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if type(value) is list:
        return [_plain(item, name, inside) for item in value]
    if type(value) is tuple:
        return {"tuple": [_plain(item, name, inside) for item in value]}
    if type(value) in (dict, OrderedDict):
        return {"dict": [[_plain(key, name, inside), _plain(item, name, inside)] for key, item in value.items()]}
    if isinstance(value, Tensor):
        inside.append(value)
        return {"tensor": len(inside) - 1}
    raise CheckpointError(
        f"{name}: get_extra_state() gives a {type(value).__module__}.{type(value).__qualname__}; expected None, truth "
        "values, numbers, text, lists, tuples, dictionaries and tensors, which can be read without running code"
    )


def _read(value: Any, name: str, state: dict[str, Any]) -> Any:
    """What :func:`_plain` was given; its tensors are taken out of the state."""
    if isinstance(value, list):
        return [_read(item, name, state) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "float":
        return float(content)
    if kind == "tuple":
        return tuple(_read(item, name, state) for item in content)
    if kind == "dict":
        return {_read(key, name, state): _read(item, name, state) for key, item in content}
    if kind == "tensor":
        return state.pop(f"{name}{_INSIDE}{content}")
    raise ValueError(f"unknown type {kind!r}")
