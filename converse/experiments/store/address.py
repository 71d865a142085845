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
import json
import re
import shutil
import tarfile
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from converse.counted import counted
from converse.data.local import cache_folder
from converse.errors import ConverseWarning, StoreError
from converse.experiments.store import Store, files, locks
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.merging import merge
from converse.experiments.store.outputs import Outputs
from converse.experiments.store.plain import walk
from converse.experiments.store.rows import row_key
from converse.experiments.store.schema import check_schema
from converse.experiments.store.speed_rows import SpeedFolder, speed_key
from converse.experiments.store.state import PROGRESS

COPIES: Final = "stores"
"""Folder of the cache in which the copies are."""

RECORD: Final = "address.json"
"""In a copy: whose it is, and what of it is at the address by now."""

_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+://.")
_OWN: Final = (*locks.OWN_FILES, f"{files.TEMPORARY}*")
_NAME: Final = re.compile(r"[\w][\w.@+-]*(/[\w][\w.@+-]*)?")
_AT_ONCE: Final = 64  # objects that are fetched together, and held in memory
_KINDS: Final = ("trials", "speed")
_FORMAT: Final = 1

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
    finally:
        away.send_all(tell)


def away_of(root: Path) -> Away | None:
    """The address whose copy a folder is; ``None`` for a store of this machine."""
    with contextlib.suppress(StoreError):
        found = files.read_json(root / RECORD)
        if found is not None and isinstance(found.get("address"), str):
            return Away(found["address"], root)
    return None


class Away:
    """A store at an address, and its copy here.

    Args:
        address: as fsspec takes it.
        root: the copy's folder; ``None`` for that in the cache.

    Raises:
        StoreError: fsspec knows no such kind of address, or lacks a package for it.
    """

    def __init__(self, address: str, root: Path | None = None) -> None:
        import fsspec

        self.address = address.rstrip("/")
        key = hashlib.sha256(self.address.encode()).hexdigest()[:16]
        self.root = root or cache_folder() / COPIES / key
        with self._explained("reach"):
            self._there, self._place = fsspec.core.url_to_fs(self.address)
            self._there.invalidate_cache()
        self.store = Store(self.root)
        self._record = self._read_record()

    def fetch(self, tell: Told = lambda what, done, total: None) -> None:
        """Take what is new at the address, and unite it with what is here.

        Args:
            tell: told how far it is.

        Raises:
            StoreError: the address cannot be read, or is of a newer schema.
        """
        with self._explained("read"):
            schema = self._content("store.json")
            if schema is not None:
                check_schema(Path("store.json"), files.json_object(Path("store.json"), schema))
        for kind in _KINDS:
            there = self._listed(kind, ".tar")
            known = self._record[kind]
            fresh = [name for name, stamp in there.items() if known.get(name, {}).get("there") != stamp]
            for begin in range(0, len(fresh), _AT_ONCE):
                tell("fetching trials", begin, len(fresh))
                self._take(kind, {name: there[name] for name in fresh[begin : begin + _AT_ONCE]})
        self._fetch_notes()
        self._write_record()

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
        left = [
            *(("trials", name) for name in self.store.ids() if self._differs("trials", name)),
            *(("speed", name) for name in self.store.speed.runs() if self._differs("speed", name)),
        ]
        for done, (kind, name) in enumerate(left):
            tell("sending trials", done, len(left))
            if kind == "speed" or TrialFolder(self.root / kind / name).status().state not in ("planned", "running"):
                self._send(kind, name)
        there = self._listed("asked", ".json")
        for path in files.plain_files(self.root / "asked", ".json"):
            data = files.content(path) or b""
            mark = hashlib.sha256(data).hexdigest()
            if path.stem not in there or self._record["asked"].get(path.stem) != mark:
                self._put(f"asked/{path.name}", data)
                self._record["asked"][path.stem] = mark
        if left and self._content("store.json") is None:
            self._put("store.json", files.content(self.root / "store.json") or b"")
        self._write_record()

    # One object

    def _send(self, kind: str, name: str) -> None:
        if not self._differs(kind, name):
            return
        path, known = f"{kind}/{name}.tar", self._record[kind].get(name, {})
        stamp = self._stamp(path)
        if stamp is not None and stamp != known.get("there"):  # somebody else has sent it meanwhile
            self._take(kind, {name: stamp})
            if not self._differs(kind, name):
                return
        mark = self._mark(kind, name)
        self._put(path, archive(self.root / kind / name))
        self._record[kind][name] = {"there": self._stamp(path), "mark": mark}
        self._write_record()

    def _take(self, kind: str, stamps: Mapping[str, str]) -> None:
        """Unite objects with what is here."""
        with self._explained("read"):
            paths = {f"{self._place}/{kind}/{name}.tar": name for name in stamps}
            found = self._there.cat(list(paths), on_error="omit")
        with tempfile.TemporaryDirectory(prefix="converse-", ignore_cleanup_errors=True) as place:
            other = Store(Path(place))
            for path, data in found.items():
                unpack(data, Path(place) / kind / _named(paths, path))
            for one in merge(self.store, [other]):
                if one.action == "skipped" or one.conflicts:
                    wrong = one.reason or f"{counted(one.conflicts, 'value')} there and other ones here, which stay"
                    warnings.warn(ConverseWarning(f"{self.address}/{kind}/{one.id}.tar: {wrong}"), stacklevel=2)
            for path in found:
                name = _named(paths, path)
                nothing_more = _covered(self.root / kind / name, Path(place) / kind / name, kind)
                mark = self._mark(kind, name) if nothing_more else None
                self._record[kind][name] = {"there": stamps[name], "mark": mark}

    def _differs(self, kind: str, name: str) -> bool:
        """Whether something is here that was not sent."""
        return bool(self._record[kind].get(name, {}).get("mark") != self._mark(kind, name))

    def _mark(self, kind: str, name: str) -> str:
        """What is here, by what it says of all of its files."""
        folder = self.root / kind / name
        said = ("digests.json", "outputs.jsonl") if kind == "trials" else ("run.json", "rows.jsonl")
        whole = hashlib.sha256()
        for part in said:
            whole.update(files.content(folder / part) or b"-")
        return whole.hexdigest()

    def _fetch_notes(self) -> None:
        there = self._listed("asked", ".json")
        stamps = self._record["stamps"]
        fresh = [name for name, stamp in there.items() if stamps.get(name) != stamp]
        with tempfile.TemporaryDirectory(prefix="converse-", ignore_cleanup_errors=True) as place:
            other = Store(Path(place))
            for name in fresh:
                if (data := self._content(f"asked/{name}.json")) is not None:
                    files.make_folder(Path(place) / "asked")
                    (Path(place) / "asked" / f"{name}.json").write_bytes(data)
            for _ in merge(self.store, [other]):
                pass
            for name in fresh:
                data = files.content(Path(place) / "asked" / f"{name}.json")
                if data is not None and data == files.content(self.root / "asked" / f"{name}.json"):
                    self._record["asked"][name] = hashlib.sha256(data).hexdigest()
        stamps |= {name: there[name] for name in fresh}

    # The address

    def _listed(self, folder: str, suffix: str) -> dict[str, str]:
        """Name without suffix → stamp of the objects in a folder."""
        with self._explained("read"):
            try:
                found = self._there.find(f"{self._place}/{folder}", maxdepth=1, detail=True)
            except FileNotFoundError:
                return {}
        named = {path.rpartition("/")[2]: info for path, info in found.items()}
        ours = {name.removesuffix(suffix): info for name, info in named.items() if name.endswith(suffix)}
        return {name: _stamp(info) for name, info in ours.items() if _NAME.fullmatch(name)}

    def _stamp(self, path: str) -> str | None:
        with self._explained("read"):
            try:
                self._there.invalidate_cache()
                return _stamp(self._there.info(f"{self._place}/{path}"))
            except FileNotFoundError:
                return None

    def _content(self, path: str) -> bytes | None:
        with self._explained("read"):
            try:
                return bytes(self._there.cat_file(f"{self._place}/{path}"))
            except FileNotFoundError:
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
        except ImportError as error:
            raise StoreError(
                f"cannot {doing} {self.address}: {error}; install what it names, beside converse"
            ) from error
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise StoreError(
                f"cannot {doing} {self.address}: {type(error).__name__}: {first}; what is finished lies in "
                f"{self.root}, and the same command sends it"
            ) from error

    # What was exchanged

    def _read_record(self) -> dict[str, dict[str, Any]]:
        found: Mapping[str, Any] = {}
        with contextlib.suppress(StoreError):
            found = files.read_json(self.root / RECORD) or {}
        if found.get("format") != _FORMAT or found.get("address") != self.address:
            found = {}
        tables = {name: found.get(name) for name in (*_KINDS, "asked", "stamps")}
        return {name: dict(table) if isinstance(table, dict) else {} for name, table in tables.items()}

    def _write_record(self) -> None:
        whole = {"format": _FORMAT, "address": self.address, **self._record}
        files.write_bytes(self.root / RECORD, json.dumps(whole).encode() + b"\n")


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
    """
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(tarfile.TarError, EOFError, OSError), tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isreg() and _NAME.fullmatch(member.name) else None
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


def _stamp(info: Mapping[str, Any]) -> str:
    """What says that an object is another one by now."""
    said = [info.get(name) for name in ("size", "ETag", "etag", "md5Hash", "mtime", "LastModified", "created")]
    # Of fsspec's own memory a list has seconds, and a single object a date.
    plain = [one.timestamp() if isinstance(one, datetime) else one for one in said]
    return " ".join(str(one) for one in plain if one is not None)
