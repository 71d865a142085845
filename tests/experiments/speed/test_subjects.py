"""Oracles: the operators called by hand, hand-counted parameters, the clock for orders of magnitude."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from converse.errors import OptionError
from converse.experiments.speed.cases import HALF_SPECTRUM, LIMIT, LITERAL, YARDSTICK, Case, Subject
from converse.experiments.speed.subjects import TransformPair, prepare
from converse.experiments.speed.suite import groups, load_speed_suite
from converse.experiments.speed.timing import seconds_per_call
from converse.nn.models import MODELS
from converse.nn.operators import OPERATORS

CASE = Case("size", "evaluation", 3, 5, 2, 2, 9, 8)
SUBJECTS = [
    *(Subject(name, "operator", name) for name in (*OPERATORS, LITERAL, HALF_SPECTRUM)),
    Subject(LIMIT, "limit", LIMIT),
    Subject(YARDSTICK, "network", YARDSTICK),
    Subject("net", "network", "converse", "block-dncnn", {"features": 2, "blocks": 1}),
    Subject("net, literal", "network", "converse", "block-dncnn", {"features": 2, "blocks": 1}, formula=LITERAL),
    Subject("net, half", "network", "converse", "block-dncnn", {"features": 2, "blocks": 1}, formula=HALF_SPECTRUM),
    Subject("usrnet", "network", None, "usrnet", {"features": [2, 2, 2, 2], "blocks": 1, "iterations": 1}),
]


def case_for(subject: Subject, pass_: str) -> Case:
    changes = {**vars(CASE), "pass_": pass_}
    if subject.kind == "network":
        channels = 3 if subject.model == "usrnet" else 1
        changes |= {"channels": channels, "scale": 1, "kernel_size": None, "height": 16, "width": 16}
    return Case(**changes)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("pass_", ["evaluation", "forward", "forward+backward", "step"])
@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_every_subject_can_do_every_pass(subject: Subject, pass_: str, dtype: str) -> None:
    if pass_ == "step" and subject.kind != "network":
        pytest.skip("an operator alone is not trained")
    work = prepare(subject, Case(**{**vars(case_for(subject, pass_)), "dtype": dtype}))
    found = work.call()
    if pass_ in ("evaluation", "forward"):
        assert isinstance(found, torch.Tensor)
        assert not found.requires_grad
    elif pass_ == "forward+backward":
        assert isinstance(found, tuple)
        assert found[0] is not None


NETWORKS = {
    (subject.model, subject.operator, subject.formula): subject
    for group in groups(load_speed_suite("speed"), "standard")
    for subject in group.subjects
    if subject.model is not None
}
SMALL: dict[str, Any] = {"usrnet": {"features": [2, 2, 2, 2], "blocks": 1, "iterations": 1}}


def test_the_suite_has_the_networks_of_every_task() -> None:
    assert {model for model, _, _ in NETWORKS} == set(MODELS)
    assert {("block-usrnet", "converse", None), ("block-usrnet", "conv", None)} <= NETWORKS.keys()


@pytest.mark.parametrize("subject", NETWORKS.values(), ids=lambda subject: subject.name)
def test_every_network_of_the_suite_can_be_called(subject: Subject) -> None:
    options = {**subject.options, **SMALL.get(subject.model or "", {})}
    channels = 1 if subject.model in ("dncnn", "block-dncnn") else 3
    case = Case("size", "evaluation", channels, None, 1, 1, 16, 16)
    assert isinstance(prepare(dataclasses.replace(subject, options=options), case).call(), torch.Tensor)


def test_operators_compute_what_they_compute() -> None:
    found = prepare(Subject("converse", "operator", "converse"), CASE).call()
    torch.manual_seed(0)
    operator = OPERATORS["converse"](3, 5, scale=2)
    torch.testing.assert_close(found, operator(torch.rand(2, 3, 9, 8)).detach())
    literal = prepare(Subject("literal", "operator", LITERAL), CASE).call()
    torch.testing.assert_close(literal, found, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("scale", [1, 2])
def test_the_limit_makes_as_many_transforms_as_the_closed_form(scale: int) -> None:
    y = torch.randn(1, 2, 6, 7)
    found = TransformPair(scale)(y)
    assert found.numel() == scale**2 * y.numel()
    torch.testing.assert_close(found.reshape(scale**2, *y.shape), y.expand(scale**2, *y.shape), rtol=1e-5, atol=1e-5)
    counted = prepare(Subject(LIMIT, "limit", LIMIT), Case("size", "evaluation", 3, 5, scale, 2, 8, 8)).count()
    n = 16 * 16  # 8 and a padding of 4 on each side
    assert counted == pytest.approx(2 * 3 * (1 + scale**2) * 1.25 * n * math.log2(n))


def test_counts() -> None:
    work = prepare(Subject("conv", "operator", "conv"), Case("size", "evaluation", 3, 5, 1, 2, 10, 8))
    assert work.parameters == 3 * 25 + 3
    assert work.count() == 2 * 3 * 10 * 8 * 25


def test_a_users_operator(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("from converse import Converse2D\nclass Mine(Converse2D):\n    pass\n")
    found = prepare(Subject("mine", "operator", f"{file}:Mine"), CASE).call()
    torch.testing.assert_close(found, prepare(Subject("converse", "operator", "converse"), CASE).call())
    with pytest.raises(OptionError, match="unknown operator"):
        prepare(Subject("mine", "operator", "mine"), CASE)


def test_time_grows_with_the_work() -> None:
    def seconds(size: int) -> float:
        matrix = torch.rand(size, size)
        return seconds_per_call(lambda: matrix @ matrix, 3, device="cpu", threads=1)

    assert 0 < seconds(8) < seconds(512) < 10
