"""What is kept of a training: weights and states as safetensors files, which run no code and say when they are damaged.

`pack` and `unpack` are the format of one file, `Checkpoints` says which files of a trial there are. How a value that is
no plain tensor goes into such a file is in `module_state`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from converse.errors import CheckpointError
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.plain import open_plain
from converse.experiments.store.shapes import COUNT, TABLE, TEXT, fault
from converse.experiments.training.module_state import as_tensors, from_tensors

WEIGHTS: Final = "checkpoint.safetensors"
RESUME: Final = "resume"
KEPT: Final = 2
"""How many training states are kept: should the newest be damaged, the one before it serves."""

_FORMAT: Final = "converse-1"
_SHAPE: Final = {"step": COUNT, "notes": TABLE, "sha256": TEXT}
_HEADER: Final = "converse"  # one key, for safetensors writes several in no fixed order


@dataclass(frozen=True)
class Snapshot:
    """Tensors, and what is to be said of them.

    Attributes:
        step: steps that were done.
        tensors: by name; among them what ``get_extra_state`` gave (:mod:`converse.experiments.training.module_state`).
        notes: JSON-able.
    """

    step: int
    tensors: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)

    def part(self, prefix: str) -> dict[str, Any]:
        """The tensors under a prefix, without it."""
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}


def pack(snapshot: Snapshot) -> bytes:
    """A snapshot as the content of a file, with a digest of all that is in it.

    Raises:
        CheckpointError: something in it cannot be kept.
    """
    tensors, marks = as_tensors(snapshot.tensors)
    header = {"format": _FORMAT, "step": snapshot.step, "notes": snapshot.notes, **marks}
    digest = digest_of(tensors, header)
    return save(tensors, {_HEADER: json.dumps({**header, "sha256": digest}, sort_keys=True, allow_nan=False)})


def unpack(path: Path) -> Snapshot:
    """Read a snapshot, on the CPU.

    Args:
        path: a file with what :func:`pack` made.

    Raises:
        CheckpointError: it is missing, torn, changed, or something else.
    """
    try:
        os.close(open_plain(path))
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not a whole checkpoint: {error}") from error
    if not isinstance(header, dict) or header.get("format") != _FORMAT or fault(header, _SHAPE) is not None:
        raise CheckpointError(f"{path} is not a checkpoint of this program: expected the format {_FORMAT}")
    digest = header.pop("sha256")
    if digest != digest_of(tensors, header):
        raise CheckpointError(f"{path} is damaged: its content does not have the digest that it was written with")
    return Snapshot(header["step"], from_tensors(tensors, header), header["notes"])


def digest_of(tensors: Mapping[str, torch.Tensor], header: Mapping[str, Any] | None = None) -> str:
    """SHA-256 over a header, and names, types, shapes and bytes of tensors: equal exactly when all are, to the bit."""
    whole = hashlib.sha256(json.dumps(header or {}, sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name].detach().contiguous().cpu()
        whole.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        whole.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()


class Checkpoints:
    """The training states of one trial, ``resume/step-N.safetensors``, and its final weights.

    Args:
        folder: of the trial, whose lock is held.
    """

    def __init__(self, folder: TrialFolder) -> None:
        self.folder = folder

    def write(self, snapshot: Snapshot) -> None:
        """Keep a training state; older ones go once it is whole.

        Raises:
            StoreError: it could not be written; older ones are untouched.
        """
        self.keep(f"step-{snapshot.step:09}.safetensors", pack(snapshot))

    def keep(self, name: str, data: bytes) -> None:
        """Keep a training state that was packed, perhaps elsewhere; older ones go once it is whole.

        Args:
            name: of its file.
            data: what :func:`pack` made.

        Raises:
            StoreError: it could not be written; older ones are untouched.
        """
        self.folder.make_folder(RESUME)
        self.folder.write_bytes(f"{RESUME}/{name}", data)
        for old in self._files()[KEPT:]:
            self.folder.remove(f"{RESUME}/{old.name}")

    def latest(self) -> Snapshot | None:
        """The newest training state that is whole; damaged ones are set aside, which the log says."""
        for path in self._files():
            try:
                return unpack(path)
            except CheckpointError as error:
                self.folder.log(str(error))
                self.folder.set_aside(f"{RESUME}/{path.name}")
        return None

    def clear(self) -> None:
        """Remove the training states of a trial that is done."""
        for path in self._files():
            self.folder.remove(f"{RESUME}/{path.name}")

    def write_weights(self, weights: Mapping[str, Any], step: int) -> None:
        """Keep the final weights.

        Raises:
            StoreError: they could not be written.
        """
        self.folder.write_bytes(WEIGHTS, pack(Snapshot(step, dict(weights), {"trial": self.folder.id})))

    def weights(self) -> dict[str, Any] | None:
        """The final weights; ``None`` before they are there, or when they are damaged and were set aside."""
        try:
            return self.kept_weights()
        except CheckpointError as error:
            self.folder.log(str(error))
            self.folder.set_aside(WEIGHTS)
            return None

    def kept_weights(self) -> dict[str, Any] | None:
        """The final weights, for who only reads; ``None`` before they are there.

        Raises:
            CheckpointError: they are torn, changed, or another trial's.
            StoreError: the trial's digests are damaged, or cannot be read.
        """
        path = self.folder.path / WEIGHTS
        if not os.path.lexists(path):
            return None
        snapshot = unpack(path)
        if snapshot.notes.get("trial") != self.folder.id:
            raise CheckpointError(f"{path} has the weights of the trial {snapshot.notes.get('trial')}")
        if (damage := self.folder.fault(WEIGHTS)) is not None:
            raise CheckpointError(damage)
        return snapshot.tensors

    def _files(self) -> list[Path]:
        return sorted((self.folder.path / RESUME).glob("step-*.safetensors"), reverse=True)
