"""pytest's fixture ``converse_check``: a test that fails where ``converse check`` would say that something regressed.

pytest loads it by itself where converse is installed (the entry point ``pytest11``), and nothing else of converse
before a test asks for it.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import pytest

from converse.errors import ConverseError, OptionError

if TYPE_CHECKING:
    from converse.reporting.gate.answer import Answer
    from converse.workflows.check_request import CheckRequest

_NARROWEST: Final = 100
"""Columns that a table may take, however narrow the terminal is, or unknown."""

_LOOK: Final = 0.2
"""Seconds between two looks at whether another process is done measuring."""


class InconclusiveWarning(pytest.PytestWarning):
    """A check could not tell, and its test was skipped; a summary has it whatever the options are."""


class ConverseCheck(Protocol):
    """What the fixture ``converse_check`` gives to a test."""

    def __call__(
        self,
        baseline: str | Path,
        *,
        operator: str | type | None = None,
        only: Sequence[str] | None = None,
        parts: Sequence[Literal["quality", "speed"]] | None = None,
        data_dir: str | Path | None = None,
        device: str = "auto",
        threads: int | None = None,
        trial_timeout: float | None = None,
    ) -> Answer:
        """Measure what a baseline is about, and fail the test where something regressed.

        Where the answer is that noise hides it, the test is skipped with a warning: it has neither passed nor failed.
        Where something was not measured, it fails.

        Args:
            baseline: the file: a path from the folder of the test's file.
            operator: stands in the place of reverse convolution: a class that is defined in a file, or what
                ``--operator`` takes.
            only: names of entries; ``None`` for all of the baseline.
            parts: what is checked; ``None`` for all that the baseline has.
            data_dir: a local folder with images and weights.
            device: ``auto`` for the baseline's kind.
            threads: CPU threads; ``None`` for the baseline's number.
            trial_timeout: seconds after which a trial is ended, and has failed.

        Returns:
            The answer, whose findings a test may look into.
        """


@pytest.fixture
def converse_check(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ConverseCheck:
    """Hold what is measured now against a baseline: ``converse_check("baseline.toml", operator=MyOperator)``."""

    def call(baseline: str | Path, *, operator: str | type | None = None, **options: Any) -> Answer:
        __tracebackhide__ = True
        shared = tmp_path_factory.getbasetemp()
        if hasattr(request.config, "workerinput"):  # of pytest-xdist: each process has a folder in a common one
            shared = shared.parent
        file = request.path.parent / baseline
        with contextlib.suppress(ValueError):  # elsewhere
            file = file.relative_to(request.config.invocation_params.dir)
        wrong = ""
        try:
            asked = _asked(file, operator, tmp_path_factory.mktemp("converse-check"), options)
            with _one_at_a_time(shared / "converse-check.lock"):
                answer = _answer(asked)
        except ConverseError as error:
            wrong = f"converse check: {error}"
        if wrong:
            pytest.fail(wrong, pytrace=False)
        if answer.word in ("regressed", "not measured"):
            pytest.fail(_told(answer), pytrace=False)
        if answer.word == "inconclusive":
            warnings.warn(InconclusiveWarning(f"neither passed nor failed: {answer.headline}"), stacklevel=2)
            pytest.skip(f"too noisy to say\n{_told(answer)}")
        return answer

    return call


def _asked(baseline: Path, operator: str | type | None, folder: Path, options: dict[str, Any]) -> CheckRequest:
    from converse.workflows.check_request import CheckRequest

    only, parts, data_dir = (options.pop(name, None) for name in ("only", "parts", "data_dir"))
    return CheckRequest(
        baseline=baseline,
        operator=_name(operator) if isinstance(operator, type) else operator,
        entries=None if only is None else tuple(only),
        parts=None if parts is None else tuple(parts),
        store=folder / "trials",
        data_dir=None if data_dir is None else Path(data_dir),
        **options,
    )


def _answer(request: CheckRequest) -> Answer:
    from converse.workflows.check import check
    from converse.workflows.check_answer import answer

    return answer(check(request))


def _name(operator: type) -> str:
    """The class as ``--operator`` names it: processes of their own import it by that name.

    Raises:
        OptionError: it is not defined at the top of a file.
    """
    from converse.nn.operators import OPERATORS

    for name, registered in OPERATORS.items():
        if operator is registered:
            return name
    module = sys.modules.get(operator.__module__)
    file = getattr(module, "__file__", None)
    if file is None or getattr(module, operator.__qualname__, None) is not operator:
        raise OptionError(
            f"operator={operator.__qualname__} must be a class at the top level of a file: other processes import it "
            "from there"
        )
    # A module of a package may import its neighbours, and needs its package's name for it. A folder of tests without an
    # __init__.py is none, whatever pytest calls the modules in it.
    package = sys.modules.get(getattr(module, "__package__", None) or "")
    place = operator.__module__ if getattr(package, "__file__", None) else file
    return f"{place}:{operator.__qualname__}"


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Wait until no other process of this session measures: two at once would be each other's noise."""
    from converse.experiments.store.system_lock import Held, SystemLock

    while True:
        try:
            lock = SystemLock(path)
            break
        except Held:
            time.sleep(_LOOK)
    try:
        yield
    finally:
        lock.release()


def _told(answer: Answer) -> str:
    """The table of what to look at, why, and the answer: as a failure shows it."""
    from converse.cli.folding import table_lines
    from converse.cli.gate_table import reasons, tables
    from converse.plain_text import visible

    width = max(shutil.get_terminal_size().columns, _NARROWEST)
    lines = [f"converse check: {answer.headline}", ""]
    if answer.grave:
        *_, (columns, rows) = tables(answer)
        shown = [[visible(cell) for cell in row] for row in rows]
        lines += [line.text for line in table_lines(columns, shown, width)]
    lines += ["", *reasons(answer)]
    lines += ["", f"the same again: {answer.command}"] if answer.command else []
    return visible("\n".join(lines), keep="\n")
