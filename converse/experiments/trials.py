"""What a trial is: one configuration and one seed; its id is a hash of all that its numbers depend on.

The commit and the hash of the sources are provenance, not identity: an edited comment does not void a GPU's work.
The numerics version stands for them, and the golden digests of tiny trials say when it must be raised.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from converse.counted import counted
from converse.errors import OptionError

NUMERICS_VERSION: Final = 7
"""Raise it when the golden digests of tiny trials say that numbers have moved: old trials are then not current."""

ID_LENGTH: Final = 16

LABELS: Final = ("entry", "budget")
"""What a trial is called. Its numbers do not depend on it, so two suites that ask for the same training share it."""

DEVICES: Final = "devices"
"""In a platform class, how many processes trained together, each with a device; absent where it was one."""

Source = Literal["released", "trained"]

BudgetName = Literal["smoke", "quick", "standard", "paper"]
BUDGETS: Final[tuple[BudgetName, ...]] = get_args(BudgetName)
"""How much can be spent, from least to most."""


class _Absent(Enum):
    ABSENT = "absent"

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = _Absent.ABSENT
"""Stands in a :class:`Difference` where one of the two trials does not have the ingredient at all."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """One ingredient in which two trials differ: a dotted path and both values (or :data:`ABSENT`)."""

    path: str
    left: Any
    right: Any


@dataclasses.dataclass(frozen=True)
class Trial:
    """One configuration and one seed, with everything that its numbers depend on, and what it is called.

    Test images are not part of it: a row is keyed by its image's checksum, so a new test set never retrains a model.
    Entry and budget are names (:data:`LABELS`); what they stand for is in the configuration.
    Numbers keep their type in the hash: ``1`` and ``1.0`` are two configurations.

    Attributes:
        task: ``denoising``, ``super_resolution`` or ``deblurring``.
        entry: name of the entry in the suite that first asked for it, ``Converse-DnCNN``.
        source: whether the weights were released or are trained here.
        seed: seed ≥ 0 of all streams; ``None`` for released weights.
        budget: ``smoke``, ``quick``, ``standard``, ``paper``; ``None`` for released weights.
        configuration: the resolved configuration, JSON-able.
        data: training dataset → its SHA-256.
        weights: SHA-256 of released weights; ``None`` for trained ones, and where no network is measured.
        operator_file: SHA-256 of a user's operator file.
        numerics: :data:`NUMERICS_VERSION` of the code.
        platform: what :func:`platform_class` says.

    Raises:
        TypeError: an ingredient cannot be written as JSON.
        ValueError: an ingredient holds NaN or infinity.
    """

    task: str
    entry: str
    source: Source
    seed: int | None
    budget: str | None
    configuration: dict[str, Any]
    data: dict[str, str]
    weights: str | None = None
    operator_file: str | None = None
    numerics: int = NUMERICS_VERSION
    platform: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        # A copy in plain types: whoever edits the dictionary that it was built from does not move the id.
        for field in dataclasses.fields(self):
            value = _plain(getattr(self, field.name), field.name)
            object.__setattr__(self, field.name, _shared(json.dumps(value)) if isinstance(value, dict) else value)

    def __hash__(self) -> int:
        return hash(self.id)

    @cached_property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of the identity as canonical JSON."""
        return id_of(self.ingredients())

    def identity(self) -> dict[str, Any]:
        """All that the id hashes, by name: the ingredients without :data:`LABELS`."""
        return {name: value for name, value in self.ingredients().items() if name not in LABELS}

    def ingredients(self) -> dict[str, Any]:
        """The identity and the labels, by name: a copy that may be changed."""
        return {field.name: _plain(getattr(self, field.name), field.name) for field in dataclasses.fields(self)}

    @property
    def anywhere(self) -> bool:
        """Whether its numbers are the same on all machines, since no network is in them: what networks are given."""
        return "model" not in self.platform

    def moved(self, machine: Mapping[str, Any]) -> Trial:
        """The trial on another machine; itself, where machines do not move its numbers.

        Args:
            machine: names and values of the platform class that are another's; ``None`` for one that it has not.
        """
        if self.anywhere:
            return self
        platform_ = {name: value for name, value in {**self.platform, **machine}.items() if value is not None}
        return self if platform_ == self.platform else dataclasses.replace(self, platform=platform_)

    @classmethod
    def from_ingredients(cls, ingredients: Mapping[str, Any]) -> Trial:
        """The trial with these ingredients; other keys of the mapping are left alone.

        Args:
            ingredients: what :meth:`ingredients` gave.

        Returns:
            The same trial, with the same id.

        Raises:
            KeyError: an ingredient is missing.
        """
        return cls(**{field.name: ingredients[field.name] for field in dataclasses.fields(cls)})

    def differences(self, other: Trial) -> list[Difference]:
        """In what the identities differ, down to the innermost key.

        Args:
            other: the trial to hold this one against.

        Returns:
            One :class:`Difference` per path such as ``configuration.training.lr``, sorted by path; empty exactly
            when the ids are equal.
        """
        return differences(self.identity(), other.identity())


_IDENTITY: Final = tuple(field.name for field in dataclasses.fields(Trial) if field.name not in LABELS)


def id_of(ingredients: Mapping[str, Any]) -> str:
    """The id of the trial with these ingredients, without the trial being made: a store has thousands.

    Args:
        ingredients: what :meth:`Trial.ingredients` gave, read back from JSON; other keys are left alone.

    Returns:
        What :attr:`Trial.id` of ``Trial.from_ingredients(ingredients)`` is.

    Raises:
        KeyError: an ingredient is missing.
    """
    identity = {name: ingredients[name] for name in _IDENTITY}
    return hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:ID_LENGTH]


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[Difference]:
    """Where two nested tables differ, down to the innermost key.

    Args:
        left: JSON-able.
        right: JSON-able.

    Returns:
        One :class:`Difference` per path, sorted by path; empty exactly when their canonical JSON is equal.
    """
    return sorted(_differences("", dict(left), dict(right)), key=lambda found: found.path)


def canonical_json(value: Any) -> str:
    """One text per value: keys sorted, no spaces, ASCII, floats as ``repr`` writes them.

    Args:
        value: anything JSON can hold.

    Returns:
        The text that is hashed.

    Raises:
        ValueError: NaN or infinity, which JSON does not have.
        TypeError: a type that JSON does not have.
    """
    return json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"), ensure_ascii=True)


def planned_order(trials: Iterable[Trial]) -> list[Trial]:
    """The order in which trials run: released weights first, then seed by seed, the suite's order within a seed.

    All entries of one seed are done before the next seed begins, so that a run stopped early can be compared.

    Args:
        trials: in the order of the suite; a trial named twice is kept once.

    Returns:
        Each trial once.
    """
    return sorted(dict.fromkeys(trials), key=lambda trial: -1 if trial.seed is None else trial.seed)


def platform_class(
    device: str, precision: str = "float32", *, threads: int | None = None, deterministic: bool = True
) -> dict[str, Any]:
    """What of the machine moves the numbers: two platform classes may differ in the last bits.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        precision: ``float32``, ``bfloat16``, ``float16`` …
        threads: CPU threads that the trial will compute with; ``None``: what torch says when it is loaded, otherwise
            :func:`default_threads`. Whoever runs the trial has to compute with that number.
        deterministic: whether deterministic algorithms are required.

    Returns:
        ``device``, ``model``, ``precision``, ``torch`` (minor version, ``2.9``), ``deterministic`` and, on a CPU,
        ``threads``.

    Raises:
        OptionError: a CUDA device that this machine does not have.
    """
    from importlib import metadata  # whose own imports would be a tenth of what `converse status` takes

    kind = device.partition(":")[0]
    platform_: dict[str, Any] = {
        "device": kind,
        "model": _cuda_model(device) if kind == "cuda" else cpu_model(),
        "precision": precision,
        "torch": ".".join(metadata.version("torch").split("+")[0].split(".")[:2]),
        "deterministic": deterministic,
    }
    if kind == "cpu":
        torch = sys.modules.get("torch")
        known = threads if threads is not None else torch.get_num_threads() if torch else default_threads()
        platform_["threads"] = known
    return platform_


def default_threads() -> int:
    """The CPU threads that torch takes when nobody says: ``OMP_NUM_THREADS``, or the cores that this process may use.

    Returns:
        A number ≥ 1, found without loading torch.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@lru_cache(maxsize=1)
def cpu_model() -> str:
    """The CPU's name as its maker gives it, ``AMD EPYC 7B13``; the architecture where the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name" and name.strip():
                return " ".join(name.split())
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown CPU"


def _cuda_model(device: str) -> str:
    import torch

    if not torch.cuda.is_available():
        raise OptionError(f"device {device!r}: torch sees no CUDA device on this machine; use --device cpu")
    index = torch.device(device).index
    if index is not None and index >= torch.cuda.device_count():
        raise OptionError(
            f"device {device!r}: this machine has {counted(torch.cuda.device_count(), 'CUDA device')}, from cuda:0"
        )
    return str(torch.cuda.get_device_name(index))


@lru_cache(maxsize=256)
def _shared(text: str) -> Any:
    """What a text of JSON holds: one object for the trials of all seeds, of which there may be ten thousand."""
    return json.loads(text)


def _plain(value: Any, path: str) -> Any:
    """A deep copy in the types that JSON has; tuples become lists."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} must be a finite number, got {value}")
        return float(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{path} must have strings as keys, got {key!r} ({type(key).__name__})")
        return {key: _plain(inner, f"{path}.{key}") for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [_plain(inner, f"{path}[{index}]") for index, inner in enumerate(value)]
    raise TypeError(f"{path} must be None, a truth value, number, string, list or table, got {type(value).__name__}")


def _differences(path: str, left: Any, right: Any) -> list[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        return [
            found
            for key in {**left, **right}
            for found in _differences(f"{path}.{key}" if path else key, left.get(key, ABSENT), right.get(key, ABSENT))
        ]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [
            found
            for index, pair in enumerate(zip(left, right, strict=True))
            for found in _differences(f"{path}[{index}]", *pair)
        ]
    # 1, 1.0 and True are equal in Python and different in the hash.
    if left is not ABSENT and right is not ABSENT and canonical_json(left) == canonical_json(right):
        return []
    return [Difference(path, left, right)]
