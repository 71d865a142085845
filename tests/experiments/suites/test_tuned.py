"""The file of winners: written, read, and given to a suite. Oracle: tomllib, and the document written out here."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from converse.errors import ConverseError, SuiteError
from converse.experiments.suites.suite import Suite, load_suite
from converse.experiments.suites.tuned import basis, read_tuned, tuned_suite
from converse.workflows.run_request import RunRequest
from tests.experiments.suites.documents import Changes, changed
from tests.experiments.suites.test_tuning import GOOD as SUITE

GOOD = """
schema = 1
suite = "mine"
budget = "smoke"
seeds = [7]
tried = 4
validation = "2 validation images"

[[entries]]
name = "Plain"
settings = { "training.lr" = 4e-3 }
psnr = 31.25
basis = "PLAIN"
grid = { "training.lr" = [1e-3, 2e-3, 4e-3, 8e-3] }

[[entries]]
name = "Reverse"
settings = { "training.lr" = 2e-3, "options.operator_options.lam_offset" = -2.0 }
psnr = 31.5
basis = "REVERSE"
grid = { "training.lr" = [1e-3, 2e-3], "options.operator_options.lam_offset" = [-9.0, -2.0] }

[[entries]]
name = "Fixed"
settings = { "training.lr" = 1e-3 }
psnr = 31.0
basis = "FIXED"
grid = { "training.lr" = [1e-3, 2e-3, 4e-3, 8e-3] }
"""


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    (tmp_path / "mine.toml").write_text(SUITE)
    return load_suite(tmp_path / "mine.toml")


@pytest.fixture
def written(tmp_path: Path, suite: Suite) -> Callable[..., Path]:
    def write(changes: Changes | None = None) -> Path:
        text = GOOD
        for entry in suite.entries:
            text = text.replace(f'"{entry.name.upper()}"', f'"{basis(suite, entry, suite.budget("smoke"))}"')
        path = tmp_path / "tuned.toml"
        path.write_text(changed(text, changes or []))
        return path

    return write


def tuned(suite: Suite, path: Path, **options: object) -> Suite:
    return tuned_suite(suite, read_tuned(path), file=path, **options)  # type: ignore[arg-type]


def test_every_entry_has_its_own_settings_over_all_others(suite: Suite, written: Callable[..., Path]) -> None:
    found = tuned(suite, written())
    plans = {plan.entry: plan for plan in found.resolve("smoke", seeds=[0])}
    assert {name: plan.training.lr for name, plan in plans.items() if name != "Released"} == {
        "Plain": 4e-3,
        "Reverse": 2e-3,
        "Fixed": 1e-3,
    }
    assert plans["Plain"].training.clip == 1.0
    assert plans["Reverse"].options["operator_options"] == {"eps": 1e-4, "lam_offset": -2.0}
    assert (found.name, found.title) == ("mine-tuned", "Mine (tuned)")
    assert found.description.startswith(
        "Each entry has the best of 4 settings, chosen on 2 validation images with seeds 7: Plain: lr = 0.004; "
    )
    assert found.contrasts() == suite.contrasts()
    assert found.full_size(plans["Plain"])


def test_what_is_written_is_read(written: Callable[..., Path], tmp_path: Path) -> None:
    found = read_tuned(written())
    again = tmp_path / 'a "strange" name.toml'
    again.write_text(found.model_copy(update={"store": 'a "b" \\ é'}).as_toml())
    assert read_tuned(again).entries == found.entries
    assert tomllib.loads(again.read_text())["store"] == 'a "b" \\ é'


def test_a_suite_names_its_file(suite: Suite, written: Callable[..., Path], tmp_path: Path) -> None:
    path = written()
    naming = tmp_path / "naming.toml"
    naming.write_text(SUITE.replace("steps = 4\n", 'steps = 4\ntuned = "tuned.toml"\n'))
    (plan,) = RunRequest(str(naming), entries=("Plain",), seeds=(0,)).plans(RunRequest(str(naming)).read())
    assert plan.training.lr == 4e-3
    assert RunRequest(str(naming), tuned="none").read().name == "mine"
    path.unlink()
    with pytest.raises(SuiteError, match=r"tuned\.toml: cannot be read: No such file or directory"):
        RunRequest(str(naming)).read()


# What is replaced by what in the good file, and the message after the file's name.
MISTAKES: dict[str, tuple[Changes, str]] = {
    "newer": ([("schema = 1", "schema = 2")], 'key "schema": came 2; this version of converse reads schema 1'),
    "other-suite": (
        [('suite = "mine"', 'suite = "yours"')],
        'key "suite": came "yours"; these settings are not for suite \'mine\': tune anew: converse tune mine --budget '
        "smoke",
    ),
    "unknown-entry": (
        [('name = "Plain"', 'name = "Plane"')],
        '2 mistakes\n  [[entries]] #1 "Plane": key "name": unknown trained entry of mine \'Plane\': did you mean',
    ),
    "released-entry": (
        [('name = "Plain"', 'name = "Released"')],
        '2 mistakes\n  [[entries]] #1 "Released": key "name": unknown trained entry of mine \'Released\': did you mean',
    ),
    "not-toml": ([("schema = 1", "schema =")], "line 2, column 9: not TOML: Invalid value"),
    "unknown-setting": (
        [('settings = { "training.lr" = 4e-3 }', 'settings = { "training.lrr" = 4e-3 }')],
        "[[entries]] #1 \"Plain\": key \"settings\": unknown setting of training 'lrr': did you mean 'lr'? known: ",
    ),
    "out-of-range": (
        [('settings = { "training.lr" = 4e-3 }', 'settings = { "training.lr" = 4.0 }')],
        '[[entries]] #1 "Plain": key "settings": training.lr: came 4.0; must be ≤ 1',
    ),
    "another-budget": (
        [('settings = { "training.lr" = 4e-3 }', 'settings = { "training.steps" = 4 }')],
        '[[entries]] #1 "Plain": key "settings": training.steps makes another network or another budget; expected ',
    ),
    "unknown-option": (
        [('lam_offset" = -2.0', 'lam_ofset" = -2.0')],
        "key \"entries\": Reverse: operator_options.lam_ofset: unknown option of operator converse 'lam_ofset'",
    ),
    "nothing": (
        [("psnr = 31.25\n", "")],
        '[[entries]] #1 "Plain": key "psnr": missing; expected the PSNR on the validation images, dB',
    ),
}


@pytest.mark.parametrize(("changes", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_file_is_said(
    suite: Suite, written: Callable[..., Path], changes: Changes, message: str
) -> None:
    path = written(changes)
    with pytest.raises(SuiteError) as caught:
        tuned(suite, path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_settings_that_were_chosen_for_others_are_refused(
    suite: Suite, written: Callable[..., Path], tmp_path: Path
) -> None:
    path = written()
    (tmp_path / "mine.toml").write_text(SUITE.replace("steps = 4", "steps = 8"))
    with pytest.raises(SuiteError, match=r'#1 "Plain": key "basis": other settings of this entry in mine have changed'):
        tuned(load_suite(tmp_path / "mine.toml"), path)
    (tmp_path / "mine.toml").write_text(SUITE.replace('title = "Mine"', 'title = "My own"'))
    assert tuned(load_suite(tmp_path / "mine.toml"), path).title == "My own (tuned)"


def test_all_that_is_compared_is_tuned(suite: Suite, written: Callable[..., Path]) -> None:
    path = written()
    text = path.read_text()
    path.write_text(text[: text.rindex("[[entries]]")])
    with pytest.raises(SuiteError, match=r'key "entries": lacks Fixed; tune anew: converse tune mine --budget smoke'):
        tuned(suite, path)
    assert len(tuned(suite, path, only=["Plain", "Reverse"]).entries) == 4


def test_seeds_that_chose_are_not_compared_with(suite: Suite, written: Callable[..., Path]) -> None:
    with pytest.raises(ConverseError, match=r"tuned\.toml: seed 7 chose these settings; a comparison has seeds of its"):
        tuned(suite, written(), seeds=[6, 7])


def test_a_file_is_of_one_budget(suite: Suite, written: Callable[..., Path], tmp_path: Path) -> None:
    request = RunRequest(str(tmp_path / "mine.toml"), budget="quick", tuned=str(written()))
    with pytest.raises(
        ConverseError, match=r"has settings for the budget smoke, and quick is asked for: --budget smoke"
    ):
        request.read()
    plans = RunRequest(str(tmp_path / "mine.toml"), tuned=str(written())).read().budgets
    assert list(plans) == ["smoke"]
