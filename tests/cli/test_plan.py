"""``converse plan`` as a user calls it. Oracle: what ``--dry-run`` of the command that it prints says of the trials."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.workflows.tiny import TINY

Command = Callable[..., tuple[int, str, str]]


def test_a_plan_and_a_dry_run_of_its_command_count_the_same(converse: Command, tmp_path: Path) -> None:
    for seed, folder in enumerate(("train", "test")):  # two pictures, or one would be trained on and tested on
        (tmp_path / folder).mkdir()
        pixels = np.random.default_rng(seed).integers(0, 256, (20, 24), np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "0.png")
    (tmp_path / "mine.toml").write_text(TINY)
    status, out, _ = converse("plan", "mine.toml", "--seeds", "0-2", "--device", "cpu", "--format", "json")
    assert status == 0
    planned = json.loads(out)
    (row,), (run, _) = planned["rows"], planned["steps"]
    assert run["command"] == "converse run mine.toml --budget smoke --seeds 0,1,2 --device cpu"
    status, out, _ = converse(*shlex.split(run["command"])[1:], "--dry-run", "--format", "json")
    lines = json.loads(out)
    assert row["trials"] == len(lines) == 3
    assert row["multiply_adds"] == pytest.approx(sum(line["multiply_adds"] for line in lines))
    assert row["memory_bytes"] == lines[0]["memory_bytes"]
    status, out, _ = converse("plan", "mine.toml", "--device", "cpu")
    assert "1. converse run mine.toml --budget smoke --device cpu" in out
    assert "rows that are trained" in out
    options = ("--device", "cpu", "--threads", "1", "--store", "else where", "--format", "json")
    run, report = json.loads(converse("plan", "mine.toml", *options)[1])["steps"]
    assert run["command"] == "converse run mine.toml --budget smoke --device cpu --threads 1 --store 'else where'"
    assert report["command"] == "converse report 'else where'"


def test_a_device_that_is_not_here_and_one_that_is_are_two(converse: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TINY)
    status, out, err = converse("plan", "mine.toml", "--on", "H100", "--device", "cpu")
    assert (status, out) == (2, "")
    assert err == (
        "error: --on H100 plans for a device that is not here, and --device cpu for one of this machine: leave out one "
        "of the two\n"
    )
