"""A check from end to end. Oracles: a baseline of the very same code, edits to it by hand, and the store's own rows."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

from converse.analysis.gate.baseline import read_baseline
from converse.analysis.gate.findings import NOT_MEASURED, PASSED, REGRESSED
from converse.errors import OptionError, SuiteError
from converse.experiments.store import Store
from converse.nn.operators import Converse2D
from converse.workflows.check import Check, check
from converse.workflows.check_request import CheckRequest
from converse.workflows.run import run
from converse.workflows.run_request import RunRequest
from tests.workflows.gated import edited, gated

Checked = Callable[..., Check]

OPERATOR = """
import torch
from converse.nn.operators import Converse2D

class Mine(Converse2D):
    def forward(self, y, *rest):
        out = super().forward(y, *rest)
        return {change}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    gated(folder, only=("Plain", "Reverse"))
    return folder


@pytest.fixture
def checked(project: Path, tmp_path: Path) -> Checked:
    shutil.copytree(project, tmp_path, dirs_exist_ok=True)

    def carry_out(name: str = "baseline.toml", **changes: Any) -> Check:
        done = check(CheckRequest(tmp_path / name, **{"store": tmp_path / "checked", **changes}))
        if done.request.taken_from is None:
            shutil.rmtree(tmp_path / "checked", ignore_errors=True)
        return done

    return carry_out


def outcomes(done: Check) -> dict[str, str]:
    return {f"{one.subject}: {one.what}": one.outcome for one in done.findings}


def write(tmp_path: Path, change: Callable[[str], str], name: str = "other.toml") -> str:
    text = (tmp_path / "baseline.toml").read_text()
    assert change(text) != text
    (tmp_path / name).write_text(change(text))
    return name


def test_the_same_code_passes_to_the_bit(checked: Checked) -> None:
    done = checked()
    assert done.exit_status == PASSED
    assert set(outcomes(done).values()) == {"passed"}
    assert {one.sure for one in done.findings if one.aspect == "quality"} == {"to the bit"}
    assert {one.subject for one in done.findings} == {"Plain", "Reverse"}


def test_a_value_that_was_better_by_a_hundredth(checked: Checked, tmp_path: Path) -> None:
    done = checked(edited(tmp_path, "b.png", 0.01).name)
    assert done.exit_status == REGRESSED
    worst = next(one for one in done.findings if one.outcome == "regressed" and "b.png" in one.what)
    assert worst.subject == "Reverse"  # whose values come last
    assert worst.change == pytest.approx(0.01)
    assert worst.look == f"converse report {tmp_path / 'checked'}"


def test_the_operator_broken_in_the_library(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    """λ half as large: the networks with reverse convolution are worse or other, and no others are."""
    forward = Converse2D.forward

    def broken(self: Converse2D, y: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        return forward(self, y, *rest, **more) * 0.99

    monkeypatch.setattr(Converse2D, "forward", broken)
    done = checked()
    found = {one.subject for one in done.findings if one.outcome in ("regressed", "better")}
    assert found == {"Reverse"}


def test_not_finite_output_is_a_regression(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Converse2D.forward

    def broken(self: Converse2D, y: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        out = forward(self, y, *rest, **more)
        return out if self.training else out * float("nan")

    monkeypatch.setattr(Converse2D, "forward", broken)
    done = checked()
    assert done.exit_status == REGRESSED
    said = next(one for one in done.findings if one.outcome == "regressed" and one.aspect == "quality")
    assert "output is not finite" in said.reason


def test_a_training_that_diverges_is_a_regression(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Converse2D, "forward", lambda self, y, *rest, **more: y * float("nan"))
    done = checked()
    assert done.exit_status == REGRESSED
    said = next(one for one in done.findings if one.subject == "Reverse")
    assert said.outcome == "regressed"
    assert "NaN" in said.reason


def test_parameters_and_an_output_of_another_shape(checked: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    from converse.nn.dncnn import DnCNN

    forward, start = DnCNN.forward, DnCNN.__init__

    @functools.wraps(start)
    def larger(self: DnCNN, *options: Any, **more: Any) -> None:
        start(self, *options, **more)
        self.idle = nn.Parameter(torch.zeros(3))

    monkeypatch.setattr(DnCNN, "__init__", larger)
    monkeypatch.setattr(DnCNN, "forward", lambda self, x: forward(self, x)[..., 0 if self.training else 1 :])
    done = checked(entries=("Plain",))
    found = {one.aspect: one for one in done.findings if one.outcome == "regressed"}
    assert found["shape"].now == "1×1×128×127"
    assert (found["parameters"].before, found["parameters"].now) == (39, 42)
    assert done.exit_status == REGRESSED


def test_an_image_gone_and_one_more(checked: Checked, tmp_path: Path) -> None:
    (tmp_path / "test" / "a.png").rename(tmp_path / "test" / "c.png")
    done = checked()
    assert done.exit_status == REGRESSED
    assert outcomes(done)["Plain: images"] == "regressed"
    assert outcomes(done)["Plain: more than in the baseline"] == "extra"


def test_another_image_under_the_same_name(checked: Checked, tmp_path: Path) -> None:
    Image.new("L", (40, 48), 7).save(tmp_path / "test" / "a.png")
    done = checked()
    said = next(one for one in done.findings if one.what == "images")
    assert (said.outcome, "a.png is not the baseline's" in said.reason) == ("regressed", True)


def test_an_entry_gone_from_the_suite(checked: Checked, tmp_path: Path) -> None:
    suite = tmp_path / "gated.toml"
    suite.write_text(suite.read_text().replace('name = "Reverse"', 'name = "New"'))
    done = checked()
    assert outcomes(done)["Reverse: the entry"] == "regressed"
    assert outcomes(done)["New: more than in the baseline"] == "extra"
    assert done.exit_status == REGRESSED


def test_data_that_are_not_at_hand(checked: Checked, tmp_path: Path) -> None:
    suite = tmp_path / "gated.toml"
    suite.write_text(suite.read_text().replace('"./test"', '"wed"'))
    assert checked().exit_status == NOT_MEASURED


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("steps = 4", "steps = 5", r'\[\[entries\]\] #1 "Plain": key "settings": training.steps was 4 and is 5'),
        ("layers = 2", "layers = 3", r"options.layers was 2 and is 3.*on purpose"),
        ('name = "gated"', 'name = "gated"\nx = 1', "unknown key 'x'"),
    ],
)
def test_another_suite_under_the_same_name(
    checked: Checked, tmp_path: Path, before: str, after: str, message: str
) -> None:
    suite = tmp_path / "gated.toml"
    suite.write_text(suite.read_text().replace(before, after))
    with pytest.raises(SuiteError, match=message):
        checked()


def test_other_training_images_are_another_suite(checked: Checked, tmp_path: Path) -> None:
    Image.new("L", (40, 48), 7).save(tmp_path / "train" / "t.png")
    with pytest.raises(SuiteError, match=r"data\.train was \w+ and is \w+"):
        checked()


def test_a_suite_that_is_not_there(checked: Checked, tmp_path: Path) -> None:
    (tmp_path / "gated.toml").unlink()
    with pytest.raises(SuiteError, match=r'baseline\.toml: key "suite": unknown suite .gated\.toml\''):
        checked()


def test_a_baseline_of_another_device(checked: Checked, tmp_path: Path) -> None:
    name = write(tmp_path, lambda text: text.replace('device = "cpu"', 'device = "cuda"'))
    with pytest.raises(OptionError, match=r"was measured on cuda .*--device cpu is asked for: --device cuda"):
        checked(name, device="cpu")
    if not torch.cuda.is_available():
        with pytest.raises(SuiteError, match=r'\[platform\]: key "device": .*this machine has 0 CUDA device'):
            checked(name)


def test_on_another_platform_one_seed_says_nothing(checked: Checked, tmp_path: Path) -> None:
    name = write(tmp_path, lambda text: text.replace('model = "', 'model = "Not ', 1))
    done = checked(name)
    assert done.exit_status == 4
    assert any("one seed" in one.reason for one in done.findings)


def test_other_threads_are_another_platform(checked: Checked) -> None:
    done = checked(threads=2)
    assert {one.outcome for one in done.findings if one.aspect == "quality"} == {"inconclusive"}
    assert any("threads 2 and not 1" in one.sure for one in done.findings)


def test_a_store_is_judged_as_it_is(checked: Checked, tmp_path: Path) -> None:
    asked = RunRequest(str(tmp_path / "gated.toml"), budget="smoke", store=tmp_path / "runs", device="cpu", threads=1)
    run(asked)
    before = {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    done = checked(taken_from=tmp_path / "runs")
    assert done.exit_status == PASSED
    assert {path: path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file()} == before
    done = checked(edited(tmp_path, "b.png", 0.01).name, taken_from=tmp_path / "runs")
    assert done.exit_status == REGRESSED


def test_a_store_of_another_device(checked: Checked, tmp_path: Path) -> None:
    """Nothing is computed, so that it does not matter which devices this machine has."""
    asked = RunRequest(str(tmp_path / "gated.toml"), budget="smoke", store=tmp_path / "runs", device="cpu", threads=1)
    run(asked)
    name = write(tmp_path, lambda text: text.replace('device = "cpu"', 'device = "cuda"'))
    with pytest.raises(OptionError, match=r"was measured on cuda, and the trials in .*runs on cpu"):
        checked(name, taken_from=tmp_path / "runs")


def test_a_store_without_the_suite(checked: Checked, tmp_path: Path) -> None:
    Store(tmp_path / "empty")
    with pytest.raises(OptionError, match="has no run of suite gated under budget smoke: it has none"):
        checked(taken_from=tmp_path / "empty")


def test_a_store_that_lacks_an_entry(checked: Checked, tmp_path: Path) -> None:
    asked = RunRequest(str(tmp_path / "gated.toml"), budget="smoke", store=tmp_path / "runs", device="cpu", threads=1)
    run(RunRequest(**{**vars(asked), "entries": ("Plain",)}))
    done = checked(taken_from=tmp_path / "runs")
    assert outcomes(done)["Reverse: the entry"] == "regressed"


def test_a_folder_with_trials_of_other_code_is_refused(
    checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = CheckRequest(tmp_path / "baseline.toml", store=tmp_path / "kept")
    assert check(asked).exit_status == PASSED
    assert check(asked).exit_status == PASSED  # of the same code, as after an interruption
    monkeypatch.setattr("converse.workflows.check_measured.code_hash", lambda: "another")
    with pytest.raises(OptionError, match="may be of other code than this one"):
        check(asked)


def test_an_operator_in_the_place_of_reverse_convolution(checked: Checked, tmp_path: Path) -> None:
    """The same operator under another name gives the same values to the bit; another one does not."""
    for name, change in (("same", "out"), ("half", "out / 2")):
        (tmp_path / f"{name}.py").write_text(OPERATOR.format(change=change))
    done = checked(operator=f"{tmp_path / 'same.py'}:Mine")
    assert done.exit_status == PASSED
    # The others have no place for it.
    assert {one.subject for one in done.findings if one.outcome != "extra"} == {"Reverse"}
    done = checked(operator=f"{tmp_path / 'half.py'}:Mine", entries=("Reverse",))
    assert {one.subject for one in done.findings} == {"Reverse"}
    assert "regressed" in outcomes(done).values()


def test_an_operator_where_there_is_no_place_for_it(checked: Checked) -> None:
    with pytest.raises(OptionError, match="unknown operator 'nothing'"):
        checked(operator="nothing")
    with pytest.raises(OptionError, match="--operator conv: Plain has no reverse convolution"):
        checked(operator="conv", entries=("Plain",))


def test_without_a_store_of_ones_own_it_is_a_temporary_one(checked: Checked, tmp_path: Path) -> None:
    done = check(CheckRequest(tmp_path / "baseline.toml", entries=("Plain",)))
    assert done.folder.temporary
    assert not done.kept
    assert len(Store(done.store, create=False).folders()) == len(read_baseline(tmp_path / "baseline.toml").seeds)
    shutil.rmtree(done.store)
