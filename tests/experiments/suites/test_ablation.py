"""Ablations: what a file may say, what a mistake in it is answered with, and that equal values are equal trials.

Oracle of the messages is the reader: each is written out here. That two spellings are one network is held against the
networks themselves, built under one seed and applied to one image.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from converse.analysis.effects import ITSELF
from converse.analysis.noise_floor import NOISE_FLOOR
from converse.analysis.published import published
from converse.content import content
from converse.data.images import image_set
from converse.errors import OptionError, SuiteError
from converse.experiments.running.jobs import trained_trial
from converse.experiments.suites.plans import RunPlan, resolved_options
from converse.experiments.suites.suite import Suite, load_suite, suites
from converse.experiments.suites.vocabulary import models
from converse.experiments.training.learner import initialised
from converse.nn.models import MODELS, create_model, takes_operator
from converse.nn.operators import OPERATORS
from converse.workflows.run import run as carry_out
from converse.workflows.run_request import RunRequest
from tests.experiments.suites.documents import Changes, Slip, answered, changed, read, refusal, slipped, slips

GOOD = """
schema = 1
name = "mine"
title = "My ablation"
published = "padding"

[base]
suite = "denoising"
entry = "Converse-DnCNN"
published = "circular"

[[vary]]
field = "options.padding_mode"
values = ["circular", "zero"]

[[vary]]
field = "options.operator_options.eps"
values = [1e-3, 1e-7]
labels = ["large", "small"]

[[variants]]
label = "bare"
set.options.design = { norm = false, residual = false }
set.training.lr = 1e-4
"""

ABLATIONS = sorted(path.stem for path in content("ablations").glob("*.toml"))
DENOISING = "Conv-DnCNN, ConvT-DnCNN, Converse-DnCNN, DnCNN"
TABLES = (
    "initial_estimate.denoising, initial_estimate.super_resolution, kernel_init, kernel_size, padding"
    " (tables [ablation.…] of reports/published.toml)"
)
PATHS = (
    'expected the path of a field, such as "options.kernel_size", "options.operator_options.eps", "training.lr" or '
    '"operator"'
)

# What is replaced by what in the good ablation, and the message after the file's name.
MISTAKES: dict[str, tuple[Changes, str]] = {
    "unknown-key": (
        [("[[variants]]", "[[variant]]")],
        "unknown key 'variant': did you mean 'variants'? known: base, baseline_within, comparisons, description, "
        "name, published, schema, seeds, title, variants, vary",
    ),
    "unknown-key-in-vary": (
        [("labels =", "lables =")],
        "[[vary]] #2 \"options.operator_options.eps\": unknown key 'lables': did you mean 'labels'? known: field, "
        "grid, labels, published, values",
    ),
    "missing-title": ([('title = "My ablation"\n', "")], 'key "title": missing; expected a heading'),
    "newer-schema": (
        [("schema = 1", "schema = 2")],
        'key "schema": came 2; this version of converse reads schema 1',
    ),
    "missing-entry": (
        [('entry = "Converse-DnCNN"\n', "")],
        '[base]: key "entry": missing; expected the name of an entry of that suite',
    ),
    "unknown-suite": (
        [('"denoising"', '"denoisin"')],
        "[base]: key \"suite\": unknown suite 'denoisin': did you mean 'denoising'? known: "
        + ", ".join(sorted(suites()))
        + f"; and there is no such file in {Path.cwd()}",
    ),
    "ablation-of-an-ablation": (
        [('"denoising"', '"padding"')],
        '[base]: key "suite": ablations/padding.toml is an ablation itself; expected a suite with entries',
    ),
    "unknown-entry": (
        [('entry = "Converse-DnCNN"', 'entry = "Convers-DnCNN"')],
        "[base]: key \"entry\": unknown entry of denoising 'Convers-DnCNN': did you mean 'Converse-DnCNN'? known: "
        + DENOISING,
    ),
    "unknown-published-table": (
        [('published = "padding"', 'published = "pading"')],
        f"key \"published\": unknown table 'pading': did you mean 'padding'? known: {TABLES}",
    ),
    "unknown-published-row": (
        [('label = "bare"', 'label = "bare"\npublished = "zeros"')],
        "[[variants]] #1 \"bare\": key \"published\": unknown row of ablation.padding 'zeros': did you mean 'zero'? "
        "known: circular, reflect, replicate, zero",
    ),
    "unknown-published-row-of-a-value": (
        [('["circular", "zero"]', '["circular", "zero"]\npublished = ["circular", "zeros"]')],
        '[[vary]] #1 "options.padding_mode": key "published[2]": unknown row of ablation.padding \'zeros\': did you '
        "mean 'zero'? known: circular, reflect, replicate, zero",
    ),
    "unknown-published-row-of-the-base": (
        [('published = "circular"', 'published = "round"')],
        "[base]: key \"published\": unknown row of ablation.padding 'round': known: circular, reflect, replicate, zero",
    ),
    "published-row-without-table": (
        [('published = "padding"\n', "")],
        '[base]: key "published": the ablation names no published table; set published at the top',
    ),
    "not-a-path": (
        [('"options.padding_mode"', '"padding_mode"')],
        f'[[vary]] #1 "padding_mode": key "field": came "padding_mode"; {PATHS}',
    ),
    "unknown-option": (
        [('"options.padding_mode"', '"options.paddin_mode"')],
        '[[vary]] #1 "options.paddin_mode": key "field": unknown option of block-dncnn \'paddin_mode\': did you mean '
        "'padding_mode'? known: blocks, design, features, in_channels, kernel_size, operator_options, padding_mode",
    ),
    "unknown-operator-option": (
        [("operator_options.eps", "operator_options.epps")],
        '[[vary]] #2 "options.operator_options.epps": key "field": unknown option of operator converse \'epps\': did '
        "you mean 'eps'? known: eps, initial_estimate, kernel_init, lam, lam_offset, lam_shared, padding",
    ),
    "unknown-value": (
        [('["circular", "zero"]', '["circular", "zeros"]')],
        "[[vary]] #1 \"options.padding_mode\": key \"values[2]\": unknown word 'zeros': did you mean 'zero'? known: "
        "circular, reflect, replicate, zero (option of block-dncnn)",
    ),
    "text-for-number": (
        [("[1e-3, 1e-7]", '[1e-3, "1e-7"]')],
        '[[vary]] #2 "options.operator_options.eps": key "values[2]": came "1e-7" (text); expected a number (option of '
        "operator converse)",
    ),
    "nan": (
        [("[1e-3, 1e-7]", "[1e-3, nan]")],
        '[[vary]] #2 "options.operator_options.eps": key "values": value 2: came nan; expected a finite number',
    ),
    "no-values": (
        [('["circular", "zero"]', "[]")],
        '[[vary]] #1 "options.padding_mode": key "values": came []; must not be empty',
    ),
    "value-that-the-network-refuses": (
        [("operator_options.eps", "operator_options.lam"), ("[1e-3, 1e-7]", "[1e-3, -1.0]")],
        '[[vary]] #2 "options.operator_options.lam": key "values[2]": cannot be built under [budgets.smoke]: model '
        "'block-dncnn': a fixed λ must be positive, got -1.0",
    ),
    "field-without-values": (
        [('values = ["circular", "zero"]\n', "")],
        '[[vary]] #1 "options.padding_mode": key "values": missing; expected a list (or grid in place of field and '
        "values)",
    ),
    "field-and-grid": (
        [('["circular", "zero"]', '["circular", "zero"]\ngrid = { "options.kernel_size" = [3] }')],
        '[[vary]] #1 "options.padding_mode": key "grid": stands in place of field and values; leave those out, or the '
        "grid",
    ),
    "path-in-a-grid": (
        [('field = "options.padding_mode"\nvalues = ["circular", "zero"]', "grid = { kernel_size = [3] }")],
        f'[[vary]] #1: key "grid.kernel_size": came "kernel_size"; did you mean "options.kernel_size"? {PATHS}',
    ),
    "value-in-a-grid": (
        [
            (
                'field = "options.padding_mode"\nvalues = ["circular", "zero"]',
                'grid = { "options.kernel_size" = [3, "5"], "options.padding_mode" = ["zero", "reflect"] }',
            )
        ],
        '[[vary]] #1: key "grid.options.kernel_size[2]": came "5" (text); expected a whole number (option of '
        "block-dncnn)",
    ),
    "empty-grid": (
        [('field = "options.padding_mode"\nvalues = ["circular", "zero"]', "grid = {}")],
        '[[vary]] #1: key "grid": came {}; expected at least one field with its values',
    ),
    "grid-of-a-table-and-what-is-in-it": (
        [
            (
                'field = "options.padding_mode"\nvalues = ["circular", "zero"]',
                'grid = { "options.design.norm" = [true], "options.design" = [{ alpha = true }] }',
            )
        ],
        '[[vary]] #1: key "grid.options.design.norm": lies inside options.design, which is varied too',
    ),
    "large-grid": (
        [('["circular", "zero"]', str(list(range(201))))],
        '[[vary]] #1 "options.padding_mode": makes 201 variants; at most 200 are allowed',
    ),
    "number-of-labels": (
        [('["large", "small"]', '["large"]')],
        '[[vary]] #2 "options.operator_options.eps": key "labels": came 1 of them; expected 2, one for each value',
    ),
    "label-twice": (
        [('"small"', '"Large"')],
        '[[vary]] #2 "options.operator_options.eps": key "values[2]": is called "Large"; variant 3 has this name '
        "already",
    ),
    "label-of-the-base": (
        [('label = "bare"', 'label = "Converse-DnCNN"')],
        '[[variants]] #1 "Converse-DnCNN": is called "Converse-DnCNN"; the base entry has this name already',
    ),
    "nothing-varied": (
        [(GOOD[GOOD.index("[[vary]]") :], "")],
        "it varies nothing; expected at least one table [[vary]] or [[variants]]",
    ),
    "variant-without-change": (
        [("set.options.design = { norm = false, residual = false }\nset.training.lr = 1e-4", "set = {}")],
        '[[variants]] #1 "bare": key "set": changes nothing; expected fields, such as set.options.design.norm = false',
    ),
    "unknown-part": (
        [("set.options.design", "set.option.design")],
        "[[variants]] #1 \"bare\": key \"set.option\": unknown part of an entry 'option': did you mean 'options'? "
        "known: operator, options, training",
    ),
    "unknown-part-of-the-block": (
        [("norm = false", "norms = false")],
        '[[variants]] #1 "bare": key "set.options.design.norms": unknown option of the block \'norms\': did you mean '
        "'norm'? known: activation, alpha, expansion, norm, position, residual, second",
    ),
    "table-for-operator": (
        [("set.training.lr = 1e-4", "set.operator = { lr = 1 }")],
        '[[variants]] #1 "bare": key "set.operator": came { lr = 1 }; expected the key name in it, such as '
        'name = "path/to/file.py:Class"',
    ),
    "unknown-setting": (
        [("set.training.lr", "set.training.lrs")],
        "[[variants]] #1 \"bare\": key \"set.training.lrs\": unknown setting of training 'lrs': did you mean 'lr'? "
        "known: batch, betas, checkpoint_every, clip, compile, ema, final_lr, gamma, loss, lr, milestones, optimiser, "
        "patch, precision, schedule, start, steps, validate_every, warmup, weight_decay",
    ),
    "setting-out-of-range": (
        [("set.training.lr = 1e-4", "set.training.lr = -1.0")],
        '[[variants]] #1 "bare": key "set.training.lr": came -1.0; must be > 0',
    ),
    "settings-that-contradict": (
        [("set.training.lr = 1e-4", "set.training.warmup = 10")],
        '[[variants]] #1 "bare": key "set.training.warmup": came 10; must be at most the number of steps, 4 (under '
        "[budgets.smoke])",
    ),
    "unknown-operator": (
        [("set.training.lr = 1e-4", 'set.operator = "con"')],
        "[[variants]] #1 \"bare\": key \"set.operator\": unknown operator 'con': did you mean 'conv'? known: conv, "
        "converse, convt",
    ),
    "several-at-once": (
        [('"circular", "zero"', '"circle", "zero"'), ("norm = false", "norm = 0")],
        "2 mistakes\n"
        "  [[vary]] #1 \"options.padding_mode\": key \"values[1]\": unknown word 'circle': did you mean 'circular'? "
        "known: circular, reflect, replicate, zero (option of block-dncnn)\n"
        '  [[variants]] #1 "bare": key "set.options.design.norm": came 0 (a whole number); expected true or false '
        "(option of the block)",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_with_what_came_and_what_may_stand_there(mistake: str) -> None:
    changes, message = MISTAKES[mistake]
    assert refusal(changed(GOOD, changes)) == message


def test_a_base_with_released_weights_is_refused(tmp_path: Path) -> None:
    base = (content("benchmarks") / "quickstart.toml").read_text()
    (tmp_path / "base.toml").write_text(base + '\n[[entries]]\nname = "Theirs"\nreleased = "DnCNN"\n')
    text = GOOD.replace('"denoising"', '"./base.toml"')
    assert read(text, folder=tmp_path).task == "denoising"
    with pytest.raises(SuiteError, match="Theirs has released weights; expected an entry that is trained"):
        read(text.replace('entry = "Converse-DnCNN"', 'entry = "Theirs"'), folder=tmp_path)


def test_a_mistake_in_the_base_suite_is_said_of_its_file(tmp_path: Path) -> None:
    base = tmp_path / "base.toml"
    base.write_text((content("benchmarks") / "quickstart.toml").read_text().replace("schema = 1", "schema = 2"))
    with pytest.raises(SuiteError) as caught:
        read(GOOD.replace('"denoising"', '"base.toml"'), folder=tmp_path)
    assert str(caught.value) == f'{base}: key "schema": came 2; this version of converse reads schema 1'


def test_an_ablation_of_itself_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"denoising"', '"mine.toml"'))
    with pytest.raises(SuiteError, match=r"mine\.toml is an ablation itself; expected a suite with entries"):
        load_suite(path)


# What an ablation resolves to


@pytest.fixture(scope="module")
def mine() -> Suite:
    """The good ablation, read once: a suite does not change."""
    return read(GOOD)


def test_a_variant_is_the_base_entry_with_its_change_after_the_budget(mine: Suite) -> None:
    plans = mine.resolve("quick", seeds=[3])
    (base,) = load_suite("denoising").resolve("quick", seeds=[3], only=["Converse-DnCNN"])
    assert [plan.entry for plan in plans] == [
        "Converse-DnCNN",
        "Converse-DnCNN: circular",
        "Converse-DnCNN: zero",
        "Converse-DnCNN: large",
        "Converse-DnCNN: small",
        "Converse-DnCNN: bare",
    ]
    assert {(plan.suite, plan.task, plan.train, plan.test, plan.budget, plan.seed) for plan in plans} == {
        ("mine", base.task, base.train, base.test, "quick", 3)
    }
    first, _, zero, large, _, bare = plans
    assert first.options == base.options
    assert zero.options == {**base.options, "padding_mode": "zero"}
    assert large.options == {**base.options, "operator_options": {"eps": 1e-3}}
    assert bare.options == {**base.options, "design": {"norm": False, "residual": False}}
    assert bare.training == base.training.model_copy(update={"lr": 1e-4})  # the budget says 2e-3


def test_a_change_wins_over_every_table_of_a_budget() -> None:
    text = GOOD.replace("options.padding_mode", "options.features").replace('["circular", "zero"]', "[8, 12]")
    for budget in ("smoke", "quick"):
        plans = read(text).resolve(budget, seeds=[0])
        assert [plan.options["features"] for plan in plans[1:3]] == [8, 12]


def test_a_plan_says_where_it_stands(mine: Suite) -> None:
    plans = mine.resolve("quick", seeds=[0])
    assert {(plan.variation.ablation, plan.variation.base) for plan in plans if plan.variation} == {
        ("mine", "Converse-DnCNN")
    }
    told = [plan.variation[2:] for plan in plans if plan.variation]
    assert told == [
        ("Converse-DnCNN", {}, ("ablation.padding", "circular")),
        ("circular", {"options.padding_mode": "circular"}, ("ablation.padding", "circular")),
        ("zero", {"options.padding_mode": "zero"}, ("ablation.padding", "zero")),
        ("large", {"options.operator_options.eps": 1e-3}, None),
        ("small", {"options.operator_options.eps": 1e-7}, None),
        (
            "bare",
            {"options.design.norm": False, "options.design.residual": False, "training.lr": 1e-4},
            None,
        ),
    ]
    assert load_suite("denoising").resolve("quick", seeds=[0])[0].variation is None


def test_a_grid_makes_all_combinations() -> None:
    text = GOOD.replace(
        'field = "options.padding_mode"\nvalues = ["circular", "zero"]',
        'grid = { "options.kernel_size" = [3, 5], "options.padding_mode" = ["zero", "reflect"] }',
    )
    plans = read(text).resolve("quick", seeds=[0])[1:5]
    assert [(plan.options["kernel_size"], plan.options["padding_mode"]) for plan in plans] == [
        (3, "zero"),
        (3, "reflect"),
        (5, "zero"),
        (5, "reflect"),
    ]
    assert plans[1].entry == "Converse-DnCNN: kernel_size = 3 and reflect"


def test_an_operator_may_be_varied() -> None:
    text = GOOD.replace("options.padding_mode", "operator").replace('["circular", "zero"]', '["converse", "convt"]')
    assert [plan.operator for plan in read(text).resolve("quick", seeds=[0])[:3]] == ["converse", "converse", "convt"]


@pytest.mark.parametrize("name", ["zero", "ZERO", "Converse-DnCNN: zero"])
def test_a_run_may_choose_a_variant_by_its_label(mine: Suite, name: str) -> None:
    assert [plan.entry for plan in mine.resolve("quick", seeds=[0], only=[name])] == ["Converse-DnCNN: zero"]


def test_a_choice_that_is_not_there(mine: Suite) -> None:
    with pytest.raises(OptionError, match="suite 'mine': unknown entry 'zeros'"):
        mine.resolve("quick", only=["zeros"])


def test_seeds_are_those_of_the_base_suite_or_its_own(mine: Suite) -> None:
    assert mine.seeds == load_suite("denoising").seeds
    text = GOOD.replace("schema = 1", "schema = 1\nseeds = [7, 8]")
    assert {plan.seed for plan in read(text).resolve("quick")} == {7, 8}


# Equal networks are equal trials


def ids(plans: list[RunPlan]) -> list[str]:
    images = (image_set("skimage_train"),)
    return [trained_trial(plan, images, "cpu", 1).id for plan in plans]


SAME_AS_BASE = {
    "block_design": ["expansion 2", "operator between"],
    "initial_estimate": ["interpolation"],
    "initial_estimate_super_resolution": ["interpolation"],
    "kernel_init": ["gaussian+softmax"],
    "start": ["authors, offset −9"],
    "kernel_size": ["5x5"],
    "matched_denoising": [],
    "matched_super_resolution": [],
    "padding": ["circular", "p = k − 1"],
    "regularization": ["offset −9", "λ per channel", "eps = 1e-5"],
    "upsampling": [],
}


@pytest.mark.parametrize("budget", ["smoke", "quick", "standard", "paper"])
@pytest.mark.parametrize("name", ABLATIONS)
def test_a_value_that_the_base_entry_has_is_the_trial_of_the_base_suite(name: str, budget: str) -> None:
    plans = load_suite(name, networks=False).resolve(budget, seeds=[0])
    variations = [plan.variation for plan in plans if plan.variation]
    document = tomllib.loads(suites()[name].read_text())
    base = load_suite(document["base"]["suite"], networks=False)
    (of_base,) = ids(base.resolve(budget, seeds=[0], only=[variations[0].base]))
    own = dict(zip((variation.label for variation in variations), ids(plans), strict=True))
    assert own.pop(variations[0].base) == of_base
    assert [label for label, id_ in own.items() if id_ == of_base] == SAME_AS_BASE[name]
    others = [id_ for id_ in own.values() if id_ != of_base]
    assert len(set(others)) == len(others)


Options = dict[str, Any]

# Two spellings of one network
SAME: dict[str, tuple[str, str, Options, Options]] = {
    "empty-tables": ("block-dncnn", "converse", {}, {"operator_options": {}, "design": {}}),
    "estimate": ("block-dncnn", "converse", {}, {"operator_options": {"initial_estimate": "interpolation"}}),
    "padding": ("block-dncnn", "converse", {}, {"operator_options": {"padding": 4}}),
    "padding-of-3": ("block-dncnn", "converse", {"kernel_size": 3}, {"operator_options": {"padding": 2}}),
    "whole-number": ("block-dncnn", "converse", {}, {"operator_options": {"lam_offset": -9}}),
    "block": ("block-dncnn", "conv", {}, {"design": {"norm": True, "expansion": 2, "alpha": False}}),
    "block-with-alpha": ("block-usrnet", "converse", {}, {"design": {"alpha": True}}),
    "upsampler": ("block-srresnet", "converse", {}, {"upsampler": "converse"}),
    "upsampler-of-conv": ("block-srresnet", "conv", {}, {"upsampler": "nearest"}),
    "upsampler-of-convt": ("block-srresnet", "convt", {}, {"upsampler": "transposed-5x5"}),
}
OTHER: dict[str, tuple[str, str, Options, Options]] = {
    "estimate": ("block-dncnn", "converse", {}, {"operator_options": {"initial_estimate": "zero"}}),
    "padding": ("block-dncnn", "converse", {}, {"operator_options": {"padding": 2}}),
    "padding-of-3": ("block-dncnn", "converse", {"kernel_size": 3}, {"operator_options": {"padding": 4}}),
    "lam": ("block-dncnn", "converse", {}, {"operator_options": {"lam": 1e-3}}),
    "block": ("block-dncnn", "conv", {}, {"design": {"residual": False}}),
    "block-without-alpha": ("block-usrnet", "converse", {}, {"design": {"alpha": False}}),
    "upsampler": ("block-srresnet", "converse", {}, {"upsampler": "transposed"}),
    "upsampler-of-conv": ("block-srresnet", "conv", {}, {"upsampler": "converse"}),
}


def answer(model: str, operator: str, options: Options) -> list[torch.Tensor]:
    """State and output of a small network, first values drawn under one seed."""
    network = initialised(lambda: create_model(model, operator, **options, features=4, blocks=1), 0)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():  # away from starts such as α = 0, where options make no difference
        parameter.data += 0.1 * torch.rand(parameter.shape, generator=generator)
    given = {
        "input": torch.rand(1, 1 if "dncnn" in model else 3, 16, 16, generator=generator),
        "kernel": torch.rand(1, 1, 7, 7, generator=generator),
    }
    with torch.no_grad():
        return [*network.state_dict().values(), network(*(given[name] for name in network.inputs))]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", [*(f"same-{name}" for name in SAME), *(f"other-{name}" for name in OTHER)])
def test_two_spellings_are_one_exactly_where_the_networks_are(name: str) -> None:
    kind, _, case = name.partition("-")
    model, operator, left, change = (SAME if kind == "same" else OTHER)[case]
    right = {**left, **change}
    first, second = answer(model, operator, left), answer(model, operator, right)
    equal = len(first) == len(second) and all(map(torch.equal, first, second))
    assert equal is (kind == "same")
    spelled = [json.dumps(resolved_options(model, operator, options)) for options in (left, right)]
    assert (spelled[0] == spelled[1]) is (kind == "same")


@pytest.mark.parametrize("operator", [None, *OPERATORS])
@pytest.mark.parametrize("model", MODELS)
def test_what_a_network_implies_may_be_stated(model: str, operator: str | None) -> None:
    if takes_operator(model) is (operator is None):
        return
    implied = models()[model].implied({"operator": operator})
    assert resolved_options(model, operator, implied) == resolved_options(model, operator, {})


@pytest.mark.parametrize("model", MODELS)
def test_every_option_that_may_be_left_open_says_what_it_stands_for(model: str) -> None:
    # Otherwise the same network would have two identities, once with the value stated and once without.
    open_ones = {name for name, value in models()[model].defaults.items() if value is None}
    tables = {"operator_options", "design"}  # which are read key by key
    assert open_ones - tables <= models()[model].implied({"operator": "conv"}).keys()


def test_of_a_users_operator_all_options_are_kept() -> None:
    options = {"operator_options": {"padding": 4}}
    assert resolved_options("block-dncnn", "mine.py:Mine", options)["operator_options"] == {"padding": 4}


# The ablations that come with converse


def test_published_numbers_are_found() -> None:
    (zero,) = load_suite("padding", networks=False).resolve("quick", seeds=[0], only=["zero"])
    assert zero.variation is not None
    assert zero.variation.published == ("ablation.padding", "zero")
    number = published().table("ablation.padding").number("zero", "Set12")
    assert number is not None
    assert number.value == 30.63


def test_every_published_row_is_somebodys() -> None:
    named = {
        plan.variation.published
        for name in ABLATIONS
        for plan in load_suite(name, networks=False).resolve("smoke", seeds=[0])
        if plan.variation and plan.variation.published
    }
    tables = {name: table for name, table in published().tables.items() if name.startswith("ablation.")}
    assert named == {(name, row) for name, table in tables.items() for row in table.rows}


def test_the_example_of_the_documentation_is_good() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "ablations.md").read_text()
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert len(read(example).entries) == 1 + 3 + 4 + 1


def test_resolving_does_not_load_torch() -> None:
    code = (
        "import sys; from converse.experiments.suites.suite import load_suite;"
        "load_suite('padding', networks=False).resolve('smoke'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Whatever a document says, the answer is a suite or a message

KNOWN_WORDS = (
    "schema name title base suite entry vary variants field values grid labels published label set options design norm "
    "training lr operator operator_options eps options.kernel_size options.design denoising padding zero conv"
)
WORDS = st.sampled_from(KNOWN_WORDS.split())


@settings(max_examples=60)
@given(slips(GOOD, WORDS, max_leaves=8, max_size=2))
def test_any_slip_in_a_good_document_is_answered(made: list[Slip]) -> None:
    answered(slipped(GOOD, made), "smoke")


# From end to end


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the base suites have been run."""
    root = tmp_path_factory.mktemp("runs")
    for suite in ("denoising", "super_resolution"):
        done = carry_out(RunRequest(suite, "smoke", store=root, device="cpu", threads=1))
        assert not done.failures
    return root


# What has other numbers of parameters than the entries that it is held against, by what it does to the layers.
UNEQUAL = {
    "block_design": {
        "without LayerNorm",
        "expansion 1",
        "expansion 4",
        "operator before",
        "operator after",
        "without second half",
        "with α",
    },
    "kernel_size": {"3x3", "7x7", "9x9"},
    "regularization": {"λ = 1e-1", "λ = 1e-2", "λ = 1e-3", "λ = 1e-4", "λ = 1e-5", "one λ per layer"},
    "matched_super_resolution": {"Conv blocks and pixel shuffle"},
    "upsampling": {"nearest neighbour"},
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_runs_and_trains_nothing_that_its_base_suite_has_trained(name: str, store: Path) -> None:
    before = set((store / "trials").iterdir())
    done = carry_out(RunRequest(str(suites()[name]), "smoke", store=store, device="cpu", threads=1))
    entries = [entry.name for entry in load_suite(name, networks=False).entries]
    measured = done.results[done.results["metric"] == "psnr"].set_index("entry")["measured"]
    assert set(measured.index) == set(entries)
    assert measured.notna().all()
    assert not done.failures
    base, *values = entries
    for label in SAME_AS_BASE[name]:
        assert measured[f"{base}: {label}"] == measured[base]
    fresh = len(values) - len(SAME_AS_BASE[name])
    assert done.trials == fresh + 1
    # Ablations share trials with each other too: nothing else is new.
    assert len(set((store / "trials").iterdir()) - before) == done.fresh <= fresh
    effects = done.effects()
    effects = effects[effects["metric"] == "psnr"]
    contrasts = load_suite(name, networks=False).contrasts()
    assert list(zip(effects["entry"], effects["base"], effects["label"], strict=True)) == list(contrasts)
    assert effects["difference"].notna().all()
    assert effects[["low", "verdict"]].isna().to_numpy().all()  # one seed, on images that the paper does not have
    alone = "one seed: no claim about seeds"
    said = [
        ITSELF
        if one.label in SAME_AS_BASE[name]
        else f"{NOISE_FLOOR}; {alone}"
        if (one.label, one.base) == ("ConvT blocks", f"{base}: Conv blocks")
        else alone
        for one in contrasts
    ]
    assert list(effects["reason"]) == said
    odd = {f"{base}: {label}" for label in UNEQUAL.get(name, ())}
    assert list(effects["equal_parameters"]) == [(one.entry in odd) is (one.base in odd) for one in contrasts]
    assert effects[["multiply_adds", "multiply_adds_base", "seconds", "seconds_base"]].notna().to_numpy().all()


def test_many_tables_make_no_more_variants_than_a_suite_may_have() -> None:
    """Each of the tables is within the limit of a grid."""
    tables = f'\n[[vary]]\ngrid = {{ "options.features" = {list(range(1, 201))} }}\n' * 200
    with pytest.raises(SuiteError, match=r"makes 40,\d\d\d variants in all; at most 499 are allowed beside the base"):
        read(GOOD + tables)
