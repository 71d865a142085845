"""The page of two stores side by side: what changed from one to the other, and how sure that is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

import pandas as pd

from converse.analysis.changes import Change, What, changes
from converse.analysis.studies import Study
from converse.counted import agreeing, counted
from converse.data.tasks import TASKS
from converse.metrics import METRICS
from converse.plain_text import slug, unique
from converse.reporting.chapters.missing import failures
from converse.reporting.chapters.origins import environments, trial_facts
from converse.reporting.inputs.material import Material
from converse.reporting.report import Part, Report, plain_facts
from converse.reporting.tables.sheet import Cell, Head, Row, Sheet, metric_head
from converse.reporting.words import case_title, place_title

RELEASED: Final = "Released weights"

_SAID: Final[dict[What, tuple[str, str]]] = {
    "same": ("is the same to the last bit", "are the same to the last bit"),
    "higher": ("is higher", "are higher"),
    "lower": ("is lower", "are lower"),
    "not told apart": ("differs by no more than chance explains", "differ by no more than chance explains"),
    "other images": ("is of other images", "are of other images"),
    "only before": ("is in the first store alone", "are in the first store alone"),
    "only after": ("is in the second store alone", "are in the second store alone"),
    "not paired": ("cannot be paired", "cannot be paired"),
}
_NAMED: Final = 6
_HOW: Final = (
    "Each mean of both stores, paired by seed and image; in brackets the 95 % interval of the change over seeds "
    "(Student's t). A change is told from chance where p, adjusted by Holm over all means of this page, is at most "
    "0.05: over seeds where there are several, otherwise by sign flips over images, which holds for these trained "
    "networks alone."
)


def changed_report(before: Material, after: Material, names: tuple[str, str], command: str) -> Report:
    """All that the page says.

    Args:
        before: the first store.
        after: the second one.
        names: what the two are called.
        command: that makes the page.
    """
    whole = replace(before, trials={**before.trials, **after.trials})
    found = changes(
        _rows(before),
        _rows(after),
        {key: one.trial for key, one in before.trials.items()},
        {key: one.trial for key, one in after.trials.items()},
    )
    return Report(
        title="What changed",
        subtitle=f"From {names[0]} to {names[1]}",
        verdicts=Counter(),
        differences=Counter(),
        lead=tuple(sentences(found)),
        findings=tuple(_several(before, after)),
        parts=tuple(_parts(found)),
        audit=(),
        environments=environments(whole),
        trials={key: trial_facts(one) for key, one in whole.trials.items()},
        seeds=(),
        failures=(*failures(before), *failures(after)),
        missing=(),
        commands=(command,),
        damaged=(*before.damaged, *after.damaged),
    )


def sentences(found: Sequence[Change]) -> Iterator[str]:
    """How many means changed, in which direction, and the largest changes.

    Args:
        found: from :func:`converse.analysis.changes.changes`.
    """
    if not found:
        yield "Neither store has a mean of images: there is nothing to compare."
        return
    counts = Counter(one.what for one in found)
    said = [f"{many} {agreeing(many, *_SAID[what])}" for what in _SAID if (many := counts[what])]
    yield f"Of {counted(len(found), 'mean')}, {', '.join(said)}."
    told = [one for one in found if one.what in ("higher", "lower")]
    for metric in METRICS:
        largest = sorted((one for one in told if one.metric == metric), key=lambda one: -abs(one.difference or 0.0))
        if largest:
            named = "; ".join(map(_named, largest[:_NAMED]))
            more = f"; and {len(largest) - _NAMED} more" if len(largest) > _NAMED else ""
            yield f"{METRICS[metric].title} that changed, the largest change first: {named}{more}."
    if reasons := list(dict.fromkeys(one.reason for one in told if one.reason)):
        yield f"What else differs between their trials: {'; '.join(reasons[:2])}{'; …' if len(reasons) > 2 else ''}."


def _named(one: Change) -> str:
    facts = METRICS[one.metric]
    unit = f" {facts.unit}" if facts.unit else ""
    sign = "" if one.difference is None else f"{one.difference:+.{facts.fine_digits}f}".replace("-", "−")
    return f"{one.entry} on {place_title(one.dataset, one.case)} ({one.study}) by {sign}{unit}"


def _rows(material: Material) -> pd.DataFrame:
    """All rows that count, with the study that they belong to; of several chapters of one study the first."""
    beside = (material.counted.released_rows, material.counted.inputs)
    frames = [rows.assign(study=RELEASED) for rows in beside if len(rows)]
    frames += [first.rows.assign(study=name) for name, (first, *_) in _chapters(material).items()]
    return pd.concat(frames, ignore_index=True) if frames else material.rows.iloc[:0].assign(study="")


def _several(*stores: Material) -> Iterator[str]:
    """What of the stores is not compared, since another chapter of the same name stands before it."""
    repeated = (name for store in stores for name, chapters in _chapters(store).items() if len(chapters) > 1)
    for name in dict.fromkeys(repeated):
        yield f"Of several chapters {name} of one store the first alone is compared."


def _chapters(material: Material) -> dict[str, list[Study]]:
    """The studies that have rows, those of one name together; not those that tune."""
    found: dict[str, list[Study]] = {}
    for study in material.studies:
        if not study.tunes and len(study.rows):
            found.setdefault(study.name, []).append(study)
    return found


def _parts(found: Sequence[Change]) -> Iterator[Part]:
    by_study = [(study, list(members)) for study, members in groupby(found, lambda one: one.study)]
    keys = unique(slug("changed", study) for study, _ in by_study)
    for key, (study, members) in zip(keys, by_study, strict=True):
        tasks = ", ".join(dict.fromkeys(TASKS[one.task].title for one in members if one.task in TASKS))
        yield Part(
            key=key,
            title=study,
            text=_HOW if key == keys[0] else "",
            sheets=tuple(
                _sheet(slug(key, metric), metric, [one for one in members if one.metric == metric])
                for metric in METRICS
                if any(one.metric == metric for one in members)
            ),
            facts=plain_facts({"Task": tasks}),
        )


def _sheet(key: str, metric: str, found: Sequence[Change]) -> Sheet:
    heads = (
        metric_head(metric, key="before", title="Before"),
        metric_head(metric, key="after", title="After"),
        metric_head(metric, key="change", title="Change", signed=True),
        Head("what", "What is said", words=True),
        Head("seeds", "Seeds", digits=0),
        Head("images", "Images", digits=0),
    )
    rows = tuple(
        Row(
            one.entry,
            (
                Cell(measured=one.before),
                Cell(measured=one.after),
                Cell(measured=one.difference, low=one.low, high=one.high, reason=one.reason or None, facts=_p(one)),
                Cell(text=one.what),
                Cell(measured=one.seeds or None),
                Cell(measured=one.images or None),
            ),
            ", ".join(filter(None, (one.dataset, case_title(one.case)))),
        )
        for one in sorted(found, key=lambda one: (one.dataset, one.case or ""))
    )
    facts = METRICS[metric]
    better = "less is better" if facts.better == "lower" else "more is better"
    caption = f"{facts.title}{f' in {facts.unit}' if facts.unit else ''}, mean over images, then over seeds; {better}."
    return Sheet(key, "effects", facts.title, caption, "", "Network", heads, rows)


def _p(one: Change) -> tuple[tuple[str, str], ...]:
    return () if one.p is None else (("p, adjusted by Holm", f"{one.p:.3g}"),)
