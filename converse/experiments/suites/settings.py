"""How one trial is trained and watched: every number of it, checked one by one and against each other."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from converse.experiments.suites.errors import refuse_inside
from converse.experiments.suites.fields import Dataset, Images


class Table(BaseModel):
    """A table of a suite file: no key that is not known, no bool for a number, no NaN, never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


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
        weight_decay: per step, times the learning rate (AdamW).
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
    precision: Literal["32", "bf16", "fp16"] = "32"
    ema: float = Field(default=0.0, ge=0, lt=1)
    compile: bool = False
    steps: Steps = 1
    patch: int = Field(default=64, ge=8, le=1024)
    batch: int = Field(default=16, ge=1, le=4096)
    validate_every: Every = 0
    checkpoint_every: Every = 0


class Validation(Table):
    """The images of the validation curve; nothing is chosen by it.

    Attributes:
        dataset: a dataset.
        images: the first so many of it, or all.
    """

    dataset: Dataset = Field(description="a dataset")
    images: Images | None = None


class TrainingSettings(TrainingTable):
    """The settings of one trial, complete and free of contradictions.

    Raises:
        pydantic.ValidationError: `steps` is missing, a value is out of its range, or two values contradict each other.
    """

    steps: Steps = Field(description="a number of steps, here or in [training]")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        found = _contradictions(self)
        if found:
            raise refuse_inside(found)
        return self


def _contradictions(settings: TrainingSettings) -> list[tuple[str, str]]:
    """Pairs of a key and what is wrong with it beside the other keys."""
    found: list[tuple[str, str]] = []
    steps, milestones = settings.steps, settings.milestones
    if settings.warmup > steps:
        found.append(("warmup", f"came {settings.warmup}; must be at most the number of steps, {steps}"))
    if settings.schedule == "step":
        if not milestones:
            found.append(("milestones", 'missing; the schedule "step" needs a list of steps, such as [1000, 2000]'))
        if any(b <= a for a, b in pairwise(milestones)):
            found.append(("milestones", f"came {list(milestones)}; each must be greater than the one before"))
        if milestones and max(milestones) >= steps:
            found.append(
                ("milestones", f"came {list(milestones)}; each must be less than the number of steps, {steps}")
            )
    elif milestones:
        text = (
            f'came {list(milestones)}; only the schedule "step" has milestones, and this one is "{settings.schedule}"'
        )
        found.append(("milestones", text))
    if settings.schedule == "cosine":
        if settings.final_lr > settings.lr:
            found.append(("final_lr", f"came {settings.final_lr}; must be at most lr, {settings.lr}"))
    elif settings.final_lr:
        text = f'only the schedule "cosine" has a final learning rate, and this one is "{settings.schedule}"'
        found.append(("final_lr", f"came {settings.final_lr}; {text}"))
    return found
