"""What every request for trials says, whatever the trials are."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asks for.

    Attributes:
        entries: names of entries, or ``None`` for all.
        datasets: names of the catalogue and folders of images, or ``None`` for those of the suite or the paper.
        images: only the first N of each test set.
        store: the folder of the store.
        data_dir: a local folder with images and weights.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads, or ``None`` for all that may be used.
        retry_failed: run failed trials again.
    """

    entries: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    images: int | None = None
    store: Path = Path("runs")
    data_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    retry_failed: bool = False

    def _command(self, *words: str) -> str:
        """These words of a command line, and the options that select."""
        said = ["converse", *words]
        for option, names in (("--only", self.entries), ("--datasets", self.datasets)):
            if names:
                said += [option, ",".join(names)]
        if self.images:
            said += ["--images", str(self.images)]
        return shlex.join(said)
