"""The tables of a suite file, and how they merge into plans.

Later wins: ``[training]`` ← the recipe that ``[budgets.B]`` names ← ``[budgets.B]`` ← an entry's ``training``; an
entry's ``options`` ← ``[budgets.B.options]`` ← ``[budgets.B.models.M]`` ← ``[budgets.B.entries.E]``; ``[data]`` ←
``[budgets.B.data]``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from converse.data.noise_levels import noise_levels
from converse.data.tasks import TASKS, TaskName
from converse.errors import OptionError, unknown
from converse.experiments.suites import vocabulary
from converse.experiments.suites.errors import refuse, refuse_inside, shown
from converse.experiments.suites.plans import (
    RunPlan,
    TrainingSettings,
    TrainingTable,
    Validation,
    resolved_options,
    too_many_trials,
)
from converse.experiments.suites.recipes import RecipeName, load_recipe
from converse.experiments.suites.vocabulary import (
    Datasets,
    Decibels,
    File,
    Images,
    ModelName,
    NoiseLevels,
    OperatorName,
    Options,
    PublishedTable,
    ReleasedName,
    Schema,
    Seeds,
    Slug,
    Table,
    Text,
    Values,
    image_source,
    some,
)
from converse.experiments.trials import BUDGETS, BudgetName

BASELINE_WITHIN: Final = 0.3
"""dB by which a suite's baseline may miss its published value, unless the suite says otherwise."""

MOST_ENTRIES: Final = 500
"""Entries of a suite, variants of an ablation. Each network is built once before anything is trained."""


HEADS: Final = ("operator", "options", "training")
"""What of an entry can be varied."""


_VARIED: Final = ("options.kernel_size", "options.operator_options.eps", "training.lr", "operator")
_TUNED: Final = ("training.lr", "training.start", "options.operator_options.lam_offset")
"""Fields that messages name as examples."""


def _field(value: str, examples: Sequence[str] = _VARIED) -> str:
    head, _, rest = value.partition(".")
    parts = value.split(".")
    whole = head == "operator" and not rest
    inside = (head == "options" or (head == "training" and len(parts) == 2)) and len(parts) > 1 and all(parts)
    if not whole and not inside:
        *others, last = (shown(one) for one in examples)
        said = f"expected the path of a field, such as {', '.join(others)} or {last}"
        raise refuse(f"came {shown(value)}; {_meant(value, examples)}{said}")
    if head == "training" and rest not in TrainingTable.model_fields:
        raise refuse(unknown("setting of training", rest, TrainingTable.model_fields))
    return value


def _meant(value: str, examples: Sequence[str]) -> str:
    """The path that was probably meant, as a question: one that ends so, or is spelt nearly so; empty for none."""
    paths = list(dict.fromkeys([*(f"training.{name}" for name in TrainingTable.model_fields), *examples]))
    near = [path for path in paths if path.endswith(f".{value}")] or difflib.get_close_matches(value, paths, 1, 0.8)
    return f"did you mean {shown(near[0])}? " if near else ""


FieldPath = Annotated[str, AfterValidator(_field)]
"""Where a field of an entry stands: ``options.operator_options.eps``."""


class DataTable(Table):
    """``[budgets.B.data]``: what it leaves out stays as in ``[data]``.

    Attributes:
        train: datasets to train on, without the images of published test sets.
        test: datasets to test on.
        validation: images to watch the training by.
        leave_out: datasets whose images are not trained on either.
        overlap: why images may be trained on and tested on; empty where they may not.
        noise_levels: at which test images are measured beside the task's own level, of 255; trainings do not change.
    """

    train: Datasets = ()
    test: Datasets = ()
    validation: Validation | None = None
    leave_out: Datasets = ()
    overlap: Text = ""
    noise_levels: NoiseLevels = ()


class Data(DataTable):
    """``[data]``: as in a budget, with `train` and `test` for certain."""

    train: Datasets = Field(description="a list of datasets")
    test: Datasets = Field(description="a list of datasets")


class Entry(Table):
    """``[[entries]]``, one row of the table that the suite makes: a network to train, or released weights to load.

    Attributes:
        name: as tables have it.
        model: a key of ``MODELS``.
        operator: what goes into the blocks of the model, if it has a place for it; options may stand with its name.
        options: of the model.
        training: settings of this entry alone.
        released: name of released weights, in place of the four above.
        published: row of the published table; by default the row of the entry's name, if there is one.
    """

    name: Text = Field(description="the name of the entry in tables")
    model: ModelName | None = None
    operator: OperatorName | None = None
    options: Options = Field(default_factory=dict)
    training: TrainingTable = TrainingTable()
    released: ReleasedName | None = None
    published: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _options_beside_the_name(cls, table: Any, info: ValidationInfo) -> Any:
        """What stands with the operator's name goes to the options, where the same may stand."""
        given = table.get("operator") if isinstance(table, Mapping) else None
        if not isinstance(given, Mapping) and not (isinstance(given, str) and "?" in given):
            return table
        options = table.get("options", {})
        try:
            chosen = vocabulary.operator(given, info)
            own = chosen.options_of_model()
        except OptionError as error:
            raise refuse_inside([("operator", str(error))]) from None
        if isinstance(options, Mapping):
            if twice := _in_both(own, options):
                text = f"came {shown(given)}; options says {twice} too: leave it out in one of the two places"
                raise refuse_inside([("operator", text)])
            options = merged(options, own)
        return {**table, "operator": chosen.operator, "options": options}


class Budget(TrainingTable):
    """``[budgets.B]``, how much is spent: training settings, and what else changes with them.

    Attributes:
        recipe: name of a recipe, whose settings stand in for those of ``[training]``; the budget's own come after it.
        seeds: in place of the suite's.
        images: the first so many of each test set, or all.
        data: in place of the suite's, key by key.
        options: of every model.
        models: options of one model each, by its name.
        entries: options of one entry each, by its name.
        without: entries that are not trained under it, by name → why.
        tuned: a file that `converse tune` wrote: every entry has the settings in it, over all others.
    """

    recipe: RecipeName | None = None
    seeds: Seeds = ()
    images: Images | None = None
    data: DataTable = DataTable()
    options: Options = Field(default_factory=dict)
    models: dict[ModelName, Options] = Field(default_factory=dict)
    entries: dict[str, Options] = Field(default_factory=dict)
    without: dict[str, Text] = Field(default_factory=dict)
    tuned: File | None = None


def _one_at_least(budgets: dict[BudgetName, Budget]) -> dict[BudgetName, Budget]:
    if not budgets:
        raise refuse(f"there is none; expected at least one of the tables {', '.join(BUDGETS)}")
    return budgets


class Contrast(NamedTuple):
    """A difference that a suite is about: entry − base.

    Attributes:
        entry: name of the entry.
        base: name of the entry that it is held against.
        label: what it stands for in a table: the value of an ablation, ``zero``, or else the entry's name.
    """

    entry: str
    base: str
    label: str


class Comparison(Table):
    """``[[comparisons]]``: one entry, and those that it is held against.

    Attributes:
        entry: name of the entry.
        against: names of others; the difference is entry − other.
        baseline: of these entries, in place of the suite's.
    """

    entry: Text = Field(description="the name of an entry")
    against: Annotated[tuple[Text, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="a list of names of entries"
    )
    baseline: Text | None = None


_SPENT: Final = ("steps", "patch", "batch")
"""Settings that are the budget: whoever tries others of them spends more or less."""


def _tuned_fields(table: dict[str, Any]) -> dict[str, Any]:
    for field in table:
        head, _, rest = _field(field, _TUNED).partition(".")
        if rest in _SPENT or (head != "training" and not rest.startswith("operator_options.")):
            raise refuse(
                f"{field} makes another network or another budget; expected fields such as training.lr, training.start "
                "and options.operator_options.lam_offset"
            )
    if not table:
        raise refuse('came {}; expected fields, such as "training.lr"')
    return table


Grid = Annotated[dict[str, Values], AfterValidator(_tuned_fields)]
"""Field → values; all combinations are tried."""

Settings = Annotated[Options, AfterValidator(_tuned_fields)]
"""Field → value: a point of a grid."""


class Tuning(Table):
    """``[tuning]``: what `converse tune` tries for each entry.

    Attributes:
        seeds: of its trials; none that the suite has.
        grid: for entries without a learnt λ; ``None`` for that of `converse.experiments.suites.tuning.usual_grid`.
        grid_with_lambda: for those with one, with as many combinations.
    """

    seeds: Seeds = (1000, 1001)
    grid: Grid | None = None
    grid_with_lambda: Grid | None = None


class Suite(Table):
    """A suite file that was read and found in order.

    Of its keys, `baseline` is the entry whose published value has to be met, within `baseline_within` dB, before a
    training here may judge the paper (:mod:`converse.analysis.qualification`); no weights follow from either.
    """

    schema_: Schema = Field(alias="schema", description="1, the version of this format")
    name: Slug = Field(description="a short name, such as denoising")
    title: Text = Field(description="a heading")
    description: str = ""
    task: TaskName = Field(description=f"one of {', '.join(TASKS)}")
    data: Data = Field(description="a table with train and test")
    seeds: Seeds = Field(description="a list of seeds, such as [0, 1, 2]")
    training: TrainingTable = TrainingTable()
    budgets: Annotated[dict[BudgetName, Budget], AfterValidator(_one_at_least)] = Field(
        description=f"a table [budgets.NAME] for at least one of {', '.join(BUDGETS)}"
    )
    published: PublishedTable | None = None
    baseline: Text | None = None
    baseline_within: Decibels = BASELINE_WITHIN
    entries: Annotated[tuple[Entry, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="at least one table [[entries]]"
    )
    comparisons: Annotated[tuple[Comparison, ...], Field(strict=False)] = ()
    tuning: Tuning = Tuning()

    def resolve(
        self,
        budget: str,
        *,
        seeds: Iterable[int] | None = None,
        only: Iterable[str] | None = None,
        datasets: Iterable[str] | None = None,
        images: int | None = None,
    ) -> list[RunPlan]:
        """What a run does, with everything merged.

        Args:
            budget: one that the suite has.
            seeds: in place of the suite's, each ≥ 0.
            only: these entries alone, in any case; in the suite's order.
            datasets: these test sets in place of the suite's: names, or folders from the working directory.
            images: the first so many images of each test set, ≥ 1, in place of the budget's.

        Returns:
            For every entry that the budget trains one plan per seed, or a single one where weights are released.

        Raises:
            OptionError: the suite has no such budget or entry, the budget leaves the entry out, or a seed or number of
                images is out of range.
            DataError: there is no such test set.
        """
        spent = self.budget(budget)
        if images is not None and images < 1:
            raise OptionError(f"at least 1 image of each test set must be taken, got {images}")
        data = self.data_for(spent)
        test = data.test if datasets is None else self._test_sets(datasets, data)
        chosen = (spent.seeds or self.seeds) if seeds is None else _seeds(seeds)
        entries = self.chosen_under(budget, only)
        if text := too_many_trials(sum(entry.released is None for entry in entries), len(chosen)):
            raise OptionError(f"suite {self.name!r}: {text}")
        return [
            plan
            for entry in entries
            for plan in self._plans(entry, budget, spent, data, test, chosen, images or spent.images)
        ]

    def budget(self, name: str) -> Budget:
        """The table of a budget.

        Raises:
            OptionError: the suite has no such budget.
        """
        found = next((table for known, table in self.budgets.items() if known == name), None)
        if found is None:
            raise OptionError(f"suite {self.name!r}: {unknown('budget', name, self.budgets)}")
        return found

    def contrasts(self, only: Iterable[str] | None = None) -> tuple[Contrast, ...]:
        """The differences that the suite is about.

        Args:
            only: as for `resolve`: differences of these entries alone.

        Returns:
            Those of ``[[comparisons]]``; without such a table, every entry against the first.

        Raises:
            OptionError: the suite has no such entry.
        """
        chosen = {entry.name for entry in self.chosen(only)}
        return tuple(
            contrast
            for contrast in self._contrasts()
            if contrast.entry in chosen and (only is None or contrast.base in chosen)
        )

    def published_place(self, entry: str) -> tuple[str, str] | None:
        """Table and row of ``reports/published.toml`` that an entry's numbers are held against, if there is one."""
        row = next((self.published_row(candidate) for candidate in self.entries if candidate.name == entry), None)
        return None if row is None or self.published is None else (self.published, row)

    @property
    def baselines(self) -> dict[str, str]:
        """Entry → its baseline, of those that have one: that of a comparison that it is in, or the suite's."""
        names = {entry.name.casefold(): entry.name for entry in self.entries}
        found = dict.fromkeys(names, self.baseline)
        for one in self.comparisons:
            if one.baseline is not None:
                found |= dict.fromkeys(map(str.casefold, (one.entry, *one.against)), one.baseline)
        return {names[entry]: names[one.casefold()] for entry, one in found.items() if one is not None}

    def full_size(self, plan: RunPlan) -> bool:
        """Whether a plan has the network of its entry as the entry describes it, not changed by the budget."""
        own = next(entry.options for entry in self.entries if entry.name == plan.entry)
        if plan.released or own == plan.options:
            return True
        wanted, got = (resolved_options(plan.model, plan.operator, options) for options in (own, plan.options))
        return wanted == got

    def settings_for(self, entry: Entry, budget: Budget) -> TrainingSettings:
        """Training settings of an entry under a budget, merged.

        Raises:
            pydantic.ValidationError: merged, they contradict each other; never for a suite that `load_suite` gave.
        """
        recipe = TrainingTable() if budget.recipe is None else load_recipe(budget.recipe).for_task(self.task)
        tables = (self.training, recipe, budget, entry.training)
        merged = {
            key: getattr(table, key)
            for table in tables
            for key in TrainingTable.model_fields
            if key in table.model_fields_set
        }
        return TrainingSettings.model_validate(merged)

    def options_for(self, entry: Entry, budget: Budget) -> dict[str, Any]:
        """Options of an entry's model under a budget, merged; of a table of options in them key by key."""
        options: dict[str, Any] = {}
        of_model, of_entry = budget.models.get(entry.model or "", {}), budget.entries.get(entry.name, {})
        for over in (entry.options, budget.options, of_model, of_entry):
            options = merged(options, over)
        return options

    def learns_lambda(self, entry: Entry, budget: Budget) -> bool:
        """Whether an entry's operator learns a λ, whose start is a setting; of a user's operator it is not known."""
        known = vocabulary.operators()
        options = self.options_for(entry, budget).get("operator_options") or {}
        learns = (
            entry.operator is not None and entry.operator in known and "lam_offset" in known[entry.operator].options
        )
        return learns and options.get("lam") is None

    def data_for(self, budget: Budget) -> DataTable:
        """The data of the suite under a budget, merged."""
        changed = {key: getattr(budget.data, key) for key in budget.data.model_fields_set}
        return self.data.model_copy(update=changed)

    def published_row(self, entry: Entry) -> str | None:
        """The row of the published table that an entry is held against."""
        if self.published is None:
            return None
        row = entry.published or entry.name
        return row if row in vocabulary.published_rows()[self.published] else None

    def _contrasts(self) -> tuple[Contrast, ...]:
        return contrasts_of(self.comparisons, [entry.name for entry in self.entries])

    def _plans(
        self,
        entry: Entry,
        name: str,
        budget: Budget,
        data: DataTable,
        test: tuple[str, ...],
        seeds: tuple[int, ...],
        images: int | None,
    ) -> list[RunPlan]:
        if entry.released:
            weights = vocabulary.released()[entry.released]
            model, operator, options = weights.model, weights.operator, dict(weights.options)
        else:
            model, operator, options = entry.model or "", entry.operator, self.options_for(entry, budget)
        training, row = self.settings_for(entry, budget), self.published_row(entry)  # the same for all seeds
        levels = noise_levels(data.noise_levels, TASKS[self.task], f"suite {self.name!r}: data.noise_levels")
        return [
            RunPlan(
                suite=self.name,
                entry=entry.name,
                task=self.task,
                model=model,
                operator=operator,
                options=options,
                training=training,
                train=data.train,
                validation=data.validation,
                leave_out=data.leave_out,
                overlap=data.overlap,
                noise_levels=levels,
                test=test,
                images=images,
                budget=name,
                seed=seed,
                released=entry.released,
                published=row,
            )
            for seed in ((None,) if entry.released else seeds)
        ]

    def chosen(self, only: Iterable[str] | None = None) -> tuple[Entry, ...]:
        """Entries by name, in the suite's order.

        Args:
            only: names in any case; ``None`` for all.

        Raises:
            OptionError: the suite has no such entry.
        """
        if only is None:
            return self.entries
        names = {entry.name.casefold(): entry.name for entry in self.entries}
        wanted = set()
        for name in only:
            if name.casefold() not in names:
                raise OptionError(f"suite {self.name!r}: {unknown('entry', name, names.values())}")
            wanted.add(names[name.casefold()])
        return tuple(entry for entry in self.entries if entry.name in wanted)

    def chosen_under(self, budget: str, only: Iterable[str] | None = None) -> tuple[Entry, ...]:
        """Entries by name that a budget trains, in the suite's order.

        Args:
            budget: one that the suite has.
            only: names in any case; ``None`` for all that the budget trains.

        Raises:
            OptionError: the suite has no such budget or entry, or the budget leaves the entry out.
        """
        entries, without = self.chosen(only), self.budget(budget).without
        lacking = [entry.name for entry in entries if entry.name in without]
        if lacking and (only is not None or len(lacking) == len(entries)):
            names: list[str] = list(self.budgets)
            later = names[names.index(budget) :] + names  # a larger one, if there is one
            others = [name for name in later if not self.budget(name).without.keys() & set(lacking)]
            hint = f"; take another: --budget {others[0]}" if others else ""
            raise OptionError(
                f"suite {self.name!r}: budget {budget} is without {', '.join(lacking)}: {without[lacking[0]]}{hint}"
            )
        return tuple(entry for entry in entries if entry.name not in without)

    def not_trained(self, budget: str) -> tuple[str, ...]:
        """What there is to say of entries that a budget leaves out: a sentence for each reason.

        Raises:
            OptionError: the suite has no such budget.
        """
        without = self.budget(budget).without
        names = {why: [one.name for one in self.entries if without.get(one.name) == why] for why in without.values()}
        return tuple(f"budget {budget} is without {', '.join(those)}: {why}" for why, those in names.items())

    def _test_sets(self, datasets: Iterable[str], data: DataTable) -> tuple[str, ...]:
        test = tuple(dict.fromkeys(image_source(name, Path()) for name in datasets))
        for name in test:
            if name in data.train and not data.overlap:
                raise OptionError(
                    f"suite {self.name!r} trains on {name}: a network is not measured on what it has seen"
                )
        return test


def contrasts_of(comparisons: Sequence[Comparison], entries: Iterable[str]) -> tuple[Contrast, ...]:
    """The differences that a suite is about.

    Args:
        comparisons: as the suite states them; without any, every entry is held against the first.
        entries: names of the suite's entries, in its order.

    Returns:
        One per pair, in the order of the file.
    """
    names = {name.casefold(): name for name in entries}
    if not comparisons:
        first, *others = names.values()
        return tuple(Contrast(entry, first, entry) for entry in others)
    pairs = (
        (names[comparison.entry.casefold()], names[base.casefold()])
        for comparison in comparisons
        for base in comparison.against
    )
    return tuple(Contrast(entry, base, entry) for entry, base in dict.fromkeys(pairs))


def _seeds(seeds: Iterable[int]) -> tuple[int, ...]:
    chosen = tuple(seeds)
    wrong = [seed for seed in chosen if not 0 <= seed < 2**32]
    if wrong or not chosen:
        raise OptionError(f"seeds are whole numbers from 0 to {2**32 - 1}, at least one, got {list(chosen)}")
    return tuple(dict.fromkeys(chosen))


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Options under those that override them; tables in them key by key."""
    both = {key: merged(base[key], over[key]) for key in base.keys() & over.keys() if _tables(base[key], over[key])}
    return {**base, **over, **both}


def _in_both(left: Mapping[str, Any], right: Mapping[str, Any], path: str = "") -> str | None:
    """The path of a first option that both say something of."""
    for key in (key for key in left if key in right):
        if not _tables(left[key], right[key]):
            return f"{path}{key}"
        if inside := _in_both(left[key], right[key], f"{path}{key}."):
            return inside
    return None


def _tables(left: Any, right: Any) -> bool:
    return isinstance(left, Mapping) and isinstance(right, Mapping)
