"""A suite as a file again, whatever it was made from: an ablation, tuned settings, an operator in another's place."""

from __future__ import annotations

from converse.experiments.suites.tables import Suite
from converse.experiments.suites.toml import toml_key, toml_value


def suite_toml(suite: Suite) -> str:
    """The file that says the same, wherever it lies: folders and files in it are absolute.

    Args:
        suite: that was read and found in order.

    Returns:
        TOML with what the suite was given, and no defaults. What makes an ablation of it is left out, since each of its
        entries is an entry here.
    """
    plain = suite.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True, include=set(Suite.model_fields)
    )
    return "".join(f"{toml_key(key)} = {toml_value(value)}\n" for key, value in plain.items())
