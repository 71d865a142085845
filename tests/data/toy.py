"""A small data set, as a catalogue would describe it, and its files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from converse.data.catalogue import Dataset

CONTENT = {"a.png": b"first", "b.png": b"second, longer"}


def toy_table(**changes: Any) -> dict[str, Any]:
    """A good TOML document as a table, with changes."""
    files = [
        {"name": name, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in CONTENT.items()
    ]
    table = {
        "title": "Toy Set",
        "kind": "images",
        "colour": "grey",
        "source": "download",
        "base_url": "http://127.0.0.1:9/",
        "folders": ["data/Toys"],
        "licence": "CC0",
        "citation": "none",
        "files": files,
    }
    return {**table, **changes}


def toy(**changes: Any) -> Dataset:
    return Dataset.model_validate({"name": "toy", **toy_table(**changes)})


def fill(folder: Path, content: dict[str, bytes] = CONTENT) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in content.items():
        (folder / name).write_bytes(body)
    return folder
