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
from tests.in_browser import NO_CHROMIUM, PATIENCE, SCREENS, SIDEWAYS, TWO, WIDE, findings, watched
from tests.workflows.conftest import SIGNATURES, Filled
from tests.workflows.hands import DRAG, HANDS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = NO_CHROMIUM

HOSTILE = "<img src=x onerror='window.hurt = 1'>.png"
WIDTH, HEIGHT = 48, 32
GREY = {"A": 100, "A: b": 180}
"""What each network makes of every image: one grey."""

PAINTED = """async () => {
  const images = [...document.querySelectorAll('#viewer .plane img:not([hidden])')];
  await Promise.all(images.map((one) => one.decode()));
  for (let [frame, last] = [0, NaN]; frame < 3; frame += 1) {
    await new Promise(requestAnimationFrame);
    if (scrollY !== last) [frame, last] = [0, scrollY];
  }
}"""
"""The picture is there, and the page behind the viewer has come to rest: it scrolls to what gets the focus."""


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


def opened(page: Page, mode: str = "slider", **more: str) -> None:
    """Open the first image by its address, as a link to it would."""
    href = page.locator(".card").first.get_attribute("href")
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    page.evaluate("(hash) => { location.hash = hash; }", f"{href}&mode={mode}{rest}")
    page.wait_for_selector("#viewer[open]")


class Seen:
    """What the stage shows, its pixels."""

    def __init__(self, page: Page) -> None:
        page.evaluate(PAINTED)
        self.pixels = np.array(Pillow.open(io.BytesIO(page.locator("#viewer-stage").screenshot())).convert("RGB"))

    def __call__(self, x: float, y: float = 0.5) -> tuple[int, ...]:
        """The colour at a place, in fractions of its sides."""
        height, width, _ = self.pixels.shape
        return tuple(int(one) for one in self.pixels[round(y * (height - 1)), round(x * (width - 1))])


def lying(page: Page) -> list[dict[str, float]]:
    """Where the picture lies in each pane, and at which size. Oracle: the browser's boxes."""
    script = """[...document.querySelectorAll('#viewer .pane')].map((pane) => {
      const [outer, inner] = [pane.getBoundingClientRect(), pane.querySelector('.shown').getBoundingClientRect()];
      return { x: inner.x - outer.x, y: inner.y - outer.y, width: inner.width, height: inner.height };
    })"""
    found: list[dict[str, float]] = page.evaluate(script)
    return found


def inferno(error: float) -> Any:
    import matplotlib as mpl

    return pytest.approx(tuple(np.array(mpl.colormaps["inferno"](error)[:3]) * 255), abs=8)  # of it 17 colours


GREYS = {grey: (grey,) * 3 for grey in (0, 90, *GREY.values())}


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("kind", HANDS)
def test_a_walk_through_the_viewer(browser: Browser, place: Path, kind: str, screen: str) -> None:
    """Open, slide, choose, blink, side by side, enlarge and move in step, error map, next image, the address of it."""
    make = HANDS[kind]
    with watched(browser, place, **SCREENS[screen], **make.options) as (page, _):
        hand = make(page)
        hand.open()
        page.wait_for_selector("#viewer[open]")
        assert page.locator("#viewer-title").inner_text() == "mine · 0.png"
        assert "PSNR 30.000 dB" in page.locator("#viewer-under-b").inner_text()
        seen = Seen(page)
        assert (seen(0.4), seen(0.6)) == (GREYS[0], GREYS[100])
        hand.slide()
        assert float(page.locator("#viewer-at").input_value()) == pytest.approx(70, abs=1)
        seen = Seen(page)
        assert (seen(0.6), seen(0.79)) == (GREYS[0], GREYS[100])

        hand.choose()
        under = page.locator("#viewer-under-a b, #viewer-under-b b")
        assert under.all_inner_texts() == ["A: A, seed 0", "B: A: b, seed 0"]
        hand.exchange()
        assert under.all_inner_texts() == ["A: A: b, seed 0", "B: A, seed 0"]
        seen = Seen(page)
        assert (seen(0.6), seen(0.79)) == (GREYS[180], GREYS[100])

        hand.blink()
        until(page, "document.getElementById('viewer-stage').dataset.now === 'b'")
        hand.hold()
        assert page.locator("#viewer-pause").inner_text() == "Go on"
        now = page.locator("#viewer-stage").get_attribute("data-now")
        seen = Seen(page)
        assert seen(0.3) == seen(0.7) == GREYS[{"a": 180, "b": 100}[str(now)]]

        hand.beside()
        of_a, of_b = ((0.5, 0.25), (0.5, 0.75)) if "390" in screen else ((0.25, 0.5), (0.75, 0.5))
        seen = Seen(page)
        assert (seen(*of_a), seen(*of_b)) == (GREYS[180], GREYS[100])
        fitting, other = lying(page)
        assert fitting == pytest.approx(other)
        hand.enlarge()
        before, other = lying(page)
        assert before == pytest.approx(other)
        assert before["width"] > 1.4 * fitting["width"]
        right, down = hand.move()
        after, other = lying(page)
        assert after == pytest.approx(other)
        assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((right, down), abs=0.1)

        hand.following()
        assert page.locator("#viewer-title").inner_text().startswith("mine · <img src=x")
        assert lying(page)[0] == pytest.approx(after)
        hand.error()
        seen = Seen(page)
        # The clean image is 90: errors of 90, beyond the end of the scale at 32, and of 10.
        assert (seen(*of_a), seen(*of_b)) == (inferno(1.0), inferno(10 / 32))

        until(page, "location.hash.includes('error=32') && location.hash.includes('zoom=')")
        address, said, there = page.url, controls(page), lying(page)

        hand.fit()
        assert lying(page)[1] == pytest.approx(fitting)
        assert not page.evaluate(SIDEWAYS)
        assert page.locator("#viewer .body").evaluate("(one) => one.scrollWidth <= one.clientWidth")
        hand.close()
        assert not page.locator("#viewer").is_visible()
        until(page, "location.hash === '' && document.activeElement === document.querySelector('.card')")

        page.goto("about:blank")  # from one address to another of the same page would load nothing
        page.goto(address)
        page.wait_for_selector("#viewer[open]")
        assert np.abs(Seen(page).pixels.astype(int) - seen.pixels).mean() < 0.1
        assert controls(page) == said
        assert [pane == pytest.approx(other, abs=0.1) for pane, other in zip(lying(page), there, strict=True)] == [
            True
        ] * 2
        assert page.evaluate("window.hurt") is None


def controls(page: Page) -> list[str]:
    """What the controls that are seen are set to, and what stands around the picture."""
    script = """[...document.querySelectorAll('#viewer :is(h2, select, input, output, .unders p)')]
      .filter((one) => one.offsetParent !== null)
      .map((one) => (['radio', 'checkbox'].includes(one.type) ? one.checked : one.value ?? one.innerText))"""
    found: list[str] = page.evaluate(script)
    return found


@pytest.mark.parametrize("screen", TWO)
def test_what_a_finger_presses_is_large_enough(browser: Browser, place: Path, screen: str) -> None:
    """Oracle: the browser's boxes; 44 pixels are those of WCAG 2.5.5."""
    with watched(browser, place, **SCREENS[screen], has_touch=True) as (page, _):
        opened(page, "blink")
        for control in page.locator("#viewer :is(button, select):visible").all():
            box = control.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44, control.inner_text()


@pytest.mark.parametrize("kind", ["mouse", "touch"])
def test_two_quick_strokes_are_no_double_tap(browser: Browser, place: Path, kind: str) -> None:
    """They may end at one place, as where somebody moves the picture bit by bit."""
    make = HANDS[kind]
    with watched(browser, place, **make.options) as (page, _):
        opened(page, "side", zoom="30")
        hand = make(page)
        first = lying(page)[0]
        hand.move()
        hand.move()
        second = lying(page)[0]
        assert second["width"] == first["width"]
        assert second["x"] - first["x"] == pytest.approx(2 * DRAG[0], abs=0.1)


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


def test_a_difference_of_an_image_opens_the_one_network_beside_the_other(page: Page) -> None:
    page.locator("#table-mine-quick-differences button.cell").last.click()
    page.locator("#provenance button.value-button").first.click()
    assert "A, seed 0" in page.locator("#viewer-under-a").inner_text()
    assert "b, seed 0" in page.locator("#viewer-under-b").inner_text()


@pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(page: Page) -> None:
    assert findings(page) == []
    for mode in ("slider", "blink", "side"):
        opened(page, mode, error="32")
        assert findings(page, "#viewer") == []
        assert page.locator("#viewer .body").evaluate("(one) => one.scrollWidth <= one.clientWidth")
        assert not page.evaluate(SIDEWAYS)


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
    seen = Seen(page)
    assert (seen(0.4), seen(0.6)) == (GREYS[0], GREYS[100])
    assert asked == [alone.as_uri()]
    context.close()


def test_images_load_when_they_are_seen(page: Page, place: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith(".png") else None)
    page.goto(f"{place.as_uri()}")
    page.wait_for_load_state("load")
    seen = len(asked)
    page.locator(".card").first.click()
    page.evaluate(PAINTED)
    files = {re.sub(r".*/", "", url) for url in asked}
    assert seen <= 2  # at most the two cards: outputs are not loaded before they are asked for
    assert len(files) <= 3
