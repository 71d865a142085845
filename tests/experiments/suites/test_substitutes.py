"""Another operator in the place of reverse convolution. Oracle: the entry written out by hand."""

from __future__ import annotations

from converse.experiments.suites.substitutes import with_operator
from converse.experiments.suites.suite import load_suite


def test_options_of_the_operator_come_over_those_of_the_entry() -> None:
    suite = with_operator(load_suite("denoising"), "smoke", "mine.py:Mine?kernel_size=7&groups=2")
    (plan,) = suite.resolve("smoke", seeds=[0])
    assert plan.operator is not None
    assert plan.operator.endswith("/mine.py:Mine")
    assert plan.options["kernel_size"] == 7
    assert plan.options["operator_options"] == {"groups": 2}
