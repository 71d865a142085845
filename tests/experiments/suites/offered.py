"""Packages that offer operators, for tests of who finds them."""

from __future__ import annotations

from pathlib import Path


def offer(folder: Path, package: str, **points: str) -> None:
    """A package as an installer leaves it: metadata, and a module that must not be imported to read a name."""
    (folder / f"{package}-1.0.dist-info").mkdir(parents=True)
    info = folder / f"{package}-1.0.dist-info"
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[converse.operators]", *lines, ""]))
    (folder / f"{package}.py").write_text("raise RuntimeError('imported')\n")
