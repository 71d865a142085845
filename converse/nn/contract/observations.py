"""What may be seen of one call of an operator, in sentences that begin with a verb; ``None`` where nothing is wrong.

The contract's checks say them, and so does the rehearsal before a training, which sees an operator at its place in a
network.
"""

from __future__ import annotations

import gc
import operator
import tracemalloc
from collections.abc import Callable
from typing import Final

from torch import Tensor

ROUND_OFF: Final = 1e-4
"""Of the largest value: what a batch of another size, or sums in another order, may change in float32."""

REPEATED: Final = 1e-6
"""Of the largest value: what the same sums may differ by when they are computed again in float32."""

_ROUNDS, _CALLS = 3, 4
_NOTICED: Final = 1024  # bytes of Python's own per call; what interpreters keep for themselves is less


def wrong_shape(given: Tensor, output: object, scale: int = 1) -> str | None:
    """Another shape than [N, C, s·H, s·W], or no tensor."""
    if not isinstance(output, Tensor):
        return f"must give a tensor, got {type(output).__name__}"
    n, c, h, w = given.shape
    expected = [n, c, scale * h, scale * w]
    if list(output.shape) == expected:
        return None
    return f"must map {list(given.shape)} to {expected}, got {list(output.shape)}"


def no_gradient(output: Tensor) -> str | None:
    """An output of training that is cut off from what it was computed from."""
    if output.requires_grad:
        return None
    return "gives no gradient: it learns nothing, and what stands before it learns nothing through it"


def changed_input(before: Tensor, after: Tensor) -> str | None:
    """An input that is another one after the call."""
    return None if equal(before, after) else "changes its input, which the network may still need"


def not_finite(output: Tensor) -> str | None:
    """NaN or infinity in an output of evaluation."""
    return None if output.isfinite().all() else "gives values that are not finite in evaluation"


def two_results(once: Tensor, again: Tensor, tolerance: float = ROUND_OFF) -> str | None:
    """Two evaluations of one input that differ."""
    if close(once, again, tolerance):
        return None
    return f"gives two results for one input: two evaluations differ{by(once, again)}"


def mixed_batch(among: Tensor, alone: Tensor) -> str | None:
    """A sample that comes out otherwise beside others than by itself."""
    if close(among, alone):
        return None
    return (
        "mixes the batch: a sample's result depends on the others, and images are restored one by one"
        f"{by(among, alone)}"
    )


def kept_memory(call: Callable[[], object]) -> str | None:
    """Memory that each call takes and does not give back.

    Args:
        call: calls the operator and lets its output go.
    """
    grown = _growth(call)
    if not grown:
        return None
    return f"keeps memory: each call holds {grown:,} bytes more, which a training of many steps has not"


def equal(one: Tensor, other: Tensor) -> bool:
    """The same shape and the same bits, NaN at the same places."""
    return one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())


def close(one: Tensor, other: Tensor, tolerance: float = ROUND_OFF) -> bool:
    """Equal but for a part of the largest finite value; what is not finite stands at the same places."""
    if one.shape != other.shape:
        return False
    finite = one.isfinite() & other.isfinite()
    strange = ~finite
    if not bool(((one == other) | (one.isnan() & other.isnan()))[strange].all()):
        return False
    if not finite.any():
        return True
    return bool((one - other)[finite].abs().max() <= tolerance * other[finite].abs().max())


def by(one: Tensor, other: Tensor) -> str:
    """`` (by up to 3 % of the largest value)``: how far two tensors of one shape are from each other."""
    if one.shape != other.shape or not other.numel():
        return ""
    most, scale = float((one - other).abs().max()), float(other.abs().max())
    if not 0 < scale < float("inf") or not most < float("inf"):
        return ""
    percent = 100 * most / scale
    return f" (by up to {percent:{'.0f' if percent >= 10 else '.2g'}} % of the largest value)"


def _growth(call: Callable[[], object]) -> int:
    """Bytes that each call keeps: the least of some rounds, so that what is kept once is none."""
    traced = tracemalloc.is_tracing()
    for _ in range(2):
        call()
    gc.collect()
    gc.freeze()  # what is alive already need not be looked at again and again
    if not traced:
        tracemalloc.start()
    try:
        tensors, python = [_held()], [tracemalloc.get_traced_memory()[0]]
        for _ in range(_ROUNDS):
            for _ in range(_CALLS):
                call()
            tensors.append(_held())
            python.append(tracemalloc.get_traced_memory()[0])
    finally:
        gc.unfreeze()
        if not traced:
            tracemalloc.stop()
    of_tensors, of_python = (min(map(operator.sub, held[1:], held)) // _CALLS for held in (tensors, python))
    grown: int = max(of_tensors, 0) + (of_python if of_python >= _NOTICED else 0)
    return grown


def _held() -> int:
    """Bytes of all tensors that Python knows and that have been made lately."""
    gc.collect()
    storages: dict[int, int] = {}
    for thing in gc.get_objects():
        if issubclass(type(thing), Tensor):  # isinstance would ask lazy objects for what they are
            try:
                storage = thing.untyped_storage()
                storages[storage._cdata] = storage.nbytes()
            except (NotImplementedError, RuntimeError):  # sparse and fake tensors
                continue
    return sum(storages.values())
