"""Networks: tensors in, tensors out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converse.lazy import lazy

if TYPE_CHECKING:
    from converse.nn.blocks import Block as Block
    from converse.nn.blocks import BlockDesign as BlockDesign
    from converse.nn.functional import converse1d as converse1d
    from converse.nn.functional import converse2d as converse2d
    from converse.nn.models import create_model as create_model
    from converse.nn.models import list_models as list_models
    from converse.nn.operators import Converse2D as Converse2D
    from converse.nn.operators import DepthwiseConv2d as DepthwiseConv2d
    from converse.nn.operators import DepthwiseConvTranspose2d as DepthwiseConvTranspose2d

_HOME = {
    "Block": "converse.nn.blocks",
    "BlockDesign": "converse.nn.blocks",
    "Converse2D": "converse.nn.operators",
    "DepthwiseConv2d": "converse.nn.operators",
    "DepthwiseConvTranspose2d": "converse.nn.operators",
    "converse1d": "converse.nn.functional",
    "converse2d": "converse.nn.functional",
    "create_model": "converse.nn.models",
    "list_models": "converse.nn.models",
}

__all__ = [
    "Block",
    "BlockDesign",
    "Converse2D",
    "DepthwiseConv2d",
    "DepthwiseConvTranspose2d",
    "converse1d",
    "converse2d",
    "create_model",
    "list_models",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
