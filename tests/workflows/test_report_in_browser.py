"""The page in a real browser. Oracles: the browser itself, and axe-core for accessibility."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from converse.experiments.store import Store
from converse.reporting.chapters.contents import make_report
from converse.reporting.folder import write
from converse.reporting.inputs.material import gather
from converse.workflows.report import report
from tests.workflows.conftest import Filled
from tests.workflows.in_browser import NARROW, NO_CHROMIUM, PATIENCE, WIDE, chromium, watched

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

pytestmark = NO_CHROMIUM


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


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
    tools.locator("input[type=search]").fill("FOX")
    assert len(column(page, DIFFERENCES, 0)) == 1
    assert tools.locator("output").inner_text() == f"1 of {len(HOSTILE) + 1} rows"
    tools.locator("input[type=search]").fill("")
    assert len(column(page, DIFFERENCES, 0)) == len(HOSTILE) + 1
    paper = page.locator(".tools[data-table=table-denoising-released]")
    paper.locator("select").select_option("match")
    assert column(page, "table-denoising-released", 0) == ["DnCNN"]


def test_rows_without_a_number_and_columns_are_hidden(page: Page) -> None:
    tools = page.locator(".tools[data-table=table-denoising-released]")
    tools.get_by_label("only what was measured").check()
    assert column(page, "table-denoising-released", 0) == ["DnCNN", "Converse-DnCNN"]
    tools.locator("summary", has_text="Columns").click()
    tools.get_by_label("BSD68").uncheck()
    heads = page.locator("#table-denoising-released thead tr:last-child th:visible")
    assert [text.partition("\n")[0] for text in heads.all_inner_texts()] == ["Network", "Parameters", "Set12"]
    assert page.locator("#table-denoising-released thead tr.groups th").get_attribute("colspan") == "1"
    page.keyboard.press("Escape")
    assert not tools.get_by_label("BSD68").is_visible()


@pytest.mark.parametrize("kind", ["tex", "paper.tex", "csv", "md", "json"])
def test_a_table_is_taken_away_as_it_lies_beside_the_page(page: Page, place: Path, kind: str) -> None:
    tools = page.locator(".tools[data-table=table-denoising-released]")
    tools.locator("summary", has_text="Copy or download").click()
    names = {"tex": "LaTeX", "paper.tex": "LaTeX as in a paper", "csv": "CSV", "md": "Markdown", "json": "JSON"}
    with page.expect_download() as taken:
        tools.get_by_label(f"Download as {names[kind]}", exact=True).click()
    assert taken.value.suggested_filename == f"denoising-released.{kind}"
    file = place.parent / "tables" / f"denoising-released.{kind}"
    assert Path(taken.value.path()).read_bytes() == file.read_bytes()


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


@pytest.mark.parametrize(("kind", "begins"), [("SVG", b"<svg"), ("PNG", b"\x89PNG")])
def test_a_figure_is_taken_away(page: Page, kind: str, begins: bytes) -> None:
    with page.expect_download() as taken:
        page.locator("figcaption .take").first.get_by_role("button", name=kind).click()
    assert Path(taken.value.path()).read_bytes().startswith(begins)


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


@pytest.mark.parametrize(
    "page", [{"color_scheme": "dark"}, {"color_scheme": "light"}], ids=["dark", "light"], indirect=True
)
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["1280", "390"])
def test_axe_finds_no_serious_violation(page: Page, size: ViewportSize) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed").Axe()
    page.set_viewport_size(size)
    for opened in (False, True):
        if opened:
            page.locator("#table-denoising-released button.cell", has_text="30.430").click()
        found = axe.run(page).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        assert not serious, [(one["id"], one["help"], [node["target"] for node in one["nodes"]][:5]) for one in serious]


def test_print_shows_all_tables_and_no_controls(page: Page) -> None:
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert not page.locator(".tools").first.is_visible()
    assert not page.locator("#theme").is_visible()
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
