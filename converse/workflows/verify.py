"""``converse store verify``: everything in stores is compared with its checksums, and repaired with ``--repair``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from converse.errors import CheckpointError, ConverseWarning
from converse.experiments.store import Store, files
from converse.experiments.store.checking import Fault, mend_trial, run_faults, store_faults, trial_faults
from converse.experiments.store.shapes import TABLE, list_of
from converse.experiments.store.speed_rows import SpeedFolder
from converse.workflows.result_cache import FOLDER as ANSWERED
from converse.workflows.result_cache import answer_fault

QUICKSTART: Final = "quickstart"
"""Folder in which ``converse quickstart`` keeps what it measures beside its suite."""

COLUMNS: Final = ("store", "place", "fault", "mended")


@dataclass(frozen=True)
class Verified:
    """What came out.

    Attributes:
        faults: the store and each fault in it.
        trials: how many were looked at.
        runs: how many runs of speed.
    """

    faults: tuple[tuple[Path, Fault], ...]
    trials: int
    runs: int

    @property
    def left(self) -> int:
        """How many faults were not mended."""
        return sum(not fault.mended for _, fault in self.faults)


def verify(
    stores: Sequence[Store], *, repair: bool = False, progress: Callable[[int, int], None] = lambda done, total: None
) -> Verified:
    """Read everything in stores, and say what is not as it was written.

    Args:
        stores: opened with ``create=False``.
        repair: set aside what is damaged, renew what can be renewed, remove leftovers, give digests to trials of
            versions without them. Nothing that was measured is deleted.
        progress: told how many trials and runs of how many are done.

    Returns:
        All faults, each with what was done about it.

    Raises:
        StoreError: a store cannot be read, or is of a newer schema.
    """
    faults_of_stores: list[tuple[Path, Fault]] = []
    trials = [(store, folder) for store in stores for folder in store.folders()]
    runs = [(store, run) for store in stores for run in store.speed.runs()]
    whole = len(trials) + len(runs)
    for number, (store, folder) in enumerate(trials):
        progress(number, whole)
        faults = (mend_trial if repair else trial_faults)(folder, _check_weights)
        faults_of_stores += [(store.root, _within(f"trials/{folder.id}", one)) for one in faults]
    for number, (store, run) in enumerate(runs, len(trials)):
        progress(number, whole)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConverseWarning)  # what was mended is in the line
            faults = run_faults(SpeedFolder(store.speed.root / run), repair=repair)
        faults_of_stores += [(store.root, _within(f"speed/{run}", one)) for one in faults]
    for store in stores:
        faults_of_stores += [
            (store.root, one) for one in (*_made_anew(store, repair), *store_faults(store, repair=repair))
        ]
    progress(whole, whole)
    return Verified(tuple(faults_of_stores), len(trials), len(runs))


def _made_anew(store: Store, repair: bool) -> Iterator[Fault]:
    """Damaged files that only save time, remembered answers and what quickstart keeps: they are removed."""
    faults = dict.fromkeys((store.root / ANSWERED).glob("*.json"), answer_fault)
    faults |= dict.fromkeys((store.root / QUICKSTART).glob("*.json"), _records_fault)
    for path, fault_of in sorted(faults.items()):
        if not path.is_symlink() and path.is_file() and (wrong := fault_of(path)) is not None:
            if repair:
                path.unlink()
            place = path.relative_to(store.root).as_posix()
            yield Fault(place, wrong.removeprefix(f"{path} "), "removed" if repair else "")


def _records_fault(path: Path) -> str | None:
    try:
        whole = list_of(TABLE).holds((files.read_sealed(path) or {}).get("records"))
    except files.Damaged as error:
        return str(error)
    return None if whole else "is damaged: it has no records"


def _check_weights(path: Path, trial: str | None) -> None:
    from converse.experiments.training.checkpoints import unpack

    notes = unpack(path).notes
    if trial is not None and notes.get("trial") != trial:
        raise CheckpointError(f"{path} has the weights of the trial {notes.get('trial')}")


def _within(place: str, fault: Fault) -> Fault:
    return Fault(f"{place}/{fault.place}".rstrip("/"), fault.what, fault.mended)
