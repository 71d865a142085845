"""The wheel: what is in it, and that it works where there is no checkout."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import converse

ROOT = Path(__file__).resolve().parents[1]
CONTENT = ("benchmarks", "ablations", "datasets", "reports")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, encoding="utf-8", timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built without isolation, so that no network is needed."""
    pytest.importorskip("hatchling", reason="hatchling builds the wheel")
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed in it and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    options = ("--quiet", "--no-deps", "--no-index", "--no-compile", "--target", folder)
    run(sys.executable, "-m", "pip", "install", *options, wheel, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_one_package(names: set[str]) -> None:
    # `datasets` or `benchmarks` beside it would overwrite other people's packages.
    assert {name.partition("/")[0] for name in names} == {
        "converse",
        f"converse_bench-{converse.__version__}.dist-info",
    }


def test_the_wheel_holds_every_module_and_its_types(names: set[str]) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "converse").rglob("*.py")}
    assert modules <= names
    assert "converse/py.typed" in names


@pytest.mark.parametrize("folder", CONTENT)
def test_the_wheel_holds_the_content_folder(folder: str, names: set[str]) -> None:
    beside = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.toml")}
    left_out = ("reports/reference/", "benchmarks/statistics/")  # what was measured here
    beside = {name for name in beside if not name.startswith(left_out)}
    inside = {name.removeprefix("converse/_content/") for name in names if name.endswith(".toml")}
    assert beside == {name for name in inside if name.startswith(f"{folder}/")}
    assert any(name.startswith(f"converse/_content/{folder}/") for name in names)


def test_the_wheel_leaves_out_what_is_for_developers(names: set[str]) -> None:
    assert not [name for name in names if name.endswith(".py") and "/_content/" in name]
    assert not [name for name in names if Path(name).name.startswith(("test_", "conftest"))]
    ours = [name for name in names if not name.startswith("converse/_content/reports/reference/store/")]
    assert not [name for name in ours if name.endswith((".pyc", ".png", ".pth", ".npz", ".safetensors"))]


def test_the_wheel_holds_the_rows_of_the_reference(names: set[str]) -> None:
    beside = {path.relative_to(ROOT).as_posix() for path in (ROOT / "reports/reference/store").rglob("*.*")}
    inside = {name.removeprefix("converse/_content/") for name in names if "/reports/reference/" in name}
    assert inside == {name for name in beside if not name.endswith(".lock")}


def test_the_metadata_says_what_the_package_says(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        folder = f"converse_bench-{converse.__version__}.dist-info"
        metadata = email.message_from_bytes(archive.read(f"{folder}/METADATA"))
        entry_points = archive.read(f"{folder}/entry_points.txt").decode()
    assert metadata["Name"] == "converse-bench"
    assert metadata["Version"] == converse.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert "converse = converse.cli.main:main" in entry_points
    assert "[pytest11]" in entry_points


def test_an_installed_wheel_finds_its_content(installed: Path, tmp_path: Path) -> None:
    code = f"import converse.content as c; print(c.__file__, *map(c.content, {CONTENT}), sep='\\n')"
    module, *folders = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(installed)).splitlines()
    package = installed / "converse"
    assert Path(module) == package / "content.py"
    assert list(map(Path, folders)) == [package / "_content" / folder for folder in CONTENT]


def test_an_installed_wheel_works_from_a_foreign_folder(installed: Path, tmp_path: Path) -> None:
    script = installed / "bin" / "converse"
    command = (sys.executable, script)
    environment = {"PYTHONPATH": str(installed)}
    assert "reproduce" in run(*command, "--help", cwd=tmp_path, **environment)
    suites = json.loads(run(*command, "list", "suites", "--format", "json", cwd=tmp_path, **environment))
    assert {"denoising", "super_resolution", "deblurring", "quickstart"} <= {suite["suite"] for suite in suites}
    datasets = json.loads(run(*command, "data", "list", "--format", "json", cwd=tmp_path, **environment))
    assert "set12" in {dataset["name"] for dataset in datasets}
    assert not any(tmp_path.iterdir()), "looking leaves nothing behind"


def test_pytest_finds_the_fixture_of_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--fixtures", "--rootdir", tmp_path, tmp_path)
    shown = run(*command, cwd=tmp_path, PYTHONPATH=str(installed))
    assert "converse_check" in shown


def test_one_version_everywhere() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert declared == converse.__version__
    assert f"\nversion: {declared}\n" in citation
    assert json.loads((ROOT / ".zenodo.json").read_text("utf-8"))["version"] == declared


def test_constraints_hold_every_dependency_and_no_host() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    groups = project["dependency-groups"]
    grouped = (item for name in groups if name != "dev" for item in groups[name] if isinstance(item, str))
    extras = (item for extra in project["project"]["optional-dependencies"].values() for item in extra)
    wanted = [*project["project"]["dependencies"], *extras, *grouped]
    text = (ROOT / "constraints.txt").read_text("utf-8")
    pinned = {canonical(line.partition("==")[0]) for line in text.splitlines() if "==" in line}
    assert {canonical(re.split(r"[<>=\[ ]", requirement)[0]) for requirement in wanted} <= pinned
    assert "/" not in text
    assert "@" not in text


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
