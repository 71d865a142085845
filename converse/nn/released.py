"""The authors' checkpoints → our state dicts, by explicit key mapping and without running code from the file."""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from converse.counted import agreeing, counted
from converse.errors import CheckpointError, OptionError, unknown
from converse.nn.models import create_model

_BLOCK = {
    r"conv1\.0\.": "spatial.norm.",
    r"conv1\.1\.": "spatial.expand.",
    r"conv1\.3\.": "spatial.operator.",
    r"conv1\.5\.": "spatial.project.",
    r"conv2\.0\.": "channel.norm.",
    r"conv2\.1\.": "channel.expand.",
    r"conv2\.3\.": "channel.project.",
    r"alpha1$": "spatial.scale.alpha",
    r"alpha2$": "channel.scale.alpha",
}


@dataclass(frozen=True)
class Released:
    """A released checkpoint, and the network that it belongs to.

    Args:
        entry: the name of the row in the paper's tables.
        task: denoising, super_resolution or deblurring.
        model: a name in :data:`converse.nn.models.MODELS`.
        operator: a name in :data:`converse.nn.operators.OPERATORS`, or ``None``.
        options: what the checkpoint's architecture needs beyond the model's defaults.
        dataset: where the catalogue keeps the file.
        file: its name there.
        keys: regular expressions that map the start of a key of the file to that of our state dict.
    """

    entry: str
    task: str
    model: str
    operator: str | None
    options: Mapping[str, Any]
    dataset: str
    file: str
    keys: Mapping[str, str] = field(repr=False)

    def rename(self, key: str) -> str:
        """Our name for a key of the file; a key that no rule knows stays as it is."""
        for theirs, ours in self.keys.items():
            if match := re.match(theirs, key):
                head, rest = match.expand(ours), key[match.end() :]
                for part, name in _BLOCK.items():
                    if inner := re.match(part, rest):
                        return head + name + rest[inner.end() :]
                return head + rest
        return key


RELEASED: dict[str, Released] = {
    released.entry: released
    for released in (
        Released(
            "DnCNN",
            "denoising",
            "dncnn",
            None,
            {"normalisation": False},
            "dncnn_weights",
            "dncnn_25.pth",
            {r"model\.": "body."},
        ),
        Released(
            "Converse-DnCNN",
            "denoising",
            "block-dncnn",
            "converse",
            {"kernel_size": 7},
            "converse_weights",
            "converse_dncnn.pth",
            {r"m_head\.0\.": "head.", r"m_tail\.0\.": "tail.", r"m_body\.(\d+)\.": r"body.\1."},
        ),
        Released(
            "Converse-SRResNet",
            "super_resolution",
            "block-srresnet",
            "converse",
            {},
            "converse_weights",
            "converse_srresnet.pth",
            {
                r"conv_first\.": "head.",
                r"conv_body\.(\d+)\.": r"body.\1.",
                r"upconv1\.": "upsample.0.0.",
                r"up1\.": "upsample.0.1.",
                r"upconv2\.": "upsample.1.0.",
                r"up2\.": "upsample.1.1.",
                r"conv_hres\.": "refine.0.",
                r"conv_last\.": "tail.",
            },
        ),
        Released(
            "ConverseNet",
            "deblurring",
            "block-net",
            "converse",
            {},
            "converse_weights",
            "conversenet.pth",
            {r"conv1\.": "head.", r"conv2\.": "tail.", r"p\.m_body\.(\d+)\.": r"body.\1."},
        ),
        Released(
            "Converse-USRNet",
            "deblurring",
            "block-usrnet",
            "converse",
            {},
            "converse_weights",
            "converse_usrnet.pth",
            {
                r"conv1\.": "head.",
                r"conv2\.": "tail.",
                r"d\.alpha$": "data_step.bias",
                r"kernelnet\.fc1\.": "kernel_mlp.0.",
                r"kernelnet\.fc2\.": "kernel_mlp.2.",
                r"kernelnet\.fc3\.": "kernel_mlp.4.",
                r"convs\.(\d+)\.": r"kernel_mix.\1.",
                r"p\.m_body\.(\d+)\.": r"body.\1.",
            },
        ),
    )
}
"""The released checkpoints by the name of their row in the paper's tables."""


def released(entry: str) -> Released:
    """The released checkpoint of that entry.

    Raises:
        OptionError: nothing is released under that name.
    """
    if entry not in RELEASED:
        raise OptionError(unknown("released entry", entry, RELEASED))
    return RELEASED[entry]


def read_released(entry: str, path: Path) -> nn.Module:
    """Build the network of a released checkpoint and load its weights.

    Args:
        entry: a name in :data:`RELEASED`.
        path: the file as released.

    Returns:
        The network in evaluation mode, on the CPU, float32.

    Raises:
        OptionError: nothing is released under that name.
        CheckpointError: the file is missing, damaged, holds more than tensors, or is another network's.
    """
    description = released(entry)
    state = {description.rename(key): tensor for key, tensor in read_tensors(path).items()}
    model = create_model(description.model, description.operator, **description.options)
    expected = model.state_dict()
    missing = sorted(expected.keys() - state.keys())
    foreign = sorted(state.keys() - expected.keys())
    shapes = [
        f"{key} is {_say(state[key])} instead of {_say(expected[key])}"
        for key in expected.keys() & state.keys()
        if _form(state[key]) != _form(expected[key])
    ]
    if missing or foreign or shapes:
        problems = [
            *(
                [f"{counted(len(missing), 'tensor')} {agreeing(len(missing), 'is', 'are')} missing ({_first(missing)})"]
                if missing
                else []
            ),
            *([f"{len(foreign)} are not known to it ({_first(foreign)})"] if foreign else []),
            *([f"{len(shapes)} have another shape or type ({_first(sorted(shapes))})"] if shapes else []),
        ]
        raise CheckpointError(f"{path} does not hold the released weights of {entry}: {'; '.join(problems)}")
    model.load_state_dict(state)
    return model.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors of a PyTorch checkpoint, read without running code from the file.

    Raises:
        CheckpointError: the file is missing, is not a whole PyTorch checkpoint, or holds anything but named tensors.
    """
    damaged = f"{path} is not a whole PyTorch checkpoint: it is cut off, damaged or another kind of file"
    try:
        file = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
    try:
        content = torch.load(file, map_location="cpu", weights_only=True)
        intact = _is_intact(file)
    except Exception as error:  # what a damaged file raises depends on the byte where the damage lies
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            raise CheckpointError(f"{path} is no plain checkpoint: reading it would run code from the file") from error
        raise CheckpointError(damaged) from error
    if not intact:
        raise CheckpointError(damaged)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds {type(content).__name__} instead of named tensors")
    for name, value in content.items():
        if not (isinstance(name, str) and _is_plain(value)):
            raise CheckpointError(f"{path} holds {type(value).__name__} at {name!r} instead of named, plain tensors")
    return dict(content)


def _is_intact(file: io.BytesIO) -> bool:
    # torch.load compares no checksums; the older of PyTorch's two formats has none.
    if not zipfile.is_zipfile(file):
        return True
    with zipfile.ZipFile(file) as archive:
        return archive.testzip() is None


def _is_plain(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_meta


def _form(tensor: Tensor) -> tuple[bool, torch.Size]:
    return tensor.is_floating_point(), tensor.shape


def _say(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _first(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{items[0]}, …"
