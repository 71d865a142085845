"""Tables and numbers of figures as texts to be taken away: beside the page as files, and inside it to be copied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from converse.reporting import csv, latex, markdown, sheet_json
from converse.reporting.figure_values import values_exports
from converse.reporting.report import Report
from converse.reporting.tables.sheet import Sheet


@dataclass(frozen=True)
class Texts:
    """All that can be taken away from a report as text, made once for its page and the files beside it.

    Attributes:
        tables: key of a sheet → as :func:`exports`.
        figures: name of a figure → as :func:`converse.reporting.figure_values.values_exports`.
    """

    tables: Mapping[str, Mapping[str, str]]
    figures: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, report: Report, published: bool = True) -> Texts:
        """The texts of a report, in LaTeX with the paper's numbers or without."""
        return cls(
            {sheet.key: exports(sheet, published) for sheet in report.sheets},
            {figure.name: values_exports(figure) for figure in report.figures},
        )


def exports(sheet: Sheet, published: bool = True) -> dict[str, str]:
    """Ending of the file → its text.

    Args:
        sheet: any.
        published: whether LaTeX has the paper's numbers.

    Returns:
        ``tex``; ``paper.tex``, as in a paper, of tables that are arranged as the paper's; ``csv``, ``md``, ``json``.
    """
    return {
        "tex": latex.table(sheet, published=published),
        **({"paper.tex": latex.paper_table(sheet)} if sheet.kind == "paper" else {}),
        "csv": csv.table(sheet),
        "md": markdown.table(sheet),
        "json": sheet_json.table(sheet),
    }
