"""Work that threads share. Oracle: the same work by one of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from converse.nn import worker_threads
from converse.nn.channel_groups import shares
from converse.nn.functional import apply_transfer, converse2d, transfer
from converse.nn.worker_threads import each, thread_count

LIKE = torch.zeros(1)


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(worker_threads, "LEAST_SHARE", 1)  # the tensors here are small
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


def met(work: Callable[[], Any]) -> Callable[[int], Any]:
    """The work, once two threads are at it."""
    both = threading.Barrier(2, timeout=10)

    def wait_and_work(piece: int) -> Any:
        if piece < 2:
            both.wait()
        return work()

    return wait_and_work


def test_results_have_the_order_of_the_pieces() -> None:
    assert each(lambda piece: piece**2, range(100), LIKE) == [piece**2 for piece in range(100)]
    assert each(lambda piece: piece, [], LIKE) == []


def test_each_thread_computes_by_itself_in_the_modes_of_the_caller() -> None:
    def modes() -> tuple[Any, ...]:
        cast = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None
        graph = torch.is_grad_enabled()
        return threading.get_ident(), torch.get_num_threads(), graph, torch.is_inference_mode_enabled(), cast

    for inference in (False, True):
        for cast in (None, torch.bfloat16):
            mode = torch.inference_mode() if inference else torch.no_grad()
            with mode, torch.autocast("cpu", dtype=cast, enabled=cast is not None):
                found = each(met(modes), range(4), LIKE)
            assert len({thread for thread, *_ in found}) == 2
            assert {tuple(told) for _, *told in found} == {(1, False, inference, cast)}


def test_what_is_begun_later_has_all_threads() -> None:
    each(met(int), range(4), LIKE)
    found: list[int] = []
    late = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    late.start()
    late.join()
    assert found == [2]


def test_nobody_waits_for_who_has_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Callable[[], None]] = []
    monkeypatch.setattr(worker_threads._Helpers, "ask", lambda self, task, number: asked.append(task))
    assert each(lambda piece: piece, range(6), LIKE) == list(range(6))
    (late,) = asked
    late()  # finds the work done


@pytest.mark.parametrize("fails", [0, 5])
def test_an_error_reaches_the_caller_and_ends_the_work(fails: int) -> None:
    done = []

    def work(piece: int) -> None:
        if piece == fails:
            raise ZeroDivisionError(piece)
        time.sleep(1e-3)
        done.append(piece)

    with pytest.raises(ZeroDivisionError, match=str(fails)):
        each(work, range(1000), LIKE)
    assert len(done) < 999


def test_work_that_is_shared_already_is_not_shared_again() -> None:
    def inner() -> int:
        return len({threading.get_ident() for _ in each(lambda piece: piece, range(4), LIKE)})

    assert each(met(inner), range(4), LIKE) == [1] * 4


def test_pieces_are_shared_only_where_that_keeps_threads_busy() -> None:
    def alone(pieces: int) -> bool:
        return set(each(lambda piece: torch.get_num_threads(), range(pieces), LIKE)) == {2}

    assert [alone(pieces) for pieces in (1, 2, 3, 4, 5)] == [True, False, True, False, False]


def test_a_thread_has_enough_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_threads, "LEAST_SHARE", 40)
    assert [thread_count(torch.zeros(number)) for number in (10, 19, 20, 100)] == [1, 1, 2, 2]


def test_what_is_observed_or_without_values_stays_in_its_thread() -> None:
    assert thread_count(LIKE) == 2
    assert thread_count(LIKE.to("meta")) == 1
    with FlopCounterMode(display=False):
        assert thread_count(LIKE) == 1
    with torch.device("cpu"):
        assert thread_count(LIKE) == 1
    with torch.autograd.profiler.profile():
        assert thread_count(LIKE) == 1
    assert torch.func.vmap(lambda x: x * thread_count(x))(torch.ones(3)).tolist() == [1, 1, 1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing is forked here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    each(met(int), range(4), LIKE)
    child = os.fork()
    if child == 0:
        os._exit(0 if each(met(lambda: 1), range(4), LIKE) == [1] * 4 else 1)
    deadline = time.monotonic() + 20
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended == (child, 0)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize(("kernel_size", "scale"), [(3, 1), (5, 2), (3, 3)], ids=["scale-1", "scale-2", "small"])
def test_the_operator_and_its_gradients_are_those_of_one_thread(kernel_size: int, scale: int, samples: int) -> None:
    numbers = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=numbers).requires_grad_()

    y, weight, grad = (
        rand(samples, 8, 12, 11),
        rand(1, 8, kernel_size, kernel_size),
        rand(samples, 8, 12 * scale, 11 * scale),
    )
    lam = rand(1, 8, 1, 1).detach().abs().requires_grad_()
    size = (12 + 2 * 2, 11 + 2 * 2)

    def results() -> list[Tensor]:
        x = converse2d(y, weight, lam, scale=scale, padding=2)
        with torch.inference_mode():
            kept = transfer(weight, lam, size, scale)
            evaluated = apply_transfer(y, kept, 2)
            forward = converse2d(y, weight, lam, scale=scale, padding=2)
        return [x.detach(), *torch.autograd.grad(x, (y, weight, lam), grad.detach()), kept, evaluated, forward]

    assert len(shares(y, weight, size)) % 2 == 0
    found = results()
    torch.set_num_threads(1)
    expected = results()
    torch.set_num_threads(2)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_backward_has_the_groups_of_forward_whatever_threads_there_are() -> None:
    y = torch.rand(1, 6, 8, 8, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(1, 6, 3, 3, dtype=torch.float64, requires_grad=True)

    def gradients(before: int, behind: int) -> tuple[Tensor, ...]:
        torch.set_num_threads(before)
        x = converse2d(y, weight, 0.1, padding=2)
        torch.set_num_threads(behind)
        return torch.autograd.grad(x.pow(2).sum(), (y, weight))

    expected = gradients(1, 1)
    for before, behind in ((2, 1), (1, 2)):
        for one, other in zip(gradients(before, behind), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    torch.set_num_threads(2)
