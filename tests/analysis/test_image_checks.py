"""Single images beside the authors' logs. Oracle: numbers of the logs, written down here."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from converse.analysis.image_checks import IMAGE_CHECK_COLUMNS, ImageCheck, image_check_records, image_checks
from converse.analysis.published import published
from converse.analysis.tables import Expected
from converse.analysis.verdicts import Thresholds
from converse.data.catalogue import dataset
from converse.experiments.store.rows import ROW_COLUMNS

FIRST, SECOND = dataset("bsd100").files[:2]
ASKED = Expected("deblurring", "ConverseNet", "BSD100", "kernel_1", "psnr", "not run")


def row(value: float | None, **changes: Any) -> dict[str, Any]:
    known = {"task": "deblurring", "entry": "ConverseNet", "dataset": "bsd100", "case": "kernel_1", "metric": "psnr"}
    image = {"image": FIRST.name, "image_sha256": FIRST.sha256, "signature": "s", "device": "cpu"}
    return {**dict.fromkeys(ROW_COLUMNS), **known, **image, "value": value, **changes}


def checks(*rows: dict[str, Any], expected: tuple[Expected, ...] = (ASKED,), **more: Any) -> list[ImageCheck]:
    frame = pd.DataFrame(rows, columns=list(ROW_COLUMNS)).astype({"value": float})
    found = image_checks(frame, published=published(), expected=expected, **more)
    assert tuple(found.columns) == IMAGE_CHECK_COLUMNS
    return image_check_records(found)


@pytest.mark.parametrize(
    ("value", "verdict"), [(25.1597, "match"), (25.165, "match"), (25.1651, "close"), (25.3, "differs")]
)
def test_a_value_is_held_against_the_second_decimal_of_the_log(value: float, verdict: str) -> None:
    one = checks(row(value))[0]
    assert (one["known_as"], one["published"], one["measured"], one["verdict"]) == ("101085", 25.16, value, verdict)
    assert one["difference"] == pytest.approx(value - 25.16)
    assert (one["signature"], one["device"], one["reason"]) == ("s", "cpu", None)


def test_thresholds_are_those_of_the_caller() -> None:
    assert checks(row(25.2), thresholds=Thresholds(0.1, 0.2))[0]["verdict"] == "match"


def test_what_was_not_measured_says_why_for_each_image_of_the_log() -> None:
    found = checks(row(25.16))
    assert [one["known_as"] for one in found] == ["101085", "101087", "102061", "103070"]
    assert {(one["verdict"], one["reason"], one["measured"]) for one in found[1:]} == {
        ("not measured", "not run", None)
    }


def test_an_image_without_a_value_keeps_its_reason() -> None:
    one = checks(row(None, reason="out of memory"))[0]
    assert (one["verdict"], one["reason"], one["difference"]) == ("not measured", "out of memory", None)


def test_an_image_is_known_by_its_checksum_and_not_by_its_folder() -> None:
    assert checks(row(25.16, dataset="photos"))[0]["verdict"] == "match"
    assert checks(row(25.16, image_sha256=SECOND.sha256))[0]["verdict"] == "not measured"


@pytest.mark.parametrize("other", [{"case": "kernel_2"}, {"metric": "ssim"}, {"entry": "Converse-USRNet"}])
def test_only_the_logs_own_kernel_network_and_metric_count(other: dict[str, str]) -> None:
    assert checks(row(25.16, **other))[0]["verdict"] == "not measured"


def test_each_kind_of_device_has_a_check_of_its_own() -> None:
    found = checks(row(25.16), row(25.17, device="cuda"))
    assert [(one["device"], one["verdict"]) for one in found[:2]] == [("cpu", "match"), ("cuda", "close")]


def test_what_nobody_asked_for_is_left_out() -> None:
    assert checks(row(25.16), expected=()) == []
