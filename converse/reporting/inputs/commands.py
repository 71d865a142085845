"""The command lines that a report shows: what asks for its numbers again, from what the stores keep of requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from converse.counted import agreeing, counted
from converse.data.catalogue import datasets
from converse.data.noise_levels import level_of, shown
from converse.data.tasks import GIVEN, KERNEL, TASKS
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites import vocabulary
from converse.experiments.trials import NUMERICS_VERSION
from converse.metrics import METRICS
from converse.reporting.inputs.material import Material

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN: Final = "not known: measured by an older version of converse, which did not keep all that was asked for"

_ALWAYS: Final = {"psnr", "ssim"}
"""Metrics that are measured unless others are asked for."""


def measuring(record: Mapping[str, Any], material: Material) -> str | None:
    """The command that measures a cell of released weights; of one that is measured, the command that asks again.

    Args:
        record: result row of released weights, or of what they are given, at any noise level.
        material: of the stores.

    Returns:
        The command line, or ``None`` where a measured cell's images are those of a folder that no request names.
    """
    cell = (
        *(str(record["task"]), str(record["entry"]), record["dataset"] or None, record["measured"] is not None),
        level_of(record.get("case")),
    )
    if cell not in material.commands:
        material.commands[cell] = _measuring(*cell, material)
    return material.commands[cell]


def _measuring(
    task: str, entry: str, dataset: str | None, measured: bool, level: float | None, material: Material
) -> str | None:
    levels = None if level is None else (shown(level),)
    titles = {one.title: name for name, one in datasets().items()}
    if measured:
        rows = material.released
        rows = rows[(rows["task"] == task) & (rows["entry"] == entry)]
        if dataset:
            rows = rows[rows["dataset"].isin([dataset, titles.get(str(dataset))])]
        line = next(_lines(rows, material), None)
        if line is None:  # a folder's place is known from what was asked for alone
            own = set(rows["trial"])
            asked = (
                one
                for one, trials, titles in _requests(material)
                if one.name == "reproduce" and own & set(trials) and (not titles or dataset in titles)
            )
            line = next((one.changed(only=(entry,)) for one in asked), None)
        return None if line is None else str(line.changed(noise_levels=levels))
    if entry not in vocabulary.released() and entry not in GIVEN:
        return str(CommandLine("run", task, {"only": (entry,)}))
    line = CommandLine("reproduce", task, {"only": (entry,)}).changed(noise_levels=levels)
    return str(line.changed(datasets=(titles.get(str(dataset), str(dataset)),)) if dataset else line)


def repeating_released(material: Material) -> tuple[str, ...]:
    """The commands that ask for all of released weights again, the newest request first.

    Args:
        material: of the stores.
    """
    rows = material.released
    asked: dict[str, None] = {}
    covered: set[tuple[str, str, str]] = set()
    for line, trials, _ in _requests(material):
        wanted = {(trial, str(line.options.get("datasets")), case) for trial in trials for case in _cases(line)}
        if wanted - covered:
            covered |= wanted
            asked[str(line)] = None
    asked_for = {trial for trial, *_ in covered}
    return (*asked, *dict.fromkeys(str(line) for line in _lines(rows[~rows["trial"].isin(list(asked_for))], material)))


def _cases(line: CommandLine) -> tuple[str, ...]:
    """The blur kernels, or no case, and the further noise levels that a command asks for."""
    kernels, levels = (line.options.get(name, ()) for name in ("kernels", "noise-levels"))
    whole = tuple(case.removeprefix(KERNEL) for case in TASKS[line.argument].cases) if line.argument in TASKS else ()
    return (*(_listed(kernels) or whole or ("",)), *(f"σ = {level}" for level in _listed(levels)))


def _listed(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else tuple(str(value).split(","))


def about_repeating(material: Material) -> tuple[str, ...]:
    """What the commands of a report give again, and what they cannot, one sentence each."""
    said = [
        "The code that made them gives the same numbers on a machine of the same kind, to the bit; on another machine "
        "they may differ in the last digits."
    ]
    older = [one for one in material.trials.values() if one.trial.numerics != NUMERICS_VERSION]
    if older:
        commits = sorted({str(one.provenance["commit"])[:12] for one in older if one.provenance.get("commit")})
        made = f", that of commit {', '.join(commits)}," if commits else ""
        said.append(
            f"{counted(len(older), 'trial', of=len(material.trials))} {agreeing(len(older), 'was', 'were')} made by "
            f"code{made} of another numerics version than {NUMERICS_VERSION}, this code's: here the commands compute "
            f"{agreeing(len(older), 'it', 'them')} anew, to other numbers."
        )
    if vague := sum(one.request is None for one in material.notes):
        said.append(
            f"Of {counted(len(material.notes), 'request')} {vague} {agreeing(vague, 'was', 'were')} noted by a version "
            "that did not keep all that was asked for: commands of such requests are completed by what their trials "
            "tell of device and threads, and may ask for more or less."
        )
    return tuple(said)


def _requests(material: Material) -> Iterator[tuple[CommandLine, list[str], list[str]]]:
    """What asked for released weights, the newest first, with the trials that answer and the titles of test sets."""
    for one in material.notes:
        trials = [trial for trial, _, _ in one.trials if trial in material.trials]
        released = [trial for trial in trials if material.trials[trial].trial.source == "released"]
        released.sort(key=lambda trial: material.trials[trial].trial.anywhere)  # the others know device and threads
        line = one.on(material.trials[released[0]].trial.platform) if released else None
        if line is not None:
            yield line, released, [material.counted.title(asked) for asked in one.sets]


def _lines(rows: pd.DataFrame, material: Material) -> Iterator[CommandLine]:
    """What asks for these rows of released weights: networks of one task and machine with the same images together."""
    sizes = {name: len(one.files) for name, one in datasets().items()}
    groups: dict[tuple[Any, ...], dict[str, None]] = {}
    for (task, trial, entry), own in rows.groupby(["task", "trial", "entry"], sort=False):
        platform = material.trials[str(trial)].trial.platform
        images: dict[int | None, list[str]] = {}
        for name, of_set in own.groupby("dataset", sort=False):
            if name in sizes:
                count = int(of_set["image"].nunique())
                images.setdefault(count if count < sizes[str(name)] else None, []).append(str(name))
        metrics_of_rows = tuple(metric for metric in METRICS if metric in set(own["metric"]))
        measured = None if set(metrics_of_rows) >= _ALWAYS else metrics_of_rows
        for many, names in images.items():
            place = (task, platform["device"], platform.get("threads"), measured, many, tuple(names))
            groups.setdefault(place, {})[str(entry)] = None
    for (task, device, threads, metrics, first, names), entries in groups.items():
        yield CommandLine("reproduce", str(task), {"only": tuple(entries), "datasets": names}).changed(
            images=first, metrics=metrics, device=device, threads=threads
        )
