"""Where and how torch computes while trials run: device, threads, determinism; all put back afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import torch

from converse.experiments.devices import resolve_device

_WORKSPACE: Final = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic with a fixed workspace alone
_CONFESSION: Final = re.compile(r"(\S+) does not have a deterministic implementation")


@dataclass(frozen=True)
class TorchSettings:
    """How torch is set.

    Attributes:
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads.
        not_deterministic: operations met so far that have no deterministic implementation on the device.
    """

    device: str
    threads: int
    not_deterministic: set[str] = field(default_factory=set)

    def with_threads(self, threads: int) -> TorchSettings:
        """Go on with another number of CPU threads; it is put back with all the rest."""
        torch.set_num_threads(threads)
        return replace(self, threads=threads)


@contextlib.contextmanager
def torch_settings(device: str, threads: int, *, deterministic: bool = True) -> Iterator[TorchSettings]:
    """Compute deterministically and in full float32.

    An operation that has no deterministic implementation on the device is not refused but noted.

    Args:
        device: as :func:`converse.experiments.devices.resolve_device` takes it.
        threads: CPU threads.
        deterministic: ask torch for deterministic algorithms alone. ``False`` for who keeps nothing that is computed,
            for this switch of torch's loads its compiler, which takes as long as torch itself. Convolutions are
            deterministic either way, so that they take as long.

    Yields:
        The settings, and what turned out not to be deterministic.

    Raises:
        OptionError: there is no such device.
    """
    here = TorchSettings(resolve_device(device), threads)
    before_threads, before_variable = torch.get_num_threads(), os.environ.get(_WORKSPACE[0])
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    before_fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    before_tf32 = torch.backends.cuda.matmul.allow_tf32
    try:
        os.environ.setdefault(*_WORKSPACE)
        torch.set_num_threads(threads)
        if deterministic:
            torch.use_deterministic_algorithms(True, warn_only=True)
        # Nothing here reads memory before it is written, and to fill it first costs a pass over each tensor.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        torch.backends.cuda.matmul.allow_tf32 = False
        with (
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
            _noting(here.not_deterministic),
        ):
            yield here
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before_tf32
        torch.utils.deterministic.fill_uninitialized_memory = before_fill  # type: ignore[attr-defined]
        if deterministic:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.set_num_threads(before_threads)
        if before_variable is None:
            os.environ.pop(_WORKSPACE[0], None)


@contextlib.contextmanager
def _noting(operations: set[str]) -> Iterator[None]:
    """Note torch's warnings about operations that are not deterministic; let all others pass."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", message=".*does not have a deterministic implementation")
        show = warnings.showwarning

        def note(message: Warning | str, *arguments: object, **options: object) -> None:
            confessed = _CONFESSION.search(str(message))
            if confessed:
                operations.add(confessed[1])
            else:
                show(message, *arguments, **options)  # type: ignore[arg-type]

        warnings.showwarning = note
        yield
