"""Networks of finished trials, built again for what a report shows of them; and what they make of one image."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from converse.data.catalogue import datasets
from converse.data.resources import Absent, Resources
from converse.errors import ConverseError, StoreError
from converse.experiments.store import files

if TYPE_CHECKING:
    from torch import nn

    from converse.data.images import ImageFile
    from converse.data.tasks import Task
    from converse.experiments.running.apart import Tell
    from converse.experiments.training.interruption import Stop
    from converse.reporting.inputs.material import TrialMaterial

RESTORED: Final = "restored"
"""Folder beside a report's page: images that it has shown, which need not be restored again."""

_LIMIT: Final = 120.0
"""Seconds that a user's operator may take for one image."""

Image = npt.NDArray[np.uint8]


class Lacking(Exception):
    """What a network needs is not at hand; the message says what.

    Attributes:
        command: that gets it; empty where there is none.
    """

    def __init__(self, message: str, fetch: str = "") -> None:
        super().__init__(message)
        self.command = f"converse data fetch {fetch}" if fetch else ""


class Networks:
    """Builds each network once.

    Args:
        resources: finds released weights and images; should not fetch.
        kept: folder of restored images; made if need be. ``None``: each is restored anew.
        own: operators of users whose code may be run, because whoever asks has named them: name in the configuration of
            a trial → ``path/to/file.py:Class``.
        compute: whether images may be restored now; otherwise they are those that are kept, here or in the store.

    Attributes:
        shown: names of the files in that folder which this report shows.
    """

    def __init__(
        self,
        resources: Resources,
        kept: Path | None = None,
        own: Mapping[str, str] | None = None,
        *,
        compute: bool = True,
    ) -> None:
        self.resources = resources
        self.compute = compute
        self.kept = kept
        self.own = own or {}
        self.shown: list[str] = []
        self._built: dict[str, nn.Module] = {}

    def network(self, material: TrialMaterial) -> nn.Module:
        """The network of a trial with its final weights, on the CPU.

        Raises:
            Lacking: they are not at hand.
        """
        key = material.trial.id
        if key not in self._built:
            self._built[key] = self._build(material)
        return self._built[key]

    def _build(self, material: TrialMaterial) -> nn.Module:
        from converse.nn.released import read_released
        from converse.nn.released_weights import RELEASED

        trial = material.trial
        if trial.source == "released":
            for released in RELEASED.values():
                catalogued = datasets()[released.dataset]
                if any(one.name == released.file and one.sha256 == trial.weights for one in catalogued.files):
                    weights_file = self.resources.weights(released.dataset, released.file)
                    if isinstance(weights_file, Absent):
                        raise Lacking(weights_file.reason.partition(":")[0], weights_file.fetch)
                    return read_released(released.entry, weights_file[0]).eval()
            raise Lacking(f"{trial.entry}: no released file has the checksum {str(trial.weights)[:12]}")
        return _trained(material)

    def restored(
        self,
        material: TrialMaterial,
        task: Task,
        image: ImageFile,
        pixels: Image,
        case: str | None,
        kernel: npt.NDArray[np.float64] | None,
    ) -> Image:
        """What the network makes of an image: as the store has it, or beside the page, or computed and kept there.

        Nothing is written into a store.

        Raises:
            Lacking: it is not kept and may not be computed, its weights are not at hand, or it does not take the image.
        """
        from PIL import Image as Pillow

        from converse.data.opening import opened, own_png
        from converse.experiments.evaluation.images import restored
        from converse.experiments.running.apart import Ended, apart
        from converse.experiments.store.outputs import Outputs
        from converse.metrics import NotMeasured

        with contextlib.suppress(StoreError, OSError, ValueError, SyntaxError):
            outputs = Outputs(material.folder)
            whole = outputs.kept().get((image.sha256, case))
            if whole is not None and whole.window is None:
                return own_png(outputs.read(whole))
        name = f"{material.trial.id}-{image.sha256[:16]}{f'-{case}' if case else ''}.png"
        if self.kept is not None:
            self.shown.append(name)
            with contextlib.suppress(ConverseError, OSError, ValueError, SyntaxError), opened(self.kept / name) as kept:
                array = np.asarray(kept)
                return array if array.ndim == 3 else array[:, :, None]
        if not self.compute:
            lacking = Lacking(f"what {material.trial.entry} made of {image.name} is not kept")
            lacking.command = "converse report --compute-images"
            raise lacking
        try:
            operator = self.own.get(material.trial.configuration.get("operator", ""))
            if operator is not None:
                output = apart(partial(_restored_apart, operator, material, task, pixels, kernel), limit=_LIMIT)
            else:
                output = restored(self.network(material), task, pixels, kernel)[1]
        except (NotMeasured, ConverseError, Ended) as error:
            raise Lacking(f"{material.trial.entry} on {image.name}: {error}") from error
        if self.kept is not None:
            buffer = io.BytesIO()
            Pillow.fromarray(output[:, :, 0] if output.shape[2] == 1 else output).save(buffer, "PNG")
            with files.explained(self.kept, "make"):
                files.make_folder(self.kept)
            files.write_bytes(self.kept / name, buffer.getvalue())
        return output


def _trained(material: TrialMaterial, own: str | None = None) -> nn.Module:
    """The network of a trained trial.

    Args:
        material: of the trial.
        own: the user's operator that stands in it, whose code is run.

    Raises:
        Lacking: its weights are not kept, or it cannot be built.
    """
    import torch

    from converse.experiments.suites.user_operators import build_network
    from converse.experiments.training.checkpoints import Checkpoints
    from converse.nn.models import create_model

    trial = material.trial
    try:
        weights = Checkpoints(material.folder).kept_weights()
    except ConverseError as error:
        raise Lacking(f"{trial.entry}: {error}") from error
    if weights is None:
        raise Lacking(f"{trial.entry}: the store has no weights of trial {trial.id}")
    made = trial.configuration
    try:
        with torch.random.fork_rng(devices=[]):
            if own is not None:
                model = build_network(made["model"], own, made["options"])
            else:  # a store may come from anybody: registered operators alone, and no code that it names
                model = create_model(made["model"], made["operator"], **made["options"])
        model.load_state_dict(weights)
    except (ConverseError, RuntimeError, KeyError) as error:  # KeyError: an older configuration
        raise Lacking(f"{trial.entry}: trial {trial.id} cannot be built again: {error}") from error
    return model.eval()


def _restored_apart(
    operator: str,
    material: TrialMaterial,
    task: Task,
    pixels: Image,
    kernel: npt.NDArray[np.float64] | None,
    *,
    tell: Tell,
    stop: Stop,
) -> Image:
    from converse.experiments.evaluation.images import restored

    return restored(_trained(material, operator), task, pixels, kernel)[1]
