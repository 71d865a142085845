"""The authors' checkpoints → our networks, without running code from the file."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from converse.counted import agreeing, counted
from converse.errors import CheckpointError
from converse.nn.models import create_model
from converse.nn.released_weights import released


def read_released(entry: str, path: Path) -> nn.Module:
    """Build the network of a released checkpoint and load its weights.

    Args:
        entry: a name in :data:`converse.nn.released_weights.RELEASED`.
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
