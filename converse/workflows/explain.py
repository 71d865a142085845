"""Why a trial is, or is not, up to date; what it depends on; in what two trials differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from converse.experiments.provenance import code_hash
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.state import Status
from converse.experiments.trials import (
    NUMERICS_VERSION,
    Difference,
    Trial,
    default_threads,
    differences,
    platform_class,
)

_JUDGED: Final = ("commit", "dirty", "code", "versions", "python", "system", "cpu", "gpu", "driver", "threads")


@dataclass(frozen=True)
class Explanation:
    """One trial.

    Attributes:
        trial: its id.
        status: how far it is.
        up_to_date: whether the same command on this machine can use it as it is.
        reasons: why it is not; empty when it is.
        notes: what is worth knowing all the same.
        ingredients: all that its id hashes.
        provenance: what made its numbers; ``None`` before it was begun.
    """

    trial: str
    status: Status
    up_to_date: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    ingredients: dict[str, Any]
    provenance: dict[str, Any] | None


@dataclass(frozen=True)
class Comparison:
    """Two trials.

    Attributes:
        left: id of the first.
        right: id of the second.
        ingredients: in what their ids differ.
        provenance: in what the code and machine that made their numbers differ, which no id depends on.
    """

    left: str
    right: str
    ingredients: tuple[Difference, ...]
    provenance: tuple[Difference, ...]


def explain(store: Store, trial: str) -> Explanation:
    """Explain one trial.

    Args:
        store: any store; it is only read.
        trial: its id or the first digits of it.

    Returns:
        Its state, whether and why (not) it is up to date, its ingredients and provenance.

    Raises:
        StoreError: no or several trials begin so, or it is damaged.
    """
    folder = store.find(trial)
    described = folder.trial()
    status = folder.status()
    made_by = folder.provenance()
    reasons = (
        [] if status.state == "done" else [": ".join(part for part in (f"it is {status.state}", status.reason) if part)]
    )
    reasons += _not_current(described)
    notes = _other_threads(described)
    notes += [f"it is incomplete: {status.reason}"] if status.incomplete else []
    if (failure := folder.path / "failure.txt").exists() and status.state == "failed":
        notes.append(f"the traceback of its failure is in {failure}")
    if made_by is not None and made_by.get("code") != code_hash():
        notes.append("its numbers were made by other sources than these")
    return Explanation(folder.id, status, not reasons, tuple(reasons), tuple(notes), described.ingredients(), made_by)


def compare(store: Store, left: str, right: str) -> Comparison:
    """Say in what two trials differ.

    Args:
        store: any store; it is only read.
        left: id of one, or the first digits of it.
        right: id of the other.

    Returns:
        The paths that differ, with both values.

    Raises:
        StoreError: no or several trials begin so, or one is damaged.
    """
    one, other = store.find(left), store.find(right)
    made = differences(_judged(one), _judged(other))
    return Comparison(one.id, other.id, tuple(one.trial().differences(other.trial())), tuple(made))


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    """A nested table as dotted paths with their values.

    Args:
        value: JSON-able.
        path: where it stands.

    Returns:
        One pair per leaf; a list is a leaf, an empty table too.
    """
    if not isinstance(value, dict) or not value:
        return [(path, value)]
    return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}" if path else key)]


def _not_current(trial: Trial) -> list[str]:
    """Why this code on this machine would make another trial of the same suite."""
    reasons = []
    if trial.numerics != NUMERICS_VERSION:
        reasons.append(f"its numerics version is {trial.numerics}, that of this code is {NUMERICS_VERSION}")
    kind = trial.platform.get("device")
    if kind is None:
        return reasons
    # A GPU's name is torch's to tell, which takes seconds to load: a class like the CPU's lends the rest.
    here = platform_class("cpu", trial.platform.get("precision", "float32"), threads=default_threads())
    for name in ("torch", "model") if kind == "cpu" else ("torch",):
        if name in trial.platform and trial.platform[name] != here[name]:
            reasons.append(f"platform.{name} is {trial.platform[name]}, here it is {here[name]}")
    return reasons


def _other_threads(trial: Trial) -> list[str]:
    """What to know of a trial under another number of threads than this machine's: which of them counts is chosen."""
    threads, here = trial.platform.get("threads"), default_threads()
    if trial.platform.get("device") != "cpu" or threads in (None, here):
        return []
    return [
        f"platform.threads is {threads}, here it is {here}: a request that names no number uses trials of {threads} "
        f"where all of its own are there, or were begun so; --threads {threads} does in any case"
    ]


def _judged(folder: TrialFolder) -> dict[str, Any]:
    origin = folder.provenance() or {}
    return dict(leaves({name: origin[name] for name in _JUDGED if name in origin})) if origin else {}
