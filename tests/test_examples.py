"""The public names: each has a typed signature and an example that is run."""

from __future__ import annotations

import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import converse
import converse.nn

NAMES = [
    pytest.param(module, name, id=f"{module.__name__}.{name}")
    for module in (converse, converse.nn)
    for name in module.__all__
    if not name.startswith("__")
]


@pytest.mark.slow
@pytest.mark.parametrize(("module", "name"), NAMES)
def test_examples_give_what_they_say(
    module: Any, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    found = doctest.DocTestFinder(recurse=False).find(getattr(module, name), name, globs={})
    assert any(test.examples for test in found), f"{name} has no example"
    if name == "compare":  # times and figures take most of its time, and have tests of their own
        monkeypatch.setattr("converse.workflows.compare.network_times", lambda *given: None)
        monkeypatch.setattr("converse.workflows.compare_page.with_figures", lambda report, *given, **more: report)
    if any("../data" in example.source for test in found for example in test.examples):
        (tmp_path / "data").symlink_to(request.getfixturevalue("shared"))  # or skips with the reason
    for test in found:
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        report: list[str] = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/operator.md", "docs/tutorials/own-network.md"])
def test_code_on_a_page_runs(page: str) -> None:
    text = (Path(__file__).resolve().parent.parent / page).read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page, "exec"), names)  # a page is read from top to bottom


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_signatures_are_typed(module: Any, name: str) -> None:
    subject = getattr(module, name)
    signature = inspect.signature(subject)
    assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())
    assert inspect.getdoc(subject)


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "converse", "--version"], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"converse {converse.__version__}\n")
