"""Rows that come with the benchmark, in a store of one's own; the oracle is what the two stores held before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converse.errors import StoreError
from converse.experiments.store import Store
from converse.experiments.trials import Trial
from converse.workflows import reference
from converse.workflows.reference import begin_from_reference


def trial(seed: int) -> Trial:
    return Trial("denoising", "DnCNN", "trained", seed, "quick", {}, {}, platform={"device": "cpu"})


def row(image: str, value: float) -> dict[str, Any]:
    known = {"dataset": "set12", "image": image, "image_sha256": image, "metric": "psnr", "signature": "s"}
    return {**known, "value": value}


def finish(store: Store, seed: int, value: float) -> None:
    folder = store.folder(trial(seed))
    with folder.lock():
        folder.set_status("running")
        folder.append_rows([row("a.png", value)])
        folder.set_status("done")


@pytest.fixture(autouse=True)
def comes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(reference, "content", lambda folder: tmp_path / folder)
    return Store(tmp_path / "reports" / "reference" / "store")


def test_rows_of_the_reference_stand_beside_ones_own(comes_with_it: Store, tmp_path: Path) -> None:
    finish(comes_with_it, 0, 30.0)
    finish(comes_with_it, 1, 31.0)
    mine = Store(tmp_path / "mine")
    finish(mine, 1, 31.0)
    finish(mine, 2, 32.0)
    told: list[tuple[int, int]] = []
    begun = begin_from_reference(mine.root, lambda done, total: told.append((done, total)))
    assert (begun.brought, begun.all, begun.skipped) == (1, 2, ())
    assert str(begun).startswith("of the reference 1 of 2 trials was brought into the store")
    assert sorted(mine.rows()["value"]) == [30.0, 31.0, 32.0]
    assert told[-1] == (2, 2)
    again = begin_from_reference(mine.root)
    assert (again.brought, str(again)) == (0, "the store has all of the reference; its report shows it too")


def test_what_is_damaged_is_named(comes_with_it: Store, tmp_path: Path) -> None:
    finish(comes_with_it, 0, 30.0)
    (folder,) = comes_with_it.folders()
    (folder.path / "trial.json").write_text("{")
    begun = begin_from_reference(tmp_path / "mine")
    assert begun.brought == 0
    assert folder.id in begun.skipped[0]


def test_an_installation_without_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "content", lambda folder: tmp_path / "nothing")
    with pytest.raises(StoreError, match=r"there is no reference in .*: reinstall converse"):
        begin_from_reference(tmp_path / "mine")
