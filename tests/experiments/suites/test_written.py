"""A suite that is written and read again plans the same. Oracle: the plans themselves, of every suite."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from converse.experiments.suites.substitutes import with_operator
from converse.experiments.suites.suite import load_suite, parse_suite, suites
from converse.experiments.suites.tables import Suite
from converse.experiments.suites.written import suite_toml


def again(suite: Suite, folder: Path) -> Suite:
    return parse_suite(tomllib.loads(suite_toml(suite)), folder=folder, networks=False)


@pytest.mark.parametrize("name", suites())
def test_every_suite_plans_the_same(name: str, tmp_path: Path) -> None:
    suite = load_suite(name, networks=False)
    read = again(suite, tmp_path)
    for budget in suite.budgets:
        plans = [replace(plan, variation=None) for plan in suite.resolve(budget)]
        assert read.resolve(budget) == plans
    assert suite_toml(read) == suite_toml(suite)


def test_an_operator_in_anothers_place_plans_the_same(tmp_path: Path) -> None:
    suite = with_operator(load_suite("gate"), "smoke", "conv")
    assert {plan.operator for plan in suite.resolve("smoke")} == {"conv"}
    assert [entry.name for entry in suite.entries] == ["Converse-DnCNN", "Converse-DnCNN, replicate"]
    assert again(suite, tmp_path).resolve("smoke") == suite.resolve("smoke")


def test_relative_folders_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "here" / "mine").mkdir(parents=True)
    document = {
        "schema": 1,
        "name": "own",
        "title": 'With "quotes" and é',
        "task": "denoising",
        "seeds": [0],
        "data": {"train": ["./mine"], "test": ["set12"]},
        "budgets": {"smoke": {"steps": 1}},
        "entries": [{"name": "A, B", "model": "block-dncnn", "operator": "./op.py:Mine", "options": {"features": 4}}],
    }
    suite = parse_suite(document, folder=tmp_path / "here", networks=False)
    read = again(suite, tmp_path)
    assert read.resolve("smoke") == suite.resolve("smoke")
    assert read.data.train == (str(tmp_path / "here" / "mine"),)
    assert read.entries[0].operator == f"{tmp_path / 'here' / 'op.py'}:Mine"
