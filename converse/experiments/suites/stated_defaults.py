"""One spelling per network: an option that states what would be there anyway is the same as none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converse.experiments.suites.vocabulary import Signature, block_design, models, operators


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
