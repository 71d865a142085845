"""Times and memory as sheets: for each run and kind of subject one of the measurements, and one of how time grows.

No sheet has numbers of two runs, and so none has numbers of two machines; where there are runs of several, each says
that it may not be held against the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from converse.analysis.places import digits
from converse.analysis.speed import different_machines, growth, measured
from converse.counted import counted
from converse.plain_text import slug
from converse.reporting.numbers import number
from converse.reporting.tables.sheet import LIMIT, PARAMETERS_HEAD, Cell, Head, Row, Sheet
from converse.reporting.words import case_in_words, known, machine_in_words

_HEADS = (
    Head("milliseconds", "Time", unit="ms", digits=3, better="lower", significant=3),
    Head("images_per_s", "Images/s", digits=1, better="higher", significant=3),
    Head("mpixel_per_s", "Throughput", unit="Mpixel/s", digits=2, better="higher", significant=3),
    Head("mebibytes", "Peak memory", unit="MiB", digits=1, better="lower", significant=3),
    Head("fraction_of_limit", "Of the limit", digits=3, significant=3),
    PARAMETERS_HEAD,
)
_GROWTH_HEADS = (
    Head("exponent", "Exponent", digits=2),
    Head("n_log_n", "Of N log N", digits=2),
    Head("sizes", "Sizes", digits=0),
    Head("smallest", "Smallest side", digits=0),
    Head("largest", "Largest side", digits=0),
)
_KINDS = {"operator": "Operators", "network": "Networks", "limit": "Limits"}


def speed_sheets(rows: pd.DataFrame) -> list[Sheet]:
    """What ``converse speed`` measured.

    Args:
        rows: with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

    Returns:
        For each run and kind of subject its times and memory, and how its time grows where there are three sizes, in
        the order of the runs. Limits stand with what they limit. With several machines each sheet has a warning.
    """
    if not len(rows):
        return []
    sheets: list[Sheet] = []
    for run, of_run in rows.groupby("run", sort=False):
        sheets += _of_run(str(run), of_run)
    apart = different_machines(rows)
    if apart is None:
        return sheets
    warning = f"Not to be held against the other tables of speed: {apart}."
    return [replace(sheet, notes=(*sheet.notes, warning)) for sheet in sheets]


def _of_run(run: str, rows: pd.DataFrame) -> Iterator[Sheet]:
    records = list(_plain(measured(rows)))
    grown = list(_plain(growth(rows)))
    first = records[0]
    when = f"measured {str(first['time'])[:10]}."
    for kind in dict.fromkeys(record["kind"] for record in records if record["kind"] != "limit"):
        # Subjects took turns within a sweep: the same case in two sweeps is two groups.
        groups = dict.fromkeys((record["sweep"], case_in_words(record)) for record in records if record["kind"] == kind)
        several = Counter(case for _, case in groups)
        shown = [record for record in records if record["kind"] in (kind, "limit")]
        lines = [
            _row(record, f"{case} (sweep {sweep})" if several[case] > 1 else case)
            for sweep, case in groups
            for record in shown
            if (record["sweep"], case_in_words(record)) == (sweep, case)
        ]
        key = slug("speed", first["suite"], first["budget"], kind, run)
        title = f"{_KINDS.get(kind, kind)} (suite {first['suite']}), {machine_in_words(first)}"
        yield _filled(
            Sheet(
                key=key,
                kind="speed",
                title=title,
                caption=f"Median of a call, over turns that the subjects of one group took one after another; {when}",
                source="",
                stub="Subject",
                heads=_HEADS,
                rows=tuple(lines),
            )
        )
        growing = [record for record in grown if record["kind"] == kind]
        if growing:
            places = list(dict.fromkeys(map(_place, growing)))
            growing.sort(key=lambda record: places.index(_place(record)))
            yield Sheet(
                key=slug(key, "growth"),
                kind="speed",
                title=f"Growth with the image: {title[0].lower()}{title[1:]}",
                caption="Exponent a of t ∝ Nᵃ, the time against the number N of pixels, fitted in logarithms, with its "
                f"interval of 95 %; beside it what N log N has over the same sizes; {when}",
                source="",
                stub="Subject",
                heads=_GROWTH_HEADS,
                rows=tuple(_growth_row(record) for record in growing),
            )


def _place(record: Mapping[str, Any]) -> str:
    return case_in_words(record, size=False)


def _row(record: Mapping[str, Any], case: str) -> Row:
    reason = None if record["status"] == "ok" else ": ".join(filter(None, (record["status"], record["reason"])))
    spread: tuple[tuple[str, str], ...] = ()
    if record["q25_s"] is not None:
        low, high = (1e3 * record[name] for name in ("q25_s", "q75_s"))
        quartiles = " to ".join(number(value, digits(value, 3, 3)) for value in (low, high)) + " ms"
        spread = (("Quartiles", quartiles), ("Turns", f"{record['repeats']} of {counted(record['calls'], 'call')}"))
    if record["noise_floor"] is not None:
        spread += (("Noise floor", f"{record['noise_floor']:.1%}"),)
    peak, seconds = record["peak_bytes"], record["median_s"]
    values = (
        Cell(measured=None if seconds is None else seconds * 1e3, reason=reason, facts=spread),
        Cell(measured=record["images_per_s"]),
        Cell(measured=record["mpixel_per_s"]),
        Cell(measured=None if peak is None else peak / 2**20),
        Cell(measured=record["fraction_of_limit"]),
        Cell(measured=record["parameters"]),
    )
    return Row(record["subject"], values, case, marks=(LIMIT,) if record["kind"] == LIMIT else ())


def _growth_row(record: Mapping[str, Any]) -> Row:
    cells = (
        Cell(measured=record["exponent"], low=record["low"], high=record["high"]),
        *(Cell(measured=record[name]) for name in ("n_log_n", "sizes", "smallest", "largest")),
    )
    return Row(record["subject"], cells, _place(record))


def _filled(sheet: Sheet) -> Sheet:
    """Without the columns in which there is nothing: networks have no limit, and not every system tells the memory."""
    kept = [at for at in range(len(sheet.heads)) if any(not row.cells[at].empty for row in sheet.rows)]
    rows = (replace(row, cells=tuple(row.cells[at] for at in kept)) for row in sheet.rows)
    return replace(sheet, heads=tuple(sheet.heads[at] for at in kept), rows=tuple(rows))


def _plain(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The records of a frame, ``None`` for what is missing."""
    for record in frame.astype(object).to_dict("records"):
        yield {str(name): value if known(value) else None for name, value in record.items()}
