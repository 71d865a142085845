"""Oracles: copies of the package that differ in one line, operators that end their process, the system's processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import converse
from converse.experiments.speed.cases import Case, Subject
from converse.experiments.speed.origins import Origin
from converse.experiments.speed.turns import Spending, Workers, measure
from converse.experiments.speed.workers import Failure, Ready, Settings

PACKAGE = Path(converse.__file__).parent
CASE = Case("size", "forward", 2, 3, 1, 1, 8, 8)
SETTINGS = Settings("cpu", 1, 0.001, None, steady=True)
SUBJECT = Subject("converse", "operator", "converse")


def copy(folder: Path, file: str, change: tuple[str, str]) -> str:
    """A package of which one file is different."""
    shutil.copytree(PACKAGE / "nn", folder / "converse" / "nn", ignore=shutil.ignore_patterns("__pycache__"))
    changed = folder / "converse" / file
    text = changed.read_text(encoding="utf-8")
    assert change[0] in text
    changed.write_text(text.replace(*change, 1), encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A version whose operator sleeps when it is built and in each call, and has a parameter more."""
    built = "        super().__init__()\n"
    more = "        self.more = nn.Parameter(torch.ones(1))\n"
    folder = Path(copy(tmp_path_factory.mktemp("slow"), "nn/operators.py", (built, built + more)))
    functional = folder / "converse/nn/operators.py"
    text = functional.read_text(encoding="utf-8")
    start = text.index("class Converse2D")
    forward = text.index("    def forward(self", start)
    body = text.index('"""\n', text.index('"""', forward) + 3) + 4
    functional.write_text(text[:body] + "        __import__('time').sleep(0.02)\n" + text[body:], encoding="utf-8")
    return str(folder)


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    made = Origin(SETTINGS, str(PACKAGE.parent))
    try:
        yield made
    finally:
        made.close()


def test_two_versions_take_turns(slow: str) -> None:
    ours = str(PACKAGE.parent)
    subjects = [replace(SUBJECT, name="before", library=ours), replace(SUBJECT, name="after", library=slow)]
    with Workers(SETTINGS) as workers:
        before, twin, after = measure(CASE, subjects, workers, Spending(3, 300))
    assert [row["status"] for row in (before, twin, after)] == ["ok"] * 3
    assert max(before["median_s"], twin["median_s"]) < 0.02 <= after["median_s"]
    assert after["parameters"] == before["parameters"] + 1


def test_what_does_not_fit_is_a_failure(tmp_path: Path) -> None:
    changes = {
        "ImportError": ("class LiteralConverse2D", "class Konverse2D"),
        "SyntaxError": ("import torch\n", "import torch (\n"),
        "ImportError: there is no ": None,
    }
    folders = [
        str(tmp_path / "nowhere") if change is None else copy(tmp_path / str(number), "nn/literal.py", change)
        for number, change in enumerate(changes.values())
    ]
    origins = [Origin(SETTINGS, folder) for folder in folders]
    try:
        for origin, reason in zip(origins, changes, strict=True):
            failure = origin.worker().prepare(SUBJECT, CASE)
            assert isinstance(failure, Failure)
            assert failure.reason.startswith(reason)
    finally:
        for origin in origins:
            origin.close()


def test_a_worker_that_dies_takes_no_other_along(origin: Origin, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("import os, signal\ndef dies(*_, **__):\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    one, other = origin.worker(), origin.worker()
    failure = one.prepare(Subject("dies", "operator", f"{file}:dies"), CASE)
    assert isinstance(failure, Failure)
    assert failure.status == "out of memory"
    assert (one.alive, other.alive) == (False, True)
    assert isinstance(other.prepare(SUBJECT, CASE), Ready)
    other.close()


def test_with_other_instructions(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import torch\nfrom converse import Converse2D\nclass Mine(Converse2D):\n    def forward(self, y):\n"
        "        raise ValueError(torch.backends.cpu.get_cpu_capability())\n"
    )
    settings = replace(SETTINGS, environment=(("ATEN_CPU_CAPABILITY", "default"),))
    with Workers(settings) as workers:
        rows = measure(CASE, [Subject("mine", "operator", f"{file}:Mine")], workers, Spending(1, 300))
    assert {row["reason"] for row in rows} == {"ValueError: DEFAULT"}


SCRIPT = """
import sys
from converse.experiments.speed.cases import Case, Subject
from converse.experiments.speed.turns import Spending, Workers, measure
from converse.experiments.speed.workers import Settings

class Told:
    def __call__(self, share):
        print("told", flush=True)
        if len(sys.argv) > 3:
            sys.stdin.read()

if __name__ == "__main__":
    library, *files = sys.argv[1:3]
    subjects = [Subject("converse", "operator", "converse", library=library)]
    subjects += [Subject("mine", "operator", file, library=library) for file in files]
    with Workers(Settings("cpu", 1, 0.001, None)) as workers:
        measure(Case("size", "forward", 2, 3, 1, 1, 8, 8), subjects, workers, Spending(1, 300), Told())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="processes are ended by signals")
@pytest.mark.parametrize("hangs", [True, False], ids=["interrupted", "killed"])
def test_nothing_is_left_of_whoever_was_stopped(tmp_path: Path, hangs: bool) -> None:
    """Interrupted while a worker hangs; or killed while all of them wait."""
    (tmp_path / "mine.py").write_text("import time\ndef hangs(*_, **__):\n    time.sleep(1000)\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    words = [str(tmp_path / "script.py"), str(PACKAGE.parent), f"{tmp_path / 'mine.py'}:hangs"]
    words += [] if hangs else ["wait"]
    process = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(2 if hangs else 1):
        assert process.stdout.readline() == b"told\n"
    family: list[Any] = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 4  # an origin and three workers
    os.kill(process.pid, signal.SIGINT if hangs else signal.SIGKILL)
    process.wait(30)
    _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive


def test_a_worker_ends_soon_after_it_was_told(origin: Origin) -> None:
    workers = [origin.worker() for _ in range(3)]
    start = time.monotonic()
    for worker in workers:
        worker.close()
    assert time.monotonic() - start < 5  # those that wait to be killed take as long each
