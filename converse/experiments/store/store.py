"""The store: a folder of trials, in which several processes may work at once.

```text
runs/
    store.json      schema version
    trials/<id>/    one folder per trial
    speed/<run>/    one folder per run of `converse speed`
```
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from converse.counted import counted
from converse.errors import StoreError
from converse.experiments.store import digests, files, rows
from converse.experiments.store.digests import DIGESTS, Digest, Digests
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.schema import SCHEMA, check_schema
from converse.experiments.store.speed_rows import SpeedShelf
from converse.experiments.trials import ID_LENGTH, Trial

if TYPE_CHECKING:
    import pandas as pd

ADDRESS: Final = "address.json"
"""In the copy of a store at an address: which address that is."""

_ID: Final = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")


class Store:
    """A folder of trials. Several processes may work in it at once.

    Args:
        root: the folder.
        create: create the folder if it is missing; ``False`` to read only, also from read-only media.

    Raises:
        StoreError: it is a file, cannot be made or read, or has a newer schema.

    Example:
        >>> from converse import Store
        >>> len(Store("runs").rows())  # a new store; see also `converse.run`
        0
    """

    def __init__(self, root: Path | str, *, create: bool = True) -> None:
        self.root = Path(root)
        self._trials = self.root / "trials"
        self._swept = False  # of what killed processes have left
        self.speed = SpeedShelf(self.root / "speed")
        file = self.root / "store.json"
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{self.root} is a file: a store is a folder; name another with --store")
        if not create and not (file.exists() or self._trials.is_dir()):
            raise StoreError(
                f"no store at {named(self.root)}: expected a folder with store.json in it; "
                "name the store with --store, or make one with converse quickstart, reproduce or run"
            )
        try:
            found = files.read_json(file)
            if found is not None:
                check_schema(file, found)
        except Damaged:
            if not create:
                raise
            files.supersede(file, {"schema": SCHEMA})
        else:
            if found is None and create:
                with files.explained(self.root, "make a store at"):
                    files.make_folder(self._trials)
                files.write_json(file, {"schema": SCHEMA})

    def folder(self, trial: Trial) -> TrialFolder:
        """The trial's folder, made if need be, in one step.

        Args:
            trial: any trial.

        Returns:
            Its folder, with a whole ``trial.json``.

        Raises:
            StoreError: it cannot be written, has a newer schema, or is or holds a link, pipe or device.
        """
        folder = TrialFolder(self._trials / trial.id)
        description = {"schema": SCHEMA, "id": trial.id, **trial.ingredients()}
        if not folder.path.is_dir():
            data = files.json_bytes(description)
            first = digests.encoded(Digests({"trial.json": (Digest.of(data),)}))
            made = files.make_whole(folder.path, {"trial.json": data, DIGESTS: first}, clean=not self._swept)
            self._swept = True
            if made:
                return folder
        files.check_plain(folder.path)
        try:
            folder.description()
        except Damaged as error:
            aside = files.supersede(folder.path / "trial.json", description)
            folder.log(f"{error}; written anew")
            if aside is not None:
                folder.log(f"trial.json was damaged: moved to {aside.name}")
        return folder

    def find(self, prefix: str) -> TrialFolder:
        """The folder of the one trial whose id begins so.

        Args:
            prefix: the first digits of an id, as many as tell it apart.

        Returns:
            Its folder.

        Raises:
            StoreError: none or several begin so; the message lists them.
        """
        wanted = prefix.strip().lower()
        names = self.ids()
        matching = [name for name in names if wanted and name.startswith(wanted)]
        if len(matching) == 1:
            return TrialFolder(self._trials / matching[0])
        if not matching:
            raise StoreError(
                f"no trial in {self.root} has an id that begins with {prefix!r}: "
                f"it has {counted(len(names), 'trial')}, which converse status lists"
            )
        listing = ", ".join(matching[:8]) + (" …" if len(matching) > 8 else "")
        raise StoreError(f"{prefix!r} begins the ids of {counted(len(matching), 'trial')}, give more digits: {listing}")

    def folders(self) -> list[TrialFolder]:
        """All trials' folders, damaged ones too, sorted by id.

        Returns:
            One :class:`TrialFolder` per folder that is named like an id.

        Raises:
            StoreError: the store cannot be read.
        """
        return [TrialFolder(self._trials / name) for name in self.ids()]

    def ids(self) -> list[str]:
        """The ids of all trials, damaged ones too, sorted.

        Raises:
            StoreError: the store cannot be read.
        """
        return [name for name in files.plain_names(self._trials) if _ID.fullmatch(name)]

    def rows(self, trial_ids: Iterable[str] | None = None, unreadable: list[str] | None = None) -> pd.DataFrame:
        """The rows of many trials, one below the other.

        Args:
            trial_ids: whose; ``None`` for all.
            unreadable: where given, a trial whose rows cannot be read or are not what was written is left out, and the
                reason appended here.

        Returns:
            A frame with exactly :data:`converse.experiments.store.rows.ROW_COLUMNS`, in the order of the ids.

        Raises:
            StoreError: a file of rows is damaged.
        """
        chosen = self.folders() if trial_ids is None else [TrialFolder(self._trials / name) for name in trial_ids]
        tables = []
        for folder in chosen:
            try:
                if unreadable is not None:
                    folder.description()
                tables.append(folder.table())
            except StoreError as error:
                if unreadable is None:
                    raise
                unreadable.append(str(error))
        return rows.frame(tables)

    def speed_rows(self, runs: Iterable[str] | None = None, unreadable: list[str] | None = None) -> pd.DataFrame:
        """The rows of runs of ``converse speed``, one below the other.

        Args:
            runs: whose; ``None`` for all, oldest first.
            unreadable: as of :meth:`rows`.

        Returns:
            A frame with exactly :data:`converse.experiments.store.speed_rows.SPEED_COLUMNS`.

        Raises:
            StoreError: a run is missing or damaged.
        """
        return self.speed.rows(runs, unreadable)


def named(root: Path) -> str:
    """What a user calls a store: the address of which the folder is a copy, or the folder.

    Args:
        root: the store's folder.
    """
    with contextlib.suppress(StoreError):
        return str((files.read_json(root / ADDRESS) or {}).get("address", root))
    return str(root)
