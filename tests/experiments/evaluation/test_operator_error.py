"""Oracle: the literal formula in float64, inside; what is known of float32: 2⁻²⁴ is 6e-8."""

from __future__ import annotations

from converse.experiments.evaluation.operator_error import ERROR_COLUMNS, LAMBDAS, SCALES, operator_error


def test_ours_keeps_the_digits_that_the_literal_formula_loses() -> None:
    found = operator_error()
    assert list(found.columns) == list(ERROR_COLUMNS)
    assert len(found) == len(LAMBDAS) * len(SCALES) * 2
    errors = found.set_index(["formula", "scale", "lam"]).sort_index()["error"]
    for scale in SCALES:
        # A few roundings of float32 each, and none is divided by λ.
        assert errors["ours", scale].max() < 5e-6
        assert errors["literal", scale].iloc[0] > 100 * errors["ours", scale].iloc[0]
