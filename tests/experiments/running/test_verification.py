"""Operators of the user's in processes of their own. Oracle: what each of them does, which is written into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.errors import OptionError
from converse.experiments.running.verification import Result, Verification, Verified, verify
from converse.experiments.suites.operator_names import named
from converse.experiments.training.interruption import Stop
from converse.nn.contract.table import CONTRACT
from converse.nn.operators import OPERATORS

HEAD = """
import os, sys, time
import torch
from torch import nn
"""
BODY = """
class Mine(nn.Conv2d):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", gain=1.0):
        if scale != 1:
            raise ValueError("no scale")
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)

    def forward(self, x):
        return super().forward(x)
"""


def seen(name: str, *, limit: float = 60.0, scales: tuple[int, ...] | None = None) -> dict[str, Result]:
    return by_name(verify(Verification(named(name), scales, limit=limit)))


def by_name(found: Verified) -> dict[str, Result]:
    assert [result.name for result in found.results] == [check.name for check in CONTRACT]
    return {result.name: result for result in found.results}


def failed(results: dict[str, Result]) -> set[str]:
    return {name for name, result in results.items() if result.outcome == "fail"}


@pytest.mark.parametrize("name", OPERATORS)
def test_every_registered_operator_passes(name: str) -> None:
    found = verify(Verification(named(name), scales=(1, 2)))
    results = by_name(found)
    assert failed(results) == set()
    assert {name for name, one in results.items() if one.outcome == "skip"} == {"compile", "cuda"}
    assert all(
        one.seconds is not None and one.seen and not one.cure for one in results.values() if one.outcome == "pass"
    )
    assert bool(found.measured) is (name == "converse")


def test_an_inverse_is_measured_at_its_scales_and_over_lambda() -> None:
    measured = verify(Verification(named("converse"))).measured
    assert [(one.lam, one.inversion.scale) for one in measured] == [
        *((None, 1), (None, 2)),
        *((1e-6, 1), (1e-4, 1), (1e-2, 1), (1.0, 1)),
    ]
    assert len(verify(Verification(named("converse?lam=1e-2"), scales=(1,))).measured) == 1


def test_a_defect_has_its_sentence_and_its_cure(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + BODY.replace("super().forward(x)", "super().forward(x).detach()"))
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"gradients"}
    assert results["gradients"].seen.startswith("gives no gradient")
    assert results["gradients"].cure == next(check.cure for check in CONTRACT if check.name == "gradients")
    assert results["gradcheck"].outcome == "skip"
    assert results["gradcheck"].seen == "not looked at, for gradients has not passed"


def test_what_it_raises_is_told_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        HEAD + BODY.replace("return super()", "raise LookupError('nowhere')\n        super()")
    )
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"returns"}
    assert results["returns"].seen == "LookupError: nowhere; at mine.py, line 13 (raise LookupError('nowhere'))"
    assert results["shape"].outcome == "skip"


def test_what_ends_its_process_fails_there_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    dies = "os._exit(3) if x.shape[-1] > 200 else super().forward(x)"
    (tmp_path / "mine.py").write_text(HEAD + BODY.replace("super().forward(x)", dies))
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"sizes"}
    assert results["sizes"].seen == "its process ended with status 3"
    assert results["quiet"].outcome == "pass"


def test_what_hangs_is_ended_and_its_line_is_told(tmp_path: Path) -> None:
    hangs = "time.sleep(3600) if x.shape[-1] > 200 else super().forward(x)"
    (tmp_path / "mine.py").write_text(HEAD + BODY.replace("super().forward(x)", hangs))
    results = seen(f"{tmp_path}/mine.py:Mine", limit=20)
    assert failed(results) == {"sizes"}
    assert results["sizes"].seen == f"took longer than 20 s; at mine.py, line 13 (return {hangs})"
    assert results["quiet"].outcome == "pass"


def test_a_file_that_hangs_when_it_is_imported_is_waited_for_once(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + "time.sleep(3600)\n" + BODY)
    results = seen(f"{tmp_path}/mine.py:Mine", limit=1)
    assert failed(results) == {"construction"}
    assert results["construction"].seen == "took longer than 1 s; at mine.py, line 5 (time.sleep(3600))"
    assert {one.outcome for name, one in results.items() if name != "construction"} == {"skip"}


def test_what_asks_for_too_much_memory_is_told(tmp_path: Path) -> None:
    grows = "torch.empty(10**15) if x.shape[-1] > 200 else super().forward(x)"
    (tmp_path / "mine.py").write_text(HEAD + BODY.replace("super().forward(x)", grows))
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"sizes"}
    assert "can't allocate memory" in results["sizes"].seen


def test_a_file_that_cannot_be_imported_fails_the_first_check(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + "import no_such_package\n" + BODY)
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"construction"}
    assert "No module named 'no_such_package'; at mine.py, line 5" in results["construction"].seen


def test_a_signature_that_does_not_fit_fails_the_first_check(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        HEAD + BODY.replace(', scale=1, padding_mode="circular"', "").replace("if scale != 1", "if False")
    )
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"construction"}
    assert "Mine is Mine(channels, kernel_size, gain=1.0); expected Mine(channels, kernel_size, scale=1, " in (
        results["construction"].seen
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("{file}:Yours", "has no class 'Yours'"),
        ("{file}:Mine?gaim=2", "unknown option of Mine 'gaim': did you mean 'gain'"),
        ("{file}:Mine?channels=0", "channels must be a whole number from 1, got 0"),
        ("{file}:Mine?kernel_size=big", "kernel_size must be a whole number from 1, got 'big'"),
        ("converse?epz=1", "unknown option of Converse2D 'epz': did you mean 'eps'"),
    ],
)
def test_what_is_a_slip_in_the_name_is_no_failure_of_a_check(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "mine.py").write_text(HEAD + BODY)
    with pytest.raises(OptionError, match=says):
        seen(name.format(file=tmp_path / "mine.py"))


def test_options_reach_the_operator_and_scales_are_claimed(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + BODY)
    results = seen(f"{tmp_path}/mine.py:Mine?channels=6&kernel_size=3&gain=2", scales=(1, 2))
    assert results["construction"].seen == "Mine with 60 parameters for 6 channels"
    assert failed(results) == {"scales"}
    assert results["scales"].seen == "scale 2 is refused: no scale"


def test_what_is_printed_when_it_is_imported_is_heard_too(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + "print('hello')\n" + BODY)
    results = seen(f"{tmp_path}/mine.py:Mine")
    assert failed(results) == {"quiet"}
    assert results["quiet"].seen == 'prints "hello"'


def test_a_single_scale_may_be_an_option(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(HEAD + BODY)
    results = seen(f"{tmp_path}/mine.py:Mine?scale=2")
    assert results["construction"].seen.startswith("ValueError: no scale; at mine.py, line 9")
    assert seen("convt?scale=2")["shape"].seen == "[2, 8, 12, 12] to [2, 8, 24, 24]"


def test_each_check_is_told_of_and_a_stop_is_heard(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    verify(Verification(named("conv")), tell=lambda *what: told.append(what))
    made = [check.name for check in CONTRACT if check.option is None]
    assert list(dict.fromkeys(name for name, _, _ in told)) == made
    assert {total for _, _, total in told} == {len(made)}
    stop = Stop()
    stop.asked = True
    with pytest.raises(KeyboardInterrupt):
        verify(Verification(named("conv")), stop=stop)


SEEN_OF_RESEARCHERS = {
    "Plain": set[str](),
    "Tied": set(),
    "Spectral": set(),
    "Remembers": set(),
    "Talks": {"quiet"},
    "SmallOnly": {"sizes"},
    "NotFiniteLater": {"finite"},
    "Leaves": {"returns"},
    "Hangs": {"returns"},
    "WrongShape": {"shape"},
    "Detached": {"gradients"},
    "MixesTheBatch": {"batch independence"},
    "Random": {"determinism"},
    "InPlace": {"input kept"},
}


@pytest.mark.parametrize("name", SEEN_OF_RESEARCHERS)
def test_each_property_of_operators_that_researchers_bring_is_named(shared: Path, name: str) -> None:
    results = seen(f"{shared / 'cases' / 'suites' / 'operators.py'}:{name}", limit=20)
    assert failed(results) == SEEN_OF_RESEARCHERS[name], {name: results[name].seen for name in failed(results)}
