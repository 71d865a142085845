"""Trials of a store that equal planned ones but for the machine: what other threads or versions would train again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.trials import Trial

NUMERICS: Final = "numerics"
"""Stands among the differences for the numerics version, which is the code's and not the machine's."""


@dataclass(frozen=True)
class Twin:
    """A trial that differs from a planned one in the platform class alone, or in the numerics version.

    Attributes:
        planned: id of the planned one.
        folder: of the one in the store.
        differences: name in the platform class → what it is in the store, and what is planned; ``None`` where one of
            them does not have it.
    """

    planned: str
    folder: TrialFolder
    differences: Mapping[str, tuple[Any, Any]]


def twins(planned: Iterable[Trial], folders: Iterable[TrialFolder]) -> list[Twin]:
    """Find them, in one pass over the descriptions in the store.

    Args:
        planned: trials of this machine.
        folders: of a store; a damaged one is passed over.

    Returns:
        The twins, in the order of the folders; planned trials themselves are none.

    Raises:
        StoreError: a description is of a newer schema or cannot be read.
    """
    by_seed: dict[tuple[Any, ...], list[Trial]] = {}
    own = set()
    for trial in planned:
        by_seed.setdefault((trial.task, trial.source, trial.seed), []).append(trial)
        own.add(trial.id)
    twins_of_store = []
    for folder in folders:
        if folder.id in own:
            continue
        with contextlib.suppress(Damaged, TypeError):
            said = folder.read_json("trial.json") or {}
            for trial in by_seed.get((said.get("task"), said.get("source"), said.get("seed")), ()):
                # Only what may be one is read again with all checks: most of a large store is something else.
                if said.get("configuration") == trial.configuration and (differing := _differing(folder, trial)):
                    twins_of_store.append(Twin(trial.id, folder, differing))
    return twins_of_store


def _differing(folder: TrialFolder, planned: Trial) -> dict[str, tuple[Any, Any]] | None:
    kept = folder.trial()
    paths = {one.path for one in kept.differences(planned)}
    if not all(path == NUMERICS or path.startswith("platform.") for path in paths):
        return None
    names = [*dict.fromkeys([*kept.platform, *planned.platform])]
    found = {name: (kept.platform.get(name), planned.platform.get(name)) for name in names}
    differing = {name: pair for name, pair in found.items() if f"platform.{name}" in paths}
    return {**differing, NUMERICS: (kept.numerics, planned.numerics)} if NUMERICS in paths else differing
