"""The one bar that all commands show: on a terminal alone, text of others as text, and nothing of it left behind."""

from __future__ import annotations

import pytest
import rich.console

import converse.progress_bar as module
from converse.progress_bar import progress_bar


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def shown(**options: bool) -> None:
    with progress_bar("text", "bar", "count", "time left", text="[red]looks", total=7, **options) as (bar, task):
        bar.update(task, completed=3)
        bar.console.print("a note")


def test_nobody_sees_it_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    shown()
    assert capsys.readouterr() == ("", "a note\n")


def test_a_terminal_shows_text_and_count(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich's word for: this is a terminal
    shown()
    out, err = capsys.readouterr()
    assert out == ""
    assert "[red]looks" in err
    assert "3/7" in err
    assert err.endswith("\x1b[1A\x1b[2K")  # the line that it was on is empty again
    shown(wanted=False)
    assert capsys.readouterr() == ("", "a note\n")


def test_a_notebook_without_widgets_says_what_bars_need(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen in a kernel with and without ipywidgets: without, rich shows nothing and warns at each step."""
    monkeypatch.setattr(rich.console, "_is_jupyter", lambda: True)
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with (
        pytest.warns(UserWarning, match=r"need ipywidgets; pip install 'converse-bench\[notebook\]'"),
        progress_bar("text", text="looks") as (bar, _),
    ):
        assert bar.disable
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    assert module._shows_bars(rich.console.Console())
