"""Networks that are the same class of functions: what two of them differ by is what chance does in a study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from converse.experiments.suites.tables import Contrast
from converse.experiments.suites.vocabulary import models
from converse.experiments.trials import canonical_json

NOISE_FLOOR: Final = "noise floor: the same class of functions, so that this is what chance does here"
"""The reason of a difference without a verdict: there is nothing to find."""

_MIRRORED: Final = ("conv", "convt")

Configuration = Mapping[str, Any]


def noise_floor(configurations: Mapping[str, Configuration]) -> tuple[Contrast, ...]:
    """Pairs of entries that differ in nothing but the side from which a kernel is read.

    With stride 1 and the same padding, depthwise transposed convolution is depthwise convolution with the kernel turned
    by 180°, and both kernels start from the same distribution. Networks use the operator of their blocks with stride 1
    alone; what doubles sides is another option, which may depend on the operator where it is left out.

    Args:
        configurations: entry → its resolved configuration
            (:meth:`converse.experiments.suites.plans.RunPlan.configuration`).

    Returns:
        Transposed − plain, one pair for each class that has both, in the order of the entries.
    """
    found: dict[str, dict[str, str]] = {}
    for entry, configuration in configurations.items():
        operator = configuration.get("operator")
        if operator in _MIRRORED:
            found.setdefault(canonical_json(_but_operator(configuration)), {}).setdefault(operator, entry)
    return tuple(Contrast(one["convt"], one["conv"], one["convt"]) for one in found.values() if len(one) > 1)


def _but_operator(configuration: Configuration) -> dict[str, Any]:
    """All else, with what the operator stands for where an option is left out."""
    options = configuration.get("options") or {}
    signature = models().get(str(configuration.get("model")))
    implied = signature.implied({**options, "operator": configuration["operator"]}) if signature else {}
    written = {name: value for name, value in implied.items() if options.get(name) is None}
    return {**configuration, "operator": None, "options": {**options, **written}}
