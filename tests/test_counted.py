"""Numbers with their nouns: the oracle is English."""

from __future__ import annotations

import pytest

from converse.counted import agreeing, counted


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (counted(0, "image"), "0 images"),
        (counted(1, "image"), "1 image"),
        (counted(2, "validation image"), "2 validation images"),
        (counted(2000, "row"), "2,000 rows"),
        (counted(1, "image", of=1), "1 of 1 image"),
        (counted(1, "image", of=5), "1 of 5 images"),
        (f"{agreeing(1, 'is', 'are')} {agreeing(0, 'is', 'are')} {agreeing(3, 'is', 'are')}", "is are are"),
    ],
)
def test_a_noun_has_the_number_of_what_is_counted(said: str, expected: str) -> None:
    assert said == expected
