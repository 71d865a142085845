"""Whether a baseline is of what is checked: its suites, settings and device. Where it is not, its key is refused."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from converse.analysis.gate.baseline import Baseline
from converse.errors import DataError, OptionError, unknown
from converse.experiments.devices import resolve_device
from converse.experiments.speed.suite import load_speed_suite, speed_suites
from converse.experiments.suites.errors import Mistake, suite_error
from converse.experiments.suites.suite import load_suite, suites
from converse.experiments.suites.vocabulary import image_source
from converse.experiments.trials import Difference, differences
from converse.workflows.check_request import CheckRequest, GateRun, Part, from_file, suite_of
from converse.workflows.check_speed import speed_suite_of

_OPERATOR: Final = ("operator", "options.operator_options.")
"""Settings that another operator brings along."""


def refuse_unfit(request: CheckRequest, baseline: Baseline, parts: Collection[Part]) -> None:
    """Refuse a baseline that names what is not here, or that is of another suite, before anything is measured.

    Args:
        request: what is asked for.
        baseline: the file.
        parts: what of it is checked.

    Raises:
        SuiteError: it does, with the key.
        OptionError: another kind of device is asked for.
    """
    faults = list(_device(request, baseline))
    if "quality" in parts:
        faults += [*_test_sets(request, baseline), *(_suite if baseline.task is None else _task)(request, baseline)]
    if "speed" in parts:
        faults += _speed(request, baseline)
    if faults:
        raise suite_error(request.baseline, faults, {})


def refuse_settings(
    request: CheckRequest, baseline: Baseline, settings: Mapping[str, Mapping[str, Any]], *, partly: bool
) -> None:
    """Refuse a baseline of other settings: what it has and what is measured now are two things.

    Args:
        request: what is asked for.
        baseline: with the settings of its entries.
        settings: entry → path → value now.
        partly: whether checksums of data and weights are not known yet.

    Raises:
        SuiteError: an entry has other settings.
    """
    faults = []
    for index, entry in enumerate(baseline.entries):
        now = settings.get(entry.name)
        if now is None:
            continue
        found = [one for one in differences(entry.settings, now) if _counts(one, request, partly)]
        if found:
            said = ", ".join(f"{one.path} was {one.left} and is {one.right}" for one in found[:3])
            more = f", and {len(found) - 3} more" if len(found) > 3 else ""
            text = f"{said}{more}: values of two settings are not compared; write the baseline anew, on purpose"
            faults.append(Mistake(("entries", index, "settings"), text))
    if faults:
        document = {"entries": [{"name": entry.name} for entry in baseline.entries]}
        raise suite_error(request.baseline, faults, document)


def planned_settings(trials: GateRun) -> dict[str, dict[str, Any]]:
    """Entry → settings, as far as they are known before anything is looked for."""
    from converse.analysis.gate.measured import settings_of

    return {
        plan.entry: settings_of({"data": {}, "weights": None, "configuration": plan.configuration()})
        for plan in trials.plans(trials.read())
    }


def _device(request: CheckRequest, baseline: Baseline) -> Iterator[Mistake]:
    kind = request.device_for(baseline)
    if request.taken_from is not None or request.device != "auto":  # nothing is computed, or on what the user says
        return
    try:
        resolve_device(kind)
    except OptionError as error:
        yield Mistake(("platform", "device"), f"{error}; values of another kind of device cannot be compared")


def _test_sets(request: CheckRequest, baseline: Baseline) -> Iterator[Mistake]:
    for index, name in enumerate(baseline.test):
        try:
            image_source(from_file(request.baseline, name), Path())
        except DataError as error:
            yield Mistake(("test", index), str(error))


def _suite(request: CheckRequest, baseline: Baseline) -> Iterator[Mistake]:
    found = suite_of(baseline, request.baseline)
    if fault := _no_file(str(baseline.suite), found, suites()):
        yield Mistake(("suite",), fault)
        return
    suite = load_suite(found, networks=False)
    if baseline.budget not in suite.budgets:
        text = f"suite {suite.name!r}: {unknown('budget', str(baseline.budget), suite.budgets)}"
        yield Mistake(("budget",), text)
    yield from _another(baseline, "suite", suite.name, [entry.name for entry in suite.entries])


def _task(request: CheckRequest, baseline: Baseline) -> Iterator[Mistake]:
    from converse.nn.released_weights import RELEASED

    names = [entry for entry, released in RELEASED.items() if released.task == baseline.task]
    yield from _another(baseline, "task", str(baseline.task), names)


def _another(baseline: Baseline, key: str, title: str, names: Sequence[str]) -> Iterator[Mistake]:
    """One entry that is gone has regressed; where all of them are, the file is about something else."""
    mine = [entry.name for entry in baseline.entries]
    if not {*map(str.casefold, mine)} & {*map(str.casefold, names)}:
        text = f"{key} {title!r} has none of the file's entries ({', '.join(mine)}): the file is of another {key}"
        yield Mistake((key,), text)


def _speed(request: CheckRequest, baseline: Baseline) -> Iterator[Mistake]:
    if (table := baseline.speed) is None:
        return
    found = speed_suite_of(table, request.baseline)
    if fault := _no_file(table.suite, found, speed_suites()):
        yield Mistake(("speed", "suite"), fault)
        return
    suite = load_speed_suite(found)
    if table.budget not in suite.budgets:
        text = f"suite of speed {suite.name!r}: {unknown('budget', table.budget, suite.budgets)}"
        yield Mistake(("speed", "budget"), text)


def _no_file(name: str, found: str, built_in: Mapping[str, Path]) -> str | None:
    """What there is to say of a suite that is neither built in nor a file.

    Args:
        name: as the baseline has it.
        found: as the command line would.
        built_in: the suites that come with converse.
    """
    if found in built_in or os.path.lexists(found):
        return None
    return f"{unknown('suite', name, built_in)}; and there is no such file beside the baseline"


def _counts(difference: Difference, request: CheckRequest, partly: bool) -> bool:
    if partly and difference.path.startswith(("data.", "weights")):
        return False
    return request.operator is None or not difference.path.startswith(_OPERATOR)
