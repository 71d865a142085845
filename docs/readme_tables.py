"""The tables of the README, from those of the committed report: ``python docs/readme_tables.py`` writes them anew.

Published values, values of released weights and values of trainings here stand in columns of their own; what was not
measured is an empty cell, never another source's number.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLES = ROOT / "reports" / "reference" / "tables"
BEGIN, END = "<!-- tables of the reference: python docs/readme_tables.py -->\n", "<!-- end of the tables -->\n"
MARKS = {"match": "✓", "close": "≈", "differs": "✗"}
WIDE = (("Denoising, σ = 25", "denoising-released", "denoising-tuned-quick-paper"),)
WIDE += (("Super-resolution ×4, on Y", "super-resolution-released", ""),)

Cells = dict[tuple[str, str, str], dict[str, str]]
"""Group, row and column of a table → what the report has there."""


def main() -> None:
    """Write the README with the tables as they are now."""
    readme = ROOT / "README.md"
    readme.write_text(page(readme.read_text(encoding="utf-8")), encoding="utf-8")


def page(text: str) -> str:
    """The README with the tables as they are now."""
    return f"{text.split(BEGIN)[0]}{tables()}{text.split(END)[1]}"


def tables() -> str:
    """The block of the README, with the comments around it."""
    parts = [_wide(*one) for one in WIDE]
    return f"{BEGIN}\n" + "\n".join([*parts, _deblurring()]) + f"\n{END}"


def _wide(title: str, released: str, trained: str) -> str:
    ours, own = _cells(released), _cells(trained) if trained else {}
    heads = ("", "network", "published", "released weights", "trained here")
    rows = [
        (dataset, network, *_published_and_measured(ours[group, network, dataset]), _shown(own, network, dataset))
        for group, network, dataset in ours
        if ours[group, network, dataset]["published"] and dataset != "parameters"
    ]
    rows.sort(key=lambda row: [one for _, _, one in ours].index(row[0]))
    used = [index for index, head in enumerate(heads) if not head or any(row[index] for row in rows)]
    heads, rows = tuple(heads[index] for index in used), [tuple(row[index] for index in used) for row in rows]
    return f"**{title}**, PSNR in dB\n\n{_table(heads, rows)}"


def _deblurring() -> str:
    cells = _cells("deblurring-released")
    kernels = list(dict.fromkeys(column for _, _, column in cells if column != "parameters"))
    heads = ("", "network", "source", *(kernel.replace("-", " ").replace("_", " ") for kernel in kernels))
    rows = []
    for group, network in dict.fromkeys((group, row) for group, row, _ in cells):
        found = [_published_and_measured(cells.get((group, network, kernel), {})) for kernel in kernels]
        for source, values in zip(("published", "released weights"), zip(*found, strict=True), strict=True):
            if any(values):
                rows.append((group, network, source, *values))
    return f"**Deblurring, noise level 2.55**, five blur kernels, PSNR in dB\n\n{_table(heads, rows)}"


def _cells(name: str) -> Cells:
    with (TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return {(row["group"], row["row"], row["column"]): row for row in csv.DictReader(file)}


def _published_and_measured(cell: dict[str, str]) -> tuple[str, str]:
    whole = cell.get("measured") and not cell["reason"]  # of a part of a test set the reason says so
    measured = f"{cell['shown']} {MARKS.get(cell['verdict'], '')}".rstrip() if whole else ""
    return cell.get("published", ""), measured


def _shown(cells: Cells, network: str, dataset: str) -> str:
    return cells.get(("", network, dataset), {}).get("shown", "")


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    def lines() -> Iterator[Iterable[str]]:
        yield heads
        yield ["---"] * len(list(heads))
        yield from rows

    return "".join(f"| {' | '.join(line)} |\n" for line in lines())


if __name__ == "__main__":
    main()
