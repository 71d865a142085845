"""Each sentence is made true and false by the rows that it is made from."""

from __future__ import annotations

from typing import Any

import pandas as pd

from converse.analysis.effects import EFFECT_COLUMNS
from converse.analysis.tables import RESULT_COLUMNS
from converse.reporting.chapters.newcomer import shown


def sentences(**given: Any) -> list[str]:
    one = {"metric": "psnr", "entry": "A", "base": "B", "difference": 0.25, "seeds": 2, "images": 6, **given}
    effects = pd.DataFrame([one], columns=list(EFFECT_COLUMNS), dtype=object)
    means = [{"metric": "psnr", "entry": "A", "measured": 28.5}, {"metric": "psnr", "entry": "B", "measured": 28.25}]
    return list(shown(effects, pd.DataFrame(means, columns=list(RESULT_COLUMNS), dtype=object)))


def test_the_difference_is_said_with_its_sign_and_what_it_rests_on() -> None:
    assert sentences()[0] == "A came out 0.25 dB above B (28.50 and 28.25 dB; mean of 2 seeds and 6 images)."
    assert sentences(difference=-1.0)[0].startswith("A came out 1.00 dB below B")


def test_few_seeds_show_no_winner() -> None:
    assert sentences(seeds=1, images=1)[1].startswith("One seed cannot show which operator is better")
    assert sentences(seeds=2)[1].startswith("2 seeds cannot show which operator is better")


def test_with_enough_seeds_only_what_is_not_told_apart_is_said() -> None:
    for p_holm in (None, 0.06):  # the interval of the row alone is not adjusted for its table
        assert sentences(seeds=5, low=0.1, high=0.4, p_holm=p_holm)[1] == "5 seeds do not tell A and B apart."
    assert not any("tell" in one or "cannot" in one for one in sentences(seeds=5, low=0.1, high=0.4, p_holm=0.04))


def test_it_always_says_what_such_networks_are_not() -> None:
    assert sentences()[-1] == "Networks so small and trained so shortly say nothing about the paper's."


def test_nothing_is_said_of_what_was_not_measured() -> None:
    assert sentences(difference=None) == []
