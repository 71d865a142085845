"""``converse list``: what it shows is what the folders hold and the registries register."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from converse.cli.listing import listing
from converse.cli.options import OutputFormat
from converse.content import content
from converse.errors import OptionError
from converse.nn.models import MODELS
from converse.nn.operators import OPERATORS
from tests.experiments.suites.offered import offer

app = typer.Typer()
app.command()(listing)


@app.callback()
def _group() -> None:
    """So that the command keeps its name."""


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["listing", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


KEYS = {
    "suites": {path.stem for path in content("benchmarks").glob("*.toml")},
    "operators": set(OPERATORS),
    "models": set(MODELS),
    "datasets": {path.stem for path in content("datasets").glob("*.toml")},
}


@pytest.mark.parametrize("kind", KEYS)
def test_all_of_a_kind_are_shown_in_every_format(kind: str) -> None:
    first = kind.removesuffix("s")
    rows = json.loads(shown(kind, "--format", "json"))
    assert {row[first] for row in rows} >= KEYS[kind]
    table = shown(kind)
    assert all(name in table for name in KEYS[kind])
    assert [row[first] for row in csv.DictReader(io.StringIO(shown(kind, "--format", "csv")))] == [
        row[first] for row in rows
    ]


def test_a_suite_is_shown_with_what_can_be_chosen_of_it() -> None:
    (row,) = (row for row in json.loads(shown("suites", "--format", "json")) if row["suite"] == "denoising")
    assert row["task"] == "denoising"
    assert row["entries"] == ["DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN"]
    assert row["budgets"] == ["smoke", "quick", "standard", "paper"]
    assert row["seeds"] == [0, 1, 2]


def test_an_entry_is_shown_with_its_network() -> None:
    rows = json.loads(shown("entries", "--format", "json"))
    (row,) = (row for row in rows if (row["suite"], row["entry"]) == ("denoising", "Converse-DnCNN"))
    assert (row["model"], row["operator"], row["published"]) == ("block-dncnn", "converse", "Converse-DnCNN")
    assert "kernel_size=5" in shown("entries")


def test_what_packages_offer_is_shown_and_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "wiener_package", wiener="wiener_package:Wiener", conv="wiener_package:Conv")
    monkeypatch.syspath_prepend(tmp_path)
    rows = {(row["operator"], row["class"]): row["what"] for row in json.loads(shown("operators", "--format", "json"))}
    assert rows["wiener", "wiener_package:Wiener"] == "Offered by the package wiener_package."
    assert "which has the name of one of converse's" in rows["conv", "wiener_package:Conv"]
    assert "wiener_package" not in sys.modules


def test_without_a_kind_all_are_shown() -> None:
    document = json.loads(shown("--format", "json"))
    assert list(document) == ["suites", "entries", "operators", "models", "datasets"]
    assert all(document.values())
    table = shown()
    assert all(word in table for word in ("quickstart", "block-usrnet", "urban100", "DepthwiseConv2d"))


def test_csv_of_all_kinds_is_refused() -> None:
    with pytest.raises(OptionError, match="csv holds one table: name one of suites, entries"):
        listing(None, OutputFormat.csv)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    done = CliRunner().invoke(app, ["listing", "modles"])
    assert done.exit_code == 2
    assert "models" in done.output


@pytest.mark.parametrize("kind", ["suites", "entries", "datasets"])
def test_what_needs_no_torch_does_not_load_it(kind: str) -> None:
    code = (
        "import sys; from converse.cli.listing import What, listing; from converse.cli.options import OutputFormat;"
        f"listing(What.{kind}, OutputFormat.table);"
        "sys.exit(', '.join({'torch', 'numpy', 'pandas', 'scipy'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
