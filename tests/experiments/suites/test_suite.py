"""Suites: what a file may say, what a mistake in it is answered with, and what a run of it does.

The oracle of the messages is the reader: each is written out here. Of the merging it is the order that docs/suites.md
states, of the networks the parameter counts that the paper publishes.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converse.content import content
from converse.errors import ConverseError, DataError, OptionError, SuiteError
from converse.experiments.suites.plans import TrainingSettings
from converse.experiments.suites.suite import LARGEST_FILE, Suite, load_suite, parse_suite, suites
from converse.nn.models import create_model
from tests.experiments.suites.documents import Changes, Slip, answered, changed, read, refusal, slipped, slips, values

GOOD = """
schema = 1
name = "mine"
title = "My suite"
task = "denoising"
published = "denoising"
seeds = [0, 1]

[data]
train = ["skimage_train"]
test = ["skimage_test"]

[training]
lr = 1e-3
patch = 16
batch = 2

[budgets.quick]
steps = 100
options = { features = 4 }
models.dncnn = { layers = 3 }
models.block-dncnn = { blocks = 1 }

[[entries]]
name = "DnCNN"
model = "dncnn"

[[entries]]
name = "Converse-DnCNN"
model = "block-dncnn"
operator = "converse"
options = { kernel_size = 3 }
"""

DATASETS = (
    "bsd100, bsd68, bsds500_test, bsds500_train, div2k, flickr2k, set12, set14, set5, skimage_test, skimage_train, "
    "train400, urban100, wed"
)
SETTINGS = (
    "batch, betas, checkpoint_every, clip, compile, ema, final_lr, gamma, loss, lr, milestones, optimiser, patch, "
    "precision, schedule, start, steps, validate_every, warmup, weight_decay"
)
MODELS = "block-dncnn, block-net, block-srresnet, block-usrnet, dncnn, srresnet, usrnet"
TOP = (
    "baseline, baseline_within, budgets, comparisons, data, description, entries, name, published, schema, seeds, "
    "task, title, training, tuning"
)
CWD = Path.cwd()

# What is replaced by what in the good suite, and the message after the file's name.
MISTAKES: dict[str, tuple[Changes, str]] = {
    "unknown-key": (
        [("seeds =", "seed =")],
        "2 mistakes\n"
        '  key "seeds": missing; expected a list of seeds, such as [0, 1, 2]\n'
        f"  unknown key 'seed': did you mean 'seeds'? known: {TOP}",
    ),
    "unknown-key-in-entry": (
        [('operator = "converse"', 'operatr = "converse"')],
        "[[entries]] #2 \"Converse-DnCNN\": unknown key 'operatr': did you mean 'operator'? known: "
        "model, name, operator, options, published, released, training",
    ),
    "unknown-key-in-training": (
        [("lr = 1e-3", "learning_rate = 1e-3")],
        f"[training]: unknown key 'learning_rate': known: {SETTINGS}",
    ),
    "missing-key": (
        [('title = "My suite"\n', "")],
        'key "title": missing; expected a heading',
    ),
    "missing-table": (
        [('[data]\ntrain = ["skimage_train"]\ntest = ["skimage_test"]\n', "")],
        "[data]: missing; expected a table with train and test",
    ),
    "newer-schema": (
        [("schema = 1", "schema = 2")],
        'key "schema": came 2; this version of converse reads schema 1',
    ),
    "unknown-task": (
        [('"denoising"\npublished', '"denoisin"\npublished')],
        "key \"task\": unknown task 'denoisin': did you mean 'denoising'? known: deblurring, denoising,"
        " super_resolution",
    ),
    "unknown-dataset": (
        [('["skimage_train"]', '["skimage_trian"]')],
        f"[data]: key \"train[1]\": unknown dataset 'skimage_trian': did you mean 'skimage_train'? known: {DATASETS}",
    ),
    "not-images": (
        [('["skimage_train"]', '["blur_kernels"]')],
        f"[data]: key \"train[1]\": unknown dataset 'blur_kernels': known: {DATASETS}",
    ),
    "no-such-folder": (
        [('["skimage_train"]', '["./no/folder"]')],
        f'[data]: key "train[1]": came "./no/folder"; there is no such folder in {CWD}',
    ),
    "unknown-model": (
        [('model = "dncnn"', 'model = "dncn"')],
        f"[[entries]] #1 \"DnCNN\": key \"model\": unknown model 'dncn': did you mean 'dncnn'? known: {MODELS}",
    ),
    "unknown-operator": (
        [('"converse"', '"convers"')],
        '[[entries]] #2 "Converse-DnCNN": key "operator": unknown operator \'convers\': did you mean '
        "'converse'? known: conv, converse, convt",
    ),
    "operator-grammar": (
        [('"converse"', '"my file.py"')],
        '[[entries]] #2 "Converse-DnCNN": key "operator": came "my file.py"; expected a registered '
        "name, package.module:Class or path/to/file.py:Class",
    ),
    "unknown-option": (
        [("kernel_size = 3", "kernel_sise = 3")],
        '[[entries]] #2 "Converse-DnCNN": key "options.kernel_sise": unknown option of block-dncnn '
        "'kernel_sise': did you mean 'kernel_size'? known: blocks, design, features, in_channels, "
        "kernel_size, operator_options, padding_mode",
    ),
    "unknown-operator-option": (
        [("kernel_size = 3", "operator_options = { kernel_ini = 'delta' }")],
        '[[entries]] #2 "Converse-DnCNN": key "options.operator_options.kernel_ini": unknown option '
        "of operator converse 'kernel_ini': did you mean 'kernel_init'? known: eps, initial_estimate,"
        " kernel_init, lam, lam_offset, lam_shared, padding",
    ),
    "unknown-block-option": (
        [("kernel_size = 3", "design = { norms = true }")],
        '[[entries]] #2 "Converse-DnCNN": key "options.design.norms": unknown option of the block '
        "'norms': did you mean 'norm'? known: activation, alpha, expansion, norm, position, residual,"
        " second",
    ),
    "unknown-budget": (
        [("[budgets.quick]", "[budgets.quik]")],
        "[budgets.quik]: unknown budget 'quik': did you mean 'quick'? known: paper, quick, smoke, standard",
    ),
    "unknown-model-in-budget": (
        [("models.dncnn", "models.dncnnn")],
        f"[budgets.quick.models.dncnnn]: unknown model 'dncnnn': did you mean 'dncnn'? known: {MODELS}",
    ),
    "unused-model-in-budget": (
        [("models.dncnn = { layers = 3 }", "models.srresnet = { blocks = 3 }")],
        "[budgets.quick.models.srresnet]: no entry has this model",
    ),
    "unknown-entry-in-budget": (
        [("options = { features = 4 }", 'entries."DnCN" = { features = 4 }')],
        "[budgets.quick.entries.DnCN]: unknown entry 'DnCN': did you mean 'DnCNN'? known: Converse-DnCNN, DnCNN",
    ),
    "unknown-schedule": (
        [("lr = 1e-3", 'schedule = "cosin"')],
        "[training]: key \"schedule\": unknown schedule 'cosin': did you mean 'cosine'? known: constant, cosine, step",
    ),
    "unknown-published-table": (
        [('published = "denoising"', 'published = "denoise"')],
        "key \"published\": unknown table 'denoise': did you mean 'denoising'? known: deblurring, "
        "denoising, super_resolution (tables of reports/published.toml)",
    ),
    "unknown-published-row": (
        [('name = "DnCNN"', 'name = "DnCNN"\npublished = "DnCN"')],
        '[[entries]] #1 "DnCNN": key "published": unknown row of denoising \'DnCN\': did you mean '
        "'DnCNN'? known: Conv-DnCNN, ConvT-DnCNN, Converse-DnCNN, DnCNN",
    ),
    "published-row-without-table": (
        [
            ('published = "denoising"\nseeds = [0, 1]', "seeds = [0, 1]"),
            ('name = "DnCNN"', 'name = "DnCNN"\npublished = "DnCNN"'),
        ],
        '[[entries]] #1 "DnCNN": key "published": the suite names no published table; set published at the top',
    ),
    "unknown-released": (
        [('model = "dncnn"', 'released = "DnCN"')],
        '[[entries]] #1 "DnCNN": key "released": unknown released weights \'DnCN\': did you mean '
        "'DnCNN'? known: Converse-DnCNN, Converse-SRResNet, Converse-USRNet, ConverseNet, DnCNN",
    ),
    "bool-for-int": (
        [("steps = 100", "steps = true")],
        '[budgets.quick]: key "steps": came true (a truth value); expected a whole number',
    ),
    "float-for-int": (
        [("steps = 100", "steps = 100.0")],
        '[budgets.quick]: key "steps": came 100.0 (a number); expected a whole number',
    ),
    "text-for-number": (
        [("lr = 1e-3", 'lr = "1e-3"')],
        '[training]: key "lr": came "1e-3" (text); expected a number',
    ),
    "number-for-text": (
        [('title = "My suite"', "title = 7")],
        'key "title": came 7 (a whole number); expected text in quotes',
    ),
    "number-for-list": (
        [("seeds = [0, 1]", "seeds = 2")],
        'key "seeds": came 2 (a whole number); expected a list',
    ),
    "text-for-list": (
        [('["skimage_train"]', '"skimage_train"')],
        '[data]: key "train": came "skimage_train" (text); expected a list',
    ),
    "number-for-word": (
        [("lr = 1e-3", "precision = 16")],
        '[training]: key "precision": came 16 (a whole number); expected one of "32", "bf16", "fp16"',
    ),
    "number-for-table": (
        [("[training]\nlr = 1e-3\npatch = 16\nbatch = 2\n", ""), ("seeds = [0, 1]", "seeds = [0, 1]\ntraining = 3")],
        "[training]: came 3 (a whole number); expected a table",
    ),
    "date-for-number": (
        [("lr = 1e-3", "lr = 2026-01-01")],
        '[training]: key "lr": came 2026-01-01 (a date); expected a number',
    ),
    "date-in-options": (
        [("kernel_size = 3", "kernel_size = 2026-01-01")],
        '[[entries]] #2 "Converse-DnCNN": key "options.kernel_size": came 2026-01-01; expected text, '
        "a number, true or false, a list or a table",
    ),
    "text-in-options": (
        [("kernel_size = 3", 'kernel_size = "3"')],
        '[[entries]] #2 "Converse-DnCNN": key "options.kernel_size": came "3" (text); expected a '
        "whole number (option of block-dncnn)",
    ),
    "word-in-options": (
        [("kernel_size = 3", 'padding_mode = "circle"')],
        '[[entries]] #2 "Converse-DnCNN": key "options.padding_mode": unknown word \'circle\': did you '
        "mean 'circular'? known: circular, reflect, replicate, zero (option of block-dncnn)",
    ),
    "negative-lr": (
        [("lr = 1e-3", "lr = -1e-3")],
        '[training]: key "lr": came -0.001; must be > 0',
    ),
    "nan": (
        [("lr = 1e-3", "lr = nan")],
        '[training]: key "lr": came nan (a number); expected a finite number',
    ),
    "inf": (
        [("lr = 1e-3", "clip = inf")],
        '[training]: key "clip": came inf (a number); expected a finite number',
    ),
    "nan-in-options": (
        [("kernel_size = 3", "operator_options = { eps = nan }")],
        '[[entries]] #2 "Converse-DnCNN": key "options.operator_options.eps": came nan; expected a finite number',
    ),
    "zero-steps": (
        [("steps = 100", "steps = 0")],
        '[budgets.quick]: key "steps": came 0; must be ≥ 1',
    ),
    "negative-steps": (
        [("steps = 100", "steps = -5")],
        '[budgets.quick]: key "steps": came -5; must be ≥ 1',
    ),
    "beta-of-one": (
        [("lr = 1e-3", "betas = [0.9, 1.0]")],
        '[training]: key "betas[2]": came 1.0; must be < 1',
    ),
    "one-beta": (
        [("lr = 1e-3", "betas = [0.9]")],
        '[training]: key "betas[2]": missing; expected one item more',
    ),
    "three-betas": (
        [("lr = 1e-3", "betas = [0.9, 0.9, 0.9]")],
        '[training]: key "betas": came [0.9, 0.9, 0.9]; must have at most 2 items',
    ),
    "negative-seed": (
        [("seeds = [0, 1]", "seeds = [0, -1]")],
        'key "seeds[2]": came -1; must be ≥ 0',
    ),
    "zero-images": (
        [("steps = 100", "steps = 100\nimages = 0")],
        '[budgets.quick]: key "images": came 0; must be ≥ 1',
    ),
    "size-that-the-network-refuses": (
        [("layers = 3", "layers = 1")],
        "[[entries]] #1 \"DnCNN\": cannot be built under [budgets.quick]: model 'dncnn': layers must be"
        " at least 2, got 1",
    ),
    "slip-of-the-finger": (
        [("layers = 3", "layers = 30000")],
        '[budgets.quick.models.dncnn]: key "layers": came 30000; must be ≤ 4096',
    ),
    "title-of-two-lines": (
        [('"My suite"', '"My\\nsuite"')],
        'key "title": came "My\\nsuite"; expected one line of text, of 1 to 200 letters',
    ),
    "name-with-spaces": (
        [('name = "mine"', 'name = "My suite"')],
        'key "name": came "My suite"; expected lower-case letters, digits, - and _, beginning with a letter',
    ),
    "no-seeds": (
        [("seeds = [0, 1]", "seeds = []")],
        'key "seeds": came []; must not be empty',
    ),
    "no-test-set": (
        [('["skimage_test"]', "[]")],
        '[data]: key "test": came []; must not be empty',
    ),
    "seed-twice": (
        [("seeds = [0, 1]", "seeds = [0, 1, 0]")],
        'key "seeds": came [0, 1, 0]; 0 stands there twice',
    ),
    "dataset-twice": (
        [('["skimage_test"]', '["set12", "Set12"]')],
        '[data]: key "test": came ["set12", "set12"]; "set12" stands there twice',
    ),
    "entry-twice": (
        [('"Converse-DnCNN"', '"dncnn"')],
        '[[entries]] #2 "dncnn": key "name": came "dncnn"; #1 has this name already',
    ),
    "warmup-too-long": (
        [("steps = 100", "steps = 100\nwarmup = 101")],
        '[budgets.quick]: key "warmup": came 101; must be at most the number of steps, 100',
    ),
    "two-starts-of-a-kernel": (
        [
            ("steps = 100", 'steps = 100\nstart = "kair"'),
            ("options = { kernel_size = 3 }", 'options = { operator_options = { kernel_init = "delta" } }'),
        ],
        '[budgets.quick]: key "start": came "kair", which draws the kernels too; expected another start, or no '
        "kernel_init in operator_options",
    ),
    "unknown-recipe": (
        [("steps = 100", 'steps = 100\nrecipe = "kairos"')],
        "[budgets.quick]: key \"recipe\": unknown recipe 'kairos': did you mean 'kair'? known: kair",
    ),
    "milestones-backwards": (
        [("steps = 100", 'steps = 100\nschedule = "step"\nmilestones = [50, 20]')],
        '[budgets.quick]: key "milestones": came [50, 20]; each must be greater than the one before',
    ),
    "milestones-too-late": (
        [("steps = 100", 'steps = 100\nschedule = "step"\nmilestones = [50, 100]')],
        '[budgets.quick]: key "milestones": came [50, 100]; each must be less than the number of steps, 100',
    ),
    "milestones-missing": (
        [("steps = 100", 'steps = 100\nschedule = "step"')],
        '[budgets.quick]: key "milestones": missing; the schedule "step" needs a list of steps, such as [1000, 2000]',
    ),
    "milestones-of-cosine": (
        [("steps = 100", "steps = 100\nmilestones = [50]")],
        '[budgets.quick]: key "milestones": came [50]; only the schedule "step" has milestones, and '
        'this one is "cosine"',
    ),
    "final-lr-too-high": (
        [("steps = 100", "steps = 100\nfinal_lr = 0.5")],
        '[budgets.quick]: key "final_lr": came 0.5; must be at most lr, 0.001',
    ),
    "final-lr-of-constant": (
        [("steps = 100", 'steps = 100\nschedule = "constant"\nfinal_lr = 1e-5')],
        '[budgets.quick]: key "final_lr": came 1e-05; only the schedule "cosine" has a final learning'
        ' rate, and this one is "constant"',
    ),
    "steps-missing": (
        [("steps = 100\n", "")],
        '[budgets.quick]: key "steps": missing; expected a number of steps, here or in [training]',
    ),
    "settings-of-an-entry": (
        [('name = "DnCNN"', 'name = "DnCNN"\ntraining = { warmup = 200 }')],
        '[[entries]] #1 "DnCNN": key "training.warmup": came 200; must be at most the number of '
        "steps, 100 (under [budgets.quick])",
    ),
    "nothing-to-validate-on": (
        [("steps = 100", "steps = 100\nvalidate_every = 10")],
        '[budgets.quick]: key "validate_every": came 10; there is nothing to validate on: set validation in [data]',
    ),
    "test-on-train": (
        [('["skimage_test"]', '["set12", "skimage_train"]')],
        '[data]: key "test": skimage_train is in train too; a network is not measured on what it has seen',
    ),
    "test-on-train-in-budget": (
        [("steps = 100", 'steps = 100\ndata.train = ["Skimage_Test"]')],
        '[budgets.quick.data]: key "test": skimage_test is in train too; a network is not measured on what it has seen',
    ),
    "left-out-and-overlapping": (
        [('["skimage_test"]', '["skimage_test"]\nleave_out = ["set14"]\noverlap = "on purpose"')],
        '[data]: key "leave_out": stands beside overlap, under which nothing is left out; keep one of them',
    ),
    "validate-on-train": (
        [('["skimage_test"]', '["skimage_test"]\nvalidation = { dataset = "skimage_train" }')],
        '[data]: key "validation": skimage_train is in train too; a curve on what the network has seen says nothing',
    ),
    "validate-on-nothing": (
        [('["skimage_test"]', '["skimage_test"]\nvalidation = { images = 2 }')],
        '[data]: key "validation": expected either dataset, images of their own, or cut, a number of images '
        'to hold out of the training sets: { cut = 4 } or { dataset = "set5" }',
    ),
    "validate-on-two-kinds": (
        [('["skimage_test"]', '["skimage_test"]\nvalidation = { dataset = "set5", cut = 2 }')],
        '[data]: key "validation": expected either dataset, images of their own, or cut, a number of images '
        'to hold out of the training sets: { cut = 4 } or { dataset = "set5" }',
    ),
    "released-and-trained": (
        [('model = "dncnn"', 'released = "DnCNN"\ntraining = { lr = 1e-3 }'), ("models.dncnn = { layers = 3 }\n", "")],
        '[[entries]] #1 "DnCNN": key "training": released weights bring their own network and are not'
        " trained; leave it out",
    ),
    "released-for-another-task": (
        [('model = "dncnn"', 'released = "ConverseNet"'), ("models.dncnn = { layers = 3 }\n", "")],
        '[[entries]] #1 "DnCNN": key "released": these weights are for deblurring, and the task of '
        "this suite is denoising",
    ),
    "neither-model-nor-released": (
        [('model = "dncnn"\n', ""), ("models.dncnn = { layers = 3 }\n", "")],
        '[[entries]] #1 "DnCNN": key "model": missing; expected one that `converse list models` '
        "knows, or released weights in its place",
    ),
    "operator-without-a-place": (
        [('model = "dncnn"', 'model = "dncnn"\noperator = "conv"')],
        '[[entries]] #1 "DnCNN": key "operator": came "conv"; dncnn has no place for an operator',
    ),
    "place-without-an-operator": (
        [('operator = "converse"\n', "")],
        '[[entries]] #2 "Converse-DnCNN": key "operator": missing; block-dncnn needs an operator in its blocks',
    ),
    "option-of-another-model": (
        [("features = 4", "blocks = 4")],
        "[budgets.quick.options]: key \"blocks\": unknown option of dncnn 'blocks': known: features, "
        "in_channels, layers, normalisation",
    ),
    "channels-of-another-task": (
        [("kernel_size = 3", "in_channels = 3")],
        '[[entries]] #2 "Converse-DnCNN": key "options.in_channels": block-dncnn has channels = 3, '
        "and denoising has channels = 1",
    ),
    "model-of-another-task": (
        [('model = "dncnn"', 'model = "srresnet"'), ("models.dncnn = { layers = 3 }\n", "")],
        "2 mistakes\n"
        '  [[entries]] #1 "DnCNN": key "model": srresnet has channels = 3, and denoising has channels'
        " = 1\n"
        '  [[entries]] #1 "DnCNN": key "model": srresnet has scale = 4, and denoising has scale = 1',
    ),
    "several-at-once": (
        [
            ("lr = 1e-3", "lr = 0.0"),
            ("seeds = [0, 1]", "sedes = [0]"),
            ('"converse"', '"konverse"'),
            ("steps = 100", "steps = 1.5"),
        ],
        "5 mistakes\n"
        '  key "seeds": missing; expected a list of seeds, such as [0, 1, 2]\n'
        '  [training]: key "lr": came 0.0; must be > 0\n'
        '  [budgets.quick]: key "steps": came 1.5 (a number); expected a whole number\n'
        '  [[entries]] #2 "Converse-DnCNN": key "operator": unknown operator \'konverse\': did you mean'
        " 'converse'? known: conv, converse, convt\n"
        f"  unknown key 'sedes': did you mean 'seeds'? known: {TOP}",
    ),
}


def test_the_good_suite_is_good() -> None:
    assert read(GOOD).name == "mine"


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_with_what_came_and_what_may_stand_there(mistake: str) -> None:
    changes, message = MISTAKES[mistake]
    assert refusal(changed(GOOD, changes)) == message


COLOUR = """
schema = 1
name = "mine"
title = "My suite"
task = "TASK"
seeds = [0]
[data]
train = ["skimage_train"]
test = ["skimage_test"]
[training]
patch = 16
[budgets.quick]
steps = 3
[[entries]]
name = "A"
model = "MODEL"
"""


@pytest.mark.parametrize(
    ("task", "model", "change", "message"),
    [
        pytest.param(
            "super_resolution",
            "srresnet",
            ("patch = 16", "patch = 18"),
            '[training]: key "patch": came 18; must be a multiple of 4 for super_resolution',
            id="patch-and-scale",
        ),
        pytest.param(
            "deblurring",
            "usrnet",
            ("patch = 16", "patch = 20"),
            '[training]: key "patch": came 20; must be a multiple of 8 for deblurring',
            id="patch-and-blur",
        ),
        pytest.param(
            "super_resolution",
            "srresnet",
            ("skimage_test", "set12"),
            '[data]: key "test[1]": set12 is grey, and super_resolution is done on colour images',
            id="grey-images",
        ),
        pytest.param(
            "super_resolution",
            "dncnn",
            ("", ""),
            "2 mistakes\n"
            '  [[entries]] #1 "A": key "model": dncnn has channels = 1, and super_resolution has channels = 3\n'
            '  [[entries]] #1 "A": key "model": dncnn has scale = 1, and super_resolution has scale = 4',
            id="grey-denoiser",
        ),
        pytest.param(
            "denoising",
            "usrnet",
            ('model = "usrnet"', 'model = "usrnet"\noptions = { in_channels = 1 }'),
            '[[entries]] #1 "A": key "model": usrnet is given a blur kernel, and denoising has none',
            id="kernel",
        ),
        pytest.param(
            "deblurring",
            "block-usrnet",
            ('model = "block-usrnet"', 'model = "block-usrnet"\noperator = "convt"'),
            "[[entries]] #1 \"A\": cannot be built under [budgets.quick]: model 'block-usrnet': "
            "the data step inverts ('converse') or convolves ('conv'), got operator 'convt'",
            id="operator-that-the-network-refuses",
        ),
    ],
)
def test_networks_and_images_fit_the_task(task: str, model: str, change: tuple[str, str], message: str) -> None:
    text = COLOUR.replace("TASK", task).replace("MODEL", model).replace(*change)
    with pytest.raises(SuiteError) as caught:
        read(text)
    assert str(caught.value) == f"my.toml: {message}"


def test_a_long_list_of_mistakes_is_cut() -> None:
    text = GOOD.replace("lr = 1e-3", "\n".join(f"unknown_{i} = 1" for i in range(30)))
    with pytest.raises(SuiteError) as caught:
        read(text)
    lines = str(caught.value).splitlines()
    assert lines[0] == "my.toml: 30 mistakes"
    assert lines[-1] == "  and 10 more"
    assert len(lines) == 22


# Files that cannot be read


@pytest.mark.parametrize(
    ("content_", "message"),
    [
        pytest.param(b'name = "\xff"', "byte 9 is not UTF-8; save the file as UTF-8", id="not-utf-8"),
        pytest.param(b"schema = 1\nname =\n", "line 2, column 7: not TOML: ", id="syntax"),
        pytest.param(b"a = 1\na = 2\n", "line 2, column 6: not TOML: ", id="key-twice"),
        pytest.param(b'a = """', "end of document: not TOML: ", id="open-text"),
        pytest.param(
            b"a = " + b"[" * 5000, "a number is too long or brackets are nested too deeply", id="nested-deeply"
        ),
        pytest.param(b"a = " + b"9" * 5000, "a number is too long or brackets are nested too deeply", id="long-number"),
        pytest.param(
            b"#" * (LARGEST_FILE + 1),
            "has 1,000,001 bytes; a suite has at most 1,000,000: is it a TOML file?",
            id="too-large",
        ),
        pytest.param(None, "is a folder; expected a TOML file", id="folder"),
    ],
)
def test_a_file_that_cannot_be_read(content_: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    if content_ is None:
        path.mkdir()
    else:
        path.write_bytes(content_)
    with pytest.raises(SuiteError) as caught:
        load_suite(path)
    # what tomllib itself says differs between versions of Python
    assert str(caught.value).partition("not TOML: ")[:2] == f"{path}: {message}".partition("not TOML: ")[:2]


@pytest.mark.parametrize("name", ["denoisin", "runs/denoisin.toml", "", "a\0b", "x" * 5000])
def test_a_file_that_is_not_there_is_answered_with_the_suites_that_are(name: str) -> None:
    with pytest.raises(SuiteError) as caught:
        load_suite(name)
    assert str(caught.value).startswith(f"unknown suite {name!r}:")
    assert f"known: {', '.join(sorted(suites()))}" in str(caught.value)
    assert str(caught.value).endswith("; and there is no such file")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_text(GOOD)
    path.chmod(0)
    with pytest.raises(SuiteError, match="cannot be read: Permission denied"):
        load_suite(path)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert load_suite(path).name == "mine"


# The suites that come with converse


@pytest.fixture(scope="module", params=sorted(suites()))
def built_in(request: pytest.FixtureRequest) -> Suite:
    return load_suite(request.param)


def test_the_suites_of_the_folder_are_found() -> None:
    assert set(suites()) == {p.stem for folder in ("benchmarks", "ablations") for p in content(folder).glob("*.toml")}


def test_a_suite_has_the_name_of_its_file_and_resolves_under_all_its_budgets(built_in: Suite) -> None:
    assert suites()[built_in.name].stem == built_in.name
    for budget in built_in.budgets:
        plans = built_in.resolve(budget)
        trained = len(built_in.entries) - len(built_in.budgets[budget].without)
        assert len({(plan.entry, plan.seed) for plan in plans}) == len(plans) >= trained
        for plan in plans:
            assert json.loads(json.dumps(plan.configuration(), allow_nan=False)) == plan.configuration()


def test_smoke_budgets_need_no_download(built_in: Suite) -> None:
    for plan in built_in.resolve("smoke"):
        assert {*plan.train, *plan.test} <= {"skimage_train", "skimage_test"}
        assert plan.validation is None or plan.validation.cut


@pytest.mark.parametrize("name", ["denoising", "super_resolution", "deblurring"])
def test_every_published_row_has_an_entry_and_all_four_budgets(name: str) -> None:
    suite = load_suite(name)
    table = tomllib.loads((content("reports") / "published.toml").read_text())[name]
    rows = {
        row for group in ([table] if "columns" in table else table.values()) if isinstance(group, dict) for row in group
    }
    assert rows - {"trust", "columns", "blind"} <= {entry.name for entry in suite.entries}
    assert list(suite.budgets) == ["smoke", "quick", "standard", "paper"]
    assert len(suite.seeds) >= 3


# As published, in the paper's table, or counted in the authors' repositories and checkpoints
PARAMETERS = {
    "DnCNN": 557_057,
    "Conv-DnCNN": 734_913,
    "ConvT-DnCNN": 734_913,
    "Converse-DnCNN": 734_913,
    "SRResNet": 1_517_571,
    "Conv-SRResNet": 625_603,
    "ConvT-SRResNet": 625_603 + 2 * 64 * 21,  # ours: of Conv-SRResNet, with 5×5 kernels in place of 2×2
    "Converse-SRResNet": 699_072,
    "ConvNet": 243_267,
    "ConverseNet": 243_267,
    "Converse-USRNet": 307_987,
}


def test_the_twins_pad_as_their_authors_wrote_them() -> None:
    suites_of_twins = (load_suite(name).resolve("paper", seeds=[0]) for name in ("denoising", "super_resolution"))
    padding = {plan.entry: plan.options.get("padding_mode", "circular") for plans in suites_of_twins for plan in plans}
    assert {entry: padding[entry] for entry in padding if "-" in entry} == {
        "Conv-DnCNN": "circular",
        "ConvT-DnCNN": "zero",  # which is all that transposed convolution has
        "Converse-DnCNN": "circular",
        "Conv-SRResNet": "replicate",
        "ConvT-SRResNet": "zero",
        "Converse-SRResNet": "replicate",
    }


@pytest.mark.parametrize("entry", PARAMETERS)
def test_the_paper_budget_has_the_size_of_the_paper(entry: str) -> None:
    name = "denoising" if "DnCNN" in entry else "super_resolution" if "SRResNet" in entry else "deblurring"
    (plan,) = load_suite(name).resolve("paper", only=[entry], seeds=[0])
    network = create_model(plan.model, plan.operator, **plan.options)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[entry]


# What a run does


def test_later_tables_win() -> None:
    suite = read(
        GOOD.replace("lr = 1e-3", "lr = 1e-3\nclip = 0.5")
        .replace("steps = 100", "steps = 100\nclip = 0.25\nloss = 'l2'")
        .replace('model = "dncnn"', 'model = "dncnn"\ntraining = { loss = "l1" }')
        .replace("kernel_size = 3", "kernel_size = 3, features = 64, blocks = 20, operator_options = { eps = 1e-3 }")
        .replace(
            "models.dncnn",
            'entries."Converse-DnCNN" = { blocks = 2, operator_options = { lam_shared = true } }\nmodels.dncnn',
        )
    )
    dncnn, converse = (suite.resolve("quick", seeds=[0], only=[name])[0] for name in ("DnCNN", "Converse-DnCNN"))
    assert (dncnn.training.lr, dncnn.training.clip, dncnn.training.loss) == (1e-3, 0.25, "l1")
    assert converse.training.loss == "l2"
    assert dncnn.options == {"features": 4, "layers": 3}
    assert converse.options == {
        "kernel_size": 3,
        "features": 4,
        "blocks": 2,
        "operator_options": {"eps": 1e-3, "lam_shared": True},
    }


def test_data_and_seeds_of_a_budget_replace_those_of_the_suite() -> None:
    text = GOOD.replace("steps = 100", "steps = 100\nseeds = [5]\nimages = 2\ndata.test = ['set12']")
    plans = read(text).resolve("quick")
    assert [plan.seed for plan in plans] == [5, 5]
    assert {(plan.train, plan.test, plan.images) for plan in plans} == {(("skimage_train",), ("set12",), 2)}


def test_a_run_may_choose_entries_seeds_test_sets_and_images(tmp_path: Path) -> None:
    plans = read(GOOD).resolve(
        "quick", seeds=[3, 4], only=["converse-dncnn"], datasets=["Set12", str(tmp_path)], images=1
    )
    assert [(plan.entry, plan.seed) for plan in plans] == [("Converse-DnCNN", 3), ("Converse-DnCNN", 4)]
    assert {(plan.test, plan.images) for plan in plans} == {(("set12", str(tmp_path)), 1)}


def test_noise_levels_are_those_of_the_data_table_and_no_part_of_what_is_trained() -> None:
    plain = read(GOOD)
    text = changed(GOOD, [("[training]", "noise_levels = [50, 12.5, 25]\n\n[training]")])
    smoke = "[budgets.smoke]\nsteps = 1\ndata = { noise_levels = [] }\n\n"
    suite = read(changed(text, [("[budgets.quick]", f"{smoke}[budgets.quick]")]))
    plans = suite.resolve("quick")
    assert {plan.noise_levels for plan in plans} == {(12.5, 50.0)}  # 25 is measured in any case
    assert {plan.noise_levels for plan in suite.resolve("smoke")} == {()}
    assert {plan.noise_levels for plan in plain.resolve("quick")} == {()}
    assert [one.configuration() for one in plans] == [one.configuration() for one in plain.resolve("quick")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ('["dark"]', '[data]: key "noise_levels[1]": came "dark" (text); expected a number'),
        ("15", '[data]: key "noise_levels": came 15 (a whole number); expected a list'),
        ("[15, 0]", '[data]: key "noise_levels[2]": came 0; must be > 0'),
        ("[256.0]", '[data]: key "noise_levels[1]": came 256.0; must be ≤ 255'),
        ("[nan]", '[data]: key "noise_levels[1]": came nan (a number); expected a finite number'),
        ("[true]", '[data]: key "noise_levels[1]": came true (a truth value); expected a number'),
        ("[15, 15.0]", '[data]: key "noise_levels": came [15.0, 15.0]; 15.0 stands there twice'),
    ],
)
def test_what_is_no_noise_level_is_refused(value: str, message: str) -> None:
    assert refusal(changed(GOOD, [("[training]", f"noise_levels = {value}\n\n[training]")])) == message


@pytest.mark.parametrize("where", ["[data]", "[budgets.smoke.data]"])
def test_a_task_that_does_more_than_add_noise_has_no_further_levels(where: str) -> None:
    other = [('"denoising"\npublished = "denoising"', '"super_resolution"'), ('"dncnn"', '"srresnet"')]
    other += [('"block-dncnn"', '"block-srresnet"')]
    other += [("models.dncnn = { layers = 3 }\nmodels.block-dncnn = { blocks = 1 }\n", "")]
    text = changed(GOOD, other)
    if where == "[data]":
        text = changed(text, [("[training]", "noise_levels = [15]\n\n[training]")])
    else:
        text += f"\n[budgets.smoke]\nsteps = 1\n{where}\nnoise_levels = [15]\n"
    said = "super_resolution has no noise level to change, for it does more to images than add noise; denoising has one"
    assert refusal(text) == f'{where}: key "noise_levels": came [15.0]; {said}: leave it out'


def test_a_budget_may_leave_entries_out_and_says_why() -> None:
    suite = load_suite("deblurring", networks=False)
    (said,) = suite.not_trained("quick")
    assert said.startswith("budget quick is without ConvNet, ConverseNet: a blind network of this size hardly leaves")
    names = [plan.entry for plan in suite.resolve("quick", seeds=[0])]
    assert names == ["Conv-USRNet", "Converse-USRNet", "USRNet", "USRNet-small"]
    assert suite.not_trained("paper") == ()
    assert [plan.entry for plan in suite.resolve("paper", seeds=[0])][:2] == ["ConvNet", "ConverseNet"]
    with pytest.raises(OptionError) as caught:
        suite.resolve("quick", only=["usrnet", "conversenet"])
    assert str(caught.value).startswith("suite 'deblurring': budget quick is without ConverseNet: a blind network")
    assert str(caught.value).endswith("; take another: --budget standard")


WITHOUT = {
    "unknown": (
        'without = { DnCN = "too small" }',
        "[budgets.quick]: key \"without.DnCN\": unknown entry 'DnCN': did you mean 'DnCNN'? known: Converse-DnCNN, ",
    ),
    "no reason": ('without = { DnCNN = "" }', '[budgets.quick]: key "without.DnCNN": came ""; expected one line'),
    "all": (
        'without = { DnCNN = "too small", Converse-DnCNN = "too small" }',
        '[budgets.quick]: key "without": no entry is left: take away the budget, or some of these',
    ),
    "never": (
        'without = { DnCNN = "too small" }',
        '[[entries]] #1 "DnCNN": key "name": no budget trains DnCNN: each of them is without it',
    ),
}


@pytest.mark.parametrize("mistake", WITHOUT)
def test_mistakes_in_what_a_budget_leaves_out(mistake: str) -> None:
    line, message = WITHOUT[mistake]
    with pytest.raises(SuiteError) as caught:
        read(GOOD.replace("steps = 100", f"steps = 100\n{line}"))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({"budget": "quik"}, OptionError, "suite 'mine': unknown budget 'quik': did you mean 'quick'? known: quick"),
        (
            {"only": ["DnCN"]},
            OptionError,
            "suite 'mine': unknown entry 'DnCN': did you mean 'DnCNN'? known: Converse-DnCNN, DnCNN",
        ),
        (
            {"seeds": [-1]},
            OptionError,
            "seeds are whole numbers from 0 to 4294967295, at least one, got [-1]",
        ),
        ({"seeds": []}, OptionError, "seeds are whole numbers from 0 to 4294967295, at least one, got []"),
        ({"images": 0}, OptionError, "at least 1 image of each test set must be taken, got 0"),
        ({"datasets": ["set112"]}, DataError, f"unknown dataset 'set112': did you mean 'set12'? known: {DATASETS}"),
        (
            {"datasets": ["skimage_train"]},
            OptionError,
            "suite 'mine' trains on skimage_train: a network is not measured on what it has seen",
        ),
    ],
)
def test_a_choice_that_is_not_there(choice: dict[str, Any], error: type[ConverseError], message: str) -> None:
    with pytest.raises(error) as caught:
        read(GOOD).resolve(**{"budget": "quick", **choice})
    assert str(caught.value) == message


def test_released_weights_are_one_plan_without_a_seed() -> None:
    text = GOOD.replace('model = "dncnn"', 'released = "DnCNN"').replace("models.dncnn = { layers = 3 }\n", "")
    (plan,) = read(text).resolve("quick", only=["DnCNN"])
    assert (plan.seed, plan.released, plan.model, plan.options) == (None, "DnCNN", "dncnn", {"normalisation": False})
    assert "training" not in plan.configuration()


def test_rows_of_the_published_table_are_found_by_name_or_named() -> None:
    text = GOOD.replace('name = "DnCNN"', 'name = "Mine"').replace(
        'name = "Converse-DnCNN"', 'name = "Theirs"\npublished = "Converse-DnCNN"'
    )
    assert [plan.published for plan in read(text).resolve("quick", seeds=[0])] == [None, "Converse-DnCNN"]


SAME = {
    "name-of-the-entry": ('name = "DnCNN"', 'name = "Other"'),
    "name-of-the-suite": ('name = "mine"', 'name = "theirs"'),
    "title": ("My suite", "Yours"),
    "test-set": ("skimage_test", "set12"),
    "images": ("steps = 100", "steps = 100\nimages = 3"),
    "validation": ('["skimage_test"]', '["skimage_test"]\nvalidation = { dataset = "set5" }'),
    "checkpoints": ("steps = 100", "steps = 100\ncheckpoint_every = 3"),
    "stated-default-of-training": ("lr = 1e-3", "lr = 1e-3\nema = 0.0\nloss = 'l1'"),
    "stated-default-of-the-network": ("layers = 3", "layers = 3, normalisation = true"),
    "whole-number-for-a-number": ("lr = 1e-3", "lr = 1e-3\nclip = 0"),
    "name-of-the-budget": ("budgets.quick", "budgets.paper"),
}
OTHER = {
    "lr": ("lr = 1e-3", "lr = 2e-3"),
    "steps": ("steps = 100", "steps = 101"),
    "patch": ("patch = 16", "patch = 24"),
    "option": ("layers = 3", "layers = 4"),
    "training-data": ("skimage_train", "train400"),
}


@pytest.mark.parametrize("change", [*SAME, *OTHER])
def test_the_configuration_is_what_the_weights_follow_from(change: str) -> None:
    old, new = (SAME | OTHER)[change]
    assert old in GOOD
    suite = read(GOOD.replace(old, new))
    before = read(GOOD).resolve("quick")[0].configuration()
    after = suite.resolve(next(iter(suite.budgets)))[0].configuration()
    assert (before == after) is (change in SAME)
    assert (json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)) is (change in SAME)


def test_paths_start_at_the_file_and_do_not_reach_the_configuration(tmp_path: Path) -> None:
    def plan_in(folder: Path) -> Any:
        (folder / "photos").mkdir(parents=True)
        text = GOOD.replace('"skimage_train"', '"./photos"').replace('"converse"', '"ops/mine.py:Sharpen"')
        (folder / "suite.toml").write_text(text)
        return load_suite(folder / "suite.toml").resolve("quick", only=["Converse-DnCNN"])[0]

    first, second = plan_in(tmp_path / "a"), plan_in(tmp_path / "b")
    assert first.train == (str(tmp_path / "a" / "photos"),)
    assert first.operator == f"{tmp_path / 'a' / 'ops' / 'mine.py'}:Sharpen"
    assert first.configuration() == second.configuration()
    assert first.configuration()["operator"] == "mine.py:Sharpen"


def test_a_reason_allows_to_test_on_what_is_trained_on() -> None:
    text = GOOD.replace('["skimage_test"]', '["skimage_train"]\noverlap = "to see it fit"')
    plan = read(text).resolve("quick", datasets=["skimage_train"])[0]
    assert (plan.train, plan.test, plan.overlap) == (("skimage_train",), ("skimage_train",), "to see it fit")
    assert plan.configuration() == read(GOOD).resolve("quick")[0].configuration()
    with pytest.raises(SuiteError, match=r'key "overlap": came ""'):
        read(text.replace("to see it fit", ""))


def test_plans_and_settings_do_not_change() -> None:
    plan = read(GOOD).resolve("quick")[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.seed = 7  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        plan.training.lr = 1.0


def test_settings_that_are_built_by_hand_are_checked_too() -> None:
    with pytest.raises(ValueError, match="warmup: came 11; must be at most the number of steps, 10"):
        TrainingSettings(steps=10, warmup=11)


def test_reading_without_networks_does_not_load_torch() -> None:
    code = (
        "import sys; from converse.experiments.suites.suite import load_suite, suites;"
        "[load_suite(name, networks=False).resolve('smoke') for name in suites()];"
        "sys.exit(', '.join({'torch', 'numpy', 'pandas', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Whatever a document says, the answer is a suite or a message

KNOWN_WORDS = (
    "schema name title description task data seeds training budgets published entries train test validation dataset "
    "images model operator options released steps patch batch lr betas warmup schedule milestones final_lr smoke quick "
    "models denoising super_resolution deblurring set12 skimage_train dncnn block-dncnn converse conv features blocks "
    "layers operator_options design DnCNN"
)
WORDS = st.sampled_from(KNOWN_WORDS.split())


@settings(max_examples=150)
@given(st.dictionaries(WORDS | st.text(max_size=5), values(WORDS, max_leaves=12), max_size=12))
def test_any_document_is_answered(document: dict[str, Any]) -> None:
    answered(document)


@settings(max_examples=150)
@given(slips(GOOD, WORDS, max_leaves=12, max_size=3))
def test_any_slip_in_a_good_document_is_answered(made: list[Slip]) -> None:
    answered(slipped(GOOD, made))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: (GOOD[:150] + text).encode("utf-8", "replace")))
def test_any_file_is_answered(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / "suite.toml"
    path.write_bytes(written)
    with pytest.raises(SuiteError):
        load_suite(path)


def test_dates_and_times_of_toml_are_shown() -> None:
    document = tomllib.loads(GOOD) | {"title": datetime.time(7, 30)}
    with pytest.raises(SuiteError, match=r'key "title": came 07:30:00 \(a time\); expected text in quotes'):
        parse_suite(document, file="my.toml")


def test_a_suite_is_refused_by_what_it_multiplies_to() -> None:
    """Each list is within its limit. That it is quick is held by the suite's own limit of bytes: no plan is made."""
    entries = "".join(f'\n[[entries]]\nname = "E{at}"\nmodel = "dncnn"\n' for at in range(18))
    with pytest.raises(SuiteError) as caught:
        read(GOOD.replace("seeds = [0, 1]", f"seeds = {list(range(600))}") + entries)
    assert str(caught.value) == (
        'my.toml: key "seeds": 600 seeds for 20 trained entries make 12,000 trials; at most 10,000 are allowed: '
        "divide the suite, or take fewer seeds"
    )
    with pytest.raises(SuiteError, match=r"^my.toml: \[budgets.quick\]: key \"seeds\": 600 seeds for 20 trained"):
        read(GOOD.replace("steps = 100", f"steps = 100\nseeds = {list(range(600))}") + entries)
    many = "".join(f'\n[[entries]]\nname = "E{at}"\nmodel = "dncnn"\n' for at in range(500))
    with pytest.raises(SuiteError, match=r'^my.toml: key "entries": there are 502 of them; at most 500 are allowed$'):
        read(GOOD + many)


def test_a_run_is_refused_by_the_seeds_that_it_asks_for() -> None:
    suite = read(GOOD)
    with pytest.raises(
        OptionError, match=r"^suite 'mine': 5,001 seeds for 2 trained entries make 10,002 trials; at most"
    ):
        suite.resolve("quick", seeds=range(5001))
    assert len(suite.resolve("quick", seeds=range(5001), only=["DnCNN"])) == 5001
