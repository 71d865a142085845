"""What a trial needs to be carried out: plan, identity, and all images, kernels and metrics, found and verified."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from converse.data.catalogue import sha256_of
from converse.data.images import ImageSet
from converse.data.tasks import TASKS, Task
from converse.experiments.evaluation.images import ImageJob, image_jobs, keys, settled
from converse.experiments.evaluation.keeping import Keeper, Keeping
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.outputs import Outputs
from converse.experiments.store.rows import Row
from converse.experiments.suites.plans import DTYPES, INPUT, RunPlan
from converse.experiments.suites.user_operators import build_network, operator_file
from converse.experiments.trials import Trial, platform_class
from converse.metrics import Metric
from converse.nn.released_weights import RELEASED

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Job:
    """One trial with all that it needs.

    Attributes:
        plan: what is asked for.
        trial: its identity.
        train: training sets; none where weights are released.
        validation: images of the validation curve, if there are any.
        test: test sets.
        metrics: what is measured on each.
        kernels: the blur kernels of a task that has cases.
        weights: file of the released weights; ``None`` where there are none: to train, or to measure what networks are
            given.
        not_trained_on: which images of the training sets, and why, for the provenance.
        data_notes: what there is to say of images that are trained on and tested on.
        keeping: which of its outputs are kept.
    """

    plan: RunPlan
    trial: Trial
    train: tuple[ImageSet, ...]
    validation: ImageSet | None
    test: tuple[ImageSet, ...]
    metrics: tuple[Metric, ...]
    kernels: Mapping[str, npt.NDArray[np.float64]] | None = None
    weights: Path | None = None
    not_trained_on: Mapping[str, Sequence[str]] = field(default_factory=dict)
    data_notes: tuple[str, ...] = ()
    keeping: Keeping = field(default_factory=Keeping)

    def __str__(self) -> str:
        return self.plan.entry if self.plan.seed is None else f"{self.plan.entry} seed {self.plan.seed}"

    @property
    def task(self) -> Task:
        """The trial's task, with the blur kernels and the further noise levels at which it is measured."""
        whole = TASKS[self.plan.task]
        return replace(whole, cases=self.plan.kernels or whole.cases, noise_levels=self.plan.noise_levels)

    @property
    def of_input(self) -> bool:
        """Whether it measures what networks are given, and no network."""
        return self.plan.model == INPUT

    @property
    def steps(self) -> int:
        """Steps of training."""
        return 0 if self.plan.released else self.plan.training.steps

    def left(self, rows: Iterable[Row]) -> list[tuple[ImageSet, list[ImageJob]]]:
        """What these rows do not answer yet, set by set."""
        done = settled(rows, self.metrics)
        unfinished = []
        for images in self.test:
            if todo := image_jobs(self.task, images, self.metrics, done):
                unfinished.append((images, todo))
                done |= keys(todo)  # an image that lies in another set too is measured once
        return unfinished

    def unkept(self, folder: TrialFolder, rows: Iterable[Row]) -> list[ImageJob]:
        """Measured images whose output somebody asks to be kept, and that is not.

        Args:
            folder: of the trial.
            rows: of the trial; what could not be measured cannot be kept.

        Raises:
            StoreError: what is kept cannot be read.
        """
        if not self.keeping.asked:
            return []
        keeper = Keeper(self.keeping, Outputs(folder), self.task)
        measured = {(row["case"], row["image_sha256"]) for row in rows if row["value"] == row["value"]}
        return [
            ImageJob(image, case, ())
            for images in self.test
            for case, image in keeper.lacking(images)
            if (case, image.sha256) in measured
        ]

    def build(self) -> nn.Module:
        """The network, on the CPU.

        Raises:
            OptionError: it cannot be built, or a user's operator cannot be imported.
        """
        return build_network(self.plan.model, self.plan.operator, self.plan.options)


def trained_trial(plan: RunPlan, train: Iterable[ImageSet], device: str, threads: int) -> Trial:
    """The identity of a trial that is trained on this machine.

    Args:
        plan: one with a seed.
        train: the training sets that the plan names.
        device: resolved, not ``auto``.
        threads: CPU threads that it computes with.

    Returns:
        The trial.

    Raises:
        DataError: the file of a user's operator cannot be read.
        OptionError: the module of a user's operator is not there.
    """
    file = operator_file(plan.operator) if plan.operator else None
    return Trial(
        task=plan.task,
        entry=plan.entry,
        source="trained",
        seed=plan.seed,
        budget=plan.budget,
        configuration=plan.configuration(),
        data=_checksums(train),
        operator_file=sha256_of(file) if file else None,
        platform=platform_class(device, DTYPES[plan.training.precision], threads=threads),
    )


def released_trial(entry: str, weights: str, device: str, threads: int) -> Trial:
    """The identity of a released network on this machine.

    Args:
        entry: a name in :data:`converse.nn.released_weights.RELEASED`.
        weights: SHA-256 of its checkpoint.
        device: resolved, not ``auto``.
        threads: CPU threads that it computes with.

    Returns:
        A trial without seed and budget.
    """
    released = RELEASED[entry]
    return Trial(
        task=released.task,
        entry=entry,
        source="released",
        seed=None,
        budget=None,
        configuration={"model": released.model, "operator": released.operator, "options": dict(released.options)},
        data={},
        weights=weights,
        platform=platform_class(device, threads=threads),
    )


def input_trial(task: Task) -> Trial:
    """The identity of a trial of no network: what networks of the task are given, the same on all machines.

    Args:
        task: how images are degraded.

    Returns:
        A trial without weights, seed and budget, which is kept among those of released networks.
    """
    return Trial(
        task=task.name,
        entry=task.given,
        source="released",
        seed=None,
        budget=None,
        configuration={"model": INPUT, "operator": None, "options": {}},
        data={},
        platform={"device": "cpu"},
    )


def _checksums(train: Iterable[ImageSet]) -> dict[str, str]:
    """Training set → its SHA-256; of folders with the same name and different images the second is numbered."""
    by_name: dict[str, list[str]] = {}
    for images in train:
        by_name.setdefault(images.name, []).append(images.sha256)
    by_label: dict[str, str] = {}
    for name, checksums in by_name.items():
        several = checksums if len(set(checksums)) > 1 else checksums[:1]
        by_label |= {
            name if number == 1 else f"{name} ({number})": checksum for number, checksum in enumerate(several, 1)
        }
    return by_label
