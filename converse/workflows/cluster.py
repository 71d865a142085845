"""The Ray cluster that a request names."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from converse.experiments.running.ray_cluster import RayCluster
    from converse.workflows.request import Request


def cluster_of(request: Request) -> contextlib.AbstractContextManager[RayCluster | None]:
    """The cluster on which a request's trials run; ``None`` where that is this machine.

    Raises:
        OptionError: Ray is not installed, no cluster answers at the address, or its machines cannot run the trials.
    """
    if request.ray is None:
        return contextlib.nullcontext()
    from converse.experiments.running.ray_cluster import connected

    return connected(request.ray, request.device)
