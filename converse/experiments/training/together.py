"""One training by several processes of one machine, each with a device: what they have in common in each step.

Each process has the whole network, takes its part of batch t, and the gradients are averaged: with parts of equal size
that is the gradient of the whole batch, but for the order in which sums are taken. It is torch's own
``DistributedDataParallel``: over NCCL on GPUs, over gloo on CPUs. What layers draw themselves, dropout for one, each
process draws for its part from the same stream.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from converse.errors import OptionError

_PATIENCE: Final = timedelta(minutes=30)  # a first step may be compiled


@contextlib.contextmanager
def joined(rank: int, count: int, meeting: Path, device: str) -> Iterator[None]:
    """Be one of several processes that train together.

    Args:
        rank: which one, from 0.
        count: how many.
        meeting: a file that is not there yet, by which they find each other.
        device: where this one computes.
    """
    kind = device.partition(":")[0]
    before = os.environ.get("GLOO_SOCKET_IFNAME")
    if before is None and sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # all are on this machine, whose name may not resolve
    try:
        dist.init_process_group(
            "nccl" if kind == "cuda" else "gloo",
            init_method=f"file://{meeting.resolve()}",
            rank=rank,
            world_size=count,
            timeout=_PATIENCE,
        )
        yield
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
        if before is None:
            os.environ.pop("GLOO_SOCKET_IFNAME", None)


def device_of(rank: int, device: str, count: int) -> str:
    """The device of one of several processes.

    Args:
        rank: which one.
        device: ``cpu`` or ``cuda``.
        count: how many there are.

    Raises:
        OptionError: this machine has not so many.
    """
    if device == "cpu":
        return device
    if device != "cuda":
        raise OptionError(f"--devices {count} takes the first {count} GPUs: --device cuda or cpu, got {device!r}")
    if count > torch.cuda.device_count():
        raise OptionError(f"--devices {count}: this machine has {torch.cuda.device_count()} CUDA devices")
    return f"cuda:{rank}"


def with_common_norms(model: nn.Module, device: str) -> nn.Module:
    """A network whose batch norms take mean and variance over the whole batch, and not over a part of it.

    Raises:
        OptionError: it has batch norms and learns on a CPU, where torch has none that are common to processes.
    """
    if not any(isinstance(module, _BatchNorm) for module in model.modules()):
        return model
    if not device.startswith("cuda"):
        raise OptionError(
            "a network with batch norm cannot be trained by several processes on CPUs: torch has a batch norm over all "
            "of them on GPUs alone; leave --devices out"
        )
    changed: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    return changed


def averaging(network: nn.Module, device: str) -> nn.Module:
    """A network whose gradients are averaged over the processes."""
    index = torch.device(device).index
    # Buffers are not sent around, for each process computes the same.
    return DistributedDataParallel(network, None if index is None else [index], broadcast_buffers=False)


def averaged_loss(loss: Tensor) -> Tensor:
    """The loss of the whole batch, from those of its parts."""
    whole = loss.detach().clone()
    dist.all_reduce(whole)
    return whole / dist.get_world_size()
