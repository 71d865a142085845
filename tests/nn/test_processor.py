"""Oracles: the kernel's account of processors of several makers, as they print it."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from converse.nn import processor
from converse.nn.processor import product_library

INTEL = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel name\t: Intel(R) Xeon(R) Processor\n"
AMD = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9B14\n"
ARM = "processor\t: 0\nBogoMIPS\t: 2100.00\nCPU implementer\t: 0x41\n"


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processor, "_ACCOUNT", tmp_path / "cpuinfo")
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: True)
    product_library.cache_clear()
    return tmp_path / "cpuinfo"


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test has found is of its made-up processor."""
    yield
    product_library.cache_clear()


@pytest.mark.parametrize(("text", "library"), [(INTEL, "MKL"), (AMD, "oneDNN"), (ARM, "oneDNN"), ("", "oneDNN")])
def test_mkl_is_for_its_makers_processors(account: Path, text: str, library: str) -> None:
    account.write_text(text)
    assert product_library() == library


def test_a_torch_without_mkl(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account.write_text(INTEL)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert product_library() == "oneDNN"


@pytest.mark.parametrize(
    ("said", "library"),
    [
        ("Intel64 Family 6 Model 85 Stepping 7, GenuineIntel", "MKL"),
        ("AMD64 Family 25 Model 17 Stepping 1, AuthenticAMD", "oneDNN"),
        ("arm", "oneDNN"),
    ],
)
def test_without_an_account_of_the_kernel_python_is_asked(
    account: Path, monkeypatch: pytest.MonkeyPatch, said: str, library: str
) -> None:
    monkeypatch.setattr(platform, "processor", lambda: said)
    assert not account.exists()
    assert product_library() == library
