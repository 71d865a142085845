"""What travels between the store and a machine that shares no files with it: a trial, and what it has come to.

The store is written by one process alone, which holds the trial's lock meanwhile. The other machine works in a folder
of its own, laid out like the store's; what is new there is sent back, as it comes and once more at the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from converse.data.catalogue import sha256_of
from converse.data.images import ImageFile, ImageSet
from converse.data.local import cache_folder
from converse.experiments.evaluation.unmeasured import unmeasured
from converse.experiments.running.jobs import Job
from converse.experiments.store import files
from converse.experiments.store.digests import OUTPUTS
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.outputs import FOLDER, Outputs, output_files
from converse.experiments.store.rows import Row, row_key
from converse.experiments.suites.user_operators import operator_file
from converse.experiments.training.checkpoints import RESUME, WEIGHTS, Checkpoints
from converse.experiments.trials import DEVICES

PROVENANCE: Final = "provenance.json"
CURVE: Final = "curve.jsonl"
TRACE: Final = "failure.txt"
_GO_ON: Final = (PROVENANCE, CURVE, WEIGHTS, OUTPUTS, "rows.parquet", "rows.jsonl")
_SHELF: Final = "by-checksum"

LOOK_EVERY = 1.0
"""Seconds between two looks of a machine at what is new in its folder."""


@dataclass(frozen=True)
class Parcel:
    """A trial on its way to where it is carried out.

    Attributes:
        job: the trial.
        files: what it is carried out with: SHA-256 → where that lies on the machine that sends it.
        content: of the trial's folder, what it goes on from: name → bytes.
        device: where to compute: ``cpu``, ``cuda``.
        threads: CPU threads.
        limit: seconds after which it is ended; ``None`` for no limit.
        look_every: seconds between two looks at what is new.
    """

    job: Job
    files: Mapping[str, Path]
    content: Mapping[str, bytes]
    device: str
    threads: int
    limit: float | None
    look_every: float

    @property
    def devices(self) -> int:
        """How many devices it computes with at the same time: one where its weights are there."""
        return 1 if WEIGHTS in self.content else int(self.job.trial.platform.get(DEVICES, 1))


@dataclass(frozen=True)
class News:
    """What is new in the folder of a trial that is carried out elsewhere.

    Attributes:
        content: files that changed: name → bytes.
        rows: those that came.
        log: lines of its log that came, without their times.
    """

    content: Mapping[str, bytes] = field(default_factory=dict)
    rows: Sequence[Row] = ()
    log: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.content or self.rows or self.log)


@dataclass(frozen=True)
class Answer:
    """What became of a parcel.

    Attributes:
        state: ``done`` or ``failed``; ``interrupted``: it was stopped; ``raised``: something that the user has to mend;
            ``lacking``: files are not at hand there; ``elsewhere``: the machine is of another platform class.
        where: the machine.
        reason: why it failed or was stopped.
        seconds: of work.
        news: all that came of it.
        raised: what was raised, as :mod:`converse.experiments.running.apart` sends it.
        lacking: checksums of the files that are lacking.
        warnings: what the user should know.
    """

    state: Literal["done", "failed", "interrupted", "raised", "lacking", "elsewhere"]
    where: str
    reason: str = ""
    seconds: float = 0.0
    news: News = field(default_factory=News)
    raised: Any = None
    lacking: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


# To the other machine


def packed(job: Job, folder: TrialFolder, device: str, threads: int, limit: float | None = None) -> Parcel:
    """A trial with all that it goes on from.

    Args:
        job: the trial.
        folder: its folder, whose lock is held.
        device: where it will compute.
        threads: CPU threads.
        limit: seconds after which it is ended; ``None`` for no limit.

    Raises:
        StoreError: the folder cannot be read.
    """
    there = set(files.plain_names(folder.path))
    states = _states(folder.path) if RESUME in there else []
    names = [*(name for name in _GO_ON if name in there), *(f"{RESUME}/{path.name}" for path in states)]
    found = {name: files.content(folder.path / name) for name in names}
    content = {name: data for name, data in found.items() if data is not None}
    return Parcel(job, needed(job), content, device, threads, limit, LOOK_EVERY)


def needed(job: Job) -> dict[str, Path]:
    """The files that a trial is carried out with: SHA-256 → where it lies here."""
    found = {image.sha256: image.path for image in _images(job)}
    if job.weights is not None and job.trial.weights is not None:
        found[job.trial.weights] = job.weights
    if (operator := _operator(job)) is not None and job.trial.operator_file is not None:
        found[job.trial.operator_file] = operator
    for metric in job.metrics:
        if metric.backbone is not None:
            found[_digest(metric.backbone)] = metric.backbone
    return found


def at_hand(wanted: Mapping[str, Path], job: Job, fetch: Callable[[str], bytes | None]) -> dict[str, Path]:
    """Find the files of a trial on this machine, each by its checksum, or have them sent.

    A file is looked for where the sender has it, in this machine's cache of the catalogue, then among those that were
    sent before. What is sent is kept there, for all processes of the machine.

    Args:
        wanted: what :func:`needed` gave on the other machine.
        job: whose files they are.
        fetch: gives the content of a file that is not here, by its checksum; ``None`` where it has not come along.

    Returns:
        SHA-256 → where it lies here; what could not be had is not among them.

    Raises:
        StoreError: what was sent cannot be written.
    """
    sets = {image.sha256: images.name for images in _sets(job) for image in images.images}
    found = {}
    for sha256, path in wanted.items():
        shelf = cache_folder() / _SHELF / f"{sha256}{path.suffix}"
        cached = [cache_folder() / sets[sha256] / path.name] if sha256 in sets else []
        places = (path, *cached, shelf)
        here = next((place for place in places if place.is_file() and _digest(place) == sha256), None)
        if here is None and (data := fetch(sha256)) is not None:
            with files.explained(shelf, "write"):
                files.make_folder(shelf.parent)
            files.write_bytes(shelf, data)
            here = shelf
        if here is not None:
            found[sha256] = here
    return found


def moved(job: Job, places: Mapping[str, Path]) -> Job:
    """The same trial with its files where they lie on this machine.

    Args:
        job: the trial.
        places: what :func:`at_hand` found.
    """

    def images_of(images: ImageSet) -> ImageSet:
        return dataclasses.replace(images, images=tuple(_at(image, places) for image in images.images))

    plan, code = job.plan, job.trial.operator_file
    if _operator(job) is not None and code is not None:
        name = str(plan.operator).rpartition(":")[2]
        plan = dataclasses.replace(plan, operator=f"{places[code]}:{name}")
    return dataclasses.replace(
        job,
        plan=plan,
        train=tuple(map(images_of, job.train)),
        test=tuple(map(images_of, job.test)),
        validation=None if job.validation is None else images_of(job.validation),
        weights=None if job.weights is None else places[str(job.trial.weights)],
        metrics=tuple(
            one if one.backbone is None else one.with_backbone(places[_digest(one.backbone)]) for one in job.metrics
        ),
    )


def unpacked(parcel: Parcel, folder: TrialFolder) -> None:
    """Lay what a trial goes on from into its folder on this machine.

    Raises:
        StoreError: it cannot be written.
    """
    for name, data in parcel.content.items():
        path = folder.path / name
        with files.explained(path, "write"):
            files.make_folder(path.parent)
        files.write_bytes(path, data)


# Back to the store


class Outbox:
    """What is new in a trial's folder: since the last letter, and, for the answer, since it was unpacked.

    A letter may be lost, or come after the answer; so the answer has all.

    Args:
        folder: of the trial, on the machine that carries it out.
    """

    def __init__(self, folder: TrialFolder) -> None:
        self._folder = folder
        self._began = {path: _stamp(path) for path in self._paths()}
        self._seen = dict(self._began)
        self._had = {row_key(row) for row in folder.table().to_pylist()}
        self._told = set(self._had)

    def letter(self) -> News:
        """What came since the last letter; files are whole at any time, for each is replaced in one step."""
        rows = self._rows_beside(self._told)
        self._told |= {row_key(row) for row in rows}
        return News(self._content_beside(self._seen), rows)

    def whole(self) -> News:
        """All that came, and the lines of the log."""
        lines = (files.content(self._folder.path / "log.txt") or b"").decode(errors="replace").splitlines()
        log = tuple(line.partition(" ")[2] for line in lines)
        return News(self._content_beside(dict(self._began)), self._rows_beside(self._had), log)

    def _content_beside(self, seen: dict[Path, tuple[int, int] | None]) -> dict[str, bytes]:
        content = {}
        for path in self._paths():
            stamp = _stamp(path)
            if stamp is not None and seen.get(path) != stamp and (data := files.content(path)) is not None:
                seen[path] = stamp
                content[path.relative_to(self._folder.path).as_posix()] = data
        return content

    def _rows_beside(self, known: set[Any]) -> list[Row]:
        return [row for row in self._folder.table().to_pylist() if row_key(row) not in known]

    def changed(self) -> bool:
        """Whether a training state, the weights or rows came: a cheap look."""
        looked = [*_states(self._folder.path), self._folder.path / WEIGHTS, self._folder.path / "rows.jsonl"]
        return any(_stamp(path) not in (None, self._seen.get(path)) for path in looked)

    def _paths(self) -> list[Path]:
        kept = sorted(output_files(self._folder.path))  # before the list that names them
        # The weights before the curve, which then ends with them: a training may go on in another process meanwhile.
        named = [self._folder.path / name for name in (*kept, OUTPUTS, PROVENANCE, WEIGHTS, CURVE, TRACE)]
        return [*named, *_states(self._folder.path)]


def taken(news: News, folder: TrialFolder, where: str) -> None:
    """Write what is new into the store.

    Args:
        news: from the machine that carries the trial out.
        folder: of the trial, in the store; its lock is held.
        where: that machine, for the log.

    Raises:
        StoreError: it could not be written, or the lock was lost.
    """
    _log(news, folder, where)
    for name, data in _contents(news, folder).items():
        folder.write_bytes(name, data)
    # Killed in between, it goes on from an older state and drops points of the curve; those of a newer one would lack.
    for name, data in news.content.items():
        if name.startswith(f"{RESUME}/"):
            Checkpoints(folder).keep(name.removeprefix(f"{RESUME}/"), data)
    _clear_outputs(news, folder)
    if news.rows:
        folder.append_rows(news.rows)


def concluded(answer: Answer, folder: TrialFolder) -> None:
    """Write what became of a trial, with all that is new.

    Args:
        answer: whatever is neither ``done`` nor ``failed`` was interrupted.
        folder: as of :func:`taken`; its status is ``running``, unless the trial is done.

    Raises:
        StoreError: it could not be written, or the lock was lost.
    """
    news = answer.news
    # Seconds are those of that machine, for here the trial also waited.
    if answer.state != "done":
        taken(news, folder, answer.where)
        if answer.state == "failed":
            trace = news.content.get(TRACE, b"").decode(errors="replace")
            folder.write_failure(answer.reason, trace, answer.seconds)
        else:
            folder.set_status("interrupted", answer.reason, answer.seconds)
        return
    _log(news, folder, answer.where)
    folder.finish(unmeasured, answer.seconds, fresh=news.rows, contents=_contents(news, folder))
    _clear_outputs(news, folder)
    Checkpoints(folder).clear()


def _log(news: News, folder: TrialFolder, where: str) -> None:
    if news.log:
        folder.log(*(f"on {where}: {line}" for line in news.log))


def _contents(news: News, folder: TrialFolder) -> dict[str, bytes]:
    """What is new of files that are replaced: without training states, and a failure is written with its reason."""
    contents = {
        name: data for name, data in news.content.items() if name != TRACE and not name.startswith(f"{RESUME}/")
    }
    if PROVENANCE in contents:
        command = [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else []
        contents[PROVENANCE] = files.json_bytes({**json.loads(contents[PROVENANCE]), "command": command})
    if any(name.startswith(f"{FOLDER}/") for name in contents):
        folder.make_folder(FOLDER)
    # The weights last: once they are there, nothing is trained, and no point of the curve comes any more.
    return dict(sorted(contents.items(), key=lambda one: one[0] == WEIGHTS))


def _clear_outputs(news: News, folder: TrialFolder) -> None:
    """Remove windows that gave way to whole images."""
    if OUTPUTS in news.content:
        for name in output_files(folder.path) - {one.file for one in Outputs(folder).kept().values()}:
            folder.remove(name)


class Pace:
    """Says when it is time again.

    Args:
        every: seconds.
    """

    def __init__(self, every: float) -> None:
        self._every, self._next = every, time.monotonic()

    def due(self) -> bool:
        """Whether so many seconds have passed since it last said so."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + self._every
        return True


_digests: dict[tuple[Path, int, int], str] = {}


def _digest(path: Path) -> str:
    """SHA-256 of a file, which this process reads once for as long as its size and time stay."""
    stamp = path.stat()
    known = (path, stamp.st_mtime_ns, stamp.st_size)
    if known not in _digests:
        _digests[known] = sha256_of(path)
    return _digests[known]


def _images(job: Job) -> Iterable[ImageFile]:
    return (image for images in _sets(job) for image in images.images)


def _sets(job: Job) -> tuple[ImageSet, ...]:
    return (*job.train, *job.test, *([job.validation] if job.validation else ()))


def _operator(job: Job) -> Path | None:
    """The file of a user's operator that is named by its path; modules have to be installed on each machine."""
    named = job.plan.operator or ""
    return operator_file(named) if ".py:" in named else None


def _at(image: ImageFile, places: Mapping[str, Path]) -> ImageFile:
    return dataclasses.replace(image, path=places[image.sha256])


def _states(folder: Path) -> list[Path]:
    return sorted((folder / RESUME).glob("step-*.safetensors"))


def _stamp(path: Path) -> tuple[int, int] | None:
    with contextlib.suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size
    return None
