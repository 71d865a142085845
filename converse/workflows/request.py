"""What every request for trials says, whatever the trials are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from converse.experiments.running.ray_options import RayOptions
from converse.experiments.store.command_line import CommandLine, Value

if TYPE_CHECKING:
    from converse.experiments.evaluation.keeping import Keeping, Which

KEPT_MEGABYTES: Final = 256
"""Of outputs of a trial, where nobody says another number."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the user asks for.

    Attributes:
        entries: names of entries, or ``None`` for all.
        datasets: names of the catalogue and folders of images, or ``None`` for those of the suite or the paper.
        images: only the first N of each test set.
        store: the folder of the store.
        data_dir: a local folder with images and weights.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        threads: CPU threads, or ``None`` for all that may be used.
        devices: how many processes train one trial together, each with a device.
        retry_failed: run failed trials again.
        keep_images: which outputs are kept, of finished trials too; ``None`` for ``usual_keeping``, of what is measured
            now.
        usual_keeping: which outputs are kept where nobody asks.
        keep_limit: megabytes of outputs that are kept of each trial, at most.
        ray: the Ray cluster on which trials run; ``None`` for this machine alone.
    """

    entries: tuple[str, ...] | None = None
    datasets: tuple[str, ...] | None = None
    images: int | None = None
    store: Path = Path("runs")
    data_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    devices: int = 1
    retry_failed: bool = False
    keep_images: Which | None = None
    usual_keeping: Which = "crops"
    keep_limit: int = KEPT_MEGABYTES
    ray: RayOptions | None = None

    @property
    def keeping(self) -> Keeping:
        """What is kept of each trial."""
        from converse.experiments.evaluation.keeping import Keeping

        asked = self.keep_images is not None
        return Keeping(self.keep_images or self.usual_keeping, asked, self.keep_limit * 10**6)

    @property
    def own_device(self) -> str:
        """Where this process itself computes: a cluster has devices that it has not."""
        return self.device if self.ray is None else "cpu"

    @property
    def alone(self) -> bool:
        """Whether trials are carried out on this machine, one process for each: what its answers are kept for."""
        return self.ray is None and self.devices == 1

    def place(self) -> dict[str, Value]:
        """The options of a command that goes on where this request works: those that are not the usual ones."""
        usual = {field.name: field.default for field in fields(Request)}
        names = ("device", "threads", "data_dir", "store")
        chosen = {name: getattr(self, name) for name in names if getattr(self, name) != usual[name]}
        return {name: str(value) if isinstance(value, Path) else value for name, value in chosen.items()}

    def _line(self, command: str, argument: str, platform: Mapping[str, Any], **own: Value | None) -> CommandLine:
        """What asks for the same on such a machine.

        Args:
            command: ``run`` …
            argument: what stands behind it.
            platform: of the trials, with ``device`` and, on a CPU, ``threads``.
            own: options that only this command has.
        """
        return CommandLine(command, argument).changed(
            **own,
            only=self.entries or None,
            datasets=self.datasets or None,
            images=self.images,
            device=platform["device"] if self.device == "auto" else self.device,
            threads=platform.get("threads"),
            devices=self.devices if self.devices > 1 else None,
        )
