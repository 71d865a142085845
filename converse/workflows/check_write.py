"""Write a baseline, or renew one on purpose: measure, find tolerances, and show what would change before it does."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from converse import __version__
from converse.analysis.gate.baseline import Baseline, Tolerance, read_baseline, write_baseline
from converse.analysis.gate.making import make_baseline
from converse.analysis.gate.measured import Measured
from converse.analysis.gate.renewal import Change, changes, slips
from converse.analysis.gate.speed_table import SpeedTable
from converse.analysis.gate.tolerances import tolerances
from converse.data.tasks import TaskName
from converse.errors import ConverseError, OptionError, SuiteError, unknown
from converse.experiments.devices import resolve_device
from converse.experiments.running.other_machines import Played, playable
from converse.experiments.speed.suite import speed_suites
from converse.experiments.store import Store
from converse.experiments.suites.operator_names import named
from converse.experiments.suites.suite import suites
from converse.experiments.trials import default_threads
from converse.metrics import METRICS
from converse.workflows.check_measured import asked_as, measure, names_of, taken
from converse.workflows.check_request import (
    MOST_PROCESSES,
    CheckRequest,
    GateRun,
    operator_of,
    suite_of,
    test_sets_of,
    trials_for,
)
from converse.workflows.check_speed import SPEED_BUDGET, SPEED_SUITE, measured_table, speed_suite_of
from converse.workflows.check_turns import moved_on
from converse.workflows.elsewhere import command_elsewhere
from converse.workflows.other_version import commit_of
from converse.workflows.speed_rounds import speed_gate
from converse.workflows.work import Progress

if TYPE_CHECKING:
    from converse.workflows.check_request import Trials
    from converse.workflows.reproduce_plan import ReproduceRequest

METRICS_KEPT: Final = ("psnr", "ssim")
"""Of a baseline for which no others are named: those that need no download."""

_NONE: Final = Tolerance(same=0, mean=0, image=0)

Tell = Callable[[Progress], None]


@dataclass(frozen=True)
class WriteRequest(CheckRequest):
    """What the user asks for, where a baseline is to be written; ``None`` stands for what the file has, if it is there.

    ``against`` is the commit that speed is held against from now on; ``None`` for the one of the file, or for ratios.

    Attributes:
        suite: a name, or a TOML file.
        task: whose released weights are measured, in the place of a suite.
        budget: of the suite.
        seeds: in place of the suite's.
        images: the first so many of each test set.
        datasets: test sets in place of the suite's.
        metrics: that are kept.
        speed_suite: a suite of speed, a name or a TOML file. Without one here, in the file, or in ``parts``, speed is
            not held.
        speed_budget: of that suite.
        accept: write it although it lets pass what the file did not.
    """

    suite: str | None = None
    task: TaskName | None = None
    budget: str | None = None
    seeds: tuple[int, ...] | None = None
    images: int | None = None
    datasets: tuple[str, ...] | None = None
    metrics: tuple[str, ...] | None = None
    speed_suite: str | None = None
    speed_budget: str | None = None
    accept: bool = False


@dataclass(frozen=True)
class Renewal:
    """What came out.

    Attributes:
        baseline: the new one.
        changes: in the file that was there; ``None`` where there was none.
        written: whether it was written. It is not where it would let pass what the file did not, unless that is
            accepted; nor where nothing changes.
    """

    baseline: Baseline
    changes: tuple[Change, ...] | None
    written: bool

    @property
    def refused(self) -> bool:
        """Whether it lets pass what the file did not, and was not written for that."""
        return not self.written and any(change.loosens for change in self.changes or ())


def write(request: WriteRequest, progress: Tell = lambda progress: None) -> Renewal:
    """Measure what the baseline is to have, find its tolerances on all platforms that this machine can play, write it.

    Args:
        request: what is asked for.
        progress: told often.

    Returns:
        The baseline, what it changes, and whether it was written.

    Raises:
        ConverseError: a name is not known, something has no value, or the file cannot be written; it is untouched.
        KeyboardInterrupt: it was stopped; the file is untouched.
    """
    old = _old(request.baseline)
    if not request.baseline.parent.is_dir():
        raise OptionError(f"{request.baseline}: there is no folder {request.baseline.parent}; make it first")
    if request.against is not None:
        if request.parts == ("quality",):
            raise OptionError("--against names the commit that speed is held against: not with --part quality")
        commit_of(request.against)  # what is none is refused before anything is measured
    with tempfile.TemporaryDirectory(prefix="converse-check-") as folder:
        if request.parts != ("speed",):
            new = _values(request, old, Path(folder), progress)
        elif old is not None:
            new = old.model_copy(update={"version": __version__})
        else:
            raise OptionError(f"{request.baseline} is not there yet: --part speed adds speed to one that is")
        speed, slipped = _speed(request, old, new, Path(folder) / "speed", progress)
        new = new.model_copy(update={"speed": speed})
    found = None if old is None else (*changes(old, new), *slipped)
    refused = any(change.loosens for change in found or ()) and not request.accept
    if refused or found == ():
        return Renewal(new, found, written=False)
    write_baseline(request.baseline, new)
    return Renewal(new, found, written=True)


def _values(request: WriteRequest, old: Baseline | None, folder: Path, progress: Tell) -> Baseline:
    """The baseline without speed."""
    metrics = _metrics(request, old)
    trials = _trials(request, old, folder / "here")
    head = _head(trials)
    first = measure(trials, _wanted(request, old, names_of(trials)), progress)
    unknown_yet = dict.fromkeys(map(str, first.values["entry"]), dict.fromkeys(metrics, _NONE))
    provisional = make_baseline(first, unknown_yet, metrics, head)
    again, others = _elsewhere(request, trials, provisional, folder, progress)
    return make_baseline(first, tolerances(first, again, others, metrics), metrics, _relative(head, request.baseline))


def _speed(
    request: WriteRequest, old: Baseline | None, new: Baseline, store: Path, progress: Tell
) -> tuple[SpeedTable | None, tuple[Change, ...]]:
    """What the baseline holds speed against, ``None`` where it holds none; and what is worse in that than before.

    Args:
        request: what is asked for.
        old: the baseline that is there.
        new: the baseline that is made, without speed.
        store: a folder for rounds.
        progress: told often.
    """
    kept = None if old is None else old.speed
    if request.parts == ("quality",):
        return kept, ()
    named_here = (request.against, request.speed_suite, request.speed_budget)
    if kept is None and request.parts is None and named_here == (None, None, None):
        return None, ()
    here = kept if request.speed_suite is None else None  # of another suite nothing is kept
    if request.against is None and here is not None and here.against is not None:
        return here, ()  # it has no numbers that could be measured anew
    suite = request.speed_suite or (SPEED_SUITE if here is None else speed_suite_of(here, request.baseline))
    budget = request.speed_budget or (SPEED_BUDGET if here is None else here.budget)
    operator = operator_of(new, request.baseline)
    gate = speed_gate(suite, budget, resolve_device(new.platform.device), 1 if here is None else here.threads, operator)
    name = suite if suite in speed_suites() else str(Path(suite).resolve())
    name = _relative({"suite": name}, request.baseline)["suite"]
    if request.against is None:
        return measured_table(gate, name, Store(store), progress), ()
    before = None if here is None else here.against
    commit, found = moved_on(request, gate, before, operator, Store(store), progress, accept=request.accept)
    table = {"suite": name, "budget": budget, "threads": gate.threads, "against": commit}
    return SpeedTable.model_validate(table), slips(found)


def _old(file: Path) -> Baseline | None:
    """The baseline that is there.

    Raises:
        OptionError: what is there is none, and may be anything.
    """
    if not file.exists():
        return None
    try:
        return read_baseline(file)
    except SuiteError as error:
        raise OptionError(
            f"{file} is there already and is no baseline: name another, or move it away: {error}"
        ) from None


def _metrics(request: WriteRequest, old: Baseline | None) -> tuple[str, ...]:
    chosen = request.metrics or (METRICS_KEPT if old is None else old.metrics)
    if strange := [name for name in chosen if name not in METRICS]:
        raise OptionError(unknown("metric", strange[0], METRICS))
    return tuple(name for name in METRICS if name in chosen)


def _wanted(request: WriteRequest, old: Baseline | None, names: Sequence[str]) -> list[str] | None:
    """The entries that are asked for; else those of the file; else all.

    Raises:
        OptionError: there is no entry of that name.
    """
    if request.entries is not None:
        known = {name.casefold(): name for name in names}
        if strange := [name for name in request.entries if name.casefold() not in known]:
            raise OptionError(unknown("entry", strange[0], names))
        return [known[name.casefold()] for name in request.entries]
    return None if old is None or request.suite or request.task else [entry.name for entry in old.entries]


def _trials(request: WriteRequest, old: Baseline | None, store: Path) -> Trials:
    """The trials of the baseline: what is asked for, and what the file has where nothing is said."""
    if request.suite is not None and request.task is not None:
        raise OptionError("a baseline is of a suite or of the released weights of a task: --suite or --task")
    if old is None and request.suite is None and request.task is None:
        raise OptionError(
            f"{request.baseline} is not there yet: say what it is to hold, such as --suite gate --budget smoke, or "
            "--task denoising for released weights"
        )
    kept = old if request.suite is None and request.task is None else None  # of something else nothing is kept
    device = request.device
    if device == "auto" and old is not None:
        device = old.platform.device
    threads = request.threads or (old.platform.threads if old is not None else None) or 1
    images = request.images or (kept.images if kept else None)
    datasets = request.datasets or (test_sets_of(kept, request.baseline) if kept else None)
    if task := request.task or (kept.task if kept else None):
        return _released(request, task, device, threads, images, datasets, _metrics(request, old), store)
    return GateRun(
        suite=request.suite or suite_of(cast(Baseline, kept), request.baseline),
        budget=request.budget or (kept.budget if kept else None),
        seeds=request.seeds or (kept.seeds if kept else None) or None,
        images=images,
        datasets=datasets,
        store=store,
        data_dir=request.data_dir,
        device=device,
        threads=threads,
        processes=max(1, min(default_threads() // threads, MOST_PROCESSES)) if device == "cpu" else 1,
        trial_timeout=request.trial_timeout,
        operator=request.operator or (operator_of(kept, request.baseline) if kept else None),
        check=request.line(),
    )


def _released(
    request: WriteRequest,
    task: TaskName,
    device: str,
    threads: int,
    images: int | None,
    datasets: tuple[str, ...] | None,
    metrics: tuple[str, ...],
    store: Path,
) -> ReproduceRequest:
    """The released networks of a task.

    Raises:
        OptionError: something is asked for that only a training has.
    """
    from converse.workflows.reproduce_plan import ReproduceRequest

    for name in ("budget", "seeds", "operator"):
        if getattr(request, name) is not None:
            raise OptionError(f"--{name} is for a suite: released weights are trained already")
    return ReproduceRequest(
        task=task,
        datasets=datasets,
        images=images,
        metrics=metrics,
        usual_keeping="none",
        store=store,
        data_dir=request.data_dir,
        device=device,
        threads=threads,
    )


def _head(trials: Trials) -> dict[str, Any]:
    """What the file says is measured, with absolute paths."""
    head: dict[str, Any] = {
        "images": trials.images,
        "test": tuple(str(Path(name).resolve()) if Path(name).is_dir() else name for name in trials.datasets or ()),
    }
    if isinstance(trials, GateRun):
        head |= {
            "suite": trials.suite if trials.suite in suites() else str(Path(trials.suite).resolve()),
            "budget": trials.budget_of(trials.read(networks=False)),
            "operator": None if trials.operator is None else str(named(trials.operator)),
        }
    else:
        head["task"] = trials.task
    return {key: value for key, value in head.items() if value not in (None, ())}


def _relative(head: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """The same with paths from the folder of the file, so that both may move together."""

    def relative(name: str) -> str:
        moved = os.path.relpath(name, file.resolve().parent) if Path(name).is_absolute() else name
        return Path(moved).as_posix()

    made = dict(head)
    if "suite" in made:
        made["suite"] = relative(made["suite"])
    if "test" in made:
        made["test"] = tuple(relative(name) for name in made["test"])
    if "operator" in made:
        operator = named(made["operator"])
        path, colon, name = operator.operator.rpartition(":")
        if path.endswith(".py"):
            operator = replace(operator, operator=f"{relative(path)}{colon}{name}")
        made["operator"] = str(operator)
    return made


def _elsewhere(
    request: WriteRequest, trials: Trials, provisional: Baseline, folder: Path, progress: Tell
) -> tuple[Measured, dict[str, Measured]]:
    """The same on an equal platform once more, and on those that this machine can play.

    Raises:
        ConverseError: it could not be measured there.
    """
    here = provisional.platform
    file = folder / "provisional.toml"
    write_baseline(file, provisional)
    threads = here.threads or default_threads()
    machines = [Played("this platform once more", threads)]
    machines += playable(threads, here.capability) if here.device == "cpu" else []
    found = []
    for number, machine in enumerate(machines):

        def tell(line: str, number: int = number, machine: Played = machine) -> None:
            progress(Progress(number + 1, len(machines), machine.name, line, number, len(machines)))

        tell("measures the same")
        store = folder / f"played-{number}"
        found.append(_played(request, provisional, file, store, machine, tell))
    return found[0], dict(zip((one.name for one in machines[1:]), found[1:], strict=True))


def _played(
    request: WriteRequest, provisional: Baseline, file: Path, store: Path, machine: Played, tell: Callable[[str], None]
) -> Measured:
    words = ["check", str(file), "--part", "quality", "--store", str(store), "--threads", str(machine.threads)]
    if request.data_dir is not None:
        words += ["--data-dir", str(request.data_dir)]
    if request.trial_timeout is not None:
        words += ["--trial-timeout", str(request.trial_timeout)]
    ended = command_elsewhere(words, environment=machine.environment, tell=tell)
    if not (store / "store.json").exists():
        raise ConverseError(f"with {machine.name} nothing could be measured: {ended.last}")
    names = [entry.name for entry in provisional.entries]
    suite = asked_as(trials_for(replace(request, baseline=file), provisional, store))
    measured = taken(Store(store, create=False), provisional, suite, names)
    if measured.failures:
        (entry, seed), reason = next(iter(measured.failures.items()))
        raise ConverseError(f"with {machine.name} {entry} under seed {seed} failed: {reason}")
    return measured
