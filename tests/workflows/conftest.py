"""Stores as runs leave them, filled by hand: nothing is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from converse.data.catalogue import dataset, datasets
from converse.experiments.store import Store
from converse.experiments.store.requests import RequestedEntry, StoredRequest, note
from converse.experiments.trials import NUMERICS_VERSION, Trial

PLATFORM = {"device": "cpu", "model": "A CPU", "precision": "float32", "torch": "2.14", "threads": 1}
PROVENANCE = {
    "time": "2026-01-02T03:04:05Z",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "dirty": False,
    "code": "c" * 64,
    "numerics": NUMERICS_VERSION,
    "versions": {"converse-bench": "0.1.0", "torch": "2.14.1", "numpy": "2.4.6"},
    "python": "CPython 3.11.7",
    "system": "Linux 6 x86_64",
    "cpu": "A CPU",
    "cores": 2,
    "memory_gib": 8.0,
    "device": "cpu",
    "gpu": None,
    "driver": None,
    "threads": 1,
    "determinism": {"deterministic_algorithms": True},
    "command": ["converse", "run", "mine", "--store", "/home/somebody/runs"],
}
SIGNATURES = {"psnr": "psnr|colour:grey(uint8)|border:0", "ssim": "ssim|colour:grey(uint8)|border:0"}


@dataclasses.dataclass
class Filled:
    """A store that is filled trial by trial."""

    store: Store

    def released(
        self, entry: str, values: Sequence[float], name: str = "set12", parameters: int | None = None
    ) -> Trial:
        """Released weights with these PSNRs on the first images of a set of the catalogue."""
        trial = Trial("denoising", entry, "released", None, None, {"net": entry}, {}, "0" * 64, platform=PLATFORM)
        images = [(name, one.name, one.sha256) for one in dataset(name).files]
        self._fill(trial, images, values, parameters)
        return trial

    def trained(
        self,
        entry: str,
        seed: int,
        values: Sequence[float],
        *,
        budget: str = "quick",
        name: str = "mine",
        state: str = "done",
        lr: float = 0.1,
        parameters: int | None = 1000,
        numerics: int = NUMERICS_VERSION,
        images: Sequence[str] | None = None,
    ) -> Trial:
        """A trained network with these PSNRs on images of one's own, or on a whole set of the catalogue."""
        configuration = {"net": entry, "lr": lr}
        trial = Trial(
            "denoising", entry, "trained", seed, budget, configuration, {}, numerics=numerics, platform=PLATFORM
        )
        names = images or [f"{index}.png" for index in range(len(values))]
        measured = [(name, image, f"sha-{image}") for image in names]
        if name in datasets() and len(datasets()[name].files) == len(values):  # the set itself, image for image
            measured = [(name, one.name, one.sha256) for one in datasets()[name].files]
        self._fill(trial, measured, values, parameters, state)
        return trial

    def asked(self, trials: Sequence[tuple[Trial, str]], base: str | None = None, **changes: Any) -> StoredRequest:
        """A note that these trials were asked for under these names."""
        names = list(dict.fromkeys(name for _, name in trials))
        given: dict[str, Any] = {
            "suite": "mine",
            "title": "Mine",
            "description": "A study.",
            "task": "denoising",
            "budget": "quick",
            "base": base,
            "entries": tuple(RequestedEntry(name, name.rpartition(": ")[2]) for name in names),
            "trials": tuple((one.id, name, one.seed) for one, name in trials),
            "contrasts": tuple((name, base, name.rpartition(": ")[2]) for name in names if base and name != base),
            "command": "converse run mine --budget quick",
            "time": "2026-01-02T03:04:05.000Z",
        }
        request = StoredRequest(**{**given, **changes})
        note(self.store, request)
        return request

    def _fill(
        self,
        trial: Trial,
        images: Sequence[tuple[str, str, str]],
        values: Sequence[float],
        parameters: int | None,
        state: str = "done",
    ) -> None:
        folder = self.store.folder(trial)
        with folder.lock():
            folder.set_status("running")
            folder.write_provenance(PROVENANCE)
            if parameters is not None:
                folder.append_rows([{"metric": "parameters", "value": float(parameters)}])
            folder.append_rows(
                [
                    {
                        "dataset": name,
                        "image": image,
                        "image_sha256": sha256,
                        "metric": metric,
                        "signature": SIGNATURES[metric],
                        "value": value if metric == "psnr" else value / 40,
                        "device": "cpu",
                        "seconds": 0.1,
                    }
                    for (name, image, sha256), value in zip(images, values, strict=False)
                    for metric in SIGNATURES
                ]
            )
            if state == "failed":
                trace = 'Traceback:\n  File "/home/somebody/converse/experiments/training.py", line 1\nValueError: NaN'
                folder.write_failure("loss became NaN at step 120", trace)
            elif state != "running":
                folder.set_status(state)  # type: ignore[arg-type]


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """An empty store."""
    return Filled(Store(tmp_path / "runs"))


@pytest.fixture
def another(tmp_path: Path) -> Callable[[str], Filled]:
    """More stores, by name."""
    return lambda name: Filled(Store(tmp_path / name))
