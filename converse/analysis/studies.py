"""From trials, rows and requests to studies: rows that may stand in one table.

A study is a suite at one budget on one kind of machine. Requests of the same suite and budget belong together as long
as they mean the same networks; where the suite was edited in between, they are two studies, the newer one first. Trials
that no note names are studies too, by task and budget, under the names that they have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from converse.analysis.selection import LeftOut, Selection, Titles, newest_sets, select, set_titles
from converse.analysis.set_apart import set_apart
from converse.counted import counted
from converse.data.tasks import TASKS
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.requests import RequestedEntry, RequestedSet, Standard, StoredRequest
from converse.experiments.trials import BUDGETS, Trial, canonical_json
from converse.plain_text import slug, unique

Place = tuple[str, int | None]
"""Entry and seed."""


@dataclass(frozen=True)
class Study:
    """A suite at one budget on one kind of machine.

    Attributes:
        key: unique in a report, for anchors and files.
        suite: its name; empty for trials that no note names.
        title: heading, without budget and machine.
        description: for people.
        task: ``denoising`` …
        budget: name of the budget.
        platform: kind of machine, as trials have it.
        base: name of the base entry of an ablation; ``None`` for other suites.
        entries: in the order of the suite.
        trials: id, entry and seed of each.
        contrasts: the differences that it is about: entry, what it is held against, and what stands for it in a table.
        missing: test set → why it is not measured.
        requests: what asks for it again, the newest first, each with its entries and seeds; none where not known.
        superseded: whether its networks were defined anew after this, and run again.
        apart: in what it differs from the newest chapter of the same suite and budget, in words; empty for that one.
        sets: test sets, as the newest request for each had it.
        tunes: entry → the entry of another suite that it tunes; empty where settings are not tuned.
        data_notes: what there is to say of entries that the budget leaves out, and of images that are trained on and
            tested on.
        unlisted: whether it may have asked for others too, because notes of older versions do not say.
        standard: what the suite asks before the paper is judged; ``None`` where no note says.
        selection: of the rows, which :func:`studies` makes.
    """

    key: str
    suite: str
    title: str
    description: str
    task: str
    budget: str
    platform: Mapping[str, Any]
    base: str | None
    entries: tuple[RequestedEntry, ...]
    trials: tuple[tuple[str, str, int | None], ...]
    contrasts: tuple[tuple[str, str, str], ...]
    missing: Mapping[str, str]
    requests: tuple[tuple[CommandLine, frozenset[Place]], ...] = ()
    superseded: bool = False
    apart: str = ""
    sets: tuple[RequestedSet, ...] = ()
    tunes: Mapping[str, str] = field(default_factory=dict)
    data_notes: tuple[str, ...] = ()
    unlisted: bool = True
    standard: Standard | None = None
    selection: Selection = field(default_factory=lambda: Selection(pd.DataFrame()), compare=False, repr=False)

    @property
    def rows(self) -> pd.DataFrame:
        """The rows that count, with :data:`converse.experiments.store.rows.ROW_COLUMNS`, under the study's names."""
        return self.selection.rows

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What else the store has of its trials."""
        return self.selection.left_out

    @property
    def machine(self) -> str:
        """The kind of machine in a few words: ``cpu, 2 threads, Intel(R) Xeon(R)``."""
        return machine(self.platform)

    @property
    def commands(self) -> tuple[str, ...]:
        """One after another, those that ask for what the newer ones do not: together for all of it."""
        asked: set[tuple[Place, str]] = set()
        found = []
        for line, places in self.requests:
            wanted = {(place, str(line.options.get("datasets"))) for place in places}
            if wanted - asked:
                asked |= wanted
                found.append(str(line))
        return tuple(found)

    def command(self, *entries: str) -> str:
        """What asks for all seeds of these entries that they have in common; empty where that is not known.

        Args:
            entries: names; none for all of the study, of which it is the newest request.
        """
        if not self.requests:
            return ""
        seeds = [{seed for _, name, seed in self.trials if name == entry} for entry in entries]
        common = set.intersection(*seeds) if seeds else set()
        wanted = {(entry, seed) for entry in entries for seed in common}
        whole = next((line for line, places in self.requests if places >= wanted), None)
        if whole is not None:
            return str(whole)
        numbers = tuple(sorted(seed for seed in common if seed is not None))
        return str(self.requests[0][0].changed(only=tuple(dict.fromkeys(entries)), seeds=numbers or None))

    @property
    def name(self) -> str:
        """Its heading with the budget: ``Padding, budget quick``."""
        return f"{self.title}, budget {self.budget}" if self.budget else self.title

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those of its trials, ascending."""
        return tuple(sorted({seed for _, _, seed in self.trials if seed is not None}))


def machine(platform: Mapping[str, Any]) -> str:
    """A platform class in a few words.

    Args:
        platform: what :func:`converse.experiments.trials.platform_class` said.
    """
    threads = platform.get("threads")
    words = [
        platform.get("model"),
        counted(threads, "thread") if threads else None,
        platform.get("precision"),
        f"torch {platform['torch']}" if platform.get("torch") else None,
    ]
    return ", ".join(str(word) for word in words if word)


def studies(
    notes: Sequence[StoredRequest], trials: Mapping[str, Trial], rows: pd.DataFrame, beside: Iterable[RequestedSet] = ()
) -> list[Study]:
    """The studies of a store; released weights belong to none.

    Args:
        notes: of what was asked for, the newest first (:func:`converse.experiments.store.requests.notes`).
        trials: by id.
        rows: of all trials.
        beside: test sets of other tables, whose titles have to be told apart from those of these.

    Returns:
        Suites before ablations, in the order of the paper's tasks and by name; larger budgets first; of one suite and
        budget the newest definition first.
    """
    groups: list[_Group] = []
    for one in notes:
        for part in _by_platform(one, trials):
            home = next((group for group in groups if group.takes(part)), None)
            if home is None:
                groups.append(_Group(part, trials, [group for group in groups if group.of_suite(part)]))
            else:
                home.add(part)
    named = {trial for group in groups for trial, _, _ in group.trials}
    found = [group.study() for group in groups]
    found += _unnamed(trial for key, trial in sorted(trials.items()) if key not in named and trial.source == "trained")
    found.sort(key=_order)
    keys = unique(one.key for one in found)
    by_trial = {str(name): found for name, found in rows.groupby("trial", sort=False).indices.items()}
    titles = set_titles((*beside, *(asked for one in found for asked in one.sets)))
    every = newest_sets(notes)
    return [
        replace(one, key=key, selection=_selected(_labelled(rows, by_trial, one), one, titles, every))
        for one, key in zip(found, keys, strict=True)
    ]


@dataclass
class _Part:
    """What of a request was done on one kind of machine."""

    asked: StoredRequest
    platform: dict[str, Any]
    trials: dict[tuple[str, int | None], str]  # entry, seed → id
    meant: dict[str, str]  # entry → all that its trials are, without the seed


class _Group:
    """Parts that may stand in one table."""

    def __init__(self, first: _Part, trials: Mapping[str, Trial], newer: Sequence[_Group]) -> None:
        self.parts = [first]
        self.found = dict(first.trials)
        self.meant = dict(first.meant)
        self.superseded = any(group.same(first) for group in newer)
        # Of several it is held against the one on the same kind of machine, where there is one.
        against = next((group for group in newer if group.same(first)), next(iter(newer), None))
        self.apart = ""
        if against is not None:
            theirs = {entry: trials[key] for (entry, _), key in against.found.items()}
            own = ((trials[key], entry) for (entry, _), key in first.trials.items())
            self.apart = set_apart((one, theirs[entry]) for one, entry in own if entry in theirs)

    @property
    def trials(self) -> tuple[tuple[str, str, int | None], ...]:
        return tuple((trial, entry, seed) for (entry, seed), trial in self.found.items())

    def of_suite(self, part: _Part) -> bool:
        """Whether the part is of the same suite and budget."""
        own, other = self.parts[0].asked, part.asked
        return (own.suite, own.budget, own.base) == (other.suite, other.budget, other.base)

    def same(self, part: _Part) -> bool:
        """Whether the part is of the same suite, budget and kind of machine."""
        return self.of_suite(part) and self.parts[0].platform == part.platform

    def takes(self, part: _Part) -> bool:
        return self.same(part) and all(self.meant.get(entry, meant) == meant for entry, meant in part.meant.items())

    def add(self, part: _Part) -> None:
        self.parts.append(part)
        self.found = {**part.trials, **self.found}
        self.meant = {**part.meant, **self.meant}

    def study(self) -> Study:
        newest = self.parts[0].asked
        # The request with the most entries knows their order best.
        parts = sorted(self.parts, key=lambda part: -len(part.asked.entries))
        entries = {entry.name: entry for part in parts for entry in part.asked.entries}
        trials = sorted(self.trials, key=lambda trial: -1 if trial[2] is None else trial[2])
        order = list(entries)
        return Study(
            key=slug(newest.suite, newest.budget),
            suite=newest.suite,
            title=newest.title,
            description=newest.description.strip(),
            task=newest.task,
            budget=newest.budget,
            platform=self.parts[0].platform,
            base=newest.base,
            entries=tuple(entries.values()),
            trials=tuple(sorted(trials, key=lambda trial: order.index(trial[1]))),
            contrasts=tuple(dict.fromkeys(one for part in parts for one in part.asked.contrasts)),
            missing={name: reason for part in reversed(self.parts) for name, reason in part.asked.missing.items()},
            requests=tuple(self._requests()),
            superseded=self.superseded,
            apart=self.apart,
            sets=newest_sets(part.asked for part in self.parts),
            tunes={entry: tuned for part in parts for entry, tuned in part.asked.tunes.items()},
            data_notes=tuple(dict.fromkeys(line for part in self.parts for line in part.asked.data_notes)),
            unlisted=not all(part.asked.sets for part in self.parts),
            standard=self._standard(),
        )

    def _standard(self) -> Standard | None:
        """That of the newest request that says, with the sizes that all of them know."""
        known = [part.asked.standard for part in self.parts if part.asked.standard is not None]
        if not known:
            return None
        baselines = {entry: name for one in reversed(known) for entry, name in one.baselines.items()}
        sizes = {entry: full for one in reversed(known) for entry, full in one.full_size.items()}
        return replace(known[0], baselines=baselines, full_size=sizes)

    def _requests(self) -> Iterator[tuple[CommandLine, frozenset[Place]]]:
        for part in self.parts:
            line = part.asked.on(part.platform)
            if line is not None:
                yield line, frozenset(part.trials)


def _by_platform(one: StoredRequest, trials: Mapping[str, Trial]) -> list[_Part]:
    """A request in parts of one kind of machine each; trials that are not in the store, and released ones, left out."""
    parts: dict[str, _Part] = {}
    for key, entry, seed in one.trials:
        trial = trials.get(key)
        if trial is None or trial.source == "released":
            continue
        kind = canonical_json(trial.platform)
        part = parts.setdefault(kind, _Part(one, trial.platform, {}, {}))
        part.trials[entry, seed] = key
        part.meant[entry] = _meaning(trial)
    return list(parts.values())


def _unnamed(trials: Iterable[Trial]) -> list[Study]:
    groups: dict[tuple[str, str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.task, trial.budget or "", canonical_json(trial.platform)), []).append(trial)
    found = []
    for (task, budget, _), members in groups.items():
        meanings: dict[str, dict[str, None]] = {}
        for trial in members:
            meanings.setdefault(trial.entry, {})[_meaning(trial)] = None
        named = [(trial.id, _name(trial, meanings[trial.entry]), trial.seed) for trial in members]
        entries = tuple(RequestedEntry(name, name) for name in dict.fromkeys(name for _, name, _ in named))
        title = f"Trials that no suite here asked for: {task.replace('_', ' ')}"
        found.append(
            Study(
                key=slug("other", task, budget),
                suite="",
                title=title,
                description="",
                task=task,
                budget=budget,
                platform=members[0].platform,
                base=None,
                entries=entries,
                trials=tuple(named),
                contrasts=(),
                missing={},
            )
        )
    return found


def _name(trial: Trial, meanings: Mapping[str, None]) -> str:
    """Its own name; where several networks have it, with a number."""
    if len(meanings) == 1:
        return trial.entry
    return f"{trial.entry} ({list(meanings).index(_meaning(trial)) + 1})"


def _meaning(trial: Trial) -> str:
    return canonical_json({name: value for name, value in trial.identity().items() if name != "seed"})


def _labelled(rows: pd.DataFrame, by_trial: Mapping[str, Any], study: Study) -> pd.DataFrame:
    """The rows of the study's trials, under its names; of a trial with two names, twice.

    ``by_trial`` has the places of each trial's rows: a store may have thousands of trials, and a frame of each costs
    more than all of their rows.
    """
    found = [(by_trial[trial], entry) for trial, entry, _ in study.trials if trial in by_trial]
    if not found:
        return rows.iloc[:0]
    places = [place for those, _ in found for place in those]
    entries = [entry for those, entry in found for _ in those]
    return rows.take(places).assign(entry=entries, budget=study.budget).reset_index(drop=True)


def _selected(rows: pd.DataFrame, study: Study, titles: Titles, every: Sequence[RequestedSet]) -> Selection:
    return select(rows, study.sets, titles=titles, elsewhere=every, unlisted=study.unlisted)


def _order(study: Study) -> tuple[Any, ...]:
    budget = -BUDGETS.index(study.budget) if study.budget in BUDGETS else 1
    task = [*TASKS].index(study.task) if study.task in TASKS else len(TASKS)
    return (not study.suite, study.base is not None, task, study.suite, budget, study.budget, study.superseded)
