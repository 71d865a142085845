"""The note about a request. Oracle: the file of the ablation."""

from __future__ import annotations

import pytest

from converse.experiments.running import request as module
from converse.experiments.running.request import stored_request
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.suite import load_suite

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
    assert (found.request, found.command) == (LINE, "converse run padding --threads 1")
