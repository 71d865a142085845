"""Rates: the oracle is arithmetic on rows, tables and times that are made up here."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from torch.utils.flop_counter import FlopCounterMode

from converse.errors import OptionError
from converse.experiments.running import throughput
from converse.experiments.running.throughput import device_of, devices, kind, rates_here, rates_of, yardstick
from converse.experiments.suites.suite import load_suite

(PLAN,) = load_suite("denoising").resolve("paper", seeds=(0,), only=("Converse-DnCNN",))
ROW: dict[str, Any] = {
    "subject": "Converse-DnCNN",
    "kind": "network",
    "dtype": "float32",
    "compiled": False,
    "scale": 1,
    "batch": 2,
    "height": 10,
    "width": 10,
    "multiply_adds": 200 * 1e6,
    "median_s": 0.5,
    "pass": "evaluation",
}


@pytest.fixture(autouse=True)
def _slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A yardstick of 10⁹ multiply-adds a second."""
    monkeypatch.setattr(throughput, "_timed_yardstick", lambda device: 1e9)


def test_rows_of_speed_come_first_and_a_step_counts_three_times() -> None:
    step = {**ROW, "pass": "step", "median_s": 2.0}
    strange = [{**ROW, "subject": "DnCNN"}, {**ROW, "compiled": True}, {**ROW, "multiply_adds": 1.0}]
    failed = [{**ROW, "median_s": None}, {**ROW, "kind": "operator"}]
    rate = rates_here("cpu", [ROW, step, *strange, *failed])(PLAN, 1e6)
    assert (rate.slow, rate.fast, rate.source) == (3e8, 4e8, "speed")
    assert rate.seconds(1.2e9) == (3, 4)


def test_without_rows_the_yardstick_is_multiplied_by_what_such_networks_reach() -> None:
    table = throughput._table()
    low, high = sorted(table.efficiency[kind(PLAN)])
    here = rates_here("cpu", [{**ROW, "multiply_adds": 1.0}])
    assert here(PLAN, low[0]).slow == pytest.approx(1e9 * low[1] * table.spread[0])
    assert here(PLAN, high[0] * 10).fast == pytest.approx(1e9 * high[1] * table.spread[1])
    between = here(PLAN, (low[0] * high[0]) ** 0.5)
    assert between.fast / table.spread[1] == pytest.approx(1e9 * (low[1] * high[1]) ** 0.5)
    assert between.source == "yardstick"


def test_a_device_that_is_not_here_is_known_by_its_peak_and_a_wide_range() -> None:
    rate = rates_of(device_of("h100"))(PLAN, 1e6)
    assert rate.source == "table"
    assert rate.fast < device_of("H100").tflops * 1e12 / 2
    assert rate.fast / rate.slow > 10
    with pytest.raises(OptionError, match="did you mean 'H100'"):
        device_of("H10")
    assert all(device.source for device in devices().values())


def test_every_network_of_the_suites_has_an_efficiency_and_an_unknown_one_the_range_of_all() -> None:
    for suite in ("denoising", "super_resolution", "deblurring"):
        for plan in load_suite(suite, networks=False).resolve("quick", seeds=(0,)):
            assert kind(plan) in throughput._table().efficiency, plan.entry
    mine = rates_here("cpu", [])(replace(PLAN, operator="mine.py:Mine"), 1e5)
    known = rates_here("cpu", [])(PLAN, 1e5)
    assert mine.slow <= known.slow < known.fast <= mine.fast


def test_the_yardstick_says_what_it_costs() -> None:
    """Oracle: PyTorch's counter, for which a multiply-add is two operations."""
    step, multiply_adds = yardstick("cpu")
    with FlopCounterMode(display=False) as counter:
        step()
    assert 2 * multiply_adds == counter.get_total_flops()
