"""The authors' checkpoints: what they give, and what every other file is told.

Oracles: the golden tensors of the authors' networks, the published counts of parameters, the literal formula with full
spectra, and files made wrong by hand.
"""

from __future__ import annotations

import copy
import io
import os
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from converse.errors import CheckpointError, OptionError
from converse.nn import usrnet
from converse.nn.literal import literal_converse2d, make_literal
from converse.nn.models import create_model
from converse.nn.released import read_released, read_tensors
from converse.nn.released_weights import RELEASED, released

COUNTS = {
    "DnCNN": 555_137,  # 557,057 less the batch normalisations, which are folded in
    "Converse-DnCNN": 796_353,
    "Converse-SRResNet": 699_072,
    "ConverseNet": 243_267,
    "Converse-USRNet": 307_987,
}
GOLDEN = {"Converse-DnCNN": "converse_dncnn", "Converse-SRResNet": "converse_srresnet", "ConverseNet": "conversenet"}


def golden(shared: Path, name: str) -> dict[str, Tensor]:
    with np.load(shared / "golden/models.npz") as file:
        return {key.removeprefix(name + "."): torch.from_numpy(file[key]) for key in file if key.startswith(name + ".")}


def weights(shared: Path, entry: str) -> Path:
    return shared / "weights" / RELEASED[entry].file


@pytest.mark.parametrize("entry", sorted(COUNTS))
def test_loads_with_the_count_of_the_release(shared: Path, entry: str) -> None:
    model = read_released(entry, weights(shared, entry))
    assert sum(p.numel() for p in model.parameters()) == COUNTS[entry]
    assert not model.training
    assert {tensor.dtype for tensor in model.state_dict().values()} == {torch.float32}
    theirs = torch.load(weights(shared, entry), weights_only=True)
    ours = model.state_dict()
    for key, tensor in theirs.items():
        assert torch.equal(ours[RELEASED[entry].rename(key)], tensor)


@pytest.mark.parametrize("entry", sorted(GOLDEN))
def test_agrees_with_the_authors_networks(shared: Path, entry: str) -> None:
    tensors = golden(shared, GOLDEN[entry])
    model = read_released(entry, weights(shared, entry)).double()
    for training in (False, True):  # with the kept transfer functions, and without
        with torch.no_grad():
            result = model.train(training)(tensors["x"])
        assert (result - tensors["y"]).abs().max() <= 1e-8 * tensors["y"].abs().max()


def literal_formula(monkeypatch: pytest.MonkeyPatch, network: nn.Module) -> nn.Module:
    """The network with the released formula in every reverse convolution."""
    monkeypatch.setattr(usrnet, "converse2d", lambda y, weight, lam, validate_lam: literal_converse2d(y, weight, lam))
    result: nn.Module = make_literal(copy.deepcopy(network))
    return result


def test_converse_usrnet_agrees_within_the_rounding_of_its_golden_tensor(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = golden(shared, "converse_usrnet")
    x, kernel, expected = tensors["x"], tensors["k"], tensors["y"].double()
    single = read_released("Converse-USRNet", weights(shared, "Converse-USRNet"))
    double = copy.deepcopy(single).double()
    with torch.no_grad():
        ours32, ours64 = single(x, kernel).double(), double(x.double(), kernel.double())
        # The golden tensor is the literal formula in float32, whose cancellation is divided by λ. That formula in
        # float64 is our result, so that what separates us from the golden tensor is its own rounding ...
        literal64 = literal_formula(monkeypatch, double)(x.double(), kernel.double())
    largest = float(expected.abs().max())
    assert float((ours64 - literal64).abs().max()) <= 1e-8 * largest
    assert float((ours32 - ours64).abs().max()) <= 5e-6 * largest
    # ... which is mostly an offset of each channel: it is at frequency zero that most is cancelled. Measured: 6.4e-5
    # in the root mean square, 1.13e-4 at the worst place, 4.1e-5 there without the offsets.
    difference = ours64 - expected
    assert float(difference.square().mean().sqrt()) <= 1e-4 * largest
    assert float(difference.abs().max()) <= 1.2e-4 * largest
    assert float((difference - difference.mean((2, 3), keepdim=True)).abs().max()) <= 5e-5 * largest


def test_every_entry_is_described() -> None:
    for entry, description in RELEASED.items():
        assert description.entry == entry
        assert description.task in ("denoising", "super_resolution", "deblurring")
        create_model(description.model, description.operator, **description.options)


def test_an_unknown_entry_is_named_with_the_nearest_one() -> None:
    with pytest.raises(OptionError, match="unknown released entry 'Converse-DNCNN': did you mean 'Converse-DnCNN'"):
        released("Converse-DNCNN")
    with pytest.raises(OptionError, match="unknown released entry"):
        read_released("USRNet", Path("nowhere.pth"))


@pytest.mark.parametrize(
    ("entry", "theirs", "ours"),
    [
        ("DnCNN", "model.32.bias", "body.32.bias"),
        ("Converse-DnCNN", "m_body.19.conv1.3.weight", "body.19.spatial.operator.weight"),
        ("Converse-SRResNet", "upconv1.conv2.3.bias", "upsample.0.0.channel.project.bias"),
        ("Converse-SRResNet", "up2.bias", "upsample.1.1.bias"),
        ("ConverseNet", "p.m_body.6.conv1.0.weight", "body.6.spatial.norm.weight"),
        ("Converse-USRNet", "p.m_body.0.alpha2", "body.0.channel.scale.alpha"),
        ("Converse-USRNet", "d.alpha", "data_step.bias"),
        ("ConverseNet", "optimizer.state", "optimizer.state"),
    ],
)
def test_names_are_mapped(entry: str, theirs: str, ours: str) -> None:
    assert RELEASED[entry].rename(theirs) == ours


class Payload:
    """What runs a command when it is unpickled without care."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


def saved(content: Any, *, legacy: bool = False) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def state(**changes: Tensor | None) -> dict[str, Tensor]:
    """A state dict with the authors' names for ConverseNet, with tensors changed or (``None``) left out."""
    torch.manual_seed(0)
    names = {RELEASED["ConverseNet"].rename(key): key for key in _their_names()}
    tensors = {names[key]: tensor for key, tensor in create_model("block-net").state_dict().items()}
    changed = {**tensors, **{key.replace("__", "."): tensor for key, tensor in changes.items()}}
    return {key: tensor for key, tensor in changed.items() if tensor is not None}


def _their_names() -> list[str]:
    block = ["conv1.0", "conv1.1", "conv1.3", "conv1.5", "conv2.0", "conv2.1", "conv2.3"]
    layers = ["conv1", "conv2", *(f"p.m_body.{i}.{part}" for i in range(7) for part in block)]
    return [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]


def refusal(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_released("ConverseNet", path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_both_formats_of_pytorch_load(tmp_path: Path, legacy: bool) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(saved(state(), legacy=legacy))
    model = read_released("ConverseNet", path)
    assert torch.equal(model.state_dict()["head.weight"], state()["conv1.weight"])


@pytest.mark.parametrize("kept", [0, 1, 10, 100, 5000, 0.3, 0.7, -1000, -100, -1])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_truncated_file_is_not_whole(tmp_path: Path, legacy: bool, kept: float) -> None:
    whole = saved(state(), legacy=legacy)
    cut = whole[: int(kept * len(whole)) if isinstance(kept, float) else kept]
    assert "is not a whole PyTorch checkpoint" in refusal(tmp_path, cut)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.9])
def test_a_damaged_tensor_is_noticed(tmp_path: Path, place: float) -> None:
    content = bytearray(saved(state()))
    content[int(place * len(content))] ^= 0xFF
    assert "is not a whole PyTorch checkpoint" in refusal(tmp_path, bytes(content))


def _archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("weights.npy", b"12345")
    return file.getvalue()


FOREIGN: list[Any] = [
    pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(200), id="png"),
    pytest.param(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(200), id="jpeg"),
    pytest.param(b"<!DOCTYPE html><html><body>404</body></html>", id="html"),
    pytest.param(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", id="lfs-pointer"),
    pytest.param(b"hello\n" * 20, id="text"),
    pytest.param(_archive(), id="zip"),
    pytest.param(bytes(4096), id="zeros"),
    pytest.param(pickle.dumps({"a": [1.0]}, protocol=2), id="pickle"),
]


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", FOREIGN)
def test_a_foreign_file_is_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    message = refusal(tmp_path, content)
    assert "is not a whole PyTorch checkpoint" in message
    assert "run code" not in message


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(lambda payload: saved({"conv1.weight": payload}), id="zip"),
        pytest.param(lambda payload: saved({"conv1.weight": payload}, legacy=True), id="legacy"),
        pytest.param(lambda payload: saved({**state(), "x": payload}), id="among-tensors"),
        pytest.param(lambda payload: pickle.dumps(payload, 0), id="pickle0"),
        pytest.param(lambda payload: pickle.dumps(payload, 2), id="pickle2"),
        pytest.param(lambda payload: pickle.dumps({"a": payload}, 4), id="pickle4"),
    ],
)
def test_code_in_a_file_does_not_run(tmp_path: Path, pack: Callable[[Payload], bytes]) -> None:
    marker = tmp_path / "it-ran"
    content = pack(Payload(marker))
    message = refusal(tmp_path, content)
    assert not marker.exists()
    assert "would run code from the file" in message or "is not a whole PyTorch checkpoint" in message
    pickle.loads(pickle.dumps(Payload(marker)))
    assert marker.exists()  # the payload is one that works


def test_a_whole_pickled_network_is_refused_as_code(tmp_path: Path) -> None:
    assert "reading it would run code from the file" in refusal(tmp_path, saved(nn.Linear(2, 2)))


OTHER: list[Any] = [
    pytest.param([torch.ones(2)], "holds list instead of named tensors", id="list"),
    pytest.param(torch.ones(2), "holds Tensor instead of named tensors", id="tensor"),
    pytest.param(3, "holds int instead of named tensors", id="number"),
    pytest.param({"state_dict": {"a": torch.ones(1)}}, "holds dict at 'state_dict' instead of", id="nested"),
    pytest.param({"epoch": 3}, "holds int at 'epoch' instead of", id="training-state"),
    pytest.param({1: torch.ones(1)}, "holds Tensor at 1 instead of named", id="numbered"),
    pytest.param({}, "102 tensors are missing", id="empty"),
    pytest.param(nn.Linear(2, 2).state_dict(), "102 tensors are missing .*; 2 are not known to it", id="other-network"),
    pytest.param(state(conv1__weight=None), r"1 tensor is missing \(head.weight\)$", id="one-missing"),
    pytest.param(state(optimiser=torch.ones(1)), r"1 are not known to it \(optimiser\)$", id="one-more"),
    pytest.param(
        state(conv1__weight=torch.ones(64, 3)),
        r"1 have another shape or type \(head.weight is float32 \(64, 3\) instead of float32 \(64, 3, 1, 1\)\)$",
        id="shape",
    ),
    pytest.param(state(conv1__bias=torch.ones(64).int()), r"head.bias is int32 \(64,\) instead of", id="integers"),
    pytest.param(state(conv1__bias=torch.ones(64) * 1j), "head.bias is complex64", id="complex"),
    pytest.param(state(conv1__bias=torch.ones(64).to("meta")), "instead of named, plain tensors", id="meta"),
    pytest.param(state(conv1__bias=torch.ones(64).to_sparse()), "instead of named, plain tensors", id="sparse"),
]


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(("content", "message"), OTHER)
def test_what_is_not_the_networks_weights_is_told_what_it_lacks(tmp_path: Path, content: Any, message: str) -> None:
    text = refusal(tmp_path, saved(content))
    assert re.search(message, text), text


@pytest.mark.parametrize("entry", sorted(COUNTS))
def test_another_networks_release_is_told_apart(shared: Path, entry: str) -> None:
    other = "ConverseNet" if entry != "ConverseNet" else "DnCNN"
    with pytest.raises(CheckpointError, match=f"does not hold the released weights of {other}: "):
        read_released(other, weights(shared, entry))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere\.pth can't be read: No such file or directory"):
        read_released("DnCNN", tmp_path / "nowhere.pth")
    with pytest.raises(CheckpointError, match="can't be read: Is a directory"):
        read_tensors(tmp_path)


def test_reading_gives_the_tensors_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "t.pth"
    torch.save({"a": torch.arange(3), "b": torch.ones(2, dtype=torch.float64)}, path)
    tensors = read_tensors(path)
    assert list(tensors) == ["a", "b"]
    assert torch.equal(tensors["a"], torch.arange(3))
    assert tensors["b"].dtype == torch.float64
