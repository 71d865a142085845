"""How far float32 is from float64 in reverse convolution, ours and the literal formula, as λ becomes small."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from converse.nn.functional import converse2d
from converse.nn.literal import literal_converse2d

if TYPE_CHECKING:
    import pandas as pd

LAMBDAS: Final = tuple(10.0 ** (exponent / 2) for exponent in range(-14, -1))
"""From 1e-7 to 0.1; a freshly initialised layer has 1.3e-4."""

SHAPE: Final = (1, 8, 64, 64)
KERNEL_SIZE: Final = 5
SCALES: Final = (1, 2)

ERROR_COLUMNS: Final = ("scale", "lam", "formula", "error")
"""The columns of a table of errors."""


def operator_error() -> pd.DataFrame:
    """The largest error of float32, relative to the largest value, on random input.

    The reference is the literal formula in float64. Input is standard normal, kernels are a softmax of standard normal
    numbers; all drawn from one seed.

    Returns:
        A frame with :data:`ERROR_COLUMNS`: scale, λ, ``ours`` or ``literal``, the error.
    """
    import pandas as pd

    generator = torch.Generator().manual_seed(0)
    y = torch.randn(SHAPE, generator=generator)
    kernels = torch.randn((1, SHAPE[1], KERNEL_SIZE**2), generator=generator).softmax(-1)
    weight = kernels.view(1, SHAPE[1], KERNEL_SIZE, KERNEL_SIZE)
    errors = []
    with torch.inference_mode():
        for scale in SCALES:
            for value in LAMBDAS:
                lam = torch.full((1, 1, 1, 1), value)
                reference = literal_converse2d(y.double(), weight.double(), lam.double(), scale)
                for formula, output in (
                    ("ours", converse2d(y, weight, lam, scale=scale)),
                    ("literal", literal_converse2d(y, weight, lam, scale)),
                ):
                    error = float((output.double() - reference).abs().max() / reference.abs().max())
                    errors.append((scale, value, formula, error))
    return pd.DataFrame(errors, columns=list(ERROR_COLUMNS))
