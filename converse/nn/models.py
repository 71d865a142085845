"""The networks by name."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from converse.errors import OptionError, unknown
from converse.nn.dncnn import BlockDnCNN, DnCNN
from converse.nn.operators import OperatorClass
from converse.nn.resunet import USRNet
from converse.nn.srresnet import BlockSRResNet, SRResNet
from converse.nn.usrnet import BlockNet, BlockUSRNet

MODELS: dict[str, type[nn.Module]] = {
    "dncnn": DnCNN,
    "block-dncnn": BlockDnCNN,
    "srresnet": SRResNet,
    "block-srresnet": BlockSRResNet,
    "block-net": BlockNet,
    "block-usrnet": BlockUSRNet,
    "usrnet": USRNet,
}
"""The networks that a suite may name; those with ``block`` in their name take an operator."""


def model_options(model: str) -> frozenset[str]:
    """The names of the options that a network takes (``operator`` is not among them).

    Raises:
        OptionError: no such network.
    """
    if model not in MODELS:
        raise OptionError(unknown("model", model, MODELS))
    return frozenset(inspect.signature(MODELS[model]).parameters) - {"operator"}


def takes_operator(model: str) -> bool:
    """Whether a network has a place for an operator.

    Raises:
        OptionError: no such network.
    """
    if model not in MODELS:
        raise OptionError(unknown("model", model, MODELS))
    return "operator" in inspect.signature(MODELS[model]).parameters


def list_models() -> list[str]:
    """The names that :func:`create_model` takes, in the order of the paper's tables.

    Example:
        >>> from converse import list_models
        >>> list_models()
        ['dncnn', 'block-dncnn', 'srresnet', 'block-srresnet', 'block-net', 'block-usrnet', 'usrnet']
    """
    return list(MODELS)


def create_model(model: str, operator: str | OperatorClass | None = None, **options: Any) -> nn.Module:
    """Build a network by its name.

    Args:
        model: a name of :func:`list_models`.
        operator: for networks with blocks: a name in :data:`converse.nn.operators.OPERATORS`, or a class with the same
            arguments; ``None`` for other networks.
        options: arguments of the network's class.

    Returns:
        The network in training mode, with freshly drawn parameters.

    Raises:
        OptionError: an unknown network, operator or option, a value that the network refuses, or an operator where
            there is no place for one.

    Example:
        >>> import torch
        >>> from converse import create_model
        >>> network = create_model("block-dncnn", "converse", features=8, blocks=2).eval()
        >>> network(torch.rand(1, 1, 24, 32)).shape
        torch.Size([1, 1, 24, 32])
    """
    known = model_options(model)
    for name in options:
        if name not in known:
            raise OptionError(unknown(f"option of model {model!r}", name, known))
    if operator is not None:
        if not takes_operator(model):
            raise OptionError(f"model {model!r} takes no operator, got {operator!r}")
        options["operator"] = operator
    try:
        return MODELS[model](**options)
    except (TypeError, ValueError) as error:
        raise OptionError(f"model {model!r}: {error}") from error


def parameter_count(module: nn.Module) -> int:
    """How many real numbers a module learns: a shared parameter counts once, a complex one twice its numbers."""
    return sum(parameter.numel() * (2 if parameter.is_complex() else 1) for parameter in module.parameters())
