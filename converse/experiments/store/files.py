"""Files that survive a kill, a full disk and a torn write: atomic replacement, journals, damaged files set aside."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from converse.counted import counted
from converse.errors import StoreError
from converse.experiments.store.plain import (
    LARGEST_DOCUMENT,
    NotPlain,
    check_folder,
    kind_of,
    open_to_append,
    read_plain,
)
from converse.experiments.store.strict_json import Refused, parse
from converse.plain_text import writable

TEMPORARY: Final = ".writing-"
"""Files under this prefix are half written: their writer was killed, or is still at it."""

STORE_FILE: Final = "store.json"
"""What makes a folder a store."""

_LASTING: Final = ("trials", "speed", "asked", "answered", "quickstart", "compare")
"""Folders of a store: what is in them is there when the same command is given again."""

_NEW: Final = ".new-"
"""Folders under this prefix are half made."""

_LEFTOVER_SECONDS: Final = 60.0

_REASONS: Final = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EFBIG: "the file may not grow further: raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "the file system is read-only: name a folder that can be written",
    errno.EACCES: "permission denied: name a folder that you may write, or change its permissions",
    errno.EPERM: "permission denied: name a folder that you may write, or change its permissions",
    errno.ENOTDIR: "a file stands where a folder is needed: name another folder",
    errno.EISDIR: "a folder stands where a file is needed: move it away",
}


_BINARY: Final = getattr(os, "O_BINARY", 0)
_CANNOT_SYNCHRONISE: Final = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What file systems say that cannot synchronise folders."""


class Damaged(StoreError):
    """A file is missing, torn, or not what was written: the next run sets it aside and goes on."""


@contextlib.contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn an operating system's error into one sentence that says which file, why, and the way out.

    Args:
        path: the file or folder at hand.
        doing: what was being done to it: ``"write"``.

    Yields:
        Nothing.

    Raises:
        StoreError: in place of any ``OSError`` from inside.
    """
    try:
        yield
    except OSError as error:
        number = error.errno if error.errno is not None else 0
        reason = _REASONS.get(number, error.strerror or str(error))
        kept = "; what was finished is kept, and the same command continues"
        raise StoreError(f"cannot {doing} {path}: {reason}{kept if _continues(path, doing) else ''}") from error


def _continues(path: Path, doing: str) -> bool:
    """Whether a command that could not do it goes on there next time: it wrote where a store keeps what was finished.

    Not where nothing was written yet, and not for files that are made anew: an export or a report, which may lie in the
    store's folder too.
    """
    if doing == "read":
        return False
    stores = (folder for folder in (path, *path.parents) if os.path.lexists(folder / STORE_FILE))
    return any(folder == path or path.relative_to(folder).parts[0] in _LASTING for folder in stores)


class Fence(Protocol):
    """What keeps out a writer that has lost its right to write: :class:`converse.experiments.store.locks.Hold`."""

    @property
    def workspace(self) -> Path:
        """A folder of this writer alone, on the same file system, which is gone once the right is lost."""

    def check(self) -> None:
        """Raise an error if the right is lost."""


@contextlib.contextmanager
def replacing(path: Path, fence: Fence | None = None) -> Iterator[Path]:
    """Write a whole file or none: yields a temporary path that takes the place of ``path`` at the end.

    A full disk is recognised by its ``OSError``. Libraries that raise something else (safetensors does) are asked for
    bytes, which :func:`write_bytes` writes.

    Args:
        path: the file to write; its folder exists.
        fence: the lock under which it is written. The temporary file lies in its workspace, so that the rename itself
            fails when the lock has been lost, however late.

    Yields:
        The path to write to. It has the same suffix, because some libraries look at it.

    Raises:
        Lost: the lock has been lost; the former file, or the new owner's, is untouched.
        StoreError: it could not be written; the former file is untouched. Where only the folder could not be
            synchronised, it may be the new one already.
    """
    with explained(path, "write"):
        temporary = None
        try:
            folder = path.parent if fence is None else fence.workspace
            descriptor, name = tempfile.mkstemp(prefix=TEMPORARY, suffix=path.suffix, dir=folder)
            os.close(descriptor)
            temporary = Path(name)
            yield temporary
            with temporary.open("rb+") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o666 & ~_UMASK)
            temporary.replace(path)
            synchronise(path.parent)
        except BaseException as error:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    temporary.unlink(missing_ok=True)
            if fence is not None and isinstance(error, OSError):
                fence.check()
            raise


def write_bytes(path: Path, data: bytes, fence: Fence | None = None) -> None:
    """Replace the file by these bytes, atomically.

    Args:
        path: the file.
        data: all of it.
        fence: the lock under which it is written.

    Raises:
        StoreError: it could not be written; the former file is untouched.
    """
    write_files({path: data}, fence)


def write_files(contents: Mapping[Path, bytes], fence: Fence | None = None) -> None:
    """Replace files, each atomically, in their order; each folder is synchronised once, when all are in place.

    All are written and synchronised before the first takes its place, so that a full disk changes none.

    Args:
        contents: of each file.
        fence: the lock under which they are written.

    Raises:
        Lost: as of :func:`replacing`.
        StoreError: one could not be written: then all former files are untouched; or one could not be put into its
            place, or a folder not be synchronised: then those before it may be the new ones already.
    """
    made: dict[Path, Path] = {}
    at = next(iter(contents), Path())
    try:
        for at, data in contents.items():
            with explained(at, "write"):
                made[at] = (at.parent if fence is None else fence.workspace) / f"{TEMPORARY}{secrets.token_hex(8)}"
                _write_new(made[at], data)
        for at, temporary in made.items():
            with explained(at, "write"):
                temporary.replace(at)
        for folder in dict.fromkeys(path.parent for path in contents):
            with explained(at, "write"):
                synchronise(folder)
    except BaseException as error:
        for temporary in made.values():
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        if fence is not None and isinstance(error, StoreError):
            fence.check()
        raise


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that nobody knows yet, so that it survives a power cut.

    Raises:
        OSError: it could not be written.
    """
    with os.fdopen(
        os.open(os.fspath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666), "wb", buffering=0
    ) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())


def write_text(path: Path, text: str, fence: Fence | None = None) -> None:
    """Replace the file by this text, atomically.

    Args:
        path: the file.
        text: all of it, written as UTF-8.
        fence: the lock under which it is written.

    Raises:
        StoreError: it could not be written; the former file is untouched.
    """
    write_bytes(path, writable(text).encode(), fence)


def write_json(path: Path, value: Mapping[str, Any], fence: Fence | None = None) -> None:
    """Replace the file by this JSON object, atomically.

    Args:
        path: the file.
        value: what JSON can hold.
        fence: the lock under which it is written.

    Raises:
        StoreError: it could not be written; the former file is untouched.
        ValueError: NaN or infinity.
    """
    write_bytes(path, json_bytes(value), fence)


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """A JSON object as the content of a file.

    Raises:
        ValueError: NaN or infinity.
    """
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    if writable(text) is not text:
        text = json.dumps(writable_values(value), indent=2, allow_nan=False, ensure_ascii=False)
    return f"{text}\n".encode()


def write_sealed(path: Path, value: Mapping[str, Any]) -> None:
    """As :func:`write_json`, with a checksum inside, as lines of a :class:`Journal` have one.

    Raises:
        StoreError: it could not be written; the former file is untouched.
        ValueError: NaN or infinity.
    """
    write_bytes(path, sealed_bytes(value))


def sealed_bytes(value: Mapping[str, Any]) -> bytes:
    """A JSON object as the content of a file, the CRC-32 of what stands before it as its last key.

    Raises:
        ValueError: NaN or infinity.
    """
    return _sealed(json_bytes(value).rstrip(b"\n")) + b"\n"


def sealed_line(value: Mapping[str, Any]) -> bytes:
    """As :func:`sealed_bytes`, on one line: for what is large and read by programs alone.

    Raises:
        ValueError: NaN or infinity.
    """
    return _sealed(json.dumps(value, allow_nan=False, separators=(",", ":")).encode()) + b"\n"


def read_sealed(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file, without its checksum; files of versions up to 0.1 have none and are believed.

    Args:
        path: the file.

    Returns:
        The object; ``None`` when there is no such file.

    Raises:
        Damaged: the file holds something else, or not what was written.
        StoreError: it cannot be read.
    """
    data = content(path, LARGEST_DOCUMENT)
    return None if data is None else json_object(path, data.rstrip(b"\n"), _record)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, so that they survive a power cut; one that is there stays.

    Args:
        path: the folder.

    Raises:
        OSError: it could not be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    if missing or not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        synchronise(folder.parent)


def make_whole(path: Path, contents: Mapping[str, bytes], *, clean: bool = True) -> bool:
    """Make a folder with files in it, in one step; one that is there stays, and what is in it.

    Args:
        path: the folder.
        contents: of each file, by name.
        clean: remove what other processes have left half made beside it, which is a look at everything there.

    Returns:
        Whether it was made; ``False`` when it was there, or another process was faster.

    Raises:
        StoreError: it could not be made.
    """
    with explained(path, "make"):
        make_folder(path.parent)
        for attempt in range(3):
            temporary = path.with_name(f"{_NEW}{path.name}-{secrets.token_hex(4)}")
            try:
                temporary.mkdir()
                if clean:
                    sweep(path.parent, f"{_NEW}*", temporary)
                for name, data in contents.items():
                    with explained(temporary / name, "write"):
                        _write_new(temporary / name, data)
                synchronise(temporary)
                return move_folder(temporary, path)
            except (OSError, StoreError):
                # A process that slept for a minute in here has been taken for dead, and swept: it begins anew.
                if attempt == 2 or temporary.exists():
                    raise
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    return False


def move_folder(temporary: Path, path: Path) -> bool:
    """Give a folder its name, so that it survives a power cut.

    Args:
        temporary: the folder, beside its place.
        path: its place.

    Returns:
        ``False`` when another process was faster, and what it put there stays.

    Raises:
        OSError: it could not be renamed.
    """
    try:
        temporary.rename(path)
    except OSError as error:
        # POSIX says the first two, Windows the third.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or not path.is_dir():
            raise
        return False
    synchronise(path.parent)
    return True


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in the file.

    Args:
        path: the file.

    Returns:
        The object; ``None`` when there is no such file.

    Raises:
        Damaged: the file holds something else.
        StoreError: it cannot be read.
    """
    data = content(path, LARGEST_DOCUMENT)
    return None if data is None else json_object(path, data)


def json_object(path: Path, data: bytes, parsed: Callable[[bytes], Any] | None = None) -> dict[str, Any]:
    """The JSON object that these bytes of a file are.

    Args:
        path: the file, for the message.
        data: all of it.
        parsed: what reads it, raising ``ValueError``; ``None`` for plain JSON.

    Raises:
        Damaged: they are something else.
    """
    value = None
    try:
        value = (parsed or _parsed)(data)
    except Refused as error:
        raise Damaged(f"{path} is damaged: {error}") from error
    except ValueError:
        pass
    if not isinstance(value, dict):
        start = repr(data[:24].decode(errors="replace")) if data else "an empty file"
        raise Damaged(f"{path} is damaged: expected a JSON object, got {start}")
    return value


def content(path: Path, limit: int | None = None) -> bytes | None:
    """The bytes of a plain file of the store; links, pipes and devices are not followed or opened.

    Args:
        path: the file.
        limit: bytes that it may have at most.

    Returns:
        All of it; ``None`` when there is no such file.

    Raises:
        Damaged: it is no plain file.
        StoreError: it cannot be read.
    """
    try:
        with explained(path, "read"):
            return read_plain(path, limit)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        if isinstance(error.__cause__, NotPlain):
            raise Damaged(f"{path} is damaged: {error.__cause__.strerror}") from error
        raise


def check_plain(folder: Path) -> None:
    """Refuse a folder that is a link or has links, pipes or devices in it: nothing of it is read.

    Args:
        folder: one that is not there passes.

    Raises:
        Damaged: it is, or has.
        StoreError: it cannot be read.
    """
    try:
        with explained(folder, "read"):
            check_folder(folder)
    except StoreError as error:
        if isinstance(error.__cause__, NotPlain):
            raise Damaged(f"{error.__cause__.filename} is damaged: {error.__cause__.strerror}") from error
        if not isinstance(error.__cause__, FileNotFoundError):
            raise


def plain_files(folder: Path, suffix: str) -> list[Path]:
    """The entries of a folder whose names end so and do not begin with a dot, sorted.

    Args:
        folder: of a store; one that is not there is empty.
        suffix: ``".json"``.

    Raises:
        Damaged: the folder is a link or something else.
        StoreError: it cannot be read.
    """
    return [folder / name for name in plain_names(folder) if name.endswith(suffix)]


def plain_names(folder: Path) -> list[str]:
    """The names of the entries of a folder that do not begin with a dot, sorted.

    Args:
        folder: of a store; one that is not there is empty.

    Raises:
        Damaged: the folder is a link or something else.
        StoreError: it cannot be read.
    """
    try:
        mode = folder.lstat().st_mode
    except OSError:
        return []
    if not stat.S_ISDIR(mode):
        raise Damaged(f"{folder} is damaged: {NotPlain(folder, kind_of(mode), 'a folder').strerror}")
    with explained(folder, "read"), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith("."))


def set_aside(path: Path) -> Path:
    """Rename a damaged file to ``NAME.damaged-N``, so that nothing is lost while its place is free again.

    Args:
        path: an existing file.

    Returns:
        Its new path.

    Raises:
        StoreError: it could not be renamed.
    """
    aside = _free_name(path)
    with explained(path, "rename"):
        path.rename(aside)
        synchronise(path.parent)
    return aside


def supersede(path: Path, value: Mapping[str, Any]) -> Path | None:
    """Keep a copy of a damaged file as ``NAME.damaged-N``, and write another in its place.

    At no moment is there no file, so that several processes may do it at once.

    Args:
        path: the file; it may be missing.
        value: what JSON can hold.

    Returns:
        Where the damaged one is now; ``None`` when there was none.

    Raises:
        StoreError: it could not be written.
    """
    data = content(path)
    aside = None
    if data is not None:
        aside = _free_name(path)
        write_bytes(aside, data)
    write_json(path, value)
    return aside


def renew(folder: Path, names: Iterable[str], fence: Fence) -> None:
    """Put copies in the place of files that grow, so that whoever still has one open adds nothing to it any more.

    Args:
        folder: where they lie.
        names: of the files; those that are not there are passed over.
        fence: the lock of the new owner.

    Raises:
        StoreError: they could not be written.
    """
    for name in names:
        data = content(folder / name)
        if data is not None:
            write_bytes(folder / name, data, fence)


def sweep(folder: Path, pattern: str, fresh: Path) -> None:
    """Remove temporary files and folders in which nothing has changed for so long that their writers must be dead.

    Args:
        folder: where they lie.
        pattern: of their names.
        fresh: a file or folder that was made just now, on the same file system: its time is compared with theirs,
            since clocks of machines differ.
    """
    with contextlib.suppress(OSError):
        now = fresh.stat().st_mtime
        for leftover in folder.glob(pattern):
            with contextlib.suppress(OSError):
                if leftover.is_symlink() or not leftover.is_dir():
                    if now - leftover.lstat().st_mtime > _LEFTOVER_SECONDS:
                        leftover.unlink()
                elif now - max(path.lstat().st_mtime for path in (leftover, *leftover.rglob("*"))) > _LEFTOVER_SECONDS:
                    # In one step, so that a writer that was only stopped finds nothing to give its name to.
                    gone = leftover.with_name(f"{leftover.name}-gone")
                    leftover.rename(gone)
                    shutil.rmtree(gone, ignore_errors=True)


def _free_name(path: Path) -> Path:
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    return aside


def synchronise(folder: Path) -> None:
    """Make a name in a folder survive a power cut, where the system can synchronise folders.

    Args:
        folder: in which something was made or renamed.

    Raises:
        OSError: the disk could not do it, so that what was written may be lost.
    """
    if os.name == "nt":
        return  # Windows opens no folders, and writes names through
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNCHRONISE:
            raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Journal:
    """A file of JSON objects, one per line, that only grows: what was appended survives a kill.

    A line is written by one call and synchronised, and ends with the CRC-32 of what stands before it. A line that a
    kill tore, or that does not have its checksum, is passed over when reading and set aside by :meth:`repair`; lines
    without one were written by versions up to 0.1 and are believed. JSON has no NaN and no infinity: NaN becomes null,
    infinities the strings ``inf`` and ``-inf``.

    Attributes:
        path: the file.
        fault: what is wrong with a record, ``None`` if nothing is: one with a fault counts as damaged.
        fence: the lock under which it is written.
    """

    path: Path
    fence: Fence | None = None
    fault: Callable[[Mapping[str, Any]], str | None] = lambda record: None

    def append(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add records at the end: all of them or, if the disk is full, none.

        Args:
            records: flat or nested JSON-able mappings.

        Raises:
            StoreError: they could not be written; the journal is as it was.
        """
        if not records:
            return
        data = _lines(records)
        if self.fence is not None:
            self.fence.check()
        with (
            explained(self.path, "append to"),
            os.fdopen(open_to_append(self.path), "ab", buffering=0) as file,
        ):
            if self.fence is not None:
                self.fence.check()  # now that it is open: a new owner puts a copy in its place
            before = file.seek(0, os.SEEK_END)
            if before and not self._ends_well():
                data = b"\n" + data  # so that a torn line stays alone
            try:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                os.fsync(file.fileno())
                if not before:
                    synchronise(self.path.parent)
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(before)
                raise

    def read(self) -> list[dict[str, Any]]:
        """All whole records, oldest first; none when there is no journal.

        Returns:
            The records that were appended; torn and damaged lines are passed over.

        Raises:
            StoreError: the file cannot be read.
        """
        return self._parse()[0]

    def damaged(self) -> list[str]:
        """What is wrong with lines, one sentence each: ``line 3 does not have its checksum``.

        Raises:
            StoreError: the file cannot be read.
        """
        return [f"line {number} {why}" for number, _, why in self._parse()[1]]

    def rewrite(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Replace the whole journal, atomically: a training that goes back to its checkpoint drops later points.

        Args:
            records: all that shall stand there.

        Raises:
            StoreError: it could not be written; the journal is as it was.
        """
        write_bytes(self.path, _lines(records), self.fence)

    def repair(self) -> str | None:
        """Set aside what a kill tore and what is damaged, and keep the whole records.

        Returns:
            What was done, in a sentence; ``None`` when nothing was wrong.

        Raises:
            StoreError: it could not be written; the journal is as it was.
        """
        records, torn = self._parse()
        if not torn:
            return None
        aside = _free_name(self.path)
        write_bytes(aside, b"\n".join(line for _, line, _ in torn) + b"\n", self.fence)
        self.rewrite(records)
        kept, moved = counted(len(records), "record"), counted(len(torn), "torn or damaged line")
        return f"{self.path.name}: kept {kept}, moved {moved} to {aside.name}"

    def _parse(self) -> tuple[list[dict[str, Any]], list[tuple[int, bytes, str]]]:
        """The records; and the number, bytes and fault of each line that is none."""
        records: list[dict[str, Any]] = []
        torn: list[tuple[int, bytes, str]] = []
        for number, line in enumerate((content(self.path) or b"").split(b"\n"), 1):
            if not line:
                continue
            # The closing brace ends an object: what parses as one was not torn, even without its newline.
            try:
                record = _record(line)
                why = self.fault(record)
            except ValueError as error:
                why = str(error).removeprefix("it ") if isinstance(error, Refused) else "is torn, or no JSON object"
            if why is None:
                records.append(record)
            else:
                torn.append((number, line, why))
        return records, torn

    def _ends_well(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"


_SURROGATE: Final = re.compile(rb"\\[uU][dD]|\xed")  # as JSON writes it, or raw: json.loads takes both


def _parsed(data: bytes) -> Any:
    """What JSON holds. Lone surrogates, which journals of converse 0.1 may have, are made writable."""
    value = parse(data)
    if b"\\" not in data and b"\xed" not in data:  # nearly always, and told in a tenth of the time
        return value
    return value if _SURROGATE.search(data) is None else writable_values(value)


def writable_values(value: Any) -> Any:
    """What JSON can hold, with each text in it such that a file can hold it: what comes back when it is read."""
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, Mapping):
        return {writable_values(key): writable_values(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [writable_values(inner) for inner in value]
    return value


_SEAL: Final = (b',"crc32":"', b'"}')  # eight hex digits stand between the two
_WHOLE_SEAL: Final = b"".join(_SEAL)
_SEAL_LENGTH: Final = len(b',"crc32":"01234567"}')


def _lines(records: Sequence[Mapping[str, Any]]) -> bytes:
    written = (
        json.dumps(jsonable(writable_values(record)), allow_nan=False, separators=(",", ":")).encode()
        for record in records
    )
    return b"".join(_sealed(line) + b"\n" for line in written)


def _sealed(line: bytes) -> bytes:
    """The object with its checksum as a last key, which readers that know nothing of it leave alone."""
    return line if line == b"{}" else b"%b%b%08x%b" % (line[:-1], _SEAL[0], zlib.crc32(line), _SEAL[1])


def _record(line: bytes) -> dict[str, Any]:
    """The object on a line, without its checksum.

    Raises:
        ValueError: it is torn, damaged or no object.
    """
    end = line[-_SEAL_LENGTH:]
    fixed = end[: len(_SEAL[0])] + end[-len(_SEAL[1]) :]
    alike = len(fixed)
    if fixed != _WHOLE_SEAL:
        alike = sum(one == other for one, other in zip(fixed, _WHOLE_SEAL, strict=False))
    if alike == len(_WHOLE_SEAL):
        line = line[:-_SEAL_LENGTH] + b"}"
        if end[len(_SEAL[0]) : -len(_SEAL[1])] != b"%08x" % zlib.crc32(line):
            raise Refused("it does not have the checksum that it was written with")
    elif alike >= len(fixed) - 2 >= 8:  # no line of a version without checksums ends nearly so
        raise Refused("it has a damaged checksum")
    record = _parsed(line)
    if not isinstance(record, dict):
        raise Refused("it is no JSON object")
    return record


def jsonable(value: Any) -> Any:
    """The value with what JSON lacks as JSON has it everywhere here: NaN null, infinities ``inf`` and ``-inf``."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {key: jsonable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    return value


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK: Final = _umask()  # mkstemp makes private files; those of a store are as shared as the user's others
