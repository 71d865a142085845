"""Oracle: torch's own switches."""

from __future__ import annotations

import os
import warnings

import pytest
import torch

from converse.experiments.running.torch_settings import torch_settings


def switches() -> tuple[object, ...]:
    return (
        torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
        torch.backends.cuda.matmul.allow_tf32,
        os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        warnings.showwarning,
    )


def test_all_is_set_and_put_back() -> None:
    before = switches()
    with torch_settings("cpu", 1) as here:
        assert (here.device, here.threads) == ("cpu", 1)
        assert switches()[:9] == (1, True, True, False, True, False, False, False, ":4096:8")
    assert switches() == before
    with pytest.raises(RuntimeError, match="within"), torch_settings("cpu", 1):
        raise RuntimeError("within")
    assert switches() == before


def test_without_deterministic_algorithms_all_else_is_the_same() -> None:
    before = switches()
    with torch_settings("cpu", 1, deterministic=False):
        assert switches()[:9] == (1, *before[1:3], False, True, False, False, False, ":4096:8")
    assert switches() == before


def test_what_is_not_deterministic_is_noted_and_other_warnings_pass() -> None:
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        with torch_settings("cpu", 1) as here:
            warnings.warn("fold_cuda does not have a deterministic implementation, but you set …", stacklevel=1)
            warnings.warn("something else", stacklevel=1)
    assert here.not_deterministic == {"fold_cuda"}
    assert [str(one.message) for one in others] == ["something else"]
