"""Tuning as a suite: what is tried for each entry, and what is refused. Oracle: the document, and counting by hand."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from converse.errors import ConverseError
from converse.experiments.suites.suite import Suite, load_suite, parse_suite
from converse.experiments.suites.tuning import TuningSuite, tuning_suite
from tests.experiments.suites.documents import Changes, changed, read, refusal

GOOD = """
schema = 1
name = "mine"
title = "Mine"
task = "denoising"
seeds = [0, 1]

[data]
train = ["skimage_train"]
test = ["skimage_test"]
validation = { cut = 2 }

[training]
lr = 1e-3

[tuning]
seeds = [7]
grid = { "training.lr" = [1e-3, 2e-3, 4e-3, 8e-3] }
grid_with_lambda = { "training.lr" = [1e-3, 2e-3], "options.operator_options.lam_offset" = [-9.0, -2.0] }

[budgets.smoke]
steps = 4
entries.Reverse = { operator_options = { eps = 1e-4 } }

[[entries]]
name = "Plain"
model = "dncnn"
options = { features = 4, layers = 3 }
training = { clip = 1.0 }

[[entries]]
name = "Reverse"
model = "block-dncnn"
operator = "converse"
options = { features = 4, blocks = 1 }

[[entries]]
name = "Fixed"
model = "block-dncnn"
operator = "converse"
options = { features = 4, blocks = 1, operator_options = { lam = 0.1 } }

[[entries]]
name = "Released"
released = "DnCNN"
"""


def made(text: str = GOOD, changes: Changes | None = None, **options: Any) -> TuningSuite:
    suite = read(changed(text, changes or []))
    return tuning_suite(suite, "smoke", suite.tuning.model_copy(update=options), file="mine.toml")


def test_every_trained_entry_is_tried_with_as_many_settings() -> None:
    plans = made().resolve("smoke")
    tried = {name: [plan for plan in plans if plan.point and plan.point.entry == name] for name in ("Plain", "Reverse")}
    assert [plan.training.lr for plan in tried["Plain"]] == [1e-3, 2e-3, 4e-3, 8e-3]
    assert {plan.training.clip for plan in tried["Plain"]} == {1.0}
    assert [(plan.training.lr, dict(plan.options["operator_options"])) for plan in tried["Reverse"]] == [
        (lr, {"eps": 1e-4, "lam_offset": offset}) for lr in (1e-3, 2e-3) for offset in (-9.0, -2.0)
    ]
    # a fixed λ has no start, and so the grid of those without one
    assert [plan.point.settings for plan in plans if plan.point and plan.point.entry == "Fixed"] == [
        {"training.lr": lr} for lr in (1e-3, 2e-3, 4e-3, 8e-3)
    ]
    assert len(plans) == 12
    assert {(plan.seed, plan.test, plan.budget, plan.suite) for plan in plans} == {(7, (), "smoke", "mine-tuning")}


def test_an_entry_without_a_table_is_tried_with_eight_settings_around_its_own() -> None:
    suite = load_suite("denoising")
    found = tuning_suite(suite, "quick", suite.tuning, file="denoising")
    tried: dict[str, list[dict[str, Any]]] = {}
    for point in found.points.values():
        tried.setdefault(point.entry, []).append(dict(point.settings))
    assert {entry: len(settings) for entry, settings in tried.items()} == dict.fromkeys(
        ("DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN"), 8
    )
    lr = suite.resolve("quick", only=["DnCNN"])[0].training.lr
    assert {one["training.lr"] for one in tried["DnCNN"]} == {lr / 2, lr, lr * 2, lr * 4}
    assert {one["training.start"] for one in tried["DnCNN"]} == {"kair", "torch"}
    assert {one["training.lr"] for one in tried["Converse-DnCNN"]} == {lr, lr * 2}
    assert {one["training.start"] for one in tried["Converse-DnCNN"]} == {"authors", "torch"}
    assert {one["options.operator_options.lam_offset"] for one in tried["Converse-DnCNN"]} == {-9.0, -2.0}


def test_one_entry_is_tried_with_all_its_settings() -> None:
    plans = made().resolve("smoke", only=["reverse"])
    assert [plan.entry for plan in plans][-1] == "Reverse: lr = 0.002, lam_offset = -2.0"
    assert len(plans) == 4
    with pytest.raises(ConverseError, match="suite 'mine': unknown trained entry 'Releasd': known: Fixed, Plain, Rev"):
        made().resolve("smoke", only=["Releasd"])


def test_what_a_budget_leaves_out_is_not_tuned() -> None:
    without = '[budgets.quick]\nsteps = 4\n\n[budgets.smoke]\nwithout = { Plain = "too small" }'
    suite = made(changes=[("[budgets.smoke]", without)])
    assert {point.entry for point in suite.points.values()} == {"Reverse", "Fixed"}


def test_what_is_not_tuned_now_may_have_fewer_settings() -> None:
    suite = read(changed(GOOD, []))
    fewer = suite.tuning.model_copy(update={"grid": {"training.lr": (1e-3,)}})
    found = tuning_suite(suite, "smoke", fewer, file="mine.toml", only=("reverse",))
    assert len(found.resolve("smoke", only=("reverse",))) == 4
    with pytest.raises(ConverseError, match="Plain is tried with 1 setting and Reverse with 4; every entry must get"):
        tuning_suite(suite, "smoke", fewer, file="mine.toml", only=("Plain", "Reverse"))


def test_all_variants_of_an_ablation_are_tuned_alike() -> None:
    suite = load_suite("padding")
    tuning = suite.tuning.model_copy(update={"grid_with_lambda": {"training.lr": (1e-3, 2e-3)}})
    plans = tuning_suite(suite, "smoke", tuning, file="padding").resolve("smoke")
    assert {plan.point.entry for plan in plans if plan.point} == {entry.name for entry in suite.entries}
    assert {plan.options["padding_mode"] for plan in plans if plan.point and plan.point.entry.endswith(": zero")} == {
        "zero"
    }


# What is replaced by what in the good suite, and what is said when it is to be tuned.
REFUSED: dict[str, tuple[Changes, dict[str, Any], str]] = {
    "no-validation": (
        [("validation = { cut = 2 }\n", "")],
        {},
        "mine.toml: there is nothing to choose settings by: set validation in [data] to images that are cut from the "
        "training sets, such as { cut = 4 }",
    ),
    "published-validation": (
        [("{ cut = 2 }", '{ dataset = "set5" }')],
        {},
        "mine.toml: there is nothing to choose settings by: set validation in [data] to images that are cut from the "
        "training sets, such as { cut = 4 }",
    ),
    "seed-of-the-comparison": (
        [],
        {"seeds": (1, 2)},
        "mine.toml: seed 1 is one of the comparison, and settings that it chose would be best for it; tuning has seeds "
        "of its own: --seeds 1000,1001, or seeds in [tuning]",
    ),
    "unequal": (
        [],
        {"grid": {"training.lr": (1e-3, 2e-3)}},
        "mine.toml: Plain is tried with 2 settings and Reverse with 4; every entry must get the same number: change "
        "--grid or --grid-with-lambda, or grid or grid_with_lambda of [tuning]",
    ),
    "out-of-range": (
        [("4e-3, 8e-3]", "4e-3, 8.0]")],
        {},
        "mine.toml: 2 mistakes\n  [tuning]: Plain: lr = 8.0: training.lr: came 8.0; must be ≤ 1\n  [tuning]: Fixed: "
        "lr = 8.0: training.lr: came 8.0; must be ≤ 1",
    ),
    "contradiction": (
        [("lr = 1e-3\n", "lr = 1e-2\nfinal_lr = 1e-3\n"), ("[1e-3, 2e-3, 4e-3, 8e-3]", "[5e-4, 2e-3, 4e-3, 8e-3]")],
        {},
        "mine.toml: 2 mistakes\n  [tuning]: Plain: lr = 0.0005: training.final_lr: came 0.001; must be at most lr, "
        "0.0005 (under [budgets.smoke])\n  [tuning]: Fixed: lr = 0.0005: training.final_lr: came 0.001; must be at "
        "most lr, 0.0005 (under [budgets.smoke])",
    ),
    "unknown-option": (
        [],
        {"grid": {"training.lr": (1e-3,)}, "grid_with_lambda": {"options.operator_options.lamb": (0.5,)}},
        "mine.toml: [tuning]: Reverse: lamb = 0.5: operator_options.lamb: unknown option of operator converse 'lamb': "
        "did you mean 'lam'? known: eps, initial_estimate, kernel_init, lam, lam_offset, lam_shared, padding",
    ),
}


@pytest.mark.parametrize(("changes", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_tuned_is_refused(changes: Changes, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConverseError) as caught:
        made(GOOD, changes, **options)
    assert str(caught.value) == message


def test_an_ablation_is_not_tuned_in_what_it_varies() -> None:
    suite = load_suite("regularization")
    tuning = suite.tuning.model_copy(
        update={"grid": {"training.lr": (1e-3,)}, "grid_with_lambda": {"options.operator_options.lam_offset": (-9.0,)}}
    )
    with pytest.raises(ConverseError, match=r"the ablation varies options\.operator_options\.lam_offset itself; leave"):
        tuning_suite(suite, "smoke", tuning, file="regularization")


AT = '[tuning]: key "grid"'
FIELDS = (
    'expected the path of a field, such as "training.lr", "training.start" or "options.operator_options.lam_offset"'
)
OTHERS = (
    "makes another network or another budget; expected fields such as training.lr, training.start and "
    "options.operator_options.lam_offset"
)
MISTAKES: dict[str, tuple[Changes, str]] = {
    "not-a-field": (
        [('"training.lr" = [1e-3, 2e-3, 4', '"lr" = [1e-3, 2e-3, 4')],
        f'{AT}: came "lr"; did you mean "training.lr"? {FIELDS}',
    ),
    "misspelt-field": (
        [('"training.lr" = [1e-3, 2e-3, 4', '"trainnig.lr" = [1e-3, 2e-3, 4')],
        f'{AT}: came "trainnig.lr"; did you mean "training.lr"? {FIELDS}',
    ),
    "end-of-a-field": (
        [('"options.operator_options.lam_offset" = [-9', '"lam_offset" = [-9')],
        '[tuning]: key "grid_with_lambda": came "lam_offset"; did you mean "options.operator_options.lam_offset"? '
        f"{FIELDS}",
    ),
    "nothing-like-a-field": (
        [('"training.lr" = [1e-3, 2e-3, 4', '"speed" = [1e-3, 2e-3, 4')],
        f'{AT}: came "speed"; {FIELDS}',
    ),
    "another-budget": (
        [('"training.lr" = [1e-3, 2e-3, 4', '"training.steps" = [1, 2, 4')],
        f"{AT}: training.steps {OTHERS}",
    ),
    "another-network": (
        [('"training.lr" = [1e-3, 2e-3, 4', '"options.features" = [1, 2, 4')],
        f"{AT}: options.features {OTHERS}",
    ),
    "nothing": (
        [('grid = { "training.lr" = [1e-3, 2e-3, 4e-3, 8e-3] }', "grid = {}")],
        f'{AT}: came {{}}; expected fields, such as "training.lr"',
    ),
    "no-values": (
        [('"training.lr" = [1e-3, 2e-3, 4e-3, 8e-3]', '"training.lr" = []')],
        '[tuning]: key "grid.training.lr": came []; must not be empty',
    ),
    "unknown-key": (
        [("seeds = [7]", "sedes = [7]")],
        "[tuning]: unknown key 'sedes': did you mean 'seeds'? known: grid, grid_with_lambda, seeds",
    ),
}


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_table_is_said(changes: Changes, message: str) -> None:
    assert refusal(changed(GOOD, changes)) == message


def test_reading_needs_no_torch() -> None:
    suite = parse_suite(tomllib.loads(GOOD), networks=False)
    assert isinstance(suite, Suite)
    assert suite.tuning.seeds == (7,)
