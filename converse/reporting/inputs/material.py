"""What reports are made from: trials, rows, notes, times and curves of one or more stores, read together as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from converse.analysis.counted import Counted
from converse.analysis.curves import losses
from converse.analysis.noise_floor import noise_floor
from converse.analysis.published import published
from converse.analysis.qualification import Grounds
from converse.analysis.studies import Study
from converse.analysis.suite_effects import study_effects
from converse.counted import counted
from converse.errors import StoreError
from converse.experiments.evaluation.costs import trial_multiply_adds
from converse.experiments.store import Store, files
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import StoredRequest, notes
from converse.experiments.store.rows import frame, row_key, table
from converse.experiments.store.speed_rows import speed_frame
from converse.experiments.store.state import PROGRESS, Status
from converse.experiments.trials import Trial

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_EXCERPT: Final = 12
"""Lines of a traceback that are shown."""

_PATH: Final = re.compile(r'File "[^"]*?([^"/\\]+[/\\][^"/\\]+)"')


@dataclass(frozen=True)
class TrialMaterial:
    """What is kept of one trial, in whichever store it is furthest.

    Attributes:
        trial: what it is.
        status: how far it is.
        provenance: what made its numbers; empty before it was begun.
        failure: last lines of the traceback, paths without the folders of the machine; empty where it did not fail.
        folder: where its curve and weights lie.
    """

    trial: Trial
    status: Status
    provenance: Mapping[str, Any]
    failure: str
    folder: TrialFolder


@dataclass(frozen=True)
class Material:
    """All that a report is made from.

    Attributes:
        trials: by id, sorted.
        rows: of all trials, with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
        speed: rows of speed, with :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`, the oldest run first.
        speed_requests: run of speed → what asks for the same, ``None`` where that is not known; the oldest run first.
        notes: of what was asked for, the newest first.
        damaged: what could not be read, one sentence each.
    """

    trials: Mapping[str, TrialMaterial]
    rows: pd.DataFrame
    speed: pd.DataFrame
    notes: tuple[StoredRequest, ...]
    speed_requests: Mapping[str, CommandLine | None] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()

    @cached_property
    def counted(self) -> Counted:
        """What of the rows counts."""
        return Counted(self.notes, {key: one.trial for key, one in self.trials.items()}, self.rows)

    @cached_property
    def released(self) -> pd.DataFrame:
        """Rows of released weights and of what they were given, that have a test set and a value."""
        import pandas as pd

        rows = pd.concat([self.counted.released_rows, self.counted.inputs], ignore_index=True)
        return rows[rows["dataset"].notna() & rows["value"].notna()]

    @cached_property
    def commands(self) -> dict[tuple[Any, ...], str | None]:
        """What measures a cell of released weights, derived once (:mod:`.commands`)."""
        return {}

    @property
    def studies(self) -> tuple[Study, ...]:
        """The studies of its trials, put together once."""
        return self.counted.studies

    def effects(self, study: Study) -> pd.DataFrame:
        """The differences that one of :attr:`studies` is about, derived once, with the reasons why some are not run."""
        if study.key not in self._effects:
            self._effects[study.key] = study_effects(
                study,
                published=published(),
                reasons=self.reasons(study),
                multiply_adds=self._multiply_adds(study),
                floor=noise_floor({entry: self.trials[key].trial.configuration for key, entry, _ in study.trials}),
                grounds=self.grounds(study),
            )
        return self._effects[study.key]

    def grounds(self, study: Study) -> Grounds:
        """What is known of the trainings of one of :attr:`studies`, read once."""
        if study.key not in self._grounds:
            folders = (self.trials[key].folder for key, _, _ in study.trials)
            self._grounds[study.key] = Grounds(study.standard, losses(folders))
        return self._grounds[study.key]

    def reasons(self, study: Study) -> dict[str, str]:
        """Entry → why it may have no values."""
        reasons: dict[str, list[str]] = {}
        for key, entry, seed in study.trials:
            status = self.trials[key].status
            if not status.complete:
                state = "incomplete" if status.incomplete else status.state
                why = f"seed {seed}: {state}" + (f", {status.reason}" if status.reason else "")
                reasons.setdefault(entry, []).append(why)
        return {entry: "; ".join(why) for entry, why in reasons.items()}

    def _multiply_adds(self, study: Study) -> dict[str, float]:
        """Entry → multiply-adds per pixel of its output, where its network can be built from what the store knows."""
        first = {entry: self.trials[key].trial for key, entry, _ in reversed(study.trials)}
        counted = {entry: trial_multiply_adds(trial) for entry, trial in first.items()}
        return {entry: count for entry, count in counted.items() if count is not None}

    @cached_property
    def _effects(self) -> dict[str, pd.DataFrame]:
        return {}

    @cached_property
    def _grounds(self) -> dict[str, Grounds]:
        return {}


def gather(stores: Sequence[Store], progress: Callable[[int, int], None] = lambda done, total: None) -> Material:
    """Read stores as :func:`converse.experiments.store.merging.merge` would put them together; nothing is written.

    Args:
        stores: in order: of a row that several have, the first counts.
        progress: told how many trials of how many are read.

    Returns:
        All of it. A trial that is damaged or cannot be read is left out and named in ``damaged``; so is a training
        curve or a provenance that is damaged, while the trial's rows count.

    Raises:
        StoreError: a store has a newer schema or cannot be read.
    """
    listed = [folder for store in stores for folder in store.folders()]
    trials: dict[str, TrialMaterial] = {}
    tables: dict[str, list[pa.Table]] = {}
    damaged: list[str] = []
    for number, folder in enumerate(listed):
        progress(number, len(listed))
        try:
            table_of_rows = folder.table()
            read = _trial(folder, damaged)
        except StoreError as error:
            damaged.append(str(error))
            continue
        tables.setdefault(folder.id, []).append(table_of_rows)
        furthest = trials.get(folder.id)
        if furthest is None or PROGRESS[read.status.state] > PROGRESS[furthest.status.state]:
            trials[folder.id] = read
    progress(len(listed), len(listed))
    asked: dict[str, StoredRequest] = {}
    for one in (one for store in stores for one in notes(store, damaged)):
        if one.id not in asked or one.time > asked[one.id].time:
            asked[one.id] = one
    runs: dict[str, list[dict[str, Any]]] = {}
    requests: dict[str, CommandLine | None] = {}
    for store in stores:
        for timed in store.speed.folders(damaged):
            if timed.id in runs:
                continue
            requests[timed.id] = None
            try:
                requests[timed.id] = timed.request()
            except StoreError as error:
                damaged.append(str(error))
            runs[timed.id] = timed.rows()
    in_time = sorted(filter(None, runs.values()), key=lambda run: str(run[0]["time"]))
    return Material(
        trials=dict(sorted(trials.items())),
        rows=frame([_united(tables[key]) for key in sorted(trials)]),
        speed=speed_frame([row for run in in_time for row in run]),
        speed_requests={str(run[0]["run"]): requests[run[0]["run"]] for run in in_time},
        notes=tuple(sorted(asked.values(), key=lambda one: (one.time, one.id), reverse=True)),
        damaged=tuple(damaged),
    )


def _trial(folder: TrialFolder, damaged: list[str]) -> TrialMaterial:
    """What is kept of a trial; told what of it is damaged while its rows can be read: they count all the same.

    A line that was torn when work was stopped is no damage; the trial goes on there.
    """
    trial = folder.trial()
    status = folder.status()
    provenance: Mapping[str, Any] = {}
    try:
        provenance = folder.provenance() or {}
    except Damaged as error:
        damaged.append(f"{error} (the trial's rows are in the numbers)")
    for name in ("curve.jsonl", "rows.jsonl") if status.state == "done" else ():
        if wrong := folder.journal(name).damaged():
            more = f", and {counted(len(wrong) - 1, 'more line')}" if len(wrong) > 1 else ""
            rest = "other rows" if name == "rows.jsonl" else "rows"
            damaged.append(f"{folder.path / name} is damaged: {wrong[0]}{more} (the trial's {rest} are in the numbers)")
    return TrialMaterial(trial, status, provenance, _failure(folder) if status.state == "failed" else "", folder)


def _failure(folder: TrialFolder) -> str:
    text = (files.content(folder.path / "failure.txt") or b"").decode(errors="replace")
    return _PATH.sub(r'File "\1"', "\n".join(text.rstrip().splitlines()[-_EXCERPT:]))


def _united(tables: Sequence[pa.Table]) -> pa.Table:
    """Rows of one trial in several stores: of two with the same key the first."""
    if len(tables) == 1:
        return tables[0]
    by_key: dict[tuple[Any, ...], dict[str, Any]] = {}
    for of_store in tables:
        for row in of_store.to_pylist():
            by_key.setdefault(row_key(row), row)
    return table(list(by_key.values()))
