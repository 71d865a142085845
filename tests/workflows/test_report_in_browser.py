"""The page in a real browser. Oracles: the browser itself, and axe-core for accessibility."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image as Pillow

from converse.data.resources import Resources
from converse.experiments.store import Store
from converse.reporting.chapters.contents import make_report
from converse.reporting.figures.style import INK
from converse.reporting.folder import write
from converse.reporting.inputs.material import gather
from converse.workflows.report import report
from tests.in_browser import (
    NARROW,
    NO_CHROMIUM,
    PATIENCE,
    SCREENS,
    SIDEWAYS,
    TWO,
    WIDE,
    findings,
    sync_api,
    unfold,
    watched,
)
from tests.workflows.conftest import Filled

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

HOSTILE = [
    "<script>window.hurt = 1</script>",
    "</script><img src=x onerror='window.hurt = 1'>",
    r"\input{/etc/passwd} 100 % of a_b & ~^#$",
    "{{ 7 * 7 }} {% raw %}",
    "שלום עולם",
    "\u202eevil\u202c",
    "🦊 fox",
    "long " * 40,
]

KERNEL = np.diag([1.0, 2.0, 4.0, 2.0, 1.0]) / 10

pytestmark = NO_CHROMIUM


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with matches, differences, a failure, and names that nobody should have; written once."""
    folder = tmp_path_factory.mktemp("report")
    filled = Filled(Store(folder / "runs"))
    filled.released("DnCNN", [30.4] * 11 + [30.76], parameters=555137)
    filled.released("Converse-DnCNN", [30.5] * 12, parameters=796353)
    trials = []
    for seed in range(3):
        trials.append((filled.trained("base", seed, [30.0, 31.0, 29.0], images=HOSTILE[:3]), "base"))
        for index, name in enumerate(HOSTILE):
            values = [30.0 + index / 10 + seed / 100, 31.1, 28.8 + index / 20]
            trials.append((filled.trained(name, seed, values, images=HOSTILE[:3]), name))
    trials.append((filled.trained("failing", 0, [], state="failed"), "failing"))
    filled.asked(trials, "base", title=HOSTILE[0], description=HOSTILE[1], command=HOSTILE[2])
    filled.asked(
        trials[:2], "base", suite="again", title="Again"
    )  # its tables have titles that the other study has, too
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Resources, "_kernels", lambda self: {f"kernel_{one}": KERNEL for one in range(1, 6)})
        return report([filled.store.root], folder / "report").page


@pytest.fixture
def page(browser: Browser, place: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    with watched(browser, place, **getattr(request, "param", {})) as (page, asked):
        yield page
        assert asked == [place.as_uri()]


def column(page: Page, table: str, number: int) -> list[str]:
    """The texts of a column, row by row, of rows that are shown."""
    script = """([id, n]) => [...document.querySelectorAll(`#${id} tbody tr:not(.group)`)]
      .filter((row) => row.offsetParent !== null).map((row) => row.children[n].innerText.trim())"""
    texts: list[str] = page.evaluate(script, [table, number])
    return texts


def numbers(texts: list[str]) -> list[float]:
    found = [re.match(r"[−+]?\d+\.\d+", text) for text in texts]
    return [float(match.group().replace("−", "-")) for match in found if match]


DIFFERENCES = "table-mine-quick-differences"


def test_hostile_names_are_text(page: Page) -> None:
    shown = column(page, DIFFERENCES, 0)
    for name in HOSTILE:
        first = name.rpartition(": ")[2].split()[0]
        # An override of the direction of writing would turn what follows it: it is shown by its number.
        said = first.encode("unicode_escape").decode() if "\u202e" in first else first
        assert any(said in text for text in shown), name
    assert not any(re.search("[\u202a-\u202e]", text) for text in shown)
    assert page.evaluate("window.hurt") is None
    assert page.locator("img").count() == 0
    assert page.locator("h2", has_text="<script>window.hurt").count() == 1
    page.locator(f"#{DIFFERENCES} button.cell").first.click()
    assert page.evaluate("window.hurt") is None


def test_sorting_by_mouse(page: Page) -> None:
    before = column(page, DIFFERENCES, 0)
    button = page.locator(f"#{DIFFERENCES} thead button").nth(2)
    head = page.locator(f"#{DIFFERENCES} thead th[aria-sort]").nth(2)
    button.click()
    assert head.get_attribute("aria-sort") == "descending"
    down = numbers(column(page, DIFFERENCES, 2))
    assert down == sorted(down, reverse=True)
    button.click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = numbers(column(page, DIFFERENCES, 2))
    assert up == sorted(up)
    assert len(up) == len(HOSTILE)
    button.click()
    assert head.get_attribute("aria-sort") == "none"
    assert column(page, DIFFERENCES, 0) == before


def test_sorting_by_keyboard_moves_the_mark(page: Page) -> None:
    page.locator(f"#{DIFFERENCES} thead button").nth(0).focus()
    page.keyboard.press("Enter")
    marks = page.locator(f"#{DIFFERENCES} thead th[aria-sort]")
    assert marks.nth(0).get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert marks.nth(0).get_attribute("aria-sort") == "none"
    assert marks.nth(1).get_attribute("aria-sort") == "ascending"


def test_filters_by_words_and_by_verdict(page: Page) -> None:
    tools = page.locator(f".tools[data-table={DIFFERENCES}]")
    words, said = tools.locator("input[type=search]"), tools.locator("output")
    words.fill("FOX")
    assert len(column(page, DIFFERENCES, 0)) == 1
    assert said.inner_text() == f"1 of {len(HOSTILE) + 1} rows"
    words.fill("fox no-such-word")  # every word has to be there
    assert column(page, DIFFERENCES, 0) == []
    assert said.inner_text() == f"0 of {len(HOSTILE) + 1} rows"
    words.fill("")
    assert len(column(page, DIFFERENCES, 0)) == len(HOSTILE) + 1
    assert said.inner_text() == ""
    paper = page.locator(".tools[data-table=table-denoising-released]")
    paper.locator("select").select_option("match")
    assert column(page, "table-denoising-released", 0) == ["DnCNN"]
    paper.locator("input[type=search]").fill("converse")  # both hold
    assert column(page, "table-denoising-released", 0) == []
    paper.locator("select").select_option("")
    assert column(page, "table-denoising-released", 0) == ["Converse-DnCNN"]


def test_rows_without_a_number_are_hidden(page: Page) -> None:
    tools = page.locator(".tools[data-table=table-denoising-released]")
    whole = column(page, "table-denoising-released", 0)
    assert len(whole) > 2
    tools.get_by_label("only what was measured").check()
    assert column(page, "table-denoising-released", 0) == ["DnCNN", "Converse-DnCNN"]
    assert tools.locator("output").inner_text() == f"2 of {len(whole)} rows"
    tools.locator("input[type=search]").fill("converse")
    assert column(page, "table-denoising-released", 0) == ["Converse-DnCNN"]
    tools.locator("input[type=search]").fill("")
    tools.get_by_label("only what was measured").uncheck()
    assert column(page, "table-denoising-released", 0) == whole


def cells(page: Page, table: str) -> list[list[str]]:
    """What of each row of a table is seen, head and body, column by column: the first line of each cell."""
    script = """(id) => [...document.querySelectorAll(`#${id} tr:not(.groups):not(.group)`)].map((row) =>
      [...row.cells].filter((cell) => cell.offsetParent !== null)
        .map((cell) => cell.innerText.trim().split("\\n")[0]))"""
    found: list[list[str]] = page.evaluate(script, table)
    return found


def test_columns_are_chosen(page: Page) -> None:
    table = "table-denoising-released"
    tools = page.locator(f".tools[data-table={table}]")
    whole = cells(page, table)
    assert whole[0] == ["Network", "Parameters", "Set12", "BSD68"]
    tools.locator("summary", has_text="Columns").click()
    tools.get_by_label("BSD68").uncheck()
    assert cells(page, table) == [row[:3] for row in whole]
    groups = page.locator(f"#{table} thead tr.groups th")
    assert groups.get_attribute("colspan") == "1"
    for name in ("Parameters", "Set12"):
        tools.get_by_label(name).uncheck()
    assert cells(page, table) == [row[:1] for row in whole]
    assert not groups.is_visible()
    for name in ("Set12", "BSD68", "Parameters"):
        tools.get_by_label(name).check()
    assert cells(page, table) == whole
    assert groups.get_attribute("colspan") == "2"
    page.keyboard.press("Escape")
    assert not tools.get_by_label("BSD68").is_visible()
    assert tools.locator("summary", has_text="Columns").evaluate("(one) => one === document.activeElement")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_menus_lie_on_the_screen_and_one_is_open_at_a_time(page: Page, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    tools = page.locator(".tools[data-table=table-denoising-released]")
    for title in ("Columns", "Copy or download"):
        menu = tools.locator("details.menu", has_text=title)
        menu.locator("summary").click()
        assert page.locator("details.menu[open]").count() == 1
        page.evaluate("async () => { for (const _ of [1, 2]) await new Promise(requestAnimationFrame); }")
        box = menu.locator("> div").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= size["width"]
        assert not page.evaluate(SIDEWAYS)
    page.mouse.click(5, 5)
    assert page.locator("details.menu[open]").count() == 0


KINDS = {"tex": "LaTeX", "paper.tex": "LaTeX as in a paper", "csv": "CSV", "md": "Markdown", "json": "JSON"}
"""Ending of a file → what its buttons are called."""

TAKEN = [
    *(("denoising-released", kind) for kind in KINDS),
    *(("mine-quick-differences", kind) for kind in KINDS if kind != "paper.tex"),  # it has every hostile name
]
GRANTED = {"permissions": ["clipboard-read", "clipboard-write"]}


@pytest.mark.parametrize("page", [GRANTED], ids=["granted"], indirect=True)
@pytest.mark.parametrize(("table", "kind"), TAKEN)
def test_a_table_is_taken_away_as_it_lies_beside_the_page(page: Page, place: Path, table: str, kind: str) -> None:
    """Whole, whatever is hidden on the page."""
    file = place.parent / "tables" / f"{table}.{kind}"
    tools = page.locator(f".tools[data-table=table-{table}]")
    tools.locator("input[type=search]").fill("no row has this")
    tools.locator("summary", has_text="Copy or download").click()
    with page.expect_download() as taken:
        tools.get_by_label(f"Download as {KINDS[kind]}", exact=True).click()
    assert taken.value.suggested_filename == file.name
    assert Path(taken.value.path()).read_bytes() == file.read_bytes()
    button = tools.get_by_label(f"Copy as {KINDS[kind]}", exact=True)
    button.click()
    sync_api.expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").encode() == file.read_bytes()


@pytest.mark.parametrize("page", [GRANTED], ids=["granted"], indirect=True)
def test_where_the_clipboard_may_not_be_written_a_table_is_copied_by_hand(page: Page, place: Path) -> None:
    """As in browsers that give a page from a disk no clipboard. Oracle: the clipboard, read again by the browser."""
    page.evaluate("navigator.clipboard.writeText('before')")
    page.evaluate("() => { Clipboard.prototype.writeText = () => Promise.reject(new Error('not allowed')); }")
    tools = page.locator(f".tools[data-table={DIFFERENCES}]")
    tools.locator("summary", has_text="Copy or download").click()
    button = tools.get_by_label("Copy as CSV", exact=True)
    button.click()
    sync_api.expect(button).to_have_text("Copied")
    file = place.parent / "tables" / "mine-quick-differences.csv"
    assert page.evaluate("navigator.clipboard.readText()").encode() == file.read_bytes()


@pytest.mark.parametrize("page", [GRANTED], ids=["granted"], indirect=True)
def test_commands_and_links_are_copied(page: Page) -> None:
    line = page.locator(".next .command")
    line.get_by_role("button").click()
    sync_api.expect(line.get_by_role("button")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == line.locator("code").inner_text()
    page.locator("#table-denoising-released button.cell", has_text="30.430").click()
    page.get_by_role("button", name="Copy link").click()
    sync_api.expect(page.locator("[data-link]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    assert page.url.endswith("#cell.denoising-released.dncnn.set12")


@pytest.mark.parametrize(("element", "folder"), [("tables", "tables"), ("values", "figures")])
def test_all_that_can_be_taken_away_lies_beside_the_page(page: Page, place: Path, element: str, folder: str) -> None:
    """Every table in every format, and the numbers of every figure, byte for byte."""
    inside = page.evaluate("(id) => JSON.parse(document.getElementById(id).textContent)", element)
    texts = {f"{key}.{kind}": text.encode() for key, kinds in inside.items() for kind, text in kinds.items()}
    beside = [path for path in (place.parent / folder).iterdir() if path.suffix not in (".svg", ".pdf")]
    assert texts == {path.name: path.read_bytes() for path in beside}
    assert texts


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_numbers_of_a_figure_are_taken_away_as_they_lie_beside_the_page(page: Page, place: Path, kind: str) -> None:
    with page.expect_download() as taken:
        page.locator("figcaption .take").first.get_by_role("button", name=kind.upper()).click()
    file = place.parent / "figures" / taken.value.suggested_filename
    assert Path(taken.value.path()).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_figures_keep_the_size_of_their_words(page: Page, size: ViewportSize) -> None:
    """Oracle: the browser's own measure of an SVG: as many pixels as it says of itself, so that 9 pt stay 9 pt."""
    page.set_viewport_size(size)
    shown = page.evaluate(
        """[...document.querySelectorAll('figure svg')].filter((one) => one.getBoundingClientRect().width)
          .map((one) => [one.getBoundingClientRect().width, Number(one.getAttribute('width'))])"""
    )
    assert len(shown) == page.locator("figure").count()
    assert all(seen == pytest.approx(own, abs=1) for seen, own in shown)


@pytest.mark.parametrize("page", TWO.values(), ids=TWO, indirect=True)
def test_every_figure_is_taken_away_as_a_drawing_and_as_pixels(page: Page, place: Path) -> None:
    """Dark ink on white, at one size, on every screen. Oracles: parsers of XML and PNG, the file beside the page."""
    ink = [round(255 * one) for one in to_rgb(INK)]
    figures = page.locator("figure")
    assert figures.count()
    for figure in figures.all():
        took = {}
        for kind in ("SVG", "PNG"):
            with page.expect_download() as taken:
                figure.locator(".take").get_by_role("button", name=kind).click()
            took[kind] = (taken.value.suggested_filename, Path(taken.value.path()).read_bytes())
        name = str(figure.get_attribute("id")).removeprefix("figure-")
        assert [file for file, _ in took.values()] == [f"{name}.svg", f"{name}.png"]
        drawn = ElementTree.fromstring(took["SVG"][1])
        beside = ElementTree.parse(place.parent / "figures" / f"{name}.svg").getroot()
        assert words(drawn) == words(beside)
        size = {side: int(beside.attrib[side]) for side in ("width", "height")}
        assert {side: int(drawn.attrib[side]) for side in size} == size
        pixels = np.array(Pillow.open(io.BytesIO(took["PNG"][1])).convert("RGB")).astype(int)
        assert pixels.shape == (2 * size["height"], 2 * size["width"], 3)
        assert (pixels == 255).all(axis=2).mean() > 0.3
        assert (np.abs(pixels - ink).max(axis=2) <= 2).sum() > 50  # words and axes


def words(drawing: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()) for one in drawing.iter() if one.tag.endswith("}text")]


@pytest.mark.parametrize("page", TWO.values(), ids=TWO, indirect=True)
def test_a_heading_of_rows_stands_in_line_with_their_names(page: Page) -> None:
    unfold(page)
    script = """[...document.querySelectorAll('#table-deblurring-released tbody tr th')].slice(0, 2).map((head) => {
      const words = document.createRange();
      words.selectNodeContents(head);
      return words.getBoundingClientRect().x;
    })"""
    heading, name = page.evaluate(script)
    assert heading == pytest.approx(name, abs=1)


@pytest.mark.parametrize("page", TWO.values(), ids=TWO, indirect=True)
def test_blur_kernels_are_seen_in_the_heads_of_their_columns(page: Page) -> None:
    """White on black in light and in dark. Oracle: the browser's pixels."""
    unfold(page)
    pictures = page.locator("#table-deblurring-released thead .thumbnail")
    assert pictures.count() == page.locator("#table-deblurring-released thead tr:last-child th").count() - 2
    pixels = np.array(Pillow.open(io.BytesIO(pictures.first.screenshot())).convert("L")).astype(float)
    side = len(pixels)
    assert side == pytest.approx(3.5 * 16, abs=1)
    middles = [round((one + 0.5) * side / len(KERNEL)) for one in range(len(KERNEL))]
    assert pixels[np.ix_(middles, middles)] == pytest.approx(255 * KERNEL / KERNEL.max(), abs=3)


def test_a_link_to_a_cell_opens_it(page: Page) -> None:
    button = page.locator("#table-denoising-released button.cell", has_text="30.430").first
    button.click()
    assert page.evaluate("location.hash") == "#cell.denoising-released.dncnn.set12"
    page.keyboard.press("Escape")
    assert page.evaluate("location.hash") == ""
    page.evaluate("location.hash = '#cell.denoising-released.dncnn.set12'")
    assert page.locator("dialog h2", has_text="DnCNN · Set12").is_visible()


def test_provenance_by_mouse(page: Page) -> None:
    page.locator("#table-denoising-released button.cell", has_text="30.430").click()
    dialog = page.locator("dialog")
    assert dialog.locator("h2").inner_text() == "DnCNN · Set12"
    text = dialog.inner_text()
    for said in ("30.430 dB", "30.43 dB", "✓ match", "psnr|colour:grey(uint8)|border:0", "12 images of Set12"):
        assert said in text
    for said in (
        "commit 0123456789ab",
        "A CPU, 1 thread",
        "converse reproduce denoising --only DnCNN --datasets set12",
    ):
        assert said in text
    values = [float(value) for value in dialog.locator("td").all_inner_texts()]
    assert values == sorted(values)
    assert len(values) == 12
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


def test_provenance_by_keyboard_and_the_focus_returns(page: Page) -> None:
    button = page.locator("#table-denoising-released button.cell", has_text="30.430")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog")
    assert dialog.is_visible()
    assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert button.evaluate("button => button === document.activeElement")


def test_the_skip_link_is_the_first_stop(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#summary"


def test_the_first_screen_of_the_committed_report_answers(browser: Browser) -> None:
    """How many published cells match, how many cannot be judged yet and why, and what comes next: without scrolling."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto((Path(__file__).resolve().parents[2] / "reports" / "reference" / "index.html").as_uri())
    for part in (".answers", ".next"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= WIDE["height"], part
    said = page.locator(".answers").inner_text()
    assert re.search(r"Released weights: of \d+ published means, \d+ match", said)
    assert re.search(r"published differences that were measured here, \w+ can be judged yet", said)
    assert "need networks of the paper's size" in said
    assert page.locator(".next code").inner_text().startswith("converse reproduce ")
    context.close()


def test_seeds_stand_apart_for_each_image(page: Page) -> None:
    page.locator("#table-mine-quick-values button.cell").nth(1).click()
    heads = page.locator("dialog thead th").all_inner_texts()
    assert heads == ["Image", "seed 0", "seed 1", "seed 2", "mean"]


@pytest.mark.parametrize(
    "page", [{"color_scheme": "dark"}, {"color_scheme": "light"}], ids=["dark", "light"], indirect=True
)
def test_colours_follow_the_system_until_somebody_chooses(page: Page) -> None:
    def lightness() -> float:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) / 3

    first = lightness()
    assert (first < 60) == page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.locator("#theme").click()
    assert (lightness() < 60) != (first < 60)


@pytest.mark.parametrize("size", [WIDE, NARROW, {"width": 768, "height": 1024}], ids=["1280", "390", "768"])
def test_the_page_never_scrolls_sideways(page: Page, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    page.locator("#table-denoising-released button.cell", has_text="30.430").click()
    box = page.locator("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= size["width"]


@pytest.mark.parametrize("page", SCREENS.values(), ids=SCREENS, indirect=True)
def test_axe_finds_nothing(page: Page) -> None:
    """With all that is folded, each menu, and what lies behind a number."""
    unfold(page)
    assert findings(page) == []
    assert not page.evaluate(SIDEWAYS)
    tools = ".tools[data-table=table-denoising-released]"
    for menu in ("Columns", "Copy or download"):
        page.locator(tools).locator("summary", has_text=menu).click()
        assert findings(page, tools) == []
    page.keyboard.press("Escape")
    page.locator("#table-denoising-released button.cell", has_text="30.430").click()
    assert findings(page, "#provenance") == []


def test_print_shows_all_tables_and_no_controls(page: Page) -> None:
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert not page.locator(".tools").first.is_visible()
    assert not page.locator("#theme").is_visible()
    assert not page.locator("figcaption .take").first.is_visible()
    overflows = "[...document.querySelectorAll('.scroll')].map((one) => getComputedStyle(one).overflowX)"
    assert set(page.evaluate(overflows)) == {"visible"}


def test_without_scripts_the_numbers_are_there(browser: Browser, place: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(place.as_uri())
    assert page.get_by_text("30.430").first.is_visible()
    repeat = "converse reproduce denoising --only DnCNN,Converse-DnCNN --datasets set12 --device cpu --threads 1"
    assert page.get_by_text(repeat, exact=True).first.is_visible()
    assert not page.locator("#theme").is_visible()
    context.close()


def test_infinite_values_of_images_stand_above_all_others(browser: Browser, filled: Any, tmp_path: Path) -> None:
    values = [[math.inf, 30.0, math.nan, 40.0], [31.0, 31.0, math.nan, 41.0]]
    filled.asked([(filled.trained("mine", seed, of_seed), "mine") for seed, of_seed in enumerate(values)])
    material = gather([filled.store])
    written = write(make_report(material), tmp_path / "report")
    context = browser.new_context(viewport=WIDE)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(written.page.as_uri())
    page.locator("#table-mine-quick-values button.cell", has_text="∞ in 1 of 3 images").first.click()
    dialog = page.locator("dialog")
    assert "∞ in 1 of 3 images; mean of the others 35.500 ± 0.707 dB" in dialog.inner_text()
    rows = [row.split("\t") for row in dialog.locator("tbody tr").all_inner_texts()]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["1.png", "30.000", "31.000", "30.500"],
        ["3.png", "40.000", "41.000", "40.500"],
        ["0.png", "∞", "31.000", "∞"],
        ["2.png", "–", "–", "–"],
    ]
    context.close()
