"""Two versions that take turns on one machine: another one beside this, or the commit that a baseline names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import converse
from converse.analysis.gate.findings import Finding
from converse.analysis.gate.timing import ROUNDS, Held, against_other
from converse.errors import OptionError
from converse.experiments.speed.suite import Group
from converse.experiments.store import Store
from converse.experiments.suites.operator_names import named
from converse.workflows.check_request import CheckRequest
from converse.workflows.other_version import OtherVersion, commit_of, other_version
from converse.workflows.speed_rounds import Rounds, SpeedGate, measure_rounds, told
from converse.workflows.work import Progress

if TYPE_CHECKING:
    import pandas as pd

SHORT: Final = 12
"""Digits of a commit's hash that people are shown."""


def check_other(
    gate: SpeedGate,
    other: OtherVersion,
    operator: str | None,
    store: Store,
    seconds: float,
    progress: Callable[[Progress], None],
    look: str,
    this: OtherVersion | None = None,
) -> Rounds:
    """Let this version and another one take turns.

    Args:
        gate: what is measured.
        other: the other version.
        operator: that stands in the place of reverse convolution; ``None`` for none.
        store: where rounds are kept.
        seconds: after which no further round begins, once there are some.
        progress: told often.
        look: the command that shows more.
        this: a version in the place of the one that runs; ``None`` for that.

    Raises:
        OptionError: the other version has neither a ``converse`` nor the operator, or its networks do not fit what this
            version does with them.
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    paired, beside = _paired(gate, other, operator, this)

    def judge(rows: pd.DataFrame) -> list[Held]:
        theirs = rows[rows["subject"].isin(list(beside.values()))]
        if not (theirs["status"] == "ok").any():
            raise OptionError(
                f"--against {other.name}: its converse does not fit what this version measures: "
                f"{theirs['reason'].dropna().iloc[0]}"
            )
        return against_other(rows, beside, other.name, look)

    return measure_rounds(paired, store, ROUNDS, judge=judge, seconds=seconds, tell=told(progress, 0, ROUNDS))


def beside_commit(
    request: CheckRequest,
    gate: SpeedGate,
    commit: str,
    operator: str | None,
    store: Store,
    progress: Callable[[Progress], None],
    look: str,
) -> tuple[list[Finding], list[str]]:
    """Take turns with the commit that a baseline names.

    Args:
        request: what the user asks for.
        gate: what is measured.
        commit: its full hash.
        operator: that stands in the place of reverse convolution; ``None`` for none.
        store: where rounds are kept.
        progress: told often.
        look: the command that shows more.

    Returns:
        Findings, and what else the user should know. That the commit cannot be had, or does not fit, is no fault of
        this version: it is not measured then.

    Raises:
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    if request.taken_from is not None:
        return not_measured("two versions take turns only where both are measured: check without --from")
    try:
        with pinned_version(commit) as version:
            found = check_other(gate, version, operator, store, request.seconds, progress, look)
    except OptionError as error:
        file = request.baseline
        return not_measured(
            f"{error}; or name a newer commit: converse check {file} --write --part speed --against HEAD"
        )
    note = f"time and memory are compared with those of commit {version.name}, which took turns here"
    return [one.finding for one in found.held], [note]


def not_measured(reason: str) -> tuple[list[Finding], list[str]]:
    """What there is to say where speed could not be measured at all, and no note."""
    return [Finding("presence", "speed", "", "[speed]", "not measured", reason)], []


def moved_on(
    request: CheckRequest,
    gate: SpeedGate,
    before: str | None,
    operator: str | None,
    store: Store,
    progress: Callable[[Progress], None],
    *,
    accept: bool,
) -> tuple[str, list[Finding]]:
    """The commit that speed is held against from now on, beside the one before.

    Without that, a version could be named each time that is a little slower than the last one.

    Args:
        request: ``against`` is what the user calls the commit.
        gate: what is measured.
        before: the commit that the file has; ``None`` for none.
        operator: that stands in the place of reverse convolution; ``None`` for none.
        store: where rounds are kept.
        progress: told often.
        accept: also where the two cannot be measured.

    Returns:
        Its full hash, and what came of the turns.

    Raises:
        OptionError: it is no commit; or it cannot be measured beside the one before, and that is not accepted.
        ConverseError: rounds could not be kept.
        KeyboardInterrupt: it was stopped.
    """
    name = str(request.against)
    commit = commit_of(name)
    if before in (None, commit):
        return commit, []
    with other_version(commit) as version:
        try:
            with pinned_version(str(before)) as earlier:
                rounds = check_other(gate, earlier, operator, store, request.seconds, progress, "", this=version)
        except OptionError as error:
            if accept:
                return commit, []
            raise OptionError(
                f"{name} cannot be measured beside the commit that {request.baseline} has: {error}; --accept names it "
                "all the same"
            ) from None
    return commit, [one.finding for one in rounds.held]


@contextmanager
def pinned_version(commit: str) -> Iterator[OtherVersion]:
    """The commit that a baseline names, called by the first digits of its hash.

    Raises:
        OptionError: git does not have it here.
    """
    with other_version(commit) as version:
        yield replace(version, name=commit[:SHORT])


def _paired(
    gate: SpeedGate, other: OtherVersion, operator: str | None, this: OtherVersion | None
) -> tuple[SpeedGate, Mapping[str, str]]:
    """The same subjects in both versions: cases of two each, and the name of each one's counterpart."""
    here = str((this and this.library) or Path(converse.__file__).resolve().parents[1])
    own = None if operator is None else named(operator).operator
    theirs = None if own is None else other.operator(own)
    if other.library is None and theirs is None:
        what = "no converse" if operator is None else f"neither a converse nor {operator}"
        raise OptionError(f"--against {other.name}: it has {what}, so that nothing would differ")
    beside: dict[str, str] = {}
    made = []
    for group in gate.groups:
        for subject in group.subjects[1:]:
            beside[subject.name] = f"{subject.name} of {other.name}"
            made_of = theirs if theirs is not None and subject.operator == own else subject.operator
            base = replace(subject, name=beside[subject.name], operator=made_of, library=str(other.library or here))
            made.append(Group(group.case, (base, replace(subject, library=here))))
    return replace(gate, groups=tuple(made)), beside
