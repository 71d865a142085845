"""Places, cases and machines in words: where a number was measured, the same in every table, figure and sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from converse.counted import counted

if TYPE_CHECKING:
    Row = Mapping[str, Any] | pd.Series


def listed(names: Sequence[str], most: int | None = None) -> str:
    """Names in a sentence: ``A, B and C``.

    Args:
        names: one at least.
        most: so many by name, and how many more there are.
    """
    if most is not None and len(names) > most:
        names = [*names[:most], f"{len(names) - most} more"]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def case_title(case: object) -> str:
    """A blur kernel: ``kernel_1`` → ``kernel 1``; empty for ``None`` and a frame's NaN."""
    return case.replace("_", " ") if isinstance(case, str) else ""


def place_title(dataset: object, case: object) -> str:
    """A test set, with the blur kernel where there is one: ``Set5, kernel 1``."""
    return ", ".join(filter(None, (dataset if isinstance(dataset, str) else "", case_title(case))))


def case_in_words(row: Row, *, size: bool = True) -> str:
    """The case: ``evaluation, 1×32×64×64, kernel 5, padding 4, float32``.

    Args:
        row: with :data:`converse.experiments.store.speed_rows.CASE_COLUMNS`; what does not apply is missing.
        size: name height and width of the input too.
    """
    shape = [row["batch"], row["channels"], *((row["height"], row["width"]) if size else ("H", "W"))]
    words = [str(row["pass"]), "×".join(map(str, shape))]
    words += [f"kernel {row['kernel_size']}"] if known(row["kernel_size"]) else []
    words += [f"scale {row['scale']}"] if known(row["scale"]) and row["scale"] != 1 else []
    words += [f"padding {row['padding']}"] if known(row["padding"]) else []
    words.append(str(row["dtype"]))
    return ", ".join([*words, "compiled"] if row["compiled"] else words)


def machine_in_words(row: Row) -> str:
    """The machine and its settings: ``AMD EPYC, 2 threads, torch 2.14.1``.

    Args:
        row: with :data:`converse.analysis.speed.MACHINE_COLUMNS` and ``driver``.
    """
    words = [str(row["model"])]
    if row["device"] == "cpu" and known(row["threads"]):
        words.append(counted(int(row["threads"]), "thread"))
    if row["device"] != "cpu" and known(row["driver"]):
        words.append(f"driver {row['driver']}")
    return ", ".join([*words, f"torch {row['torch']}"])


def known(value: Any) -> bool:
    """Whether a cell of a frame has a value; a list of turns is one."""
    return value is not None and not (pd.api.types.is_scalar(value) and bool(pd.isna(value)))
