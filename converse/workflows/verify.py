"""``converse store verify``: everything in stores held against its checksums, and mended where that is asked for."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from converse.errors import CheckpointError, ConverseWarning
from converse.experiments.store import Store
from converse.experiments.store.checking import Fault, mend_trial, run_faults, store_faults, trial_faults
from converse.experiments.store.speed_rows import SpeedFolder
from converse.workflows.result_cache import FOLDER as ANSWERED
from converse.workflows.result_cache import answer_fault

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
    found: list[tuple[Path, Fault]] = []
    trials = [(store, folder) for store in stores for folder in store.folders()]
    runs = [(store, run) for store in stores for run in store.speed.runs()]
    whole = len(trials) + len(runs)
    for number, (store, folder) in enumerate(trials):
        progress(number, whole)
        faults = (mend_trial if repair else trial_faults)(folder, _check_weights)
        found += [(store.root, _within(f"trials/{folder.id}", one)) for one in faults]
    for number, (store, run) in enumerate(runs, len(trials)):
        progress(number, whole)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConverseWarning)  # what was mended is in the line
            faults = run_faults(SpeedFolder(store.speed.root / run), repair=repair)
        found += [(store.root, _within(f"speed/{run}", one)) for one in faults]
    for store in stores:
        found += [(store.root, one) for one in (*_answers(store, repair), *store_faults(store, repair=repair))]
    progress(whole, whole)
    return Verified(tuple(found), len(trials), len(runs))


def _answers(store: Store, repair: bool) -> Iterator[Fault]:
    """Remembered answers that are damaged: they only save time, so they are removed."""
    for path in sorted((store.root / ANSWERED).glob("*.json")):
        if path.is_symlink():
            continue  # a fault of the store
        if (wrong := answer_fault(path)) is not None:
            if repair:
                path.unlink()
            yield Fault(f"{ANSWERED}/{path.name}", wrong.removeprefix(f"{path} "), "removed" if repair else "")


def _check_weights(path: Path, trial: str | None) -> None:
    from converse.experiments.training.checkpoints import unpack

    notes = unpack(path).notes
    if trial is not None and notes.get("trial") != trial:
        raise CheckpointError(f"{path} has the weights of the trial {notes.get('trial')}")


def _within(place: str, fault: Fault) -> Fault:
    return Fault(f"{place}/{fault.place}".rstrip("/"), fault.what, fault.mended)
