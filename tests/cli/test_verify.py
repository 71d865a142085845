"""``converse verify``: exit statuses, one document on standard output, files. The operators are those of the tests."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from typer.testing import CliRunner

from converse.cli.main import app
from converse.nn.contract.table import CONTRACT
from tests.experiments.suites.offered import offer

FILE = """
import torch
from torch import nn


class Mine(nn.Conv2d):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", off=0.0):
        if scale != 1:
            raise ValueError("no scale")
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        print("made")
        self.off = off

    def forward(self, x):
        return super().forward(x) + self.off * torch.rand(())
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    path = tmp_path / "mine.py"
    path.write_text(FILE.replace('        print("made")\n', ""))
    return path


def invoke(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["verify", *arguments])
    return done.exit_code, done.stdout, done.stderr


def test_all_passed(file: Path) -> None:
    status, out, _ = invoke(f"{file}:Mine?kernel_size=3")
    assert status == 0
    for check in CONTRACT:
        assert check.name in out
    assert out.splitlines()[-1] == "✓ passed: mine.py:Mine?kernel_size=3: 26 checks passed, 2 not made"


def test_one_failed_and_files_say_so(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = tmp_path / "step.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    junit, markdown = tmp_path / "out" / "j.xml", tmp_path / "m.md"
    status, out, err = invoke(f"{file}:Mine?off=0.1", "--junit", str(junit), "--markdown", str(markdown))
    assert status == 1
    told = out[out.index("\n✗ determinism\n") :].splitlines()
    assert told[2] == "  expected: In evaluation, one input gives one result."
    assert told[3].startswith("  seen: gives two results for one input: two evaluations differ (by up to ")
    assert told[4] == "  cure: Draw random numbers if self.training alone."
    assert ElementTree.parse(junit).getroot().get("failures") == "1"
    assert markdown.read_text("utf-8").startswith("## ✗ converse verify: mine.py:Mine?off=0.1 failed\n")
    assert step.read_text("utf-8").strip() == markdown.read_text("utf-8").strip()
    assert err.splitlines() == [f"written: {junit}", f"written: {markdown}"]


def test_documents_are_alone_on_standard_output(file: Path) -> None:
    file.write_text(FILE)
    status, out, _ = invoke(f"{file}:Mine", "--format", "json")
    made = json.loads(out)
    assert status == 1
    assert [check["check"] for check in made["checks"] if check["outcome"] == "fail"] == ["quiet"]
    assert made["file"] == str(file)
    status, out, _ = invoke(f"{file}:Mine", "--format", "csv")
    assert [row["check"] for row in csv.DictReader(io.StringIO(out))] == [check.name for check in CONTRACT]


def test_a_class_of_the_working_folder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    package = f"working_{file.parent.name}"
    file.rename(file.parent / f"{package}.py")
    status, out, _ = invoke(f"{package}:Mine")
    assert status == 0, out


def test_what_an_installed_package_offers(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = f"offering_{tmp_path.name}"
    offer(tmp_path, package, sharpen=f"{package}:Mine")
    file.rename(tmp_path / f"{package}.py")
    monkeypatch.syspath_prepend(tmp_path)
    status, out, _ = invoke("sharpen?kernel_size=3", "--format", "json")
    assert (status, json.loads(out)["operator"]) == (0, f"{package}:Mine?kernel_size=3")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["convers"], "error: unknown operator 'convers': did you mean 'converse'?"),
        (["{folder}/none.py:Mine"], "error: there is no file {folder}/none.py: expected path/to/file.py:Class"),
        (["no_such_package:Mine"], "error: there is no module no_such_package"),
        (["{file}:Yours"], "has no class 'Yours'"),
        (
            ["{file}:Mine?of=1"],
            "unknown option of Mine 'of': did you mean 'off'? known: off; mine.py, line 6: Mine is Mine(",
        ),
        (["conv", "--scales", "1,two"], "error: --scales takes whole numbers with commas, such as 1,2, got '1,two'"),
        (["conv", "--scales", "0"], "error: --scales takes whole numbers from 1 to 16, got 0"),
        (["conv", "--timeout", "0"], "error: --timeout must be above 0 seconds, got 0"),
        (["conv", "--junit", "{folder}"], "error: --junit names a file to write, got the folder {folder}"),
        (["my file"], 'error: came "my file"; expected a registered name'),
    ],
)
def test_a_mistake_is_one_message_and_status_2(file: Path, arguments: list[str], says: str) -> None:
    filled = [one.format(file=file, folder=file.parent) for one in arguments]
    status, out, err = invoke(*filled)
    assert (status, out) == (2, "")
    assert says.format(file=file, folder=file.parent) in err
    assert "Traceback" not in err


def test_without_a_device_cuda_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    status, _, err = invoke("conv", "--cuda")
    assert (status, err) == (2, "error: --cuda: torch sees no CUDA device here; without --cuda the check is not made\n")
