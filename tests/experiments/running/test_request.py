"""The note about a request. Oracle: the file of the ablation."""

from __future__ import annotations

import pytest

from converse.experiments.running import request as module
from converse.experiments.running.request import full_sizes, standard, stored_request
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.requests import Standard
from converse.experiments.suites.suite import load_suite, parse_suite

LINE = CommandLine("run", "padding", {"threads": 1})


def test_the_note_of_an_ablation_names_base_labels_and_published_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "now", lambda: "then")
    suite = load_suite("padding", networks=False)
    found = stored_request(suite, suite.resolve("smoke"), [("0" * 16, "Converse-DnCNN", 0)], missing={}, request=LINE)
    assert (found.base, found.budget, found.task, found.time) == ("Converse-DnCNN", "smoke", "denoising", "then")
    labels = {entry.label: entry for entry in found.entries}
    assert ("Converse-DnCNN: zero", "Converse-DnCNN", "zero") in found.contrasts
    assert labels["zero"].published == ("ablation.padding", "zero")
    assert labels["zero"].changes == {"options.padding_mode": "zero"}
    assert labels["Converse-DnCNN"].changes == {}
    assert found.standard is not None
    assert set(found.standard.baselines.items()) == {(entry.name, "Converse-DnCNN") for entry in found.entries}
    assert found.standard.within == 0.3
    assert set(found.standard.full_size.values()) == {False}  # the budget smoke has 4 features
    assert (found.request, found.command) == (LINE, "converse run padding --threads 1")


def test_a_network_has_its_full_size_where_the_budget_changes_nothing_of_it() -> None:
    document = {
        "schema": 1,
        "name": "mine",
        "title": "Mine",
        "task": "denoising",
        "seeds": [0],
        "data": {"train": ["skimage_train"], "test": ["skimage_test"]},
        "budgets": {
            "quick": {"steps": 1, "models": {"block-dncnn": {"features": 64}}, "entries": {"B": {"blocks": 4}}},
            "paper": {"steps": 1},
        },
        "entries": [{"name": name, "model": "block-dncnn", "operator": "conv"} for name in "AB"],
    }
    suite = parse_suite(document, networks=False)
    assert full_sizes(suite, suite.resolve("paper")) == {"A": True, "B": True}
    assert full_sizes(suite, suite.resolve("quick")) == {"A": True, "B": False}  # 64 features are the default
    assert standard(suite, {"A": True}) == Standard({}, 0.3, {"A": True})
