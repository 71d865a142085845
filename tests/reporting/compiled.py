"""A document through pdflatex and back to text."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def compiled(folder: Path, source: str) -> tuple[str, str]:
    """Log and text of the document ``report.tex``."""
    for tool in ("pdflatex", "pdftotext"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: a small TeX Live and poppler-utils have it")
    (folder / "report.tex").write_text(source, "utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "report.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=120)
    log = (folder / "report.log").read_text("utf-8", errors="replace")
    assert done.returncode == 0, log[-3000:]
    text = subprocess.run(["pdftotext", "-layout", "report.pdf", "-"], cwd=folder, capture_output=True, check=True)
    return log, text.stdout.decode()
