"""The image viewer in a real browser. Oracles: the browser itself, its pixels, and axe-core for accessibility."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pillow

from converse.data.images import image_set
from converse.data.resources import Resources
from converse.experiments.evaluation.keeping import encoded
from converse.experiments.store import Store
from converse.experiments.store.outputs import Outputs
from converse.experiments.store.requests import RequestedSet
from converse.reporting.chapters.contents import make_report
from converse.reporting.folder import write
from converse.reporting.inputs.material import gather
from converse.reporting.inputs.networks import Networks
from converse.reporting.viewer.gallery import Wanted, make_gallery
from tests.workflows.conftest import SIGNATURES, Filled
from tests.workflows.in_browser import NARROW, NO_CHROMIUM, PATIENCE, WIDE, chromium, watched

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = NO_CHROMIUM

HOSTILE = "<img src=x onerror='window.hurt = 1'>.png"
WIDTH, HEIGHT = 48, 32
GREY = {"A": 100, "A: b": 180}
"""What each network makes of every image: one grey."""

COMPLETE = "[...document.querySelectorAll('#viewer .plane img:not([hidden])')].every((one) => one.complete)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Two networks under two seeds on two images of a folder, whose clean images are black and grey."""
    root = tmp_path_factory.mktemp("kept")
    (root / "mine").mkdir()
    for name, grey in (("0.png", 0), (HOSTILE, 90)):
        (root / "mine" / name).write_bytes(flat(grey))
    images = image_set(root / "mine")
    filled = Filled(Store(root / "runs"))
    trials = []
    for entry, grey in GREY.items():
        for seed in (0, 1):
            trial = filled.trained(entry, seed, [])
            trials.append((trial, entry))
            folder = filled.store.folder(trial)
            with folder.lock():
                for one in images.images:
                    row: dict[str, Any] = {
                        "image": one.name,
                        "image_sha256": one.sha256,
                        "dataset": "mine",
                        "device": "cpu",
                    }
                    row |= {"metric": "psnr", "signature": SIGNATURES["psnr"], "value": 30.0 + seed}
                    folder.append_rows([row])
                    place = (one.sha256, None)
                    Outputs(folder).add(flat(grey), image=one.name, place=place, size=(HEIGHT, WIDTH), window=None)
                folder.seal_rows()
    filled.asked(trials, "A", sets=(RequestedSet.of(images),))
    return filled.store


def flat(grey: int) -> bytes:
    """A PNG of one grey."""
    return encoded(np.full((HEIGHT, WIDTH, 1), grey, np.uint8))


def written(store: Store, folder: Path, **wanted: Any) -> Path:
    """A page with its viewer, without figures."""
    material = gather([store])
    networks = Networks(Resources(None, fetch=False), compute=False)
    gallery, pictures = make_gallery(material, networks, folder, Wanted(**wanted))
    return write(replace(make_report(material), gallery=gallery), folder, kept=pictures).page


@pytest.fixture(scope="module")
def place(kept: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(kept, tmp_path_factory.mktemp("report"))


@pytest.fixture
def page(browser: Browser, place: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, place, **getattr(request, "param", {})) as (page, asked):
        yield page
        assert all(url.startswith(place.parent.as_uri()) for url in asked)
        assert page.evaluate("window.hurt") is None


def until(page: Page, condition: str) -> None:
    """Wait for a condition on the page, whose policy lets no text become a script later on."""
    page.evaluate(f"async () => {{ while (!({condition})) await new Promise((go) => setTimeout(go, 30)); }}")


def colour(page: Page, x: float, y: float = 0.5) -> tuple[int, ...]:
    """The colour at a place of the stage, in fractions of its sides."""
    until(page, "[...document.querySelectorAll('#viewer .plane img:not([hidden])')].every((one) => one.complete)")
    image = Pillow.open(io.BytesIO(page.locator("#viewer-stage").screenshot())).convert("RGB")
    found = image.getpixel((round(x * (image.width - 1)), round(y * (image.height - 1))))
    assert isinstance(found, tuple)
    return tuple(map(int, found))


def opened(page: Page, mode: str = "slider", **more: str) -> None:
    """Open the first image by its address, as a link to it would."""
    href = page.locator(".card").first.get_attribute("href")
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    page.evaluate("(hash) => { location.hash = hash; }", f"{href}&mode={mode}{rest}")
    page.wait_for_selector("#viewer[open]")


def test_by_mouse(page: Page) -> None:
    page.locator(".card").first.click()
    assert page.locator("#viewer-title").inner_text() == "mine · 0.png"
    assert "PSNR 30.000 dB" in page.locator("#viewer-under-b").inner_text()
    assert (colour(page, 0.4), colour(page, 0.6)) == ((0, 0, 0), (100, 100, 100))
    box = page.locator("#viewer-stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] / 2, steps=3)
    page.mouse.up()
    assert colour(page, 0.6) == (0, 0, 0)
    page.locator("#viewer-b").select_option(label="A: b, seed 0")
    page.locator("#viewer-swap").click()
    assert (colour(page, 0.6), colour(page, 0.75)) == ((180, 180, 180), (0, 0, 0))
    before = page.locator("#viewer-zoom").inner_text()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -240)
    assert page.locator("#viewer-zoom").inner_text() != before
    page.locator("#viewer-next").click()
    assert page.locator("#viewer-title").inner_text().startswith("mine · <img src=x")


def test_the_error_map_has_one_scale_for_all(page: Page) -> None:
    import matplotlib as mpl

    opened(page, "side", error="128", a="input")
    page.locator("#viewer-a").select_option(label="A, seed 0")
    page.locator("#viewer-b").select_option(label="A: b, seed 0")
    # The truth is black: the errors are 100 and, beyond the end of the scale, 180.
    for side, error in ((0.25, 100 / 128), (0.75, 1.0)):
        expected = np.array(mpl.colormaps["inferno"](error)[:3]) * 255
        assert np.abs(np.array(colour(page, side)) - expected).max() <= 8  # 17 colours, and straight lines between them
    page.locator("#viewer-range").select_option("255")
    assert sum(colour(page, 0.25)) < sum(colour(page, 0.75))
    assert page.locator("#viewer-end").inner_text() == "255"


def test_by_keyboard(page: Page) -> None:
    card = page.locator(".card").first
    card.focus()
    page.keyboard.press("Enter")
    assert page.locator("#viewer-stage").evaluate("(one) => one === document.activeElement")
    for key, mode in (("d", "side"), ("b", "blink"), ("s", "slider")):
        page.keyboard.press(key)
        assert page.locator("#viewer-stage").get_attribute("data-mode") == mode
    page.keyboard.press("e")
    assert page.locator("#viewer-error").is_checked()
    page.keyboard.press("e")
    page.keyboard.press("4")
    page.keyboard.press("Shift+Digit3")
    assert page.locator("#viewer-under-a b").inner_text() == "A: A, seed 0"
    assert page.locator("#viewer-under-b b").inner_text() == "B: A: b, seed 0"
    page.keyboard.press("x")
    assert page.locator("#viewer-under-a b").inner_text() == "A: A: b, seed 0"
    page.keyboard.press("+")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("[")
    until(page, "location.hash.includes('zoom=') && location.hash.includes('at=45')")
    page.keyboard.press("Space")
    assert page.locator("#viewer-stage").get_attribute("data-now") == "b"
    assert page.locator("#viewer-pause").inner_text() == "Go on"
    page.keyboard.press("n")
    page.keyboard.press("p")
    assert page.locator("#viewer-title").inner_text() == "mine · 0.png"
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    assert card.evaluate("(one) => one === document.activeElement")
    assert page.evaluate("location.hash") == ""


@pytest.mark.parametrize("page", [{"viewport": NARROW, "has_touch": True}], ids=["390"], indirect=True)
def test_by_touch(page: Page) -> None:
    page.locator(".card").first.tap()
    box = page.locator("#viewer-stage").bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        where = [
            {"x": box["x"] + x * box["width"], "y": box["y"] + y * box["height"], "id": index}
            for index, (x, y) in enumerate(points)
        ]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": where})

    touch("touchStart", (0.5, 0.5))
    touch("touchMove", (0.25, 0.5))
    touch("touchEnd")
    assert float(page.locator("#viewer-at").input_value()) == pytest.approx(25, abs=3)
    touch("touchStart", (0.45, 0.5), (0.55, 0.5))
    touch("touchMove", (0.3, 0.5), (0.7, 0.5))
    touch("touchMove", (0.2, 0.5), (0.8, 0.5))
    touch("touchEnd")
    until(page, "new URLSearchParams(location.hash.slice(1)).get('zoom') > 20")
    for _ in range(2):  # a double tap goes back
        page.touchscreen.tap(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.3)
    until(page, "!location.hash.includes('zoom=')")


def test_an_address_opens_what_it_was_taken_from(page: Page, browser: Browser) -> None:
    opened(page, "side", error="64", zoom="12", x="0.4", y="0.6")
    page.locator("#viewer-a").select_option(label="A, seed 1")
    until(page, "location.hash.includes('error=64') && /&a=(?!truth)/.test(location.hash)")
    address = page.url
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(PATIENCE)
    other = context.new_page()
    other.goto(address)
    other.wait_for_selector("#viewer[open]")
    for name in ("a", "b", "range"):
        assert other.locator(f"#viewer-{name}").input_value() == page.locator(f"#viewer-{name}").input_value()
    assert other.locator("#viewer-zoom").inner_text() == "1200 %"
    assert other.locator("input[value=side]").is_checked()
    context.close()


def test_a_value_of_an_image_opens_it(page: Page) -> None:
    page.locator("#table-mine-quick-values button.cell").nth(1).click()
    page.locator("#provenance button.value-button").first.click()
    assert not page.locator("#provenance").is_visible()
    assert page.locator("#viewer-title").inner_text() == "mine · 0.png"
    assert "A, seed 0" in page.locator("#viewer-under-b").inner_text()


@pytest.mark.parametrize(
    "page",
    [{"viewport": size, "color_scheme": scheme} for size in (WIDE, NARROW) for scheme in ("dark", "light")],
    ids=["1280 dark", "1280 light", "390 dark", "390 light"],
    indirect=True,
)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed").Axe()
    opened(page, error="32")
    found = axe.run(page, context="#viewer, #images").response["violations"]
    assert not found, [(one["id"], one["help"], [node["target"] for node in one["nodes"]][:5]) for one in found]
    inner = "(one) => one.scrollWidth <= one.clientWidth"
    assert page.locator("#viewer .body").evaluate(inner)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_scripts_each_image_has_its_links(browser: Browser, place: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(place.as_uri())
    link = page.get_by_role("link", name="A: b, seed 1 31.00 dB").first
    assert link.is_visible()
    assert (place.parent / str(link.get_attribute("href"))).is_file()
    context.close()


def test_inside_one_file(browser: Browser, kept: Store, tmp_path: Path) -> None:
    single = written(kept, tmp_path / "single", inside=True)
    assert not (single.parent / "images").exists()
    alone = tmp_path / "alone.html"
    alone.write_bytes(single.read_bytes())
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda one: None if one.url.startswith("data:") else asked.append(one.url))
    page.goto(alone.as_uri())
    page.locator(".card").first.click()
    assert (colour(page, 0.4), colour(page, 0.6)) == ((0, 0, 0), (100, 100, 100))
    assert asked == [alone.as_uri()]
    context.close()


def test_images_load_when_they_are_seen(page: Page, place: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith(".png") else None)
    page.goto(f"{place.as_uri()}")
    page.wait_for_load_state("load")
    seen = len(asked)
    page.locator(".card").first.click()
    until(page, "[...document.querySelectorAll('#viewer .plane img:not([hidden])')].every((one) => one.complete)")
    files = {re.sub(r".*/", "", url) for url in asked}
    assert seen <= 2  # at most the two cards: outputs are not loaded before they are asked for
    assert len(files) <= 3
