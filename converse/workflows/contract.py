"""``converse verify``: which operator is meant, whether it keeps the contract, and where that was found."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from converse.data.catalogue import sha256_of
from converse.errors import OptionError, unknown
from converse.experiments.provenance import versions
from converse.experiments.running import verification
from converse.experiments.running.apart import warm_up
from converse.experiments.running.verification import Verification
from converse.experiments.suites.operator_names import Named, installed, named
from converse.experiments.suites.user_operators import operator_file
from converse.experiments.trials import cpu_model, default_threads
from converse.nn.contract.table import Option
from converse.reporting.contract import Answer

MOST_SCALE = 16


@dataclass(frozen=True)
class VerifyRequest:
    """What the user asks for.

    Attributes:
        operator: as :func:`converse.experiments.suites.operator_names.named` reads it.
        scales: that it claims to have; ``None`` to find out.
        compiled: try ``torch.compile`` too.
        cuda: try a CUDA device too.
        timeout: seconds for each check; ``None`` for the usual limit.
        threads: CPU threads; ``None`` for all that this process may use.
    """

    operator: str
    scales: tuple[int, ...] | None = None
    compiled: bool = False
    cuda: bool = False
    timeout: float | None = None
    threads: int | None = None


def verify(
    request: VerifyRequest, progress: Callable[[str, int, int], None] = lambda name, done, total: None
) -> Answer:
    """Hold an operator to the contract.

    Args:
        request: which, and how.
        progress: told the name of each check, how many are done, and how many there are.

    Returns:
        What was seen.

    Raises:
        OptionError: there is no such operator, option, scale or device.
        DataError: its file cannot be read.
        KeyboardInterrupt: it was stopped.
    """
    chosen = named(request.operator)
    file = _found(chosen)
    warm_up()
    asked = Verification(chosen, request.scales, _options(request), threads=request.threads or default_threads())
    if request.timeout is not None:
        asked = Verification(asked.operator, asked.scales, asked.options, request.timeout, asked.threads)
    for scale in request.scales or ():
        if not 1 <= scale <= MOST_SCALE:
            raise OptionError(f"--scales takes whole numbers from 1 to {MOST_SCALE}, got {scale}")
    found = verification.verify(asked, tell=progress)
    return Answer(
        operator=chosen.short,
        file=None if file is None else str(file),
        sha256=None if file is None else sha256_of(file),
        verified=found,
        facts=(
            *((name, text) for name, text in versions().items() if name in ("converse-bench", "torch") and text),
            ("python", platform.python_version()),
            ("machine", cpu_model() or platform.machine()),
            ("threads", str(asked.threads)),
        ),
    )


def _found(chosen: Named) -> Path | None:
    """The file of a user's operator, which is there; nothing of it is run."""
    from converse.nn.operators import OPERATORS

    if ":" not in chosen.operator and chosen.operator not in OPERATORS:
        known = [*OPERATORS, *(point.name for point in installed())]
        raise OptionError(
            f"{unknown('operator', chosen.operator, known)}; or path/to/file.py:Class, or package.module:Class"
        )
    file = operator_file(chosen.operator)
    if file is not None and not file.is_file():
        raise OptionError(f"there is no file {file}: expected path/to/file.py:Class, got {chosen.short!r}")
    return file


def _options(request: VerifyRequest) -> frozenset[Option]:
    if request.cuda:
        import torch

        if not torch.cuda.is_available():
            raise OptionError("--cuda: torch sees no CUDA device here; without --cuda the check is not made")
    options: dict[Option, bool] = {"compile": request.compiled, "cuda": request.cuda}
    return frozenset(name for name, wanted in options.items() if wanted)
