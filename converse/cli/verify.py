"""``converse verify``: parses, calls, prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converse.cli import options
from converse.cli.exit_status import DONE, FAILED
from converse.cli.printing import print_document, print_json, print_table, say, shown
from converse.errors import OptionError
from converse.progress_bar import progress_bar

if TYPE_CHECKING:
    from converse.reporting.contract import Answer


def _scales(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 4 for part in parts):
        raise OptionError(f"--scales takes whole numbers with commas, such as 1,2, got {text!r}")
    return tuple(dict.fromkeys(map(int, parts)))


def _above_zero(seconds: float | None) -> float | None:
    if seconds is not None and not 0 < seconds < float("inf"):
        raise OptionError(f"--timeout must be above 0 seconds, got {seconds:g}")
    return seconds


def verify(
    operator: Annotated[
        str,
        typer.Argument(
            metavar="OPERATOR",
            help="path/to/file.py:Class, package.module:Class, or a name that `converse list operators` shows; options "
            "follow as mine.py:Mine?kernel_size=7&groups=2 (in quotes, for the shell).",
            show_default=False,
        ),
    ],
    scales: Annotated[
        str | None,
        typer.Option(
            "--scales",
            metavar="LIST",
            help="The factors of upsampling that it has to have: 1,2. By default those that its class does not refuse.",
            show_default=False,
        ),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Try torch.compile too, which takes a minute and a C++ compiler.")
    ] = False,
    cuda: Annotated[bool, typer.Option("--cuda", help="Compare a CUDA device with the CPU too.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="How long one check may take before it counts as hanging (120; five times as long with --compile).",
            callback=_above_zero,
            show_default=False,
        ),
    ] = None,
    output: options.Format = options.OutputFormat.table,
    junit: Annotated[
        Path | None,
        typer.Option("--junit", metavar="FILE", help="Write the checks as JUnit XML too.", show_default=False),
    ] = None,
    markdown: Annotated[
        Path | None,
        typer.Option(
            "--markdown",
            metavar="FILE",
            help="Write the answer as Markdown too. In GitHub Actions the summary of the step has it by itself.",
            show_default=False,
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", metavar="N", min=1, help="CPU threads to compute with. Default: all.")
    ] = None,
) -> int:
    """Does an operator keep the contract? Named checks in seconds, before hours of training.

    Shapes, precision, gradients, determinism, independence of the samples of a batch, copies, memory and manners: each
    check says what was expected, what was seen, and what to do. The operator runs in a process of its own, so one that
    raises, hangs or ends its process fails the check at which it does. An inverse is measured too: how well it undoes
    its own blur, its conditioning, what it makes of noise and at the border. docs/operator-contract.md has all checks.

    Exit status: 0 all checks passed, 1 one failed, 2 there is no such operator or option.

    An example: converse verify "mine.py:Mine?groups=2".
    """
    from converse.reporting import junit as junit_xml
    from converse.reporting.contract import COLUMNS, TITLE, cases, document, rows, summary
    from converse.workflows.ci_files import Outputs, write
    from converse.workflows.contract import VerifyRequest
    from converse.workflows.contract import verify as carry_out

    outputs = Outputs(junit, markdown)
    outputs.check()
    request = VerifyRequest(operator, _scales(scales), compiled, cuda, timeout, threads)
    with _progress_bar() as progress:
        answer = carry_out(request, progress)
    if output is options.OutputFormat.json:
        print_json(document(answer))
    elif output is options.OutputFormat.csv:
        print_document(COLUMNS, rows(answer.verified.results), output)
    else:
        _print(answer)
    for file in write(
        outputs, junit=lambda: junit_xml.document(TITLE, cases(answer)), markdown=lambda: summary(answer)
    ):
        say(f"written: {file}", err=True)
    return DONE if answer.passed else FAILED


@contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    with progress_bar("text", "bar", "count") as (bar, task):
        yield lambda name, done, total: bar.update(task, total=total, completed=done, description=shown(name, err=True))


def _print(answer: Answer) -> None:
    """All checks in one table; then what failed, with its cure; then the numbers of an inverse, and the answer."""
    from converse.reporting.contract import MARKS, NUMBERS, measured_table

    results = answer.verified.results
    print_table(("check", "", "seen"), [[one.name, MARKS[one.outcome], one.seen] for one in results])
    for one in answer.verified.failed:
        say(f"\n{MARKS['fail'][0]} {one.name}")
        say(f"  expected: {one.expected}")
        say(f"  seen: {one.seen}")
        say(f"  cure: {one.cure}")
    if answer.verified.measured:
        say("\nAs an inverse, measured and not judged:")
        print_table(*measured_table(answer.verified.measured))
        for head, what in NUMBERS.values():
            say(f"  {head}: {what}")
    say(f"\n{MARKS['pass' if answer.passed else 'fail']}: {answer.operator}: {answer.tally}")
