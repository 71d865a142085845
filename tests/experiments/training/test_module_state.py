"""Oracles: the tensors themselves, safetensors reading the file, PyTorch's own rules of ``state_dict``."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from torch import nn

from converse.errors import CheckpointError
from converse.experiments.training.checkpoints import Snapshot, pack, unpack
from converse.experiments.training.module_state import as_tensors, from_tensors


def there_and_back(state: dict[str, Any]) -> dict[str, Any]:
    tensors, said = as_tensors(state)
    return from_tensors(tensors, json.loads(json.dumps(said, allow_nan=False)))


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text() | st.integers() | st.booleans(), inner)
    ),
    max_leaves=8,
)


@given(PLAIN)
def test_plain_values_come_back_with_their_types(value: Any) -> None:
    assert repr(there_and_back({"operator._extra_state": value})["operator._extra_state"]) == repr(value)


def test_tensors_inside_of_extra_states_come_back() -> None:
    value = OrderedDict(seen=3, mean=torch.arange(3.0), nested=[(torch.ones(2, dtype=torch.complex64), math.inf)])
    back = there_and_back({"a": torch.zeros(1), "_extra_state": value})
    assert back.keys() == {"a", "_extra_state"}
    found = back["_extra_state"]
    assert (found["seen"], found["nested"][0][1]) == (3, math.inf)
    assert torch.equal(found["mean"], torch.arange(3.0))
    assert torch.equal(found["nested"][0][0], torch.ones(2, dtype=torch.complex64))


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), nn.ReLU(), [lambda: None], b"bytes"], ids=lambda value: type(value).__name__
)
def test_what_cannot_be_read_without_code_is_refused_with_its_type(value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"op\._extra_state: get_extra_state\(\) gives a .*; expected None"):
        as_tensors({"op._extra_state": {"inner": value}})


@pytest.mark.parametrize("tensor", [torch.eye(2).to_sparse(), torch.empty(2, device="meta")], ids=["sparse", "meta"])
def test_tensors_without_dense_values_are_refused(tensor: torch.Tensor) -> None:
    with pytest.raises(CheckpointError, match=r"gain is a .* tensor, which cannot be kept: expected a dense one"):
        as_tensors({"gain": tensor})


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_complex_numbers_are_kept_to_the_bit_and_read_by_others_as_pairs(tmp_path: Path, dtype: torch.dtype) -> None:
    values = torch.randn(3, 2, dtype=dtype)
    path = tmp_path / "one.safetensors"
    path.write_bytes(pack(Snapshot(1, {"gain": values.mT.conj(), "scalar": values[0, 0]})))
    back = unpack(path).tensors
    assert torch.equal(back["gain"], values.mT.conj())
    assert back["scalar"].shape == ()
    assert torch.equal(back["scalar"], values[0, 0])
    with safe_open(path, framework="np") as file:
        assert file.get_tensor("gain").shape == (2, 3, 2)


def test_shared_memory_is_written_once_per_name(tmp_path: Path) -> None:
    whole = torch.arange(6.0).view(2, 3)
    state = {"one": whole, "other": whole, "row": whole[1], "turned": whole.T, "none": whole[:0]}
    path = tmp_path / "one.safetensors"
    path.write_bytes(pack(Snapshot(1, state)))
    back = unpack(path).tensors
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], value) for name, value in state.items())


def test_without_them_the_file_says_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "one.safetensors"
    path.write_bytes(pack(Snapshot(1, {"a": torch.zeros(2)})))
    with safe_open(path, framework="np") as file:
        said = json.loads(file.metadata()["converse"])
    assert said.keys() == {"format", "notes", "sha256", "step"}


@pytest.mark.parametrize(
    "said", [{"complex": ["none"]}, {"complex": 3}, {"extra": {"a": {"odd": 1}}}, {"extra": {"b": {"tensor": 7}}}]
)
def test_what_does_not_fit_is_an_error_of_the_file(said: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="does not fit"):
        from_tensors({"a": torch.zeros(3)}, said)
