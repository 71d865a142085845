"""Times and memory as sheets: one per run and kind of subject, a group of rows for the subjects that took turns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from converse.analysis.sheets import Cell, Head, Row, Sheet, slug
from converse.analysis.speed import measured

_HEADS = (
    Head("milliseconds", "Time", unit="ms", digits=3, better="lower"),
    Head("ns_per_pixel", "Per pixel", unit="ns", digits=1, better="lower"),
    Head("mpixel_per_s", "Throughput", unit="Mpixel/s", digits=2, better="higher"),
    Head("mebibytes", "Peak memory", unit="MiB", digits=1, better="lower"),
    Head("fraction_of_limit", "Of the limit", unit="", digits=3),
    Head("parameters", "Parameters", digits=0),
)
_KINDS = {"operator": "Operators", "network": "Networks", "limit": "Limits"}


def speed_sheets(rows: pd.DataFrame) -> list[Sheet]:
    """What ``converse speed`` measured.

    Args:
        rows: with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

    Returns:
        One sheet per run and kind of subject, in the order of the runs. Limits stand with what they limit.
    """
    if not len(rows):
        return []
    frame = measured(rows)
    sheets = []
    for run, of_run in frame.groupby("run", sort=False):
        records = [_plain(record) for record in of_run.astype(object).to_dict("records")]
        first = records[0]
        for kind in dict.fromkeys(record["kind"] for record in records if record["kind"] != "limit"):
            cases = {_case(record) for record in records if record["kind"] == kind}
            chosen = [
                record
                for record in records
                if record["kind"] == kind or (record["kind"], _case(record) in cases) == ("limit", True)
            ]
            chosen.sort(key=lambda record: records.index(next(r for r in records if _case(r) == _case(record))))
            machine = ", ".join(
                str(part)
                for part in (
                    first["model"],
                    f"{first['threads']} thread(s)" if first["device"] == "cpu" else f"driver {first['driver']}",
                    f"torch {first['torch']}",
                )
            )
            sheets.append(
                Sheet(
                    key=slug("speed", first["suite"], first["budget"], kind, str(run)),
                    kind="speed",
                    title=f"{_KINDS.get(kind, kind)}, {machine}",
                    caption="Median of a call, over turns that the subjects of one group took one after another; "
                    f"measured {str(first['time'])[:10]}.",
                    source="",
                    stub="Subject",
                    heads=_HEADS,
                    rows=tuple(_row(record) for record in chosen),
                    link="speed",
                )
            )
    return sheets


def _row(record: Mapping[str, Any]) -> Row:
    reason = None if record["status"] == "ok" else ": ".join(filter(None, (record["status"], record["reason"])))
    spread: tuple[tuple[str, str], ...] = ()
    if record["q25_s"] is not None:
        quartiles = f"{record['q25_s'] * 1e3:.3f} to {record['q75_s'] * 1e3:.3f} ms"
        spread = (("Quartiles", quartiles), ("Turns", f"{record['repeats']} of {record['calls']} call(s)"))
    if record["noise_floor"] is not None:
        spread += (("Noise floor", f"{record['noise_floor']:.1%}"),)
    peak = record["peak_bytes"]
    values = (
        Cell(measured=_times(record["median_s"], 1e3), reason=reason, facts=spread),
        Cell(measured=record["ns_per_pixel"]),
        Cell(measured=record["mpixel_per_s"]),
        Cell(measured=None if peak is None else peak / 2**20),
        Cell(measured=record["fraction_of_limit"]),
        Cell(measured=record["parameters"]),
    )
    return Row(record["subject"], values, _case(record))


def _case(record: Mapping[str, Any]) -> str:
    """The case in words."""
    size = f"{record['batch']}×{record['channels']}×{record['height']}×{record['width']}"
    words = [record["pass"], size]
    if record["kernel_size"] is not None:
        words.append(f"kernel {record['kernel_size']}")
    if record["scale"] not in (None, 1):
        words.append(f"scale {record['scale']}")
    if record["padding"] is not None:
        words.append(f"padding {record['padding']}")
    words.append(record["dtype"])
    if record["compiled"]:
        words.append("compiled")
    return ", ".join(str(word) for word in words if word)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _plain(record: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        str(name): value if isinstance(value, (list, tuple)) or not _missing(value) else None
        for name, value in record.items()
    }


def _missing(value: Any) -> bool:
    if value is None or value is pd.NA:
        return True
    return isinstance(value, float) and value != value
