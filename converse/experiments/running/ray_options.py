"""What a user says of a Ray cluster."""

from __future__ import annotations

from dataclasses import dataclass

from converse.errors import OptionError


@dataclass(frozen=True)
class RayOptions:
    """A cluster, and how trials use it.

    Attributes:
        address: of its head, as Ray takes it: ``auto``, ``10.0.0.1:6379``; ``None`` for the variable ``RAY_ADDRESS``,
            or for Ray on this machine alone, which is then started.
        same_platform: refuse machines of another platform class than the first.
        gpus_per_trial: of each trial on a GPU: 1, or a fraction, and several share one.

    Raises:
        OptionError: there is no such share of a GPU.

    Example:
        >>> import converse
        >>> cluster = converse.RayOptions(address="10.0.0.1:6379", gpus_per_trial=0.25)
        >>> converse.run("denoising", engine=cluster)  # doctest: +SKIP
        >>> cluster.address
        '10.0.0.1:6379'
    """

    address: str | None = None
    same_platform: bool = False
    gpus_per_trial: float = 1.0

    def __post_init__(self) -> None:
        share = self.gpus_per_trial
        if not (0 < share <= 1 or (share > 1 and share == int(share))):
            raise OptionError(f"--gpus-per-trial must be above 0, and whole above 1, got {share:g}")
