"""The gate in turns, in earnest: real rounds beside a process that computes, of which the truth is known.

A sample of what ``benchmarks/speed/gate_accuracy.py`` does many times: one case of the suite of speed ``gate``, under
the budget of the committed baseline. Oracles: a copy of this code, which cannot be slower than it, and the same copy
with an operator that computes for a fifth longer.
"""

from __future__ import annotations

import runpy
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import converse
from converse.analysis.gate.findings import Finding
from converse.experiments.speed.neighbour import neighbours
from converse.experiments.store import Store
from converse.workflows.check_turns import check_other
from converse.workflows.other_version import OtherVersion, other_version
from converse.workflows.speed_rounds import speed_gate

PACKAGE = Path(converse.__file__).parent
SCRIPT = PACKAGE.parent / "benchmarks" / "speed" / "gate_accuracy.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SCRIPT.is_file(), reason="an installation has no benchmarks/speed"),
]

SECONDS = 15.0
"""After so long no further round begins. That is enough for five on two quiet cores; on busier ones there are three."""


def turns(folder: Path, added: str) -> dict[str, Finding]:
    """A copy of this code, to which something is added, in turns with this code: aspect → what is said of the copy."""
    shutil.copytree(PACKAGE / "nn", folder / "converse" / "nn", ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "converse" / "nn" / "operators.py").open("a", encoding="utf-8") as file:
        file.write(added)
    gate = speed_gate("gate", "quick", "cpu")
    one = [group for group in gate.groups if (group.case.sweep, group.case.pass_) == ("operator", "evaluation")]
    assert len(one) == 1
    copy = OtherVersion("the copy", folder, folder)
    with neighbours(1), other_version(str(PACKAGE.parent)) as this:
        store = Store(folder / "store")
        found = check_other(
            replace(gate, groups=tuple(one)), this, None, store, SECONDS, lambda step: None, "", this=copy
        )
    assert found.count >= 3
    return {held.finding.aspect: held.finding for held in found.held}


def test_a_copy_of_this_code_has_not_regressed(tmp_path: Path) -> None:
    said = turns(tmp_path, "")
    assert said.keys() == {"time", "memory"}
    # For how many rounds there is time, and how far they differ, is up to the machine: it may be too noisy to say
    # anything, which is no fault of the code. That equal code is worse must not be said on any machine.
    assert "regressed" not in {one.outcome for one in said.values()}, said


def test_an_operator_that_takes_a_fifth_longer_never_passes(tmp_path: Path) -> None:
    slower = runpy.run_path(str(SCRIPT))["SLOWER"].format(kind="Converse2D", factor=1.2)
    said = turns(tmp_path, slower)
    assert said["time"].outcome in ("regressed", "inconclusive"), said
