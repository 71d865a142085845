"""A table in all formats in which it can be taken away: beside the page as files, and inside it to be copied."""

from __future__ import annotations

from converse.reporting import csv, latex, markdown, sheet_json
from converse.reporting.tables.sheet import Sheet


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
