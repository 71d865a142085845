"""Write the page of the command line from the application itself (mkdocs hook)."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

MARKER = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the commands, their arguments and options in the place of the marker."""
    return markdown.replace(MARKER, _commands()) if MARKER in markdown else markdown


def _commands() -> str:
    command = [sys.executable, "-m", "typer", "converse.cli.main", "utils", "docs", "--name", "converse"]
    document = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout
    # The page has a title and a table of the exit statuses already.
    return document[document.index("**Usage**") :]
