"""``converse compare`` as it is typed. Oracles: the exit status, JSON, and the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from converse.analysis.answers import ANSWER_COLUMNS
from converse.analysis.effects import EFFECT_COLUMNS
from converse.analysis.side_by_side import NETWORK_COLUMNS
from tests.workflows.test_compare import asked, whole

Converse = Callable[..., tuple[int, str, str]]
__all__ = ["asked", "whole"]

OPTIONS = ("--suite", "tiny.toml", "--device", "cpu", "--threads", "1", "--equal-settings")


@pytest.fixture
def typed(converse: Converse, asked: object) -> Converse:
    return converse


def test_a_table_a_sentence_and_a_page(typed: Converse, tmp_path: Path) -> None:
    status, out, err = typed("compare", "converse", *OPTIONS)
    assert status == 0
    head, *lines = out.splitlines()
    assert head.split() == ["PSNR", "on", "test", "seeds", "parameters", "mult-adds", "ms", "MiB", "trainings"]
    assert [line.partition("  ")[0] for line in lines[:4]] == [
        "converse",
        "reverse convolution",
        "depthwise convolution",
        "transposed convolution",
    ]
    assert "converse is equal to reverse convolution (a difference of exactly 0: both are the same trainings)" in out
    page = Path(lines[-1].removeprefix("page: "))
    assert page == tmp_path / "runs" / "compare" / "converse-tiny-smoke-equal-settings" / "index.html"
    assert page.exists()
    # The own trainings are those of reverse convolution, and there once in the plan.
    assert err.startswith("6 of 6 trainings are to do: about ")
    assert "Ctrl-C stops, and the same command goes on (--dry-run lists them)\n" in err

    status, out, err = typed("compare", "converse", *OPTIONS, "--format", "json", "--output", "page")
    assert status == 0
    rows = json.loads(out)
    assert [tuple(row) for row in rows] == [ANSWER_COLUMNS] * 3
    assert [(row["rival"], row["answer"], row["difference"]) for row in rows[:1]] == [
        ("reverse convolution", "equal", 0)
    ]
    assert "trainings are to do" not in err
    assert f"page: {tmp_path / 'page' / 'index.html'}\n" in err
    for view, columns in (("networks", NETWORK_COLUMNS), ("effects", EFFECT_COLUMNS)):
        _, out, _ = typed("compare", "converse", *OPTIONS, "--format", "json", "--show", view)
        assert tuple(json.loads(out)[0]) == columns


def test_what_would_be_done(typed: Converse, tmp_path: Path) -> None:
    status, out, _ = typed("compare", "mine.py:Wide", *OPTIONS, "--dry-run", "--seeds", "3")
    assert status == 0
    assert [line.split("  ")[1].strip() for line in out.splitlines()[1:5]] == [
        "Converse-Tiny: Wide",
        "Converse-Tiny",
        "Converse-Tiny: depthwise convolution",
        "Converse-Tiny: transposed convolution",
    ]
    assert not (tmp_path / "runs").exists()


def test_a_failure_has_a_status_and_a_reason(typed: Converse) -> None:
    status, out, err = typed("compare", "mine.py:Wide?what=blows", *OPTIONS, "--seeds", "0")
    assert status == 1
    assert "there is no answer for Wide (what = blows): seed 0: the loss became NaN in step 2" in out
    assert "failed: Converse-Tiny: Wide (what = blows) seed 0 (trial " in err
    status, _, err = typed("compare", "mine.py:Wide?what=blows", *OPTIONS, "--seeds", "0")
    assert status == 1
    assert "failed before: " in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mine.py:Nobody",), "has no class 'Nobody'"),
        (("mine.py:Wide?what=crops",), "must map"),
        (("mine.py:Wide?size=3",), "unknown option of Wide 'size'"),
        (("converse", "--equivalence", "0"), "--equivalence must be above 0 dB, got 0"),
        (("converse", "--seeds", "0", "--against-seeds", "1,2"), "--against-seeds names 2 seeds, and --seeds 1"),
        (("converse", "--match", "length"), "'length' is not one of"),
    ],
)
def test_mistakes_are_said_in_one_message(typed: Converse, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = typed("compare", *arguments, *OPTIONS)
    assert (status, out) == (2, "")
    assert message in err.replace("\n", " ")
