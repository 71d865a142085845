"""Kept transfer functions: right after whatever may change them, bounded, and freed with their module.

Oracles: counts of computations, bytes counted by hand, and the operator computed anew by :func:`converse2d`.
"""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from converse.nn import operators
from converse.nn.functional import converse2d, transfer
from converse.nn.operators import Converse2D
from converse.nn.transfer_cache import TRANSFERS, TransferCache

SIZE = (7, 6)
ENTRY = 3 * (7 + 4) * (10 // 2 + 1) * 8
"""Bytes of T for three channels, k = 3, p = 2, s = 1, at SIZE in complex64."""


def rand(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Counted:
    """How often a transfer function was computed, with a cache of our own."""

    def __init__(self, limit: int) -> None:
        self.cache = TransferCache(limit)
        self.computed = 0

    def transfer(self, *arguments: Any) -> Tensor:
        self.computed += 1
        return transfer(*arguments)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counts = Counted(2**20)
    monkeypatch.setattr(operators, "TRANSFERS", counts.cache)
    monkeypatch.setattr(operators, "transfer", counts.transfer)
    return counts


def layer(seed: int = 0) -> Converse2D:
    torch.manual_seed(seed)
    return Converse2D(3, 3).eval()


def anew(operator: Converse2D, y: Tensor) -> Tensor:
    return converse2d(y, operator.weight, operator.lam, padding=2).detach()


def agrees(operator: Converse2D, y: Tensor) -> bool:
    with torch.no_grad():
        expected = anew(operator, y)
        return bool((operator(y) - expected).abs().max() <= 1e-5 * expected.abs().max())  # float32


def test_a_hit_is_the_miss_bit_by_bit(counted: Counted) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    with torch.no_grad():
        first, second = operator(y), operator(y)
    assert counted.computed == 1
    assert torch.equal(first, second)
    assert counted.cache.nbytes == ENTRY


def test_each_size_and_precision_has_its_own(counted: Counted) -> None:
    operator = layer()
    images = [rand(1, 3, 7, 6), rand(1, 3, 6, 7), rand(1, 3, 9, 9), rand(1, 3, 7, 6).double()]
    with torch.no_grad():
        for y in images * 2:
            torch.testing.assert_close(operator(y), anew(operator, y), rtol=0, atol=1e-4)
    assert counted.computed == 4
    with torch.no_grad():  # neither the number of samples nor a narrower input precision makes another
        operator(rand(5, 3, 7, 6))
        operator(rand(5, 3, 7, 6).half())
    assert counted.computed == 4


def _step(operator: Converse2D) -> None:
    operator.train()
    optimiser = torch.optim.SGD(operator.parameters(), lr=0.5)
    operator(rand(1, 3, *SIZE)).square().mean().backward()
    optimiser.step()
    operator.eval()


def _adam(operator: Converse2D) -> None:
    optimiser = torch.optim.Adam(operator.parameters(), lr=0.1, foreach=True)
    operator(rand(1, 3, *SIZE)).square().mean().backward()
    optimiser.step()


def _in_place(operator: Converse2D) -> None:
    with torch.no_grad():
        operator.weight.mul_(1.5)


def _one_tap(operator: Converse2D) -> None:
    with torch.no_grad():
        operator.weight[0, 1, 2, 2] += 0.1


def _bias(operator: Converse2D) -> None:
    with torch.no_grad():
        operator.bias.add_(4)  # type: ignore[union-attr]


def _data(operator: Converse2D) -> None:
    operator.weight.data.mul_(1.5)


def _new_data(operator: Converse2D) -> None:
    operator.weight.data = operator.weight.data * 1.5


def _new_parameter(operator: Converse2D) -> None:
    operator.weight = nn.Parameter(operator.weight.detach() * 1.5)


def _numpy(operator: Converse2D) -> None:
    operator.weight.detach().numpy()[...] *= 1.5


def _load(operator: Converse2D) -> None:
    operator.load_state_dict(layer(seed=9).state_dict())


def _assign(operator: Converse2D) -> None:
    operator.load_state_dict(layer(seed=9).state_dict(), assign=True)


def _inference(operator: Converse2D) -> None:
    with torch.inference_mode():
        operator.weight.mul_(1.5)


CHANGES = [
    _step,
    _adam,
    _in_place,
    _one_tap,
    _bias,
    _data,
    _new_data,
    _new_parameter,
    _numpy,
    _load,
    _assign,
    _inference,
    Converse2D.reset_parameters,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_a_change_of_a_parameter_is_seen(counted: Counted, change: Callable[[Converse2D], None]) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    with torch.no_grad():
        before = operator(y)
    change(operator)
    assert agrees(operator, y)
    with torch.no_grad():
        assert not torch.allclose(operator(y), before)
    assert counted.computed == 2
    assert counted.cache.nbytes == ENTRY  # the old one has gone


@pytest.mark.parametrize(
    ("name", "value"), [("eps", 0.5), ("lam_offset", 0.0), ("initial_estimate", "zero")], ids=lambda value: str(value)
)
def test_a_setting_changed_between_evaluations_is_seen(counted: Counted, name: str, value: Any) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    with torch.no_grad():
        before = operator(y)
        setattr(operator, name, value)
        expected = converse2d(
            y, operator.weight, operator.lam, padding=2, initial_estimate=operator.initial_estimate
        )  # which keeps nothing
        assert not torch.allclose(operator(y), before)
        torch.testing.assert_close(operator(y), expected, rtol=0, atol=1e-4)
    assert counted.computed == 2


def test_moving_to_float64_and_back_is_seen(counted: Counted) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    assert agrees(operator, y)
    operator.double()
    with torch.no_grad():
        exact = operator(y.double())
    expected = converse2d(y.double(), operator.weight, operator.lam, padding=2).detach()
    torch.testing.assert_close(exact, expected, rtol=0, atol=1e-11)
    assert agrees(operator.float(), y)


def test_a_deep_copy_starts_without_what_the_original_keeps(counted: Counted) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    assert agrees(operator, y)
    other = copy.deepcopy(operator)
    _in_place(other)
    assert agrees(other, y)
    assert agrees(operator, y)
    assert counted.computed == 2


NOT_KEPT: list[Any] = [
    pytest.param(lambda operator, y: operator.train()(y), id="training"),
    pytest.param(lambda operator, y: operator(y), id="parameters-need-gradients"),
    pytest.param(lambda operator, y: operator.requires_grad_(False)(y.requires_grad_()), id="input-needs-gradients"),
    pytest.param(lambda operator, y: operator(y[:0]), id="no-samples"),
]


@pytest.mark.parametrize("call", NOT_KEPT)
def test_nothing_is_kept_where_it_could_not_be_used(counted: Counted, call: Any) -> None:
    call(layer(), rand(2, 3, *SIZE))
    assert counted.computed == 0
    assert counted.cache.nbytes == 0


def test_nothing_is_kept_in_training_even_without_gradients(counted: Counted) -> None:
    with torch.no_grad():
        layer().train()(rand(2, 3, *SIZE))
    assert counted.cache.nbytes == 0


def test_frozen_parameters_are_kept_with_gradients_enabled(counted: Counted) -> None:
    operator, y = layer().requires_grad_(False), rand(2, 3, *SIZE)
    assert torch.equal(operator(y), operator(y))
    assert counted.computed == 1


def test_gradients_flow_in_evaluation_after_a_kept_evaluation(counted: Counted) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    assert agrees(operator, y)
    operator(y).sum().backward()
    expected = copy.deepcopy(operator).train()
    expected.zero_grad()
    expected(y).sum().backward()
    assert torch.equal(operator.weight.grad, expected.weight.grad)  # type: ignore[arg-type]


def test_training_follows_inference_mode_and_inference_mode_follows_training(counted: Counted) -> None:
    # A size that no other test uses, so that nothing has been made for it outside of inference mode.
    operator, y = layer(), rand(2, 3, 23, 29)
    with torch.inference_mode():
        first = operator(y)
    assert torch.equal(first.clone(), operator.requires_grad_(False)(y))  # the kept one serves outside as well
    assert counted.computed == 1
    operator.requires_grad_(True).train()
    operator(y.requires_grad_()).square().sum().backward()
    assert operator.weight.grad is not None
    torch.optim.SGD(operator.parameters(), lr=1e-4).step()
    with torch.inference_mode():
        torch.testing.assert_close(operator.eval()(y), anew(operator, y), rtol=0, atol=1e-4)
    assert counted.computed == 2


def test_a_module_made_in_inference_mode_evaluates(counted: Counted) -> None:
    with torch.inference_mode():
        operator, y = layer(), rand(2, 3, *SIZE)
        assert torch.equal(operator(y), operator(y))
        assert counted.computed == 1
        operator.weight.mul_(1.5)
        torch.testing.assert_close(operator(y), anew(operator, y), rtol=0, atol=1e-4)
        assert counted.computed == 2


class Cell(nn.Module):
    """A module with nothing in it."""


def visit(cache: TransferCache, module: nn.Module, key: Any, floats: int, computed: list[Any]) -> Tensor:
    def compute() -> Tensor:
        computed.append((module, key))
        return torch.zeros(floats)

    return cache.get(module, key, (), compute)


def test_the_limit_is_held_and_a_cycle_longer_than_it_still_hits() -> None:
    cache, modules, computed = TransferCache(10 * 400), [Cell() for _ in range(16)], []  # type: ignore[var-annotated]
    for _ in range(3):
        for module in modules:
            visit(cache, module, "size", 100, computed)
            assert cache.nbytes <= cache.limit
    assert cache.nbytes == 10 * 400
    # All once, then those six without room twice more. Dropping the oldest would compute all 48 times.
    assert len(computed) == 16 + 2 * 6


def test_another_size_takes_the_room_of_the_last_one() -> None:
    cache, modules, computed = TransferCache(10 * 400), [Cell() for _ in range(10)], []  # type: ignore[var-annotated]
    for key in ("small", "large", "large"):
        for module in modules:
            visit(cache, module, key, 100, computed)
            assert cache.nbytes <= cache.limit
    assert len(computed) == 20


def test_one_by_itself_may_be_larger() -> None:
    cache, modules, computed = TransferCache(400, alone=3), [Cell(), Cell()], []  # type: ignore[var-annotated]
    visit(cache, modules[0], "small", 100, computed)
    for module in modules:
        assert cache.keeps(module, "large", 1200) is (module is modules[0])
        visit(cache, module, "large", 300, computed)
        assert cache.nbytes == 1200
    assert not cache.keeps(modules[0], "huge", 1201)


def test_several_sizes_stay_while_there_is_room() -> None:
    cache, module, computed = TransferCache(3 * 400), Cell(), []  # type: ignore[var-annotated]
    for key in (1, 2, 3, 1, 2, 3):
        visit(cache, module, key, 100, computed)
    assert len(computed) == 3


@pytest.mark.parametrize("limit", [0, 399], ids=["zero", "smaller-than-one"])
def test_what_exceeds_the_limit_is_computed_and_not_kept(limit: int) -> None:
    cache, module, computed = TransferCache(limit), Cell(), []  # type: ignore[var-annotated]
    for _ in range(2):
        assert visit(cache, module, "size", 100, computed).shape == (100,)
    assert len(computed) == 2
    assert cache.nbytes == 0


@pytest.mark.parametrize("limit", [0, ENTRY - 1], ids=["zero", "smaller-than-one"])
def test_a_transfer_function_that_cannot_be_kept_is_never_made_whole(counted: Counted, limit: int) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    counted.cache.limit = limit
    with torch.no_grad():
        assert torch.equal(operator(y), anew(operator, y))
    assert counted.computed == 0
    counted.cache.limit = ENTRY
    assert agrees(operator, y)
    assert counted.computed == 1


def test_where_others_of_its_size_left_no_room_it_is_not_made_whole(counted: Counted) -> None:
    counted.cache.limit = 2 * ENTRY
    operators, y = [layer(seed) for seed in range(3)], rand(2, 3, *SIZE)
    for _ in range(2):
        assert all(agrees(operator, y) for operator in operators)
    assert counted.computed == 2
    assert agrees(operators[2], rand(2, 3, SIZE[0] + 1, SIZE[1]))  # another size takes the room
    assert counted.computed == 3


def test_the_limit_may_be_lowered_later(counted: Counted) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    assert agrees(operator, y)
    counted.cache.limit = 0
    _in_place(operator)
    assert agrees(operator, y)
    assert counted.cache.nbytes == 0


def test_forgetting_frees_the_module_alone(counted: Counted) -> None:
    first, second, y = layer(1), layer(2), rand(2, 3, *SIZE)
    assert agrees(first, y)
    assert agrees(second, y)
    counted.cache.forget(first)
    assert counted.cache.nbytes == ENTRY
    assert agrees(first, y)
    assert counted.computed == 3
    counted.cache.forget(Converse2D(3, 3))  # of which nothing is known


def test_a_module_is_freed_at_once_and_what_was_kept_with_it(counted: Counted) -> None:
    operator, y = layer(), rand(2, 3, *SIZE)
    assert agrees(operator, y)
    weak, parameter = weakref.ref(operator), weakref.ref(operator.weight)
    gc.disable()  # freed without the collector: there is no cycle of references
    try:
        del operator
        assert weak() is None
        assert parameter() is None
        assert counted.cache.nbytes == 0
    finally:
        gc.enable()


def test_the_cache_holds_no_module_through_a_training_step() -> None:
    operator = layer().train()
    operator(rand(2, 3, *SIZE).requires_grad_()).sum().backward()
    weak = weakref.ref(operator)
    gc.disable()
    try:
        del operator
        assert weak() is None
    finally:
        gc.enable()


def test_threads_keep_within_the_limit(counted: Counted) -> None:
    counted.cache.limit = 4 * ENTRY
    modules, images = [layer(i) for i in range(6)], [rand(1, 3, 7, 6 + i) for i in range(3)]
    with torch.no_grad():
        expected = {(m, i): modules[m](images[i]) for m in range(6) for i in range(3)}

    def work(thread: int) -> bool:
        with torch.no_grad():
            pairs = [((thread + n) % 6, (thread * n) % 3) for n in range(60)]
            right = all(torch.equal(modules[m](images[i]), expected[m, i]) for m, i in pairs)
        return right and counted.cache.nbytes <= counted.cache.limit

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_every_operator_shares_one_bounded_cache() -> None:
    assert vars(operators)["TRANSFERS"] is TRANSFERS
    assert TRANSFERS.limit == 48 * 2**20
    operator, before = layer(), TRANSFERS.nbytes
    assert agrees(operator, rand(2, 3, *SIZE))
    assert TRANSFERS.nbytes == before + ENTRY
    TRANSFERS.forget(operator)
    assert TRANSFERS.nbytes == before
