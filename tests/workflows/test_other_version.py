"""Oracles: repositories and folders made for the purpose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from converse.errors import OptionError
from converse.workflows.other_version import other_version

MODULE = Path("converse/nn/__init__.py")


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two commits, the first of which is tagged; the working directory is a folder inside it."""
    folder = write(tmp_path / "repository", {str(MODULE): "one", "mine/operator.py": "one", "inner/file": ""})
    (folder / "outside").symlink_to("/etc")

    def git(*arguments: str) -> None:
        settings = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        subprocess.run(("git", *settings, *arguments), cwd=folder, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    git("tag", "first")
    write(folder, {str(MODULE): "two", "mine/operator.py": "two", "mine/later.py": "two"})
    git("add", ".")
    git("commit", "--quiet", "-m", "two")
    monkeypatch.chdir(folder / "inner")
    return folder


@pytest.mark.parametrize("name", ["first", "HEAD~1"])
def test_a_commit_is_copied_and_the_copy_removed(repository: Path, name: str) -> None:
    before = sorted(path.relative_to(repository) for path in repository.rglob("*"))
    with other_version(name) as found:
        assert (found.folder / MODULE).read_text() == "one"
        assert (found.name, found.library) == (name, found.folder)
        assert len(found.commit or "") == 40
        assert not (found.folder / "outside").exists()
        assert repository not in (found.folder, *found.folder.parents)
    assert not found.folder.exists()
    assert sorted(path.relative_to(repository) for path in repository.rglob("*")) == before


def test_a_users_operator_as_the_other_version_has_it(repository: Path) -> None:
    with other_version("first") as found:
        mine = found.operator("../mine/operator.py:Mine")
        assert mine == f"{found.folder / 'mine/operator.py'}:Mine"
        assert found.operator(f"{repository}/mine/later.py:Mine") is None  # it came later
        assert found.operator("converse") is None
        assert found.operator("/elsewhere/operator.py:Mine") is None


@pytest.mark.parametrize("inside", ["", "lib/python3.12/site-packages", "Lib/site-packages"])
def test_a_folder_with_a_checkout_or_an_installation(tmp_path: Path, inside: str) -> None:
    write(tmp_path / inside, {str(MODULE): ""})
    with other_version(str(tmp_path)) as found:
        assert found.library == tmp_path / inside
        assert found.commit is None
    assert (tmp_path / inside / MODULE).exists()


def test_what_there_is_not(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with (
        pytest.raises(OptionError, match=r"there is no converse in .*empty; expected another checkout"),
        other_version(str(empty)),
    ):
        pass
    for name in ("no-such-branch", "--output=/tmp/x"):
        with pytest.raises(OptionError, match="git knows no such commit here; a shallow clone"), other_version(name):
            pass
    monkeypatch.chdir(empty)
    with pytest.raises(OptionError, match="no git repository here"), other_version("main"):
        pass


def test_a_commit_without_converse_has_no_library(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(("git", "rm", "-rq", "converse"), cwd=repository, check=True)
    settings = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(("git", *settings, "commit", "-qm", "three"), cwd=repository, check=True)
    with other_version("HEAD") as found:
        assert found.library is None
        assert found.operator("../mine/later.py:Mine") is not None
