"""What the files of a trial are, to the bit: ``digests.json``, by which a changed one is noticed.

```text
{"schema": 1, "files": {"rows.parquet": [[bytes, SHA-256], …], "log.txt": …}, "sha256": of the two}
```

A file that is replaced has two digests for a moment, for both of its contents are right until the rename is done; the
digest is written first. Of a file that only grows, the digest is of its first bytes; lines of journals that came after
it have checksums of their own. Trials of versions up to 0.1 have no such file and are believed, until
``converse store verify --repair`` or the next stretch of work gives them one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from converse.counted import counted
from converse.experiments.store import files
from converse.experiments.store.files import Damaged
from converse.experiments.store.plain import LARGEST_DOCUMENT
from converse.experiments.store.schema import SCHEMA, check_schema, check_shape
from converse.experiments.store.shapes import COUNT, TEXT, list_of, row_of, table_of
from converse.experiments.trials import canonical_json

DIGESTS: Final = "digests.json"

REPLACED: Final = (
    *("trial.json", "status.json", "provenance.json", "failure.txt"),
    *("rows.parquet", "checkpoint.safetensors"),
)
"""Files that are written whole."""

OUTPUTS: Final = "outputs.jsonl"
"""Which outputs are kept; each line has the SHA-256 of a file."""

GROWING: Final = ("log.txt", "curve.jsonl", "rows.jsonl", OUTPUTS)
"""Files that are appended to."""

_SHAPE: Final = {"files": table_of(list_of(row_of(COUNT, TEXT))), "sha256": TEXT}


@dataclass(frozen=True)
class Digest:
    """Of a file, or of its first bytes.

    Attributes:
        size: how many bytes.
        sha256: their SHA-256, 64 hex digits.
    """

    size: int
    sha256: str

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of these bytes."""
        return cls(len(data), hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class Digests:
    """The digests of a trial's files.

    Attributes:
        files: name → the contents that are right, the newest last.
    """

    files: Mapping[str, tuple[Digest, ...]] = field(default_factory=dict)

    def fault(self, name: str, data: bytes | None) -> str | None:
        """What is wrong with a file.

        Args:
            name: of the file.
            data: what it has; ``None`` when it is not there.

        Returns:
            A sentence that goes on after the file's name; ``None`` when it is right, or nothing is known of it.
        """
        known = self.files.get(name)
        if known is None:
            return None
        if data is None:
            return "is missing"
        for one in known:
            first = data[: one.size] if name in GROWING else data
            if one == Digest.of(first):
                return None
        if name in GROWING and len(data) < min(one.size for one in known):
            return f"is damaged: it has {counted(len(data), 'byte')}, of which there were {known[-1].size:,}"
        return "is damaged: its content does not have the digest that it was written with"


def read(folder: Path) -> Digests | None:
    """The digests of a trial's files.

    Args:
        folder: the trial's.

    Returns:
        The digests; ``None`` where a version without them wrote the trial.

    Raises:
        Damaged: they are torn or changed.
        StoreError: they are of a newer schema, or cannot be read.
    """
    path = folder / DIGESTS
    data = files.content(path, LARGEST_DOCUMENT)
    if data is None:
        return None
    found = files.json_object(path, data)
    check_schema(path, found)
    check_shape(path, found, _SHAPE)
    digests = Digests({name: tuple(Digest(*one) for one in known) for name, known in found["files"].items()})
    if data != encoded(digests):
        raise Damaged(f"{path} is damaged: its content does not have the digest that it was written with")
    return digests


def encoded(digests: Digests) -> bytes:
    """The content of ``digests.json``: the same digests give the same bytes."""
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "files": {name: [[one.size, one.sha256] for one in known] for name, known in sorted(digests.files.items())},
    }
    whole = {**said, "sha256": hashlib.sha256(canonical_json(said).encode()).hexdigest()}
    return json.dumps(whole, separators=(",", ":")).encode() + b"\n"


def announced(digests: Digests, folder: Path, coming: Mapping[str, Digest | None]) -> Digests:
    """The digests with those of contents that are about to be written, beside those of what stands there now.

    Args:
        digests: so far.
        folder: the trial's.
        coming: name → its next content; ``None`` where the file is about to go, or to be written anew from its start.
    """
    after = dict(digests.files)
    for name, digest in coming.items():
        known = after.pop(name, ())
        if digest is not None:
            if len(known) != 1:  # a writer was killed before the rename, or after it; or nothing is known
                now = files.content(folder / name)
                stands = () if now is None else (Digest.of(now),)
                known = tuple(one for one in stands if not known or one in known) or known
            after[name] = tuple(dict.fromkeys((*known[-1:], digest)))
    return Digests(after)


def sealed(digests: Digests, folder: Path) -> Digests:
    """The digests with all of what files that grow have by now, and of files that have none yet.

    A file that is damaged keeps the digest that says so.

    Args:
        digests: so far.
        folder: the trial's.
    """
    after, there = dict(digests.files), set(files.plain_names(folder))
    for name in (*REPLACED, *GROWING):
        if name not in there or (name in after and name not in GROWING):
            continue
        data = files.content(folder / name)
        if data is not None and digests.fault(name, data) is None:
            after[name] = (Digest.of(data),)
    return Digests(after)
