"""Released weights beside the authors' earlier table. Oracle: numbers of that table, written down here."""

from __future__ import annotations

from typing import Any

import pandas as pd

from converse.analysis.earlier import RETRAINED, earlier_results
from converse.analysis.published import published
from converse.analysis.tables import Expected, ResultRow
from converse.data.catalogue import dataset
from converse.experiments.store.rows import ROW_COLUMNS


def whole(entry: str, name: str, value: float, **changes: Any) -> list[dict[str, Any]]:
    known = {"task": "deblurring", "entry": entry, "source": "released", "dataset": name, "case": "kernel_1"}
    return [
        {**dict.fromkeys(ROW_COLUMNS), **known, "metric": "psnr", "signature": "s", "device": "cpu"}
        | {"image": one.name, "image_sha256": one.sha256, "value": value, **changes}
        for one in dataset(name).files
    ]


def found(*rows: dict[str, Any], expected: tuple[Expected, ...] = ()) -> list[ResultRow]:
    frame = pd.DataFrame(rows, columns=list(ROW_COLUMNS)).astype({"value": float})
    return earlier_results(frame, published=published(), expected=expected)


def test_weights_whose_network_kept_its_numbers_are_judged() -> None:
    (one,) = found(*whole("ConverseNet", "set5", 29.65))
    assert (one["published"], one["verdict"]) == (27.33, "differs")
    (one,) = found(*whole("ConverseNet", "set14", 27.33))
    assert (one["published"], one["verdict"]) == (27.33, "match")


def test_weights_whose_network_changed_have_a_difference_and_no_verdict() -> None:
    (one,) = found(*whole("Converse-USRNet", "set5", 34.75))
    assert (one["difference"], one["verdict"], one["reason"]) == (0.0, None, RETRAINED)


def test_part_of_a_test_set_keeps_its_reason() -> None:
    (one,) = found(*whole("ConverseNet", "set5", 29.65)[:2])
    assert (one["verdict"], one["reason"]) == ("not measured", "2 of 5 images")


def test_what_the_earlier_table_lacks_is_left_out() -> None:
    rows = whole("ConverseNet", "set5", 0.9, metric="ssim") + whole("DnCNN", "set12", 30.0, task="denoising", case=None)
    assert found(*rows) == []


def test_rows_are_in_the_order_of_the_earlier_table() -> None:
    expected = Expected("deblurring", "ConvNet", "Set5", "kernel_1", "psnr", "no released weights for ConvNet")
    rows = found(*whole("ConverseNet", "set14", 27.0), *whole("ConverseNet", "set5", 27.0), expected=(expected,))
    assert [(one["dataset"], one["entry"]) for one in rows] == [
        ("Set5", "ConvNet"),
        ("Set5", "ConverseNet"),
        ("Set14", "ConverseNet"),
    ]
