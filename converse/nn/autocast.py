"""Full precision inside a region that may stand under autocast."""

from __future__ import annotations

import contextlib

import torch


def without_autocast(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Switch autocast off for a device; nothing happens where the device has none (``meta``).

    Args:
        device: where the tensors of the region are.

    Returns:
        A context manager.
    """
    # Asked by name, since compilers trace a comparison of strings and not every query of torch.
    return contextlib.nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """The dtype to which autocast is switched on for a device; ``None`` where it is off, or the device has none."""
    if device.type == "meta" or not torch.is_autocast_enabled(device.type):
        return None
    return torch.get_autocast_dtype(device.type)
