"""Rows of speed and memory: one per subject and case, in one folder per run.

```text
speed/<run>/
    run.json      what was asked, and the machine that answered
    rows.jsonl    rows as they come
```
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, get_args

from converse.errors import ConverseWarning, StoreError
from converse.experiments.store import files, locks
from converse.experiments.store.command_line import CommandLine
from converse.experiments.store.files import Damaged, Journal
from converse.experiments.store.schema import SCHEMA, check_schema, check_shape
from converse.experiments.store.shapes import (
    NUMBER,
    TEXT,
    TRUTH,
    WHOLE,
    Kind,
    fault,
    list_of,
    optional,
    shown,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Pass = Literal["evaluation", "forward", "forward+backward", "step"]
"""What one call does: evaluation, in which what can be kept is kept; forward in training mode, without gradients; with
gradients of input and parameters; or a whole step of training."""
PASSES: Final[tuple[Pass, ...]] = get_args(Pass)

Dtype = Literal["float32", "bfloat16"]
"""Of a call: float32, or autocast to bfloat16."""

Trouble = Literal["out of memory", "failed"]
"""Why a subject that was measured has no time."""

SpeedStatus = Literal["ok", "skipped", Trouble]


class RunColumns(TypedDict, total=False):
    """What all rows of a run share.

    What was asked; ``cpu`` or ``cuda``, the name of the CPU or GPU, the driver of the GPU, CPU threads; torch's
    version, the commit and hash of the sources, when the run began (UTC).
    """

    run: str
    suite: str
    budget: str
    device: str
    model: str
    driver: str | None
    threads: int
    torch: str | None
    commit: str | None
    code: str | None
    time: str


class SubjectColumns(TypedDict, total=False):
    """A subject.

    Its name; ``operator``, ``network`` or ``limit``; whether this is the second copy of the case's first subject, which
    is measured to learn what difference between equal subjects the machine shows.
    """

    subject: str
    kind: str
    twin: bool


CaseColumns = TypedDict(
    "CaseColumns",
    {
        "sweep": str,
        "pass": Pass,
        "channels": int,
        "kernel_size": int | None,
        "scale": int,
        "padding": int | None,
        "batch": int,
        "height": int,
        "width": int,
        "dtype": Dtype,
        "compiled": bool,
    },
    total=False,
)
"""What the subjects of one case share: they took turns, so their times may be compared turn by turn. Height and width
are those of the input. Of a network, ``channels`` are the image's; it has no kernel size and no padding of its own."""


class MeasuredColumns(TypedDict, total=False):
    """What came of a subject in a case.

    Seconds of one call: median and quartiles over ``repeats`` turns of ``calls`` calls, and those of every turn. Peak
    memory above what was allocated before, in bytes: of the process on a CPU, of the allocator on a GPU, where
    ``reserved_bytes`` is what it had taken from the device. Learnt numbers; multiply-adds of one call in evaluation.
    The clock as the run saw it. How it went, with the reason where it did not go well.
    """

    median_s: float
    q25_s: float
    q75_s: float
    repeats: int
    calls: int
    turns_s: Sequence[float]
    peak_bytes: int | None
    reserved_bytes: int | None
    parameters: int
    multiply_adds: float | None
    clock_mhz: float | None
    status: SpeedStatus
    reason: str | None


class SpeedRow(SubjectColumns, CaseColumns, MeasuredColumns, total=False):
    """One subject in one case, and what came of it, as a run keeps it; a key that is missing is null."""


RUN_COLUMNS: Final = tuple(RunColumns.__annotations__)
SUBJECT_COLUMNS: Final = tuple(SubjectColumns.__annotations__)
CASE_COLUMNS: Final = tuple(CaseColumns.__annotations__)
"""What the subjects of one case share: the keys of :class:`CaseColumns`, in their order."""
MEASURED_COLUMNS: Final = tuple(MeasuredColumns.__annotations__)

SPEED_COLUMNS: Final = (*RUN_COLUMNS, *SUBJECT_COLUMNS, *CASE_COLUMNS, *MEASURED_COLUMNS)
"""A row of speed says in which run what was measured, in which case, and what came of it."""

SPEED_KEY: Final = (*SUBJECT_COLUMNS, *CASE_COLUMNS)
"""Within a run, two rows with the same key are the same measurement: the later one counts."""

_INTEGERS: Final = (
    *("threads", "channels", "kernel_size", "scale", "padding", "batch", "height", "width"),
    *("repeats", "calls", "peak_bytes", "reserved_bytes", "parameters"),
)
_FLOATS: Final = ("median_s", "q25_s", "q75_s", "multiply_adds", "clock_mhz")
_TRUTHS: Final = ("twin", "compiled")


_OWN_TYPES: Final[dict[str, Kind]] = (
    dict.fromkeys(SPEED_COLUMNS, optional(TEXT))
    | dict.fromkeys(_INTEGERS, optional(WHOLE))
    | dict.fromkeys(_FLOATS, optional(NUMBER))
    | dict.fromkeys(_TRUTHS, optional(TRUTH))
    | {"turns_s": optional(list_of(optional(NUMBER)))}
)
_RUN: Final = {name: kind for name, kind in _OWN_TYPES.items() if name in RUN_COLUMNS}
_ROW: Final = {name: kind for name, kind in _OWN_TYPES.items() if name not in RUN_COLUMNS}


def _row_fault(record: Mapping[str, Any]) -> str | None:
    return fault(record, _ROW)


def speed_schema() -> pa.Schema:
    """The columns with their types: text, int64, float64, truth values, and a list of float64 for ``turns_s``."""
    import pyarrow as pa

    types = dict.fromkeys(SPEED_COLUMNS, pa.string())
    types |= dict.fromkeys(_INTEGERS, pa.int64()) | dict.fromkeys(_FLOATS, pa.float64())
    types |= dict.fromkeys(_TRUTHS, pa.bool_()) | {"turns_s": pa.list_(pa.float64())}
    return pa.schema(list(types.items()))


def speed_frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame whose types do not depend on its content.

    Args:
        records: mappings with the keys of :data:`SPEED_COLUMNS`; a missing key is null.

    Returns:
        A frame with exactly :data:`SPEED_COLUMNS`; whole numbers are nullable ``Int64``, truth values ``boolean``,
        ``turns_s`` holds an array or ``None``.
    """
    import pandas as pd
    import pyarrow as pa

    columns = {name: [record.get(name) for record in records] for name in SPEED_COLUMNS}
    types = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    whole: pd.DataFrame = pa.table(columns, schema=speed_schema()).to_pandas(types_mapper=types.get)
    return whole


class SpeedFolder:
    """What is kept of one run. Whoever writes holds its :meth:`lock`; anyone may read at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = Journal(path / "rows.jsonl", fault=_row_fault)
        self.mended = ""
        """What :meth:`lock` had to mend on the way in, a sentence."""

    @property
    def id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    def description(self) -> dict[str, Any]:
        """``run.json``: the schema, :data:`RUN_COLUMNS`, what was asked for (``request``), and ``provenance``.

        Raises:
            Damaged: it is missing or torn, or something in the folder is no plain file or folder.
            StoreError: it has a newer schema or cannot be read.
        """
        files.check_plain(self.path)
        path = self.path / "run.json"
        described = files.read_sealed(path)
        if described is None:
            raise Damaged(f"{path} is missing: move {self.path} away and measure again")
        check_schema(path, described)
        check_shape(path, described, _RUN)
        if described.get("run", self.id) != self.id:
            raise Damaged(f"{path} is damaged: it is of the run {shown(described['run'])}, its folder is {self.id}")
        return described

    def request(self) -> CommandLine | None:
        """What asks for the same; ``None`` where an older version did not keep it.

        Raises:
            Damaged: ``run.json`` is missing or torn.
            StoreError: it has a newer schema or cannot be read.
        """
        plain = self.description().get("request")
        try:
            return None if plain is None else CommandLine.from_plain(plain)
        except (KeyError, TypeError, ValueError) as error:
            path = self.path / "run.json"
            raise Damaged(f"{path} is damaged: expected what was asked of converse speed, {error!r}") from error

    def rows(self) -> list[dict[str, Any]]:
        """Its rows with what they share, each measurement once, in the order of first appearance.

        Raises:
            Damaged: ``run.json`` is missing or torn.
            StoreError: it has a newer schema, or a file cannot be read.
        """
        described = self.description()
        shared = {name: described.get(name) for name in RUN_COLUMNS} | {"run": self.id}
        last = {speed_key(record): record for record in self.journal.read()}
        return [{**record, **shared} for record in last.values()]

    def add(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append rows; what was appended survives a kill.

        Args:
            records: with the keys of :data:`SPEED_COLUMNS` but those of :data:`RUN_COLUMNS`.

        Raises:
            StoreError: they could not be written; the rows are as they were.
        """
        self.journal.append(records)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run, so that no other process measures it; damaged rows are set aside, with a warning.

        Raises:
            Busy: another process does.
        """
        with locks.held(self.path) as hold:
            self.journal = Journal(self.journal.path, fault=_row_fault, fence=hold)
            try:
                if hold.overtook:
                    files.renew(self.path, [self.journal.path.name], hold)
                self.mended = self.journal.repair() or ""
                if self.mended:
                    warnings.warn(f"{self.path}: {self.mended}; they are measured again", ConverseWarning, stacklevel=3)
                yield
            finally:
                self.journal = Journal(self.journal.path, fault=_row_fault)


def case_key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The case that a row is of: :data:`CASE_COLUMNS`."""
    return tuple(record.get(name) for name in CASE_COLUMNS)


def case_label(record: Mapping[str, Any]) -> str:
    """The case that a row is of, in a few letters: ``1×64×256×256 k=5 s=2 bfloat16 compiled``."""
    parts = ["×".join(str(record[name]) for name in ("batch", "channels", "height", "width"))]
    parts += [f"k={record['kernel_size']}"] if record["kernel_size"] is not None else []
    parts += [f"s={record['scale']}"] if record["scale"] > 1 else []
    parts += [record["dtype"]] if record["dtype"] != "float32" else []
    return " ".join([*parts, "compiled"] if record["compiled"] else parts)


def speed_key(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a row the same measurement as another of its run: :data:`SPEED_KEY`."""
    return tuple(record.get(name) for name in SPEED_KEY)


class SpeedShelf:
    """All runs of speed in one store.

    Args:
        root: the folder ``speed`` of the store.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def runs(self) -> list[str]:
        """The ids of all runs, damaged ones too, sorted.

        Raises:
            StoreError: the folder cannot be read.
        """
        return [path.name for path in files.plain_files(self.root, "") if path.is_dir()]

    def folders(self, unreadable: list[str] | None = None) -> list[SpeedFolder]:
        """The folders of all runs, oldest first.

        Args:
            unreadable: where given, a run that is damaged, has a newer schema or cannot be read is left out, and the
                reason appended here.

        Raises:
            StoreError: there is such a run, and no such list.
        """
        runs = [(SpeedFolder(self.root / run), run) for run in self.runs()]
        times = []
        for folder, run in runs:
            try:
                times.append((str(folder.description().get("time")), run, folder))
            except StoreError as error:
                if unreadable is None:
                    raise
                unreadable.append(str(error))
        return [folder for _, _, folder in sorted(times, key=lambda entry: entry[:2])]

    def folder(self, run: str, description: Mapping[str, Any]) -> SpeedFolder:
        """The folder of a run, made if need be, in one step.

        Args:
            run: its id.
            description: :data:`RUN_COLUMNS` and more, JSON-able; an existing one stays.

        Raises:
            StoreError: it cannot be written.
        """
        path = self.root / run
        if not path.is_dir():
            files.make_whole(path, {"run.json": files.sealed_bytes({"schema": SCHEMA, **description, "run": run})})
        return SpeedFolder(path)

    def rows(self, runs: Iterable[str] | None = None, unreadable: list[str] | None = None) -> pd.DataFrame:
        """The rows of many runs, one below the other.

        Args:
            runs: whose; ``None`` for all, oldest first.
            unreadable: as of :meth:`folders`, of all runs.

        Returns:
            A frame with exactly :data:`SPEED_COLUMNS`.

        Raises:
            StoreError: a run is missing or damaged.
        """
        chosen = self.folders(unreadable) if runs is None else [SpeedFolder(self.root / run) for run in runs]
        return speed_frame([row for folder in chosen for row in folder.rows()])
