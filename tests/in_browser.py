"""Pages in Chromium: how it is started, on which screens, and what a page must not say, ask for or get wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright for Python is not installed")

CHROMIUM = os.environ.get("CONVERSE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
PATIENCE = 300_000.0  # milliseconds: how long it takes says how busy the machine is
WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
SCREENS: dict[str, dict[str, Any]] = {
    f"{size['width']}-{scheme}": {"viewport": size, "color_scheme": scheme}
    for size in (WIDE, NARROW)
    for scheme in ("light", "dark")
}
"""Options of the contexts of a browser on which pages have to stand."""
TWO: dict[str, dict[str, Any]] = {name: SCREENS[name] for name in ("1280-light", "390-dark")}
"""Of them those for what hangs on size and colours, and on no pair of them."""
NO_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium (set CONVERSE_CHROMIUM, or install chromium)")
SIDEWAYS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS, timeout=PATIENCE)
        yield found
        found.close()


@contextlib.contextmanager
def watched(browser: Browser, place: Path, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A page, and the addresses that it asked for; in the end its console must be empty."""
    context = browser.new_context(**{"viewport": WIDE, **options})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    asked: list[str] = []
    page.on("request", lambda one: None if one.url.startswith(("data:", "blob:")) else asked.append(one.url))
    page.goto(place.as_uri())
    yield page, asked
    assert said == []
    context.close()


def unfold(page: Page) -> None:
    """Open all that is folded on a page."""
    page.evaluate("for (const one of document.querySelectorAll('main details:not(.menu)')) one.open = true;")


def findings(page: Page, context: str | None = None) -> list[Any]:
    """What axe-core finds, by all rules that it has switched on, of any weight: each with the first of its elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed").Axe()
    found = axe.run(page, context=context).response["violations"]
    return [(one["id"], one["impact"], one["help"], [node["target"] for node in one["nodes"]][:5]) for one in found]
