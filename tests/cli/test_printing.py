"""Oracle: the cells that were given, each whole on one line of the output."""

from __future__ import annotations

import pytest

from converse.cli.printing import print_table


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_cell_but_the_last_is_cut_on_a_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes the output a terminal
    monkeypatch.setenv("COLUMNS", str(width))
    cells = ["Converse-DnCNN: circular", "3", "12,209", "Set12", "26.65 ± 0.12", "0.6832 ± 0.0064", "0.3194 ± 0.0110"]
    heads = ["entry", "seeds", "parameters", "test set", "PSNR", "SSIM", "LPIPS", "reason"]
    print_table(heads, [[*cells, "a reason of many words that may be folded where the terminal is narrow"]])
    out = capsys.readouterr().out
    assert "…" not in out
    assert all(cell in out for cell in [*heads[:-1], *cells])
