"""What a check judges: trials that it measures, or that a store has, in the form in which the gate compares them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converse.analysis.gate.baseline import Baseline
from converse.analysis.gate.measured import Measured, platform_of, settings_of
from converse.data.catalogue import datasets
from converse.data.noise_levels import level_of
from converse.errors import NotAtHand, OptionError, StoreError
from converse.experiments.provenance import code_hash, versions
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import StoredRequest, notes
from converse.experiments.trials import default_threads
from converse.workflows.check_request import GateRun
from converse.workflows.result_cache import Answer
from converse.workflows.run import Run, run
from converse.workflows.work import Progress

if TYPE_CHECKING:
    import pandas as pd

    from converse.workflows.check_request import Trials
    from converse.workflows.reproduce import Reproduction

DIGITS = 16
"""Of the checksum of an image."""


def measure(request: Trials, wanted: Sequence[str] | None, progress: Callable[[Progress], None]) -> Measured:
    """Measure the entries of a suite, or the released networks of a task, that a baseline has.

    Args:
        request: the trials.
        wanted: names of entries; ``None`` for all there are. What the suite or the task does not have is gone.
        progress: told often.

    Returns:
        What was measured; where nothing can be, why.

    Raises:
        ConverseError: what the user has to mend.
        KeyboardInterrupt: it was stopped; the same call goes on there.
    """
    names = names_of(request)
    there = names if wanted is None else [name for name in names if name.casefold() in {*map(str.casefold, wanted)}]
    if not there:
        return Measured(_no_rows())
    request = replace(request, entries=tuple(there))
    done: Run | Reproduction
    try:
        if isinstance(request, GateRun):
            done = run(request, progress)
        else:
            from converse.workflows.reproduce import reproduce

            done = reproduce(request, progress)
    except NotAtHand as error:
        return Measured(_no_rows(), lacking={(None, None): str(error)})
    if done.rows.empty:
        return Measured(_no_rows(), lacking=_lacking(done), failures=_failures(done))
    found = _of_rows(Store(request.store), done.rows)
    return replace(found, shapes=shapes(request), lacking=_lacking(done), failures=_failures(done))


def names_of(request: Trials) -> list[str]:
    """The entries of the suite, or the networks that are released for the task."""
    if isinstance(request, GateRun):
        return [entry.name for entry in request.read(networks=False).entries]
    from converse.nn.released_weights import RELEASED

    return [entry for entry, released in RELEASED.items() if released.task == request.task]


def asked_as(request: Trials) -> str:
    """The name of the suite under which a store notes the request."""
    from converse.experiments.running.request import RELEASED_SUITE

    return request.read(networks=False).name if isinstance(request, GateRun) else RELEASED_SUITE


def shapes(request: Trials) -> dict[str, tuple[int, ...]]:
    """Entry → the shape of its output, as this code builds its network."""
    from converse.experiments.running.torch_settings import torch_settings
    from converse.experiments.running.watched import shaped

    if isinstance(request, GateRun):
        threads, limit, plans = request.cpu_threads, request.trial_timeout, request.plans(request.read())
    else:
        from converse.workflows.reproduce_plan import released_plan

        threads, limit = request.threads or default_threads(), None
        plans = [released_plan(name, request) for name in request.entries or names_of(request)]
    with torch_settings("cpu", threads):
        return shaped(plans, threads, limit=limit)


def taken(store: Store, baseline: Baseline, suite: str, wanted: Sequence[str]) -> Measured:
    """What a store has of a baseline's trials, by the newest requests for them.

    Args:
        store: any.
        baseline: of a suite, or of a task.
        suite: its name, as requests have it: :func:`asked_as`.
        wanted: names of entries.

    Raises:
        OptionError: nobody asked for them in this store.
    """
    asked = [note for note in notes(store) if _answers(note, baseline, suite)]
    if not asked:
        what = f"task {baseline.task}" if baseline.suite is None else f"suite {suite} under budget {baseline.budget}"
        others = dict.fromkeys(f"{note.suite} {note.budget}".strip() for note in notes(store))
        raise OptionError(f"{store.root} has no run of {what}: it has {', '.join(others) or 'none'}")
    trials: dict[tuple[str, int | None], tuple[str, str]] = {}
    for note in asked:
        for trial, entry, seed in note.trials:
            if entry.casefold() in {*map(str.casefold, wanted)} and (seed is None or seed in baseline.seeds):
                trials.setdefault((entry, seed), (trial, note.budget))
    if not trials:
        return Measured(_no_rows())
    from converse.analysis.selection import newest_sets

    labels = tuple((trial, entry, budget or None) for (entry, _), (trial, budget) in trials.items())
    rows = store.rows({trial for trial, _, _ in labels})
    signatures = tuple(rows["signature"].dropna().unique())
    chosen = Answer(labels, newest_sets(asked), signatures, {}).selection(store)
    folders = {folder.id: folder for folder in store.folders()}
    failures = {
        key: status.reason or status.state
        for key, (trial, _) in trials.items()
        if trial in folders and (status := folders[trial].status()).state != "done"
    }
    return replace(_of_rows(store, chosen.rows), failures=failures)


def refuse_used(store: Path) -> None:
    """Refuse a folder whose trials might answer for code that they were not made by.

    Raises:
        OptionError: a trial in it is of other code or libraries, or is finished and has code of a user's, of whose
            imports nobody knows.
    """
    if not store.is_dir() or not any(store.iterdir()):
        return
    for folder in Store(store, create=False).folders():
        made = folder.provenance()
        own = ":" in str(folder.description()["configuration"].get("operator") or "")
        same = made is None or (made.get("code") == code_hash() and made.get("versions") == versions())
        if not same or (own and folder.status().state == "done"):
            raise OptionError(
                f"{store} has trials that may be of other code than this one, and a check measures this one: name an "
                "empty folder with --store, or judge what is in it with --from"
            )


def _answers(note: StoredRequest, baseline: Baseline, suite: str) -> bool:
    if note.suite != suite:
        return False
    return note.task == baseline.task if baseline.suite is None else note.budget == baseline.budget


def _of_rows(store: Store, rows: pd.DataFrame) -> Measured:
    """What the trials of these rows are, and on what they were measured."""
    named = rows[["trial", "entry"]].drop_duplicates()
    folders = {folder.id: folder for folder in store.folders()}
    platforms, settings = {}, {}
    for trial, entry in named.itertuples(index=False, name=None):
        known = folders[trial].description()
        platforms[platform_of(known, _provenance(folders[trial])).model_dump_json()] = trial
        settings[str(entry)] = settings_of(known)
    each = {trial: folders[trial] for trial in platforms.values()}
    pictures = rows[rows["image"].notna()][["dataset", "image", "image_sha256"]].drop_duplicates()
    images: dict[str, dict[str, str]] = {}
    for dataset, image, sha256 in pictures.itertuples(index=False, name=None):
        images.setdefault(str(dataset), {})[str(image)] = str(sha256)[:DIGITS]
    return Measured(
        rows,
        tuple(platform_of(folder.description(), _provenance(folder)) for folder in each.values()),
        settings,
        images=images,
    )


def _provenance(folder: TrialFolder) -> Mapping[str, Any] | None:
    try:
        return folder.provenance()
    except StoreError:
        return None


def _lacking(done: Run | Reproduction) -> dict[tuple[str | None, str | None], str]:
    names = {known.title: name for name, known in datasets().items()}
    gaps = (gap for gap in done.gaps if not gap.failed and level_of(gap.case) is None)
    return {(gap.entry, names.get(gap.dataset or "", gap.dataset)): gap.reason for gap in gaps}


def _failures(done: Run | Reproduction) -> dict[tuple[str, int | None], str]:
    """Entry and seed → reason. A failure is named ``ENTRY seed N``, or ``ENTRY``."""
    found: dict[tuple[str, int | None], str] = {}
    for failure in done.failures:
        known = TrialFolder(failure.folder).description()
        found[str(known["entry"]), known["seed"]] = failure.reason
    return found


def _no_rows() -> pd.DataFrame:
    from converse.experiments.store import rows

    return rows.frame([])
