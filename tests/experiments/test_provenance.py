"""Oracles: git itself, hashlib over the files, importlib.metadata, psutil."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import torch

from converse.experiments.provenance import code_hash, commit_of, provenance, versions
from converse.nn.transforms import rule

KEYS = {
    "time", "commit", "dirty", "code", "numerics", "versions", "python", "system", "libc", "cpu", "cpu_capability",
    "core_cache", "products", "transforms", "cores", "memory_gib", "device", "gpu", "driver", "threads", "determinism",
    "command",
}  # fmt: skip


def test_it_is_json_and_says_everything() -> None:
    found = json.loads(json.dumps(provenance("cpu"), allow_nan=False))
    assert found.keys() == KEYS
    assert found["threads"] == torch.get_num_threads()
    assert found["versions"]["torch"] == metadata.version("torch")
    assert found["versions"]["scipy"] == metadata.version("scipy")
    assert (found["transforms"], provenance("cuda")["transforms"]) == (rule("cpu"), rule("cuda"))
    assert found["python"].endswith(platform.python_version())
    assert found["cpu_capability"] == torch.backends.cpu.get_cpu_capability()
    assert found["determinism"]["deterministic_algorithms"] is torch.are_deterministic_algorithms_enabled()
    assert (found["gpu"], found["driver"]) == (None, None)


def test_it_names_neither_host_nor_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/converse", "run", "suite.toml"])
    found = provenance("cpu")
    assert found["command"] == ["converse", "run", "suite.toml"]
    host = socket.gethostname()
    assert len(host) < 4 or host not in json.dumps({key: found[key] for key in KEYS - {"command"}})


def test_it_does_not_load_torch() -> None:
    code = (
        "import sys; from converse.experiments.provenance import provenance as p; f = p('cpu');"
        "print('torch' in sys.modules, f['determinism'], f['transforms'], f['threads'] > 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "None", "None", "True"]


def test_versions_leave_out_the_extras() -> None:
    found = versions()
    assert found["numpy"] == metadata.version("numpy")
    assert "pytest" not in found
    assert "ruff" not in found


def test_code_hash_moves_with_a_source(tmp_path: Path) -> None:
    for name in ("a.py", "b/c.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x = 1\n")

    def now() -> str:
        code_hash.cache_clear()
        return code_hash(tmp_path)

    try:
        first = now()
        (tmp_path / "notes.txt").write_text("not code")
        (tmp_path / "_content").mkdir()
        (tmp_path / "_content" / "test_speed.py").write_text("beside the package in a checkout")
        assert now() == first
        (tmp_path / "b" / "c.py").write_text("x = 2\n")
        second = now()
        (tmp_path / "b" / "c.py").rename(tmp_path / "b" / "d.py")
        assert len({first, second, now()}) == 3
    finally:
        code_hash.cache_clear()


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
class TestCommit:
    @pytest.fixture
    def checkout(self, tmp_path: Path) -> Path:
        self.git(tmp_path, "init", "-q")
        (tmp_path / "package").mkdir()
        (tmp_path / "package" / "__init__.py").write_text("")
        self.git(tmp_path, "add", ".")
        self.git(tmp_path, "-c", "user.name=n", "-c", "user.email=e@example.org", "commit", "-qm", "m")
        return tmp_path

    @staticmethod
    def git(folder: Path, *arguments: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, env=environment
        )
        return done.stdout.strip()

    def test_clean_then_dirty(self, checkout: Path) -> None:
        head = self.git(checkout, "rev-parse", "HEAD")
        assert commit_of(checkout / "package") == (head, False)
        (checkout / "elsewhere.txt").write_text("not the package's")
        assert commit_of(checkout / "package") == (head, False)
        (checkout / "package" / "__init__.py").write_text("x = 1\n")
        assert commit_of(checkout / "package") == (head, True)

    def test_installed_inside_somebodys_checkout(self, checkout: Path) -> None:
        installed = checkout / "venv" / "converse"
        installed.mkdir(parents=True)
        (installed / "__init__.py").write_text("")
        assert commit_of(installed) == (None, None)

    def test_no_checkout(self, tmp_path: Path) -> None:
        assert commit_of(tmp_path) == (None, None)


def test_without_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(tmp_path) == (None, None)
    assert provenance("cpu")["commit"] is None
