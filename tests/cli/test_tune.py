"""``converse tune`` as it is typed. Oracles: the exit status, JSON, and the file of winners."""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converse.analysis.tuning import SCORE_COLUMNS
from converse.cli.tune import grid_of
from converse.errors import OptionError
from converse.experiments.training.learner import Learner
from tests.workflows.test_tune import asked

Converse = Callable[..., tuple[int, str, str]]
__all__ = ["asked"]

OPTIONS = ("--only", "Plain", "--device", "cpu", "--threads", "1")


@pytest.fixture
def suite(converse: Converse, asked: Callable[..., Any]) -> str:
    return str(asked().suite)


def test_a_table_and_a_file(converse: Converse, suite: str, tmp_path: Path) -> None:
    status, out, err = converse("tune", suite, *OPTIONS)
    assert status == 0
    head, *lines = out.splitlines()
    assert head.split("  ")[0] == "entry"
    assert [line.split()[:4] for line in lines[:2]] == [["Plain", "lr", "=", "0.001"], ["Plain", "lr", "=", "0.01"]]
    assert sum(line.endswith("chosen") for line in lines) == 1
    assert lines[-1] == (
        f"winners: tiny.smoke.tuned.toml; compare with them: converse run {suite} --only Plain "
        "--tuned tiny.smoke.tuned.toml --device cpu --threads 1"
    )
    assert "[4/4] Plain: lr = 0.01 seed 8: done in" in err
    status, out, _ = converse("tune", suite, *OPTIONS, "--format", "json")
    rows = json.loads(out)
    assert all(tuple(row) == (*SCORE_COLUMNS, "settings") for row in rows)
    assert [row["settings"] for row in rows] == [{"training.lr": 0.001}, {"training.lr": 0.01}]
    compare = shlex.split(lines[-1].partition("compare with them: ")[2])
    status, out, _ = converse(*compare[1:])
    assert status == 0
    status, _, err = converse("run", suite, "--tuned", "tiny.smoke.tuned.toml", *OPTIONS[2:])
    assert (status, err) == (
        2,
        'error: tiny.smoke.tuned.toml: key "entries": lacks Reverse; tune anew: converse tune tiny --budget smoke\n',
    )


def test_grids_and_seeds_are_typed(converse: Converse, suite: str, tmp_path: Path) -> None:
    grid = ("--grid", "training.lr=1e-3", "--grid", "training.loss=l1,l2", "--seeds", "9", "--output", "mine.toml")
    status, _, _ = converse("tune", suite, *OPTIONS, *grid)
    assert status == 0
    document = tomllib.loads((tmp_path / "mine.toml").read_text())
    assert document["seeds"] == [9]
    assert document["entries"][0]["grid"] == {"training.lr": [0.001], "training.loss": ["l1", "l2"]}
    assert document["command"] == (
        f"converse tune {suite} --budget smoke --seeds 9 --grid training.lr=0.001 --grid training.loss=l1,l2 "
        "--only Plain --device cpu"
    )


def test_a_dry_run_does_nothing(converse: Converse, suite: str, tmp_path: Path) -> None:
    status, out, _ = converse("tune", suite, *OPTIONS, "--dry-run")
    assert status == 0
    assert "Plain: lr = 0.01" in out
    assert not (tmp_path / "runs").exists()
    assert not list(tmp_path.glob("*.tuned.toml"))


def test_what_failed_is_told(converse: Converse, suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(Learner, "step", fail)
    status, out, err = converse("tune", suite, *OPTIONS)
    assert status == 1
    assert out.splitlines()[1].split()[-2:] == ["0", "–"]
    assert "no file is written: no settings of Plain have a value for each seed and image" in err


def test_values_are_numbers_or_words() -> None:
    assert grid_of(["a=1,2.5,true,kair"], "--grid") == {"a": (1, 2.5, True, "kair")}
    assert grid_of(["a=1,b=x", "c=2,3"], "--grid") == {"a": (1,), "b": ("x",), "c": (2, 3)}
    assert grid_of(None, "--grid") is None
    with pytest.raises(
        OptionError, match=r"--grid takes a field and its values, such as training.lr=1e-3,2e-3, got ''"
    ):
        grid_of(["a=1,"], "--grid")
