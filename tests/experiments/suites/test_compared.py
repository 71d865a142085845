"""Suites of comparisons. Oracle: the suites and ablations that they are made from, as they train without them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from converse.errors import OptionError
from converse.experiments.suites.compared import REVERSE, RIVALS, ComparedSuite, Contender, compared_suite
from converse.experiments.suites.operator_names import named
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.suite import load_suite, parse_suite
from converse.experiments.suites.tables import Tuning
from converse.experiments.suites.tuning import tuning_suite

load = cache(load_suite)


def made(operator: str = "mine.py:Mine", base: str = "denoising", **changes: Any) -> ComparedSuite:
    return compared_suite(load(base), Contender(named(operator), **changes), shown_as=base)


def plans(suite: ComparedSuite, budget: str = "quick", **chosen: Any) -> dict[str, RunPlan]:
    return {suite.names[plan.entry]: plan for plan in suite.resolve(budget, seeds=[0], **chosen)}


def test_nothing_but_the_operator_differs() -> None:
    suite = made()
    found = plans(suite)
    assert list(found) == ["Mine", REVERSE, *RIVALS]
    base = next(plan for plan in load("denoising").resolve("quick", seeds=[0]) if plan.entry == "Converse-DnCNN")
    assert found[REVERSE].configuration() == base.configuration()
    for label, operator in {"Mine": f"{Path('mine.py').absolute()}:Mine", **RIVALS}.items():
        assert found[label].operator == operator
        ours, theirs = found[label].configuration(), base.configuration()
        assert {name for name in ours if ours[name] != theirs[name]} == {"operator"}
    assert [(one.entry, suite.names[one.base]) for one in suite.contrasts()] == [
        (suite.own, REVERSE),
        *((suite.own, label) for label in RIVALS),
    ]


@pytest.mark.parametrize(
    ("task", "ablation", "variants"),
    [
        ("denoising", "matched_denoising", ("Conv blocks", "ConvT blocks")),
        ("super_resolution", "matched_super_resolution", ("Conv blocks", "ConvT blocks")),
    ],
)
def test_rivals_are_the_trainings_of_the_matched_ablations(task: str, ablation: str, variants: tuple[str, ...]) -> None:
    matched = {plan.entry: plan.configuration() for plan in load(ablation).resolve("quick", seeds=[0])}
    found = plans(made(base=task))
    base = found[REVERSE].entry
    assert [found[label].configuration() for label in RIVALS] == [matched[f"{base}: {name}"] for name in variants]


def test_in_deblurring_the_first_network_with_reverse_convolution_is_the_base() -> None:
    found = plans(made(base="deblurring"), "standard")
    assert {plan.model for plan in found.values()} == {"block-net"}
    assert found[REVERSE].entry == "ConverseNet"


def test_reverse_convolution_under_its_own_name_is_the_same_training() -> None:
    for base in ("denoising", "quickstart", "super_resolution", "deblurring"):
        found = plans(made("converse", base), "smoke")
        assert found["converse"].configuration() == found[REVERSE].configuration()


def test_options_of_reverse_convolution_are_for_nobody_else() -> None:
    found = plans(made(base="quickstart"))
    assert found[REVERSE].options["operator_options"] == {"lam_offset": -2.0}
    assert all("operator_options" not in found[label].options for label in ("Mine", *RIVALS))
    learning = plans(made(base="quickstart", learns_lambda=True))
    assert learning["Mine"].options["operator_options"] == {"lam_offset": -2.0}


def test_options_beside_the_name_are_the_operators_and_stand_over_the_budget() -> None:
    suite = made("mine.py:Mine?groups=2&kernel_size=7")
    found = plans(suite)
    own = found["Mine (groups = 2, kernel_size = 7)"]
    assert own.options["operator_options"] == {"groups": 2}
    assert (own.options["kernel_size"], found[REVERSE].options["kernel_size"]) == (7, 5)
    assert "but kernel_size of Mine" in suite.description
    over = plans(made("converse?lam_offset=-5.0", "quickstart"))["converse (lam_offset = -5.0)"]
    assert over.options["operator_options"] == {"lam_offset": -5.0}


def test_widths_stand_over_the_budget() -> None:
    found = plans(made(widths={"Mine": 15}))
    assert [plan.options["features"] for plan in found.values()] == [15, 16, 16, 16]


def test_others_may_have_seeds_of_their_own() -> None:
    suite = made(other_seeds=(5, 6))
    seeds: dict[str, list[int | None]] = {suite.names[plan.entry]: [] for plan in suite.resolve("quick", seeds=[0, 1])}
    for plan in suite.resolve("quick", seeds=[0, 1]):
        seeds[suite.names[plan.entry]].append(plan.seed)
    assert seeds == {"Mine": [0, 1], REVERSE: [5, 6], **{label: [5, 6] for label in RIVALS}}
    with pytest.raises(OptionError, match="2 seeds for the others and 3 for Mine: they are paired in order"):
        suite.resolve("quick", seeds=[0, 1, 2])


@pytest.mark.parametrize("learns", [False, True])
def test_all_are_tuned_with_as_many_settings(learns: bool) -> None:
    suite = made(learns_lambda=learns)
    tuned = tuning_suite(suite, "quick", Tuning(), file="denoising")
    fields: dict[str, list[list[str]]] = {}
    for point in tuned.points.values():
        fields.setdefault(suite.names[point.entry], []).append(sorted(point.settings))
    assert {label: len(points) for label, points in fields.items()} == dict.fromkeys(suite.names.values(), 8)
    with_lambda = ["options.operator_options.lam_offset", "training.lr", "training.start"]
    assert (fields["Mine"][0] == with_lambda) is learns
    assert fields[REVERSE][0] == with_lambda
    assert fields["depthwise convolution"][0] == ["training.lr", "training.start"]


def test_a_fixed_lambda_is_not_tuned() -> None:
    suite = made("mine.py:Mine?lam=0.1", learns_lambda=True)
    tuned = tuning_suite(suite, "quick", Tuning(), file="denoising")
    assert {tuple(point.settings) for point in tuned.points.values() if point.entry == suite.own} == {
        ("training.lr", "training.start")
    }


PLAIN = {
    "schema": 1,
    "name": "plain",
    "title": "Plain",
    "task": "denoising",
    "seeds": [0],
    "data": {"train": ["skimage_train"], "test": ["skimage_test"]},
    "budgets": {"smoke": {"steps": 1}},
    "entries": [{"name": "DnCNN", "model": "dncnn"}],
}


@pytest.mark.parametrize(
    ("operator", "base", "message"),
    [
        ("wien", "denoising", "operator 'wien': unknown operator 'wien': known: conv, converse, convt"),
        ("mine.py", "denoising", "unknown operator 'mine.py': .*; or path/to/file.py:Class for one of your own"),
        ("mine.py: Mine", "denoising", "came .mine.py: Mine.; expected a registered name, package.module:Class or"),
        ("mine.py:Mine?scale=2", "denoising", "scale is set by the model"),
        ("conv?groups=2", "denoising", "unknown option of operator conv 'groups'"),
        ("mine.py:Mine", "padding", "padding is an ablation; a comparison is made from a suite with entries"),
    ],
)
def test_what_cannot_be_compared_is_said(operator: str, base: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        made(operator, base)


def test_a_suite_without_reverse_convolution_has_no_place_for_another_operator() -> None:
    with pytest.raises(OptionError, match="plain trains no network with reverse convolution"):
        compared_suite(parse_suite(PLAIN), Contender(named("mine.py:Mine")), shown_as="plain")
