"""What loads when: the package and its help stay light, whatever the layers behind them need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import converse

# Slow to load, or absent from a small installation.
HEAVY = {
    *("torch", "torchvision", "lightning_fabric", "lpips", "ray"),
    *("numpy", "pandas", "pyarrow", "scipy", "matplotlib", "skimage", "PIL"),
    *("pooch", "requests"),
}

NEEDS_TORCH = {"torch", "numpy"}


# Its import takes longer than that of the rest of torch; and what it is written with.
COMPILER = {"torch._dynamo", "torch._inductor", "torch.fx.experimental.symbolic_shapes", "sympy"}


def loaded(code: str, cwd: Path) -> set[str]:
    """Top-level names of the modules that a fresh interpreter has loaded after ``code``, which may exit."""
    return {name.partition(".")[0] for name in modules(code, cwd)}


def modules(code: str, cwd: Path) -> set[str]:
    """The modules that a fresh interpreter has loaded after ``code``, which may exit."""
    script = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint(*sys.modules, file=sys.stderr)"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CONVERSE_")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=cwd, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def command(*arguments: str) -> str:
    return f"sys.argv = {['converse', *arguments]}; from converse.cli.main import main; main()"


def test_import_of_the_package_loads_nothing_beyond_python(tmp_path: Path) -> None:
    names = loaded("import converse; converse.__version__; dir(converse)", tmp_path)
    assert not names & (HEAVY | {"typer", "rich", "pydantic"})


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(arguments, id=" ".join(arguments))
        for arguments in [
            ("--help",),
            ("--version",),
            ("quickstart", "--help"),
            ("reproduce", "--help"),
            ("run", "--help"),
            ("speed", "--help"),
            ("data", "--help"),
            ("data", "list"),
            ("list",),
            ("status",),
            ("nonsense",),
        ]
    ],
)
def test_commands_that_compute_nothing_start_without_the_heavy_modules(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    names = loaded(command(*arguments), tmp_path)
    assert "typer" in names
    assert not names & HEAVY


def test_finding_that_nothing_is_left_to_reproduce_loads_no_torch(tmp_path: Path) -> None:
    assert "torch" not in loaded("import converse.workflows.reproduce", tmp_path)


def test_what_counts_a_training_does_without_what_trains(tmp_path: Path) -> None:
    names = loaded("import converse.workflows.plan, converse.workflows.preview", tmp_path)
    assert names & HEAVY <= {*NEEDS_TORCH, "PIL", "pyarrow"}


PREVIEWS = [
    ("run", "quickstart", "--dry-run"),
    ("tune", "quickstart", "--budget", "quick", "--dry-run"),
    ("reproduce", "--dry-run"),
]


@pytest.mark.parametrize("arguments", PREVIEWS, ids=" ".join)
def test_a_preview_loads_nothing_that_trains_measures_or_compiles(arguments: tuple[str, ...], tmp_path: Path) -> None:
    names = modules(command(*arguments), tmp_path)
    assert "converse.experiments.running.estimates" in names
    assert names & (HEAVY | COMPILER) <= {*NEEDS_TORCH, "PIL", "pyarrow"}


def test_plans_of_all_suites_load_nothing_that_trains_measures_or_compiles(tmp_path: Path) -> None:
    planned = "from converse import plan; from converse.experiments.suites.suite import suites; [*map(plan, suites())]"
    names = modules(planned, tmp_path)
    assert names & (HEAVY | COMPILER) <= {*NEEDS_TORCH, "PIL", "pyarrow"}


def test_names_load_when_they_are_used(tmp_path: Path) -> None:
    assert "torch" in loaded("import converse; converse.Converse2D", tmp_path)


def test_every_public_name_is_there() -> None:
    assert all(getattr(converse, name) is not None for name in converse.__all__)
    assert dir(converse) == sorted(converse.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'converse' has no attribute 'Reverse2D'"):
        converse.Reverse2D  # noqa: B018
