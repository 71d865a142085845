"""What a run has measured, as the gate holds it against a baseline; and the baseline that it makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from converse.analysis.gate.baseline import COMPUTING, Platform
from converse.metrics import METRICS, PARAMETERS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Measured:
    """What was measured of a suite, or of released weights.

    Attributes:
        rows: of single images and of parameters, with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
        platforms: of the trials, each once.
        settings: entry → path → value: all that its weights follow from, beside the seed.
        shapes: entry → the shape of its output for one fixed small input; empty of sides where it gives none.
        images: test set → name of an image → the first 16 digits of its SHA-256.
        lacking: entry (or ``None`` for all) and test set (or ``None`` for all) → why it is not at hand here.
        failures: entry and seed → why the trial failed.
        others: entries that the suite has and that were not measured, for the baseline has none of them.
    """

    rows: pd.DataFrame
    platforms: tuple[Platform, ...] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    images: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    lacking: Mapping[tuple[str | None, str | None], str] = field(default_factory=dict)
    failures: Mapping[tuple[str, int | None], str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def values(self) -> pd.DataFrame:
        """The rows of single images."""
        return self.rows[self.rows["image"].notna() & self.rows["metric"].isin(list(METRICS))]

    @property
    def parameters(self) -> dict[str, int]:
        """Entry → how many numbers its network learns."""
        counted = self.rows[(self.rows["metric"] == PARAMETERS) & self.rows["value"].notna()]
        return {str(entry): int(value) for entry, value in zip(counted["entry"], counted["value"], strict=True)}

    def why_not(self, entry: str, dataset: str | None = None) -> str | None:
        """Why an entry, or a test set for it, is not at hand; ``None`` where nothing is known of that."""
        keys = ((entry, dataset), (None, dataset), (entry, None), (None, None))
        return next((self.lacking[key] for key in keys if key in self.lacking), None)


def platform_of(trial: Mapping[str, Any], provenance: Mapping[str, Any] | None) -> Platform:
    """On what kind of machine a trial was computed.

    Args:
        trial: its ``trial.json``.
        provenance: its ``provenance.json``; ``None`` where that is gone.
    """
    known, of_trial = provenance or {}, trial["platform"]
    versions = known.get("versions") or {"torch": str(of_trial.get("torch", ""))}
    system, libc = known.get("system") or "", known.get("libc") or ""
    # The release of the kernel moves no number.
    words = system.split()
    return Platform.model_validate(
        {
            "device": str(of_trial["device"]),
            "model": str(of_trial["model"]),
            "capability": known.get("cpu_capability") or "",
            "system": " ".join(filter(None, [words[0], words[-1], libc])) if words else "",
            "threads": of_trial.get("threads"),
            "driver": known.get("driver") or "",
            "numerics": trial["numerics"],
            "versions": {name: str(versions[name]) for name in COMPUTING if name in versions},
        }
    )


def settings_of(trial: Mapping[str, Any]) -> dict[str, Any]:
    """Path → value: all that a trial's weights follow from, beside its seed and what its platform does to it.

    Args:
        trial: its ``trial.json``.

    Returns:
        Numbers, texts, truth values and lists of them; what is null is left out.
    """
    table = {"data": trial["data"], "weights": trial["weights"], **trial["configuration"]}
    return dict(_flat(table, ""))


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}".removeprefix("."))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        if not any(isinstance(inner, Mapping) for inner in value):
            yield path, [inner for inner in value if inner is not None]
        else:
            for index, inner in enumerate(value, 1):
                yield from _flat(inner, f"{path}[{index}]")
    elif value is not None:
        yield path, value
