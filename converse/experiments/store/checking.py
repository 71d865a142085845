"""Find and repair damage in a trial, a run of speed or a store: everything is read and compared with its checksum."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from converse.counted import agreeing, counted
from converse.errors import ConverseError, StoreError
from converse.experiments.store import Store, digests, files, rows
from converse.experiments.store.digests import DIGESTS, GROWING, OUTPUTS, REPLACED
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.outputs import FOLDER as OUTPUT_FOLDER
from converse.experiments.store.outputs import Outputs, output_files
from converse.experiments.store.plain import NotPlain, walk
from converse.experiments.store.requests import note_files, read_note
from converse.experiments.store.speed_rows import SpeedFolder

WEIGHTS: Final = "checkpoint.safetensors"
RESUME: Final = "resume"
OF_REPORTS: Final = "restored"
"""Images that reports of versions up to 0.1 left in a trial's folder."""

Weights = Callable[[Path, str | None], None]
"""Reads a file of weights; the second argument is the trial whose final weights it should have. Raises an error."""


@dataclass(frozen=True)
class Fault:
    """One thing that is not as it was written.

    Attributes:
        place: the file or folder, from the store's on.
        what: what is wrong, one sentence.
        mended: what was done about it; empty where nothing was, or could be.
        kind: ``damaged``; ``strange``: no plain file; ``undigested``: without a digest; ``leftover``; ``unborne``: a
            state that the files do not bear out.
    """

    place: str
    what: str
    mended: str = ""
    kind: Literal["damaged", "strange", "undigested", "leftover", "unborne"] = "damaged"


def trial_faults(folder: TrialFolder, weights: Weights) -> list[Fault]:
    """All that is wrong in a trial's folder, which is only read.

    Args:
        folder: of the trial.
        weights: tells whether a file of weights is whole, where no digest does.

    Returns:
        One per fault; a trial that a living process works on has none but its unreadable files.
    """
    return list(_trial_faults(folder, weights))


def _trial_faults(folder: TrialFolder, weights: Weights) -> Iterator[Fault]:
    strange = list(_strange(folder.path))
    yield from strange
    if strange:
        return  # nothing else of it is read
    try:
        known = digests.read(folder.path)
        if known is None:
            yield Fault(
                DIGESTS, "is missing: a version up to 0.1 wrote the trial; --repair writes it", kind="undigested"
            )
    except StoreError as error:
        known = None
        yield Fault(DIGESTS, _said(error, folder.path / DIGESTS), kind="damaged")
    busy = folder.owner() is not None
    wrong: set[str] = set()
    for name in (*REPLACED, *GROWING):
        if busy and name in GROWING:
            continue
        if (found := _file_fault(folder, name, known, weights)) is not None:
            wrong.add(name)
            yield Fault(name, found)
        elif known is not None and not busy and name in _undigested(folder, known):
            yield Fault(name, "has no digest", kind="undigested")
    if not wrong & {"trial.json", "status.json", "rows.parquet"} and not busy:
        status = folder.status()
        if status.state == "interrupted" and folder.written_status().state == "done":
            yield Fault("status.json", "says done, but the rows are missing", kind="unborne")
        if status.state == "done" and (folder.path / RESUME).is_dir() and any((folder.path / RESUME).iterdir()):
            yield Fault(RESUME, "is a leftover: the trial is done", kind="leftover")
    if (folder.path / OF_REPORTS).is_dir():
        yield Fault(OF_REPORTS, "is a leftover: images of a report, which keeps its own by now", kind="leftover")
    if not busy and OUTPUTS not in wrong:
        kept = {one.file: one for one in Outputs(folder).kept().values()}
        faults = {name: Outputs(folder).fault(one) for name, one in kept.items()}
        yield from (Fault(name, what) for name, what in faults.items() if what is not None)
        for name in sorted(output_files(folder.path) - kept.keys()):
            yield Fault(name, "is a leftover: no line of outputs.jsonl names it", kind="leftover")
    for path in sorted((folder.path / RESUME).glob("step-*.safetensors")):
        with _collected(path) as said:
            weights(path, None)
        yield from (Fault(f"{RESUME}/{path.name}", one) for one in said)


def _undigested(folder: TrialFolder, known: digests.Digests) -> set[str]:
    """Files that are written whole, and of which no digest is known."""
    return {name for name in REPLACED if name not in known.files and os.path.lexists(folder.path / name)}


def mend_trial(folder: TrialFolder, weights: Weights) -> list[Fault]:
    """Set aside what is damaged in a trial's folder, renew what can be, remove leftovers.

    Args:
        folder: of the trial.
        weights: as of :func:`trial_faults`.

    Returns:
        The faults that there were, each with what was done about it; and why nothing could be done, if so.
    """
    found = trial_faults(folder, weights)
    if not found:
        return []
    if any(one.kind == "strange" for one in found):  # the lock is not taken, and nothing read, while they are there
        gone = [replace(one, mended=_removed(folder.path / one.place) if one.place else "") for one in found]
        return [*gone, *(mend_trial(folder, weights) if all(one.mended for one in gone) else ())]
    try:
        with folder.lock(wait=False):
            done = tuple(folder.mended)
            found = [replace(one, mended=_mended(folder, one, done)) for one in found]
            if adopted := folder.adopt():
                said = f"digests written of {', '.join(adopted)}"
                found = [replace(one, mended=one.mended or said) if one.kind == "undigested" else one for one in found]
            status = folder.status()
            if status.state == "interrupted" and folder.written_status().state == "done":
                reason = "its rows were damaged: the next run measures them anew"
                folder.adopt_status(replace(status, reason=reason))
    except StoreError as error:
        found.append(Fault("", f"was left alone: {error}"))
    return found


def _mended(folder: TrialFolder, fault: Fault, done: tuple[str, ...]) -> str:
    """What is done about one fault, the lock being held; empty for what only a run can make anew."""
    name = fault.place
    for said in done:  # by the lock, on the way in
        if said.startswith(name):
            return said
    if name.startswith(f"{OUTPUT_FOLDER}/"):
        # They are no numbers: what is not whole goes, and a run that is to keep it makes it anew.
        for one in Outputs(folder).kept().values():
            if one.file == name:
                Outputs(folder).drop(one)
        folder.remove(name)
        return "removed: it is made anew where --keep-images asks for it"
    if fault.kind == "leftover":
        shutil.rmtree(folder.path / name, ignore_errors=True)
        return "" if (folder.path / name).exists() else "removed"
    if fault.kind == "unborne":
        return "marked as interrupted: the next run measures the rows"
    if fault.kind == "undigested" or name == "trial.json":
        return ""
    if not os.path.lexists(folder.path / name):
        folder.forget(name)
        return "is not expected any more"
    if name.endswith(".jsonl"):
        folder.forget(name)
        return "its lines are whole, and stay"
    return f"moved to {folder.set_aside(name).name}"


def _file_fault(folder: TrialFolder, name: str, known: digests.Digests | None, weights: Weights) -> str | None:
    """What is wrong with one file of a trial, by its digest, and by what reads it."""
    path = folder.path / name
    with _collected(path) as said:
        data = files.content(path)
        if known is not None and (wrong := known.fault(name, data)) is not None:
            return wrong
        if name == "trial.json":
            folder.description()
        elif data is None:
            return None
        elif name == "status.json":
            folder.written_status()
        elif name == "provenance.json":
            folder.provenance()
        elif name == "rows.parquet":
            sealed = rows.read(path)
            if sealed is not None and (other := rows.foreign(sealed, folder.id)) is not None:
                return f"has rows of the trial {other}"
        elif name == WEIGHTS and (known is None or name not in known.files):
            weights(path, folder.id)
        elif name.endswith(".jsonl") and (lines := folder.own_journal(name).damaged()):
            return f"is damaged: {'; '.join(lines[:3])}{'; …' if len(lines) > 3 else ''}"
    return said[0] if said else None


def run_faults(folder: SpeedFolder, *, repair: bool = False) -> list[Fault]:
    """All that is wrong in a run of speed.

    Args:
        folder: of the run.
        repair: set damaged rows aside.
    """
    found = list(_strange(folder.path))
    if found:
        return found
    with _collected(folder.path / "run.json") as said:
        folder.description()
        folder.request()
    found += [Fault("run.json", one) for one in said]
    with _collected(folder.path / "rows.jsonl") as said:
        said += [f"is damaged: {line}" for line in folder.journal.damaged()]
    found += [Fault("rows.jsonl", one) for one in said]
    if repair and said:
        with contextlib.suppress(StoreError), folder.lock():
            found = [replace(one, mended=folder.mended) if one.place == "rows.jsonl" else one for one in found]
    return found


def store_faults(store: Store, *, repair: bool = False) -> list[Fault]:
    """What is wrong beside trials and runs: the store's own file, notes, leftovers, what does not belong there.

    Args:
        store: any.
        repair: set damaged notes aside, remove leftovers.
    """
    return list(_store_faults(store, repair))


def _store_faults(store: Store, repair: bool) -> Iterator[Fault]:
    names = {folder.id for folder in store.folders()}
    for folder in ("trials", "speed"):
        for path in sorted((store.root / folder).glob(".*")):
            gone = "removed" if repair and _swept(path) else ""
            yield Fault(f"{folder}/{path.name}", "is a leftover of a process that was killed", gone, "leftover")
    for path in sorted((store.root / "trials").glob("[!.]*")):
        if path.name not in names:
            yield Fault(f"trials/{path.name}", "is no trial: its name is no id")
    for path in note_files(store):
        place = f"asked/{path.name}"
        with _collected(path) as said:
            missing = {trial for trial, _, _ in read_note(path).trials} - names
            if missing:
                yield Fault(
                    place,
                    f"names {counted(len(missing), 'trial')} that {agreeing(len(missing), 'is', 'are')} not here: "
                    f"{', '.join(sorted(missing)[:4])}",
                )
        for one in said:
            yield Fault(place, one, f"moved to {files.set_aside(path).name}" if repair else "")
    for entry in walk(store.root):
        relative = Path(entry.path).relative_to(store.root)
        if relative.parts[0] in ("trials", "speed"):
            continue
        if not entry.is_file(follow_symlinks=False):
            what = f"is {NotPlain.what(Path(entry.path))}, which is not followed or opened"
            yield Fault(str(relative), what, _removed(Path(entry.path)) if repair else "", "strange")


def _strange(folder: Path) -> Iterator[Fault]:
    """Links, pipes and devices in a folder, or in its place."""
    if folder.is_symlink() or not folder.is_dir():
        yield Fault("", f"is {NotPlain.what(folder)}, not a folder", kind="strange")
        return
    for entry in walk(folder):
        if not entry.is_file(follow_symlinks=False):
            what = f"is {NotPlain.what(Path(entry.path))}, which is not followed or opened"
            yield Fault(str(Path(entry.path).relative_to(folder)), what, kind="strange")


@contextlib.contextmanager
def _collected(path: Path) -> Iterator[list[str]]:
    """Errors from inside as sentences that go on after the file's name."""
    said: list[str] = []
    try:
        yield said
    except ConverseError as error:
        said.append(_said(error, path))


def _said(error: ConverseError, path: Path) -> str:
    return str(error).removeprefix(f"{path} ")


def _removed(path: Path) -> str:
    try:
        path.unlink()
    except OSError:
        return ""
    return "removed; what a link leads to was not touched"


def _swept(path: Path) -> bool:
    """Remove a leftover, unless something in it has changed a moment ago: then its writer may live."""
    with contextlib.suppress(OSError), tempfile.TemporaryDirectory(prefix=files.TEMPORARY, dir=path.parent) as fresh:
        files.sweep(path.parent, path.name, Path(fresh))
    return not os.path.lexists(path)
