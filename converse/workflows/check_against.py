"""The quality of another version, measured beside this one: the same suite, by that version's own command."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converse.analysis.gate.baseline import Baseline, Platform
from converse.analysis.gate.making import make_baseline
from converse.analysis.gate.measured import Measured
from converse.errors import OptionError
from converse.experiments.store import Store, files
from converse.experiments.suites.written import suite_toml
from converse.workflows.check_measured import asked_as, names_of, taken
from converse.workflows.check_request import GateRun
from converse.workflows.elsewhere import command_elsewhere
from converse.workflows.other_version import OtherVersion
from converse.workflows.work import Progress

if TYPE_CHECKING:
    from converse.workflows.check_request import Trials


def measured_by(
    version: OtherVersion,
    trials: Trials,
    baseline: Baseline,
    wanted: Sequence[str],
    here: Measured,
    progress: Callable[[Progress], None],
) -> Baseline:
    """What another version gives on this machine, as a baseline.

    Args:
        version: with a library of its own, or with an operator of its own.
        trials: those that are measured of this version.
        baseline: the file, which says what is measured and what is allowed.
        wanted: names of entries.
        here: what this version gave, on the same machine.
        progress: told often.

    Returns:
        The baseline. Its platform is this one's, but for the libraries and the numerics version that it had.

    Raises:
        OptionError: the version does not take this suite, or lacks what it needs.
        KeyboardInterrupt: it was stopped.
    """
    trials = _own(version, trials)
    suite = asked_as(trials)
    there = tuple(name for name in names_of(trials) if name in wanted)

    def tell(line: str) -> None:
        progress(Progress(1, 1, version.name, line))

    tell("measures the same")
    with tempfile.TemporaryDirectory(prefix="converse-against-") as folder:
        file, store = Path(folder) / "suite.toml", Path(folder) / "store"
        words = ["reproduce", baseline.task or ""]
        if isinstance(trials, GateRun):
            files.write_text(file, suite_toml(trials.read(networks=False)))
            words = ["run", str(file)]
        words += _options(replace(trials, entries=there, store=store))
        ended = command_elsewhere(words, library=version.library, tell=tell)
        if ended.status not in (0, 1) or not (store / "store.json").exists():
            raise OptionError(f"--against {version.name}: it cannot measure {_what(baseline)}: {ended.last}")
        found = taken(Store(store, create=False), baseline, suite, there)
    # What shape an output is to have is no measurement: the file says it.
    found = replace(
        found,
        shapes={entry.name: entry.shape for entry in baseline.entries},
        platforms=tuple(_platform(one, here) for one in found.platforms),
    )
    allowed = {entry.name: entry.tolerances for entry in baseline.entries}
    metrics = [name for name in baseline.metrics if name in set(found.values["metric"])]
    try:
        return make_baseline(found, allowed, metrics, {"suite": baseline.suite, "task": baseline.task})
    except OptionError as error:
        raise OptionError(f"--against {version.name}: {error}") from None


def _own(version: OtherVersion, trials: Trials) -> Trials:
    """The trials with the version's own operator, where a user's is measured and the version has its file.

    Raises:
        OptionError: nothing of it would differ.
    """
    given = trials.operator if isinstance(trials, GateRun) else None
    operator = None if given is None else version.operator(given)
    if version.library is None and operator is None:
        raise OptionError(
            f"--against {version.name}: it has neither a converse of its own nor the operator's file, so that nothing "
            "would differ"
        )
    return replace(trials, operator=operator) if isinstance(trials, GateRun) and operator is not None else trials


def _options(trials: Trials) -> list[str]:
    """Those that every version has, for the same on the same machine."""
    words = ["--store", str(trials.store), "--device", trials.device]
    for entry in trials.entries or ():
        words += ["--only", entry]
    for name in trials.datasets or ():
        words += ["--datasets", name]
    given: dict[str, object] = {"threads": trials.threads, "images": trials.images, "data-dir": trials.data_dir}
    if isinstance(trials, GateRun):
        seeds = ",".join(map(str, trials.seeds or ()))
        given |= {"budget": trials.budget, "seeds": seeds or None, "trial-timeout": trials.trial_timeout}
    else:
        given["metrics"] = ",".join(trials.metrics or ()) or None
    for option, value in given.items():
        words += [] if value is None else [f"--{option}", str(value)]
    return words


def _what(baseline: Baseline) -> str:
    return f"suite {baseline.suite}" if baseline.suite is not None else f"task {baseline.task}"


def _platform(other: Platform, here: Measured) -> Platform:
    """This machine, with the numerics of the other version and the libraries that it computed with.

    An older version may not have noted all that this one notes of a machine.
    """
    mine = here.platforms[0] if here.platforms else other
    return mine.model_copy(update={"numerics": other.numerics, "versions": {**mine.versions, **other.versions}})
