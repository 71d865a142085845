"""What there is to do: one entry, one seed, one budget, with every table of the suite merged.

First how one trial is trained and watched: every number of it, checked one by one and against each other. Then the
plan, and the one spelling of it from which its identity follows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from converse.counted import agreeing, counted
from converse.experiments.suites.errors import refuse, refuse_inside
from converse.experiments.suites.vocabulary import (
    Dataset,
    Images,
    Signature,
    Table,
    block_design,
    models,
    operators,
)

INPUT: Final = "input"
"""Stands where plans have the name of a network: what networks are given is measured, and none is built."""

MOST_TRIALS: Final = 10_000
"""Entries that are trained, times seeds. Each trial has a folder of its own."""

_WATCHING = {"validate_every", "checkpoint_every"}
"""Settings that look at the training and leave the weights alone."""

Precision = Literal["32", "bf16", "fp16"]
DTYPES: Final[Mapping[Precision, str]] = {"32": "float32", "bf16": "bfloat16", "fp16": "float16"}
"""Precision as a suite spells it → torch's name of the type, as identities and rows of speed have it."""

# TOML has lists where we have tuples; the items stay strict.
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Beta, Beta], Field(strict=False)]
Milestones = Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(strict=False)]
Steps = Annotated[int, Field(ge=1, le=100_000_000)]
Every = Annotated[int, Field(ge=0, le=100_000_000)]


class TrainingTable(Table):
    """Training settings, any of them left out: ``[training]``, a budget's, an entry's.

    What a table leaves out it does not override; `model_fields_set` tells. The settings of a trial are merged from
    three such tables into a `TrainingSettings`.

    Attributes:
        optimiser: AdamW decays weights apart from the gradient, Adam adds the decay to it.
        lr: highest learning rate, after the warm-up.
        betas: decay of the two running means of Adam.
        start: what layers start as: ``torch``, ``authors``, ``kair`` or ``impulses``
            (:func:`converse.nn.starts.reset`).
        weight_decay: per step, times the learning rate (AdamW); of weights that mix channels alone
            (:func:`converse.experiments.training.learner.decayed`).
        warmup: steps over which the learning rate rises linearly from 0 to `lr`.
        schedule: after the warm-up; ``constant``, ``step`` (times `gamma` at each of `milestones`), or ``cosine``
            (half a cosine from `lr` down to `final_lr` at the last step).
        milestones: steps, counted from the start of training, for ``step`` alone.
        gamma: factor at each milestone.
        final_lr: learning rate at the last step, for ``cosine`` alone.
        loss: mean absolute (``l1``) or mean squared (``l2``) difference, on images in [0, 1].
        clip: largest norm of the whole gradient; 0 clips nothing.
        precision: ``32``, or autocast to ``bf16`` or ``fp16``; transforms stay float32.
        ema: decay of the running mean of the weights that is evaluated in their place; 0 keeps none.
        compile: train through `torch.compile`.
        steps: optimiser steps.
        patch: side of a square training patch, in pixels of the target image.
        batch: patches per step.
        validate_every: steps between two points of the validation curve; 0 draws none.
        checkpoint_every: steps between two checkpoints from which training can be continued; 0 keeps the last alone.
    """

    start: Literal["torch", "authors", "kair", "impulses"] = "torch"
    optimiser: Literal["adamw", "adam"] = "adamw"
    lr: float = Field(default=1e-3, gt=0, le=1)
    betas: Betas = (0.9, 0.999)
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    warmup: Every = 0
    schedule: Literal["constant", "step", "cosine"] = "cosine"
    milestones: Milestones = ()
    gamma: float = Field(default=0.5, gt=0, le=1)
    final_lr: float = Field(default=0.0, ge=0, le=1)
    loss: Literal["l1", "l2"] = "l1"
    clip: float = Field(default=0.0, ge=0)
    precision: Precision = "32"
    ema: float = Field(default=0.0, ge=0, lt=1)
    compile: bool = False
    steps: Steps = 1
    patch: int = Field(default=64, ge=8, le=1024)
    batch: int = Field(default=16, ge=1, le=4096)
    validate_every: Every = 0
    checkpoint_every: Every = 0


class Validation(Table):
    """The images of the validation curve, of one of two kinds; nothing is chosen by it.

    Attributes:
        dataset: a dataset of its own.
        cut: so many images that are held out of the training sets, by the rule of `converse.data.splits.hold_out`.
        images: the first so many of either, or all.
    """

    dataset: Dataset | None = None
    cut: Images | None = None
    images: Images | None = None

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if (self.dataset is None) == (self.cut is None):
            raise refuse(
                "expected either dataset, images of their own, or cut, a number of images to hold out of the training "
                'sets: { cut = 4 } or { dataset = "set5" }'
            )
        return self


class TrainingSettings(TrainingTable):
    """The settings of one trial, complete and free of contradictions.

    Raises:
        pydantic.ValidationError: `steps` is missing, a value is out of its range, or two values contradict each other.
    """

    steps: Steps = Field(description="a number of steps, here or in [training]")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults = _contradictions(self)
        if faults:
            raise refuse_inside(faults)
        return self


def _contradictions(settings: TrainingSettings) -> list[tuple[str, str]]:
    """Pairs of a key and what is wrong with it beside the other keys."""
    faults: list[tuple[str, str]] = []
    steps, milestones = settings.steps, settings.milestones
    if settings.warmup > steps:
        faults.append(("warmup", f"came {settings.warmup}; must be at most the number of steps, {steps}"))
    if settings.schedule == "step":
        if not milestones:
            faults.append(("milestones", 'missing; the schedule "step" needs a list of steps, such as [1000, 2000]'))
        if any(b <= a for a, b in pairwise(milestones)):
            faults.append(("milestones", f"came {list(milestones)}; each must be greater than the one before"))
        if milestones and max(milestones) >= steps:
            faults.append(
                ("milestones", f"came {list(milestones)}; each must be less than the number of steps, {steps}")
            )
    elif milestones:
        text = (
            f'came {list(milestones)}; only the schedule "step" has milestones, and this one is "{settings.schedule}"'
        )
        faults.append(("milestones", text))
    if settings.schedule == "cosine":
        if settings.final_lr > settings.lr:
            faults.append(("final_lr", f"came {settings.final_lr}; must be at most lr, {settings.lr}"))
    elif settings.final_lr:
        text = f'only the schedule "cosine" has a final learning rate, and this one is "{settings.schedule}"'
        faults.append(("final_lr", f"came {settings.final_lr}; {text}"))
    return faults


class Variation(NamedTuple):
    """Where a plan stands in an ablation. It names things, and no weights follow from it.

    Attributes:
        ablation: name of the ablation.
        base: name of the base entry, in its own suite.
        label: of this value; that of the base entry is its name.
        changes: field → value, ``{"options.padding_mode": "zero"}``; empty for the base entry.
        published: table and row of ``reports/published.toml``, ``("ablation.padding", "zero")``, if there is one.
    """

    ablation: str
    base: str
    label: str
    changes: Mapping[str, Any]
    published: tuple[str, str] | None


class Point(NamedTuple):
    """What a plan tries of a grid of settings. It names things, and no weights follow from it.

    Attributes:
        entry: name of the entry that is tuned, in its own suite.
        settings: field → value, ``{"training.lr": 0.002}``.
    """

    entry: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class RunPlan:
    """One entry under one seed and one budget.

    Attributes:
        suite: name of the suite.
        entry: name of the entry.
        task: ``denoising``, ``super_resolution`` or ``deblurring``.
        model: for `create_model`.
        operator: for `create_model`; ``None`` for a model that has no place for one.
        options: for `create_model`.
        training: settings; unused where weights are released.
        train: training datasets: names of the catalogue, or absolute paths of folders.
        validation: images of the validation curve, if there is one.
        test: test datasets, as `train`.
        images: the first so many images of each test set, or all.
        budget: name of the budget.
        seed: of all streams, ≥ 0; ``None`` for released weights.
        released: name of the released weights; ``None`` to train.
        published: row of the published table; ``None`` where nothing is published.
        variation: where it stands in an ablation; ``None`` for a plan of another suite.
        point: what it tries of a grid; it is measured on validation images then. ``None`` for all other plans.
        leave_out: datasets whose images are not trained on, as `train`.
        overlap: why images may be trained on and tested on; empty where they may not.
        noise_levels: of test images beside the task's own, ascending, of 255.
        kernels: the blur kernels under which test images are measured, by case; empty for all that the task has.
    """

    suite: str
    entry: str
    task: str
    model: str
    operator: str | None
    options: Mapping[str, Any]
    training: TrainingSettings
    train: tuple[str, ...]
    validation: Validation | None
    test: tuple[str, ...]
    images: int | None
    budget: str
    seed: int | None
    released: str | None
    published: str | None
    variation: Variation | None = None
    point: Point | None = None
    leave_out: tuple[str, ...] = ()
    overlap: str = ""
    noise_levels: tuple[float, ...] = ()
    kernels: tuple[str, ...] = ()

    def configuration(self) -> dict[str, Any]:
        """What the weights follow from, beside the seed and the checksums of data and files.

        Names of suite, entry and budget are not in it, nor what only watches: test sets and their noise levels,
        validation, checkpoints. What validation cuts from the training sets changes their checksums. Of a path only the
        last part is in it, since the checksum of what lies there counts. To state a default changes nothing
        (:func:`resolved_options`).

        Returns:
            ``task, model, operator, options`` and, where weights are trained, ``train`` and ``training``; JSON-able.
        """
        resolved: dict[str, Any] = {
            "task": self.task,
            "model": self.model,
            "operator": _last_part(self.operator) if self.operator else None,
            "options": resolved_options(self.model, self.operator, self.options),
        }
        if not self.released:
            resolved["train"] = [_last_part(dataset) for dataset in self.train]
            resolved["training"] = self.training.model_dump(exclude=_WATCHING)
        plain: dict[str, Any] = json.loads(json.dumps(resolved, allow_nan=False))  # tuples become lists
        return plain


def too_many_trials(trained: int, seeds: int) -> str | None:
    """What to say of so many trained entries under so many seeds; ``None`` where they are not too many."""
    if trained * seeds <= MOST_TRIALS:
        return None
    return (
        f"{counted(seeds, 'seed')} for {trained:,} trained {agreeing(trained, 'entry', 'entries')} make "
        f"{counted(trained * seeds, 'trial')}; at most {MOST_TRIALS:,} "
        "are allowed: divide the suite, or take fewer seeds"
    )


def resolved_options(model: str, operator: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a network in the one spelling that stands for all that build the same.

    Args:
        model: a key of ``MODELS``.
        operator: a key of ``OPERATORS``, a user's operator by its path, or ``None``.
        options: as a suite has them, merged.

    Returns:
        The model's own options with its defaults written out. Of the tables in them (``operator_options``, ``design``)
        what differs from the defaults, and ``None`` where nothing does; of a user's operator, whose defaults are in its
        code, all. Whole numbers where a number is meant become numbers.
    """
    signature = models()[model]
    resolved = {**signature.defaults, **_typed(signature, options)}
    implied = signature.implied({**resolved, "operator": operator})
    if operator is not None and operator in operators() and "operator_options" in signature.options:
        own = operators()[operator]
        resolved["operator_options"] = _differing(own, resolved["operator_options"], own.implied(resolved))
    if "design" in signature.options:
        resolved["design"] = _differing(block_design(), resolved["design"], implied.get("design", {}))
    for name, value in implied.items():
        if resolved[name] == value:
            resolved[name] = None
    return resolved


def _differing(signature: Signature, given: Mapping[str, Any] | None, own: Mapping[str, Any]) -> dict[str, Any] | None:
    usual = {**signature.defaults, **own}
    typed = _typed(signature, given or {})
    return {name: value for name, value in typed.items() if name not in usual or value != usual[name]} or None


def _typed(signature: Signature, options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: signature.typed(name, value) for name, value in options.items()}


def _last_part(name: str) -> str:
    return PurePath(name).name
