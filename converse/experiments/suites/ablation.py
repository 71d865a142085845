"""Ablations: what such a file may say, and the suite of a base entry and its variants that it stands for.

An ablation names a base entry, and fields of it with their values; docs/ablations.md shows one. What a variant changes
stands after all that a budget says of the base entry, and the checks of suites apply to it.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, InstanceOf, ValidationError

from converse.errors import OptionError, unknown
from converse.experiments.suites import vocabulary
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.errors import Mistake, Where, mistakes, refuse, shown
from converse.experiments.suites.operator_names import named
from converse.experiments.suites.plans import RunPlan, TrainingTable, Variation
from converse.experiments.suites.tables import (
    HEADS,
    MOST_ENTRIES,
    Budget,
    Comparison,
    Contrast,
    Entry,
    FieldPath,
    Suite,
    merged,
)
from converse.experiments.suites.vocabulary import Decibels, Options, Reading, Schema, Seeds, Slug, Table, Text, Values

LARGEST_GRID = 200
"""More variants than this of one base entry are a slip of the finger."""


def _published(value: str) -> str:
    tables = vocabulary.ablation_rows()
    if value not in tables:
        raise refuse(f"{unknown('table', value, tables)} (tables [ablation.…] of reports/published.toml)")
    return value


Labels = Annotated[tuple[Text, ...], Field(strict=False)]
Rows = Annotated[tuple[str, ...], Field(strict=False)]


class Base(Table):
    """``[base]``: where the ablation starts from.

    Attributes:
        suite: the name of a suite that comes with converse, or a TOML file.
        entry: one that it trains.
        published: the row of the published table that it is itself.
    """

    suite: Text = Field(description="the name of a suite, or a TOML file")
    entry: Text = Field(description="the name of an entry of that suite")
    published: str | None = None


class Vary(Table):
    """``[[vary]]``: one field and its values, or a grid of several.

    Attributes:
        field: the path of a field of the entry.
        values: what it takes.
        grid: in place of both, several fields and the values of each; all combinations are made.
        labels: one name per value, in tables.
        published: one row of the published table per value; by default the row of the label, if there is one.
    """

    field: FieldPath | None = None
    values: Values | None = None
    grid: dict[FieldPath, Values] | None = None
    labels: Labels | None = None
    published: Rows | None = None

    @property
    def axes(self) -> dict[str, tuple[Any, ...]]:
        """Field → values; one in all but grids."""
        return dict(self.grid) if self.grid else {self.field or "": self.values or ()}


class Variant(Table):
    """``[[variants]]``: one variant that differs from the base entry in any number of fields.

    Attributes:
        label: its name in tables.
        set: what it changes: ``set.options.design.norm = false``.
        published: row of the published table; by default the row of the label, if there is one.
    """

    label: Text = Field(description="the name of the variant in tables")
    set: Options = Field(description="what it changes, such as set.options.design.norm = false")
    published: str | None = None


class Ablation(Table):
    """An ablation file; its baseline is the base entry, where that has a row of the published table."""

    schema_: Schema = Field(alias="schema", description="1, the version of this format")
    name: Slug = Field(description="a short name, such as padding")
    title: Text = Field(description="a heading")
    description: str = ""
    base: Base = Field(description="a table with suite and entry")
    seeds: Seeds = ()
    published: Annotated[str, AfterValidator(_published)] | None = None
    baseline_within: Decibels | None = None
    vary: Annotated[tuple[Vary, ...], Field(strict=False)] = ()
    variants: Annotated[tuple[Variant, ...], Field(strict=False)] = ()
    comparisons: Annotated[tuple[Comparison, ...], Field(strict=False)] = ()

    def changes(self) -> list[Change]:
        """All variants, in the order of the file; for an ablation without `own_mistakes`."""
        changes = [change for index, vary in enumerate(self.vary) for change in _changes_of(index, vary)]
        changes += [_change_of(index, variant) for index, variant in enumerate(self.variants)]
        return changes

    def published_row(self, row: str | None) -> tuple[str, str] | None:
        """Table and row of ``reports/published.toml``, if there is this row."""
        if self.published is None or row not in vocabulary.ablation_rows()[self.published]:
            return None
        return f"ablation.{self.published}", row


@dataclass(frozen=True)
class Change:
    """One variant: what it is called, what it changes, and where the file says so.

    Attributes:
        label: its name.
        fields: path → value; the path as a tuple, ``("options", "design", "norm")``.
        where: of the variant in the file.
        places: path → where its value stands in the file.
        published: row of the published table, if the file names one.
    """

    label: str
    fields: Mapping[tuple[str, ...], Any]
    where: Where
    places: Mapping[tuple[str, ...], Where]
    published: str | None = None

    @property
    def row_at(self) -> Where:
        """Where the file names the published row."""
        return (*self.where[:2], "published", *self.where[3:])

    def part(self, head: str) -> dict[str, Any]:
        """What it changes under a head, as a nested table: of ``options`` ``{"design": {"norm": False}}``."""
        table: dict[str, Any] = {}
        for path, value in self.fields.items():
            if path[0] != head:
                continue
            inner = table
            for step in path[1:-1]:
                inner = inner.setdefault(step, {})
            inner[path[-1]] = value
        return table

    def place(self, rest: Where) -> Where:
        """Where in the file the value stands that is wrong at this path of the entry."""
        for path, where in self.places.items():
            if path == tuple(rest[: len(path)]):
                return (*where, *rest[len(path) :])
        inside = [where for path, where in self.places.items() if rest and path[: len(rest)] == tuple(rest)]
        return inside[0] if inside else self.where


def own_mistakes(ablation: Ablation) -> Iterator[Mistake]:
    """What an ablation may not say, whatever its base is.

    Args:
        ablation: each of its values is in order.

    Yields:
        One mistake each.
    """
    if not ablation.vary and not ablation.variants:
        yield Mistake((), "it varies nothing; expected at least one table [[vary]] or [[variants]]")
    whole = True
    for index, vary in enumerate(ablation.vary):
        faults = list(_shape(vary, ("vary", index)))
        yield from faults
        whole = whole and not faults
    for index, variant in enumerate(ablation.variants):
        faults = list(_heads(variant, ("variants", index, "set")))
        yield from faults
        whole = whole and not faults
    variants = len(ablation.variants) + sum(_count(vary) for vary in ablation.vary)
    if whole and variants >= MOST_ENTRIES:
        yield Mistake(
            ("vary" if ablation.vary else "variants",),
            f"makes {variants:,} variants in all; at most {MOST_ENTRIES - 1:,} are allowed beside the base entry",
        )
    elif whole:
        yield from _names(ablation)


def _shape(vary: Vary, where: Where) -> Iterator[Mistake]:
    """Field and values, or a grid; as many labels as values."""
    if vary.grid is None:
        for key, what in (("field", 'the path of a field, such as "options.kernel_size"'), ("values", "a list")):
            if getattr(vary, key) is None:
                yield Mistake((*where, key), f"missing; expected {what} (or grid in place of field and values)")
                return
    elif vary.field is not None or vary.values is not None:
        yield Mistake((*where, "grid"), "stands in place of field and values; leave those out, or the grid")
        return
    elif not vary.grid:
        yield Mistake((*where, "grid"), "came {}; expected at least one field with its values")
        return
    whole = _count(vary)
    for path in vary.axes:
        if outer := next((other for other in vary.axes if path.startswith(f"{other}.")), None):
            yield Mistake((*where, "grid", path), f"lies inside {outer}, which is varied too")
    if whole > LARGEST_GRID:
        yield Mistake(where, f"makes {whole:,} variants; at most {LARGEST_GRID} are allowed")
    for key, given in (("labels", vary.labels), ("published", vary.published)):
        if given is not None and len(given) != whole:
            yield Mistake((*where, key), f"came {len(given)} of them; expected {whole}, one for each value")


def _count(vary: Vary) -> int:
    """How many variants a table makes."""
    return math.prod(len(values) for values in vary.axes.values())


def _heads(variant: Variant, where: Where) -> Iterator[Mistake]:
    if not variant.set:
        yield Mistake(where, "changes nothing; expected fields, such as set.options.design.norm = false")
    for key, value in variant.set.items():
        if key not in HEADS:
            yield Mistake((*where, key), unknown("part of an entry", key, HEADS))
        elif key != "operator" and not isinstance(value, dict):
            yield Mistake((*where, key), f"came {shown(value)}; expected a table")
        elif key == "training":
            for setting in value:
                if setting not in TrainingTable.model_fields:
                    text = unknown("setting of training", setting, TrainingTable.model_fields)
                    yield Mistake((*where, key, setting), text)


def _names(ablation: Ablation) -> Iterator[Mistake]:
    """Each label once, and none of the base entry; rows that the published table has."""
    seen: dict[str, int] = {ablation.base.entry.casefold(): 0}
    for number, change in enumerate(ablation.changes(), 1):
        first = seen.setdefault(change.label.casefold(), number)
        if first != number:
            owner = f"variant {first}" if first else "the base entry"
            yield Mistake(change.where, f"is called {shown(change.label)}; {owner} has this name already")
        yield from _row(ablation, change.published, change.row_at)
    yield from _row(ablation, ablation.base.published, ("base", "published"))


def _row(ablation: Ablation, row: str | None, where: Where) -> Iterator[Mistake]:
    if row is None:
        return
    if ablation.published is None:
        yield Mistake(where, "the ablation names no published table; set published at the top")
    elif row not in (rows := vocabulary.ablation_rows()[ablation.published]):
        yield Mistake(where, unknown(f"row of ablation.{ablation.published}", row, rows))


def _changes_of(index: int, vary: Vary) -> Iterator[Change]:
    axes = vary.axes
    for number, chosen in enumerate(itertools.product(*(enumerate(values) for values in axes.values()))):
        fields, places = {}, {}
        for path, (position, value) in zip(axes, chosen, strict=True):
            steps = tuple(path.split("."))
            fields[steps] = value
            inside: Where = ("grid", path) if vary.grid else ("values",)
            places[steps] = ("vary", index, *inside, position)
        labels = vary.labels or ()
        label = labels[number] if labels else " and ".join(_label(steps, value) for steps, value in fields.items())
        where = ("vary", index) if vary.grid else ("vary", index, "values", number)
        yield Change(label, fields, where, places, vary.published[number] if vary.published else None)


def _change_of(index: int, variant: Variant) -> Change:
    where: Where = ("variants", index)
    fields = dict(_leaves(variant.set, ()))
    return Change(variant.label, fields, where, {path: (*where, "set", *path) for path in fields}, variant.published)


def _leaves(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value and (*path, key) != ("operator",):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _label(path: tuple[str, ...], value: Any) -> str:
    """A word is its own name; a number needs that of its field."""
    return value if isinstance(value, str) else f"{path[-1]} = {shown(value)}"


class VariedSuite(Suite):
    """The suite that an ablation stands for.

    Attributes:
        variations: name of the entry → where it stands in the ablation.
    """

    variations: dict[str, InstanceOf[Variation]] = Field(default_factory=dict)

    def published_place(self, entry: str) -> tuple[str, str] | None:
        """Table and row of ``reports/published.toml`` that a variant's numbers are held against, if there is one."""
        return self.variations[entry].published

    def _contrasts(self) -> tuple[Contrast, ...]:
        """Those that are stated; otherwise every variant against the base entry."""
        if self.comparisons:
            return tuple(one._replace(label=self.variations[one.entry].label) for one in super()._contrasts())
        return tuple(
            Contrast(name, variation.base, variation.label)
            for name, variation in self.variations.items()
            if name != variation.base
        )

    def _plans(self, entry: Entry, *rest: Any) -> list[RunPlan]:
        return [replace(plan, variation=self.variations[entry.name]) for plan in super()._plans(entry, *rest)]

    def chosen(self, only: Iterable[str] | None = None) -> tuple[Entry, ...]:
        """A variant may be called by its label alone."""
        labels = {variation.label.casefold(): name for name, variation in self.variations.items()}
        return super().chosen(None if only is None else [labels.get(name.casefold(), name) for name in only])


def base_entry(ablation: Ablation, base: Suite) -> Entry | Mistake:
    """The entry that an ablation starts from, or why there is none.

    Args:
        ablation: names it.
        base: the suite that it names.

    Returns:
        An entry that is trained.
    """
    names = {entry.name.casefold(): entry for entry in base.entries}
    entry = names.get(ablation.base.entry.casefold())
    if entry is None:
        text = unknown(f"entry of {base.name}", ablation.base.entry, [entry.name for entry in base.entries])
        return Mistake(("base", "entry"), text)
    if entry.released is not None:
        return Mistake(("base", "entry"), f"{entry.name} has released weights; expected an entry that is trained")
    return entry


def varied(
    ablation: Ablation, base: Suite, entry: Entry, *, folder: Path, networks: bool
) -> tuple[VariedSuite | None, list[Mistake]]:
    """Make the suite, and check it as suites are checked.

    Args:
        ablation: in order by itself.
        base: the suite that it names.
        entry: that it names.
        folder: where relative paths start.
        networks: judge what only torch's modules know, too.

    Returns:
        The suite, or ``None`` and at least one mistake, each at its place in the ablation.
    """
    changes = {f"{entry.name}: {change.label}": _spread(change, folder) for change in ablation.changes()}
    entries: list[Entry] = [entry]
    faults: list[Mistake] = []
    for name, change in changes.items():
        try:
            entries.append(
                Entry.model_validate(_document(entry, name, change), context=Reading(folder, networks=networks))
            )
        except ValidationError as error:
            faults += [Mistake(change.place(mistake.where), mistake.text) for mistake in mistakes(error, Entry)]
    if faults:
        return None, _gathered(faults, ablation)
    own = Variation(ablation.name, entry.name, entry.name, {}, ablation.published_row(ablation.base.published))
    suite = VariedSuite.model_validate(
        {
            "schema": ablation.schema_,
            "name": ablation.name,
            "title": ablation.title,
            "description": ablation.description,
            "task": base.task,
            "data": base.data,
            "seeds": ablation.seeds or base.seeds,
            "training": base.training,
            "budgets": {
                name: _budget(budget, entry, changes)
                for name, budget in base.budgets.items()
                if entry.name not in budget.without
            },
            "published": base.published,
            "baseline": entry.name if own.published else None,
            "baseline_within": ablation.baseline_within or base.baseline_within,
            "tuning": base.tuning,
            "entries": entries,
            "comparisons": [_by_name(comparison, changes) for comparison in ablation.comparisons],
            "variations": {entry.name: own}
            | {name: _variation(ablation, entry, change) for name, change in changes.items()},
        },
        context=Reading(folder, networks=False),  # all parts were checked where they came from
    )
    for mistake in contradictions(suite, networks=networks):
        match mistake.where:
            case ("entries", int() as index, *rest) if index:
                where = list(changes.values())[index - 1].place(tuple(rest))
            case ("budgets", _, "entries", str() as name, *rest) if name in changes:
                where = changes[name].place(("options", *rest))
            case ("comparisons", *_):
                where = mistake.where
            case _:
                where = ()
        faults.append(Mistake(where, mistake.text))
    return (None if faults else suite), _gathered(faults, ablation)


def _by_name(comparison: Comparison, changes: Mapping[str, Change]) -> Comparison:
    """A comparison of variants that are called by their labels alone."""
    names = {change.label.casefold(): name for name, change in changes.items()}

    def whole(name: str) -> str:
        return names.get(name.casefold(), name)

    baseline = None if comparison.baseline is None else whole(comparison.baseline)
    return Comparison(entry=whole(comparison.entry), against=tuple(map(whole, comparison.against)), baseline=baseline)


def _spread(change: Change, folder: Path) -> Change:
    """The same change with the options that stand with an operator's name as fields of their own."""
    path = ("operator",)
    given = change.fields.get(path)
    if not isinstance(given, str | Mapping):
        return change
    try:
        chosen = named(given, folder)
        options = dict(_leaves({"options": chosen.options_of_model()}, ()))
    except OptionError:
        return change  # what is wrong is said where the entry is made of it
    if not chosen.options:
        return change
    fields = {**options, **change.fields, path: chosen.operator}
    return replace(change, fields=fields, places={**dict.fromkeys(options, change.places[path]), **change.places})


def _document(entry: Entry, name: str, change: Change) -> dict[str, Any]:
    own = {key: getattr(entry.training, key) for key in entry.training.model_fields_set}
    document: dict[str, Any] = {
        "name": name,
        "model": entry.model,
        "options": merged(entry.options, change.part("options")),
        "training": {**own, **change.part("training")},
    }
    operator = change.fields.get(("operator",), entry.operator)
    return document if operator is None else {**document, "operator": operator}


def _budget(budget: Budget, entry: Entry, changes: dict[str, Change]) -> Budget:
    """The same budget for the base entry alone, and for variants that change what they change after it."""
    own = budget.entries.get(entry.name, {})
    variants = {name: merged(own, change.part("options")) for name, change in changes.items()}
    models = {model: options for model, options in budget.models.items() if model == entry.model}
    entries = {**({entry.name: own} if own else {}), **{name: options for name, options in variants.items() if options}}
    return budget.model_copy(update={"models": models, "entries": entries, "without": {}, "tuned": None})


def _variation(ablation: Ablation, entry: Entry, change: Change) -> Variation:
    fields = {".".join(path): value for path, value in change.fields.items()}
    return Variation(
        ablation.name, entry.name, change.label, fields, ablation.published_row(change.published or change.label)
    )


def _gathered(faults: list[Mistake], ablation: Ablation) -> list[Mistake]:
    """What is said of every value of a field is a mistake of the field, and is said once."""
    times = Counter((mistake.where[:2], mistake.text) for mistake in dict.fromkeys(faults))
    gathered = []
    for mistake in faults:
        where = mistake.where
        if where[:1] == ("vary",) and "values" in where:
            whole = len(ablation.vary[int(where[1])].values or ())
            if whole > 1 and times[where[:2], mistake.text] == whole:
                where = (*where[:2], "field")
        gathered.append(Mistake(where, mistake.text))
    return list(dict.fromkeys(gathered))
