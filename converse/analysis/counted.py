"""All rows of a store that count in some table: those of its studies and those of released weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import pandas as pd

from converse.analysis.selection import (
    LeftOut,
    Selection,
    Titles,
    as_the_task_is,
    newest_sets,
    select,
    set_titles,
    with_further_levels,
)
from converse.analysis.studies import Study, studies
from converse.data.catalogue import datasets
from converse.data.tasks import GIVEN
from converse.experiments.store.requests import RequestedSet, StoredRequest
from converse.experiments.trials import Trial

_MEASURED: Final = ["entry", "dataset", "case", "image", "image_sha256", "metric", "signature", "device"]


class Counted:
    """What of a store's rows counts, each part found once.

    Args:
        notes: of what was asked for, the newest first.
        trials: by id.
        rows: of all of them, with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
    """

    def __init__(self, notes: Sequence[StoredRequest], trials: Mapping[str, Trial], rows: pd.DataFrame) -> None:
        self._notes = notes
        self._trials = trials
        self._rows = rows

    @cached_property
    def studies(self) -> tuple[Study, ...]:
        """The studies, with the rows of theirs that count."""
        beside = [one for sets in self._released_sets.values() for one in sets]
        return tuple(studies(self._notes, self._trials, self._rows, beside))

    @cached_property
    def released(self) -> Mapping[str, Selection]:
        """Task → the rows of released weights that count."""
        return self._chosen(self._rows[(self._rows["source"] == "released") & ~self._of_inputs])

    @cached_property
    def inputs(self) -> pd.DataFrame:
        """The rows that count of what networks are given, of all tasks: beside those of released weights."""
        return as_the_task_is(self.every_input)

    @cached_property
    def every_input(self) -> pd.DataFrame:
        """:attr:`inputs`, with those of further noise levels."""
        found = [one.every for one in self._chosen(self._rows[self._of_inputs]).values()]
        return pd.concat(found, ignore_index=True) if found else self._rows.iloc[:0]

    def inputs_of(self, study: Study) -> pd.DataFrame:
        """What the networks of a study are given: rows of its images, under the names of its test sets.

        Args:
            study: one of :attr:`studies`.
        """
        return as_the_task_is(self._every_input_of(study))

    def levels_of(self, study: Study) -> pd.DataFrame:
        """The rows of a study's test sets that have further noise levels, and of their inputs; none where none has.

        Args:
            study: one of :attr:`studies`.
        """
        rows = with_further_levels(study.selection.every)
        return pd.concat([rows, self._every_input_of(study)], ignore_index=True) if len(rows) else rows

    def _every_input_of(self, study: Study) -> pd.DataFrame:
        """:meth:`inputs_of`, with those of further noise levels."""
        images = study.rows.loc[study.rows["image"].notna(), ["dataset", "image", "image_sha256"]].drop_duplicates()
        rows = self._rows[self._of_inputs & (self._rows["task"] == study.task)]
        rows = rows.drop(columns="dataset").merge(images, on=["image", "image_sha256"], how="inner")
        return rows.drop_duplicates(_MEASURED, keep="last")[list(self._rows.columns)]

    @cached_property
    def _of_inputs(self) -> pd.Series:
        return (self._rows["source"] == "released") & self._rows["entry"].isin(GIVEN)

    def _chosen(self, rows: pd.DataFrame) -> Mapping[str, Selection]:
        every = newest_sets(self._notes)
        return {
            str(task): self._newest_trials(
                select(
                    of_task,
                    self._released_sets.get(str(task), ()),
                    titles=self._titles,
                    elsewhere=every,
                    unlisted=True,  # of what older versions measured there are no notes
                )
            )
            for task, of_task in rows.groupby("task", sort=False)
        }

    def _newest_trials(self, found: Selection) -> Selection:
        """Of several trials of one network on one kind of device, that of the newest request, image by image."""
        asked: dict[str, int] = {}
        for place, one in enumerate(self._notes):
            for trial, _, _ in one.trials:
                asked.setdefault(trial, place)

        def rank(trial: str) -> tuple[int, int]:
            return (asked.get(trial, len(self._notes)), -self._trials[trial].numerics if trial in self._trials else 0)

        order = {trial: place for place, trial in enumerate(sorted(found.every["trial"].unique(), key=rank))}
        if len(order) == found.every["entry"].nunique():
            return found
        ranked = found.every.assign(rank=found.every["trial"].map(order)).sort_values("rank", kind="stable")
        again = ranked.duplicated(_MEASURED)
        lost = ranked[again & ranked["image"].notna()]
        names = {str(name): list(dict.fromkeys(map(str, of_set["image"]))) for name, of_set in lost.groupby("dataset")}
        known = datasets()
        said = (
            LeftOut(known[name].title if name in known else name, name, tuple(images), "measured again")
            for name, images in names.items()
        )
        rows = ranked[~again].drop(columns="rank").sort_index().reset_index(drop=True)
        return replace(found, every=rows, left_out=(*found.left_out, *said))

    @cached_property
    def released_rows(self) -> pd.DataFrame:
        """The rows of released weights that count, of all tasks."""
        return as_the_task_is(self.every_released)

    @cached_property
    def every_released(self) -> pd.DataFrame:
        """:attr:`released_rows`, with those of further noise levels."""
        found = [one.every for one in self.released.values()]
        return pd.concat(found, ignore_index=True) if found else self._rows.iloc[:0]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """All rows that count, each trial once and under its own name, ``dataset`` being unique for what is in it.

        Where studies asked for parts of one set, or for a folder before and after it changed, rows of a trial that they
        share are there for each of them.
        """
        sets: dict[str, dict[RequestedSet, None]] = {}
        unlisted: dict[str, bool] = {}
        for study in self.studies:
            for trial, _, _ in study.trials:
                sets.setdefault(trial, {}).update(dict.fromkeys(study.sets))
                unlisted[trial] = unlisted.get(trial, False) or study.unlisted
        groups: dict[tuple[tuple[RequestedSet, ...], bool], list[str]] = {}
        for trial, those in sets.items():
            groups.setdefault((tuple(those), unlisted[trial]), []).append(trial)
        found = [self.every_released, self.every_input]
        for (asked, loose), trials in groups.items():
            rows = self._rows[self._rows["trial"].isin(trials)]
            found.append(select(rows, _united(asked), titles=self._titles, unlisted=loose).every)
        whole = pd.concat([one for one in found if len(one)] or found[:1], ignore_index=True)
        return whole.sort_values("trial", kind="stable", ignore_index=True)

    @property
    def left_out(self) -> int:
        """How many of the rows count in no table."""
        key = ["trial", "case", "image", "image_sha256", "metric", "signature"]
        return len(self._rows[key].drop_duplicates()) - len(self.rows[key].drop_duplicates())

    def title(self, asked: RequestedSet) -> str:
        """What a test set is called in all tables; of a folder whose content has changed since, its name alone."""
        known = datasets().get(asked.name)
        return known.title if known and not asked.folder else self._titles.get((asked.folder, asked.sha256), asked.name)

    @cached_property
    def _titles(self) -> Titles:
        sets = [one for study in self.studies for one in study.sets]
        return set_titles([*(one for sets in self._released_sets.values() for one in sets), *sets])

    @cached_property
    def _released_sets(self) -> Mapping[str, tuple[RequestedSet, ...]]:
        """Task → test sets of released weights, as those who asked for them had them, before suites that have some."""
        found: dict[str, list[StoredRequest]] = {}
        for one in sorted(self._notes, key=lambda one: not all(entry.released for entry in one.entries)):
            if any(key in self._trials and self._trials[key].source == "released" for key, _, _ in one.trials):
                found.setdefault(one.task, []).append(one)
        return {task: newest_sets(of_task) for task, of_task in found.items()}


def _united(sets: Iterable[RequestedSet]) -> tuple[RequestedSet, ...]:
    """The sets; where several asked for parts of one, for all that one of them asked for."""
    found: dict[tuple[str, str, str], RequestedSet] = {}
    for one in sets:
        key = (one.name, one.folder, one.sha256)
        images = dict.fromkeys((*(found[key].images if key in found else ()), *one.images))
        others = tuple(image for image in one.others if image not in images)
        found[key] = replace(one, images=tuple(images), others=others)
    return tuple(found.values())
