"""Oracles: torch's own list of devices and generators; a tensor's size, for the memory that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from converse.errors import OptionError
from converse.experiments.devices import (
    generators_put_back,
    is_out_of_memory,
    limited,
    peak_memory,
    resolve_device,
    seed_generator,
)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "", "cpu:0"])
def test_a_strange_device(name: str) -> None:
    with pytest.raises(OptionError, match="device must be auto, cpu, mps, cuda or cuda:N, got"):
        resolve_device(name)


def test_auto_takes_what_there_is() -> None:
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_device_that_is_not_here() -> None:
    with pytest.raises(OptionError, match=r"device 'cuda:99': this machine has \d+ CUDA device"):
        resolve_device("cuda:99")


def test_generators_are_seeded_as_torch_seeds_them_and_put_back() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    with generators_put_back("cpu"):
        seed_generator("cpu", 7)
        ours = torch.rand(3)
        torch.manual_seed(7)
        assert torch.equal(ours, torch.rand(3))
    assert torch.equal(torch.get_rng_state(), before)


needs_linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux alone counts the peak anew")


@needs_linux
def test_peak_is_what_was_taken_and_given_back() -> None:
    size = 64 * 2**20

    def call() -> None:
        torch.ones(size, dtype=torch.uint8)

    found = peak_memory(call, "cpu").allocated
    if found is None:
        pytest.skip("this system does not let a process count its peak anew")
    assert found == pytest.approx(size, rel=0.1)
    again = peak_memory(lambda: None, "cpu").allocated
    assert again is not None
    assert again < size / 10


@needs_linux
def test_beyond_the_limit_is_an_error_and_below_it_is_none() -> None:
    with limited(64 * 2**20):
        torch.ones(2**20, dtype=torch.uint8)
        with pytest.raises(RuntimeError) as caught:
            torch.ones(2**31, dtype=torch.uint8)  # more than a process has free from before
    assert is_out_of_memory(caught.value)
    torch.ones(256 * 2**20, dtype=torch.uint8)  # the limit is gone


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
    ids=repr,
)
def test_which_errors_say_that_memory_ran_out(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
