"""Answers of the gate: one that has every outcome, and one whose every word is hostile."""

from __future__ import annotations

import math

import pytest

from converse.analysis.gate.findings import ASPECTS, OUTCOMES, Finding, OneImage
from converse.reporting.gate.answer import Answer
from tests.reporting.hostile import NAMES
from tests.workflows.conftest import filled

__all__ = ["filled"]  # stores of made-up trials


@pytest.fixture
def answer() -> Answer:
    """Every outcome once, in an order that is not that of gravity."""
    findings = (
        Finding(
            aspect="quality",
            subject="Converse-DnCNN",
            place="Set12",
            what="PSNR, mean of 12 images",
            outcome="passed",
            reason="the mean is within what is allowed",
            unit="dB",
            before=31.2345678,
            now=31.2262345,
            change=0.0083333,
            low=0.0083333,
            high=0.0083333,
            allowed=0.01,
            sure="paired, image for image",
        ),
        Finding(
            aspect="quality",
            subject="Converse-DnCNN",
            place="Set12",
            what="PSNR, worst image: 05.png",
            outcome="regressed",
            reason="one image is worse by more than is allowed",
            unit="dB",
            before=31.2345678,
            now=31.1345678,
            change=0.1,
            low=0.1,
            high=0.1,
            allowed=0.05,
            sure="paired, image for image",
            look="converse check gate.toml --only Converse-DnCNN --html check.html",
            image=OneImage("Converse-DnCNN", None, "set12", None, "05.png"),
        ),
        Finding(
            aspect="time",
            subject="Converse2D",
            place="evaluation, 64×64",
            what="time beside the yardstick",
            outcome="inconclusive",
            reason="the interval holds both 0 % and 20 %",
            before=1.25,
            now=1.4,
            change=0.12,
            low=0.0,
            high=0.2,
            allowed=0.15,
            sure="95 % interval of 60 turns",
            look="converse check gate.toml --part speed --seconds 300",
        ),
        Finding(
            aspect="memory",
            subject="Converse2D",
            place="training, 64×64",
            what="memory beside the yardstick",
            outcome="better",
            reason="less memory than the baseline has",
            before=1.25,
            now=1.1,
            change=-0.12,
            low=-0.12,
            high=-0.12,
            allowed=0.05,
            sure="bytes that were counted",
        ),
        Finding("presence", "Conv-DnCNN", "Set12", "images", "not measured", "Set12 is not on this machine"),
        Finding("presence", "New", "", "entry", "extra", "the baseline does not have it"),
    )
    facts = (("Machine", "Some CPU, 1 thread"), ("torch", "2.9.0"))
    return Answer("gate.toml", findings, facts, ("A note.",), "converse check gate.toml")


@pytest.fixture
def hostile() -> Answer:
    """Words that are markup, orders or very long in every place that takes a word; numbers that are none."""
    numbers = (math.nan, math.inf, -math.inf, 1e-300, 0.0, 31.0, -5e17, 2.0**-40)
    findings = tuple(
        Finding(
            aspect=ASPECTS[index % len(ASPECTS)],
            subject=name,
            place=NAMES[index - 1],
            what=NAMES[index - 2],
            outcome=OUTCOMES[(index + turn) % len(OUTCOMES)],
            reason=NAMES[index - 3],
            unit=NAMES[index - 4],
            before=name if index % 2 else numbers[index],
            now=numbers[index - 1],
            change=numbers[index - 2],
            low=numbers[index - 3],
            high=numbers[index - 4],
            allowed=numbers[index - 5],
            sure=NAMES[index - 5],
            look=NAMES[index - 6] + "```",
            image=OneImage(name, index, NAMES[index - 1], NAMES[index - 2], NAMES[index - 3]),
        )
        for turn in range(2)
        for index, name in enumerate(NAMES)
    )
    return Answer(NAMES[2], findings, tuple(zip(NAMES, reversed(NAMES), strict=True)), NAMES, NAMES[0])
