"""What a comparison answers: whether an operator is better than another, equal to it, worse, or not told yet.

An answer is about the mean over all test images, each with each blur kernel where there are several, so that there is
one for each task and rival. The answers of one comparison are a family: all that they rest on is adjusted over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypedDict, cast

import pandas as pd

from converse.analysis import power, statistics
from converse.analysis.effects import Settings, shown
from converse.analysis.pairing import Pairs, pairs
from converse.analysis.qualification import HereVerdict, here
from converse.analysis.tables import PUBLISHED_METRIC
from converse.data.catalogue import datasets

Answer = Literal["better", "equal", "worse", "undecided", "none"]
ANSWERS: Final[tuple[Answer, ...]] = ("better", "equal", "worse", "undecided", "none")
"""Words for a difference: ``none`` where one of the two has no values."""

SAME_TRIALS: Final = "both are the same trainings"
"""The reason of a difference of 0 between an entry and one that has another name only."""

SAME_NUMBERS: Final = "both give the same number for every image"
"""The reason of a difference of 0 between trainings of their own."""


ONE_SEED: Final = "one seed tells nothing of other seeds"
"""The reason why one seed decides nothing."""

_ANSWER: Final[Mapping[HereVerdict, Answer]] = {
    "better here": "better",
    "equal here": "equal",
    "worse here": "worse",
    "undecided here": "undecided",
}


class AnswerRow(TypedDict):
    """What a row of answers says; what does not apply is null.

    ``difference`` is own − rival in dB, over ``seeds`` pairs and ``images`` images (each blur kernel counted);
    ``low`` and ``high`` are the ends of its interval at which all of the ``family`` are right together with 95 %;
    ``p_holm`` is of "no difference", adjusted over the family; ``seed_deviation`` is that of the pairs' differences;
    ``seeds_needed`` is with how many the observed difference would be decided with probability 0.8, and ``_low`` and
    ``_high`` are the same at the ends of the deviation's interval of 95 %, null beyond 10,000 or where it is decided.
    """

    task: str
    budget: str
    sets: str
    own: str
    rival: str
    answer: Answer
    difference: float | None
    low: float | None
    high: float | None
    p_holm: float | None
    family: int | None
    seeds: int
    images: int
    seed_deviation: float | None
    seeds_needed: int | None
    seeds_needed_low: int | None
    seeds_needed_high: int | None
    reason: str | None


ANSWER_COLUMNS: Final = tuple(AnswerRow.__annotations__)
"""The columns of a table of answers: the keys of :class:`AnswerRow`, in their order."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Compared:
    """What was measured of an operator and its rivals in one task.

    Attributes:
        task: ``denoising`` …
        budget: name of the budget.
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, of one suite at one budget.
        own: the entry with the operator that the comparison is about.
        rivals: the entries that it is compared with.
        names: entry → what it is called.
        seeds: seed of a rival → that of the own entry with which it makes a pair; one that is not named is its own.
        reasons: entry → why it may have no rows, where that is known.
    """

    task: str
    budget: str
    rows: pd.DataFrame
    own: str
    rivals: tuple[str, ...]
    names: Mapping[str, str]
    seeds: Mapping[int, int] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What is told of one difference, while the chance of an error is held for its whole family.

    Attributes:
        answer: in a word, which is never ``none``.
        low: lower end of the simultaneous interval; ``None`` with one seed.
        high: its upper end.
        p_holm: of "no difference"; ``None`` where nothing is tested.
        family: how many differences are tested together; ``None`` where this one is not.
    """

    answer: Answer
    low: float | None
    high: float | None
    p_holm: float | None
    family: int | None


def decisions(family: Sequence[Pairs], settings: Settings | None = None) -> list[Decision]:
    """Decide on differences together: whether they are shown to be practically 0, or to have a sign.

    Args:
        family: pairs of values, in dB, none of them empty.
        settings: ``None`` for intervals of 95 % and a bound of 0.02 dB.

    Returns:
        One for each. Where all values of a pair are the same it is ``equal`` without a test, whatever the seeds.
    """
    settings = settings or Settings()
    p = [statistics.seed_interval(one.differences).p if one.differences.any() else None for one in family]
    tested = [value for value in p if value is not None]
    adjusted = iter(statistics.holm(tested))
    made = []
    for one, value in zip(family, p, strict=True):
        if not one.differences.any():
            made.append(Decision("equal", 0.0, 0.0, None, None))
            continue
        p_holm = None if value is None else float(next(adjusted))
        found = shown(one, p_holm, len(tested), settings)
        answer = _ANSWER[here(found)]
        low, high = (None, None) if found is None else (found.low, found.high)
        made.append(Decision(answer, low, high, p_holm, None if p_holm is None else len(tested)))
    return made


def answers(compared: Iterable[Compared], settings: Settings | None = None) -> pd.DataFrame:
    """One row for each task and rival.

    Args:
        compared: one for each task; together they are one family.
        settings: ``None`` for intervals of 95 % and a bound of 0.02 dB. The interval is that over seeds, for these test
            images.

    Returns:
        A frame with :data:`ANSWER_COLUMNS`.

    Raises:
        OptionError: there are two values for one entry, seed and image.
    """
    settings = settings or Settings()
    found = [row for one in compared for row in _paired(one)]
    measured = [(record, paired) for record, paired in found if paired.differences.size]
    for (record, paired), decision in zip(
        measured, decisions([paired for _, paired in measured], settings), strict=True
    ):
        record |= vars(decision)
        if not paired.differences.any():
            record |= {"difference": 0.0, "reason": record["reason"] or SAME_NUMBERS}
        elif decision.low is None:
            record |= {"reason": "; ".join(filter(None, (ONE_SEED, record["reason"])))}
        elif decision.answer == "undecided":
            record |= _needed(record, settings)
    return pd.DataFrame([record for record, _ in found], columns=list(ANSWER_COLUMNS), dtype=object)


def answer_records(frame: pd.DataFrame) -> list[AnswerRow]:
    """Rows of answers, ``None`` for what does not apply.

    Args:
        frame: from :func:`answers`.
    """
    return [
        cast(AnswerRow, {str(name): None if pd.isna(value) else value for name, value in record.items()})
        for record in frame.astype(object).to_dict("records")
    ]


def _paired(one: Compared) -> Iterator[tuple[Record, Pairs]]:
    """A row for each rival as far as it can be told by itself, and its pairs."""
    rows = _pooled(one.rows)
    own = rows[rows["entry"] == one.own]
    for rival in one.rivals:
        base = rows[rows["entry"] == rival]
        same = len(own) > 0 and set(own["trial"]) == set(base["trial"])
        record: Record = {
            **dict.fromkeys(ANSWER_COLUMNS),
            "task": one.task,
            "budget": one.budget,
            "sets": sets_in_words(rows),
            "own": one.names.get(one.own, one.own),
            "rival": one.names.get(rival, rival),
        }
        shifted = base.assign(seed=base["seed"].replace(dict(one.seeds)))
        paired = pairs(shifted, own, (record["rival"], record["own"]))
        record |= {"seeds": len(paired.seeds), "images": len(paired.images)}
        if paired.differences.size:
            record |= {
                "difference": float(paired.differences.mean()),
                "seed_deviation": statistics.spreads(paired.differences).seed_deviation,
                "reason": SAME_TRIALS if same else "; ".join(paired.notes) or None,
            }
        else:
            why = dict.fromkeys(filter(None, (one.reasons.get(name) for name in (one.own, rival))))
            record |= {"answer": "none", "reason": "; ".join([*why, *paired.notes]) or None}
        yield record, paired


def _needed(record: Record, settings: Settings) -> Record:
    """With how many seeds a difference like this would be decided, and at both ends of its deviation's interval."""
    deviation, seeds = record["seed_deviation"], record["seeds"]
    level = settings.over(record["family"]).level
    needed = [
        power.seeds_to_decide(record["difference"], each, settings.bound, settings.chance, level)
        for each in (deviation, *power.deviation_interval(deviation, seeds))
    ]
    more = [None if one is None else max(one, seeds + 1) for one in needed]  # so many were not enough
    return dict(zip(("seeds_needed", "seeds_needed_low", "seeds_needed_high"), more, strict=True))


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """PSNR of every image, those of all test sets and blur kernels told apart by their checksum alone."""
    psnr = rows[(rows["metric"] == PUBLISHED_METRIC) & rows["image"].notna()]
    place = [psnr[name].astype(object).fillna("").astype(str) for name in ("dataset", "case", "image_sha256")]
    return psnr.assign(image_sha256=place[0] + "\0" + place[1] + "\0" + place[2])


def sets_in_words(rows: pd.DataFrame) -> str:
    """The test sets of rows: ``Set12 and BSD68``; ``Set5 with 5 blur kernels``.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
    """
    named = (str(name) for name in rows["dataset"].dropna().unique())
    titles = list(dict.fromkeys(datasets()[name].title if name in datasets() else name for name in named))
    listed = _listed(titles)
    kernels = rows["case"].nunique()
    return f"{listed} with {kernels} blur kernels" if kernels > 1 else listed


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
