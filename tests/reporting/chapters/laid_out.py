"""Answers and networks of a comparison, laid out by hand."""

from __future__ import annotations

from typing import Any

from converse.analysis.answers import ANSWER_COLUMNS, AnswerRow
from converse.analysis.side_by_side import NETWORK_COLUMNS, NetworkRow
from converse.experiments.suites.compared import REVERSE
from converse.reporting.chapters.compared import Asked


def answer(rival: str = REVERSE, word: str = "better", **changes: Any) -> AnswerRow:
    given = {
        **dict.fromkeys(ANSWER_COLUMNS),
        "task": "denoising",
        "budget": "quick",
        "sets": "Set12",
        "own": "Mine",
        "rival": rival,
        "answer": word,
        "difference": 0.12,
        "low": 0.05,
        "high": 0.19,
        "p_holm": 0.01,
        "family": 3,
        "seeds": 3,
        "images": 12,
    }
    return {**given, **changes}  # type: ignore[typeddict-item]


def network(name: str, **changes: Any) -> NetworkRow:
    given = {
        **dict.fromkeys(NETWORK_COLUMNS),
        "task": "denoising",
        "sets": "Set12",
        "name": name,
        "own": name == "Mine",
        "psnr": 28.0,
        "deviation": 0.1,
        "seeds": 3,
        "images": 12,
        "parameters": 5329,
        "multiply_adds": 4000.0,
        "milliseconds": 3.14159,
        "mebibytes": 12.0,
        "step_milliseconds": 40.0,
        "width": 16,
        "trainings": "3 converged",
        "settings": "",
    }
    return {**given, **changes}  # type: ignore[typeddict-item]


ASKED = Asked(own="Mine", bound=0.02, tried=8, match="", apart=False, command="converse compare mine.py:Mine")
NETWORKS = [network("Mine"), network(REVERSE), network("depthwise convolution")]
