"""Transfer functions kept between evaluations: bounded in bytes, shared by all operators, safe under threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class _Entry:
    transfer: Tensor
    parameters: tuple[Tensor, ...]
    versions: tuple[int, ...]


def _version(parameter: Tensor) -> int:
    # A tensor made under inference mode has no version counter, and can't be changed in place outside of it.
    return -1 if parameter.is_inference() else parameter._version


def _snapshot(parameter: Tensor) -> Tensor:
    # On the CPU a copy, to compare by content: it also sees writes through `.data`, which raise no version. On a GPU
    # that comparison would wait for the device; there the storage is kept alive, so that its address can't be reused.
    return parameter.detach().clone() if parameter.device.type == "cpu" else parameter.detach()


def _unchanged(entry: _Entry, parameters: tuple[Tensor, ...]) -> bool:
    for kept, version, now in zip(entry.parameters, entry.versions, parameters, strict=True):
        if kept.device != now.device or kept.dtype != now.dtype or kept.shape != now.shape:
            return False
        if now.device.type == "cpu":
            if not torch.equal(kept, now):
                return False
        elif kept.data_ptr() != now.data_ptr() or version != _version(now):
            return False
    return True


class TransferCache:
    """One transfer function per (module, key), within a limit of bytes.

    When room is needed, entries of other keys (other image sizes) go first. Entries of the same key never displace each
    other: a network visits its operators in turn, so evicting the oldest would empty the cache ahead of every visit.

    Args:
        limit: the most that is kept, in bytes; 0 keeps nothing.
        alone: one that is all that is kept may be so many times as large.
    """

    def __init__(self, limit: int, alone: int = 1) -> None:
        self.limit = limit
        self._alone = alone
        self._kept: WeakKeyDictionary[nn.Module, dict[Hashable, _Entry]] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._at_work = threading.local()

    @property
    def computing(self) -> bool:
        """Whether this thread computes what is to be kept: no later call will."""
        return getattr(self._at_work, "now", False)

    def get(
        self, module: nn.Module, key: Hashable, parameters: tuple[Tensor, ...], compute: Callable[[], Tensor]
    ) -> Tensor:
        """The kept transfer function of ``module`` for ``key``, or a new one if a parameter has changed.

        On a GPU a write through ``parameter.data`` in evaluation mode can't be seen; call :meth:`forget` after it.
        """
        with self._lock:
            entry = self._kept.get(module, {}).get(key)
        if entry is not None and _unchanged(entry, parameters):
            return entry.transfer
        self._at_work.now = True
        try:
            transfer = compute()
        finally:
            self._at_work.now = False
        entry = _Entry(transfer, tuple(map(_snapshot, parameters)), tuple(map(_version, parameters)))
        with self._lock:
            self._kept.setdefault(module, {}).pop(key, None)
            if self._make_room(key, transfer.nbytes):
                self._kept[module][key] = entry
        return transfer

    def keeps(self, module: nn.Module, key: Hashable, nbytes: int) -> bool:
        """Whether the transfer function of ``module`` for ``key`` is kept, or would be: other keys make room."""
        with self._lock:
            same = sum(
                entries[key].transfer.nbytes
                for other, entries in self._kept.items()
                if key in entries and other is not module
            )
        return self._fits(same, nbytes)

    def forget(self, module: nn.Module) -> None:
        """Drop what is kept for ``module``."""
        with self._lock:
            self._kept.pop(module, None)

    @property
    def nbytes(self) -> int:
        """Bytes of the transfer functions that are kept now."""
        with self._lock:
            return self._total()

    def _total(self) -> int:
        return sum(entry.transfer.nbytes for entries in self._kept.values() for entry in entries.values())

    def _make_room(self, key: Hashable, needed: int) -> bool:
        total = self._total()
        for entries in list(self._kept.values()):
            for other in [other for other in entries if other != key]:
                if self._fits(total, needed):
                    return True
                total -= entries.pop(other).transfer.nbytes
        return self._fits(total, needed)

    def _fits(self, kept: int, needed: int) -> bool:
        return kept + needed <= self.limit * (1 if kept else self._alone)


TRANSFERS = TransferCache(limit=48 * 2**20, alone=5)
"""The cache of every :class:`converse.nn.operators.Converse2D`; set ``TRANSFERS.limit`` to change its bound (48 MiB).

In a whole network a kept transfer function saves a fifth of an operator's time, and all of them would take more memory
than everything else. One operator by itself may have 240 MiB: 128 channels at 512² and more.
"""
