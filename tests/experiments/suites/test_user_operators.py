"""Oracle: what the user's file says of itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from converse.errors import OptionError
from converse.experiments.suites.user_operators import operator_class, operator_file
from converse.nn.models import create_model
from converse.nn.operators import OPERATORS

FILE = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn

VERSION = 1

@dataclass
class Options:  # needs its module to be known
    gain: float = 1.0

class Mine(nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", gain=1.0):
        super().__init__()
        self.said = (channels, kernel_size, scale, padding_mode, Options(gain).gain)

    def forward(self, y):
        return y

word = "no class"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize("name", OPERATORS)
def test_registered_names_are_theirs(name: str) -> None:
    assert operator_class(name) is OPERATORS[name]
    assert operator_file(name) is None


def test_a_class_in_a_file(file: Path) -> None:
    made = operator_class(f"{file}:Mine")
    assert made(4, 3).said == (4, 3, 1, "circular", 1.0)
    assert operator_file(f"{file}:Mine") == file
    assert operator_class(f"{file}:Mine") is made
    file.write_text(FILE.replace("VERSION = 1", "VERSION = 2"))
    assert operator_class(f"{file}:Mine") is not made


def test_a_class_in_a_package(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(file.parent)
    assert operator_file("mine:Mine") == file
    assert "mine" not in sys.modules  # to ask for the file runs nothing
    assert operator_class("mine:Mine")(4, 3).said == (4, 3, 1, "circular", 1.0)
    monkeypatch.delitem(sys.modules, "mine")


@pytest.mark.parametrize("model", ["block-dncnn", "block-srresnet", "block-net"])
def test_it_goes_into_the_blocks_of_a_network(file: Path, model: str) -> None:
    made = operator_class(f"{file}:Mine")
    network = create_model(model, made, features=4, blocks=1, kernel_size=3, operator_options={"gain": 2.0})
    own = [module for module in network.modules() if type(module).__name__ == "Mine"]
    assert own
    said: list[Any] = [module.said for module in own]
    assert {one[1::3] for one in said} == {(3, 2.0)}
    assert isinstance(own[0], nn.Module)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("convers", r"unknown operator 'convers': did you mean 'converse'\?.*; or path/to/file.py:Class"),
        ("{file}:Yours", r"mine.py has no class 'Yours': expected path/to/file.py:Class, got '.*mine.py:Yours'"),
        ("{file}:word", r"mine.py has no class 'word'"),
        ("{folder}/none.py:Mine", r"there is no file .*none.py: expected path/to/file.py:Class"),
        ("json.nothing:Mine", r"there is no module json.nothing: expected package.module:Class"),
        ("no_such_package.module:Mine", r"no_such_package.module cannot be imported: ModuleNotFoundError: "),
    ],
)
def test_what_is_not_there_is_said(file: Path, name: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        operator_class(name.format(file=file, folder=file.parent))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("raise RuntimeError('mine')", "RuntimeError: mine"),
        ("class Mine(", "SyntaxError: "),
        ("import no_such_package", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
    ],
)
def test_a_file_that_cannot_be_imported(file: Path, content: str, says: str) -> None:
    file.write_text(content)
    with pytest.raises(OptionError, match=f"mine.py cannot be imported: {says}"):
        operator_class(f"{file}:Mine")
