"""The file of `converse tune`: for every entry of a suite the settings that were best, and how they were found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationError

from converse.counted import counted
from converse.errors import OptionError, unknown
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.errors import Mistake, mistakes, suite_error
from converse.experiments.suites.suite import read_document
from converse.experiments.suites.tables import Budget, Entry, Grid, Settings, Suite
from converse.experiments.suites.toml import toml_value
from converse.experiments.suites.tuning import altered, label, named
from converse.experiments.suites.vocabulary import SCHEMA, Schema, Seeds, Table, Text, some
from converse.experiments.trials import ID_LENGTH, BudgetName, canonical_json

WITHOUT: Final = "none"
"""In the place of a file: settings as the suite has them."""


class Winner(Table):
    """``[[entries]]``: what was chosen for one entry.

    Attributes:
        name: of the entry in its suite.
        settings: field → value.
        psnr: mean over seeds and validation images, dB.
        basis: hash of all else that the suite says of the entry, see :func:`basis`.
        trials: ids of the trials of these settings.
        grid: all that was tried: field → values, and every combination of them.
    """

    name: Text = Field(description="the name of an entry")
    settings: Settings = Field(description="a table of fields and their values")
    psnr: float = Field(description="the PSNR on the validation images, dB")
    basis: str = Field(description="the hash of the entry's other settings, as converse tune wrote it")
    trials: tuple[str, ...] = Field(default=(), strict=False)
    grid: Grid = Field(description="a table of fields and the values that were tried")


class Tuned(Table):
    """A file of winners.

    Attributes:
        suite: name of the suite that was tuned.
        budget: under which.
        seeds: of the tuning's trials.
        tried: how many settings of each entry.
        validation: the images by which they were chosen, in words.
        store: the folder of the store that has all trials, as it was named.
        command: what asks for the same.
        version: of converse.
        entries: the winners.
    """

    schema_: Schema = Field(alias="schema", description=f"{SCHEMA}, the version of this format")
    suite: Text = Field(description="the name of a suite")
    budget: BudgetName = Field(description="the name of a budget")
    seeds: Seeds = Field(description="a list of the seeds of the tuning")
    tried: int = Field(ge=1, description="how many settings of each entry were tried")
    validation: str = ""
    store: str = ""
    command: str = ""
    version: str = ""
    entries: Annotated[tuple[Winner, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="at least one table [[entries]]"
    )

    def as_toml(self) -> str:
        """The file, for people too."""
        plain = self.model_dump(mode="json", by_alias=True)
        winners = plain.pop("entries")
        lines = [f"# What `converse tune` chose. `converse run {self.suite} --tuned THIS_FILE` takes it.", ""]
        lines += [f"{key} = {toml_value(value)}" for key, value in plain.items()]
        for winner in winners:
            lines += ["", "[[entries]]", *(f"{key} = {toml_value(value)}" for key, value in winner.items())]
        return "\n".join(lines) + "\n"


def read_tuned(path: Path) -> Tuned:
    """Read a file of winners.

    Args:
        path: of the file.

    Raises:
        SuiteError: it cannot be read, is of a newer schema, or says what it may not say.
    """
    document = read_document(path, str(path))
    try:
        return Tuned.model_validate(document)
    except ValidationError as error:
        raise suite_error(path, list(mistakes(error, Tuned)), document) from None


def tuned_suite(
    suite: Suite,
    tuned: Tuned,
    *,
    file: Path,
    only: Iterable[str] | None = None,
    seeds: Iterable[int] | None = None,
    networks: bool = True,
) -> Suite:
    """A suite in which every entry has the settings that were chosen for it, over all others.

    Args:
        suite: that was tuned.
        tuned: from :func:`read_tuned`.
        file: it was read from.
        only: names of the entries that are asked for; ``None`` for all.
        seeds: that are asked for; ``None`` for the suite's.
        networks: judge what only torch's modules know, too.

    Returns:
        The suite with the budget of the file alone, under a name and a title that say that it is tuned.

    Raises:
        SuiteError: the file is of another suite or of other settings than the suite has now, names an entry that
            the suite does not train or lacks one, or its settings contradict the suite's.
        OptionError: a seed is among those that chose the settings, or the budget leaves out what is asked for.
    """
    document = {"entries": [{"name": winner.name} for winner in tuned.entries]}
    again = f"tune anew: converse tune {suite.name} --budget {tuned.budget}"
    if tuned.suite != suite.name:
        text = f'came "{tuned.suite}"; these settings are not for suite {suite.name!r}: {again}'
        raise suite_error(file, [Mistake(("suite",), text)], {})
    spent = suite.budget(tuned.budget)
    if both := set(seeds or spent.seeds or suite.seeds) & set(tuned.seeds):
        raise OptionError(
            f"{file}: seed {min(both)} chose these settings; a comparison has seeds of its own: other --seeds"
        )
    faults = list(_faults(suite, spent, tuned, again))
    winners = {winner.name: winner for winner in tuned.entries}
    wanted = suite.chosen_under(tuned.budget, only)
    lacking = [one.name for one in wanted if one.released is None and one.name not in winners]
    if lacking:
        faults.append(Mistake(("entries",), f"lacks {', '.join(lacking)}; {again}"))
    if faults:
        raise suite_error(file, faults, document)
    settings = {name: dict(winner.settings) for name, winner in winners.items()}
    pairs = [(entry, entry.name) for entry in suite.entries if entry.name in winners]
    made, options, wrong = altered(pairs, settings, spent)
    places = {winner.name: ("entries", index, "settings") for index, winner in enumerate(tuned.entries)}
    if wrong:
        raise suite_error(file, [Mistake(places[name], one.text) for name, one in wrong], document)
    changed = {entry.name: entry for entry in made}
    said = "; ".join(f"{name}: {label(one)}" for name, one in settings.items())
    found = suite.model_copy(
        update={
            "name": f"{suite.name}-tuned",
            "title": f"{suite.title} (tuned)",
            "description": (
                f"{suite.description.strip()} Each entry has the best of {counted(tuned.tried, 'setting')}, chosen on "
                f"{tuned.validation or 'validation images'} with seeds {', '.join(map(str, tuned.seeds))}: {said}."
            ).strip(),
            "entries": tuple(changed.get(entry.name, entry) for entry in suite.entries),
            "budgets": {
                tuned.budget: spent.model_copy(update={"entries": {**spent.entries, **options}, "tuned": None})
            },
        }
    )
    if contrary := contradictions(found, networks=networks):
        raise suite_error(file, [Mistake(("entries",), named(one, found.entries)) for one in contrary], document)
    return found


def basis(suite: Suite, entry: Entry, budget: Budget) -> str:
    """What settings were chosen for: a hash of all that an entry is trained with where nothing is tuned.

    Args:
        suite: of the entry.
        entry: one that is trained.
        budget: of the suite.

    Returns:
        16 hex digits.
    """
    said = {
        "model": entry.model,
        "operator": entry.operator and PurePath(entry.operator).name,
        "options": suite.options_for(entry, budget),
        "training": suite.settings_for(entry, budget).model_dump(mode="json", exclude_defaults=True),
        "train": [PurePath(name).name for name in suite.data_for(budget).train],
    }
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()[:ID_LENGTH]


def _faults(suite: Suite, spent: Budget, tuned: Tuned, again: str) -> Iterable[Mistake]:
    trained = {entry.name: entry for entry in suite.entries if entry.released is None}
    for index, winner in enumerate(tuned.entries):
        if winner.name not in trained:
            yield Mistake(("entries", index, "name"), unknown(f"trained entry of {suite.name}", winner.name, trained))
        elif winner.basis != basis(suite, trained[winner.name], spent):
            text = f"other settings of this entry in {suite.name} have changed since it was tuned; {again}"
            yield Mistake(("entries", index, "basis"), text)
