"""What the quickstart measures beside its suite: filters that any denoiser has to beat, and times of the operators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from converse.counted import counted
from converse.metrics import METRICS
from converse.reporting.inputs.evidence import Evidence
from converse.reporting.tables.sheet import EMPTY, Cell, Head, Row, Sheet, infinite, metric_head

Record = Mapping[str, Any]


def beaten_sheet(records: Sequence[Record], filters: Sequence[Record], *, key: str) -> Sheet:
    """Networks and filters from the worst to the best, with what each gains.

    Args:
        records: result rows of one test set.
        filters: records with ``entry, metric, measured``; the first entry is the noisy input, the last the filter.
        key: of the study.

    Returns:
        The sheet.
    """
    cells: dict[str, dict[str, Record]] = {}
    for row in (*filters, *records):
        cells.setdefault(row["entry"], {})[row["metric"]] = row
    noisy, filtered = (
        next((row["measured"] for row in rows if row["metric"] == "psnr"), None) for rows in (filters, filters[::-1])
    )
    rows = sorted(
        (_row(entry, metrics, noisy, filtered) for entry, metrics in cells.items()),
        key=lambda row: -1.0 if row.cells[0].measured is None else row.cells[0].measured,
    )
    images = next((row["images"] for row in records if row["images"]), 0)
    return Sheet(
        key=f"{key}-beaten",
        kind="values",
        title="What a denoiser has to beat",
        caption=f"Mean over {counted(images, 'held-out image')}, then over seeds. The best Gaussian filter has the "
        "width, chosen for each image by the true image itself, that gives the highest PSNR.",
        source="trained",
        stub="Network or filter",
        heads=(
            *(replace(metric_head(name), digits=METRICS[name].paper_digits) for name in ("psnr", "ssim")),
            Head("gain", "Over the noisy input", unit="dB", signed=True),
            Head("over_filter", "Over the filter", unit="dB", signed=True),
        ),
        rows=tuple(rows),
        notes=("Widths, training images and steps are far too small to judge the paper by.",),
    )


def operator_sheet(timings: Sequence[Record], *, key: str) -> Sheet:
    """Times of the operators by themselves.

    Args:
        timings: records with ``operator, forward, training`` in milliseconds, ``shape, kernel_size, device, threads``.
        key: of the study.

    Returns:
        The sheet.
    """
    first = timings[0]
    size, kernel = str(first["shape"]).replace("x", "×"), first["kernel_size"]
    return Sheet(
        key=f"{key}-operators",
        kind="speed",
        title="Speed of the operators",
        caption=f"Medians, input {size}, kernel {kernel}×{kernel}, {first['device']}, "
        f"{counted(first['threads'], 'thread')}. Forward is that of evaluation, where reverse convolution keeps its "
        "transfer function.",
        source="",
        stub="Operator",
        heads=(
            Head("forward", "Forward", unit="ms", better="lower", significant=3),
            Head("training", "Forward and backward", unit="ms", better="lower", significant=3),
        ),
        rows=tuple(
            Row(one["operator"], (Cell(measured=one["forward"]), Cell(measured=one["training"]))) for one in timings
        ),
    )


def _row(entry: str, metrics: Mapping[str, Record], noisy: float | None, filtered: float | None) -> Row:
    psnr = metrics["psnr"]["measured"] if "psnr" in metrics else None

    left_out = infinite(metrics["psnr"]) if "psnr" in metrics else None

    def over(other: float | None) -> Cell:
        # A mean without the images of infinite PSNR is not held against one of all images.
        if psnr is None or other is None or left_out is not None or not math.isfinite(psnr - other):
            return EMPTY
        return Cell(measured=psnr - other)

    return Row(entry, (_cell(metrics.get("psnr")), _cell(metrics.get("ssim")), over(noisy), over(filtered)))


def _cell(record: Record | None) -> Cell:
    if record is None:
        return EMPTY
    signature = record.get("signature")
    evidence = Evidence((), metric=record["metric"], signature=signature) if signature else None
    return Cell(
        measured=record["measured"],
        deviation=record.get("deviation"),
        evidence=evidence,
        infinite=infinite(record),
    )
