"""What a comparison keeps. Oracle: the file, and what was given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from converse.errors import StoreError
from converse.workflows.compare_kept import FILE, Kept


def test_what_was_found_is_there_for_the_same_networks_alone(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "compare" / "mine")
    assert kept.widths("denoising", "a") is None
    kept.keep_widths("denoising", "a", {"Mine": 15})
    kept.keep_widths("deblurring", "b", {})
    assert kept.widths("denoising", "a") == {"Mine": 15}
    assert kept.widths("deblurring", "b") == {}
    assert kept.widths("denoising", "b") is None
    kept.keep_sentence("one", "gives no gradient")
    kept.keep_sentence("one", "gives no gradient")
    kept.keep_sentence("one", "mixes the batch")
    assert kept.sentences("one") == ("gives no gradient", "mixes the batch")
    assert kept.sentences("other") == ()
    assert kept.widths("denoising", "a") == {"Mine": 15}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1, "widths": 3, "sentences": {"one": ["x"]}}'])
def test_what_is_damaged_is_found_anew(tmp_path: Path, text: str) -> None:
    kept = Kept(tmp_path)
    (tmp_path / FILE).write_text(text)
    assert kept.widths("denoising", "a") is None
    kept.keep_widths("denoising", "a", {"Mine": 15})
    assert kept.widths("denoising", "a") == {"Mine": 15}
    assert json.loads((tmp_path / FILE).read_text())["schema"] == 1


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "compare").write_text("")
    with pytest.raises(StoreError, match="a file stands where a folder is needed"):
        Kept(tmp_path / "compare" / "mine").keep_sentence("one", "x")
