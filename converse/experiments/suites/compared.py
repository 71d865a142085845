"""A user's operator beside reverse, depthwise and transposed convolution: an ablation made in memory from a suite.

The base entry is the first that a suite trains with reverse convolution, and nothing but the operator in its blocks is
varied: what that stands for where an option is left out (upsampling) is stated, so that it stays. So the rivals are not
the suite's own counterparts, which may differ in more (docs/decisions.md), and what was trained for another operator's
comparison is the same training here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from converse.counted import counted
from converse.errors import OptionError
from converse.experiments.suites import vocabulary
from converse.experiments.suites.ablation import VariedSuite
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.errors import mistakes
from converse.experiments.suites.operator_names import OF_MODEL, Named
from converse.experiments.suites.plans import RunPlan, Variation
from converse.experiments.suites.tables import Budget, Comparison, Entry, Suite, merged
from converse.experiments.suites.tuning import label as settings_label
from converse.experiments.suites.tuning import named
from converse.experiments.suites.vocabulary import Reading
from converse.plain_text import slug

REVERSE: Final = "reverse convolution"
RIVALS: Final[Mapping[str, str]] = {"depthwise convolution": "conv", "transposed convolution": "convt"}
"""Label → operator of those that stand beside reverse convolution."""

WIDTH: Final = "features"
"""The option of networks with blocks that is their width."""

_OF_OPERATOR: Final = "operator_options"
_START: Final = "lam_offset"

_LONGEST: Final = 50
"""Letters of a suite's name, which others are made from."""


@dataclass(frozen=True)
class Contender:
    """The operator that a comparison is about.

    Attributes:
        named: its name and options.
        learns_lambda: whether it has an option ``lam_offset``, from which a learnt λ starts.
        widths: label → width of its network, in place of the suite's.
        other_seeds: of the rivals, where they are to be others than the operator's own: as many, paired in order.
    """

    named: Named
    learns_lambda: bool = False
    widths: Mapping[str, int] = field(default_factory=dict)
    other_seeds: tuple[int, ...] | None = None

    @property
    def operator(self) -> str:
        """Its name without options."""
        return self.named.operator

    @property
    def label(self) -> str:
        """What tables call it: the name of its class, and its options: ``Wiener (groups = 2)``."""
        name = self.operator.rpartition(":")[2]
        return f"{name} ({settings_label(self.named.options)})" if self.named.options else name


class ComparedSuite(VariedSuite):
    """The suite of a comparison.

    Attributes:
        own: name of the entry with the operator that it is about.
        own_learns_lambda: whether that operator learns a λ.
        other_seeds: of all other entries; empty where they have those of the own one.
    """

    own: str
    own_learns_lambda: bool = False
    other_seeds: tuple[int, ...] = ()

    @property
    def rivals(self) -> tuple[str, ...]:
        """The entries that the own one is compared with, reverse convolution first."""
        return tuple(entry.name for entry in self.entries if entry.name != self.own)

    @property
    def names(self) -> dict[str, str]:
        """Entry → what it is called."""
        return {name: variation.label for name, variation in self.variations.items()}

    def learns_lambda(self, entry: Entry, budget: Budget) -> bool:
        """As of any suite; of the own operator it is known here."""
        if entry.name != self.own or not self.own_learns_lambda:
            return super().learns_lambda(entry, budget)
        return (self.options_for(entry, budget).get("operator_options") or {}).get("lam") is None

    def _plans(
        self, entry: Entry, name: str, budget: Budget, data: Any, test: Any, seeds: Any, *rest: Any
    ) -> list[RunPlan]:
        if self.other_seeds and entry.name != self.own:
            if len(self.other_seeds) != len(seeds):
                raise OptionError(
                    f"{counted(len(self.other_seeds), 'seed')} for the others and "
                    f"{len(seeds)} for {self.names[self.own]}: they are paired in order, so that there must be as many"
                )
            seeds = self.other_seeds
        return super()._plans(entry, name, budget, data, test, seeds, *rest)


def compared_suite(
    base: Suite, contender: Contender, *, shown_as: str, folder: Path | None = None, networks: bool = True
) -> ComparedSuite:
    """The suite in which an operator stands beside its rivals.

    Args:
        base: a suite with an entry that is trained with reverse convolution in its blocks.
        contender: the operator.
        shown_as: what messages call the base.
        folder: where the relative path of an operator's file starts; the working directory by default.
        networks: judge what only torch's modules know, too.

    Returns:
        The suite: reverse convolution, depthwise and transposed convolution, and the operator, in one block.

    Raises:
        OptionError: the base has no such entry, the operator is not known, or its label is one of the others'.
    """
    entry = reverse_entry(base, shown_as)
    own = contender.label
    if own.casefold() in (REVERSE, *RIVALS, entry.name.casefold()):
        raise OptionError(
            f"{contender.operator}: {own!r} is one of those that it is compared with; give it another name"
        )
    # The own operator is first in line, so that what is wrong with it is seen first.
    operators = {own: contender.operator, REVERSE: entry.operator or "", **RIVALS}
    names = {label: entry.name if label == REVERSE else f"{entry.name}: {label}" for label in operators}
    reading = Reading(folder or Path(), networks)
    options = {label: _options(entry, label, contender) for label in operators}
    entries = {
        label: entry.model_copy(update={"options": options[label]})
        if label == REVERSE
        else _entry(entry, names[label], operator, options[label], reading)
        for label, operator in operators.items()
    }
    suite = ComparedSuite.model_validate(
        {
            "schema": base.schema_,
            "name": slug("compare", base.name, own)[:_LONGEST].rstrip("-"),
            "title": f"{own} against reverse convolution: {base.title[0].lower()}{base.title[1:]}",
            "description": _description(own, entry, contender),
            "task": base.task,
            "data": base.data,
            "seeds": base.seeds,
            "training": base.training,
            "budgets": {
                name: _budget(budget, entry, names, contender)
                for name, budget in base.budgets.items()
                if entry.name not in budget.without
            },
            "baseline_within": base.baseline_within,
            "tuning": base.tuning,
            "entries": tuple(entries.values()),
            "comparisons": [
                Comparison(entry=names[own], against=tuple(name for label, name in names.items() if label != own))
            ],
            "variations": {
                names[label]: Variation(base.name, entry.name, label, _changes(one, entry), None)
                for label, one in entries.items()
            },
            "own": names[own],
            "own_learns_lambda": contender.learns_lambda,
            "other_seeds": contender.other_seeds or (),
        },
        context=Reading(networks=False),  # all parts were checked where they came from
    )
    if faults := contradictions(suite, networks=networks):
        raise OptionError(f"{shown_as}: {'; '.join(dict.fromkeys(named(one, suite.entries) for one in faults))}")
    return suite


def reverse_entry(base: Suite, shown_as: str) -> Entry:
    """The first entry that a suite trains with reverse convolution in its blocks.

    Args:
        base: the suite.
        shown_as: what messages call it.

    Raises:
        OptionError: it has none, or is an ablation.
    """
    if isinstance(base, VariedSuite):
        raise OptionError(
            f"{shown_as} is an ablation; a comparison is made from a suite with entries: --suite denoising"
        )
    found = next((entry for entry in base.entries if entry.operator == "converse"), None)
    if found is None:
        raise OptionError(
            f'{shown_as} trains no network with reverse convolution (operator = "converse"), in whose blocks another '
            "operator could stand: --suite denoising"
        )
    return found


def _stated(entry: Entry) -> dict[str, Any]:
    """Options that would follow from the operator if they were left out, as they follow from reverse convolution."""
    signature = vocabulary.models()[entry.model or ""]
    implied = signature.implied({**signature.defaults, **entry.options, "operator": entry.operator})
    return {
        name: value
        for name, value in implied.items()
        if not isinstance(value, Mapping) and entry.options.get(name) is None
    }


def _options(entry: Entry, label: str, contender: Contender) -> dict[str, Any]:
    """Those of the base entry; what is said of reverse convolution itself means nothing to another operator."""
    width = {WIDTH: contender.widths[label]} if label in contender.widths else {}
    if label == REVERSE:
        return {**entry.options, **width}
    options = {**entry.options, **_stated(entry)}
    given = options.pop(_OF_OPERATOR, None) or {}
    if label != contender.label:
        return {**options, **width}
    if contender.operator == entry.operator:
        options |= {_OF_OPERATOR: given} if given else {}
    elif contender.learns_lambda and _START in given:
        options[_OF_OPERATOR] = {_START: given[_START]}  # λ begins where the suite lets that of reverse convolution
    return {**merged(options, contender.named.options_of_model()), **width}


def _entry(entry: Entry, name: str, operator: str, options: Mapping[str, Any], reading: Reading) -> Entry:
    document = {"name": name, "model": entry.model, "operator": operator, "options": options}
    try:
        return Entry.model_validate({**document, "training": entry.training}, context=reading)
    except ValidationError as error:
        said = "; ".join(one.text for one in mistakes(error, Entry))
        hint = "" if ":" in operator else "; or path/to/file.py:Class for one of your own"
        raise OptionError(f"operator {operator!r}: {said}{hint}") from None


def _budget(budget: Budget, entry: Entry, names: Mapping[str, str], contender: Contender) -> Budget:
    """What a budget says of the base entry, said of all; the own operator's options and widths stand over it."""
    own = budget.entries.get(entry.name, {})
    others = {name: value for name, value in own.items() if name != _OF_OPERATOR}
    tables = {}
    for label, name in names.items():
        same = label == REVERSE or (label == contender.label and contender.operator == entry.operator)
        chosen = contender.named.options_of_model() if label == contender.label else {}
        width = {WIDTH: contender.widths[label]} if label in contender.widths else {}
        tables[name] = {**merged(own if same else others, chosen), **width}
    models = {model: options for model, options in budget.models.items() if model == entry.model}
    entries = {name: table for name, table in tables.items() if table}
    return budget.model_copy(update={"models": models, "entries": entries, "without": {}, "tuned": None})


def _changes(one: Entry, entry: Entry) -> dict[str, Any]:
    """What is varied: field → value."""
    changed = {} if one.operator == entry.operator else {"operator": one.operator}
    differing = {name: value for name, value in one.options.items() if entry.options.get(name) != value}
    return {**changed, **{f"options.{name}": value for name, value in differing.items()}}


def _description(own: str, entry: Entry, contender: Contender) -> str:
    but = ["the width of the blocks"] if contender.widths else []
    but += [f"{name} of {own}" for name in contender.named.options if name in OF_MODEL]
    differs = f", but {' and '.join(but)}" if but else ""
    return (
        f"{own} in the blocks of {entry.name}, where reverse convolution has its place, beside depthwise and "
        f"transposed convolution. Nothing else differs, neither in the network nor in the training{differs}. Depthwise "
        "and transposed convolution with stride 1 and the same padding are the same class of functions: their "
        "difference is what chance does here."
    )
