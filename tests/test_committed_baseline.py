"""The baseline that this project's own gate holds each version against. Oracles: the disk, and git."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from converse.analysis.gate.baseline import LARGEST_BASELINE, Baseline, read_baseline
from converse.experiments.speed.suite import load_speed_suite
from converse.experiments.suites.suite import load_suite
from converse.experiments.trials import NUMERICS_VERSION
from converse.workflows.check_fit import planned_settings, refuse_settings, refuse_unfit
from converse.workflows.check_request import PARTS, CheckRequest, gate_run

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "benchmarks" / "baselines" / "gate.toml"


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return read_baseline(FILE)


def test_people_can_review_it(baseline: Baseline) -> None:
    assert FILE.stat().st_size <= LARGEST_BASELINE == 200_000
    assert baseline.as_toml() == FILE.read_text(encoding="utf-8")  # as it would be written: a renewal's diff is values


def test_it_is_of_this_numerics_version(baseline: Baseline) -> None:
    """Of an older one no machine would be its own, and nothing would be compared to the bit."""
    assert baseline.platform.numerics == NUMERICS_VERSION


def test_it_is_of_the_installed_suites(baseline: Baseline, tmp_path: Path) -> None:
    suite = load_suite("gate")
    assert (baseline.suite, baseline.task) == (suite.name, None)
    assert [entry.name for entry in baseline.entries] == [entry.name for entry in suite.entries]
    assert baseline.speed is not None
    assert baseline.speed.budget in load_speed_suite(baseline.speed.suite).budgets
    # The check itself has nothing against it, as far as is known before anything is measured.
    request = CheckRequest(FILE)
    refuse_unfit(request, baseline, PARTS)
    refuse_settings(request, baseline, planned_settings(gate_run(request, baseline, tmp_path)), partly=True)


def git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


def test_speed_is_held_against_a_commit_before_this_one(baseline: Baseline) -> None:
    if shutil.which("git") is None or git("rev-parse", "HEAD").returncode:
        pytest.skip("no git, or no checkout that it reads: a commit cannot be looked up")
    assert baseline.speed is not None
    commit = str(baseline.speed.against)
    if git("cat-file", "-e", f"{commit}^{{commit}}").returncode:
        assert git("rev-parse", "--is-shallow-repository").stdout.strip() == "true", f"git does not know {commit}"
        pytest.skip(f"a shallow clone without {commit}")
    assert git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, f"{commit} is no ancestor of HEAD"
