"""What a report shows is repeated by its commands. Oracle: each, with ``--dry-run`` on a copy of the store."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from converse.cli.main import app
from converse.data.catalogue import datasets
from converse.data.images import ImageSet, image_set
from converse.data.resources import Resources
from converse.experiments.running import execute
from converse.experiments.store import Store
from converse.experiments.store.requests import notes
from converse.experiments.trials import default_threads
from converse.reporting.chapters.contents import make_report
from converse.reporting.inputs.commands import UNKNOWN
from converse.reporting.inputs.material import gather
from converse.workflows.quickstart import quickstart
from converse.workflows.report import report
from converse.workflows.run_request import RunRequest
from tests.photographs import write_photographs
from tests.workflows.identity import Identity
from tests.workflows.tiny import TINY

SUITE = (
    TINY
    + """
[[entries]]
name = "Plain, wide"
model = "dncnn"
options = { features = 6, layers = 3 }
"""
)


END = " --device cpu --threads 1"


class Page(HTMLParser):
    """The commands of a page, in the order of reading: those that ask again, and those that ask for what is missing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.again: list[str] = []
        self.first: list[str] = []
        self._data = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if command := known.get("data-command"):
            (self.again if "data-again" in known else self.first).append(command)
        self._data = tag == "script" and known.get("id") == "data"

    def handle_data(self, data: str) -> None:
        if self._data:
            self._data = False
            for cell in json.loads(data)["cells"]:
                self.again += filter(None, [cell.get("again")])
                self.first += filter(None, [cell.get("command")])


def invoke(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.stdout, done.stderr


def left(command: str, store: Path, copy: Path) -> list[dict[str, Any]]:
    """What a command would do on a copy of the store."""
    if not copy.exists():
        shutil.copytree(store, copy)
    words = shlex.split(command)
    assert words[0] == "converse"
    status, out, err = invoke(*words[1:], "--store", str(copy), "--dry-run", "--format", "json")
    assert status == 0, (command, err)
    lines = json.loads(out)
    assert lines, command
    return [line for line in lines if line.get("state") not in ("done", "missing") or line.get("images")]


def repeats(page: Path, store: Path, copy: Path) -> dict[str, list[str]]:
    """The commands of a page by the command's name, once each has been found to have nothing left to do."""
    found: dict[str, list[str]] = {}
    for command in dict.fromkeys(Page(page.read_text(encoding="utf-8")).again):
        name = shlex.split(command)[1]
        found.setdefault(name, []).append(command)
        if name == "report":
            assert invoke("report", str(copy), "--output", str(copy.parent / "again"))[0] == 0
            assert (copy.parent / "again" / "index.html").read_bytes() == page.read_bytes()
        else:
            assert left(command, store, copy) == [], command
    return found


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite of one's own in the current folder."""
    write_photographs(tmp_path, train=2, test=2)
    (tmp_path / "my suite.toml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_quickstart_is_repeated_by_what_its_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # it trains with one thread all the same
    store = tmp_path / "runs"
    done = quickstart(RunRequest("quickstart", "smoke", images=1, store=store, device="cpu", seeds=(0,)))
    found = repeats(done.page, store, tmp_path / "copy")
    assert found.keys() == {"run", "speed", "report"}
    (run,) = found["run"]
    assert "--threads 1" in run
    (speed,) = found["speed"]
    assert f"converse speed quickstart --budget smoke --device cpu --threads {default_threads()}" == speed


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_an_ablation_and_runs_of_speed_are_repeated(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    chosen = ["--budget", "smoke", "--seeds", "0", "--only", "Converse-DnCNN,p = 0"]
    assert invoke("run", "padding", *chosen, "--store", str(store), "--threads", "1")[0] == 0
    options = ["--budget", "smoke", "--only", "size,converse", "--operator", "conv", "--threads", "1"]
    assert invoke("speed", *options, "--store", str(store))[0] == 0
    found = repeats(report([store], tmp_path / "report").page, store, tmp_path / "copy")
    assert len(found["run"]) == 1
    assert found["speed"] == [
        "converse speed --budget smoke --only size,converse --operator conv --device cpu --threads 1"
    ]


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_a_suite_of_ones_own_and_a_part_of_it_are_repeated(mine: Path) -> None:
    store = mine / "runs"
    for options in (["--only", "Plain", "--seeds", "0", "--images", "1", "--threads", "2"], ["--threads", "1"]):
        assert invoke("run", "my suite.toml", "--store", str(store), "--device", "cpu", *options)[0] == 0
    page = report([store], mine / "report").page
    found = repeats(page, store, mine / "copy")
    assert found["run"] == [
        "converse run 'my suite.toml' --budget smoke --device cpu --threads 1",
        "converse run 'my suite.toml' --budget smoke --seeds 0 --only Plain --images 1 --device cpu --threads 2",
    ]
    assert found["report"] == ["converse report"]


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_what_several_requests_measured_has_cells_of_one_command(mine: Path) -> None:
    store = mine / "runs"
    for options in (["--only", "Plain", "--seeds", "0"], ["--seeds", "1"], ["--seeds", "1"]):
        words = ["run", "my suite.toml", "--store", str(store), "--device", "cpu", "--threads", "1", *options]
        assert invoke(*words)[0] == 0
    assert len(notes(Store(store))) == 2  # the same request again leaves no other note
    found = repeats(report([store], mine / "report").page, store, mine / "copy")
    assert found["run"] == [
        "converse run 'my suite.toml' --budget smoke --seeds 1 --device cpu --threads 1",
        "converse run 'my suite.toml' --budget smoke --seeds 0 --only Plain --device cpu --threads 1",
        "converse run 'my suite.toml' --budget smoke --seeds 0,1 --device cpu --threads 1 --only Plain",
    ]


@pytest.mark.usefixtures("sketched")
def test_a_folder_of_ones_own_under_released_weights_is_repeated(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: nn.Conv2d(1, 1, 1))
    monkeypatch.setattr(nn.Conv2d, "inputs", ("input",), raising=False)
    store = mine / "runs"
    options = ["--only", "DnCNN", "--datasets", "./test", "--images", "1", "--metrics", "psnr", "--threads", "1"]
    assert invoke("reproduce", "denoising", *options, "--store", str(store))[0] == 0
    found = repeats(report([store], mine / "report").page, store, mine / "copy")
    (command,) = found["reproduce"]
    assert command == (
        "converse reproduce denoising --metrics psnr --only DnCNN --datasets ./test --images 1 --device cpu --threads 1"
    )


@pytest.mark.usefixtures("sketched")
def test_noise_levels_are_drawn_and_repeated_with_their_option(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity(entry))
    store = mine / "runs"
    options = ["--only", "DnCNN,Noisy input", "--datasets", "./test", "--metrics", "psnr", "--threads", "1"]
    own = [*options, "--store", str(store)]
    assert invoke("reproduce", "denoising", *own)[0] == 0
    before = report([store], mine / "before").report
    more = "converse reproduce denoising --noise-levels 15,35,50"
    (missing,) = (one for one in before.missing if one.command == more)
    assert "PSNR against noise level: no network was measured at 3 noise levels" in missing.what
    assert not any(figure.name.startswith("noise-levels") for figure in before.figures)
    assert invoke("reproduce", "denoising", *own, "--noise-levels", "50,12.5")[0] == 0
    written = report([store], mine / "report")
    assert not any("noise level" in one.what for one in written.report.missing)
    found = repeats(written.page, store, mine / "copy")
    whole = f"converse reproduce denoising --metrics psnr --noise-levels {{}} --only {{}} --datasets ./test{END}"
    assert set(found["reproduce"]) >= {
        whole.format("12.5,50", "'DnCNN,Noisy input'"),
        whole.format("12.5", "DnCNN"),
        whole.format("50", "DnCNN"),
    }
    assert sum("--noise-levels 12.5,50" in one for one in found["reproduce"]) >= 1
    (figure,) = (one for one in written.report.figures if one.name == "noise-levels-denoising-released")
    drawn = [(row[0], row[2]) for row in figure.values.rows]
    assert drawn == [(entry, level) for entry in ("DnCNN", "Noisy input") for level in (12.5, 25, 50)]
    (sheet,) = (one for one in written.report.sheets if one.key == "denoising-released-noise-levels")
    assert [head.title for head in sheet.heads] == ["σ = 12.5", "σ = 25", "σ = 50"]
    # All else of the report is what it was.
    same = [one for one in written.report.sheets if one is not sheet]
    values = [[[cell.measured for cell in row.cells] for row in one.rows] for one in same]
    assert values == [[[cell.measured for cell in row.cells] for row in one.rows] for one in before.sheets]
    # A newer request without the option leaves the older one, which asks for what it does not.
    assert invoke("reproduce", "denoising", *own, "--retry-failed")[0] == 0
    again = repeats(report([store], mine / "report").page, store, mine / "second")
    assert whole.format("12.5,50", "'DnCNN,Noisy input'") in again["reproduce"]


@pytest.mark.slow
@pytest.mark.usefixtures("sketched")
def test_noise_levels_of_a_suite_are_drawn_in_its_chapter(mine: Path) -> None:
    store = mine / "runs"
    suite = SUITE.replace("[budgets.smoke]", "noise_levels = [15, 50]\n\n[budgets.smoke]")
    (mine / "my suite.toml").write_text(suite)
    words = ["my suite.toml", "--store", str(store), "--device", "cpu", "--threads", "1"]
    assert invoke("run", *words)[0] == 0
    options = ["--only", "Noisy input", "--datasets", "./test", "--noise-levels", "15,50", "--store", str(store)]
    assert invoke("reproduce", "denoising", *options)[0] == 0
    written = report([store], mine / "report")
    repeats(written.page, store, mine / "copy")
    (figure,) = (one for one in written.report.figures if one.name == "noise-levels-tiny-smoke")
    assert [(row[0], row[2]) for row in figure.values.rows] == [
        (entry, level) for entry in ("Plain", "Plain, wide", "Noisy input") for level in (15, 25, 50)
    ]
    assert "deviation over seeds" in figure.caption
    (sheet,) = (one for one in written.report.sheets if one.key == "tiny-smoke-noise-levels")
    assert [row.title for row in sheet.rows] == ["Noisy input", "Plain", "Plain, wide"]


def _named_or_mine(resources: Resources, name: str) -> ImageSet:
    """A folder of one's own, or, for a set of the catalogue, one of its images made here."""
    known = datasets().get(name)
    if known is None:
        return image_set(name)
    Path(name).mkdir(exist_ok=True)
    pixels = np.random.default_rng(len(name)).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(Path(name) / "one.png")
    return replace(image_set(f"./{name}"), name=name, title=known.title)


@pytest.mark.usefixtures("sketched")
def test_names_of_several_tasks_are_repeated_by_the_command_of_each(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity(entry))
    store = mine / "runs"
    monkeypatch.setattr(Resources, "_images", _named_or_mine)
    options = ["--only", "DnCNN,Converse-DnCNN,converse-srresnet", "--datasets", "set12,set5,./test", "--metrics"]
    assert invoke("reproduce", *options, "psnr", "--threads", "1", "--store", str(store))[0] == 0
    found = repeats(report([store], mine / "report").page, store, mine / "copy")
    end = "--device cpu --threads 1"
    assert set(found["reproduce"]) >= {
        f"converse reproduce denoising --metrics psnr --only DnCNN,Converse-DnCNN --datasets set12,./test {end}",
        f"converse reproduce super_resolution --metrics psnr --only Converse-SRResNet --datasets set5,./test {end}",
    }


def test_what_older_versions_did_not_keep_is_not_made_up(filled: Any) -> None:
    filled.asked([(filled.trained("A", 0, [30.0]), "A")], command="")
    described = {"suite": "mine", "budget": "quick", "device": "cpu", "time": "2026-01-01", "threads": 1}
    folder = filled.store.speed.folder("3" * 12 + "-1", described)
    case = {"sweep": "size", "pass": "forward", "batch": 1, "height": 8, "width": 8, "compiled": False}
    folder.add([{**case, "subject": "conv", "kind": "operator", "twin": False, "median_s": 1.0, "status": "ok"}])
    found = make_report(gather([filled.store]))
    assert found.commands == ("converse report",)
    facts = {name: text for part in found.parts for name, text in part.facts}
    assert facts["Asked for with"] == UNKNOWN
    assert facts["Run 333333333333-1 was asked for with"] == UNKNOWN


@pytest.mark.usefixtures("sketched")
def test_a_page_says_what_its_commands_cannot_give_again(filled: Any) -> None:
    filled.asked([(filled.trained("A", 0, [30.0]), "A")])
    (same, vague) = make_report(gather([filled.store])).repeating
    assert "on a machine of the same kind, to the bit" in same
    assert vague.startswith("Of 1 request 1 was noted by a version that did not keep all that was asked for")
    filled.trained("B", 0, [30.0], numerics=1)
    _, older, _ = make_report(gather([filled.store])).repeating
    assert older.startswith("1 of 2 trials was made by code, that of commit 0123456789ab, of another numerics version")
    page = report([filled.store.root], filled.store.root.with_name("report")).page.read_text("utf-8")
    assert older.replace("'", "&#39;") in page
