"""`python docs/schemas.py` writes the published schemas of documents in docs/schemas from the models in the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from converse.reporting.gate.document import schema

FOLDER = Path(__file__).resolve().parent / "schemas"
FILES = {"check.schema.json": schema}


def written(document: Mapping[str, object]) -> str:
    """The text of a file."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, made in FILES.items():
        (FOLDER / name).write_text(written(made()), "utf-8")
