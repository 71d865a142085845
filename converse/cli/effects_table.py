"""Effects as tables for a terminal: a line per difference, and what is needed to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from converse.analysis.power import MOST_SEEDS
from converse.cli.printing import print_table, say
from converse.counted import counted
from converse.metrics import METRICS
from converse.reporting.tables.effects import UNEQUAL_MEANS
from converse.reporting.words import place_title

if TYPE_CHECKING:
    from converse.analysis.effects import EffectRow, ImageTestRow, Settings
    from converse.analysis.power_report import PowerRow

Record = Mapping[str, Any]

_UNEQUAL, _QUOTED = "≠", "°"
_COUNT_DIGITS: Final = 4
"""Of values that are of no metric."""


def print_effects(effects: Sequence[EffectRow], settings: Settings) -> None:
    """Print a table for each test set, case and metric, then its notes.

    Args:
        effects: one row per difference.
        settings: with which they were made.
    """
    if not effects:
        return
    heads = (
        *("", f"difference [{settings.level:.0%}]", "seeds", "± seeds", "± images", "p (Holm)", "equal"),
        *("published", "parameters", "mult-adds", "ms/image", "verdict"),
    )
    _print_tables(effects, heads, _effect)
    for note in _notes(effects, settings):
        say(note)


def print_image_tests(tests: Sequence[ImageTestRow]) -> None:
    """Print tests over images, a line for each seed.

    Args:
        tests: one row per seed.
    """
    heads = ("", "seed", "images", "difference", "Wilcoxon p", "(Holm)", "sign flips p", "(Holm)")
    _print_tables(tests, heads, _image_test)
    if tests:
        say(f"\nthe claim of these tests is {tests[0]['claim']}; they know nothing of other seeds")
    for note in _infinite(tests):
        say(note)


def print_power(report: Sequence[PowerRow]) -> None:
    """Print the power report: what the seeds that were run can find, and how many the published differences need.

    Args:
        report: one row per difference.
    """
    heads = ("", "seeds", "± seeds [95%]", "found from", "published", "chance", "seeds needed [95%]")
    _print_tables(report, heads, _power)
    if report:
        say(
            "\n± seeds: standard deviation of a difference over seeds; found from: the smallest difference that so "
            "many seeds find with probability 0.8; chance: theirs of finding the published one; "
            "seeds needed: to find it with probability 0.8, or, where it is 0, to show it; found: by a test that is "
            "adjusted over all rows"
        )
    else:
        say("two seeds or more are needed for a spread: --seeds 0-2")


def _print_tables(records: Sequence[Record], heads: Sequence[str], line: Callable[[Record, int], list[str]]) -> None:
    """A table for each test set, case and metric; a line is made from a record and the digits of its metric."""
    for rows, title, digits in _tables(records):
        say(f"\n{title}")
        print_table(heads, [[_name(row, rows), *line(row, digits)] for row in rows])


def _image_test(row: Record, digits: int) -> list[str]:
    return [
        _number(row["seed"], "d"),
        str(row["images"]),
        _number(row["difference"], f"+.{digits}f"),
        *(_number(row[name], ".2g") for name in ("wilcoxon", "wilcoxon_holm", "sign_flips", "sign_flips_holm")),
    ]


def _power(row: Record, digits: int) -> list[str]:
    low, high = (f"{row[name]:.{digits}f}" for name in ("deviation_low", "deviation_high"))
    return [
        str(row["seeds"]),
        f"{row['seed_deviation']:.{digits}f} [{low}, {high}]",
        _number(row["detectable"], f".{digits}f"),
        _published(row),
        _number(row["power"], ".2f"),
        _needed(row),
    ]


def _needed(row: Record) -> str:
    if row["published_difference"] is None:
        return ""
    middle, low, high = (
        f"over {MOST_SEEDS:,}" if row[name] is None else f"{row[name]:,}"
        for name in ("seeds_needed", "seeds_needed_low", "seeds_needed_high")
    )
    return f"{middle} [{low}, {high}]"


def _tables(records: Sequence[Record]) -> Iterator[tuple[list[Record], str, int]]:
    """Rows of one test set, case and metric; their heading; digits of the metric."""
    for (dataset, case, metric), group in groupby(records, lambda row: (row["dataset"], row["case"], row["metric"])):
        rows = list(group)
        place = place_title(dataset, case)
        facts = METRICS.get(metric)
        title = ", ".join(filter(None, (facts.title, facts.unit))) if facts else metric or "nothing was measured"
        digits = facts.fine_digits if facts else _COUNT_DIGITS
        bases = _bases(rows)
        minus = f", minus {bases[0]}" if len(bases) == 1 else ""
        yield rows, f"Differences{f' on {place}' if place else ''}: {title}{minus}", digits


def _name(row: Record, rows: Sequence[Record]) -> str:
    return f"{row['label']} − {row['base']}" if len(_bases(rows)) > 1 else str(row["label"])


def _published(row: Record) -> str:
    return _number(row["published_difference"], "+.2f") + (_QUOTED if row["published_trust"] == "secondary" else "")


def _bases(rows: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(row["base"] for row in rows))


def _effect(row: Record, digits: int) -> list[str]:
    return [
        _difference(row, digits),
        str(row["seeds"] or ""),
        _number(row["seed_deviation"], f".{digits}f"),
        _number(row["image_error"], f".{digits}f"),
        _number(row["p_holm"], ".2g"),
        "" if row["equivalent"] is None else "yes" if row["equivalent"] else "no",
        _published(row),
        _number(row["parameters"], ",") + (f" {_UNEQUAL}" if row["equal_parameters"] is False else ""),
        _number(row["multiply_adds"], ",.0f"),
        _number(None if row["seconds"] is None else 1e3 * row["seconds"], ".3g"),
        _verdict(row),
    ]


def _difference(row: Record, digits: int) -> str:
    difference = row["difference"]
    if difference is None:
        return "–"
    if row["low"] is None:
        return f"{difference:+.{digits}f}"
    return f"{difference:+.{digits}f} [{row['low']:+.{digits}f}, {row['high']:+.{digits}f}]"


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _verdict(row: Record) -> str:
    """The verdict with what it lacks; without a published difference, what can be said all the same."""
    verdict, needed = row["verdict"], row["seeds_needed"]
    open_yet = verdict in ("undecided", "consistent") and row["seed_deviation"] is not None
    if open_yet and (needed is None or needed > row["seeds"]):
        many = f"more than {counted(MOST_SEEDS, 'seed')}" if needed is None else counted(needed, "seed")
        return f"{verdict}: {many} needed"
    said = [verdict, row["reason"]]
    return ": ".join(part for part in said if part)


def _notes(effects: Sequence[Record], settings: Settings) -> Iterator[str]:
    """How to read the tables: only what occurs in them."""
    claims = dict.fromkeys(row["claim"] for row in effects if row["claim"])
    yield ""
    yield (
        "difference: entry − base, paired by seed and image; ± seeds: standard deviation over seeds; "
        "± images: standard error over images"
    )
    if any(row["low"] is not None for row in effects):
        yield f"interval: {_METHODS[settings.method]}, {' and '.join(claims)}; p: adjusted by Holm over all rows"
    if any(row["prediction_low"] is not None and row["judged"] for row in effects):
        yield "verdict: the published difference, of two single runs, is held against what single runs give by chance"
    if any(row["seeds"] == 1 and row["low"] is None and row["claim"] for row in effects):
        yield "one seed: no claim about seeds. More seeds give an interval: --seeds 0-2"
    yield from _not_judged(effects)
    yield from _infinite(effects)
    if any(row["equivalent"] is not None for row in effects):
        yield f"equal: within ±{settings.bound:g} dB, shown by two one-sided tests at 5 %, adjusted over all rows"
    if any(row["published_trust"] == "secondary" for row in effects):
        yield f"{_QUOTED} difference of published values that a third party quotes"
    if any(row["equal_parameters"] is False for row in effects):
        yield f"{_UNEQUAL} {UNEQUAL_MEANS}"
    if any(row["multiply_adds"] is not None for row in effects):
        yield f"mult-adds: per pixel of the output; the base: {_bases_cost(effects, 'multiply_adds_base', ',.0f', 1)}"
    if any(row["seconds"] is not None for row in effects):
        base = _bases_cost(effects, "seconds_base", ".3g", 1e3)
        yield f"ms/image: as this evaluation took it, which is no benchmark (converse speed is); the base: {base}"


def _not_judged(rows: Sequence[Record]) -> Iterator[str]:
    """What the word "here" means, and what is lacking before the paper can be judged: each text once, with its rows."""
    lacking: dict[str, list[str]] = {}
    for row in rows:
        if row["lacking"]:
            lacking.setdefault(row["lacking"], []).append(f"{row['label']} − {row['base']} on {row['dataset']}")
    if lacking:
        yield "here: at this budget, which neither confirms nor refutes the paper; a verdict on the paper lacks"
    for text, names in lacking.items():
        yield f"  {text} (" + (f"all {counted(len(names), 'row')})" if len(lacking) == 1 else f"{', '.join(names)})")


def _infinite(rows: Sequence[Record]) -> Iterator[str]:
    """How many images are in no difference because their PSNR is infinite."""
    counts = {
        f"{row['label']} − {row['base']}" + (f" on {row['dataset']}" if row["dataset"] else ""): row["infinite"]
        for row in rows
        if row.get("infinite")
    }
    if counts:
        said = ", ".join(f"{count} in {name}" for name, count in counts.items())
        yield f"∞: images that one of the two restores without any error are left out: {said}"


_METHODS: Final = {
    "seeds": "Student's t over the seeds' mean differences",
    "crossed": "two-way random effects of seeds and images",
    "bootstrap": "bootstrap of seeds and images, drawn jointly",
}


def _bases_cost(effects: Sequence[Record], column: str, form: str, factor: float) -> str:
    costs = {row["base"]: row[column] for row in effects if row[column] is not None}
    return ", ".join(
        (f"{base} " if len(costs) > 1 else "") + format(factor * cost, form) for base, cost in costs.items()
    )
