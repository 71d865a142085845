"""Effects as sheets: a row per variant, a column per test set, the paired difference to the base entry in each cell."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from converse.analysis.effects import effect_records
from converse.analysis.noise_floor import NOISE_FLOOR
from converse.analysis.tables import PUBLISHED_METRIC
from converse.metrics import METRICS
from converse.plain_text import slug
from converse.reporting.inputs.evidence import Evidence, EvidenceKey
from converse.reporting.tables.paper import Command
from converse.reporting.tables.sheet import (
    CHANCE,
    EMPTY,
    MULTIPLY_ADDS,
    PARAMETERS_HEAD,
    Cell,
    Head,
    Row,
    Sheet,
    metric_head,
)
from converse.reporting.words import case_title

_FACTS = (
    ("claim", "The interval claims something", "{}"),
    ("p", "p of the t test", "{:.3g}"),
    ("p_holm", "p, adjusted by Holm", "{:.3g}"),
    ("family", "Differences that are adjusted for", "{}"),
    ("equivalent", "Equivalent within 0.02 dB", "{}"),
    ("seed_deviation", "Deviation over seeds", "{:.4f}"),
    ("image_error", "Standard error over images", "{:.4f}"),
    ("dz", "Cohen's d_z", "{:.2f}"),
    ("seeds_needed", "Seeds needed for the published difference", "{}"),
)

UNEQUAL: Final = "not at equal parameters"
"""Said of a difference between networks of different numbers of parameters."""

UNEQUAL_MEANS: Final = f"{UNEQUAL}: the difference is not the changed part's alone"


def effect_sheet(
    effects: pd.DataFrame,
    *,
    title: str,
    key: str,
    evidence: Mapping[EvidenceKey, Evidence] | None = None,
    command: Command = lambda record: None,
    stub: str = "Variant",
) -> Sheet:
    """A sheet of the differences of PSNR.

    Args:
        effects: with :data:`converse.analysis.effects.EFFECT_COLUMNS`, of one suite and budget.
        title: heading.
        key: stable.
        evidence: what the means of the entries rest on.
        command: what measures a difference.
        stub: head of the first column.

    Returns:
        The sheet; without rows where nothing was compared.
    """
    records = effect_records(effects)
    shown = [record for record in records if record["metric"] in (PUBLISHED_METRIC, None)]
    places = list(dict.fromkeys((record["dataset"], record["case"]) for record in shown))
    if any(dataset for dataset, _ in places):
        places = [place for place in places if place[0]]
    by_place = {(record["entry"], record["base"], record["dataset"], record["case"]): record for record in shown}
    bases = list(dict.fromkeys(record["base"] for record in records))
    labels = {
        (record["entry"], record["base"]): f"{record['label']} − {record['base']}"
        if len(bases) > 1
        else record["label"]
        for record in records
    }
    taken = f"each variant minus {bases[0]}" if len(bases) == 1 else "differences"
    facts = METRICS[PUBLISHED_METRIC]
    cases = any(case for _, case in places)
    counted = any(record["multiply_adds"] is not None for record in records)
    heads = [
        PARAMETERS_HEAD,
        *([Head(MULTIPLY_ADDS, "Multiply-adds", digits=0)] if counted else []),
        *(
            metric_head(
                PUBLISHED_METRIC,
                key=slug(dataset, case) if dataset else "",
                title=case_title(case) or dataset or "",
                group=(dataset or "") if cases else ("Test set" if dataset else ""),
                signed=True,
            )
            for dataset, case in places
        ),
    ]
    rows = []
    for (entry, base), label in labels.items():
        of_pair = [by_place.get((entry, base, dataset, case)) for dataset, case in places]
        first: Mapping[str, Any] = next(filter(None, of_pair), {})
        marks = {UNEQUAL: first.get("equal_parameters") is False, CHANCE: bool(first.get("same_class"))}
        rows.append(
            Row(
                label,
                (
                    _count(first, "parameters", "Parameters"),
                    *([_count(first, "multiply_adds", "Multiply-adds")] if counted else []),
                    *(_cell(place, evidence or {}, command) for place in of_pair),
                ),
                marks=tuple(mark for mark, said in marks.items() if said),
            )
        )
    return Sheet(
        key=key,
        kind="effects",
        title=title,
        caption=f"{facts.title}: {taken}, paired by seed and image, with the interval of 95 % over seeds.",
        source="trained",
        stub=stub,
        heads=tuple(heads),
        rows=tuple(rows),
        notes=tuple(_notes(records)),
    )


def _cell(record: Mapping[str, Any] | None, evidence: Mapping[EvidenceKey, Evidence], command: Command) -> Cell:
    if record is None:
        return EMPTY
    facts = [
        (title, "yes" if record[name] is True else "no" if record[name] is False else form.format(record[name]))
        for name, title, form in _FACTS
        if record[name] is not None
    ]
    if record["prediction_low"] is not None:
        facts.append(
            ("Difference of single runs", f"{record['prediction_low']:.3f} to {record['prediction_high']:.3f}")
        )
    if record["lacking"]:
        facts.append(("Lacking for a verdict on the paper", record["lacking"]))
    for name, title in (("seeds", "Seeds that are paired"), ("images", "Images that are paired")):
        facts.append((title, str(record[name] or 0)))
    if record["infinite"]:
        facts.append(("Images left out, since their PSNR is infinite", str(record["infinite"])))
    if record["seconds"] is not None and record["seconds_base"] is not None:
        both = f"{record['seconds']:.3g} s, base {record['seconds_base']:.3g} s"
        facts.append(("Median time of an image", both))
    place = (record["dataset"], record["case"], record["metric"], record["signature"])
    return Cell(
        measured=record["difference"],
        low=record["low"],
        high=record["high"],
        published=record["published_difference"],
        trust=record["published_trust"],
        verdict=record["verdict"],
        reason=record["reason"],
        facts=tuple(facts),
        evidence=_difference(evidence.get((record["base"], *place)), evidence.get((record["entry"], *place))),
        command=command(record),
    )


def _difference(base: Evidence | None, other: Evidence | None) -> Evidence | None:
    """What a difference rests on: both networks' trials, and image by image the differences of common seeds."""
    if base is None or other is None:
        return base or other
    seeds = [seed for seed in other.seeds if seed in base.seeds]
    images = [image for image in other.images if image in set(base.images)]
    columns = [(base.images.index(image), other.images.index(image)) for image in images]
    lines = [(base.values[base.seeds.index(seed)], other.values[other.seeds.index(seed)]) for seed in seeds]
    return Evidence(
        trials=tuple(sorted({*base.trials, *other.trials})),
        seeds=tuple(seeds),
        metric=other.metric,
        signature=other.signature,
        dataset=other.dataset,
        images=tuple(images),
        values=tuple(tuple(_minus(right[j], left[i]) for i, j in columns) for left, right in lines),
        devices=tuple(sorted({*base.devices, *other.devices})),
        base=base.trials,
    )


def _minus(left: float | None, right: float | None) -> float | None:
    """The difference where it counts: that of infinite values is in no mean."""
    if left is None or right is None:
        return None
    difference = left - right
    return difference if math.isfinite(difference) else None


def _count(record: Mapping[str, Any], name: str, title: str) -> Cell:
    if record.get(name) is None:
        return EMPTY
    base = record[f"{name}_base"]
    facts = () if base is None else ((f"{title} of the base entry", _grouped(base)),)
    return Cell(measured=record[name], facts=facts)


def _notes(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What must be known of the counts: only what occurs."""
    if any(record["multiply_adds"] is not None for record in records):
        counts = {record["base"]: record["multiply_adds_base"] for record in records}
        bases = "; ".join(f"{base} has {_grouped(count)}" for base, count in counts.items() if count is not None)
        yield f"Multiply-adds are counted, not timed, per pixel of the output{f': {bases}' if bases else ''}."
    if any(record["equal_parameters"] is False for record in records):
        yield f"{UNEQUAL_MEANS[0].upper()}{UNEQUAL_MEANS[1:]}."
    if any(record["same_class"] for record in records):
        yield f"{NOISE_FLOOR[0].upper()}{NOISE_FLOOR[1:]}."


def _grouped(count: float) -> str:
    return f"{count:,.0f}".replace(",", " ")
