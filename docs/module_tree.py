"""`python docs/module_tree.py` writes the tables of modules in architecture.md from their docstrings' first lines."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "converse"
PAGE = ROOT / "docs" / "architecture.md"
LAYERS = ("nn", "data", "metrics.py", "experiments", "analysis", "reporting", "workflows", "cli")  # right to left
BEGIN = "<!-- modules: written by docs/module_tree.py from the docstrings -->"
END = "<!-- end of modules -->"


def modules(package: Path = PACKAGE) -> list[Path]:
    """All modules of the package, relative to it; a wheel's content folders are none."""
    files = (file.relative_to(package) for file in package.rglob("*.py"))
    return sorted(file for file in files if file.parts[0] != "_content")


def summary(file: Path) -> str:
    """The first line of a module's docstring, as Markdown for a cell of a table."""
    docstring = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    first = (docstring or "").partition("\n")[0]
    return re.sub(r"``(.+?)``", r"`\1`", first).replace("|", r"\|")


def tables(package: Path = PACKAGE) -> str:
    """A table for each layer and one for what all layers may use, with a row for each module."""
    files = modules(package)
    free = [file for file in files if len(file.parts) == 1 and file.name not in LAYERS]
    chapters = [(layer, [file for file in files if file.parts[0] == layer]) for layer in LAYERS]
    return "\n".join(line for layer, members in [*chapters, ("", free)] for line in _table(layer, members, package))


def _table(layer: str, files: list[Path], package: Path) -> Iterator[str]:
    yield f"### `converse/{layer}`\n"
    yield "| module | what it is for |\n|---|---|"
    for file in files:
        yield f"| `{file.as_posix()}` | {summary(package / file)} |"
    yield ""


def page(text: str) -> str:
    """The page with its tables written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
