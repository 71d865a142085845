"""Suites of speed: files that say which subjects are measured on which sweeps, and how much is spent on it.

A key of a case is looked for in ``[budgets.B.sweeps.S]``, then in the sweep, then in ``[budgets.B]``, then in
``[base]``. docs/speed.md shows a suite.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, model_validator

from converse.content import content
from converse.data.tasks import TASKS
from converse.errors import ConverseError, OptionError, unknown
from converse.experiments.provenance import code_hash
from converse.experiments.speed.cases import HALF_SPECTRUM, LIMIT, LITERAL, YARDSTICK, Case, Subject
from converse.experiments.store.speed_rows import PASSES, Dtype, Pass
from converse.experiments.suites import vocabulary
from converse.experiments.suites.errors import Mistake, mistakes, refuse, refuse_inside, shown, suite_error
from converse.experiments.suites.operator_names import Named, named
from converse.experiments.suites.substitutes import REPLACED
from converse.experiments.suites.suite import find_file, load_suite, read_document, suites
from converse.experiments.suites.tables import Entry, Suite
from converse.experiments.trials import BUDGETS, BudgetName

Key = Literal["channels", "kernel_size", "scale", "batch", "size", "dtype", "compiled"]
REFERENCES: Final = (LITERAL, HALF_SPECTRUM, LIMIT, YARDSTICK)
"""Subjects beside the registered operators: the two plain formulas, the bare transforms, and the yardstick."""

LARGEST_SIDE: Final = 65_536

MOST_CASES = 2_000
"""Of a budget; each takes its subjects a second or more."""

Count = Annotated[int, Field(ge=1, le=65_536)]


def _subject(value: Any, info: ValidationInfo) -> str:
    """A reference, or an operator with its options."""
    if value in REFERENCES:
        return str(value)
    try:
        chosen = vocabulary.operator(value, info, REFERENCES)
    except OptionError as error:
        raise refuse(str(error)) from None
    if fault := option_fault(chosen):
        raise refuse(f"came {shown(value)}; {fault}")
    return str(chosen)


def option_fault(operator: Named) -> str | None:
    """What is wrong with the options of an operator that is measured by itself; ``None`` where nothing is.

    Args:
        operator: one that there is; a user's own says itself what it takes, when it is built.
    """
    for option in operator.options:
        if option in ("channels", "kernel_size", "scale"):
            return f"{option} is set by the sweep"
    if operator.operator not in vocabulary.operators():
        return None
    signature = vocabulary.operators()[operator.operator]
    for option, value in operator.options.items():
        if option not in signature.options and option != "padding_mode":
            return unknown(f"option of operator {operator.operator}", option, [*signature.options, "padding_mode"])
        if option in signature.options and (refusal := signature.refusal(option, value)):
            return f"option {option}: {refusal}"
    return None


def _size(value: Any) -> int | tuple[int, int]:
    sides = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sides) != 2 or not all(type(side) is int and 1 <= side <= LARGEST_SIDE for side in sides):
        raise refuse(f"came {shown(value)}; expected a side from 1 to {LARGEST_SIDE}, or [height, width]")
    return value if isinstance(value, int) else sides


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(map(repr, values))) < len(values):
        raise refuse("something stands there twice")
    return vocabulary.some(values)


Size = Annotated[Any, AfterValidator(_size)]
SubjectName = Annotated[Any, AfterValidator(_subject)]
Passes = Annotated[tuple[Pass, ...], Field(strict=False), AfterValidator(_each_once)]


class CaseTable(vocabulary.Table):
    """What a case has, any of it left out.

    Attributes:
        channels: C of operators.
        kernel_size: k of operators.
        scale: s of operators.
        batch: N.
        size: side of the input, or height and width.
        dtype: float32, or autocast to bfloat16.
        compiled: through ``torch.compile``.
    """

    channels: Count = 64
    kernel_size: Annotated[int, Field(ge=1, le=999)] = 5
    scale: Annotated[int, Field(ge=1, le=64)] = 1
    batch: Count = 1
    size: Size = 256
    dtype: Dtype = "float32"
    compiled: bool = False


class SweepTable(CaseTable):
    """``[budgets.B.sweeps.S]``: what it leaves out stays as in the sweep.

    Attributes:
        passes: what is done in one call.
        values: what the sweep's key takes, one after the other; none leaves the sweep out.
    """

    passes: Passes = ("evaluation",)
    values: Annotated[tuple[Any, ...], Field(strict=False)] = ()


class Sweep(SweepTable):
    """``[[sweeps]]``: subjects that are compared while one key takes several values.

    Attributes:
        name: a short name.
        title: a heading.
        subjects: operators; the first is measured twice, and the others are held against it.
        networks: in their place, entries of the suite of this name.
        entries: of that suite, these alone; none for all.
        options: of these networks, over those of their entries and of the budget; they stand with the subjects' names.
        first: the network that stands first in place of the first entry; or the yardstick, before all of them.
        literal: networks that are measured with the literal formula too.
        half_spectrum: networks that are measured with the plain half-spectrum formula too.
        vary: the key.
    """

    name: vocabulary.Slug = Field(description="a short name, such as size")
    title: vocabulary.Text = Field(description="a heading")
    subjects: Annotated[tuple[SubjectName, ...], Field(strict=False)] = ()
    networks: str | None = None
    entries: Annotated[tuple[str, ...], Field(strict=False)] = ()
    options: vocabulary.Options = Field(default_factory=dict)
    first: str | None = None
    literal: Annotated[tuple[str, ...], Field(strict=False)] = ()
    half_spectrum: Annotated[tuple[str, ...], Field(strict=False)] = ()
    vary: Key = Field(description=f"one of {', '.join(get_args(Key))}")
    passes: Passes = Field(description=f"a list of {', '.join(PASSES)}")
    values: Annotated[tuple[Any, ...], Field(strict=False), AfterValidator(_each_once)] = Field(
        description="a list of values"
    )

    @model_validator(mode="after")
    def _one_kind_of_subject(self) -> Sweep:
        faults = []
        if bool(self.subjects) == bool(self.networks):
            faults.append(("subjects", "expected either a list of operators here, or the name of a suite in networks"))
        if self.subjects and self.options:
            faults.append(("options", "an operator's stand with its name, name?option=value; these are of networks"))
        if self.subjects and "step" in self.passes:
            faults.append(("passes", 'came "step"; an operator alone is not trained, expected forward+backward'))
        if self.networks and self.vary in ("channels", "kernel_size", "scale"):
            faults.append(
                ("vary", f'came "{self.vary}"; a network has its own, expected size, batch, dtype or compiled')
            )
        if faults:
            raise refuse_inside(faults)
        return self


class SpeedBudget(CaseTable):
    """``[budgets.B]``: how much is spent.

    Attributes:
        turns: of each case, and more as long as they settle nothing; 8 are the least from which a difference can be
            claimed.
        turn_seconds: a turn makes as many calls as this takes.
        case_seconds: no further turn begins after so long, once there are 3.
        memory_gib: what a subject may take on a CPU; by default most of what is free.
        steady: whether what is measured should depend as little as can be on the process in which it is: for numbers
            that are held against those of another run.
        options: of every network.
        models: options of one model each, by its name.
        sweeps: what is different in one sweep each, by its name.
    """

    turns: Annotated[int, Field(ge=1, le=10_000)] = 15
    turn_seconds: Annotated[float, Field(gt=0, le=60)] = 0.05
    case_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    memory_gib: Annotated[float, Field(gt=0)] | None = None
    steady: bool = False
    options: vocabulary.Options = Field(default_factory=dict)
    models: dict[str, vocabulary.Options] = Field(default_factory=dict)
    sweeps: dict[str, SweepTable] = Field(default_factory=dict)


class SpeedSuite(vocabulary.Table):
    """A suite of speed that was read and found in order."""

    schema_: vocabulary.Schema = Field(alias="schema", description="1, the version of this format")
    name: vocabulary.Slug = Field(description="a short name, such as speed")
    title: vocabulary.Text = Field(description="a heading")
    description: str = ""
    base: CaseTable = CaseTable()
    sweeps: Annotated[tuple[Sweep, ...], Field(strict=False), AfterValidator(vocabulary.some)] = Field(
        description="at least one table [[sweeps]]"
    )
    budgets: dict[BudgetName, SpeedBudget] = Field(
        description=f"a table [budgets.NAME] for at least one of {', '.join(BUDGETS)}"
    )


@dataclass(frozen=True)
class Group:
    """One case and the subjects that take turns in it; the first is the one that the others are held against."""

    case: Case
    subjects: tuple[Subject, ...]


def speed_suites() -> dict[str, Path]:
    """The suites of speed that come with converse: name → file."""
    return {path.stem: path for path in sorted((content("benchmarks") / "speed").glob("*.toml"))}


def load_speed_suite(name_or_path: str | Path) -> SpeedSuite:
    """Read a suite of speed and check all that it says.

    Args:
        name_or_path: the name of one that comes with converse, or a TOML file.

    Returns:
        The suite.

    Raises:
        SuiteError: there is no such file, it cannot be read, or it says what it may not say; all mistakes at once.
    """
    path, shown_as = find_file(name_or_path, speed_suites())
    document = read_document(path, shown_as)
    try:
        suite = SpeedSuite.model_validate(document, context=vocabulary.Reading(path.parent))
    except ValidationError as error:
        raise suite_error(shown_as, list(mistakes(error, SpeedSuite)), document) from None
    faults = list(_too_many(suite)) or list(_contradictions(suite))
    if faults:
        raise suite_error(shown_as, faults, document)
    return suite


def groups(
    suite: SpeedSuite,
    budget: str,
    *,
    only: Iterable[str] | None = None,
    operators: Sequence[str] = (),
) -> list[Group]:
    """What a suite asks for, with everything merged.

    Args:
        suite: the suite.
        budget: one that it has.
        only: these sweeps and subjects alone, by name; a sweep's name stands for all its subjects.
        operators: more operators for every sweep of operators.

    Returns:
        Cases in the suite's order.

    Raises:
        OptionError: the suite has no such budget, sweep or subject.
    """
    spent = suite_budget(suite, budget)
    made = [
        group
        for sweep in suite.sweeps
        for group in _sweep_groups(suite, sweep, spent, operators if sweep.subjects else ())
    ]
    return made if only is None else _chosen(made, suite, tuple(only))


def with_operator(made: Sequence[Group], operator: Named) -> list[Group]:
    """The same cases with another operator in the place of reverse convolution, under the same names.

    Args:
        made: from :func:`groups`.
        operator: that takes the place.

    Returns:
        The cases in which reverse convolution stood, each with its first subject and what has the operator.

    Raises:
        OptionError: it stands in no case, or an option of the operator is one of the network around it.
    """
    found = []
    for group in made:
        first, *others = group.subjects
        mine = [_replaced(subject, operator) for subject in others if subject.operator == REPLACED]
        if mine:
            found.append(Group(group.case, (first, *mine)))
    if not found:
        raise OptionError(f"--operator {operator.short}: no subject has {REPLACED!r}, whose place it takes")
    return found


def _replaced(subject: Subject, operator: Named) -> Subject:
    if subject.kind == "operator":
        return replace(subject, operator=operator.operator, options=operator.options)
    options = {name: value for name, value in subject.options.items() if name != "operator_options"}
    return replace(subject, operator=operator.operator, options={**options, **operator.options_of_model()})


def suite_budget(suite: SpeedSuite, budget: str) -> SpeedBudget:
    """The budget of that name.

    Raises:
        OptionError: the suite has none.
    """
    spent = next((table for name, table in suite.budgets.items() if name == budget), None)
    if spent is None:
        raise OptionError(f"suite {suite.name!r}: {unknown('budget', budget, suite.budgets)}")
    return spent


def _chosen(made: list[Group], suite: SpeedSuite, only: Sequence[str]) -> list[Group]:
    sweeps = {sweep.name for sweep in suite.sweeps}
    subjects = {subject.name for group in made for subject in group.subjects}
    names = {name.casefold(): name for name in (*subjects, *sweeps)}
    for name in only:
        if name.casefold() not in names:
            raise OptionError(f"suite {suite.name!r}: {unknown('sweep or subject', name, names.values())}")
    wanted = {names[name.casefold()] for name in only}
    kept = []
    for group in made:
        if wanted & sweeps and group.case.sweep not in wanted:
            continue
        left = tuple(candidate for candidate in group.subjects if not wanted & subjects or candidate.name in wanted)
        if left:
            kept.append(Group(group.case, left))
    return kept


def _sweep_groups(suite: SpeedSuite, sweep: Sweep, budget: SpeedBudget, operators: Sequence[str]) -> list[Group]:
    own = budget.sweeps.get(sweep.name, SweepTable())
    tables = (suite.base, budget, sweep, own)
    merged: dict[str, Any] = CaseTable().model_dump()
    for table in tables:
        merged |= {key: getattr(table, key) for key in CaseTable.model_fields if key in table.model_fields_set}
    passes = own.passes if "passes" in own.model_fields_set else sweep.passes
    values = own.values if "values" in own.model_fields_set else sweep.values
    if sweep.networks:
        training = load_suite(sweep.networks)
        subjects = _networks(sweep, training, budget)
        task = TASKS[training.task]
        merged |= {"channels": task.channels, "scale": task.scale, "kernel_size": None}
    else:
        subjects = _operators([*sweep.subjects, *operators])
    made = []
    for pass_ in passes:
        for value in values:
            settings = {**merged, sweep.vary: value}
            size = settings.pop("size")
            height, width = (size, size) if isinstance(size, int) else size
            case = Case(sweep=sweep.name, pass_=pass_, height=height, width=width, **settings)
            made.append(Group(case, subjects))
    return made


def _operators(names: Sequence[str]) -> tuple[Subject, ...]:
    return tuple(map(_operator, dict.fromkeys(names)))


def _operator(name: str) -> Subject:
    if name in REFERENCES:
        return Subject(name, "limit" if name == LIMIT else "operator", name)
    chosen = named(name)
    return Subject(chosen.short, "operator", chosen.operator, options=chosen.options)


def _networks(sweep: Sweep, training: Suite, budget: SpeedBudget) -> tuple[Subject, ...]:
    subjects = [Subject(YARDSTICK, "network", YARDSTICK)] if sweep.first == YARDSTICK else []
    given = ", ".join(f"{name}={json.dumps(value)}" for name, value in sweep.options.items())
    for entry in sorted(_entries(sweep, training), key=lambda entry: entry.name != sweep.first):
        shown_as = f"{entry.name} ({given})" if given else entry.name
        model, operator, options = _architecture(entry)
        accepted = vocabulary.models()[model].options
        smaller = {**budget.options, **budget.models.get(model, {})}
        smaller = {name: value for name, value in smaller.items() if name in accepted}
        options = {**options, **smaller, **sweep.options}
        subjects.append(Subject(shown_as, "network", operator, model, options))
        for formula, wanted in ((LITERAL, sweep.literal), (HALF_SPECTRUM, sweep.half_spectrum)):
            if entry.name in wanted:
                subjects.append(Subject(f"{shown_as}, {formula}", "network", operator, model, options, formula))
    return tuple(subjects)


def _entries(sweep: Sweep, training: Suite) -> list[Entry]:
    return [entry for entry in training.entries if not sweep.entries or entry.name in sweep.entries]


def _architecture(entry: Entry) -> tuple[str, str | None, dict[str, Any]]:
    if entry.released:
        weights = vocabulary.released()[entry.released]
        return weights.model, weights.operator, dict(weights.options)
    return entry.model or "", entry.operator, dict(entry.options)


def _too_many(suite: SpeedSuite) -> Iterable[Mistake]:
    """Cases: passes and values multiply, in each budget."""
    for name, budget in suite.budgets.items():
        count = 0
        for sweep in suite.sweeps:
            own = budget.sweeps.get(sweep.name, SweepTable())
            passes = own.passes if "passes" in own.model_fields_set else sweep.passes
            values = own.values if "values" in own.model_fields_set else sweep.values
            count += len(passes) * len(values)
        if count > MOST_CASES:
            text = f"sweeps, passes and values make {count:,} cases; at most {MOST_CASES:,} are allowed"
            yield Mistake(("budgets", name), text)


def _contradictions(suite: SpeedSuite) -> Iterable[Mistake]:
    names = {sweep.name for sweep in suite.sweeps}
    if len(names) < len(suite.sweeps):
        yield Mistake(("sweeps",), "two of them have the same name")
    if not suite.budgets:
        yield Mistake(("budgets",), f"there is none; expected at least one of {', '.join(BUDGETS)}")
    for index, sweep in enumerate(suite.sweeps):
        yield from _values(sweep.vary, sweep.values, ("sweeps", index, "values"))
        if sweep.networks:
            yield from _known_networks(sweep, index)
    for name, budget in suite.budgets.items():
        for inner, table in budget.sweeps.items():
            if inner not in names:
                yield Mistake(("budgets", name, "sweeps", inner), unknown("sweep", inner, names))
                continue
            vary = next(sweep.vary for sweep in suite.sweeps if sweep.name == inner)
            yield from _values(vary, table.values, ("budgets", name, "sweeps", inner, "values"))


def _values(vary: str, values: Sequence[Any], where: tuple[str | int, ...]) -> Iterable[Mistake]:
    """Each value of a sweep may stand at the key that it is for."""
    for index, value in enumerate(values):
        try:
            CaseTable.model_validate({vary: value})
        except ValidationError as error:
            text = next(iter(mistakes(error, CaseTable))).text
            yield Mistake((*where, index), text)


def _known_networks(sweep: Sweep, index: int) -> Iterable[Mistake]:
    assert sweep.networks is not None
    if sweep.networks not in suites():
        yield Mistake(("sweeps", index, "networks"), unknown("suite", sweep.networks, suites()))
        return
    try:
        training = load_suite(sweep.networks)
    except ConverseError as error:
        yield Mistake(("sweeps", index, "networks"), str(error))
        return
    entries = [entry.name for entry in training.entries]
    yield from _options(sweep, training, index)
    first = (sweep.first,) if sweep.first and sweep.first != YARDSTICK else ()
    of_formulas = (("literal", sweep.literal), ("half_spectrum", sweep.half_spectrum))
    for key, wanted in (("entries", sweep.entries), ("first", first), *of_formulas):
        allowed = entries if key == "entries" else [name for name in entries if name in (sweep.entries or entries)]
        for name in wanted:
            if name not in allowed:
                yield Mistake(("sweeps", index, key), unknown("entry", name, allowed))


def _options(sweep: Sweep, training: Suite, index: int) -> Iterable[Mistake]:
    """Each of the sweep's networks takes its options."""
    models = dict.fromkeys(_architecture(entry)[0] for entry in _entries(sweep, training))
    for option, value in sweep.options.items():
        for model in models:
            signature, what = vocabulary.models()[model], f"option of {model}"
            if option not in signature.options:
                yield Mistake(("sweeps", index, "options", option), unknown(what, option, signature.options))
            elif refusal := signature.refusal(option, value):
                yield Mistake(("sweeps", index, "options", option), f"{refusal} ({what})")


def as_mapping(measured: Sequence[Group]) -> list[Mapping[str, Any]]:
    """Groups as JSON has them, for the identity of a run."""
    return [
        {
            "case": group.case.columns(),
            "subjects": [
                {
                    **vars(subject),
                    "options": dict(subject.options),
                    "library": None if subject.library is None else code_hash(Path(subject.library) / "converse"),
                }
                for subject in group.subjects
            ],
        }
        for group in measured
    ]
