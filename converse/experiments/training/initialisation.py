"""First values of parameters, drawn layer by layer: layers that two networks share by name start equal."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from converse.data.streams import torch_seed


def initialised(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """Build a network and draw its parameters.

    Each module that owns parameters is reset under a seed that its name decides, so its values depend neither on the
    layers before it nor on their number. The state of torch's generator is left as it was.

    Args:
        build: makes the network, on the CPU.
        seed: of the stream ``initialisation``.

    Returns:
        The network. Modules that own parameters and have no ``reset_parameters()`` keep what they were built with,
        which the seed decides too.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(torch_seed(seed, "initialisation", ""))
        model = build()
        for name, module in model.named_modules():
            reset = getattr(module, "reset_parameters", None)
            if reset is not None and next(module.parameters(recurse=False), None) is not None:
                torch.default_generator.manual_seed(torch_seed(seed, "initialisation", name))
                reset()
    return model
