"""Requests: which trials answer to which names of which suite. Trials themselves are named by what they are.

One trial may stand in a suite and in an ablation under different names, and nothing in its folder says so. Whoever
runs a suite therefore leaves a note in the store, ``asked/<hash>.json``, from which tables can be made without the
suite's file. The name of a note is a hash of its contents without the time, so that notes of several stores can be put
together.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from converse.data.catalogue import digest
from converse.errors import StoreError
from converse.experiments.store import Store, files
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.files import Damaged, plain_files
from converse.experiments.store.schema import SCHEMA, check_schema, check_shape
from converse.experiments.store.shapes import (
    COUNT,
    NUMBER,
    TABLE,
    TEXT,
    TRUTH,
    list_of,
    optional,
    row_of,
    shape_of,
    table_of,
)
from converse.experiments.trials import ID_LENGTH, canonical_json

if TYPE_CHECKING:
    from converse.data.images import ImageSet

FOLDER: Final = "asked"


@dataclass(frozen=True)
class RequestedEntry:
    """One row of a suite's table.

    Attributes:
        name: of the entry.
        label: in an ablation, its value in words; otherwise the name.
        changes: in an ablation, and where settings are tuned, field → value; empty for the base entry and elsewhere.
        published: table and row of ``reports/published.toml`` that a difference is held against, if there is one:
            ``("ablation.padding", "zero")``, ``("denoising", "DnCNN")``.
        released: whether its weights are released.
    """

    name: str
    label: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    published: tuple[str, str] | None = None
    released: bool = False


@dataclass(frozen=True)
class RequestedSet:
    """A test set as it was when it was asked for: what is in it.

    Attributes:
        name: in the catalogue, or of the folder: what rows have in the column ``dataset``.
        folder: absolute path of a folder of the user's; empty for a set of the catalogue.
        images: name and SHA-256 of each image that was asked for, in order.
        others: of those that the set has beside them, where only the first so many were asked for.
    """

    name: str
    folder: str
    images: tuple[tuple[str, str], ...]
    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, images: ImageSet) -> RequestedSet:
        """The set, as it is now."""
        asked, others = (tuple((one.name, one.sha256) for one in part) for part in (images.images, images.others))
        return cls(images.name, images.folder, asked, others)

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> RequestedSet:
        """The set, from JSON.

        Raises:
            KeyError, TypeError, ValueError: it is none.
        """
        asked, others = (
            tuple((str(name), str(sha256)) for name, sha256 in found[part]) for part in ("images", "others")
        )
        return cls(str(found["name"]), str(found["folder"]), asked, others)

    @cached_property
    def sha256(self) -> str:
        """The identity of the whole set: a digest over names and checksums, in order."""
        return digest((*self.images, *self.others))


@dataclass(frozen=True)
class Standard:
    """What a suite asks of its trainings before they may judge the paper.

    Attributes:
        baselines: entry → the entry whose published value has to be met first; entries without one are not in it.
        within: how far a baseline may be from its published value, dB.
        full_size: entry → whether its network is as the suite describes it, not changed by the budget.
    """

    baselines: Mapping[str, str]
    within: float
    full_size: Mapping[str, bool]

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Standard:
        """The standard, from JSON."""
        return cls(dict(found["baselines"]), float(found["within"]), dict(found["full_size"]))


@dataclass(frozen=True)
class StoredRequest:
    """One request.

    Attributes:
        suite: its name.
        title: a heading.
        description: for people.
        task: ``denoising`` …
        budget: name of the budget.
        base: in an ablation, the name of the base entry; ``None`` in other suites.
        entries: in the order of the suite.
        trials: id, entry and seed of each; one trial may answer to several names.
        contrasts: the differences that it is about: entry, what it is held against, and what stands for it in a table.
        missing: test set → why it is not measured.
        command: that asks for the same; of a note without ``request`` it does not say with how many threads, and where.
        time: when it was asked for last, UTC in ISO 8601.
        request: all that the command line has to say to ask for the same again; ``None`` in notes of older versions.
        sets: the test sets, with what was in them; none in notes of older versions.
        standard: what the suite asks before the paper is judged; ``None`` in notes of older versions.
        tunes: entry → the entry of the suite that it tunes, where settings are tuned; then its changes are those that
            it tries.
        data_notes: what there is to say of entries that the budget leaves out, and of images that are trained on and
            tested on.
    """

    suite: str
    title: str
    description: str
    task: str
    budget: str
    base: str | None
    entries: tuple[RequestedEntry, ...]
    trials: tuple[tuple[str, str, int | None], ...]
    contrasts: tuple[tuple[str, str, str], ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    time: str = ""
    request: CommandLine | None = None
    sets: tuple[RequestedSet, ...] = ()
    standard: Standard | None = None
    tunes: Mapping[str, str] = field(default_factory=dict)
    data_notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """16 hex digits: a hash of all but the time; what older notes do not have counts only where it is there."""
        return _hash(self._plain())

    def on(self, platform: Mapping[str, Any]) -> CommandLine | None:
        """The request, where an older note does not have it with what its trials tell of device and threads.

        Args:
            platform: of the trials that answer to it (:func:`converse.experiments.trials.platform_class`).

        Returns:
            The request, or ``None`` where it cannot be known.
        """
        if self.request is not None:
            return self.request
        known = CommandLine.parsed(self.command)
        if known is None or "device" not in platform:
            return None
        return known.changed(device=platform["device"], threads=platform.get("threads"))

    def _plain(self) -> dict[str, Any]:
        found = dataclasses.asdict(self)
        return {name: value for name, value in found.items() if name not in _LATER or value not in (None, (), {})}


def note(store: Store, request: StoredRequest) -> None:
    """Leave the note in the store; the same request again renews its time.

    Raises:
        StoreError: it could not be written.
    """
    path = store.root / FOLDER / f"{request.id}.json"
    with files.explained(path, "write"):
        files.make_folder(path.parent)
    files.write_json(path, {"schema": SCHEMA, **request._plain()})
    files.sweep(path.parent, f"{files.TEMPORARY}*", path)


def notes(store: Store, unread: list[str] | None = None) -> list[StoredRequest]:
    """All notes of a store, the newest request first; damaged ones are left out.

    Args:
        store: any.
        unread: is told of those that are left out, and then of those too that are of a newer schema.

    Raises:
        StoreError: without ``unread``, a note has a newer schema, or cannot be read.
    """
    requests = []
    for path in note_files(store):
        try:
            requests.append(read_note(path))
        except StoreError as error:
            if unread is not None:
                unread.append(str(error))
            elif not isinstance(error, Damaged):
                raise
    return sorted(requests, key=lambda one: (one.time, one.id), reverse=True)


def note_files(store: Store) -> list[Path]:
    """The files of all notes, damaged ones too, sorted by name.

    Raises:
        StoreError: the folder is a link, or cannot be read.
    """
    return plain_files(store.root / FOLDER, ".json")


def merge_notes(into: Store, other: Store) -> int:
    """Copy the notes that are not there; of the same note, the later time counts.

    Returns:
        How many were written.

    Raises:
        StoreError: a note could not be written, or has a newer schema.
    """
    known = {one.id: one.time for one in notes(into)}
    written = 0
    for path in note_files(other):
        with contextlib.suppress(Damaged):
            one = read_note(path)
            data = files.content(path)
            if data is not None and one.time > known.get(path.stem, known.get(one.id, "")):
                here = into.root / FOLDER / path.name
                with files.explained(here, "write"):
                    files.make_folder(here.parent)
                files.write_bytes(here, data)  # as it is: a later version may have said more in it
                written += 1
    return written


def read_note(path: Path) -> StoredRequest:
    """The request in a note.

    Raises:
        Damaged: it is missing, torn, or not what was written: its name is the hash of its content.
        StoreError: it is of a newer schema, or cannot be read.
    """
    found = files.read_json(path)
    if found is None:
        raise Damaged(f"{path} is missing")
    check_schema(path, found)
    check_shape(path, found, _SHAPE, "a note of a request")
    try:
        # Keys that a later version may have added are passed over; the name of the file answers for them.
        entries = tuple(
            RequestedEntry(
                **{name: entry[name] for name in _ENTRY if name in entry and name != "published"},
                published=tuple(entry["published"]) if entry.get("published") else None,
            )
            for entry in found["entries"]
        )
        trials = tuple((str(trial), str(entry), seed) for trial, entry, seed in found["trials"])
        contrasts = tuple((str(entry), str(base), str(label)) for entry, base, label in found["contrasts"])
        request = CommandLine.from_plain(found["request"]) if found.get("request") is not None else None
        sets = tuple(RequestedSet.read(one) for one in found.get("sets") or ())
        rest = {name: found[name] for name in _NAMES if name not in ("entries", "trials", "contrasts", *_LATER)}
        standard = Standard.read(found["standard"]) if found.get("standard") is not None else None
        said = tuple(map(str, found.get("data_notes") or ()))
        one = StoredRequest(
            **rest,
            entries=entries,
            trials=trials,
            contrasts=contrasts,
            request=request,
            sets=sets,
            standard=standard,
            tunes=found.get("tunes") or {},
            data_notes=said,
        )
        if path.stem not in (one.id, _hash(found)):
            raise ValueError(f"its contents make the note {one.id}")
    except (KeyError, TypeError, ValueError) as error:
        raise Damaged(f"{path} is damaged: expected a note of a request, {error!r}") from error
    return one


def _hash(said: Mapping[str, Any]) -> str:
    """A hash of all that a note says but of its time."""
    lasting = {name: value for name, value in said.items() if name not in ("time", "schema")}
    return hashlib.sha256(canonical_json(files.writable_values(lasting)).encode()).hexdigest()[:ID_LENGTH]


_LATER: Final = ("request", "sets", "standard", "tunes", "data_notes")
"""Fields that notes of older versions do not have."""

_IMAGES: Final = list_of(row_of(TEXT, TEXT))
REQUESTED_SETS: Final = list_of(
    shape_of({"name": TEXT, "folder": TEXT, "images": _IMAGES, "others": _IMAGES}, name="test sets")
)
"""How a document has test sets."""

_STANDARD: Final = {"baselines": table_of(TEXT), "within": NUMBER, "full_size": table_of(TRUTH)}
_ENTRY: Final = {
    "name": TEXT,
    "label": TEXT,
    "changes": TABLE,
    "published": optional(row_of(TEXT, TEXT)),
    "released": TRUTH,
}
_SHAPE: Final = {
    **dict.fromkeys(("suite", "title", "description", "task", "budget", "command", "time"), TEXT),
    "base": optional(TEXT),
    "entries": list_of(shape_of(_ENTRY, name="entries")),
    "trials": list_of(row_of(TEXT, TEXT, optional(COUNT))),
    "contrasts": list_of(row_of(TEXT, TEXT, TEXT)),
    "missing": table_of(TEXT),
    "request": optional(TABLE),
    "sets": optional(REQUESTED_SETS),
    "standard": optional(shape_of(_STANDARD, name="what the suite asks before the paper is judged")),
    "tunes": optional(table_of(TEXT)),
    "data_notes": optional(list_of(TEXT)),
}
_NAMES: Final = tuple(one.name for one in dataclasses.fields(StoredRequest))
