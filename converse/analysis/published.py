"""The paper's numbers, from ``reports/published.toml``, each with how far it can be trusted."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from converse.content import content
from converse.errors import DataError, unknown
from converse.metrics import PARAMETERS

Trust = Literal["primary", "secondary", "superseded"]

_DRAFT: Final = "_draft"
"""Behind the name of a task: its main table as the authors had it before."""

_PER_IMAGE: Final = "per_image"
_ABLATION: Final = "ablation"


@dataclass(frozen=True)
class Number:
    """One published number.

    Attributes:
        value: dB, or a count of parameters.
        trust: ``primary`` is read off the authors' own table or log, ``secondary`` is quoted by a third party,
            ``superseded`` is read off a table that the authors have replaced.
        where: table, row and column in the file.
    """

    value: float
    trust: Trust
    where: str


PublishedValue = Callable[[str, str, str | None], Number | None]
"""Entry, title of the dataset, case → the published mean PSNR in dB, ``None`` where there is none."""


@dataclass(frozen=True)
class Table:
    """One published table.

    Attributes:
        name: dotted, as in the file: ``deblurring.BSD100``, ``ablation.padding``.
        trust: of all its numbers.
        columns: their names, in the paper's order.
        rows: row name → one number per column, in the paper's order; NaN where the source has none.
        known_as: what the source calls the columns, where that is something else.
        blind: its rows that are of networks which are not given the blur kernel, as the others are.
    """

    name: str
    trust: Trust
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]
    known_as: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()

    def number(self, row: str, column: str) -> Number | None:
        """The number of that row and column, ``None`` where the table has none."""
        if row not in self.rows or column not in self.columns:
            return None
        value = self.rows[row][self.columns.index(column)]
        return None if math.isnan(value) else Number(value, self.trust, f"{self.name}.{row}.{column}")


@dataclass(frozen=True)
class Cell:
    """One cell of a task's main table."""

    task: str
    entry: str
    dataset: str
    case: str | None
    number: Number


@dataclass(frozen=True)
class ImageNumber:
    """The PSNR of one image in a log of the authors.

    Attributes:
        task: ``deblurring``.
        entry: name of the network.
        dataset: title of the test set.
        case: the blur kernel.
        image: name of the file in the catalogue.
        known_as: what the log calls it.
        number: dB.
    """

    task: str
    entry: str
    dataset: str
    case: str
    image: str
    known_as: str
    number: Number


@dataclass(frozen=True)
class Disagreement:
    """A difference between paper and released weights whose cause is known.

    Attributes:
        entry: name of the network.
        metric: ``parameters`` so far.
        published: what the paper says.
        measured: what the released weights give.
        reason: why.
    """

    entry: str
    metric: str
    published: float
    measured: float
    reason: str


@dataclass(frozen=True)
class NetworkNote:
    """What is known of how the authors built a network, and how suites build it.

    Attributes:
        entry: name of the network.
        basis: ``read`` in the authors' code, ``measured`` from the released weights, or ``inferred``.
        known: what is known.
        here: how suites build it.
    """

    entry: str
    basis: str
    known: str
    here: str


@dataclass(frozen=True)
class Published:
    """All that the paper publishes.

    Attributes:
        tables: by dotted name.
        counts: entry → number of parameters, of the authors' model list.
        disagreements: differences whose cause is known.
        networks: what is known of how networks are built.
    """

    tables: Mapping[str, Table]
    counts: Mapping[str, Number]
    disagreements: tuple[Disagreement, ...]
    networks: tuple[NetworkNote, ...] = ()

    def blind(self, task: str, entry: str) -> bool:
        """Whether a network is not given the blur kernel that others of its task are given."""
        kinds = (task, f"{task}{_DRAFT}")
        return any(entry in table.blind for name, table in self.tables.items() if name.partition(".")[0] in kinds)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have a main table, in the paper's order."""
        names = (name.partition(".")[0] for name in self.tables)
        apart = (_ABLATION, _PER_IMAGE)
        return tuple(dict.fromkeys(name for name in names if name not in apart and not name.endswith(_DRAFT)))

    @property
    def earlier(self) -> Published:
        """What the authors published in the place of the main tables before: those tables, and nothing else."""
        drafts = [table for table in self.tables.values() if table.trust == "superseded"]
        renamed = [replace(table, name=table.name.replace(_DRAFT, "", 1)) for table in drafts]
        return Published({table.name: table for table in renamed}, {}, ())

    @property
    def images(self) -> tuple[ImageNumber, ...]:
        """The numbers of single images, network by network."""
        return tuple(self._images())

    def table(self, name: str) -> Table:
        """The table of that dotted name.

        Raises:
            DataError: there is none; the message has the nearest one.
        """
        if name not in self.tables:
            raise DataError(unknown("published table", name, self.tables))
        return self.tables[name]

    def entries(self, task: str) -> tuple[str, ...]:
        """The networks of a task's main table, in the paper's order."""
        return tuple(dict.fromkeys(cell.entry for cell in self.cells(task)))

    def datasets(self, task: str) -> tuple[str, ...]:
        """The titles of the test sets of a task's main table, in the paper's order."""
        return tuple(dict.fromkeys(cell.dataset for cell in self.cells(task)))

    def cells(self, task: str) -> list[Cell]:
        """All cells of a task's main table, row by row; parameter counts are not among them."""
        return list(self._cells(task))

    def number(self, task: str, entry: str, dataset: str, case: str | None = None) -> Number | None:
        """The published mean PSNR in dB.

        Args:
            task: ``denoising`` …
            entry: name of the network.
            dataset: title of the test set, ``Set12``.
            case: the blur kernel where the task has one.

        Returns:
            The number, or ``None`` where the paper has none.
        """
        if dataset == PARAMETERS:
            return None
        if case is None:
            table = self.tables.get(task)
            return table.number(entry, dataset) if table else None
        table = self.tables.get(f"{task}.{dataset}")
        return table.number(entry, case) if table else None

    def unchanged(self, task: str, entry: str) -> bool:
        """Whether the main table has the numbers of :attr:`earlier` for a network, on the test sets of both."""
        earlier = self.earlier
        before = {(one.dataset, one.case): one.number.value for one in earlier.cells(task) if one.entry == entry}
        now = {(one.dataset, one.case): one.number.value for one in self.cells(task) if one.entry == entry}
        shared = before.keys() & now.keys()
        return bool(shared) and all(before[place] == now[place] for place in shared)

    def parameters(self, entry: str) -> Number | None:
        """The published number of parameters: of the authors' model list, or else of a main table."""
        if entry in self.counts:
            return self.counts[entry]
        found = (table.number(entry, PARAMETERS) for table in self.tables.values())
        return next((number for number in found if number), None)

    def explanation(self, entry: str, metric: str, measured: float) -> str | None:
        """Why this value of released weights is known to differ from the paper; ``None`` where that is not known."""
        for known in self.disagreements:
            if (known.entry, known.metric, known.measured) == (entry, metric, measured):
                return known.reason
        return None

    def _images(self) -> Iterator[ImageNumber]:
        for table in self.tables.values():
            kind, *place = table.name.split(".")
            if kind == _PER_IMAGE:
                task, dataset, case = place
                for entry in table.rows:
                    for column, name in zip(table.columns, table.known_as or table.columns, strict=True):
                        if number := table.number(entry, column):
                            yield ImageNumber(task, entry, dataset, case, column, name, number)

    def _cells(self, task: str) -> Iterator[Cell]:
        for table in self.tables.values():
            name, _, dataset = table.name.partition(".")
            if name != task:
                continue
            for entry in table.rows:
                for column in table.columns:
                    number = table.number(entry, column)
                    if number and column != PARAMETERS:
                        yield Cell(task, entry, dataset or column, column if dataset else None, number)


@lru_cache(maxsize=4)
def published(folder: Path | None = None) -> Published:
    """Read ``published.toml`` and ``known_disagreements.toml``.

    Args:
        folder: where they lie; ``None`` for the content folder ``reports``.

    Returns:
        All that the paper publishes.

    Raises:
        DataError: a file is missing or says something it may not say; the message names file, table and key.
    """
    folder = content("reports") if folder is None else folder
    path = folder / "published.toml"
    tables: dict[str, Table] = {}
    counts: dict[str, Number] = {}
    for name, body in _tables(_read(path), ()):
        if name == PARAMETERS:
            trust = _trust(path, name, body)
            counts = {
                key: Number(_number(path, name, key, value), trust, f"{name}.{key}")
                for key, value in body.items()
                if key != "trust"
            }
        else:
            tables[name] = _table(path, name, body)
    return Published(tables, counts, *_known(folder / "known_disagreements.toml"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: reinstall converse") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _tables(body: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The innermost tables, which are those that say their trust, by dotted name."""
    if "trust" in body or not all(isinstance(value, dict) for value in body.values()):
        yield ".".join(above), dict(body)
        return
    for key, value in body.items():
        yield from _tables(value, (*above, key))


def _table(path: Path, name: str, body: dict[str, Any]) -> Table:
    trust = _trust(path, name, body)
    kind, *place = name.split(".")
    if (trust == "superseded") != kind.endswith(_DRAFT):
        raise DataError(f'{path}: [{name}] trust: tables TASK{_DRAFT}, and no others, are "superseded", got {trust!r}')
    if kind == _PER_IMAGE and len(place) != 3:
        raise DataError(f"{path}: [{name}] must be called [{_PER_IMAGE}.TASK.DATASET.CASE]")
    columns = _names(path, name, "columns", body.get("columns"))
    known_as = _names(path, name, "known_as", body["known_as"]) if "known_as" in body else ()
    if known_as and len(known_as) != len(columns):
        raise DataError(f"{path}: [{name}] known_as: expected {len(columns)} names, got {len(known_as)}")
    rows = {}
    for key, values in body.items():
        if key in ("trust", "columns", "known_as", "blind"):
            continue
        if not isinstance(values, list) or len(values) != len(columns):
            expected = f"{len(columns)} numbers, one for each of {', '.join(columns)}"
            raise DataError(f"{path}: [{name}] {key!r}: expected {expected}, got {values!r}")
        rows[key] = tuple(_number(path, name, key, value) for value in values)
    blind = _names(path, name, "blind", body["blind"]) if "blind" in body else ()
    if strange := [entry for entry in blind if entry not in rows]:
        raise DataError(f"{path}: [{name}] blind: expected names of its rows, got {strange[0]!r}")
    return Table(name, trust, columns, rows, known_as, blind)


def _names(path: Path, name: str, key: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise DataError(f"{path}: [{name}] {key}: expected a list of names, got {value!r}")
    if len(set(value)) != len(value):
        raise DataError(f"{path}: [{name}] {key}: a name stands there twice: {', '.join(value)}")
    return tuple(value)


def _trust(path: Path, name: str, body: Mapping[str, Any]) -> Trust:
    trust = body.get("trust")
    if trust not in get_args(Trust):
        allowed = " or ".join(f'"{word}"' for word in get_args(Trust))
        raise DataError(f"{path}: [{name}] trust: expected {allowed}, got {trust!r}")
    return cast("Trust", trust)


def _number(path: Path, name: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DataError(f"{path}: [{name}] {key!r}: expected a number, got {value!r}")
    return float(value)


def _known(path: Path) -> tuple[tuple[Disagreement, ...], tuple[NetworkNote, ...]]:
    document = _read(path)
    counts = _entries(path, document, PARAMETERS, {"entry": str, "published": int, "measured": int, "reason": str})
    notes = _entries(path, document, "networks", dict.fromkeys(("entry", "basis", "known", "here"), str))
    for index, note in enumerate(notes, start=1):
        if note["basis"] not in (bases := ("read", "measured", "inferred")):
            raise DataError(f"{path}: [[networks]] {index}: {unknown('basis', note['basis'], bases)}")
    return tuple(Disagreement(metric=PARAMETERS, **one) for one in counts), tuple(NetworkNote(**one) for one in notes)


def _entries(path: Path, document: Mapping[str, Any], name: str, known: Mapping[str, type]) -> list[dict[str, Any]]:
    """The tables ``[[name]]``, each with these keys and no other."""
    found: list[dict[str, Any]] = document.get(name, [])
    for index, body in enumerate(found, start=1):
        for key, kind in known.items():
            if not isinstance(body.get(key), kind):
                expected = "text" if kind is str else "a count"
                raise DataError(f"{path}: [[{name}]] {index}: {key}: expected {expected}, got {body.get(key)!r}")
        if strange := [key for key in body if key not in known]:
            raise DataError(f"{path}: [[{name}]] {index}: {unknown('key', strange[0], known)}")
    return found
