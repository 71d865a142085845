"""What of a trial has no value. Oracle: counted by hand, and by a property of the sentence."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from converse.experiments.evaluation.unmeasured import unmeasured
from converse.metrics import LACKING


def row(image: str | None, value: float | None, reason: str | None = None, **more: Any) -> Any:
    known = {"dataset": "photos", "case": None, "image_sha256": f"sha of {image}", "metric": "psnr", "signature": "s"}
    return {**known, "image": image, "value": value, "reason": reason, **more}


PARAMETERS = row(None, 7.0, metric="parameters")


def test_everything_measured_is_an_empty_sentence() -> None:
    assert unmeasured([PARAMETERS, row("a", 30.0), row("b", math.inf)]) == ""
    assert unmeasured([PARAMETERS]) == ""


def test_images_without_a_value_are_counted_once_in_each_case() -> None:
    rows = [
        row("a", math.nan, "too small"),
        row("a", math.nan, "too small", metric="ssim"),
        row("b", 30.0),
        row("a", None, "not finite", case="kernel_1"),
    ]
    assert unmeasured(rows) == "2 of 3 images not measured: too small; not finite"


def test_a_metric_that_lacks_its_features_is_no_failure() -> None:
    assert unmeasured([row("a", 30.0), row("a", math.nan, f"{LACKING}: fetch", metric="lpips")]) == ""


def test_of_an_image_that_was_replaced_the_newer_one_counts() -> None:
    old, new = row("a", math.nan, "unreadable: torn"), row("a", 30.0, image_sha256="another")
    assert unmeasured([old, new]) == ""
    assert unmeasured([new, old]) == "1 of 1 image not measured: unreadable: torn"


def test_many_causes_are_cut_short() -> None:
    rows = [row(name, math.nan, f"cause {name}") for name in "abcd"]
    assert unmeasured(rows) == "4 of 4 images not measured: cause a; cause b; …"


@given(st.lists(st.booleans(), max_size=12))
def test_it_is_empty_exactly_where_all_have_values(measured: list[bool]) -> None:
    rows = [row(str(index), 30.0 if good else math.nan, "cause") for index, good in enumerate(measured)]
    said = unmeasured(rows)
    assert said.startswith(f"{measured.count(False)} of {len(measured)} image") if False in measured else said == ""
