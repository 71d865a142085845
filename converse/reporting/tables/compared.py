"""A comparison as sheets: the differences of an operator to its rivals, and all networks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from converse.analysis.answers import Answer, AnswerRow
from converse.analysis.side_by_side import COSTS, NetworkRow
from converse.analysis.tables import PUBLISHED_METRIC
from converse.experiments.suites.compared import REVERSE
from converse.reporting.tables.effects import UNEQUAL
from converse.reporting.tables.sheet import (
    EMPTY,
    MULTIPLY_ADDS,
    PARAMETERS_HEAD,
    Cell,
    Head,
    Row,
    Sheet,
    metric_head,
)

_HEADS: Final = (
    metric_head(PUBLISHED_METRIC, group="Quality"),
    PARAMETERS_HEAD,
    Head(MULTIPLY_ADDS, "Multiply-adds", digits=0, better="lower"),
    Head("milliseconds", "Time", "Evaluation, 128×128", "ms", 2, better="lower", significant=3),
    Head("mebibytes", "Peak memory", "Evaluation, 128×128", "MiB", 1, better="lower", significant=3),
    Head("step_milliseconds", "Time", "Step of training", "ms", 2, better="lower", significant=3),
    Head("step_mebibytes", "Peak memory", "Step of training", "MiB", 1, better="lower", significant=3),
    Head("width", "Features", digits=0),
)
_PARETO: Final = {"parameters": "parameters", "multiply_adds": "multiply-adds", "milliseconds": "time"}
_ANSWER_HEADS: Final = (
    metric_head(PUBLISHED_METRIC, title="Difference", signed=True),
    Head("seeds", "Seeds", digits=0),
    Head("seeds_needed", "Seeds that decide", digits=0),
)


def answer_sheet(rows: Sequence[AnswerRow], *, key: str, bound: float, words: Mapping[Answer, str]) -> Sheet:
    """The differences of the own operator to each rival.

    Args:
        rows: records of one task.
        key: of the sheet.
        bound: of practical equivalence, in dB.
        words: answer → the word that tables have for it.
    """
    lines = []
    for row in rows:
        facts: dict[str, Any] = {
            "p, adjusted by Holm": None if row["p_holm"] is None else f"{row['p_holm']:.3g}",
            "Differences that are adjusted for": row["family"],
            "Deviation over seeds": None if row["seed_deviation"] is None else f"{row['seed_deviation']:.4f}",
            "Images": row["images"],
        }
        needed: dict[str, Any] = {"At the least": row["seeds_needed_low"], "At the most": row["seeds_needed_high"]}
        lines.append(
            Row(
                f"{row['own']} − {row['rival']}",
                (
                    Cell(
                        measured=row["difference"],
                        low=row["low"] if row["family"] else None,
                        high=row["high"] if row["family"] else None,
                        verdict=words[row["answer"]],
                        reason=row["reason"],
                        facts=_plain(facts),
                    ),
                    Cell(measured=row["seeds"]),
                    EMPTY if row["seeds_needed"] is None else Cell(measured=row["seeds_needed"], facts=_plain(needed)),
                ),
            )
        )
    return Sheet(
        key=key,
        kind="effects",
        title="Answers",
        caption=(
            "Difference of PSNR over all test images, paired by seed and image, with an interval of 95 % over seeds "
            f"that holds for all answers together; equal: shown to be within ±{bound:g} dB."
        ),
        source="trained",
        stub="Difference",
        heads=_ANSWER_HEADS,
        rows=tuple(lines),
    )


def network_sheet(rows: Sequence[NetworkRow], *, key: str) -> Sheet:
    """The networks side by side.

    Args:
        rows: records of one task.
        key: of the sheet.
    """
    base = next((row for row in rows if row["name"] == REVERSE), None)
    lines = []
    for row in rows:
        unequal = base is not None and None not in (row["parameters"], base["parameters"])
        unequal = unequal and base is not None and row["parameters"] != base["parameters"]
        fronts = [_PARETO[cost] for cost in COSTS if cost in _PARETO and row[f"front_{cost}"]]  # type: ignore[literal-required]
        facts = {
            "Seeds": row["seeds"],
            "Images": row["images"],
            "Trainings": row["trainings"],
            "Settings that were chosen": row["settings"],
            "No other is as good at no more": ", ".join(fronts),
        }
        quality = Cell(measured=row["psnr"], deviation=row["deviation"], reason=row["reason"], facts=_plain(facts))
        costs = (row[head.key] for head in _HEADS[1:])  # type: ignore[literal-required]
        lines.append(
            Row(
                row["name"],
                (quality, *(EMPTY if cost is None else Cell(measured=cost) for cost in costs)),
                marks=(UNEQUAL,) if unequal else (),
            )
        )
    return Sheet(
        key=key,
        kind="values",
        title="Side by side",
        caption=(
            "Mean PSNR over all test images ± standard deviation over seeds; multiply-adds per pixel of the output, "
            "counted; median time and peak memory of one image and of one step of training, measured in turns."
        ),
        source="trained",
        stub="Operator",
        heads=_HEADS,
        rows=tuple(lines),
        notes=("Not at equal parameters: the difference is not the operator's alone.",)
        if any(line.marks for line in lines)
        else (),
    )


def _plain(facts: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in facts.items() if value not in (None, ""))
