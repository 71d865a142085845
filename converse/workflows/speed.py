"""Speed and memory of operators and networks: plan, measure what is not measured, say what follows."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict

from converse.errors import OptionError
from converse.experiments.speed import runs
from converse.experiments.speed.suite import Group, SpeedBudget, groups, load_speed_suite, option_fault, suite_budget
from converse.experiments.store import Store
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.speed_rows import SpeedFolder, case_label, speed_key
from converse.experiments.suites.operator_names import named
from converse.experiments.trials import default_threads

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_SUITE: Final = "speed"
DEFAULT_BUDGET: Final = "quick"
LAST: Final = "last"
"""In place of the id of a run that is compared with: the one before, of the same suite and budget."""

SpeedPlanLine = TypedDict(
    "SpeedPlanLine", {"sweep": str, "pass": str, "case": str, "subjects": str, "state": str, "seconds": float}
)
PLAN_COLUMNS: Final = tuple(SpeedPlanLine.__annotations__)


@dataclass(frozen=True)
class Resolved:
    """What a request measures.

    Attributes:
        suite: its name, for rows and reports.
        name: of the budget.
        budget: how much is spent on a case.
        groups: the cases, each with its subjects.
        device: resolved, not ``auto``.
    """

    suite: str
    name: str
    budget: SpeedBudget
    groups: list[Group]
    device: str


@dataclass(frozen=True)
class SpeedRequest:
    """What the user asks for.

    Attributes:
        suite: the name of a suite of speed, or a TOML file.
        budget: ``None`` for ``quick``, or for the suite's first where it has no such budget.
        only: sweeps and subjects, or ``None`` for all.
        operators: more operators for every sweep of operators: registered names or ``path/to/file.py:Class``.
        store: the folder of the store.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``.
        threads: CPU threads; ``None`` for all cores that this process may use.
        again: measure anew what was measured before.
    """

    suite: str = DEFAULT_SUITE
    budget: str | None = None
    only: tuple[str, ...] | None = None
    operators: tuple[str, ...] = ()
    store: Path = Path("runs")
    device: str = "auto"
    threads: int | None = None
    again: bool = False

    @property
    def cpu_threads(self) -> int:
        """How many CPU threads are computed with."""
        return self.threads or default_threads()

    def resolved(self) -> Resolved:
        """What is measured, and how much is spent on it.

        Raises:
            ConverseError: a name is not known, or an operator cannot be loaded.
        """
        from converse.experiments.devices import resolve_device

        suite = load_speed_suite(self.suite)
        name = self.budget or (DEFAULT_BUDGET if DEFAULT_BUDGET in suite.budgets else next(iter(suite.budgets)))
        chosen = groups(suite, name, only=self.only, operators=_operators(self.operators))
        if not chosen:
            raise OptionError(
                f"suite {suite.name!r} has nothing to measure under the budget {name!r} with these options"
            )
        return Resolved(suite.name, name, suite_budget(suite, name), chosen, resolve_device(self.device))

    def command_line(self, budget: str, device: str) -> CommandLine:
        """What asks for the same.

        Args:
            budget: the name that was resolved.
            device: resolved, not ``auto``.
        """
        line = CommandLine("speed", self.suite if self.suite != DEFAULT_SUITE else "")
        return line.changed(
            budget=budget,
            only=self.only or None,
            operator=self.operators or None,
            device=device,
            threads=self.cpu_threads,
        )


@dataclass(frozen=True)
class SpeedProgress:
    """How far a run is.

    Attributes:
        done: seconds of the plan that are done, as they were expected.
        total: seconds of the plan.
        name: of what is being measured.
        finished: how many cases are finished.
        cases: how many there are.
    """

    done: float
    total: float
    name: str
    finished: int
    cases: int


@dataclass(frozen=True)
class SpeedRun:
    """What came out.

    Attributes:
        run: its id.
        rows: with the columns of a store's rows of speed, twins included.
        fresh: how many cases were measured now.
        notes: what else the user should know.
    """

    run: str
    rows: pd.DataFrame
    fresh: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class SpeedPlan:
    """What would be done.

    Attributes:
        run: the id of the run.
        lines: one per case.
        seconds: about how long it would take.
        notes: what else the user should know.
    """

    run: str
    lines: list[SpeedPlanLine]
    seconds: float
    notes: tuple[str, ...] = ()


def speed(
    request: SpeedRequest,
    progress: Callable[[SpeedProgress], None] = lambda progress: None,
    note: Callable[[str], None] = lambda line: None,
) -> SpeedRun:
    """Measure what this store has not measured yet with this code on this machine.

    Args:
        request: what is asked for.
        progress: told often.
        note: told, before anything is measured, what the store has of the same with other threads or another torch.

    Returns:
        The rows of the run.

    Raises:
        ConverseError: a name is not known, the store cannot be written, or another process measures the same.
        KeyboardInterrupt: it was stopped; finished cases are kept, and the same request goes on there.
    """
    from converse.analysis.speed import settled

    asked = request.resolved()
    store = Store(request.store)
    identity = runs.run_identity(asked.groups, asked.budget, asked.device, request.cpu_threads)
    run = runs.run_folder(store.speed, identity, asked.groups, request.again)
    known = _known(store, asked.device, request.cpu_threads)
    notes = [*_busy()]
    described = runs.describe(asked.suite, asked.name, asked.device, request.cpu_threads)
    said = asdict(request.command_line(asked.name, asked.device))
    folder = store.speed.folder(run, {**described, "request": said})
    todo = runs.left(folder, asked.groups)
    if todo:
        for line in _measured_otherwise(store, run, described, said):
            note(line)
        with folder.lock():
            todo = runs.left(folder, asked.groups)  # by whoever had the lock before
            costs = [runs.expected_seconds(group, asked.budget, known) for group in todo]

            def report(number: int, share: float) -> None:
                done = sum(costs[:number]) + share * costs[number]
                progress(SpeedProgress(done, sum(costs), _name(todo[number]), number, len(todo)))

            with runs.workers(asked.budget, asked.device, request.cpu_threads) as workers:
                runs.carry_out(folder, todo, asked.budget, workers, asked.device, report, settled)
    rows = store.speed_rows([run])
    if asked.device == "cpu" and rows["peak_bytes"].isna().all():
        notes.append("this system does not tell the peak memory of a process: none is given")
    return SpeedRun(run, rows, len(todo), tuple(notes) if todo else ())


def preview(request: SpeedRequest) -> SpeedPlan:
    """What :func:`speed` would do, without doing it or making a store.

    Args:
        request: what would be asked for.

    Returns:
        One line per case.

    Raises:
        ConverseError: a name is not known, or the store cannot be read.
    """
    asked = request.resolved()
    store = Store(request.store, create=False) if (request.store / "store.json").exists() else None
    run = runs.run_identity(asked.groups, asked.budget, asked.device, request.cpu_threads)
    todo, known = asked.groups, {}
    notes: list[str] = []
    if store is not None:
        run = runs.run_folder(store.speed, run, asked.groups, request.again)
        known = _known(store, asked.device, request.cpu_threads)
        folder = SpeedFolder(store.speed.root / run)
        todo = runs.left(folder, asked.groups) if folder.path.is_dir() else asked.groups
        if todo:
            described = runs.describe(asked.suite, asked.name, asked.device, request.cpu_threads)
            notes = _measured_otherwise(store, run, described, asdict(request.command_line(asked.name, asked.device)))
    lines: list[SpeedPlanLine] = [
        {
            "sweep": group.case.sweep,
            "pass": group.case.pass_,
            "case": case_label(group.case.columns()),
            "subjects": " · ".join(one.name for one in group.subjects),
            "state": "planned" if group in todo else "done",
            "seconds": round(runs.expected_seconds(group, asked.budget, known), 1) if group in todo else 0.0,
        }
        for group in asked.groups
    ]
    return SpeedPlan(run, lines, sum(line["seconds"] for line in lines), tuple(notes))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Lines of a table as JSON can hold them: null for what is not there, without the turns, which the store has.

    Args:
        frame: any of :mod:`converse.analysis.speed`.
    """
    rows: list[dict[str, Any]] = json.loads(
        frame.drop(columns="turns_s", errors="ignore").to_json(orient="records", double_precision=15)
    )
    return rows


def against(request: SpeedRequest, done: SpeedRun, other: str) -> tuple[pd.DataFrame, str | None]:
    """A run beside an earlier one.

    Args:
        request: what was asked for.
        done: what came out.
        other: the id of a run in the same store, its first digits, or ``last``.

    Returns:
        What :func:`converse.analysis.speed.run_comparisons` gives: a table, and a warning where the two are of
        different machines or settings.

    Raises:
        OptionError: there is no such run, or several.
    """
    from converse.analysis.speed import run_comparisons

    store = Store(request.store, create=False)
    folders = [folder for folder in store.speed.folders([]) if folder.id != done.run]
    if other == LAST:
        same = {key: done.rows[key].iloc[0] for key in ("suite", "budget")}
        matching = [one.id for one in folders if all(one.description()[key] == value for key, value in same.items())][
            -1:
        ]
    else:
        matching = [one.id for one in folders if one.id.startswith(other)]
    if len(matching) != 1:
        listing = ", ".join(one.id for one in folders) or "none"
        raise OptionError(
            f"expected one other run in {request.store} for {other!r}, got {len(matching)}: there is {listing}"
        )
    return run_comparisons(store.speed_rows([*matching, done.run]), matching[0], done.run)


def _measured_otherwise(store: Store, run: str, described: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """What was measured of the same request by the same code, with other threads or another torch.

    Args:
        store: any.
        run: the id of the run that would measure it anew.
        described: what the run's rows share.
        said: its command line, as JSON has it.
    """
    sentences: dict[str, None] = {}
    for folder in store.speed.folders([]):
        kept = folder.description()
        differing = [name for name in ("threads", "torch") if kept.get(name) != described[name]]
        same = all(kept.get(name) == described[name] for name in ("device", "model", "code"))
        if folder.id == run or not differing or not same or _but_threads(kept.get("request")) != _but_threads(said):
            continue
        there, here = (_words(one, differing) for one in (kept, described))
        sentences[f"this measures with {here} what the run {folder.id} has of {there}, which shows it"] = None
    return list(sentences)


def _words(run: Mapping[str, Any], names: Iterable[str]) -> str:
    return " and ".join(f"--threads {run[name]}" if name == "threads" else f"torch {run[name]}" for name in names)


def _but_threads(said: Any) -> Any:
    """A command line without its number of threads, as JSON has it."""
    plain = json.loads(json.dumps(said))
    if isinstance(plain, dict) and isinstance(plain.get("options"), dict):
        plain["options"].pop("threads", None)
    return plain


def _operators(names: tuple[str, ...]) -> tuple[str, ...]:
    """Their one spelling, and operators that can be loaded: a mistake in a name is told before anything is measured.

    A user's file is loaded in a process of its own, which it may leave, and with a time limit.
    """
    from converse.experiments.running.watched import loaded

    chosen = [named(name) for name in names]
    for one in chosen:
        loaded(one.operator)
        if fault := option_fault(one):
            raise OptionError(f"operator {one.short!r}: {fault}")
    return tuple(map(str, chosen))


def _known(store: Store, device: str, threads: int) -> dict[tuple[Any, ...], float]:
    """Median seconds of one call by key, from earlier runs on such a machine."""
    wanted = (runs.model_of(device), threads)
    return {
        speed_key(row): row["median_s"]
        for folder in store.speed.folders([])  # damaged ones tell of nothing
        for row in folder.rows()
        if (row["model"], row["threads"]) == wanted and row.get("median_s")
    }


def _busy() -> list[str]:
    """A note where other work holds the cores."""
    if not hasattr(os, "getloadavg"):
        return []
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < 0.5 * cores:
        return []
    return [
        f"the machine was busy when this began (load {load:.1f} on {cores} cores): times are longer and less certain"
    ]


def _name(group: Group) -> str:
    return f"{group.case.sweep}: {group.case.pass_}, {case_label(group.case.columns())}"
