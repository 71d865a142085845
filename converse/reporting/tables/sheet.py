"""What a table of a report says, whoever shows it: the terminal, HTML, LaTeX, CSV and Markdown all show sheets.

A number that was published, one that the released weights give and one of a training done here are three things. They
never stand in one sheet as if they were one: a sheet says in ``source`` whose measured numbers it has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from converse.analysis.gate.findings import OUTCOMES
from converse.analysis.published import Trust
from converse.metrics import METRICS, PARAMETERS
from converse.reporting.inputs.evidence import Evidence

if TYPE_CHECKING:
    from converse.analysis.told_apart import Against

Kind = Literal["paper", "effects", "values", "speed", "audit", "gate"]
Source = Literal["released", "trained", "published", ""]

VERDICTS: Final = ("match", "close", "differs", "not measured")
"""Words about a measured value and the published one (:mod:`converse.analysis.verdicts`)."""

DIFFERENCE_VERDICTS: Final = ("reproduced", "consistent", "same direction", "contradicted", "undecided", "not run")
"""Words about a measured difference and the published one (:mod:`converse.analysis.differences`)."""

HERE_VERDICTS: Final = ("better here", "worse here", "equal here", "undecided here")
"""Words about a measured difference of trainings that may not judge the published one
(:mod:`converse.analysis.qualification`)."""

ALL_VERDICTS: Final = tuple(dict.fromkeys((*VERDICTS, *DIFFERENCE_VERDICTS, *HERE_VERDICTS, *OUTCOMES)))
"""All of them and the outcomes of the gate's findings, in the order of legends."""


MULTIPLY_ADDS: Final = "multiply_adds"
"""Key of the column with multiply-adds per pixel of the output, the first to go where a page is narrow."""


CHANCE: Final = "noise floor"
"""The mark of a difference between networks that are the same class of functions."""

LIMIT: Final = "limit"
"""Mark of a row that others are held against and that is not one of them: it is neither best nor second."""


INPUT: Final = "input"
"""Mark of the row with what networks are given: they have to be above it, and it is neither best nor second."""

BLIND: Final = "blind"
"""Mark of a network that is not given the blur kernel: it is not ranked among those that are."""


@dataclass(frozen=True)
class Infinite:
    """Images whose value is infinite, such as the PSNR of an image that is restored without any error.

    Attributes:
        images: how many.
        of: how many have a value.
    """

    images: int
    of: int

    @property
    def some(self) -> bool:
        """Whether there are others, whose mean stands in the cell; else the mean is infinite itself."""
        return self.images < self.of


@dataclass(frozen=True)
class Measure:
    """Another metric of the same cell: SSIM beside PSNR.

    Attributes:
        title: of the metric.
        measured: mean.
        deviation: over seeds.
        digits: behind the point.
        evidence: what it rests on.
        infinite: images that the mean leaves out.
    """

    title: str
    measured: float | None
    deviation: float | None
    digits: int
    evidence: Evidence | None = None
    infinite: Infinite | None = None


@dataclass(frozen=True)
class Cell:
    """One cell. What does not apply is ``None``; a cell of which all is ``None`` is empty.

    Attributes:
        measured: the number, in the unit of its head; may be infinite.
        deviation: sample standard deviation over seeds.
        low: lower end of the interval of a difference.
        high: its upper end.
        published: what the paper has, in the same unit.
        trust: whether it is read off the authors' own table, quoted by a third party, or replaced by its authors.
        difference: measured − published.
        verdict: one of :data:`ALL_VERDICTS`.
        reason: why there is no number or no verdict, or what else must be known.
        text: in the place of a number.
        facts: what else is known, as pairs of name and value.
        more: other metrics.
        evidence: what it rests on.
        command: that measures it (again).
        infinite: images that the mean leaves out; ``None`` where there are none.
        part: of how many of the images of its test set a mean is, where not of all: ``5 of 100 images``.
        against: how the value stands to the base entry's, where chance does not explain the difference (p ≤ 0.05,
            adjusted by Holm over the table of differences).
    """

    measured: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    published: float | None = None
    trust: Trust | None = None
    difference: float | None = None
    verdict: str | None = None
    reason: str | None = None
    text: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    more: tuple[Measure, ...] = ()
    evidence: Evidence | None = None
    command: str | None = None
    infinite: Infinite | None = None
    part: str | None = None
    against: Against | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return self == EMPTY


EMPTY: Final = Cell()


def infinite(record: Mapping[str, Any]) -> Infinite | None:
    """What a result row says of images whose value is infinite."""
    return Infinite(record["infinite"], record["images"]) if record.get("infinite") else None


Picture = tuple[tuple[float, ...], ...]
"""Rows of grey values in [0, 1], of which 1 is white."""


@dataclass(frozen=True)
class Head:
    """The head of a column.

    Attributes:
        key: stable, for CSV and sorting: ``Set12``, ``kernel_1``, ``parameters``.
        title: as it is shown.
        group: what stands above it and its neighbours; empty where nothing does.
        unit: ``dB`` …; empty for counts and words.
        digits: of measured numbers, behind the point.
        published_digits: of published numbers.
        better: whether larger or smaller is better; empty where neither is.
        signed: whether numbers are differences, shown with their sign.
        words: whether its cells are words, which stand on the left.
        significant: so many digits of a measured number are seen, however small it is; 0 where ``digits`` says all.
        picture: of what the column is about, such as a blur kernel; empty where there is none.
    """

    key: str
    title: str
    group: str = ""
    unit: str = ""
    digits: int = 2
    published_digits: int = 2
    better: Literal["higher", "lower", ""] = ""
    signed: bool = False
    words: bool = False
    significant: int = 0
    picture: Picture = ()


PARAMETERS_HEAD: Final = Head(PARAMETERS, "Parameters", digits=0, published_digits=0)


def metric_head(metric: str, *, key: str = "", title: str = "", group: str = "", signed: bool = False) -> Head:
    """The head of a column with means of a metric, under its own name and title unless others are given."""
    facts = METRICS[metric]
    digits = facts.fine_digits if signed else facts.digits
    return Head(key or metric, title or facts.title, group, facts.unit, digits, 2, facts.better, signed)


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        title: of the network or variant: a user's words, whatever they are.
        cells: one per head.
        group: rows of one group stand together under this heading: the test set, in deblurring.
        marks: words about the whole row: ``base``, ``not at equal parameters``.
    """

    title: str
    cells: tuple[Cell, ...]
    group: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sheet:
    """One table.

    Attributes:
        key: stable, unique in a report, of lower-case letters, digits and hyphens: the name of its files.
        kind: what it shows.
        title: a heading, without markup.
        caption: what must be known to read it, in one or two sentences.
        source: whose measured numbers it has.
        stub: head of the first column: ``Network``.
        heads: of the other columns.
        rows: in the order of the paper, then of the suite.
        notes: below the table.
        whose: the published numbers are, in a word.
    """

    key: str
    kind: Kind
    title: str
    caption: str
    source: Source
    stub: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    whose: str = "paper"

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.heads):
                raise ValueError(
                    f"{self.key}: row {row.title!r} has {len(row.cells)} cells for {len(self.heads)} heads"
                )

    def cells(self) -> Iterator[tuple[Row, Head, Cell]]:
        """All cells with their row and head, row by row."""
        for row in self.rows:
            for head, cell in zip(self.heads, row.cells, strict=True):
                yield row, head, cell


def tally(sheets: Iterable[Sheet], kind: Kind) -> Counter[str]:
    """How many cells have which verdict, over all sheets of a kind; counts of parameters are not among them."""
    cells = ((head, cell) for sheet in sheets if sheet.kind == kind for _, head, cell in sheet.cells())
    return Counter(cell.verdict for head, cell in cells if cell.verdict and head.key != PARAMETERS)


def place(kind: Kind, group: str, head: Head) -> str:
    """Where a cell stands, as a note names it: the group of its row, such as a test set; otherwise its column's.

    Args:
        kind: of the sheet. In the paper's arrangement each column is a test set, and what stands above says so.
        group: of its row.
        head: of its column.
    """
    return group or (kind != "paper" and head.group) or head.title


def parts(sheet: Sheet) -> tuple[str, ...]:
    """A note that says which means are over a part of their test set, where no verdict says it; none if none is."""
    found: dict[str, dict[str, None]] = {}
    for row, head, cell in sheet.cells():
        if cell.measured is not None and cell.part and cell.verdict is None:
            found.setdefault(cell.part, {})[place(sheet.kind, row.group, head)] = None
    if not found:
        return ()
    said = "; ".join(f"{', '.join(where)} ({part})" for part, where in found.items())
    return (f"Over a part of the test set, and so neither best nor second: {said}.",)


def noted(sheets: Sequence[Sheet], notes: Iterable[object]) -> list[Sheet]:
    """The tables, below the last of them these notes too, each as a sentence."""
    sentences = tuple(f"{note}." for note in notes)
    return [*sheets[:-1], *(replace(sheet, notes=(*sheet.notes, *sentences)) for sheet in sheets[-1:])]
