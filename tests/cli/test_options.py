"""What is typed for an option becomes values, or one clear message."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.cli.options import names, numbers, seed_numbers
from converse.errors import OptionError


def test_names_may_be_repeated_and_hold_commas(tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    assert names(None) is None
    assert names(["Set12, BSD68", "Set12"]) == ("Set12", "BSD68")
    assert names([str(tmp_path / "a,b")]) == (str(tmp_path / "a,b"),)


@pytest.mark.parametrize(
    ("text", "seeds"), [(None, None), ("0,1,2", (0, 1, 2)), ("0-2,2,7", (0, 1, 2, 7)), ("5", (5,))]
)
def test_seeds(text: str | None, seeds: tuple[int, ...] | None) -> None:
    assert seed_numbers(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "-1", "1-", "3-1", "1.5", "0,,1", "0-99999999999"])
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--seeds"):
        seed_numbers(text)


@pytest.mark.parametrize(("text", "found"), [(None, ()), ("15", (15.0,)), ("15, 12.5,50", (15.0, 12.5, 50.0))])
def test_numbers(text: str | None, found: tuple[float, ...]) -> None:
    assert numbers("--it", text) == found


@pytest.mark.parametrize("text", ["", "a", "15;35", "15,,35", "15-35", "σ"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--it takes numbers with commas, such as 15,35,50, got "):
        numbers("--it", text)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (["Conv, k=3"], ("Conv, k=3",)),
        (["conv, K=3,Plain", "Conv"], ("conv, K=3", "Plain", "Conv")),
        (["Plain,Conv, k=3"], ("Plain", "Conv, k=3")),
        (["Conv,Plain"], ("Conv", "Plain")),
        (["Conv, k=3, s=2"], ("Conv, k=3, s=2",)),
        (["Conv, k=5"], ("Conv", "k=5")),
    ],
    ids=str,
)
def test_a_known_name_may_have_commas(typed: list[str], found: tuple[str, ...]) -> None:
    assert names(typed, ["Plain", "Conv", "Conv, k=3", "Conv, k=3, s=2"]) == found
