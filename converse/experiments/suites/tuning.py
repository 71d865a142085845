"""Tuning: a suite's entries under the settings of a grid, as a suite; and a file with those that were best.

Every entry is tried with the same number of settings, on seeds of its own, and is judged on validation images that are
cut from the training sets: what is chosen has seen neither the seeds nor the images of the comparison. AlgoPerf's rules
for external tuning (Dahl et al., "Benchmarking neural network training algorithms", 2023) are the model: a search space
that is stated before, and the same number of trials for everyone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import Field, InstanceOf, ValidationError

from converse.counted import counted
from converse.errors import OptionError, unknown
from converse.experiments.suites.ablation import Change, VariedSuite
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.errors import Mistake, mistakes, shown, suite_error
from converse.experiments.suites.plans import Point, RunPlan, TrainingTable
from converse.experiments.suites.tables import Budget, Contrast, Entry, Suite, Tuning, merged
from converse.experiments.suites.vocabulary import Options, Reading

LR: Final = "training.lr"
START: Final = "training.start"
LAMBDA: Final = "options.operator_options.lam_offset"


class TuningSuite(Suite):
    """The suite that tunes another: an entry for each point of a grid, measured on validation images alone.

    Attributes:
        points: name of the entry → the entry that it tunes, and the settings that it tries.
        tuned_name: name of the suite that is tuned.
    """

    points: dict[str, InstanceOf[Point]] = Field(default_factory=dict)
    tuned_name: str = ""

    def chosen(self, only: Iterable[str] | None = None) -> tuple[Entry, ...]:
        """All points of the entries with these names."""
        if only is None:
            return self.entries
        names = {point.entry.casefold(): point.entry for point in self.points.values()}
        if strange := next((name for name in only if name.casefold() not in names), None):
            raise OptionError(f"suite {self.tuned_name!r}: {unknown('trained entry', strange, names.values())}")
        wanted = {names[name.casefold()] for name in only}
        return tuple(entry for entry in self.entries if self.points[entry.name].entry in wanted)

    def contrasts(self, only: Iterable[str] | None = None) -> tuple[Contrast, ...]:
        """None: settings are compared by their scores alone."""
        return ()

    def _plans(self, entry: Entry, *rest: Any) -> list[RunPlan]:
        own = self.points[entry.name]
        return [replace(plan, point=own, test=(), noise_levels=()) for plan in super()._plans(entry, *rest)]


def tuning_suite(
    suite: Suite,
    budget: str,
    tuning: Tuning,
    *,
    file: str,
    only: Iterable[str] | None = None,
    networks: bool = True,
) -> TuningSuite:
    """The suite whose trials tune another.

    Args:
        suite: whose entries are tuned.
        budget: under which.
        tuning: seeds and grids.
        file: what messages call the suite.
        only: names of the entries that are tuned now, in any case: these must be tried with equally many settings, and
            the others are none of this request's business; ``None`` for all.
        networks: judge what only torch's modules know, too.

    Returns:
        A suite with this budget alone.

    Raises:
        OptionError: the suite has no such budget, nothing to train, or no validation images that are its own; the
            budget leaves out what is asked for; grids of what is tuned have different numbers of points, a seed is one
            of the suite's, or an ablation varies what a grid varies.
        SuiteError: a point contradicts other settings.
    """
    spent = suite.budget(budget)
    _refuse(suite, spent, tuning, file)
    points: dict[str, Point] = {}
    tried: list[tuple[Entry, str]] = []
    sizes: dict[int, str] = {}
    asked = None if only is None else {name.casefold() for name in only}
    known = {entry.name.casefold() for entry in suite.entries}
    suite.chosen_under(budget, None if asked is None else asked & known)
    for entry in (one for one in suite.chosen_under(budget) if one.released is None):
        grid = grid_for(suite, entry, spent, tuning)
        settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        if asked is None or entry.name.casefold() in asked:
            sizes.setdefault(len(settings), entry.name)
        for at in settings:
            name = f"{entry.name}: {label(at)}"
            points[name] = Point(entry.name, at)
            tried.append((entry, name))
    if len(sizes) > 1:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise OptionError(
            f"{file}: {first} is tried with {counted(one, 'setting')} and {second} with {other}; every entry must get "
            "the same number: change --grid or --grid-with-lambda, or grid or grid_with_lambda of [tuning]"
        )
    entries, options, faults = altered(tried, {name: point.settings for name, point in points.items()}, spent)
    if faults:
        raise suite_error(file, [Mistake(("tuning",), f"{name}: {one.text}") for name, one in faults], {})
    models = {name: table for name, table in spent.models.items() if any(one.model == name for one, _ in tried)}
    changed = {"seeds": (), "models": models, "entries": options, "without": {}, "tuned": None}
    made = TuningSuite.model_validate(
        {
            "schema": suite.schema_,
            "name": f"{suite.name}-tuning",
            "title": f"{suite.title} (tuning)",
            "description": (
                f"Each trained entry of {suite.name} with the settings of a grid, as many for each, measured on "
                "validation images that are cut from the training sets. No test image was looked at."
            ),
            "task": suite.task,
            "data": suite.data,
            "seeds": tuning.seeds,
            "training": suite.training,
            "budgets": {budget: spent.model_copy(update=changed)},
            "entries": entries,
            "points": points,
            "tuned_name": suite.name,
        },
        context=Reading(networks=False),  # all parts were checked where they came from
    )
    if wrong := contradictions(made, networks=networks):
        raise suite_error(file, [Mistake(("tuning",), named(one, entries)) for one in wrong], {})
    return made


def _refuse(suite: Suite, spent: Budget, tuning: Tuning, file: str) -> None:
    if all(entry.released is not None for entry in suite.entries):
        raise OptionError(f"{file}: all entries have released weights; there is nothing to tune")
    seen = {*suite.seeds, *(seed for budget in suite.budgets.values() for seed in budget.seeds)}
    if both := seen & set(tuning.seeds):
        raise OptionError(
            f"{file}: seed {min(both)} is one of the comparison, and settings that it chose would be best for it; "
            "tuning has seeds of its own: --seeds 1000,1001, or seeds in [tuning]"
        )
    validation = suite.data_for(spent).validation
    if validation is None or validation.cut is None:
        raise OptionError(
            f"{file}: there is nothing to choose settings by: set validation in [data] to images that are cut from the "
            "training sets, such as { cut = 4 }"
        )
    if isinstance(suite, VariedSuite):
        varied = {field for one in suite.variations.values() for field in one.changes}
        grids = (grid_for(suite, entry, spent, tuning) for entry in suite.entries)
        if both_fields := varied & {field for grid in grids for field in grid}:
            raise OptionError(
                f"{file}: the ablation varies {min(both_fields)} itself; leave it out of the grid: --grid, or [tuning]"
            )


def grid_for(suite: Suite, entry: Entry, budget: Budget, tuning: Tuning) -> dict[str, tuple[Any, ...]]:
    """What is tried for an entry: field → values.

    Args:
        suite: of the entry.
        entry: one that is trained.
        budget: of the suite.
        tuning: the suite's, or what was asked for in its place.
    """
    with_lambda = suite.learns_lambda(entry, budget)
    stated = tuning.grid_with_lambda if with_lambda else tuning.grid
    return usual_grid(suite, entry, budget, with_lambda=with_lambda) if stated is None else dict(stated)


def usual_grid(suite: Suite, entry: Entry, budget: Budget, *, with_lambda: bool) -> dict[str, tuple[Any, ...]]:
    """Eight settings around an entry's own: two starts, and four learning rates, or two with two starts of λ.

    λ starts at sigmoid(-9) ≈ 0.0001, as published, or at sigmoid(-2) ≈ 0.1.
    """
    settings = suite.settings_for(entry, budget)
    starts = _two(settings.start, "torch", "authors")
    rates = (1, 2) if with_lambda else (0.5, 1, 2, 4)
    grid: dict[str, tuple[Any, ...]] = {LR: tuple(float(f"{settings.lr * factor:.6g}") for factor in rates)}
    grid[START] = starts
    if with_lambda:
        own = suite.options_for(entry, budget).get("operator_options") or {}
        grid[LAMBDA] = _two(own.get("lam_offset", -9.0), -9.0, -2.0)
    return grid


def _two(own: Any, *others: Any) -> tuple[Any, Any]:
    return own, next(other for other in others if other != own)


def label(settings: Mapping[str, Any]) -> str:
    """Settings in words: ``lr = 0.002, start = kair``."""
    said = ((path.rpartition(".")[2], value) for path, value in settings.items())
    return ", ".join(f"{name} = {value if isinstance(value, str) else shown(value)}" for name, value in said)


def altered(
    entries: Iterable[tuple[Entry, str]], settings: Mapping[str, Mapping[str, Any]], budget: Budget
) -> tuple[tuple[Entry, ...], dict[str, Options], list[tuple[str, Mistake]]]:
    """Entries with other settings.

    Args:
        entries: pairs of an entry and its new name.
        settings: new name → field → value.
        budget: under which.

    Returns:
        The entries, the options of each under the budget, and pairs of a new name and what is wrong with its settings.
    """
    made, options, faults = [], {}, []
    for entry, name in entries:
        change = Change("", {tuple(path.split(".")): value for path, value in settings[name].items()}, (), {})
        own = {key: getattr(entry.training, key) for key in entry.training.model_fields_set}
        changed = change.part("options")
        options[name] = merged(budget.entries.get(entry.name, {}), changed)
        try:
            training = TrainingTable.model_validate({**own, **change.part("training")})
        except ValidationError as error:
            faults += [
                (name, replace(one, text=f"training.{one.where[0]}: {one.text}"))
                for one in mistakes(error, TrainingTable)
            ]
            continue
        own_options = merged(entry.options, changed)  # so that the network counts as the one that the entry describes
        made.append(entry.model_copy(update={"name": name, "training": training, "options": own_options}))
    return tuple(made), options, faults


def named(mistake: Mistake, entries: Sequence[Entry]) -> str:
    """What a check found, with the name of its entry in the place of a number.

    Args:
        mistake: in a suite.
        entries: of the suite.
    """
    match mistake.where:
        case ("entries", int() as index, *rest):
            return f"{entries[index].name}: {'.'.join(map(str, rest)).removeprefix('options.')}: {mistake.text}"
        case ("budgets", _, "entries", str() as name, *rest):
            return f"{name}: {'.'.join(map(str, rest))}: {mistake.text}"
    return mistake.text
