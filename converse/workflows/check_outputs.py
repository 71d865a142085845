"""The files in which an answer of the gate is kept: JUnit, Markdown, HTML, and the summary of a step of GitHub's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from converse.reporting import junit
from converse.reporting.figure import Figure
from converse.reporting.gate.answer import Answer
from converse.reporting.gate.cases import TITLE, cases
from converse.reporting.gate.page import page
from converse.reporting.gate.summary import summary
from converse.reporting.report import Missing
from converse.workflows import ci_files
from converse.workflows.ci_files import Outputs

Images = Callable[[Answer], Iterator[Figure | Missing]]
"""Crops of the worst images of an answer, or why there are none."""


def write(
    answer: Answer,
    outputs: Outputs,
    images: Images = lambda answer: iter(()),
    environment: Mapping[str, str] = os.environ,
) -> list[Path]:
    """Write the files, each whole or not at all; within GitHub's Actions the summary of the step too.

    Args:
        answer: any.
        outputs: which files.
        images: asked for only where a page is wanted.
        environment: of the process.

    Returns:
        What was written, but for the summary of the step.

    Raises:
        StoreError: a file cannot be written.
    """
    return ci_files.write(
        outputs,
        junit=lambda: junit.document(TITLE, cases(answer)),
        markdown=lambda: summary(answer),
        html=lambda: page(answer, list(images(answer))),
        environment=environment,
    )
