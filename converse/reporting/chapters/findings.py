"""The most important things that results and effects say, in sentences that claim no more than the numbers do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from converse.analysis.effects import effect_records
from converse.analysis.image_checks import ImageCheck
from converse.analysis.tables import PUBLISHED_METRIC
from converse.reporting.tables.sheet import DIFFERENCE_VERDICTS
from converse.reporting.words import place_title

Record = Mapping[str, Any]

MOST: Final = 8
"""Sentences about differences; the chapters have all of them."""

_WORDS: Final = {"match": "match", "close": "close", "differs": "differ", "not measured": "not measured"}
_NAMED: Final = 6
"""Means that differ are named up to so many."""


def released_finding(results: Iterable[Record]) -> str:
    """How many published means the released weights give.

    Args:
        results: result rows (:func:`converse.analysis.tables.records`) of released weights, those that are not measured
            among them.

    Returns:
        One sentence, and a second that names the means that differ.
    """
    judged = [one for one in results if one["metric"] == PUBLISHED_METRIC and one["published"] is not None]
    counts = Counter(one["verdict"] for one in judged)
    measured = len(judged) - counts["not measured"]
    if not measured:
        return f"Released weights: none of the {len(judged)} published means was measured whole."
    verdicts = ", ".join(f"{counts[word]} {phrase}" for word, phrase in _WORDS.items() if counts[word])
    text = f"Released weights: of {len(judged)} published means, {verdicts}."
    differing = [one for one in judged if one["verdict"] == "differs"]
    if differing:
        named = "; ".join(
            f"{one['entry']} on {_place(one)}, {one['measured']:.2f} for {one['published']:.2f} dB"
            for one in differing[:_NAMED]
        )
        more = f"; and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        text += f" Those that differ: {named}{more}."
    return text


def image_finding(checks: Iterable[ImageCheck]) -> tuple[str, ...]:
    """How many values of single images, of the authors' logs, the released weights give.

    Args:
        checks: records of :func:`converse.analysis.image_checks.image_checks`.

    Returns:
        One sentence; none where no such image was measured.
    """
    counts = Counter(one["verdict"] for one in checks)
    if counts.keys() <= {"not measured"}:
        return ()
    verdicts = ", ".join(f"{counts[word]} {phrase}" for word, phrase in _WORDS.items() if counts[word])
    return (f"Released weights on single images: of {counts.total()} values in the authors' logs, {verdicts}.",)


def difference_findings(studied: Iterable[tuple[str, pd.DataFrame]]) -> tuple[str, ...]:
    """What trainings say about the published differences, the largest measured differences first.

    A difference has one sentence, about the first test set (and case) where it has an interval and a published value,
    whatever its verdict there; its verdicts elsewhere are counted.

    Args:
        studied: title of each study, and its effects, with :data:`converse.analysis.effects.EFFECT_COLUMNS`.

    Returns:
        At most :data:`MOST` such sentences, one that says how many more there are, the noise floor of each study that
        has one, one sentence for each study of which nothing can be concluded, and what a short training means for all
        of them.
    """
    differences: list[tuple[float, str]] = []
    inconclusive: list[str] = []
    chance: list[str] = []
    short = False
    for title, effects in studied:
        records = [one for one in effect_records(effects) if one["metric"] in (PUBLISHED_METRIC, None)]
        chance += [_chance(title, one) for one in records if one["same_class"] and one["low"] is not None][:1]
        held = [one for one in records if one["published_difference"] is not None]
        if not held and not (records and all(one["verdict"] == "not run" for one in records)):
            continue  # the paper has nothing to hold these against
        with_interval = [one for one in held if one["low"] is not None]
        if not with_interval:
            inconclusive.append(_nothing(title, held))
        for pair in dict.fromkeys((one["entry"], one["base"]) for one in with_interval):
            of_pair = [one for one in with_interval if (one["entry"], one["base"]) == pair]
            differences.append((-abs(of_pair[0]["difference"] or 0.0), _difference(title, of_pair)))
            short |= of_pair[0]["budget"] != "paper"
    if not differences and not inconclusive:
        return (
            "No two networks that the paper compares were trained here: nothing can be said about its differences.",
            *chance,
        )
    differences.sort(key=lambda one: one[0])
    sentences = [sentence for _, sentence in differences[:MOST]]
    if len(differences) > MOST:
        sentences.append(f"{len(differences) - MOST} smaller differences are in the chapters below.")
    if short:
        inconclusive.append(
            "Budgets other than paper train for less than the paper does: these differences hold at that budget and "
            "for these test images, and do not say what the whole training would give."
        )
    return (*sentences, *chance, *inconclusive)


def _difference(title: str, records: Sequence[Record]) -> str:
    """The first of the records in words; of the others, which are of other places, how often which verdict."""
    record = records[0]
    budget = f", budget {record['budget']}" if record["budget"] else ""
    quoted = ", as a third party quotes it" if record["published_trust"] == "secondary" else ""
    # The first reason is the verdict's own, which only a reproduced difference need not have; others are notes.
    reason = "" if record["verdict"] == "reproduced" else str(record["reason"] or "").partition("; ")[0]
    interval = f"95 % interval {_signed(record['low'])} to {_signed(record['high'])} dB, {record['seeds']} seeds"
    measured = (
        f"{record['label']} − {record['base']} is {_signed(record['difference'])} dB on {_place(record)} ({interval})"
    )
    gap = f"the paper has {_signed(record['published_difference'])} dB{quoted}"
    verdict = str(record["verdict"]).capitalize() + (f": {reason}" if reason else "")
    text = f"{title}{budget}: {measured}; {gap}. {verdict}."
    elsewhere = Counter(other["verdict"] for other in records[1:])
    if elsewhere:
        counted = ", ".join(f"{elsewhere[word]} {word}" for word in DIFFERENCE_VERDICTS if elsewhere[word])
        text += f" Elsewhere: {counted}."
    return text


def _chance(title: str, record: Record) -> str:
    return (
        f"{title}: {record['entry']} and {record['base']} are the same class of functions. By chance alone they "
        f"differ by {_signed(record['difference'])} dB on {_place(record)} (95 % interval {_signed(record['low'])} to "
        f"{_signed(record['high'])} dB), and by ±{record['seed_deviation']:.2f} dB between seeds."
    )


def _nothing(title: str, held: Sequence[Record]) -> str:
    if any(one["seeds"] for one in held):
        return f"{title}: nothing can be concluded yet, since one seed has no interval."
    if any(one["infinite"] for one in held):
        return f"{title}: nothing can be concluded, since of two networks one restores every image without any error."
    return f"{title}: nothing can be concluded yet, since no two of its networks are trained and measured."


def _place(record: Record) -> str:
    return place_title(record["dataset"], record["case"])


def _signed(value: float) -> str:
    text = f"{value:+.2f}"
    return text.lstrip("+-") if not text.strip("+-0.") else text.replace("-", "−")
