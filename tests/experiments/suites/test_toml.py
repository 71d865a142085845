"""What is written is read by `tomllib` as the same value."""

from __future__ import annotations

import datetime
import tomllib
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.experiments.suites.toml import toml_key, toml_value

SURROGATES: tuple[Literal["Cs"]] = ("Cs",)  # which no file can hold
TEXT = st.text(st.characters(exclude_categories=SURROGATES))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@given(TEXT, VALUES)
def test_any_value_is_read_again(key: str, value: Any) -> None:
    read = tomllib.loads(f"{toml_key(key)} = {toml_value(value)}")
    assert read == {key: value}
    assert repr(read[key]) == repr(value)  # 1.0 is not 1, nor -0.0 0.0


def test_dates_and_nothing() -> None:
    assert tomllib.loads(f"a = {toml_value(datetime.date(2026, 1, 2))}") == {"a": datetime.date(2026, 1, 2)}
    with pytest.raises(TypeError, match="no null"):
        toml_value([None])
