"""Widths for equal costs. Oracles: every width tried one by one, and parameters counted by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.errors import OptionError
from converse.experiments.running.watched import width_for
from converse.experiments.running.widths import WIDEST, matched_width, nearest_width
from converse.experiments.suites.compared import REVERSE, Contender, compared_suite
from converse.experiments.suites.operator_names import named
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import load_suite
from converse.nn.models import create_model, parameter_count

OPERATOR = """
from torch import nn

class Dense(nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular"):
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2)

    def forward(self, y):
        return self.mix(y)
"""


@given(
    st.integers(1, 200),
    st.floats(0.1, 10),
    st.floats(0, 50),
    st.floats(1, 20_000),
)
def test_the_nearest_of_all_widths_is_found(start: int, square: float, line: float, target: float) -> None:
    def cost(width: int) -> float:
        return square * width**2 + line * width

    found = nearest_width(cost, target, start)
    assert abs(found.cost - target) == min(abs(cost(width) - target) for width in range(1, 500))
    assert found.cost == cost(found.width)
    assert found.difference == pytest.approx(found.cost / target - 1)


def test_a_width_that_costs_as_much_stays() -> None:
    tried: list[int] = []

    def cost(width: int) -> float:
        tried.append(width)
        return float(width)

    assert nearest_width(cost, 16.0, 16).width == 16
    assert tried == [16]


def test_no_width_costs_enough() -> None:
    assert nearest_width(lambda width: 1.0, 5.0, 16).width <= WIDEST


@pytest.fixture
def plans(tmp_path: Path) -> dict[str, RunPlan]:
    (tmp_path / "mine.py").write_text(OPERATOR)
    operator = Contender(named(f"{tmp_path / 'mine.py'}:Dense"))
    suite = compared_suite(load_suite("quickstart"), operator, shown_as="quickstart")
    return {suite.names[plan.entry]: plan for plan in suite.resolve("smoke", seeds=[0])}


def test_parameters_are_made_as_equal_as_a_whole_number_can(plans: dict[str, RunPlan]) -> None:
    found = matched_width(plans["Dense"], plans[REVERSE], "parameters", "cpu")
    base = parameter_count(create_model(plans[REVERSE].model, "converse", **plans[REVERSE].options))
    assert found.target == base
    # 1×1 head and tail, norms, two 1×1 convolutions in each of two halves, and a dense 5×5 convolution of 2C channels
    counts = {
        c: 2 * c + c + 1 + 2 * (2 * c + 2 * c * c + 2 * c + 2 * c * c + c) + 25 * 4 * c * c + 2 * c for c in (1, 2, 3)
    }
    assert found.width == min(counts, key=lambda c: abs(counts[c] - base))
    assert found.cost == counts[found.width]
    watched = width_for(plans["Dense"], plans[REVERSE], "parameters", "cpu", 1)
    assert watched == found


def test_multiply_adds_and_time_are_costs_too(plans: dict[str, RunPlan]) -> None:
    conv = plans["depthwise convolution"]
    multiply_adds = matched_width(conv, plans[REVERSE], "multiply-adds", "cpu")
    assert multiply_adds.width > conv.options["features"]
    assert abs(multiply_adds.difference) < 0.2
    assert matched_width(conv, conv, "multiply-adds", "cpu").width == conv.options["features"]
    assert matched_width(conv, plans[REVERSE], "time", "cpu").target > 0


def test_a_network_without_a_width_is_refused(plans: dict[str, RunPlan]) -> None:
    strange = dataclasses.replace(plans[REVERSE], model="usrnet", operator=None, options={})
    with pytest.raises(OptionError, match="usrnet has no option 'features' that could be matched: leave out --match"):
        matched_width(strange, plans[REVERSE], "parameters", "cpu")


def test_an_operator_that_cannot_be_built_is_named(plans: dict[str, RunPlan]) -> None:
    broken = dataclasses.replace(plans["Dense"], options={**plans["Dense"].options, "operator_options": {"gain": 1}})
    with pytest.raises(OptionError, match=r"entry 'Converse-DnCNN: Dense': .*gain"):
        width_for(broken, plans[REVERSE], "parameters", "cpu", 1)
