"""Pages beside the report's own in a real browser: quickstart's, compare's, that of two stores.

Oracles: the browser itself, and axe-core for accessibility.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from converse.analysis.answers import ANSWER_COLUMNS
from converse.analysis.side_by_side import NETWORK_COLUMNS
from converse.data.catalogue import dataset
from converse.experiments.store import Store
from converse.reporting.inputs.quickstart import SUITE, TEST_SET
from converse.workflows.compare_page import write_page
from converse.workflows.report import report
from converse.workflows.report_changes import report_changes
from tests.in_browser import NO_CHROMIUM, SCREENS, SIDEWAYS, findings, unfold, watched
from tests.reporting.chapters.laid_out import ASKED, NETWORKS, answer
from tests.workflows.conftest import PLATFORM, Filled

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = NO_CHROMIUM

OPERATORS = ("converse", "conv", "convt")


def quickstart_page(folder: Path) -> Path:
    """What ``converse quickstart`` leaves: four small networks, filters on photographs, times of the operators."""
    filled = Filled(Store(folder / "runs"))
    photographs = len(dataset(TEST_SET).files)
    trials = []
    for index, entry in enumerate(("DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN")):
        for seed in (0, 1):
            values = [28.0 + index / 10 + seed / 100] * photographs
            trials.append((filled.trained(entry, seed, values, name=TEST_SET), entry))
    filled.asked(trials, "Converse-DnCNN", suite=SUITE, title="Quickstart", budget="smoke")
    case = {"kind": "operator", "twin": False, "sweep": "n", "channels": 4, "scale": 1, "batch": 1, "height": 16}
    case |= {"width": 16, "kernel_size": 5, "dtype": "float32", "compiled": False, "status": "ok"}
    about = {"suite": SUITE, "budget": "smoke", "time": "2026-01-02", **PLATFORM}
    filled.store.speed.folder("2026-01-02", about).add(
        [
            {**case, "subject": operator, "pass": pass_, "median_s": 2e-3, "turns_s": [2e-3]}
            for operator in OPERATORS
            for pass_ in ("evaluation", "forward+backward")
        ]
    )
    return report([filled.store.root], folder / "report").page


def comparison_page(folder: Path) -> Path:
    """What ``converse compare`` leaves of an operator against two others."""
    filled = Filled(Store(folder / "runs"))
    trials = []
    for entry, gain in (("Converse-DnCNN", 0.0), ("Converse-DnCNN: Mine", 0.2)):
        for seed in (0, 1, 2):
            trials.append((filled.trained(entry, seed, [30.0 + gain, 31.0 + gain, 29.0 + gain + seed / 10]), entry))
    filled.asked(trials, "Converse-DnCNN", suite="compared")
    told = [answer(), answer("depthwise convolution", "undecided", seeds_needed=24, low=-0.1)]
    answers = pd.DataFrame(told, columns=list(ANSWER_COLUMNS), dtype=object)
    networks = pd.DataFrame(NETWORKS, columns=list(NETWORK_COLUMNS), dtype=object)
    ids = {trial.id for trial, _ in trials}
    store = filled.store.root
    return write_page(store, folder / "page", answers, networks, ASKED, suites={"compared"}, trials=ids, runs=()).page


def changes_page(folder: Path) -> Path:
    """What ``converse report A B --compare`` leaves."""
    stores = []
    for name, more in (("before", 0.0), ("after", 0.01)):
        filled = Filled(Store(folder / name))
        filled.released("DnCNN", [30.4 + more] * 11 + [30.76])
        trials = [
            (filled.trained(entry, seed, [30.0 + more, 31.0 - more, 29.0]), entry)
            for entry in ("A", "A: b")
            for seed in (0, 1)
        ]
        filled.asked(trials, "A")
        stores.append(filled.store.root)
    return report_changes(stores[0], stores[1], folder / "page").page


KINDS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "quickstart": (quickstart_page, "Best Gaussian filter"),
    "compare": (comparison_page, "Mine is better than reverse convolution"),
    "changes": (changes_page, "What changed"),
}
"""Kind of page → how it is made, and what only it says."""


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    make, said = KINDS[request.param]
    page = make(tmp_path_factory.mktemp(request.param))
    assert said in page.read_text("utf-8")
    return page


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: Browser, place: Path, screen: str) -> None:
    with watched(browser, place, **SCREENS[screen]) as (page, asked):
        unfold(page)
        assert not page.evaluate(SIDEWAYS)
        assert findings(page) == []
        assert asked == [place.as_uri()]
