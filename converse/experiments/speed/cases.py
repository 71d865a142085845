"""What a suite of speed compares, as values: subjects, and the case that all of them share. Nothing is built here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from converse.experiments.store.speed_rows import CASE_COLUMNS, CaseColumns, Dtype, Pass

LITERAL: Final = "literal"
"""Name of the formula as it was released, evaluated literally."""
HALF_SPECTRUM: Final = "half-spectrum"
"""Name of the transfer form in plain PyTorch, half spectra and nothing else that makes it fast."""
LIMIT: Final = "fft-pair"
"""Name of the limit: the transforms without which reverse convolution can't be had, and nothing else."""
YARDSTICK: Final = "yardstick"
"""Name of the fixed piece of plain torch, to which times are ratios that can be kept."""


@dataclass(frozen=True)
class Subject:
    """An operator or a network.

    Attributes:
        name: as tables have it.
        kind: an operator, a network, or the limit; the yardstick is of the kind of those that are held against it.
        operator: a registered one, a reference (:data:`LITERAL`, :data:`HALF_SPECTRUM`, :data:`LIMIT`,
            :data:`YARDSTICK`) or a class of the user's; or that in a network's blocks.
        model: a key of ``MODELS``.
        options: of the operator, or of the model.
        formula: takes the place of reverse convolution in the network, :data:`LITERAL` or :data:`HALF_SPECTRUM`;
            ``None`` leaves it there.
        library: the folder in which the package ``converse`` lies whose operators and networks are meant; ``None`` for
            this one.
    """

    name: str
    kind: Literal["operator", "network", "limit"]
    operator: str | None = None
    model: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    formula: str | None = None
    library: str | None = None


@dataclass(frozen=True)
class Case:
    """What the subjects that are compared share.

    Attributes:
        sweep: the name of the sweep that it belongs to.
        pass_: what is done in one call: ``evaluation`` (what can be kept is kept), ``forward`` (in training mode,
            without gradients), ``forward+backward`` (gradients of input and parameters), or ``step`` (a whole step of
            training).
        channels: C of an operator, or of a network's image.
        kernel_size: k of an operator; ``None`` for networks, which have their own.
        scale: s.
        batch: N.
        height: H of the input.
        width: W of the input.
        dtype: float32, or autocast to bfloat16.
        compiled: whether the module goes through ``torch.compile``.
    """

    sweep: str
    pass_: Pass
    channels: int
    kernel_size: int | None
    scale: int
    batch: int
    height: int
    width: int
    dtype: Dtype = "float32"
    compiled: bool = False

    @property
    def padding(self) -> int | None:
        """Samples that reverse convolution adds on each side, k - 1."""
        return None if self.kernel_size is None else self.kernel_size - 1

    def columns(self) -> CaseColumns:
        """The columns of a row that say which case it is."""
        return cast(CaseColumns, {name: getattr(self, "pass_" if name == "pass" else name) for name in CASE_COLUMNS})
