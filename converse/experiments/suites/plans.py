"""What there is to do: one entry, one seed, one budget, with every table of the suite merged."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, NamedTuple

from converse.experiments.suites.settings import TrainingSettings, Validation
from converse.experiments.suites.stated_defaults import resolved_options

_WATCHING = {"validate_every", "checkpoint_every"}
"""Settings that look at the training and leave the weights alone."""


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

    def configuration(self) -> dict[str, Any]:
        """What the weights follow from, beside the seed and the checksums of data and files.

        Names of suite, entry and budget are not in it, nor what only watches: test sets, validation, checkpoints. Of a
        path only the last part is in it, since the checksum of what lies there counts. To state a default changes
        nothing (:func:`converse.experiments.suites.stated_defaults.resolved_options`).

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


def _last_part(name: str) -> str:
    return PurePath(name).name
