"""A base suite and an ablation of one of its entries → a suite of the base entry and its variants.

What a variant changes stands after all that a budget says of the base entry, and the checks of suites apply to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import Field, InstanceOf, ValidationError

from converse.errors import unknown
from converse.experiments.suites.ablation import Ablation, Change
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.contrasts import Contrast
from converse.experiments.suites.errors import Mistake, mistakes
from converse.experiments.suites.fields import Reading
from converse.experiments.suites.plans import RunPlan, Variation
from converse.experiments.suites.tables import Budget, Entry, Suite, merged


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
        """Every variant against the base entry."""
        return tuple(
            Contrast(name, variation.base, variation.label)
            for name, variation in self.variations.items()
            if name != variation.base
        )

    def _plans(self, entry: Entry, *rest: Any) -> list[RunPlan]:
        return [replace(plan, variation=self.variations[entry.name]) for plan in super()._plans(entry, *rest)]

    def _chosen(self, only: Iterable[str] | None) -> tuple[Entry, ...]:
        """A variant may be called by its label alone."""
        labels = {variation.label.casefold(): name for name, variation in self.variations.items()}
        return super()._chosen(None if only is None else [labels.get(name.casefold(), name) for name in only])


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
    changes = {f"{entry.name}: {change.label}": change for change in ablation.changes()}
    entries: list[Entry] = [entry]
    found: list[Mistake] = []
    for name, change in changes.items():
        try:
            entries.append(
                Entry.model_validate(_document(entry, name, change), context=Reading(folder, networks=networks))
            )
        except ValidationError as error:
            found += [Mistake(change.place(mistake.where), mistake.text) for mistake in mistakes(error, Entry)]
    if found:
        return None, _gathered(found, ablation)
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
            "budgets": {name: _budget(budget, entry, changes) for name, budget in base.budgets.items()},
            "published": base.published,
            "entries": entries,
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
            case _:
                where = ()
        found.append(Mistake(where, mistake.text))
    return (None if found else suite), _gathered(found, ablation)


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
    return budget.model_copy(update={"models": models, "entries": entries})


def _variation(ablation: Ablation, entry: Entry, change: Change) -> Variation:
    fields = {".".join(path): value for path, value in change.fields.items()}
    return Variation(
        ablation.name, entry.name, change.label, fields, ablation.published_row(change.published or change.label)
    )


def _gathered(found: list[Mistake], ablation: Ablation) -> list[Mistake]:
    """What is said of every value of a field is a mistake of the field, and is said once."""
    said = Counter((mistake.where[:2], mistake.text) for mistake in dict.fromkeys(found))
    gathered = []
    for mistake in found:
        where = mistake.where
        if where[:1] == ("vary",) and "values" in where:
            whole = len(ablation.vary[int(where[1])].values or ())
            if whole > 1 and said[where[:2], mistake.text] == whole:
                where = (*where[:2], "field")
        gathered.append(Mistake(where, mistake.text))
    return list(dict.fromkeys(gathered))
