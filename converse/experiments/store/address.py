"""A store at an address of fsspec's (`s3://bucket/runs`): an object there for each trial, and a copy here to work in.

```text
s3://bucket/runs/
    store.json            schema version
    trials/<id>.tar       one trial, as its folder is
    speed/<run>.tar       one run of `converse speed`
    asked/<hash>.json     one request
```

Object stores have no locks, no renames and no folders, which a store that several processes write needs. What they
have is that an object is replaced in one step. So a command works in a folder of this machine's cache: on the way in it
takes what is new at the address and merges it, and each trial that is settled is sent as one object. Nothing keeps two
commands from doing the same trial; equal ids promise equal bits, and rows of both are united when they meet.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import shutil
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from converse.counted import counted
from converse.data.local import cache_folder
from converse.errors import ConverseWarning, StoreError
from converse.experiments.store import Store, files, locks
from converse.experiments.store.exchanged import Exchanged, Known
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.merging import merge
from converse.experiments.store.outputs import Outputs
from converse.experiments.store.plain import walk
from converse.experiments.store.rows import row_key
from converse.experiments.store.schema import check_schema
from converse.experiments.store.speed_rows import SpeedFolder, speed_key
from converse.experiments.store.state import PROGRESS
from converse.experiments.store.store import ADDRESS

COPIES: Final = "stores"
"""Folder of the cache in which the copies are."""

INSTALL: Final = "pip install 'converse-bench[s3]'"

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+://.")
_OWN: Final = (*locks.OWN_FILES, f"{files.TEMPORARY}*")
_NAME: Final = re.compile(r"[\w][\w.@+-]*(/[\w][\w.@+-]*)?")
_LONGEST: Final = 200  # bytes of a name, which every file system has
_IN_THE_WAY: Final = (FileExistsError, IsADirectoryError, NotADirectoryError)
_AT_ONCE: Final = 64  # objects that are fetched together
_BYTES_AT_ONCE: Final = 256 * 2**20  # of them that are held in memory, but for a single one that has more
_KINDS: Final = ("trials", "speed")
_WAYS_OUT: Final = {
    "FileNotFoundError": "make it, or name another",
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "PermissionError": "name an address that you may read and write, or other credentials",
}
"""What errors of clients mean for the user, by the names of their classes."""

Told = Callable[[str, int, int], None]
"""Told what is done with trials, with how many, and of how many."""


def is_address(text: str) -> bool:
    """Whether a store's name is an address and not a folder: ``s3://bucket/runs``."""
    return _ADDRESS.match(text) is not None


@contextlib.contextmanager
def placed(store: str | Path, tell: Told = lambda what, done, total: None) -> Iterator[Path]:
    """The folder of a store. One at an address is brought up to date here, and sent back at the end.

    Args:
        store: a folder, or an address.
        tell: told how far it is.

    Yields:
        The folder; that of an address lies in the cache.

    Raises:
        StoreError: the address cannot be reached, read or written.
    """
    if not is_address(str(store)):
        yield Path(store)
        return
    away = Away(str(store))
    away.fetch(tell)
    try:
        yield away.root
    except BaseException as error:
        try:
            away.send_all(tell)
        except StoreError as unsent:
            error.add_note(str(unsent))  # the first error is what the user has to know
        raise
    away.send_all(tell)


def away_of(root: Path) -> Away | None:
    """The address whose copy a folder is; ``None`` for any other, whatever a file in it says."""
    if root.parent != cache_folder() / COPIES:
        return None
    with contextlib.suppress(StoreError):
        found = files.read_json(root / ADDRESS)
        if found is not None and isinstance(found.get("address"), str):
            away = Away(found["address"])
            return away if away.root == root else None
    return None


@dataclass(frozen=True)
class _Object:
    """An object at an address: what says that it is another one by now, and its bytes."""

    stamp: str
    size: int


class Away:
    """A store at an address, and its copy here.

    Args:
        address: as fsspec takes it.

    Raises:
        StoreError: fsspec knows no such kind of address, lacks a package for it, or the copy cannot be written.
    """

    def __init__(self, address: str) -> None:
        import fsspec

        self.address = address.rstrip("/")
        key = hashlib.sha256(self.address.encode()).hexdigest()[:16]
        self.root = cache_folder() / COPIES / key
        with self._explained("reach"):
            self._there, self._place = fsspec.core.url_to_fs(self.address)
        with files.explained(self.root, "make"):
            files.make_folder(self.root)
        if not (self.root / ADDRESS).exists():
            files.write_json(self.root / ADDRESS, {"address": self.address})
        self._exchanged = Exchanged(self.root)
        self._before = self._exchanged.all()

    @cached_property
    def store(self) -> Store:
        """The copy, made if need be: where there is nothing at the address, only what writes makes one."""
        return Store(self.root)

    def fetch(self, tell: Told = lambda what, done, total: None) -> None:
        """Take what is new at the address, and unite it with what is here.

        Args:
            tell: told how far it is.

        Raises:
            StoreError: the address cannot be read, or is of a newer schema.
        """
        schema = self._content(files.STORE_FILE)
        if schema is not None:
            name = Path(files.STORE_FILE)
            check_schema(name, files.json_object(name, schema))
            _ = self.store
        for kind in _KINDS:
            there = self._listed(kind, ".tar")
            fresh = {name: one for name, one in there.items() if self._exchanged.of(kind, name).there != one.stamp}
            done = 0
            for batch in _batches(fresh):
                tell("fetching trials", done, len(fresh))
                self._take(kind, {name: fresh[name].stamp for name in batch})
                done += len(batch)
            self._forget(kind, there)
        self._fetch_notes()
        self._exchanged.tidy()
        self._before = self._exchanged.all()

    def send(self, folder: TrialFolder) -> None:
        """Send a trial that is settled, unless it is there as it is here.

        Args:
            folder: of the copy.

        Raises:
            StoreError: the address cannot be read or written.
        """
        if folder.status().state not in ("planned", "running"):
            self._send("trials", folder.id)

    def send_all(self, tell: Told = lambda what, done, total: None) -> None:
        """Send all that is settled and not there: trials, runs of speed, requests.

        Args:
            tell: told how far it is.

        Raises:
            StoreError: the address cannot be read or written.
        """
        if not (self.root / files.STORE_FILE).exists():
            return
        self._exchanged.read()  # other processes of this command have sent some
        left = [
            *(("trials", name) for name in self.store.ids() if self._differs("trials", name)),
            *(("speed", name) for name in self.store.speed.runs() if self._differs("speed", name)),
        ]
        if (left or self._changed()) and self._content(files.STORE_FILE) is None:
            self._put(files.STORE_FILE, files.content(self.root / files.STORE_FILE) or b"")
        for done, (kind, name) in enumerate(left):
            tell("sending trials", done, len(left))
            if kind == "speed" or TrialFolder(self.root / kind / name).status().state not in ("planned", "running"):
                self._send(kind, name)
        self._send_notes()
        self._look_again()

    # One object

    def _send(self, kind: str, name: str) -> None:
        if not self._differs(kind, name):
            return
        path = f"{kind}/{name}.tar"
        stamp = self._stamp(path)
        if stamp is not None and stamp != self._exchanged.of(kind, name).there:  # somebody else has sent it meanwhile
            if not self._take(kind, {name: stamp}):
                return
            if not self._differs(kind, name):
                return
        mark = self._mark(kind, name)
        data = archive(self.root / kind / name)
        if mark != self._mark(kind, name):  # another process of this machine works on it, and sends it
            return
        self._put(path, data)
        self._exchanged.note(kind, {name: Known(self._stamp_of(path, data), mark)})

    def _look_again(self) -> None:
        """See whether somebody else put an object in the place of one of ours; what both have is sent then."""
        for kind in _KINDS:
            ours = {name for one, name in self._changed() if one == kind}
            if not ours:
                continue
            there = self._listed(kind, ".tar")
            other = {name: there[name].stamp for name in ours & there.keys()}
            other = {name: stamp for name, stamp in other.items() if stamp != self._exchanged.of(kind, name).there}
            for name in self._take(kind, other) if other else ():
                self._send(kind, name)

    def _changed(self) -> set[tuple[str, str]]:
        """Kind and name of what this command, with all of its processes, has sent."""
        return {key for key, known in self._exchanged.all().items() if self._before.get(key) != known}

    def _take(self, kind: str, stamps: Mapping[str, str]) -> set[str]:
        """Unite objects with what is here.

        Returns:
            Those that are; not what another process of this machine works on: it is taken the next time.
        """
        with self._explained("read"):
            paths = {f"{self._place}/{kind}/{name}.tar": name for name in stamps}
            answers = self._there.cat(list(paths), on_error="return")
            for answer in answers.values():
                if isinstance(answer, Exception) and not isinstance(answer, FileNotFoundError):
                    raise answer
        found = {_named(paths, path): data for path, data in answers.items() if isinstance(data, bytes)}
        known: dict[str, Known] = {}
        with tempfile.TemporaryDirectory(prefix="converse-", ignore_cleanup_errors=True) as place:
            other = Store(Path(place))
            for name, data in found.items():
                unpack(data, Path(place) / kind / name)
            busy, copied = set(), set()
            for one in merge(self.store, [other]):
                if one.action == "copied":
                    copied.add(one.id)
                elif one.action == "skipped" and locks.owner(self.root / kind / one.id) is not None:
                    busy.add(one.id)
                elif one.action == "skipped" or one.conflicts:
                    wrong = one.reason or f"{counted(one.conflicts, 'value')} there and other ones here, which stay"
                    said = wrong.replace(f"{place}{os.sep}", "")
                    warnings.warn(ConverseWarning(f"{self.address}/{kind}/{one.id}.tar: {said}"), stacklevel=2)
            for name in found.keys() - busy:
                nothing_more = name in copied or _covered(self.root / kind / name, Path(place) / kind / name, kind)
                known[name] = Known(stamps[name], self._mark(kind, name) if nothing_more else None)
        self._exchanged.note(kind, known)
        return set(known)

    def _forget(self, kind: str, there: Collection[str]) -> None:
        """Of what is at the address no more, nothing is known: what is here of it is sent again."""
        gone = [name for one, name in self._exchanged.all() if one == kind and name not in there]
        self._exchanged.note(kind, dict.fromkeys(gone, Known()))

    def _differs(self, kind: str, name: str) -> bool:
        """Whether something is here that was not sent."""
        return self._exchanged.of(kind, name).mark != self._mark(kind, name)

    def _mark(self, kind: str, name: str) -> str:
        """What is here, by what it says of all of its files."""
        folder = self.root / kind / name
        said = ("digests.json", "outputs.jsonl") if kind == "trials" else ("run.json", "rows.jsonl")
        whole = hashlib.sha256()
        for part in said:
            whole.update(files.content(folder / part) or b"-")
        return whole.hexdigest()

    # Requests

    def _fetch_notes(self) -> None:
        there = self._listed("asked", ".json")
        fresh = {name: one.stamp for name, one in there.items() if self._exchanged.of("asked", name).there != one.stamp}
        known: dict[str, Known] = {}
        with tempfile.TemporaryDirectory(prefix="converse-", ignore_cleanup_errors=True) as place:
            other = Store(Path(place))
            files.make_folder(Path(place) / "asked")
            for name in fresh:
                if (data := self._content(f"asked/{name}.json")) is not None:
                    (Path(place) / "asked" / f"{name}.json").write_bytes(data)
            if fresh:
                for _ in merge(self.store, [other]):
                    pass
            for name, stamp in fresh.items():
                data = files.content(Path(place) / "asked" / f"{name}.json")
                alike = data is not None and data == files.content(self.root / "asked" / f"{name}.json")
                known[name] = Known(stamp, _sha256(data or b"") if alike else None)
        self._exchanged.note("asked", known)
        self._forget("asked", there)

    def _send_notes(self) -> None:
        for path in files.plain_files(self.root / "asked", ".json"):
            data = files.content(path) or b""
            if self._exchanged.of("asked", path.stem).mark != _sha256(data):
                name = f"asked/{path.name}"
                self._put(name, data)
                self._exchanged.note("asked", {path.stem: Known(self._stamp_of(name, data), _sha256(data))})

    # The address

    def _listed(self, folder: str, suffix: str) -> dict[str, _Object]:
        """Name without suffix → the objects in a folder."""
        with self._explained("read"):
            self._there.invalidate_cache()
            try:
                found = self._there.find(f"{self._place}/{folder}", maxdepth=1, detail=True)
            except FileNotFoundError:
                return {}
        named = {path.rpartition("/")[2]: info for path, info in found.items()}
        ours = {name.removesuffix(suffix): info for name, info in named.items() if name.endswith(suffix)}
        return {
            name: _Object(_stamp(info), int(info.get("size") or 0))
            for name, info in ours.items()
            if _NAME.fullmatch(name)
        }

    def _stamp(self, path: str) -> str | None:
        with self._explained("read"):
            try:
                self._there.invalidate_cache()
                return _stamp(self._there.info(f"{self._place}/{path}"))
            except FileNotFoundError:
                return None

    def _stamp_of(self, path: str, data: bytes) -> str | None:
        """The stamp of what was just put there; ``None`` where it is somebody else's by now."""
        stamp = self._stamp(path)
        # Most object stores say the MD5 of what was put; others are asked for it.
        if stamp is None or stamp.strip('"') == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return stamp
        return stamp if self._content(path) == data else None

    def _content(self, path: str) -> bytes | None:
        with self._explained("read"):
            try:
                return bytes(self._there.cat_file(f"{self._place}/{path}"))
            except FileNotFoundError as error:
                said = getattr(error.__cause__, "response", {})  # of S3's client
                if said.get("Error", {}).get("Code") == "NoSuchBucket":
                    raise
                return None

    def _put(self, path: str, data: bytes) -> None:
        with self._explained("write"):
            whole = f"{self._place}/{path}"
            if "file" not in self._there.protocol:
                self._there.pipe_file(whole, data)  # which is one step
                return
            files.make_folder(Path(whole).parent)
            files.write_bytes(Path(whole), data)

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Turn whatever fsspec and its clients raise into a sentence."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            raise StoreError(f"cannot {doing} {self.address}: {self._why(doing, error)}") from error

    def _why(self, doing: str, error: Exception) -> str:
        kind, first = type(error).__name__, (str(error).strip().splitlines() or [""])[0]
        if isinstance(error, ImportError):
            scheme = self.address.partition("://")[0]
            return f"s3fs is not installed: {INSTALL}" if scheme in ("s3", "s3a") else f"{first}, beside converse"
        way_out = f"; {_WAYS_OUT[kind]}" if kind in _WAYS_OUT else ""
        kept = f"; what is finished lies in {self.root}, and the same command sends it" if doing == "write" else ""
        return f"{kind}: {first}{way_out}{kept}"


def archive(folder: Path) -> bytes:
    """A trial's folder as one object: the same files give the same bytes.

    Args:
        folder: of a trial or a run of speed.

    Raises:
        Damaged: there is a link, pipe or device in it.
        StoreError: it cannot be read.
    """
    files.check_plain(folder)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in sorted(walk(folder), key=lambda entry: entry.path):
            name = Path(entry.path).relative_to(folder).as_posix()
            if any(fnmatch(part, pattern) for part in name.split("/") for pattern in _OWN):
                continue
            if (content := files.content(Path(entry.path))) is not None:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def unpack(data: bytes, folder: Path) -> None:
    """Lay an object out as a folder; one that is torn leaves what is whole, whose checksums tell.

    Args:
        data: what :func:`archive` made; it may come from anybody, so links and strange names are passed over.
        folder: where to.

    Raises:
        StoreError: it cannot be written.
    """
    with files.explained(folder, "make"):
        folder.mkdir(parents=True, exist_ok=True)
    # Nothing is decompressed, and no holes are filled: neither is in what `archive` makes, and both may be of any size.
    with (
        files.explained(folder, "write"),
        contextlib.suppress(tarfile.TarError, EOFError, ValueError, *_IN_THE_WAY),
        tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar,
    ):
        for member in tar:
            named = _NAME.fullmatch(member.name) and len(os.fsencode(member.name)) <= _LONGEST
            plain = named and member.isreg() and not member.issparse()
            content = tar.extractfile(member) if plain else None
            if content is not None:
                path = folder / member.name
                path.parent.mkdir(exist_ok=True)
                with path.open("wb") as file:
                    shutil.copyfileobj(content, file)


def _covered(here: Path, there: Path, kind: str) -> bool:
    """Whether nothing is here that is not there too: two machines that did the same need not send it by turns."""
    try:
        if kind == "speed":
            mine, theirs = SpeedFolder(here), SpeedFolder(there)
            return {*map(speed_key, mine.rows())} <= {*map(speed_key, theirs.rows())}
        one, other = TrialFolder(here), TrialFolder(there)
        rows, others = ({*map(row_key, folder.table().to_pylist())} for folder in (one, other))
        further = PROGRESS[one.status().state] > PROGRESS[other.status().state]
        return not further and rows <= others and Outputs(one).kept().keys() <= Outputs(other).kept().keys()
    except StoreError:  # what is torn there is sent again
        return False


def _named(paths: Mapping[str, str], path: str) -> str:
    """The name of an object, whichever way fsspec writes its path."""
    return paths.get(path) or next(name for whole, name in paths.items() if path.endswith(whole.lstrip("/")))


def _batches(objects: Mapping[str, _Object]) -> Iterator[list[str]]:
    """Names of objects that are fetched together."""
    batch: list[str] = []
    size = 0
    for name, one in objects.items():
        if batch and (len(batch) == _AT_ONCE or size + one.size > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += one.size
    if batch:
        yield batch


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _stamp(info: Mapping[str, Any]) -> str:
    """What says that an object is another one by now: its entity tag; elsewhere its size and times."""
    tag = next((info[name] for name in ("ETag", "etag", "md5Hash") if info.get(name)), None)
    if tag is not None:
        return str(tag)
    said = [info.get(name) for name in ("size", "mtime", "LastModified", "created")]
    # Of fsspec's own memory a list has seconds, and a single object a date.
    plain = [one.timestamp() if isinstance(one, datetime) else one for one in said]
    return " ".join(str(one) for one in plain if one is not None)
