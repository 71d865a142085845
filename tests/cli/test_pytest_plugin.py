"""The fixture in sessions of pytest's own. Oracles: how pytest counts their tests, and what its report shows."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.gated import gated

pytest_plugins = ["pytester"]

STUB = """
import json
import os
import time
from pathlib import Path

import pytest

from converse.analysis.gate.findings import Finding
from converse.errors import OptionError
from converse.reporting.gate.answer import Answer


@pytest.fixture(autouse=True)
def answered(monkeypatch):
    '''Nothing is measured: the name of the baseline says what comes out, and what was asked for is written down.'''
    def answer(request):
        began = time.monotonic()
        time.sleep(0.1)
        with open("asked.jsonl", "a") as file:
            file.write(json.dumps([str(request.baseline), request.operator, request.entries, request.parts,
                                   str(request.store), began, time.monotonic(),
                                   os.getpid()]) + "\\n")
        word = request.baseline.stem.replace("_", " ")
        if word == "broken":
            raise OptionError("broken.toml: key \\"suite\\": it is not there")
        finding = Finding("quality", "A <b>\\x1b[2J", "Set12", "PSNR, worst image: 05.png", word, "it is what it is",
                          "dB", 31.2, 31.1, 0.1, 0.1, 0.1, 0.05, "to the bit", "converse report runs")
        return Answer(str(request.baseline), (finding,), command="converse check gate.toml")
    monkeypatch.setattr("converse.cli.pytest_plugin._answer", answer)
"""
TESTS = """
import pytest

class Mine:
    pass

def test_passed(converse_check):
    assert converse_check("passed.toml").exit_status == 0

def test_regressed(converse_check):
    converse_check("regressed.toml")

def test_not_measured(converse_check):
    converse_check("not_measured.toml")

def test_inconclusive(converse_check):
    converse_check("inconclusive.toml")

def test_broken(converse_check):
    converse_check("broken.toml")
"""


@pytest.fixture
def session(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with a test for each answer."""
    pytester.makeconftest(STUB)
    pytester.makepyfile(test_gate=TESTS)
    return pytester


def run(session: pytest.Pytester, *options: str) -> pytest.RunResult:
    """In this process, where torch is loaded already; with workers in processes of their own."""
    how = session.runpytest_subprocess if "-n" in options else session.runpytest_inprocess
    # Where the package's entry point has loaded the plugin already, pytest says that it can't rewrite its assertions.
    quiet = "ignore::pytest.PytestAssertRewriteWarning"
    return how("-p", "converse.cli.pytest_plugin", "-p", "no:cacheprovider", "-W", quiet, *options)


def asked(session: pytest.Pytester) -> list[list[Any]]:
    return [json.loads(line) for line in (session.path / "asked.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_each_answer_is_counted_as_what_it_is(session: pytest.Pytester, options: tuple[str, ...]) -> None:
    done = run(session, *options)
    done.assert_outcomes(passed=1, failed=3, skipped=1, warnings=1)
    done.stdout.fnmatch_lines_random(
        [
            "*converse check: regressed: 1 regressed, compared with *regressed.toml",
            "*<b>*✗ regressed*Set12*",
            "*A <b>\\x1b[[]2J, Set12, PSNR, worst image: 05.png: it is what it is",
            "*look closer: converse report runs",
            "*the same again: converse check gate.toml",
            "*converse check: not measured: 1 not measured, compared with *",
            '*converse check: broken.toml: key "suite": it is not there',
            "*InconclusiveWarning: neither passed nor failed: inconclusive: 1 inconclusive, compared with *",
        ]
    )
    shown = done.stdout.str()
    assert "\x1b[2J" not in shown
    assert "During handling" not in shown
    assert "pytest_plugin.py:" not in shown.partition("= FAILURES =")[2].partition("= warnings summary =")[0]
    # Two processes that measure at once would be each other's noise.
    times = sorted(line[5:] for line in asked(session))
    assert len({process for *_, process in times}) == (2 if options else 1)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(times))


def test_an_inconclusive_answer_is_seen_without_any_option(session: pytest.Pytester) -> None:
    done = run(session, "-k", "inconclusive", "-q")
    done.assert_outcomes(skipped=1, deselected=4, warnings=1)
    assert "neither passed nor failed" in done.stdout.str()
    strict = run(session, "-k", "inconclusive", "-W", "error::converse.cli.pytest_plugin.InconclusiveWarning")
    strict.assert_outcomes(failed=1, deselected=4)


def test_what_is_asked_for(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(STUB)
    (pytester.path / "sub").mkdir()
    (pytester.path / "pack").mkdir()
    (pytester.path / "pack" / "__init__.py").write_text("")
    (pytester.path / "pack" / "mine.py").write_text("class Packed:\n    pass\n")
    (pytester.path / "sub" / "test_sub.py").write_text(
        """
import pytest
from converse.nn.operators import Converse2D
from pack.mine import Packed

class Mine:
    pass

@pytest.mark.parametrize("operator", [None, Mine, Packed, Converse2D, "conv", "x.py:Op"])
def test_names(converse_check, operator):
    converse_check("passed.toml", operator=operator, only=["A", "B"], parts=["quality"])

def test_local(converse_check):
    class Inner:
        pass
    converse_check("passed.toml", operator=Inner)
"""
    )
    done = run(pytester)
    done.assert_outcomes(passed=6, failed=1)
    done.stdout.fnmatch_lines(["*operator=test_local.<locals>.Inner must be a class at the top level of a file*"])
    lines = asked(pytester)
    assert [line[1] for line in lines] == [
        *(None, f"{pytester.path / 'sub' / 'test_sub.py'}:Mine", "pack.mine:Packed", "converse", "conv", "x.py:Op"),
    ]
    assert {json.dumps(line[2:4]) for line in lines} == {'[["A", "B"], ["quality"]]'}
    assert {line[0] for line in lines} == {str(Path("sub") / "passed.toml")}
    assert len({line[4] for line in lines}) == len(lines), "each check has an empty folder of its own"
    assert not [line for line in lines if Path(line[4]).exists()]


OPERATOR = """
import torch

class Mine(torch.nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular"):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        return self.weight * x

def test_quality(converse_check):
    assert converse_check("baseline.toml").word == "passed"

def test_mine(converse_check):
    converse_check("baseline.toml", operator=Mine)
"""


@pytest.mark.slow
def test_an_operator_of_the_tests_own_is_held_against_a_baseline(pytester: pytest.Pytester) -> None:
    gated(pytester.path, ("Reverse",))
    pytester.makepyfile(test_operator=OPERATOR)
    done = run(pytester)
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*Reverse*✗ regressed*learnt parameters*"])


def test_nothing_of_converse_is_loaded_before_a_test_asks(tmp_path: Path) -> None:
    code = "import sys, converse.cli.pytest_plugin; print(*sorted(name for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    names = set(done.stdout.split())
    assert not {name.partition(".")[0] for name in names} & {"torch", "numpy", "pandas", "typer", "rich", "pydantic"}
    own = {name for name in names if name.startswith("converse")}
    assert own == {"converse", "converse.cli", "converse.cli.pytest_plugin", "converse.errors", "converse.lazy"}
