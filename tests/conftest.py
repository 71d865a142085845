"""What tests share: where the real data lies, and why a test skips without it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# TF32 would turn float32 tolerances into float16 ones on a GPU.
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False

# How long an example takes says how busy the machine is; and a gate asks the same questions each time.
settings.register_profile(
    "converse", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("converse")

# A shell's background jobs ignore Ctrl-C, and children inherit that: tests that send it would wait forever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("no CUDA device")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of the tests' own: what images of noise show is nothing to keep for the user."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVERSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real images, weights and golden tensors (`CONVERSE_SHARED`, default ../shared)."""
    place = Path(os.environ.get("CONVERSE_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    if not (place / "golden").is_dir():
        pytest.skip(f"no folder {place} with golden tensors and real images (set CONVERSE_SHARED)")
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started once for a module: its event loop would stand in the way of other tests' own."""
    from tests.in_browser import chromium

    with chromium() as found:
        yield found


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures with their names, words and values, and without layout and ink, which take most of a report's time.

    For tests of what stands around figures. All are drawn in this process, whatever number of threads it may use:
    others would draw them whole.
    """
    monkeypatch.setattr("converse.reporting.figures.drawing._FEW", 1000)
    sketches = {"svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="72pt" height="72pt"/>', "pdf": b"%PDF"}
    monkeypatch.setattr(
        "converse.reporting.figures.drawn._laid_out",
        lambda drawing, *kinds: [sketches[kind] for kind in kinds],
    )
