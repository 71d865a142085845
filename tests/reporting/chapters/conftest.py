"""Figures are tested on the stores of made-up rows that whole reports are tested on."""

from tests.workflows.conftest import filled

__all__ = ["filled"]
