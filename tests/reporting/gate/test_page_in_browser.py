"""The gate's page in a real browser. Oracles: the browser itself, and axe-core for accessibility."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from converse.reporting.figures.comparison import Shown, comparison_figure
from converse.reporting.gate.answer import Answer
from converse.reporting.gate.page import page
from converse.reporting.report import Missing
from tests.in_browser import NO_CHROMIUM, SCREENS, SIDEWAYS, findings, unfold, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = NO_CHROMIUM


@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    browser: Browser, answer: Answer, hostile: Answer, screen: str, tmp_path: Path
) -> None:
    grey = np.full((64, 64, 1), 128, np.uint8)
    shown = [Shown("baseline", grey, 31.2), Shown("now", grey, 31.1)]
    crops = comparison_figure(shown, (0, 0, 64), name="worst", image="05.png", where="Set12", rule="By rule.")
    for name, one in {"answer": answer, "hostile": hostile, "empty": Answer("gate.toml", ())}.items():
        file = tmp_path / f"{name}.html"
        file.write_text(page(one, [crops, Missing("No crop.", "converse data fetch set12")]), "utf-8")
        with watched(browser, file, **SCREENS[screen]) as (seen, asked):
            unfold(seen)
            assert not seen.evaluate(SIDEWAYS), name
            assert findings(seen) == [], name
            assert asked == [file.as_uri()]
