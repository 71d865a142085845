"""Oracle: what the user's file says of itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from converse.errors import OptionError
from converse.experiments.suites.user_operators import (
    name_of,
    operator_builder,
    operator_class,
    operator_file,
    place_in,
)
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
        ("{file}:Mime", r"got '.*mine.py:Mime'; unknown class 'Mime': did you mean 'Mine'\? known: Mine, Options"),
        (
            "{file}:word",
            r"mine.py: 'word' is a str, expected a class\(channels, kernel_size, scale=1, padding_mode=…, ",
        ),
        ("{folder}/none.py:Mine", r"there is no file .*none.py: expected path/to/file.py:Class"),
        ("json.nothing:Mine", r"there is no module json.nothing: expected package.module:Class"),
        ("no_such_package.module:Mine", r"there is no module no_such_package: expected package.module:Class"),
    ],
)
def test_what_is_not_there_is_said(file: Path, name: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        operator_class(name.format(file=file, folder=file.parent))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            "x = 1\nraise RuntimeError('mine')",
            r"RuntimeError: mine; at mine.py, line 2 \(raise RuntimeError\('mine'\)\)",
        ),
        ("\n\nclass Mine(", r"SyntaxError: .*; at mine.py, line 3 \(class Mine\(\)"),
        ("import no_such_package", r"No module named 'no_such_package'; at mine.py, line 1 \(import no_such_package\)"),
        ("raise SystemExit(3)", "SystemExit: 3; at mine.py, line 1"),
        ("def f():\n    raise LookupError\n\nf()", r"LookupError: ; at mine.py, line 2 \(raise LookupError\)"),
    ],
)
def test_a_file_that_cannot_be_imported(file: Path, content: str, says: str) -> None:
    file.write_text(content)
    with pytest.raises(OptionError, match=f"mine.py cannot be imported: .*{says}"):
        operator_class(f"{file}:Mine")
    assert not [name for name in sys.modules if name.startswith("converse_user_mine") and not vars(sys.modules[name])]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a package in the working folder, which is not where Python looks."""
    name = f"package_{tmp_path.name}"
    (tmp_path / name / "inner").mkdir(parents=True)
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (tmp_path / name / "inner" / "__init__.py").write_text("")
    (tmp_path / name / "inner" / "mine.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in ("", str(tmp_path))])
    yield name
    for loaded in [one for one in sys.modules if one.partition(".")[0] == name]:
        del sys.modules[loaded]


def test_the_working_folder_counts_and_asking_for_a_file_runs_no_package(package: str, tmp_path: Path) -> None:
    file = tmp_path / package / "inner" / "mine.py"
    assert operator_file(f"{package}.inner.mine:Mine") == file
    assert not [name for name in sys.modules if name.startswith(package)]
    with pytest.raises(OptionError, match=r"RuntimeError: imported"):
        operator_class(f"{package}.inner.mine:Mine")
    (tmp_path / package / "__init__.py").write_text("")
    assert operator_class(f"{package}.inner.mine:Mine")(4, 3).said == (4, 3, 1, "circular", 1.0)


def test_a_file_of_the_working_folder_stands_in_for_no_installed_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "colorsys.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one])
    found = operator_file("colorsys:Mine")
    assert found is not None
    assert found.parent != tmp_path


SIGNATURES = """
from torch import nn

class Fits(nn.Module):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", groups=1):
        super().__init__()

class Bare(nn.Module):
    def __init__(self):
        super().__init__()

class Fixed(nn.Module):
    def __init__(self, channels, kernel_size):
        super().__init__()

class Asks(nn.Module):
    def __init__(self, channels, kernel_size, groups, **options):
        super().__init__()

class Breaks(nn.Module):
    def __init__(self, channels, kernel_size, **options):
        raise TypeError("from inside")
"""


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "Fits",
            {"group": 2},
            "unknown option of Fits 'group': did you mean 'groups'? known: groups; mine.py, line 4: ",
        ),
        (
            "Fits",
            {"word": 2},
            "known: groups; mine.py, line 4: Fits is Fits(channels, kernel_size, scale=1, padding_mode",
        ),
        (
            "Bare",
            {},
            "mine.py, line 8: Bare is Bare(); expected Bare(channels, kernel_size, scale=1, padding_mode=…, **",
        ),
        (
            "Fixed",
            {},
            "mine.py, line 12: Fixed is Fixed(channels, kernel_size); expected Fixed(channels, kernel_size, ",
        ),
        ("Fixed", {}, "got an unexpected keyword argument 'padding_mode'"),
        ("Asks", {}, "missing a required argument: 'groups'"),
    ],
)
def test_a_class_that_is_not_called_as_operators_are(
    file: Path, name: str, options: dict[str, Any], message: str
) -> None:
    file.write_text(SIGNATURES)
    build = operator_builder(f"{file}:{name}")
    with pytest.raises(OptionError) as raised:
        build(4, 3, padding_mode="circular", **options)
    assert message in str(raised.value)


def test_a_class_that_fits_is_built_and_its_own_errors_are_its_own(file: Path) -> None:
    file.write_text(SIGNATURES)
    assert type(operator_builder(f"{file}:Fits")(4, 3, scale=2, padding_mode="zero", groups=2)).__name__ == "Fits"
    with pytest.raises(TypeError, match="from inside") as raised:
        operator_builder(f"{file}:Breaks")(4, 3)
    assert place_in(raised.value, file) == 'mine.py, line 22 (raise TypeError("from inside"))'
    assert place_in(raised.value, file.with_name("other.py")) is None


def test_a_class_is_found_again_by_its_name(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text(SIGNATURES)
    package = tmp_path / "filters_of_mine"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text("class Mine: ...")
    (tmp_path / "alone_of_mine.py").write_text("class Mine: ...")
    monkeypatch.syspath_prepend(str(tmp_path))
    by_file = operator_class(f"{file}:Fits")
    assert name_of(by_file) == f"{file}:Fits"  # type: ignore[arg-type]
    from_package = operator_class("filters_of_mine.inner:Mine")
    assert name_of(from_package) == "filters_of_mine.inner:Mine"  # type: ignore[arg-type]
    alone = operator_class("alone_of_mine:Mine")
    assert name_of(alone) == f"{tmp_path / 'alone_of_mine.py'}:Mine"  # type: ignore[arg-type]
    for name, known in OPERATORS.items():
        assert name_of(known) == name


def test_a_class_without_a_file_says_what_to_do() -> None:
    in_a_cell = type("Mine", (nn.Module,), {"__module__": "no_module_of_a_file"})
    with pytest.raises(OptionError, match=r"no_module_of_a_file.Mine is written in no file, .*%%writefile"):
        name_of(in_a_cell)

    class Inner(nn.Module):
        pass

    with pytest.raises(OptionError, match=r"Inner is a class inside of another or of a function: move it to the top"):
        name_of(Inner)
