"""Oracles: versions of the package in which something was planted; commits of a repository, and made-up rounds."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import converse
from converse.analysis.gate.baseline import read_baseline
from converse.analysis.gate.findings import NOT_MEASURED, PASSED, REGRESSED, Finding
from converse.analysis.gate.timing import Held
from converse.errors import OptionError
from converse.experiments.store import Store
from converse.workflows import check_speed, check_turns
from converse.workflows.check import check
from converse.workflows.check_request import CheckRequest
from converse.workflows.check_turns import SHORT, check_other
from converse.workflows.check_write import Renewal, WriteRequest, write
from converse.workflows.other_version import OtherVersion, other_version
from converse.workflows.speed_rounds import Rounds, SpeedGate, speed_gate
from converse.workflows.work import Progress
from tests.analysis.gate.speed_made import CASE, rounds
from tests.workflows.gated import gated
from tests.workflows.speed_gated import SUITE

PACKAGE = Path(converse.__file__).parent
SLEEP = "        __import__('time').sleep(0.01)\n"


def planted(folder: Path, file: str, change: Callable[[str], str]) -> str:
    """A version of the package of which one file is different."""
    shutil.copytree(PACKAGE / "nn", folder / "converse" / "nn", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "converse" / "nn" / file
    before = path.read_text(encoding="utf-8")
    path.write_text(change(before), encoding="utf-8")
    assert path.read_text(encoding="utf-8") != before
    return str(folder)


def slow(source: str) -> str:
    """Converse2D with a sleep in each call."""
    forward = source.index("    def forward(self", source.index("class Converse2D"))
    body = source.index('"""\n', source.index('"""', forward) + 3) + 4
    return source[:body] + SLEEP + source[body:]


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A suite of speed of one small case."""
    (tmp_path / "small.toml").write_text(SUITE)
    return str(tmp_path / "small.toml")


@pytest.fixture
def gate(suite: str) -> SpeedGate:
    return speed_gate(suite, "smoke", "cpu")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def said(held: tuple[Held, ...]) -> dict[str, Finding]:
    return {one.finding.aspect: one.finding for one in held}


def test_two_versions_take_turns_and_the_slower_one_is_found(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    told: list[Progress] = []
    after = planted(tmp_path / "after", "operators.py", slow)
    # What is slow is the other one here: this version is then better, and in no case worse.
    with other_version(after) as other:
        found = check_other(gate, other, None, store, 300.0, told.append, "look")
    assert found.count == 5
    time = said(found.held)["time"]
    assert (time.outcome, time.subject, time.unit) == ("better", "converse", "ms")
    assert isinstance(time.before, float)
    assert time.before > 10
    assert said(found.held)["memory"].outcome == "passed"
    assert [one.trial for one in told if one.done == 0] == [1, 2, 3, 4, 5]
    assert len(store.speed.runs()) == 5


def test_a_version_that_does_not_fit(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    other = planted(tmp_path / "old", "complexity.py", lambda source: source.replace("def complexity(", "def count("))
    with (
        other_version(other) as version,
        pytest.raises(OptionError, match=r"its converse does not fit .*: ImportError"),
    ):
        check_other(gate, version, None, store, 60.0, lambda step: None, "")
    assert len(store.speed.runs()) == 1


def test_a_version_without_anything_to_measure(gate: SpeedGate, store: Store, tmp_path: Path) -> None:
    empty = OtherVersion("main", tmp_path, None)
    for operator, what in ((None, "it has no converse, so"), ("mine.py:Mine", "neither a converse nor mine.py:Mine")):
        with pytest.raises(OptionError, match=what):
            check_other(gate, empty, operator, store, 60.0, lambda step: None, "")


def test_another_version_needs_no_numbers_of_speed(tmp_path: Path, suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gated(tmp_path)
    file = tmp_path / "baseline.toml"
    monkeypatch.setattr(check_speed, "SPEED_SUITE", suite)
    monkeypatch.setattr(check_speed, "SPEED_BUDGET", "smoke")
    done = check(CheckRequest(file, parts=("speed",), against=str(PACKAGE.parent), seconds=0))
    assert {one.sure for one in done.findings} == {"99 % interval of 3 rounds"}  # there was no time for more
    assert {one.outcome for one in done.findings} <= {"passed", "inconclusive"}
    assert {one.aspect for one in done.findings} == {"time", "memory"}
    assert done.notes == (f"time and memory are compared with those of {PACKAGE.parent}, which took turns here",)


Commit = Callable[[str], str]


def git(*words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commit:
    """Makes commits of a repository, which is the working directory, with a baseline in it."""
    monkeypatch.chdir(tmp_path)
    gated(tmp_path)
    package = tmp_path / "converse" / "nn" / "__init__.py"
    package.parent.mkdir(parents=True)
    git("init", "-q")

    def make(content: str) -> str:
        package.write_text(content)
        git("add", "converse")
        git("commit", "-qm", content)
        return git("rev-parse", "HEAD")

    return make


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Content of a version → by which factor its calls are slower, in rounds that nobody runs."""
    slower: dict[str, float] = {}

    def factor(library: str | None) -> float:
        file = Path(library or "") / "converse" / "nn" / "__init__.py"
        return slower.get(file.read_text(), 1.0)

    def measured(gate: SpeedGate, store: Store, least: int, *, judge: Any, **rest: Any) -> Rounds:
        (group,) = gate.groups
        base, subject = group.subjects
        assert (base.name != subject.name, base.name.startswith(subject.name)) == (True, True)
        factors = {one.name: factor(one.library) for one in (base, subject)}
        rows = rounds(least, slower=factors, beside=base.name, subjects=((CASE, subject.name),))
        return Rounds(rows, tuple(judge(rows)), least, 1.0)

    monkeypatch.setattr(check_turns, "measure_rounds", measured)
    return slower


def pin(**changes: Any) -> Renewal:
    given: dict[str, Any] = {"parts": ("speed",), "speed_suite": None, "against": "HEAD", **changes}
    return write(WriteRequest(Path("baseline.toml"), **given))


def test_a_baseline_names_a_commit_that_takes_turns(commit: Commit, ran: dict[str, float], suite: str) -> None:
    first = commit("first")
    assert pin(speed_suite=suite, speed_budget="smoke").written
    table = read_baseline(Path("baseline.toml")).speed
    assert table is not None
    assert (table.suite, table.budget, table.against, table.cases) == ("small.toml", "smoke", first, ())
    # The version that runs is the package; the commit's is the one whose time differs.
    for factor, status in ((1.0, PASSED), (0.8, REGRESSED)):
        ran["first"] = factor
        done = check(CheckRequest(Path("baseline.toml"), parts=("speed",)))
        assert done.exit_status == status
        assert {one.aspect for one in done.findings} == {"time", "memory"}
        assert f"of commit {first[:SHORT]}, which took turns here" in done.notes[0]


def test_a_newer_commit_is_named_only_if_it_is_no_slower(commit: Commit, ran: dict[str, float], suite: str) -> None:
    first = commit("first")
    pin(speed_suite=suite, speed_budget="smoke")
    before = Path("baseline.toml").read_bytes()
    second = commit("second")
    ran["second"] = 1.3
    done = pin()
    assert (done.written, done.refused) == (False, True)
    assert Path("baseline.toml").read_bytes() == before
    changes = done.changes or ()
    assert [(one.what, one.loosens) for one in changes] == [
        ("speed, against", False),
        ("speed, converse, evaluation, 1×64×64×64 k=5, time", True),
    ]
    assert (changes[0].before, changes[0].now) == (first, second)
    assert changes[1].now.endswith("ms regressed: slower, by more than equal runs may differ")
    assert pin(accept=True).written
    third = commit("third")
    assert pin().written  # faster than the second: that is told, and is no reason against it
    table = read_baseline(Path("baseline.toml")).speed
    assert table is not None
    assert table.against == third
    assert pin().changes == ()
    assert write(WriteRequest(Path("baseline.toml"), parts=("speed",))).changes == ()  # no number to measure anew


def test_a_commit_that_git_does_not_have_is_not_measured(commit: Commit, ran: dict[str, float], suite: str) -> None:
    first = commit("first")
    pin(speed_suite=suite, speed_budget="smoke")
    file = Path("baseline.toml")
    file.write_text(file.read_text().replace(first, "0" * 40))
    done = check(CheckRequest(file, parts=("speed",)))
    assert done.exit_status == NOT_MEASURED
    (finding,) = done.findings
    assert "git knows no such commit here; a shallow clone lacks" in finding.reason
    assert f"converse check {file} --write --part speed --against HEAD" in finding.reason
    with pytest.raises(OptionError, match=r"beside the commit that baseline\.toml has.*--accept"):
        pin()
    assert pin(accept=True).written


def test_what_is_no_commit_is_not_named(commit: Commit, suite: str) -> None:
    commit("first")
    with pytest.raises(OptionError, match="a baseline names a commit, which others have too, and no folder"):
        pin(against=str(PACKAGE.parent), speed_suite=suite, speed_budget="smoke")
    with pytest.raises(OptionError, match="not with --part quality"):
        pin(parts=("quality",))


def test_a_store_has_no_turns_to_judge(commit: Commit, ran: dict[str, float], suite: str, tmp_path: Path) -> None:
    commit("first")
    pin(speed_suite=suite, speed_budget="smoke")
    Store(tmp_path / "kept")
    done = check(CheckRequest(Path("baseline.toml"), parts=("speed",), taken_from=tmp_path / "kept"))
    assert done.exit_status == NOT_MEASURED
    assert "only where both are measured: check without --from" in done.findings[0].reason
