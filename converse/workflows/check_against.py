"""The quality of another version, measured beside this one: the same suite, by that version's own command."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from converse.analysis.gate.baseline import Baseline, Platform
from converse.analysis.gate.making import make_baseline
from converse.analysis.gate.measured import Measured
from converse.errors import OptionError
from converse.experiments.store import Store, files
from converse.experiments.suites.written import suite_toml
from converse.workflows.check_measured import taken
from converse.workflows.check_request import GateRun
from converse.workflows.elsewhere import command_elsewhere
from converse.workflows.other_version import OtherVersion
from converse.workflows.work import Progress


def measured_by(
    version: OtherVersion,
    trials: GateRun,
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
    operator = None if trials.operator is None else version.operator(trials.operator)
    if version.library is None and operator is None:
        raise OptionError(
            f"--against {version.name}: it has neither a converse of its own nor the operator's file, so that nothing "
            "would differ"
        )
    own = trials if operator is None else replace(trials, operator=operator)
    suite = own.read(networks=False)
    there = [entry.name for entry in suite.entries if entry.name in wanted]

    def tell(line: str) -> None:
        progress(Progress(1, 1, version.name, line))

    tell("measures the same")
    with tempfile.TemporaryDirectory(prefix="converse-against-") as folder:
        file, store = Path(folder) / "suite.toml", Path(folder) / "store"
        files.write_text(file, suite_toml(suite))
        ended = command_elsewhere(_words(own, file, store, there), library=version.library, tell=tell)
        if ended.status not in (0, 1) or not (store / "store.json").exists():
            raise OptionError(f"--against {version.name}: it cannot measure suite {suite.name}: {ended.last}")
        found = taken(Store(store, create=False), baseline, suite.name, there)
    # What shape an output is to have is no measurement: the file says it.
    found = replace(
        found,
        shapes={entry.name: entry.shape for entry in baseline.entries},
        platforms=tuple(_platform(one, here) for one in found.platforms),
    )
    allowed = {entry.name: entry.tolerances for entry in baseline.entries}
    metrics = [name for name in baseline.metrics if name in set(found.values["metric"])]
    try:
        return make_baseline(found, allowed, metrics, {"suite": suite.name, "budget": baseline.budget})
    except OptionError as error:
        raise OptionError(f"--against {version.name}: {error}") from None


def _words(trials: GateRun, file: Path, store: Path, entries: Sequence[str]) -> list[str]:
    words = ["run", str(file), "--budget", trials.budget or "", "--store", str(store), "--device", trials.device]
    words += ["--threads", str(trials.cpu_threads)]
    words += [word for entry in entries for word in ("--only", entry)]
    words += [word for name in trials.datasets or () for word in ("--datasets", name)]
    if trials.seeds:
        words += ["--seeds", ",".join(map(str, trials.seeds))]
    for option, value in (
        ("--images", trials.images),
        ("--data-dir", trials.data_dir),
        ("--trial-timeout", trials.trial_timeout),
    ):
        words += [] if value is None else [option, str(value)]
    return words


def _platform(other: Platform, here: Measured) -> Platform:
    """This machine, with the numerics of the other version and the libraries that it computed with.

    An older version may not have noted all that this one notes of a machine.
    """
    mine = here.platforms[0] if here.platforms else other
    return mine.model_copy(update={"numerics": other.numerics, "versions": {**mine.versions, **other.versions}})
