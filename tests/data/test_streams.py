"""Oracles: SHA-256 worked out here by hand, and NumPy's Philox."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from converse.data.streams import derived, generator, torch_seed

positions = st.lists(st.one_of(st.integers(0, 2**40), st.text(max_size=8)), max_size=3)


def test_derived_is_the_start_of_a_sha256() -> None:
    digest = hashlib.sha256(b'["converse", "batches", 7, 3]').hexdigest()
    assert f"{derived(7, 'batches', 3):032x}" == digest[:32]


def test_a_generator_is_philox_with_that_key() -> None:
    expected = np.random.Generator(np.random.Philox(key=derived(1, "degradation", 5))).standard_normal(9)
    assert (generator(1, "degradation", 5).standard_normal(9) == expected).all()


@given(st.integers(0, 2**32 - 1), positions, st.integers(0, 2**32 - 1), positions)
def test_different_places_differ(seed: int, place: list[int | str], other: int, elsewhere: list[int | str]) -> None:
    same = (seed, place) == (other, elsewhere)
    assert (derived(seed, "batches", *place) == derived(other, "batches", *elsewhere)) == same


@given(st.integers(0, 2**32 - 1), positions)
def test_streams_differ_and_fit_into_torch(seed: int, place: list[int | str]) -> None:
    seeds = {torch_seed(seed, stream, *place) for stream in ("initialisation", "batches", "degradation", "layers")}
    assert len(seeds) == 4
    assert all(0 <= one < 2**63 for one in seeds)


def test_a_text_and_a_number_are_two_places() -> None:
    assert derived(0, "batches", 1) != derived(0, "batches", "1") != derived(0, "batches", "1", "")
