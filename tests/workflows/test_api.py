"""Oracle: the requests that the workflows get, which the command line makes in the same way."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

import converse
from converse import RayOptions
from converse.errors import OptionError

CALLS = {"run": ["quickstart"], "tune": ["quickstart"], "compare": ["converse"], "reproduce": []}


def request(monkeypatch: pytest.MonkeyPatch, name: str, **given: Any) -> Any:
    """What a function of the package asks its workflow for."""
    asked: list[Any] = []

    def carry_out(request: Any, progress: Any) -> None:
        asked.append(request)

    monkeypatch.setattr(importlib.import_module(f"converse.workflows.{name}"), name, carry_out)
    getattr(converse, name)(*CALLS[name], progress=False, **given)
    return asked[0]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("engine", "ray"),
    [("local", None), ("ray", RayOptions()), (RayOptions("auto", same_platform=True), RayOptions("auto", True))],
    ids=["local", "ray", "options"],
)
def test_an_engine_is_named_or_described(
    monkeypatch: pytest.MonkeyPatch, name: str, engine: Any, ray: RayOptions | None
) -> None:
    assert request(monkeypatch, name, engine=engine).ray == ray
    assert request(monkeypatch, name).ray is None


@pytest.mark.parametrize("name", [name for name in CALLS if name != "reproduce"])
def test_several_processes_train_together(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert request(monkeypatch, name, devices=2).devices == 2
    with pytest.raises(OptionError, match="devices must be at least 1, got 0"):
        request(monkeypatch, name, devices=0)


def test_an_engine_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match=r"unknown engine 'rays': did you mean 'ray'.* or an object of converse"):
        request(monkeypatch, "run", engine="rays")
