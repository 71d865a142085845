"""Hold this version against a baseline: measure, compare, and one answer with all that was found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from converse.analysis.gate.baseline import Baseline, read_baseline
from converse.analysis.gate.findings import Finding, exit_status
from converse.analysis.gate.measured import Measured
from converse.analysis.gate.quality import quality
from converse.errors import OptionError
from converse.experiments.store import Store
from converse.experiments.store.command_line import CommandLine
from converse.workflows.check_against import measured_by
from converse.workflows.check_fit import planned_settings, refuse_settings, refuse_unfit
from converse.workflows.check_folder import TrialsFolder, trials_folder
from converse.workflows.check_measured import asked_as, measure, names_of, shapes, taken
from converse.workflows.check_request import PARTS, CheckRequest, GateRun, Part, trials_for
from converse.workflows.check_speed import speed
from converse.workflows.other_version import OtherVersion, other_version
from converse.workflows.work import Progress

if TYPE_CHECKING:
    from converse.workflows.check_request import Trials


@dataclass(frozen=True)
class Check:
    """What came out.

    Attributes:
        request: what was asked for.
        baseline: what the run was held against.
        findings: all of them.
        folder: where the trials are. A temporary one is for whoever asked to put away.
        notes: what else the user should know.
    """

    request: CheckRequest
    baseline: Baseline
    findings: tuple[Finding, ...]
    folder: TrialsFolder
    notes: tuple[str, ...] = ()

    @property
    def store(self) -> Path:
        """The folder with the trials."""
        return self.folder.path

    @property
    def wanted(self) -> bool:
        """Whether somebody may look at the trials: something is not in order."""
        return self.exit_status != 0

    @property
    def kept(self) -> bool:
        """Whether the trials stay when the check is put away."""
        return not self.folder.temporary or (self.wanted and self.folder.worth_keeping)

    @property
    def exit_status(self) -> int:
        """The answer: :func:`converse.analysis.gate.findings.exit_status`."""
        return exit_status(self.findings)


def check(request: CheckRequest, progress: Callable[[Progress], None] = lambda progress: None) -> Check:
    """Measure what a baseline is about, and hold it against the baseline.

    Args:
        request: what is asked for.
        progress: told often.

    Returns:
        Findings, the answer, and where the trials are.

    Raises:
        SuiteError: the baseline is broken, or is of another suite than the one that bears its name now.
        ConverseError: a name is not known, the baseline is of another device, the store cannot be written.
        KeyboardInterrupt: it was stopped. Where something is kept, a note on this and every other error says where,
            and how to go on: :func:`converse.workflows.check_folder.trials_folder`.
    """
    baseline = read_baseline(request.baseline)
    if request.against is not None and request.taken_from is not None:
        raise OptionError("--against measures both versions on this machine, and --from judges a store: choose one")
    parts = _parts(request, baseline)
    refuse_unfit(request, baseline, parts)
    findings: list[Finding] = []
    notes: list[str] = []
    with (
        contextlib.nullcontext() if request.against is None else other_version(request.against) as version,
        trials_folder(request) as folder,
    ):
        store = folder.path
        if "quality" in parts:
            trials = trials_for(request, baseline, store)
            wanted = _wanted(request, baseline, names_of(trials))
            found = _measured(request, baseline, wanted, trials, progress)
            other = baseline
            if version is not None:
                other = measured_by(version, trials, baseline, wanted, found, progress)
                notes.append(f"values are compared with those of {_named(version)}, measured here too")
            look = str(CommandLine("report", str(store)))
            both = [entry.name for entry in other.entries if entry.name in wanted]
            findings += quality(other, found, only=both, look=look)
            # What the other version was not asked for, for the suite has it no more.
            gone = [name for name in wanted if name not in both]
            findings += quality(baseline, replace(found, others=()), only=gone, look=look)
        if "speed" in parts:
            judged, said = speed(request, baseline, version, store, progress)
            findings += judged
            notes += said
    return Check(request, baseline, tuple(findings), folder, tuple(notes))


def _wanted(request: CheckRequest, baseline: Baseline, names: Sequence[str]) -> list[str]:
    """The entries of the baseline that are asked for; where another operator is, those that have a place for it.

    Args:
        request: what is asked for.
        baseline: the file.
        names: of the entries that the suite has, or that have a place for the operator.

    Raises:
        OptionError: the baseline has no entry of that name, or it has no place for the operator.
    """
    every = [entry.name for entry in baseline.entries]
    wanted = every if request.entries is None else [baseline.entry(name).name for name in request.entries]
    if request.operator is None:
        return wanted
    placed = [name for name in wanted if name in names]
    if (request.entries is not None and placed != wanted) or not placed:
        without = next(name for name in wanted if name not in names)
        raise OptionError(f"--operator {request.operator}: {without} has no reverse convolution, whose place it takes")
    return placed


def _parts(request: CheckRequest, baseline: Baseline) -> tuple[Part, ...]:
    """What is checked: what is asked for, or all that there is to compare with."""
    if request.parts is not None:
        return request.parts
    # A store of trials alone says nothing of speed, and nobody asked.
    held = baseline.speed is not None and baseline.speed.against is None
    if request.taken_from is not None and not (held and Store(request.taken_from, create=False).speed.folders()):
        return ("quality",)
    # Who names entries asks about these.
    every = request.entries is None and (baseline.speed is not None or request.against is not None)
    return PARTS if every else ("quality",)


def _named(version: OtherVersion) -> str:
    return version.name if version.commit is None else f"{version.name} ({version.commit[:12]})"


def _measured(
    request: CheckRequest,
    baseline: Baseline,
    wanted: Sequence[str],
    trials: Trials,
    progress: Callable[[Progress], None],
) -> Measured:
    """What is judged, measured now or taken from a store.

    Raises:
        SuiteError: the suite's settings are others than those of the baseline.
        OptionError: another kind of device is asked for, or was measured on.
    """
    names, store = names_of(trials), trials.store
    if request.taken_from is None:
        if request.against is None and isinstance(trials, GateRun):
            refuse_settings(request, baseline, planned_settings(trials), partly=True)
        found = measure(trials, wanted, progress)
    else:
        found = taken(Store(store, create=False), baseline, asked_as(trials), wanted)
        found = replace(found, shapes=shapes(replace(trials, entries=tuple(name for name in names if name in wanted))))
    for platform in found.platforms:
        if platform.device != baseline.platform.device:
            raise OptionError(
                f"{request.baseline} was measured on {baseline.platform.device}, and the trials in {store} on "
                f"{platform.device}: values of another kind of device cannot be compared"
            )
    if request.against is None:
        refuse_settings(request, baseline, found.settings, partly=False)
    known = {entry.name for entry in baseline.entries}
    return replace(found, others=tuple(name for name in names if name not in known))
