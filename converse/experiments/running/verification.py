"""An operator held to the contract, in processes of its own: what it does to one of them is what is said of it."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

from converse.errors import OptionError
from converse.experiments.devices import is_out_of_memory, limited, most_of_memory
from converse.experiments.running.apart import Ended, Tell, apart
from converse.experiments.running.torch_settings import torch_settings
from converse.experiments.suites.operator_names import Named
from converse.experiments.suites.user_operators import (
    NotImported,
    operator_builder,
    operator_file,
    place_in,
    place_in_trace,
    unknown_option,
)
from converse.experiments.training.interruption import Stop
from converse.nn.contract.subject import CHANNELS, KERNEL_SIZE, Defect, NotTried, Subject
from converse.nn.contract.table import CONTRACT, Check, Option
from converse.nn.inversion import Inversion, forward_model, inversion, sweep

Outcome = Literal["pass", "fail", "skip"]

LIMIT: Final = 120.0
"""Seconds for one check, if nothing else is said."""

PATIENCE: Final = 5
"""A check that is made by option may take so many times as long: compilers do."""


@dataclass(frozen=True)
class Result:
    """How one check went.

    Attributes:
        name: of the check.
        group: that it belongs to.
        outcome: ``skip`` where it was not made: nobody asked for it, or another one failed that it builds on.
        expected: in a sentence.
        seen: in a sentence.
        cure: what to do, in a sentence; empty unless it failed.
        seconds: how long it took; ``None`` where it was not made.
    """

    name: str
    group: str
    outcome: Outcome
    expected: str
    seen: str
    cure: str = ""
    seconds: float | None = None


@dataclass(frozen=True)
class Measured:
    """An inverse as it was measured: nothing of it is judged.

    Attributes:
        lam: λ, where it was fixed; ``None`` for the operator as it starts.
        inversion: the numbers.
    """

    lam: float | None
    inversion: Inversion


@dataclass(frozen=True)
class Verified:
    """What was seen of an operator.

    Attributes:
        results: one for each check of the contract, in its order.
        measured: of an inverse; empty for all other operators, and where a check that it builds on failed.
    """

    results: tuple[Result, ...]
    measured: tuple[Measured, ...] = ()

    @property
    def failed(self) -> tuple[Result, ...]:
        """The checks that failed."""
        return tuple(result for result in self.results if result.outcome == "fail")


@dataclass(frozen=True)
class Verification:
    """What is asked for.

    Attributes:
        operator: with its options, among them ``channels`` and ``kernel_size`` if they are not the usual ones, and
            ``scale`` for one that has a single scale.
        scales: that it claims to have; ``None`` to find out.
        options: the kinds of checks that are made by option.
        limit: seconds for each check.
        threads: CPU threads.
    """

    operator: Named
    scales: tuple[int, ...] | None = None
    options: frozenset[Option] = field(default_factory=frozenset)
    limit: float = LIMIT
    threads: int = 1


def verify(
    asked: Verification,
    *,
    tell: Callable[[str, int, int], None] = lambda name, done, total: None,
    stop: Stop | None = None,
) -> Verified:
    """Hold an operator to the contract.

    Args:
        asked: which, and how.
        tell: told the name of each check, how many are done, and how many there are.
        stop: asked between processes.

    Returns:
        What was seen. An operator that raises, hangs, ends its process or takes too much memory fails the check at
        which it does; the others are made in another process.

    Raises:
        OptionError: there is no such class, or it has no such option.
        KeyboardInterrupt: it was stopped.
    """
    checks = [check for check in CONTRACT if check.option is None or check.option in asked.options]
    done: dict[str, Result] = {}
    for option in (None, *sorted(asked.options)):
        limit = asked.limit * (PATIENCE if option else 1)
        left = [check for check in checks if check.option == option]
        while left:
            _hold_apart(asked, left, done, limit, partial(_told, tell, len(checks)), stop)
            for check in left:
                if check.name not in done and (missing := _missing(check, done)):
                    done[check.name] = _result(check, "skip", missing)
            left = [check for check in left if check.name not in done]
    for check in CONTRACT:
        if check.name not in done:
            done[check.name] = _result(check, "skip", f"made with --{check.option}")
    results = tuple(done[check.name] for check in CONTRACT)
    measured: tuple[Measured, ...] = ()
    if all(done[name].outcome == "pass" for name in ("shape", "determinism", "batch independence")):
        with contextlib.suppress(Ended):
            measured = apart(partial(_measure, asked), limit=asked.limit, stop=stop)
    return Verified(results, measured)


def _told(tell: Callable[[str, int, int], None], total: int, done: Mapping[str, Result], name: str) -> None:
    tell(name, len(done), total)


def _hold_apart(
    asked: Verification,
    checks: Sequence[Check],
    done: dict[str, Result],
    limit: float,
    tell: Callable[[Mapping[str, Result], str], None],
    stop: Stop | None,
) -> None:
    """Make checks in one process, until the last or until it ends; at least one is done then."""
    at = checks[0]

    def heard(what: str, number: int, total: int, name: str, result: Result | None = None) -> None:
        nonlocal at
        if result is not None:
            done[name] = result
            return
        at = next(check for check in checks if check.name == name)
        tell(done, name)

    names = [check.name for check in checks]
    try:
        apart(partial(_hold, asked, names, done), limit=limit, each=True, tell=heard, stop=stop)
    except Ended as ended:
        where = operator_file(asked.operator.operator)
        place = place_in_trace(ended.trace, where) if where else None
        reason = ended.reason.partition(", while ")[0]
        done[at.name] = _result(at, "fail", f"{reason}; at {place}" if place else reason)


def _hold(asked: Verification, names: Sequence[str], done: Mapping[str, Result], *, tell: Tell, stop: Stop) -> None:
    """What the process does: it tells of each check before it is made and after."""
    checks = [check for check in CONTRACT if check.name in names]
    known = dict(done)
    memory = None if "cuda" in asked.options else most_of_memory("cpu")  # a driver reserves as much as it likes
    with (
        contextlib.redirect_stdout(io.StringIO()) as said,
        torch_settings("cpu", asked.threads),
        limited(memory),
    ):
        tell("importing it", 0, len(checks), checks[0].name)
        subject = replace(_subject(asked), printed=said.getvalue())
        for number, check in enumerate(checks, 1):
            stop.check()
            tell("looking at it", number, len(checks), check.name)
            known[check.name] = _made(check, subject, asked, known)
            tell("looked at it", number, len(checks), check.name, known[check.name])


def _subject(asked: Verification) -> Subject:
    """The operator; where its file cannot be imported, one that says so when it is built.

    Raises:
        OptionError: there is no such class, or it has no such option.
    """
    name, given = asked.operator.operator, dict(asked.operator.options)
    channels, kernel_size = given.pop("channels", CHANNELS), given.pop("kernel_size", KERNEL_SIZE)
    scales = (given.pop("scale"),) if "scale" in given else asked.scales
    sizes = [("channels", channels), ("kernel_size", kernel_size), *(("scale", scale) for scale in scales or ())]
    for option, value in sizes:
        if type(value) is not int or value < 1:
            raise OptionError(f"{option} must be a whole number from 1, got {value!r}")
    try:
        if fault := unknown_option(name, given):
            raise OptionError(fault)
        build = operator_builder(name)
    except NotImported as error:
        build = partial(_raise, error)
    return Subject(build, given, channels, kernel_size, scales)


def _raise(error: Exception, *arguments: Any, **options: Any) -> Any:
    raise error


def _missing(check: Check, done: Mapping[str, Result]) -> str | None:
    """What to say of a check that builds on one that has not passed."""
    lacking = (name for name in check.needs if name in done and done[name].outcome != "pass")
    return next((f"not looked at, for {name} has not passed" for name in lacking), None)


def _made(check: Check, subject: Subject, asked: Verification, done: Mapping[str, Result]) -> Result:
    if missing := _missing(check, done):
        return _result(check, "skip", missing)
    begun = time.perf_counter()
    try:
        outcome, seen = "pass", check.run(subject)
    except NotTried as reason:
        outcome, seen = "skip", str(reason)
    except Defect as defect:
        outcome, seen = "fail", str(defect)
    except (Exception, SystemExit) as error:
        outcome, seen = "fail", _said(error, asked)
    return _result(check, outcome, seen, time.perf_counter() - begun)  # type: ignore[arg-type]


def _said(error: BaseException, asked: Verification) -> str:
    """What the operator's own code raised, and where."""
    text = " ".join(str(error).split())
    if isinstance(error, OptionError):
        return text  # names the place itself
    kind = "out of memory" if is_out_of_memory(error) else type(error).__name__
    sentence = f"{kind}: {text if len(text) < 300 else text[:299] + '…'}".removesuffix(": ")
    file = operator_file(asked.operator.operator)
    place = place_in(error, file) if file else None
    return f"{sentence}; at {place}" if place else sentence


def _result(check: Check, outcome: Outcome, seen: str, seconds: float | None = None) -> Result:
    cure = check.cure if outcome == "fail" else ""
    return Result(check.name, check.group, outcome, check.expected, seen, cure, seconds)


def _measure(asked: Verification, *, tell: Tell, stop: Stop) -> tuple[Measured, ...]:
    """The numbers of an inverse, at the scales that it has, and with λ where it takes one."""
    found: list[Measured] = []
    with contextlib.redirect_stdout(io.StringIO()), torch_settings("cpu", asked.threads):
        subject = _subject(asked)
        size = subject.channels, subject.kernel_size
        for scale in subject.scales or (1, 2):
            with contextlib.suppress(Exception):  # a scale that it has not, or float64 that it cannot
                operator = subject.make(scale=scale)
                if forward_model(operator) is not None:
                    found.append(Measured(None, inversion(operator, *size, scale)))
        if found and "lam" not in subject.options:
            with contextlib.suppress(Exception):
                found += [Measured(lam, one) for lam, one in sweep(lambda lam: subject.make(scale=1, lam=lam), *size)]
    return tuple(found)
