"""What stays of a check's folder. Oracles: the disk, and stores that are filled by hand."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from converse.errors import OptionError
from converse.workflows.check_folder import trials_folder
from converse.workflows.check_request import CheckRequest
from tests.workflows.conftest import Filled

BASELINE = Path("baseline.toml")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files: one of our own."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def ended(request: CheckRequest, store: Path | None, error: type[BaseException]) -> list[str]:
    """What is noted on an error that ends a check in whose folder these trials were."""

    def checked() -> None:
        with trials_folder(request) as folder:
            if store is not None:
                shutil.copytree(store, folder.path, dirs_exist_ok=True)
            raise error("stopped")

    with pytest.raises(error) as stopped:
        checked()
    return list(getattr(stopped.value, "__notes__", ()))


@pytest.mark.parametrize("error", [KeyboardInterrupt, OptionError, RuntimeError])
@pytest.mark.parametrize("state", ["done", "failed"])
def test_what_has_ended_is_kept_and_it_is_said_where(
    filled: Filled, place: Path, state: str, error: type[BaseException]
) -> None:
    filled.trained("Reverse", 0, [30.0], state=state)
    notes = ended(CheckRequest(BASELINE), filled.store.root, error)
    (folder,) = place.iterdir()
    assert notes == [f"what was finished is kept in {folder}; the same command with --store {folder} goes on there"]


def test_what_has_only_begun_goes(filled: Filled, place: Path) -> None:
    filled.trained("Reverse", 0, [30.0], state="running")
    assert ended(CheckRequest(BASELINE), filled.store.root, KeyboardInterrupt) == []
    assert ended(CheckRequest(BASELINE), None, OptionError) == []
    assert list(place.iterdir()) == []


def test_a_store_of_ones_own_always_stays(filled: Filled, tmp_path: Path) -> None:
    filled.trained("Reverse", 0, [30.0])
    notes = ended(CheckRequest(BASELINE, store=tmp_path / "mine"), filled.store.root, KeyboardInterrupt)
    assert notes == [f"what was finished is kept in {tmp_path / 'mine'}; the same command goes on there"]
    assert ended(CheckRequest(BASELINE, taken_from=filled.store.root), None, OptionError) == []
    assert filled.store.folders()


def test_after_an_orderly_end_whoever_asked_puts_it_away(filled: Filled, place: Path) -> None:
    filled.trained("Reverse", 0, [30.0])
    for wanted, there in ((True, True), (False, False)):
        with trials_folder(CheckRequest(BASELINE)) as folder:
            shutil.copytree(filled.store.root, folder.path, dirs_exist_ok=True)
        assert folder.path.is_dir()
        folder.put_away(wanted=wanted)
        assert folder.path.exists() == there
