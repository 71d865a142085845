"""What a report lacks, with the commands that get it: what was not measured, and what failed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from converse.analysis.studies import Study
from converse.counted import agreeing, counted
from converse.data.catalogue import datasets
from converse.reporting.chapters.origins import trial_facts
from converse.reporting.chapters.released import NOT_RUN
from converse.reporting.inputs.material import Material
from converse.reporting.report import Failure, Missing
from converse.reporting.tables.paper import TASKS

Record = Mapping[str, Any]


def failures(material: Material) -> Iterator[Failure]:
    """The trials that failed, each with the command that tries again."""
    asked = {trial: one for one in reversed(material.notes) for trial, _, _ in one.trials}
    for key, one in material.trials.items():
        if one.status.state == "failed":
            line = asked[key].on(one.trial.platform) if key in asked else None
            yield Failure(
                key,
                trial_facts(one).name,
                one.status.reason,
                one.failure,
                "" if line is None else str(line.changed(retry_failed=True)),
            )


def missing(measured: Sequence[Record], studies: Sequence[Study], material: Material) -> Iterator[Missing]:
    """What was not measured.

    Args:
        measured: result rows of released weights, one for each cell of the paper's main tables.
        studies: the studies of the stores.
        material: of the stores.

    Yields:
        What is not there, in the order of the report.
    """
    if not material.trials:
        yield Missing(
            "Nothing has been measured yet: the tables show what the paper has.", "converse reproduce --images 2"
        )
        yield Missing("For a first training in minutes, without any data:", "converse quickstart")
    wanting: dict[tuple[str, str], list[Record]] = {}
    unreleased: dict[str, dict[str, None]] = {}
    for record in measured:
        if record["verdict"] != "not measured" or record["metric"] != "psnr":
            continue
        if str(record["reason"]).startswith("no released weights"):
            unreleased.setdefault(record["task"], {})[record["entry"]] = None
        elif not str(record["reason"]).startswith("infinite"):  # which another measurement would not mend
            wanting.setdefault((record["task"], record["dataset"]), []).append(record)
    titles = {known.title: name for name, known in datasets().items()}
    for (task, dataset), cells in wanting.items():
        reasons = list(dict.fromkeys(str(record["reason"]) for record in cells))
        names = list(dict.fromkeys(record["entry"] for record in cells))
        why = "" if reasons == [NOT_RUN] else f": {'; '.join(reasons)}"
        yield Missing(
            f"{TASKS.get(task, task)}: the released weights of {' and '.join(names)} are not measured on {dataset} "
            f"yet{why}.",
            f"converse reproduce {task} --datasets {titles.get(dataset, dataset)}",
        )
    for task, entries in unreleased.items():
        yield Missing(
            f"{TASKS.get(task, task)}: no weights of {', '.join(entries)} are released; they can be trained.",
            f"converse run {task} --budget standard",
        )
    for study in studies:
        left = [key for key, _, _ in study.trials if material.trials[key].status.state not in ("done", "failed")]
        if left:
            yield Missing(
                f"{study.name}: {counted(len(left), 'trial', of=len(study.trials))} "
                f"{agreeing(len(left), 'is', 'are')} not done.",
                study.command(),
            )
        for key, entry, seed in study.trials:
            status = material.trials[key].status
            if status.incomplete:
                name = entry if seed is None else f"{entry} seed {seed}"
                yield Missing(f"{study.name}, {name}: {status.reason}.")
        for dataset, reason in study.missing.items():
            yield Missing(f"{study.name}, {dataset}: {reason}.", study.command())
