"""Another version beside this one. Oracles: a copy of this code, which is equal to the bit, and planted changes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import converse
from converse.analysis.gate.findings import PASSED, REGRESSED
from converse.errors import OptionError
from converse.workflows import check_against
from converse.workflows.check import Check, check
from converse.workflows.check_request import CheckRequest
from converse.workflows.elsewhere import Ended
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from tests.workflows.gated import edited, gated

PACKAGE = Path(converse.__file__).parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A suite with its baseline, whose values are edited: with --against they are not looked at."""
    folder = tmp_path_factory.mktemp("project")
    gated(folder, only=("Plain", "Reverse"))
    edited(folder, "b.png", 5.0)
    return folder


def checkout(folder: Path, change: tuple[str, str, str] | None = None) -> Path:
    """Another checkout of this code, with one text of a file in the place of another."""
    shutil.copytree(PACKAGE, folder / "converse", ignore=shutil.ignore_patterns("__pycache__", "_content"))
    root = PACKAGE.parent
    for content in ("benchmarks", "ablations", "datasets", "reports"):
        (folder / content).symlink_to(root / content if (root / content).is_dir() else PACKAGE / "_content" / content)
    if change is not None:
        name, before, after = change
        file = folder / "converse" / name
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after))
    return folder


def run_here(words: list[str], **options: Any) -> Ended:
    """The command in this process, as a version that is equal."""
    values = dict(zip(words[2::2], words[3::2], strict=False))
    run(
        RunRequest(
            words[1],
            budget=values["--budget"],
            entries=tuple(values["--only"].split(",")),
            store=Path(values["--store"]),
            device=values["--device"],
            threads=int(values["--threads"]),
        )
    )
    return Ended(0, ())


def against(project: Path, other: Path, store: Path, **changes: Any) -> Check:
    return check(CheckRequest(project / "edited.toml", against=str(other), store=store, parts=("quality",), **changes))


@pytest.mark.slow
def test_a_copy_of_this_code_is_equal_to_the_bit(project: Path, tmp_path: Path) -> None:
    done = against(project, checkout(tmp_path / "copy"), tmp_path / "runs")
    assert done.exit_status == PASSED
    assert {one.sure for one in done.findings if one.aspect == "quality"} == {"to the bit"}
    assert {one.subject for one in done.findings} == {"Plain", "Reverse"}
    assert "copy, measured here too" in done.notes[0]


@pytest.mark.slow
def test_this_code_is_worse_than_one_with_a_better_metric(project: Path, tmp_path: Path) -> None:
    """The other version adds 0.1 dB to every PSNR, so that this one's are worse by that, on every image."""
    change = (
        "metrics.py",
        "return float(peak_signal_noise_ratio(first, second, data_range=255))",
        "return float(peak_signal_noise_ratio(first, second, data_range=255)) + 0.1",
    )
    done = against(project, checkout(tmp_path / "other", change), tmp_path / "runs", entries=("Plain",))
    assert done.exit_status == REGRESSED
    worse = [one.change for one in done.findings if one.outcome == "regressed"]
    assert worse == pytest.approx([0.1, 0.1])


@pytest.mark.slow
def test_a_version_that_does_not_take_the_suite(project: Path, tmp_path: Path) -> None:
    change = ("experiments/suites/vocabulary.py", "SCHEMA = 1", "SCHEMA = 0")
    with pytest.raises(OptionError, match=r"--against .*older: it cannot measure suite gated\.toml: .*schema"):
        against(project, checkout(tmp_path / "older", change), tmp_path / "runs")


@pytest.mark.slow
def test_an_operator_at_a_commit_of_its_repository(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A repository that has no converse of its own: its operator is compared with itself, one commit before."""
    monkeypatch.chdir(tmp_path)
    source = "from converse.nn.operators import Converse2D\n\nclass Mine(Converse2D):\n    pass\n"
    (tmp_path / "mine.py").write_text(source)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    for words in (["init", "-q"], ["add", "mine.py"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], check=True)
    asked: dict[str, Any] = {"operator": "mine.py:Mine", "entries": ("Reverse",)}
    with monkeypatch.context() as patch:
        patch.setattr(check_against, "command_elsewhere", run_here)
        done = check(CheckRequest(project / "edited.toml", against="HEAD", store=tmp_path / "same", **asked))
    assert done.exit_status == PASSED
    body = "    def forward(self, y, *rest):\n        return super().forward(y, *rest) / 3\n"
    (tmp_path / "mine.py").write_text(source.replace("    pass\n", body))
    done = check(CheckRequest(project / "edited.toml", against="HEAD", store=tmp_path / "other", **asked))
    found = {one.outcome for one in done.findings if one.aspect == "quality"}
    assert found & {"regressed", "better"}
    # Without the operator's file there is nothing that would differ.
    with pytest.raises(OptionError, match="nothing would differ"):
        check(CheckRequest(project / "edited.toml", against="HEAD", store=tmp_path / "none"))


def test_an_entry_that_the_suite_has_no_more_is_gone_all_the_same(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(project, folder)
    suite = folder / "gated.toml"
    suite.write_text(suite.read_text().replace('name = "Plain"', 'name = "New"'))

    asked: list[list[str]] = []

    def listened(words: list[str], **options: Any) -> Ended:
        asked.append(words)
        return run_here(words, **options)

    monkeypatch.setattr(check_against, "command_elsewhere", listened)
    done = against(folder, PACKAGE.parent, tmp_path / "runs")
    assert done.exit_status == REGRESSED
    said = {one.subject: one.outcome for one in done.findings if one.aspect == "presence"}
    assert said == {"Plain": "regressed", "New": "extra"}
    assert asked[0][asked[0].index("--only") + 1] == "Reverse"


def test_a_store_and_another_version_exclude_each_other(project: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--from judges a store: choose one"):
        check(CheckRequest(project / "edited.toml", against="HEAD", taken_from=tmp_path))
