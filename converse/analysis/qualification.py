"""Whether trainings may judge the paper, and if not, what they lack: size, baseline, convergence, seeds, images.

Small networks that are trained for a short time say how such networks learn so far, and nothing about the paper's.
Their answers are about this budget, then: :func:`here`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from converse.analysis.convergence import Convergence, Curve, State, convergences
from converse.analysis.published import PublishedValue
from converse.analysis.tables import or_none, partial
from converse.data.catalogue import datasets
from converse.experiments.store.requests import Standard

if TYPE_CHECKING:
    import pandas as pd

    from converse.analysis.differences import Shown

SEEDS: Final = 3
"""Seeds from which on trainings may judge the paper."""

Condition = Literal["size", "baseline", "convergence", "seeds", "images"]
CONDITIONS: Final[tuple[Condition, ...]] = get_args(Condition)
"""What a verdict on the paper needs, in the order in which it is said."""

HereVerdict = Literal["better here", "worse here", "equal here", "undecided here"]

_SAID: Final = re.compile(rf"(?:^|; )({'|'.join(CONDITIONS)}): ")


@dataclass(frozen=True)
class Qualification:
    """Whether trainings may judge the paper.

    Attributes:
        lacks: condition → what of it is lacking, in words; empty where they may.
    """

    lacks: Mapping[Condition, str] = field(default_factory=dict)

    @property
    def judged(self) -> bool:
        """Whether nothing is lacking."""
        return not self.lacks

    def __str__(self) -> str:
        return "; ".join(f"{condition}: {text}" for condition, text in self.lacks.items())

    @classmethod
    def read(cls, text: str) -> Qualification:
        """What :class:`str` of one was."""
        _, *parts = _SAID.split(text)
        return cls({cast(Condition, name): said for name, said in zip(parts[::2], parts[1::2], strict=True)})


@dataclass(frozen=True)
class Grounds:
    """What is known of the trainings of one table.

    Attributes:
        standard: what the suite asks; ``None`` where that is not known, as in stores of older versions.
        curves: trial → the loss of its training; trials of which nothing is known are not in it.
    """

    standard: Standard | None = None
    curves: Mapping[str, Curve] = field(default_factory=dict)

    @cached_property
    def convergence(self) -> Mapping[str, Convergence]:
        """Trial → how its training went; looked at once, where it is asked for."""
        return convergences(self.curves)

    @property
    def baselines(self) -> frozenset[str]:
        """All entries that are a baseline."""
        return frozenset(() if self.standard is None else self.standard.baselines.values())

    def trainings(self, trials: Iterable[str]) -> str:
        """How many of the trainings are in which state: ``9 too noisy to tell, 6 on the plateau``."""
        counts = Counter(self.state(trial) for trial in trials)
        return ", ".join(f"{count} {state}" for state, count in counts.most_common())

    def state(self, trial: str) -> State:
        """How the training of a trial went."""
        found = self.convergence.get(trial)
        return "not known" if found is None else found.state

    def qualification(
        self,
        place: pd.DataFrame,
        entries: Sequence[str],
        seeds: int,
        published: PublishedValue,
        images: int | None = None,
    ) -> Qualification:
        """Whether trainings may judge the paper on one test set.

        Args:
            place: rows of one test set, case and metric, of all entries of the table.
            entries: those that a statement is about; they have the baseline of the first.
            seeds: how many of theirs the statement rests on.
            published: the paper's values.
            images: how many images it rests on; ``None`` where that they are all is looked at elsewhere.
        """
        trials = place[place["entry"].isin(entries)]["trial"].unique()
        found: dict[Condition, str] = {
            "size": self._size(entries),
            "baseline": self._baseline(place, entries[0], published),
            "convergence": _convergence([self.state(str(trial)) for trial in trials]),
            "seeds": "" if seeds >= SEEDS else f"{seeds} of {SEEDS}",
            "images": _images(place, images),
        }
        return Qualification({condition: text for condition, text in found.items() if text})

    def lacking(self, place: pd.DataFrame, entry: str, seeds: int, published: PublishedValue) -> str:
        """What the trainings of one entry lack, in one text (:data:`converse.analysis.tables.Lacking`)."""
        return str(self.qualification(place, (entry,), seeds, published))

    def other_sizes(self, entries: Sequence[str]) -> tuple[list[str], list[str]]:
        """Those of the entries whose networks are not of the paper's size, and those of which that is not known."""
        sizes = {} if self.standard is None else self.standard.full_size
        small = [entry for entry in entries if sizes.get(entry) is False]
        return small, [entry for entry in entries if entry not in sizes]

    def _size(self, entries: Sequence[str]) -> str:
        small, unknown = self.other_sizes(entries)
        said = {"not the paper's": small, "not known": unknown}
        return ", ".join(f"that of {' and '.join(names)} is {what}" for what, names in said.items() if names)

    def _baseline(self, place: pd.DataFrame, entry: str, published: PublishedValue) -> str:
        if self.standard is None:
            return "it is not known which network that is"
        name = self.standard.baselines.get(entry)
        if name is None:
            return "the suite names none"
        rows = place[place["entry"] == name]
        if not rows["value"].notna().any():
            return f"{name} is not measured here"
        known = datasets().get(str(rows["dataset"].iloc[0]))
        number = published(name, known.title, or_none(rows["case"].iloc[0])) if known else None
        if number is None:
            return f"{name} has no published value here"
        if lacking := partial(rows, known):
            return f"{name} is measured on {lacking}"
        measured = float(rows.groupby("seed", dropna=False)["value"].mean().mean())
        if abs(measured - number.value) <= self.standard.within:
            return ""
        return f"{name} has {measured:.2f} dB, not within {self.standard.within:g} dB of {number.value:.2f} dB"


def _images(place: pd.DataFrame, images: int | None) -> str:
    known = datasets().get(str(place["dataset"].iloc[0]))
    short = known is not None and images is not None and images < known.count
    return f"{images} of {known.count}" if known and short else ""


def _convergence(states: Sequence[State]) -> str:
    counts = Counter(state for state in states if state != "converged")
    return ", ".join(f"{count} of {len(states)} trainings {state}" for state, count in counts.items())


def here(shown: Shown | None) -> HereVerdict:
    """What trainings that may not judge the paper say of a difference of PSNR; the paper's number is no part of it.

    Args:
        shown: what is shown, adjusted for its table; ``None`` where there is no interval.
    """
    if shown is None:
        return "undecided here"
    if shown.equivalent:
        return "equal here"
    return "better here" if shown.sign > 0 else "worse here" if shown.sign < 0 else "undecided here"
