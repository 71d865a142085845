"""Another version of converse beside this one: a commit, another checkout, or an installation."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from converse.errors import OptionError
from converse.plain_text import writable

_SECONDS: Final = 120.0
"""That git may take."""


@dataclass(frozen=True)
class OtherVersion:
    """A version of converse, or of a repository that uses it.

    Attributes:
        name: as the user calls it.
        folder: a checkout, or what a commit of it holds.
        library: the folder in which its ``converse`` lies; ``None`` where it has none of its own.
        commit: its full hash; ``None`` for a folder.
    """

    name: str
    folder: Path
    library: Path | None
    commit: str | None = None

    def operator(self, name: str) -> str | None:
        """A user's operator as this version has it.

        Args:
            name: as ``--operator`` takes it.

        Returns:
            ``path/to/file.py:Class`` with the path of the same file in this version; ``None`` where it has none, or the
            operator does not stand in a file of the repository.
        """
        path, colon, attribute = name.rpartition(":")
        top = _toplevel()
        if not path.endswith(".py") or top is None or not Path(path).resolve().is_relative_to(top):
            return None
        mine = self.folder / Path(path).resolve().relative_to(top)
        return f"{mine}{colon}{attribute}" if mine.is_file() else None


@contextmanager
def other_version(name: str) -> Iterator[OtherVersion]:
    """Another version, for as long as it is needed.

    Of a commit there is a copy in a temporary folder, which is removed afterwards; nothing is written into the
    repository.

    Args:
        name: a folder with another checkout, with an installation's packages, or with a virtual environment; otherwise
            whatever git calls a commit in the repository of the working directory: a branch, a tag, ``HEAD~1``.

    Yields:
        The version.

    Raises:
        OptionError: there is no such folder or commit, or git cannot copy it.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        library = _library(folder.resolve())
        if library is None:
            raise OptionError(
                f"--against {name}: there is no converse in {folder}; expected another checkout, the site-packages of "
                "an installation, or a virtual environment"
            )
        yield OtherVersion(name, folder.resolve(), library)
        return
    commit = _commit(name)
    with tempfile.TemporaryDirectory(prefix="converse-against-") as temporary:
        copy = Path(temporary)
        _copied(name, commit, copy)
        yield OtherVersion(name, copy, _library(copy), commit)


def commit_of(name: str) -> str:
    """The full hash of a commit that a baseline may name.

    Args:
        name: as the user calls it.

    Raises:
        OptionError: it is a folder, or git knows no such commit here.
    """
    if Path(name).expanduser().is_dir():
        raise OptionError(f"--against {name}: a baseline names a commit, which others have too, and no folder")
    return _commit(name)


def _library(folder: Path) -> Path | None:
    """Where the package lies: in the folder itself, or in the packages of the environment that it is."""
    candidates = (folder, *sorted(folder.glob("lib/python3*/site-packages")), folder / "Lib" / "site-packages")
    return next((one for one in candidates if (one / "converse" / "nn" / "__init__.py").is_file()), None)


def _commit(name: str) -> str:
    if _toplevel() is None:
        raise OptionError(
            f"--against {name}: there is no such folder, and no git repository here to look for such a commit"
        )
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if found.returncode:
        raise OptionError(
            f"--against {name}: there is no such folder, and git knows no such commit here; a shallow clone lacks most "
            f"of them: git fetch --depth 1 origin {name}, and then --against FETCH_HEAD"
        )
    return found.stdout.decode().strip()


def _toplevel() -> Path | None:
    found = _git("rev-parse", "--show-toplevel")
    return Path(found.stdout.decode().rstrip("\n")).resolve() if not found.returncode else None


def _copied(name: str, commit: str, folder: Path) -> None:
    """The files of a commit, in a folder."""
    top = _toplevel() or Path()
    archive = folder / "commit.tar"
    packed = _git("-C", str(top), "archive", "--format=tar", f"--output={archive}", commit)
    if packed.returncode:
        raise OptionError(
            f"--against {name}: git archive says: {writable(packed.stderr.decode(errors='replace')).strip()}"
        )
    with tarfile.open(archive) as tar:
        # Links of a repository may point anywhere; nothing that is measured is one.
        tar.extractall(folder, (one for one in tar if one.isfile() or one.isdir()), filter="data")
    archive.unlink()


def _git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(("git", *arguments), capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return subprocess.CompletedProcess(("git", *arguments), 1, b"", str(error).encode())
