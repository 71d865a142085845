"""How networks start: what the parameters of each layer are before the first step.

The authors start their networks in two ways, and baselines in a third; what a start does to a comparison at small
budgets is larger than what the operator does (docs/findings.md). So a start is a setting, and twins share it.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from converse.nn.operators import Converse2D

Start = Literal["torch", "authors", "kair", "impulses"]
"""The starts that :func:`reset` knows."""


def reset(module: nn.Module, start: Start) -> None:
    """Draw the parameters that a module itself owns, not those of modules in it.

    - ``torch``: as the module's class draws them.
    - ``authors``: of convolutions, transposed convolutions and linear layers, weights from a normal distribution of
      deviation 0.02 and biases 0 (the authors' code of Conv-, ConvT- and Converse-DnCNN and -SRResNet). All else as its
      class draws it: kernels of reverse convolution by softmax over Gaussian values, norms 1 and 0.
    - ``kair``: of the same layers, and of reverse convolution's kernels, weights orthogonal with gain 0.2 and biases 0;
      weights of batch normalisation uniform in [0.1, 1] (KAIR, the training code of the authors' group).
    - ``impulses``: as ``torch``, but the kernels that Conv- and Converse-USRNet make are unit impulses, whatever the
      blur kernel.

    Args:
        module: any; one without parameters of its own, and without ``reset_parameters``, stays as it is.
        start: which of them.
    """
    own: Any = module  # whose attributes depend on its kind
    mixes = isinstance(module, _ConvNd | nn.Linear)
    if start == "authors" and mixes:
        _set(own, lambda weight: nn.init.trunc_normal_(weight, std=0.02))
    elif start == "kair" and (mixes or isinstance(module, Converse2D)):
        _set(own, lambda weight: nn.init.orthogonal_(weight, gain=0.2))
    elif start == "kair" and isinstance(module, _BatchNorm) and module.affine:
        _set(own, lambda weight: nn.init.uniform_(weight, 0.1, 1.0))
    elif start == "impulses" and hasattr(module, "reset_to_impulses"):
        own.reset_to_impulses()
    elif hasattr(module, "reset_parameters"):
        own.reset_parameters()


def _set(module: Any, draw: Any) -> None:
    draw(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
