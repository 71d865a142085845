"""A reproducibility benchmark and ablation suite for reverse convolution.

Names load when they are used (PEP 562), so that ``import converse`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from converse.lazy import lazy

if TYPE_CHECKING:
    from converse.experiments.running.ray_options import RayOptions as RayOptions
    from converse.experiments.store import Store as Store
    from converse.experiments.suites.suite import load_suite as load_suite
    from converse.metrics import psnr as psnr
    from converse.metrics import ssim as ssim
    from converse.nn.blocks import Block as Block
    from converse.nn.blocks import BlockDesign as BlockDesign
    from converse.nn.functional import converse1d as converse1d
    from converse.nn.functional import converse2d as converse2d
    from converse.nn.models import create_model as create_model
    from converse.nn.models import list_models as list_models
    from converse.nn.operators import Converse2D as Converse2D
    from converse.workflows.api import compare as compare
    from converse.workflows.api import load_released as load_released
    from converse.workflows.api import plan as plan
    from converse.workflows.api import report as report
    from converse.workflows.api import reproduce as reproduce
    from converse.workflows.api import run as run
    from converse.workflows.api import tune as tune
    from converse.workflows.api import verify as verify

__version__ = "0.1.0"

_HOME = {
    "Block": "converse.nn.blocks",
    "BlockDesign": "converse.nn.blocks",
    "Converse2D": "converse.nn.operators",
    "RayOptions": "converse.experiments.running.ray_options",
    "Store": "converse.experiments.store",
    "compare": "converse.workflows.api",
    "converse1d": "converse.nn.functional",
    "converse2d": "converse.nn.functional",
    "create_model": "converse.nn.models",
    "list_models": "converse.nn.models",
    "load_released": "converse.workflows.api",
    "load_suite": "converse.experiments.suites.suite",
    "plan": "converse.workflows.api",
    "psnr": "converse.metrics",
    "report": "converse.workflows.api",
    "reproduce": "converse.workflows.api",
    "run": "converse.workflows.api",
    "ssim": "converse.metrics",
    "tune": "converse.workflows.api",
    "verify": "converse.workflows.api",
}

__all__ = [
    "Block",
    "BlockDesign",
    "Converse2D",
    "RayOptions",
    "Store",
    "__version__",
    "compare",
    "converse1d",
    "converse2d",
    "create_model",
    "list_models",
    "load_released",
    "load_suite",
    "plan",
    "psnr",
    "report",
    "reproduce",
    "run",
    "ssim",
    "tune",
    "verify",
]

__getattr__, __dir__ = lazy(__name__, _HOME, "__version__")
