"""The most important things that results and effects say, in sentences that claim no more than the numbers do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from converse.analysis.effects import EffectRow, effect_records
from converse.analysis.image_checks import ImageCheck
from converse.analysis.qualification import CONDITIONS, SEEDS, Condition, Qualification
from converse.analysis.tables import PUBLISHED_METRIC
from converse.counted import agreeing, counted
from converse.experiments.suites.suite import load_suite, suites
from converse.reporting.tables.sheet import ALL_VERDICTS
from converse.reporting.words import place_title

Record = Mapping[str, Any]

MOST: Final = 8
"""Sentences about differences; the chapters have all of them."""

_WORDS: Final = {
    "match": ("matches", "match"),
    "close": ("close", "close"),
    "differs": ("differs", "differ"),
    "not measured": ("not measured", "not measured"),
}
_NEEDS: Final[Mapping[Condition, str]] = {
    "size": "networks of the paper's size",
    "baseline": "a baseline that comes near its published value",
    "convergence": "trainings that are shown to have converged",
    "seeds": counted(SEEDS, "seed"),
    "images": "values for all images of the test set",
}
_SIZES: Final = {False: "the networks are of another size", True: "their size is not known"}
_MISSED: Final = re.compile(r"(?P<name>.+) has (?P<value>\d+\.\d+) dB(?P<rest>, not within .+)")
_TEXTS: Final = 3
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
    verdicts = ", ".join(
        f"{counts[word]} {agreeing(counts[word], *forms)}" for word, forms in _WORDS.items() if counts[word]
    )
    text = f"Released weights: of {counted(len(judged), 'published mean')}, {verdicts}."
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
    verdicts = ", ".join(
        f"{counts[word]} {agreeing(counts[word], *forms)}" for word, forms in _WORDS.items() if counts[word]
    )
    return (
        f"Released weights on single images: of {counted(counts.total(), 'value')} in the authors' logs, {verdicts}.",
    )


def judging_findings(studied: Iterable[pd.DataFrame]) -> tuple[str, ...]:
    """How many published differences the trainings may judge, and what it would take to judge the others.

    Args:
        studied: effects of each study, with :data:`converse.analysis.effects.EFFECT_COLUMNS`.

    Returns:
        A sentence about all differences that were measured, one for each condition that some of them lack, and one with
        the commands that train networks of the paper's size; nothing where no published difference was measured.
    """
    held = _held(studied)
    if not held:
        return ()
    judged = sum(bool(one["judged"]) for one in held)
    if judged == len(held):
        return (f"All of the published differences that were measured here, {judged}, can be judged.",)
    lacks = [Qualification.read(one["lacking"] or "").lacks for one in held]
    said = [_needed(condition, [one[condition] for one in lacks if condition in one]) for condition in CONDITIONS]
    commands = _in_full_size(held)
    were = agreeing(len(held), "was", "were")
    return (
        f"Of {counted(len(held), 'published difference')} that {were} measured here, {judged or 'none'} can be judged "
        "yet.",
        *filter(None, said),
        *([f"Networks of the paper's size are trained by {', '.join(commands)}."] if commands else []),
    )


def full_size(studied: Iterable[pd.DataFrame]) -> list[str]:
    """The commands that train, in the paper's size, what is too small to judge it.

    Args:
        studied: effects of each study, with :data:`converse.analysis.effects.EFFECT_COLUMNS`.
    """
    return _in_full_size(_held(studied))


def _held(studied: Iterable[pd.DataFrame]) -> list[EffectRow]:
    """The published differences that were measured."""
    return [one for effects in studied for one in effect_records(effects) if one["judged"] is not None]


def _needed(condition: Condition, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    needs = f"{len(texts)} {agreeing(len(texts), 'needs', 'need')} {_NEEDS[condition]}"
    if condition == "seeds":
        return f"{needs}."
    # Of sizes the names are left out: each cell has them, and they are most of the networks.
    said = list(texts) if condition != "size" else [_SIZES[text.endswith("not known")] for text in texts]
    counts = Counter(said if condition != "baseline" else _baselines(said))
    named = [f"in {many}, {text}" if len(counts) > 1 else text for text, many in counts.items()]
    return f"{needs} ({'; '.join(named[:_TEXTS])}{'; …' if len(named) > _TEXTS else ''})."


def _baselines(texts: Sequence[str]) -> list[str]:
    """The same of each; where one baseline misses one value by several amounts, it is said once."""
    found = [_MISSED.fullmatch(text) for text in texts]
    values: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if one:
            values.setdefault((one["name"], one["rest"]), []).append(one["value"])
    said = []
    for one, text in zip(found, texts, strict=True):
        if one is None:
            said.append(text)
            continue
        ends = sorted(dict.fromkeys(values[one["name"], one["rest"]]), key=float)
        span = ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"
        said.append(f"{one['name']} has {span} dB{one['rest']}")
    return said


def _in_full_size(held: Iterable[EffectRow]) -> list[str]:
    """The commands that train those suites among these that come with converse at their largest budget."""
    small = {one["suite"] for one in held if "size" in Qualification.read(one["lacking"] or "").lacks}
    own = [name for name in suites() if name in small]
    with_budget = [name for name in own if "paper" in load_suite(name, networks=False).budgets]
    return [f"converse run {name} --budget paper" for name in with_budget]


def difference_findings(studied: Iterable[tuple[str, pd.DataFrame]]) -> tuple[str, ...]:
    """What trainings say about the published differences, the largest measured differences first.

    A difference has one sentence, about the first test set (and case) where it has an interval and a published value,
    whatever its verdict there; its verdicts elsewhere are counted.

    Args:
        studied: title of each study, and its effects, with :data:`converse.analysis.effects.EFFECT_COLUMNS`.

    Returns:
        At most :data:`MOST` such sentences, one that says how many more there are, the noise floor of each study that
        has one, one sentence for each study of which nothing can be concluded, and what "here" means where trainings
        may not judge the paper.
    """
    differences: list[tuple[float, str]] = []
    inconclusive: list[str] = []
    chance: list[str] = []
    here = False
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
            here |= not of_pair[0]["judged"]
    differences.sort(key=lambda one: one[0])
    sentences = [sentence for _, sentence in differences[:MOST]]
    if more := differences[MOST:]:
        are = agreeing(len(more), "is", "are")
        sentences.append(f"{counted(len(more), 'smaller difference')} {are} in the chapters below.")
    if here:
        inconclusive.append(
            '"Here" means at that budget and for these test images: such an answer does not say what the paper\'s '
            "training would give, and neither confirms nor refutes the paper."
        )
    return (*sentences, *chance, *inconclusive)


def _difference(title: str, records: Sequence[Record]) -> str:
    """The first of the records in words; of the others, which are of other places, how often which verdict."""
    record = records[0]
    budget = f", budget {record['budget']}" if record["budget"] else ""
    quoted = ", as a third party quotes it" if record["published_trust"] == "secondary" else ""
    # The first reason is the verdict's own, which only a reproduced difference need not have; others are notes.
    reason = "" if record["verdict"] == "reproduced" else str(record["reason"] or "").partition("; ")[0]
    interval = (
        f"95 % interval {_signed(record['low'])} to {_signed(record['high'])} dB, {counted(record['seeds'], 'seed')}"
    )
    measured = (
        f"{record['label']} − {record['base']} is {_signed(record['difference'])} dB on {_place(record)} ({interval})"
    )
    gap = f"the paper has {_signed(record['published_difference'])} dB{quoted}"
    verdict = str(record["verdict"]).capitalize() + (f": {reason}" if reason else "")
    text = f"{title}{budget}: {measured}; {gap}. {verdict}."
    elsewhere = Counter(other["verdict"] for other in records[1:])
    if elsewhere:
        verdicts = ", ".join(f"{elsewhere[word]} {word}" for word in ALL_VERDICTS if elsewhere[word])
        text += f" Elsewhere: {verdicts}."
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
