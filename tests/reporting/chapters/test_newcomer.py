"""Each sentence is made true and false by the rows that it is made from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from converse.analysis.effects import EFFECT_COLUMNS
from converse.analysis.qualification import Grounds
from converse.analysis.tables import RESULT_COLUMNS
from converse.experiments.store.requests import Standard
from converse.reporting.chapters.newcomer import shown


def grounds(sizes: dict[str, bool] | None, *states: str) -> Grounds:
    """Of trainings in these states, one after another: A, B, A …"""
    known = {str(index): SimpleNamespace(state=state) for index, state in enumerate(states)}
    found = Grounds(None if sizes is None else Standard({}, 0.3, sizes))
    found.__dict__["convergence"] = known
    return found


def sentences(of: Grounds | None = None, **given: Any) -> list[str]:
    one = {"metric": "psnr", "entry": "A", "base": "B", "difference": 0.25, "seeds": 2, "images": 6, **given}
    effects = pd.DataFrame([one], columns=list(EFFECT_COLUMNS), dtype=object)
    means = [{"metric": "psnr", "entry": "A", "measured": 28.5}, {"metric": "psnr", "entry": "B", "measured": 28.25}]
    rows = pd.DataFrame({"entry": ["A", "B", "other", "A"], "trial": ["0", "1", "2", "3"]})
    return list(shown(effects, pd.DataFrame(means, columns=list(RESULT_COLUMNS), dtype=object), rows, of))


def test_the_difference_is_said_with_its_sign_and_what_it_rests_on() -> None:
    assert sentences()[0] == "A came out 0.25 dB above B (28.50 and 28.25 dB; mean of 2 seeds and 6 images)."
    assert sentences(difference=-1.0)[0].startswith("A came out 1.00 dB below B")
    for nearly in (0.0, 0.004, -0.004):  # which two decimals do not show
        assert sentences(difference=nearly)[0].startswith("A came out within 0.01 dB of B (")


def test_few_seeds_show_no_winner() -> None:
    assert sentences(seeds=1, images=1)[1].startswith("One seed cannot show which operator is better")
    assert sentences(seeds=2)[1].startswith("2 seeds cannot show which operator is better")


def test_with_enough_seeds_only_what_is_not_told_apart_is_said() -> None:
    for p_holm in (None, 0.06):  # the interval of the row alone is not adjusted for its table
        assert sentences(seeds=5, low=0.1, high=0.4, p_holm=p_holm)[1] == "5 seeds do not tell A and B apart."
    assert not any("tell" in one or "cannot" in one for one in sentences(seeds=5, low=0.1, high=0.4, p_holm=0.04))


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(
            grounds({"A": False, "B": False}, "converged", "on the plateau", "converged", "rising"),
            "None of these networks has the paper's size, and 1 of 3 trainings is shown to have converged: ",
            id="small-and-short",
        ),
        pytest.param(
            grounds({"A": False, "B": True}, *["converged"] * 4),
            "A does not have the paper's size: ",
            id="small",
        ),
        pytest.param(
            grounds({"A": True, "B": True}, *["too noisy to tell"] * 4),
            "None of 3 trainings is shown to have converged: ",
            id="not-converged",
        ),
        pytest.param(
            grounds(None, *["converged"] * 4),
            "Whether B and A have the paper's size is not known: ",
            id="not-known",
        ),
        pytest.param(
            None,
            "Whether B and A have the paper's size is not known, and none of 3 trainings is shown to have converged: ",
            id="nothing-is-known",
        ),
    ],
)
def test_why_such_networks_say_nothing_about_the_papers(of: Grounds | None, expected: str) -> None:
    assert sentences(of)[-1] == f"{expected}nothing here speaks for or against the paper."


def test_of_networks_like_the_papers_it_says_nothing_of_that_kind() -> None:
    found = sentences(grounds({"A": True, "B": True}, "converged", "converged", "rising", "converged"))
    assert not any("the paper" in one for one in found)


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert sentences(difference=None) == []
