"""Outputs that are kept of a trial: what its network made of test images, whole or one window of them.

```text
trials/<id>/
    outputs.jsonl                     one line per output: image, case, size, window, SHA-256 of its file
    outputs/<image>[-case][-crop].png
```

A file is written before its line, so that what has a line is whole. Its name follows from the line, and is not in it:
a store may come from anybody, and a name could lead out of the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from converse.experiments.store import files
from converse.experiments.store.digests import OUTPUTS
from converse.experiments.store.files import Damaged
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.shapes import COUNT, TEXT, Kind, fault, optional, row_of

FOLDER: Final = "outputs"
FORMAT: Final = 1
"""Version of the lines; those of a newer one are passed over."""

_LARGEST: Final = 256 * 2**20
"""Bytes of a file beyond which it is not read."""

_CHECKSUM: Final = re.compile(r"[0-9a-f]{64}")
_CASE: Final = re.compile(r"[a-z0-9_]{1,40}")
_SHA256: Final = Kind("64 hex digits", lambda value: isinstance(value, str) and bool(_CHECKSUM.fullmatch(value)))
_SHAPE: Final = {
    "format": COUNT,
    "image": TEXT,
    "image_sha256": _SHA256,
    "case": optional(Kind("a case", lambda value: isinstance(value, str) and bool(_CASE.fullmatch(value)))),
    "size": row_of(COUNT, COUNT),
    "window": optional(row_of(COUNT, COUNT, COUNT, COUNT)),
    "bytes": COUNT,
    "sha256": _SHA256,
}

Place = tuple[str, str | None]
"""SHA-256 of an image, and the case."""


@dataclass(frozen=True)
class Window:
    """A part of an image, in pixels.

    Attributes:
        top: first row.
        left: first column.
        height: rows.
        width: columns.
    """

    top: int
    left: int
    height: int
    width: int


@dataclass(frozen=True)
class KeptOutput:
    """One output that is kept.

    Attributes:
        image: name of the image.
        image_sha256: of its file.
        case: the blur kernel of a task with cases.
        size: height and width of the whole output.
        window: what of it is kept; ``None`` for all.
        bytes: of the PNG.
        sha256: of the PNG.
    """

    image: str
    image_sha256: str
    case: str | None
    size: tuple[int, int]
    window: Window | None
    bytes: int
    sha256: str

    @property
    def place(self) -> Place:
        """Which image it is of."""
        return self.image_sha256, self.case

    @property
    def file(self) -> str:
        """Path in the trial's folder."""
        parts = (self.image_sha256[:16], self.case, None if self.window is None else "crop")
        return f"{FOLDER}/{'-'.join(filter(None, parts))}.png"


class Outputs:
    """The outputs that are kept of one trial.

    Args:
        folder: of the trial. Who adds holds its lock.
    """

    def __init__(self, folder: TrialFolder) -> None:
        self.folder = folder
        self._known: dict[Place, KeptOutput] | None = None

    def kept(self) -> dict[Place, KeptOutput]:
        """What is kept, by image; of an image of which there is a window and the whole, the whole. It is read once.

        Raises:
            StoreError: the list cannot be read.
        """
        if self._known is not None:
            return dict(self._known)
        found: dict[Place, KeptOutput] = {}
        for record in self.folder.journal(OUTPUTS).read():
            one = _read(record)
            if one is not None and (one.window is None or one.place not in found or found[one.place].window):
                found[one.place] = one
        self._known = found
        return dict(found)

    def add(
        self,
        data: bytes,
        *,
        image: str,
        place: Place,
        size: tuple[int, int],
        window: Window | None,
    ) -> KeptOutput:
        """Keep one; a window of the same image that was kept before gives way to the whole.

        Args:
            data: a PNG.
            image: name of the image.
            place: its checksum and the case.
            size: height and width of the whole output.
            window: what of it the PNG has; ``None`` for all.

        Raises:
            StoreError: it could not be written.
        """
        one = KeptOutput(image, *place, size, window, len(data), hashlib.sha256(data).hexdigest())
        known = self.kept()
        before = known.get(place)
        self.folder.make_folder(FOLDER)
        self.folder.write_bytes(one.file, data)
        self.folder.journal(OUTPUTS).append([_record(one)])
        if before is not None and before.file != one.file:
            self.folder.remove(before.file)
        self._known = {**known, place: one}
        return one

    def read(self, one: KeptOutput) -> bytes:
        """The PNG of an output, as it was written.

        Raises:
            Damaged: it is missing, or not what was written.
            StoreError: it cannot be read.
        """
        if (wrong := self.fault(one)) is not None:
            raise Damaged(f"{self.folder.path / one.file} {wrong}")
        return files.content(self.folder.path / one.file, _LARGEST) or b""

    def fault(self, one: KeptOutput) -> str | None:
        """What is wrong with the file of an output, a sentence that goes on after its name; ``None`` if nothing is.

        Raises:
            StoreError: it cannot be read.
        """
        data = files.content(self.folder.path / one.file, _LARGEST)
        if data is None:
            return "is missing"
        if len(data) != one.bytes or hashlib.sha256(data).hexdigest() != one.sha256:
            return "is damaged: its content is not what was written"
        return None

    def drop(self, one: KeptOutput) -> None:
        """Keep one no longer; called by who holds the lock.

        Raises:
            StoreError: it could not be written.
        """
        journal = self.folder.journal(OUTPUTS)
        left = [record for record in journal.read() if _read(record) != one]
        self.folder.forget(OUTPUTS)
        journal.rewrite(left)
        self.folder.remove(one.file)
        self._known = None

    def take(self, theirs: Outputs) -> int:
        """Add what another store has of the same trial, and this one has not, or only a window of.

        Args:
            theirs: those of the other store; what is damaged there is passed over.

        Returns:
            How many were added.

        Raises:
            StoreError: they could not be written.
        """
        mine, added = self.kept(), 0
        for place, one in theirs.kept().items():
            here = mine.get(place)
            if here is not None and (here.window is None or one.window is not None):
                continue
            with contextlib.suppress(Damaged):
                self.add(theirs.read(one), image=one.image, place=place, size=one.size, window=one.window)
                added += 1
        return added


def output_files(folder: Path) -> set[str]:
    """The files that lie among the outputs of a trial, by their paths in its folder.

    Args:
        folder: the trial's.
    """
    return {f"{FOLDER}/{path.name}" for path in files.plain_files(folder / FOLDER, "")}


def _record(one: KeptOutput) -> dict[str, Any]:
    window = one.window
    return {
        "format": FORMAT,
        "image": one.image,
        "image_sha256": one.image_sha256,
        "case": one.case,
        "size": list(one.size),
        "window": None if window is None else [window.top, window.left, window.height, window.width],
        "bytes": one.bytes,
        "sha256": one.sha256,
    }


def _read(record: Mapping[str, Any]) -> KeptOutput | None:
    """An output that a line describes; ``None`` where a newer version wrote it, or it describes none."""
    if record.get("format") != FORMAT or fault(record, _SHAPE) is not None:
        return None
    height, width = record["size"]
    window = None if record["window"] is None else Window(*record["window"])
    if window is not None and (window.top + window.height > height or window.left + window.width > width):
        return None
    return KeptOutput(
        str(record["image"]),
        str(record["image_sha256"]),
        record["case"],
        (height, width),
        window,
        int(record["bytes"]),
        str(record["sha256"]),
    )
