"""The page of a comparison: an operator against reverse convolution, in sentences, tables and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from converse.analysis.answers import Answer, AnswerRow, answer_records
from converse.analysis.power import MOST_SEEDS
from converse.analysis.published import published
from converse.analysis.side_by_side import NetworkRow, network_records
from converse.counted import agreeing, counted
from converse.data.tasks import TASKS
from converse.experiments.suites.compared import REVERSE
from converse.plain_text import slug
from converse.reporting.chapters.missing import failures
from converse.reporting.chapters.origins import environments, marked, trial_facts
from converse.reporting.chapters.speed import speed_part
from converse.reporting.chapters.study import study_part
from converse.reporting.figure import Figure
from converse.reporting.figures.cost import cost_figure
from converse.reporting.figures.forest import forest_figure
from converse.reporting.inputs.commands import about_repeating
from converse.reporting.inputs.material import Material
from converse.reporting.numbers import number
from converse.reporting.report import Answered, Part, Report, plain_facts
from converse.reporting.tables.compared import answer_sheet, network_sheet

VERDICT: Final[Mapping[Answer, str]] = {
    "better": "better here",
    "equal": "equal here",
    "worse": "worse here",
    "undecided": "undecided here",
    "none": "not run",
}
"""Answer → the word that tables show."""

_AGAINST: Final[Mapping[Answer, str]] = {
    "better": "better than",
    "equal": "equal to",
    "worse": "worse than",
    "undecided": "undecided against",
    "none": "without an answer against",
}


_INTERVAL: Final = "an interval of 95 % that holds for all of the comparison together"


@dataclass(frozen=True)
class Asked:
    """What a comparison was asked for.

    Attributes:
        own: what the operator is called.
        bound: of practical equivalence, in dB.
        tried: how many settings of each network; 0 where nothing was tuned.
        match: which cost the widths are matched for; empty where they are not.
        apart: whether the rivals have seeds of their own.
        command: that asks for the same.
        notes: what the operator does that is seldom meant.
    """

    own: str
    bound: float
    tried: int
    match: str
    apart: bool
    command: str
    notes: tuple[str, ...] = ()


def comparison_report(material: Material, answers: pd.DataFrame, networks: pd.DataFrame, asked: Asked) -> Report:
    """All that the page says, without the figures of its studies.

    Args:
        material: of the comparison alone.
        answers: with :data:`converse.analysis.answers.ANSWER_COLUMNS`.
        networks: with :data:`converse.analysis.side_by_side.NETWORK_COLUMNS`.
        asked: what was asked for.
    """
    told, beside = answer_records(answers), network_records(networks)
    trials = {key: trial_facts(one) for key, one in material.trials.items()}
    tasks = list(dict.fromkeys(row["task"] for row in told))
    chapters = [_answer_part(task, told, beside, asked) for task in tasks]
    studies = sorted(material.studies, key=lambda one: bool(one.tunes))  # what was compared, then what was tried
    chapters += [study_part(one, material, published()) for one in studies]
    chapters += speed_part(material)
    headlines = [row for row in told if row["rival"] == REVERSE]
    return Report(
        title=f"{asked.own} against reverse convolution",
        subtitle=_subtitle(told, material),
        verdicts=Counter(),
        differences=Counter(),
        lead=tuple(sentences(told, beside, asked)),
        findings=(),
        parts=tuple(marked(part, trials) for part in chapters),
        audit=(),
        environments=environments(material),
        trials=trials,
        seeds=tuple((one.name, ", ".join(map(str, one.seeds))) for one in material.studies),
        failures=tuple(failures(material)),
        missing=(),
        commands=(asked.command,),
        repeating=about_repeating(material),
        answers=tuple(
            Answered(TASKS[row["task"]].title, row["answer"], VERDICT[row["answer"]], _difference(row))
            for row in headlines
        ),
    )


def sentences(answers: Sequence[AnswerRow], networks: Sequence[NetworkRow], asked: Asked) -> Iterator[str]:
    """The answer to each task in one sentence, then what must be known with it.

    Args:
        answers: records of :func:`converse.analysis.answers.answers`.
        networks: records of :func:`converse.analysis.side_by_side.side_by_side`.
        asked: what was asked for.
    """
    for task in dict.fromkeys(row["task"] for row in answers):
        rows = [row for row in answers if row["task"] == task]
        beside = [row for row in networks if row["task"] == task]
        yield answer_sentence(rows, asked.bound)
        yield from _costs(beside, asked)
        yield from _trainings(beside)
    yield from _conditions(answers, asked)
    yield from (f"{note[0].upper()}{note[1:]}." for note in asked.notes)


def answer_sentence(rows: Sequence[AnswerRow], bound: float) -> str:
    """The answer to one task: against reverse convolution first, then against the others.

    Args:
        rows: of the task.
        bound: of practical equivalence, in dB.
    """
    first = next((row for row in rows if row["rival"] == REVERSE), rows[0])
    title = TASKS[first["task"]].title
    if all(row["answer"] == "none" for row in rows):
        return f"{title}: there is no answer for {first['own']}: {first['reason'] or 'nothing was measured'}."
    said = [f"{_AGAINST[row['answer']]} {row['rival']} ({_why(row, bound)})" for row in (first, *_others(rows, first))]
    where = f"{first['sets']}, budget {first['budget']}"
    many = f"{counted(first['seeds'], 'seed')} on {counted(first['images'], 'image')}"
    return f"{title} ({where}; {many}): {first['own']} is {', '.join(said[:-1])}, and {said[-1]}."


def _others(rows: Sequence[AnswerRow], first: AnswerRow) -> list[AnswerRow]:
    return [row for row in rows if row is not first]


def _why(row: AnswerRow, bound: float) -> str:
    """What the word rests on, and for what is undecided, what it would take."""
    if row["difference"] is None:
        return row["reason"] or "nothing was measured"
    if row["family"] is None and row["answer"] == "equal":
        return f"a difference of exactly 0: {row['reason']}"
    text = _difference(row)
    if row["answer"] == "equal":
        return f"within ±{bound:g} dB: {text}"
    if row["answer"] != "undecided":
        return text
    if row["low"] is None:
        return f"{text}; {row['reason']}"
    return f"{text}; {seeds_in_words(row)} would decide it"


def seeds_in_words(row: AnswerRow) -> str:
    """How many seeds an undecided answer would take: ``about 24 seeds (11 to 400)``."""
    most = f"more than {counted(MOST_SEEDS, 'seed')}"
    if row["seeds_needed"] is None:
        return most
    low = row["seeds_needed_low"] or row["seeds_needed"]
    high = f"more than {MOST_SEEDS:,}" if row["seeds_needed_high"] is None else f"{row['seeds_needed_high']:,}"
    return f"about {counted(row['seeds_needed'], 'seed')} ({low:,} to {high})"


def _difference(row: AnswerRow) -> str:
    if row["difference"] is None:
        return row["reason"] or "nothing was measured"
    text = f"{number(row['difference'], 3, sign=True)} dB"
    if row["low"] is None or row["high"] is None or row["family"] is None:
        return text
    return f"{text}, {number(row['low'], 3, sign=True)} to {number(row['high'], 3, sign=True)}"


_COSTS: Final = (
    ("parameters", "{:,.0f} parameters"),
    ("multiply_adds", "{:,.0f} multiply-adds per pixel"),
    ("milliseconds", "{:.3g} ms for an image of 128×128 pixels"),
    ("mebibytes", "{:.3g} MiB for it"),
    ("step_milliseconds", "{:.3g} ms for a step of training"),
)
_SPEED: Final[Mapping[str, str]] = {
    "faster": "It is the faster of the two.",
    "slower": "It is the slower of the two.",
    "equal": "The two are as fast.",
    "inconclusive": "Which of the two is faster, these times do not tell.",
}


def _costs(beside: Sequence[NetworkRow], asked: Asked) -> Iterator[str]:
    """What the own network costs beside that with reverse convolution."""
    own: Mapping[str, Any] | None = next((row for row in beside if row["own"]), None)
    base: Mapping[str, Any] | None = next((row for row in beside if row["name"] == REVERSE), None)
    if own is None or base is None or own["psnr"] is None or base["psnr"] is None:
        return
    said = [
        f"{form.format(own[name])} ({form.split()[0].format(base[name])})"
        for name, form in _COSTS
        if own[name] is not None and base[name] is not None
    ]
    speed = f" {_SPEED[own['speed']]}" if own["speed"] else ""
    yield f"{own['name']} takes, and in parentheses reverse convolution: {'; '.join(said)}.{speed}"
    widths = [row for row in beside if row["width"] is not None and row["width"] != base["width"]]
    if asked.match and widths:
        listed = ", ".join(f"{row['name']} {row['width']}" for row in widths)
        yield (
            f"Widths were changed to make {asked.match} as equal as whole numbers allow: {listed}; others "
            f"{base['width']}."
        )
    if own["parameters"] != base["parameters"]:
        more = "" if asked.match == "parameters" else ": --match parameters adjusts the width"
        yield f"The parameters are not equal, so that the difference is not the operator's alone{more}."


def _trainings(beside: Sequence[NetworkRow]) -> Iterator[str]:
    """Whether all trainings converged."""
    counts: Counter[str] = Counter()
    for row in beside:
        for part in filter(None, row["trainings"].split(", ")):
            many, _, state = part.partition(" ")
            counts[state] += int(many)
    whole, converged = counts.total(), counts["converged"]
    if not whole:
        return
    if converged == whole:
        yield f"All {whole} trainings have converged."
        return
    if counts["not known"] == whole:
        yield f"Whether the {counted(whole, 'training')} converged is not known: their curves have too few points."
        return
    listed = "; ".join(f"{row['name']}: {row['trainings']}" for row in beside if row["trainings"])
    yield (
        f"{counted(converged, 'training', of=whole)} {agreeing(converged, 'has', 'have')} converged ({listed}): what "
        "more steps would change is not known."
    )


def _conditions(answers: Sequence[AnswerRow], asked: Asked) -> Iterator[str]:
    """Under which conditions all of it holds."""
    if asked.tried:
        yield f"Each network has the best of {counted(asked.tried, 'setting')} that were tried on validation images."
    else:
        yield "All networks have the suite's settings, which may suit one of them better: nothing was tuned."
    if asked.apart:
        yield "The operators that it is compared with were trained under other seeds than it: no pair shares its luck."
    family = max((row["family"] or 0 for row in answers), default=0)
    if family > 1:
        yield f"The {family} intervals hold together with 95 %, over seeds and for these test images."
    budgets = {row["budget"] for row in answers}
    if budgets - {"paper"}:
        yield f"What holds at the budget {' or '.join(sorted(budgets))} need not hold for larger networks."


def _answer_part(task: str, told: Sequence[AnswerRow], beside: Sequence[NetworkRow], asked: Asked) -> Part:
    rows = [row for row in told if row["task"] == task]
    networks = [row for row in beside if row["task"] == task]
    key = slug("answer", task)
    drawn = (_forest(rows, key, asked), _cost(networks, key))
    return Part(
        key=key,
        title=f"{asked.own}: {TASKS[task].title.lower()}",
        text=answer_sentence(rows, asked.bound) if len(rows) < len(told) else "",  # alone it stands above already
        sheets=(
            answer_sheet(rows, key=slug(key, "differences"), bound=asked.bound, words=VERDICT),
            network_sheet(networks, key=slug(key, "networks")),
        ),
        figures=tuple(one for one in drawn if isinstance(one, Figure)),
        facts=plain_facts({"Budget": rows[0]["budget"], "Test images": rows[0]["sets"]}),
    )


def _forest(rows: Sequence[AnswerRow], key: str, asked: Asked) -> Any:
    frame = pd.DataFrame(
        [
            {
                "metric": "psnr",
                "dataset": row["sets"],
                "case": None,
                "entry": row["own"],
                "base": row["rival"],
                "label": f"{row['own']} − {row['rival']}",
                "difference": row["difference"],
                "low": row["low"],
                "high": row["high"],
                "published_difference": None,
                "verdict": VERDICT[row["answer"]],
            }
            for row in rows
        ],
        dtype=object,
    )
    return forest_figure(frame, name=slug(key, "differences"), bound=asked.bound, interval=_INTERVAL, published=False)


def _cost(networks: Sequence[NetworkRow], key: str) -> Any:
    points = [
        {
            "entry": row["name"],
            "psnr": row["psnr"],
            "deviation": row["deviation"],
            "parameters": row["parameters"],
            "throughput": None,
            "multiply_adds": row["multiply_adds"],
            "milliseconds": row["milliseconds"],
            "mebibytes": row["mebibytes"],
        }
        for row in networks
    ]
    frame = pd.DataFrame(points)
    frame = frame.astype({column: float for column in frame.columns if column != "entry"})
    sets = next((row["sets"] for row in networks if row["sets"]), "")
    return cost_figure(frame, dataset=sets, name=slug(key, "cost"), base=REVERSE)


def _subtitle(told: Sequence[AnswerRow], material: Material) -> str:
    done = sum(one.status.state == "done" for one in material.trials.values())
    budgets = " and ".join(dict.fromkeys(row["budget"] for row in told))
    trials = counted(done, "trial", of=len(material.trials))
    return f"Budget {budgets}; {trials} done, {counted(len(material.rows), 'measurement')}"
