"""The key of a request. Oracle: two requests differ where the file of their operator does."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from converse.experiments.suites.suite import load_suite
from converse.workflows.result_cache import request_key


@pytest.mark.parametrize("named", ["{folder}/mine.py:Mine", "{package}.mine:Mine"])
def test_an_edited_operator_is_another_request_however_it_is_named(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / f"package_{tmp_path.name}"
    package.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (plan,) = load_suite("denoising").resolve("smoke", seeds=[0], only=["Conv-DnCNN"])
    operator = named.format(folder=package, package=package.name)
    plan = dataclasses.replace(plan, operator=operator, train=("skimage_train",), test=("skimage_test",))
    keys = []
    for content in ("raise RuntimeError\n", "raise RuntimeError  # edited\n", "raise RuntimeError\n"):
        (package / "mine.py").write_text(content)
        keys.append(request_key([plan], "cpu", 1, None))
    assert keys[0] == keys[2] != keys[1]
