"""Downloads with checksums: in parallel, with retries, mirrors and progress; what is finished is kept.

A server is not trusted: no more is written than the catalogue's size of a file, and none takes for ever.
"""

from __future__ import annotations

import http.client
import queue
import threading
import time
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pooch
import requests
import urllib3
from rich.progress import Progress, TaskID

from converse.counted import counted
from converse.data.catalogue import Dataset, FileEntry, way_out
from converse.errors import DataError
from converse.plain_text import visible
from converse.progress_bar import progress_bar

WORKERS = 8
TRIES = 3
CHUNK = 1 << 16
BACKOFF = 0.5  # seconds before the second try, doubled before each further one
TIMEOUT = (10.0, 20.0)  # seconds to connect, and between two packets

GRACE = 60.0  # seconds that any file may take
LEAST_SPEED = 10_000.0  # bytes per second, below which a file is given up: those of a modem of 1995, and more

# Another try of the same address can mend these; a 404 stays a 404.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Stopped(Exception):
    """The download was given up, by the user or because another file of the dataset cannot be had."""


class _Unfit(Exception):
    """A server answers, but not with the file."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class _Bar:
    """Moves the shared progress bar, and ends its download when all are to end."""

    def __init__(self, progress: Progress, task: TaskID, stop: threading.Event) -> None:
        self._progress, self._task, self._stop = progress, task, stop
        self._done = 0

    def update(self, size: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._done += size
        self._progress.advance(self._task, size)

    def finish(self, size: int) -> None:
        self.reset()
        self._progress.advance(self._task, size)

    def reset(self) -> None:
        self._progress.advance(self._task, -self._done)
        self._done = 0


class _Bounded:
    """What pooch downloads with: as many bytes as the catalogue says, in bounded time."""

    def __init__(self, size: int, bar: _Bar) -> None:
        self._size, self._bar = size, bar

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Write the body of the answer to a file.

        Raises:
            requests.RequestException: no answer, or one that says that there is no such file.
            _Unfit: an answer that is too long, too short, too slow or in an encoding that nobody asked for.
        """
        allowed = GRACE + self._size / LEAST_SPEED
        end = time.monotonic() + allowed
        # A compressed body might grow without bounds, and images and weights don't shrink.
        with _answer(url, {"Accept-Encoding": "identity"}, allowed) as response:
            response.raise_for_status()
            if (encoding := response.headers.get("Content-Encoding", "identity").lower()) != "identity":
                raise _Unfit(f"answers in the encoding {visible(encoding)}, though none was asked for", again=False)
            announced = response.headers.get("Content-Length", "")
            self._expect(int(announced) if announced.isdecimal() else 0, "announces")
            received = 0
            with Path(output_file).open("wb") as file:
                while chunk := _next_bytes(response):
                    received += len(chunk)
                    self._expect(received, "sends")
                    if time.monotonic() > end:
                        slow = f"sent {received:,} of {self._size:,} bytes in {allowed:.0f} s, and is given up"
                        raise _Unfit(slow, again=False)
                    file.write(chunk)
                    self._bar.update(len(chunk))
        if received < self._size:
            raise _Unfit(f"ended after {received:,} of {self._size:,} bytes", again=True)

    def _expect(self, count: int, does: str) -> None:
        if count > self._size:
            raise _Unfit(f"{does} {count:,} bytes, where the catalogue has {self._size:,}", again=False)


def _answer(url: str, headers: dict[str, str], allowed: float) -> requests.Response:
    """The head of an answer. Its bytes may drip for ever within requests' time limit, which is one between packets."""
    came: queue.SimpleQueue[requests.Response | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            came.put(requests.get(url, stream=True, timeout=TIMEOUT, headers=headers))
        except Exception as error:
            came.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = came.get(timeout=allowed)
    except queue.Empty:
        raise _Unfit(f"did not answer in {allowed:.0f} s", again=False) from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _next_bytes(response: requests.Response) -> bytes:
    """What has come by now, or else the next that comes; waiting for a whole chunk would have no end."""
    # Not of urllib3 1, whose response wraps the one of http.client.
    raw: Any = response.raw
    read1 = getattr(raw, "read1", None) or raw._fp.read1
    try:
        return bytes(read1(CHUNK))
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        raise requests.ConnectionError(error) from error


def download(dataset: Dataset, files: Sequence[FileEntry], folder: Path, progress: bool) -> list[Path]:
    """Download files of a dataset into a folder, each one verified and then moved into place.

    The first file that no address can give ends the whole, as does Ctrl-C; what is finished stays, and the next call
    fetches the rest.

    Args:
        dataset: knows the addresses.
        files: which of its files.
        folder: where to; made if need be.
        progress: whether to show it on standard error.

    Returns:
        Paths in the order of `files`.

    Raises:
        DataError: an address cannot be reached, has something else than it should, or the folder cannot be written.
    """
    pooch.get_logger().setLevel("ERROR")
    waiting: queue.SimpleQueue[FileEntry] = queue.SimpleQueue()
    for entry in files:
        waiting.put(entry)
    stop = threading.Event()
    failures: queue.SimpleQueue[BaseException] = queue.SimpleQueue()

    text, total = f"{dataset.title}: {counted(len(files), 'file')}", sum(entry.bytes for entry in files)
    with progress_bar("text", "bar", "bytes", "time left", text=text, total=total, wanted=progress) as (shown, task):

        def work() -> None:
            while not stop.is_set():
                try:
                    entry = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    _fetch(dataset, entry, folder, _Bar(shown, task, stop), stop)
                except _Stopped:
                    return
                except BaseException as error:
                    failures.put(error)
                    stop.set()

        # Daemons: a thread that hangs in a dead connection must not hold back the end of the process.
        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(WORKERS, len(files)))]
        for worker in workers:
            worker.start()
        try:
            for worker in workers:
                while worker.is_alive():
                    worker.join(0.2)  # an endless join cannot be interrupted on Windows
        except BaseException:
            stop.set()
            deadline = time.monotonic() + 1
            for worker in workers:
                worker.join(max(0.0, deadline - time.monotonic()))
            raise
    if not failures.empty():
        raise failures.get()
    return [folder / entry.name for entry in files]


def _fetch(dataset: Dataset, entry: FileEntry, folder: Path, bar: _Bar, stop: threading.Event) -> None:
    """Try every address in turn, each up to `TRIES` times."""
    reasons = []
    for base in (dataset.base_url, *dataset.mirrors):
        address = base + urllib.parse.quote(entry.name)
        for attempt in range(TRIES):
            if attempt and stop.wait(BACKOFF * 2 ** (attempt - 1)):
                raise _Stopped
            try:
                pooch.retrieve(
                    address,
                    known_hash=f"sha256:{entry.sha256}",
                    fname=entry.name,
                    path=folder,
                    downloader=_Bounded(entry.bytes, bar),
                )
                bar.finish(entry.bytes)
                return
            except requests.RequestException as error:
                if error.response is None:
                    reason, again = f"{address} cannot be reached ({_cause(error)})", True
                else:
                    reason = f"{address} answers {error.response.status_code} {visible(str(error.response.reason))}"
                    again = error.response.status_code in _PASSING
            except _Unfit as error:
                reason, again = f"{address} {error}", error.again
            except ValueError as error:  # pooch: the checksum is another
                reason, again = f"{address} has another content than the catalogue says ({_short(error)})", True
            except OSError as error:
                raise DataError(
                    f"dataset {dataset.name!r}: cannot write to {folder} ({error.strerror or error}); make room, or "
                    "name another folder with the variable CONVERSE_CACHE"
                ) from error
            bar.reset()
            if not again:
                break
        reasons.append(reason)
    raise DataError(f"dataset {dataset.name!r} cannot be downloaded: {'; '.join(reasons)}. Way out: {way_out(dataset)}")


def _cause(error: BaseException) -> str:
    """The innermost reason in few words: urllib3 wraps it three times."""
    inner: BaseException = error
    while inner.args and isinstance(inner.args[-1], BaseException):
        inner = inner.args[-1]
    inner = getattr(inner, "reason", inner) if isinstance(getattr(inner, "reason", None), BaseException) else inner
    return _short(inner)


def _short(error: BaseException) -> str:
    text = visible(" ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
