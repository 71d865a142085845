"""The contract. Oracle: the one defect that is written into each operator of `planted.py`, and which check names it.

Every defect is tried on its own check and on those that this one builds on, and a sample of them on all checks. All of
them on all, which takes minutes: CONVERSE_WHOLE=1.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from converse.nn.contract.subject import Defect, NotTried, Subject, evaluated, perturb, pulled, seeded
from converse.nn.contract.table import CONTRACT, Check
from converse.nn.operators import OPERATORS
from tests.nn.contract import planted
from tests.nn.contract.planted import PLANTED, SOUND

BY_NAME = {check.name: check for check in CONTRACT}
ALWAYS = [check for check in CONTRACT if check.option is None]
WHOLE = list(PLANTED) if os.environ.get("CONVERSE_WHOLE") else list(PLANTED)[:: len(PLANTED) // 6]


def held(subject: Subject, checks: Iterable[Check]) -> dict[str, str]:
    """What failed, and what was seen; a check that builds on a failed one is not made."""
    failed: dict[str, str] = {}
    passed: set[str] = set()
    for check in checks:
        if not set(check.needs) <= passed:
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                assert check.run(subject)
            passed.add(check.name)
        except NotTried:
            pass
        except Exception as error:
            failed[check.name] = f"{type(error).__name__}: {error}"
    return failed


def builds_on(names: Iterable[str]) -> list[Check]:
    wanted: set[str] = set()
    ahead = list(names)
    while ahead:
        wanted.add(name := ahead.pop())
        ahead += BY_NAME[name].needs
    return [check for check in ALWAYS if check.name in wanted]


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Planted operators change settings of the process."""
    monkeypatch.setenv("CONVERSE_PLANTED", "")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_the_table_is_in_order() -> None:
    before: set[str] = set()
    groups: list[str] = []
    for check in CONTRACT:
        assert check.name not in before
        assert set(check.needs) <= before, f"{check.name} comes before what it builds on"
        assert check.expected[-1] == check.cure[-1] == "."
        groups += [] if groups[-1:] == [check.group] else [check.group]
        before.add(check.name)
    assert len(set(groups)) == len(groups)
    assert {name for names in PLANTED.values() for name in names} == {check.name for check in ALWAYS}


@pytest.mark.parametrize("name", OPERATORS)
def test_every_registered_operator_keeps_the_contract(name: str) -> None:
    assert held(Subject(OPERATORS[name], scales=(1, 2, 3)), ALWAYS) == {}


OPTIONS: list[dict[str, Any]] = [
    {"initial_estimate": "zero", "padding_mode": "replicate"},
    {"lam": 1e-2, "kernel_init": "delta", "padding": 0},
    {"lam_shared": True, "eps": 1e-3, "padding_mode": "zero"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_reverse_convolution_keeps_it_with_its_options(options: dict[str, Any]) -> None:
    assert held(Subject(OPERATORS["converse"], options, channels=3, kernel_size=4), ALWAYS) == {}


@pytest.mark.parametrize("build", SOUND, ids=lambda build: build.__name__)
def test_a_sound_operator_fails_none(build: Any) -> None:
    assert held(Subject(build), ALWAYS) == {}


@pytest.mark.parametrize("name", PLANTED)
def test_a_defect_is_named_by_its_check(name: str) -> None:
    failed = held(Subject(getattr(planted, name)), builds_on(PLANTED[name]))
    assert failed.keys() == PLANTED[name], failed


@pytest.mark.parametrize("name", WHOLE)
def test_a_defect_is_named_by_no_other_check(name: str) -> None:
    failed = held(Subject(getattr(planted, name)), ALWAYS)
    assert failed.keys() == PLANTED[name], failed


SAID = {
    "Narrow": ("shape", r"must map \[2, 8, 12, 12\] to \[2, 8, 12, 12\], got \[2, 8, 12, 11\]$"),
    "NarrowInEvaluation": ("shape", "in evaluation$"),
    "Pair": ("shape", "must give a tensor, got tuple$"),
    "LosesAColumnWhenEnlarged": (
        "scales",
        r"at scale 2 it must map \[2, 8, 12, 12\] to \[2, 8, 24, 24\], got \[2, 8, 24, 23",
    ),
    "ReflectsTooFar": ("padding modes", "with reflect padding it must map"),
    "OddOnesOnlyAtScale1": (
        "sizes",
        r"on 13×11 pixels at scale 2 it must map \[2, 8, 13, 11\] to \[2, 8, 26, 22\], got",
    ),
    "SqueezesTheBatch": (
        "sizes",
        r"on 19×12 pixels it must map \[1, 8, 19, 12\] to \[1, 8, 19, 12\], got \[8, 19, 12\]$",
    ),
    "SmallOnly": ("sizes", "on 321×481 pixels: ValueError: at most 64×64$"),
    "ReadsMemory": ("layouts", "an input that lies channels last gives another result"),
    "AlwaysSingle": ("dtypes", "float64 gives float32$"),
    "MakesConstantsOnTheCpu": ("device", "beside an input on a GPU it uses tensors of the CPU"),
    "Cancels": ("autocast", r"differs by \d+ % from what it computes in float32$"),
    "DividesByTheNorm": ("finite", r"not finite in evaluation \(an input of zeros\)$"),
    "Overflows": ("finite", r"not finite in evaluation \(an input of size 100\)$"),
    "RootOfNothing": ("finite", r"the gradient of the input is not finite \(an input of size 0.001\)$"),
    "UnusedParameter": ("gradients", "none arrives at gain$"),
    "TimesNothing": ("gradients", "zero everywhere for gain$"),
    "KeepsAWindow": ("training after evaluation", "it uses a tensor again that it made in evaluation"),
    "StartsByNumpy": ("seeded start", "two that are built from one seed differ in conv.weight$"),
    "GrowsABuffer": ("state_dict", 'a state of one does not fit another: .*Unexpected key.*"seen"'),
    "ComputesWithTheFirst": ("deepcopy", "does not show: it computes with those of the first one$"),
    "Seeds": ("settings", "seeds the random numbers of torch"),
    "SetsThreads": ("settings", r"changes the number of threads from \d+ to \d+$"),
    "SetsTheEnvironment": ("settings", "changes variables of the environment: CONVERSE_PLANTED$"),
    "CollectsArrays": ("memory", r"keeps memory: each call holds 32,\d{3} bytes more, .* \(in training\)$"),
    "TalksLater": ("quiet", r'prints "shape \[2, 8, 12, 12\]\\x1b\[2J"$'),
}


@pytest.mark.parametrize("name", SAID)
def test_what_was_seen_is_said(name: str) -> None:
    check, words = SAID[name]
    with pytest.raises(Defect, match=words), contextlib.redirect_stdout(io.StringIO()):
        BY_NAME[check].run(Subject(getattr(planted, name)))


def test_scales_are_claimed_by_not_being_refused_or_by_name() -> None:
    assert BY_NAME["scales"].run(Subject(planted.Plain)) == "scale 1"
    assert BY_NAME["scales"].run(Subject(planted.Shuffles)) == "scales 1, 2, 3, 4"
    with pytest.raises(Defect, match=r"^scale 2 is refused: scale must be 1, got 2$"):
        BY_NAME["scales"].run(Subject(planted.Plain, scales=(1, 2)))


def test_one_that_enlarges_alone_is_looked_at_where_it_says_so() -> None:
    assert held(Subject(planted.EnlargesOnly, scales=(2,)), ALWAYS) == {}
    assert held(Subject(planted.EnlargesOnly), ALWAYS).keys() == {"construction"}


class Ignores(planted.Plain):
    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        super().__init__(channels, kernel_size, 1, padding_mode)


def test_a_scale_that_is_ignored_is_said_and_fails_where_it_is_claimed() -> None:
    assert "takes 2, 3, 4 and ignores it" in BY_NAME["scales"].run(Subject(Ignores))
    with pytest.raises(Defect, match=r"at scale 2 it must map \[2, 8, 12, 12\] to \[2, 8, 24, 24\]"):
        BY_NAME["scales"].run(Subject(Ignores, scales=(2,)))


def test_what_cannot_be_followed_without_a_gpu_is_not_judged() -> None:
    with pytest.raises(NotTried, match="could not be followed without a GPU"):
        BY_NAME["device"].run(Subject(planted.BranchesOnValues))


def test_without_a_cuda_device_that_check_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NotTried, match="there is no CUDA device here"):
        BY_NAME["cuda"].run(Subject(planted.Plain))


class Eager(nn.Module):
    """In the place of what `torch.compile` gives."""

    def __init__(self, module: nn.Module, off: float) -> None:
        super().__init__()
        self.module, self.off = module, off

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.module(x) + self.off  # type: ignore[no-any-return]


def test_compiled_results_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: Eager(module, 0.0))
    assert BY_NAME["compile"].run(Subject(planted.Plain)).startswith("compiled, it trains")
    monkeypatch.setattr(torch, "compile", lambda module, dynamic: Eager(module, 0.1))
    with pytest.raises(Defect, match=r"^compiled, training gives another result \(by up to"):
        BY_NAME["compile"].run(Subject(planted.Plain))


@pytest.mark.gpu
@pytest.mark.parametrize("build", [*OPERATORS.values(), *SOUND], ids=lambda build: build.__name__)
def test_on_a_gpu_a_sound_operator_gives_what_it_gives_here(build: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    assert held(Subject(build), [*builds_on(["cuda"]), BY_NAME["cuda"]]) == {}


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["MakesConstantsOnTheCpu", "HidesAConstant", "HidesALayer"])
def test_on_a_gpu_tensors_of_the_cpu_are_seen_as_they_are_without_one(name: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    assert held(Subject(getattr(planted, name)), [*builds_on(["cuda"]), BY_NAME["cuda"]]).keys() == {"cuda"}


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("CONVERSE_WHOLE"), reason="compiling takes minutes: CONVERSE_WHOLE=1")
@pytest.mark.parametrize("build", [*OPERATORS.values(), planted.Plain], ids=lambda build: build.__name__)
def test_a_sound_operator_compiles(build: Any) -> None:
    assert held(Subject(build), [*builds_on(["compile"]), BY_NAME["compile"]]) == {}


def test_random_numbers_are_put_back_and_drawn_alike() -> None:
    draws: list[list[float]] = []
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    for _ in range(2):
        with seeded(3):
            draws.append([float(torch.rand(())), float(np.random.rand()), random.random()])  # noqa: NPY002
    assert draws[0] == draws[1]
    assert torch.equal(torch.rand(2), expected)


def test_helpers_of_the_checks() -> None:
    subject = Subject(planted.Plain, channels=2, kernel_size=9)
    assert subject.input().shape == (2, 2, 18, 18)
    one, other = subject.make(), subject.make()
    assert torch.equal(one.conv.weight, other.conv.weight)  # type: ignore[union-attr, arg-type]
    perturb(one)
    assert not torch.equal(one.conv.weight, other.conv.weight)  # type: ignore[union-attr, arg-type]
    perturb(other)
    assert torch.equal(one.conv.weight, other.conv.weight)  # type: ignore[union-attr, arg-type]
    seen = pulled(one, subject.input())
    assert seen.parameters.keys() == {"conv.weight", "conv.bias"}
    assert not evaluated(one, subject.input()).requires_grad
    with pytest.raises(Defect, match="gives a tuple, expected a tensor"):
        evaluated(Subject(planted.Pair).make(), Subject(planted.Pair).input())


def test_an_operator_that_is_a_partial_is_one() -> None:
    assert (
        held(Subject(partial(planted.Plain, padding_mode="zero"), {"padding_mode": "zero"}), builds_on(["sizes"])) == {}
    )
