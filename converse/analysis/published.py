"""The paper's numbers, from ``reports/published.toml``, each with how far it can be trusted."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, cast

from converse.content import content
from converse.errors import DataError, unknown
from converse.metrics import PARAMETERS

Trust = Literal["primary", "secondary"]


@dataclass(frozen=True)
class Number:
    """One published number.

    Attributes:
        value: dB, or a count of parameters.
        trust: ``primary`` is read off the authors' own table, ``secondary`` is quoted by a third party.
        where: table, row and column in the file.
    """

    value: float
    trust: Trust
    where: str


@dataclass(frozen=True)
class Table:
    """One published table.

    Attributes:
        name: dotted, as in the file: ``deblurring.BSD100``, ``ablation.padding``.
        trust: of all its numbers.
        columns: their names, in the paper's order.
        rows: row name → one number per column, in the paper's order.
    """

    name: str
    trust: Trust
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float, ...]]

    def number(self, row: str, column: str) -> Number | None:
        """The number of that row and column, ``None`` where the table has none."""
        if row not in self.rows or column not in self.columns:
            return None
        value = self.rows[row][self.columns.index(column)]
        return Number(value, self.trust, f"{self.name}.{row}.{column}")


@dataclass(frozen=True)
class Cell:
    """One cell of a task's main table."""

    task: str
    entry: str
    dataset: str
    case: str | None
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

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have a main table, in the paper's order."""
        names = (name.partition(".")[0] for name in self.tables)
        return tuple(dict.fromkeys(name for name in names if name != "ablation"))

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
    columns = body.get("columns")
    if not isinstance(columns, list) or not columns or not all(isinstance(column, str) for column in columns):
        raise DataError(f"{path}: [{name}] columns: expected a list of names, got {columns!r}")
    if len(set(columns)) != len(columns):
        raise DataError(f"{path}: [{name}] columns: a name stands there twice: {', '.join(columns)}")
    rows = {}
    for key, values in body.items():
        if key in ("trust", "columns"):
            continue
        if not isinstance(values, list) or len(values) != len(columns):
            expected = f"{len(columns)} numbers, one for each of {', '.join(columns)}"
            raise DataError(f"{path}: [{name}] {key!r}: expected {expected}, got {values!r}")
        rows[key] = tuple(_number(path, name, key, value) for value in values)
    return Table(name, trust, tuple(columns), rows)


def _trust(path: Path, name: str, body: Mapping[str, Any]) -> Trust:
    trust = body.get("trust")
    if trust not in ("primary", "secondary"):
        raise DataError(f'{path}: [{name}] trust: expected "primary" or "secondary", got {trust!r}')
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
