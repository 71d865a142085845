"""How soon a page with many images opens in Chromium, and which of them it asks for before and after they are seen.

    python benchmarks/speed/viewer_page.py [--images 100] [--networks 4] [--repeats 5] [--folder DIR]

The images are made up, 481×321 grey pixels each, with a truth, an input and what each network made of them. The time is
that from the request of the page, from the disk, to its ``load`` event, each in a browser context of its own.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from playwright.sync_api import Browser, sync_playwright

from converse.data.images import image_set
from converse.data.resources import Resources
from converse.experiments.evaluation.keeping import encoded
from converse.experiments.store import Store
from converse.experiments.store.outputs import Outputs
from converse.experiments.store.requests import RequestedEntry, RequestedSet, StoredRequest, note
from converse.experiments.trials import Trial
from converse.metrics import Image
from converse.reporting.chapters.contents import make_report
from converse.reporting.folder import write
from converse.reporting.inputs.material import gather
from converse.reporting.inputs.networks import Networks
from converse.reporting.viewer.gallery import Wanted, make_gallery

HEIGHT: Final = 321
WIDTH: Final = 481
SCREEN: Final = {"width": 1280, "height": 900}


def made_up(root: Path, images: int, networks: int) -> Store:
    """A store that keeps what some networks made of a folder of images: stripes with a little noise."""
    (root / "mine").mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number in range(images):
        (root / "mine" / f"{number:03}.png").write_bytes(encoded(stripes(number, draw)))
    found = image_set(root / "mine")
    store = Store(root / "runs")
    names = [f"network {number}" for number in range(networks)]
    asked = []
    for name in names:
        trial = Trial("denoising", name, "trained", 0, "quick", {"net": name}, {}, platform={"device": "cpu"})
        folder = store.folder(trial)
        with folder.lock():
            folder.set_status("running")
            for number, one in enumerate(found.images):
                row = {"dataset": "mine", "image": one.name, "image_sha256": one.sha256, "device": "cpu"}
                folder.append_rows([row | {"metric": "psnr", "signature": "psnr", "value": 30 + float(draw.normal())}])
                data = encoded(stripes(number, draw))
                place = (one.sha256, None)
                Outputs(folder).add(data, image=one.name, place=place, size=(HEIGHT, WIDTH), window=None)
            folder.seal_rows()
            folder.set_status("done")
        asked.append((trial.id, name, 0))
    entries = tuple(RequestedEntry(name, name) for name in names)
    sets = (RequestedSet.of(found),)
    note(store, StoredRequest("mine", "Mine", "", "denoising", "quick", None, entries, tuple(asked), (), sets=sets))
    return store


def stripes(number: int, draw: np.random.Generator) -> Image:
    """An image, [H, W, 1] uint8."""
    across = 100 + 80 * np.sin(np.arange(WIDTH) / (5 + number))
    pixels = across[None, :, None] + draw.normal(0, 3, (HEIGHT, WIDTH, 1))
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8)


def opened(browser: Browser, address: str) -> tuple[float, list[int]]:
    """Seconds to the ``load`` event; images asked for by then, at the first cards, at the last, and in the viewer."""
    context = browser.new_context(viewport=SCREEN)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith(".png") else None)
    began = time.perf_counter()
    page.goto(address, wait_until="load")
    seconds = time.perf_counter() - began
    page.wait_for_timeout(500)
    counts = [len(set(asked))]
    for card in (page.locator(".card").first, page.locator(".card").last):
        card.scroll_into_view_if_needed()
        page.wait_for_timeout(1000)
        counts.append(len(set(asked)))
    page.locator(".card").last.click()
    page.wait_for_timeout(500)
    counts.append(len(set(asked)))
    context.close()
    return seconds, counts


def main() -> None:
    """Make the page, open it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--networks", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the page is left; otherwise nowhere")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        store = made_up(Path(temporary), arguments.images, arguments.networks)
        material = gather([store])
        folder = arguments.folder or Path(temporary) / "report"
        began = time.process_time()
        gallery, pictures = make_gallery(
            material, Networks(Resources(None, fetch=False), compute=False), folder, Wanted()
        )
        made = time.process_time() - began
        page = write(replace(make_report(material), gallery=gallery), folder, kept=pictures).page
        megabytes = sum((folder / name).stat().st_size for name in pictures) / 1e6
        print(f"{len(pictures)} files of images, {megabytes:.0f} MB, made in {made:.1f} s of CPU")
        print(f"the page: {page.stat().st_size / 1e6:.2f} MB")
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        arguments_of_it = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments_of_it)
            runs = [opened(browser, page.resolve().as_uri()) for _ in range(arguments.repeats)]
            browser.close()
    seconds = [one for one, _ in runs]
    least, most = min(seconds), max(seconds)
    print(f"opens in {statistics.median(seconds):.2f} s (median of {len(seconds)}; {least:.2f} to {most:.2f})")
    for what, numbers in zip(
        ("when it is open", "at the first card", "at the last card", "and with the viewer open"),
        zip(*(counts for _, counts in runs), strict=True),
        strict=True,
    ):
        print(f"images asked for {what}: {min(numbers)} to {max(numbers)}")


if __name__ == "__main__":
    main()
