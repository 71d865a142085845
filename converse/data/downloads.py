"""Downloads with checksums: in parallel, with retries, mirrors and progress; what is finished is kept."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from converse.data.catalogue import Dataset, FileEntry, way_out
from converse.errors import DataError

WORKERS = 8
TRIES = 3
BACKOFF = 0.5  # seconds before the second try, doubled before each further one
TIMEOUT = (10.0, 20.0)  # seconds to connect, and between two packets

# Another try of the same address can mend these; a 404 stays a 404.
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Stopped(Exception):
    """The download was given up, by the user or because another file of the dataset cannot be had."""


class _Bar:
    """What pooch takes for a progress bar: moves the shared one, and ends its download when all are to end."""

    def __init__(self, progress: Progress, task: TaskID, stop: threading.Event) -> None:
        self.total = 0  # pooch sets it; the catalogue knows better
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

    def close(self) -> None:
        pass


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

    with _progress(dataset, files, progress) as (shown, task):

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


@contextlib.contextmanager
def _progress(dataset: Dataset, files: Sequence[FileEntry], show: bool) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not show) as shown:
        yield shown, shown.add_task(f"{dataset.title}: {len(files)} files", total=sum(entry.bytes for entry in files))


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
                    downloader=pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT),
                )
                bar.finish(entry.bytes)
                return
            except requests.RequestException as error:
                if error.response is None:
                    reason, again = f"{address} cannot be reached ({_cause(error)})", True
                else:
                    reason = f"{address} answers {error.response.status_code} {error.response.reason}"
                    again = error.response.status_code in _PASSING
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
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
