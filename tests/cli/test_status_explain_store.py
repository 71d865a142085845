"""Oracles: the csv and json modules on standard output; the modules that a fresh interpreter has loaded."""

from __future__ import annotations

import ast
import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from converse.cli.explain import explain
from converse.cli.status import status
from converse.cli.store import store as store_commands
from converse.errors import OptionError, StoreError
from converse.experiments.store import Store
from converse.experiments.trials import Trial

app = typer.Typer()
app.command()(status)
app.command()(explain)
app.add_typer(store_commands, name="store")


def trial(seed: int = 0, **changes: Any) -> Trial:
    platform = {"device": "cpu", "threads": 1}
    return Trial(**{
        "task": "denoising", "entry": "DnCNN", "source": "trained", "seed": seed, "budget": "quick",
        "configuration": {"lr": 0.1 * (seed + 1)}, "data": {}, "platform": platform, **changes,
    })  # fmt: skip


OTHER = trial(2, entry="Converse-DnCNN")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One trial done with two rows, one failed, one planned."""
    store = Store(tmp_path / "runs")
    done, failed = store.folder(trial(0)), store.folder(trial(1))
    with done.lock():
        done.set_status("running")
        done.append_rows([{"dataset": "set12", "image": name, "metric": "psnr", "value": 30.0} for name in "ab"])
        done.write_provenance({"commit": "c" * 40, "versions": {"torch": "2.9"}})
        done.set_status("done")
    failed.write_failure("[red]loss became NaN", "Traceback")
    store.folder(OTHER)
    return store.root


def call(root: Path | str, *arguments: str) -> int:
    return int(app([*arguments, "--store", str(root)], standalone_mode=False) or 0)


def test_status_as_a_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "status") == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 5
    assert all(any(line.startswith(trial_.id) for line in out) for trial_ in (trial(0), trial(1)))
    assert "[red]loss became NaN" in out[2]
    assert out[4].startswith("1 done, 1 failed, 1 planned; ")


def test_a_store_at_an_address(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What one machine has sent, another shows; nobody has anything of a trial that is only planned."""
    address = f"file://{tmp_path}/there"
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "one"))
    assert call(address, "store", "merge", str(root)) == 0
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "another"))
    capsys.readouterr()
    assert call(address, "status") == 0
    assert "1 done, 1 failed; " in capsys.readouterr().out


def test_status_as_documents(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "status", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [line["state"] for line in found] == ["done", "failed", "planned"]
    assert call(root, "status", "--format", "csv") == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [line["reason"] for line in lines] == ["", "[red]loss became NaN", ""]
    assert list(lines[0]) == list(found[0])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["--state", "done,planned"], 2), (["--state", "running"], 0), (["--only", "DnCNN"], 2)],
)
def test_status_of_some(root: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], expected: int) -> None:
    for output in ("json", "csv", "table"):
        assert call(root, "status", "--format", output, *arguments) == 0
        out = capsys.readouterr().out
        count = len(json.loads(out)) if output == "json" else len(out.splitlines()) - (1 if output == "csv" else 2)
        assert count == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--state", "donne"], "unknown state 'donne': did you mean 'done'"),
        (["--only", "DnCN"], "unknown entry 'DnCN': did you mean 'DnCNN'"),
    ],
)
def test_status_of_what_is_not_known(root: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        call(root, "status", *arguments)


@pytest.mark.parametrize("arguments", [["status"], ["explain", "ab"], ["store", "list"], ["store", "export"]])
def test_readers_make_no_store(tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(StoreError, match="no store at"):
        call(tmp_path / "nowhere", *arguments)
    assert not (tmp_path / "nowhere").exists()


def test_explain_one(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "explain", trial(0).id[:8]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{trial(0).id}: DnCNN, denoising, trained, seed 0, budget quick\ndone, ")
    assert "note: its numbers were made by other sources" in out
    assert "versions.torch  2.9" in out
    assert call(root, "explain", OTHER.id, "--format", "table") == 0
    assert "up to date: no; it is planned" in capsys.readouterr().out


def test_explain_one_as_documents(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "explain", trial(1).id, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ingredients"] == trial(1).ingredients()
    assert (found["status"]["state"], found["up_to_date"]) == ("failed", False)
    assert call(root, "explain", trial(0).id, "--format", "csv") == 0
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert ["ingredients", "configuration.lr", "0.1"] in lines
    assert ["provenance", "commit", "c" * 40] in lines
    assert ["status", "state", "done"] in lines


def test_explain_two(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = (trial(0).id, OTHER.id)
    assert call(root, "explain", *two, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["path"] for one in found["ingredients"]] == ["configuration.lr", "seed"]
    assert found["provenance"][0] == {"path": "commit", "left": "c" * 40}
    assert call(root, "explain", *two, "--format", "csv") == 0
    lines = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert ["ingredients", "seed", "0", str(OTHER.seed)] in lines
    assert ["provenance", "commit", "c" * 40, "absent"] in lines
    assert call(root, "explain", *two) == 0
    out = capsys.readouterr().out
    assert "provenance that differs (no id depends on it)" in out
    assert call(root, "explain", two[0], two[0][:10]) == 0
    assert "are the same trial" in capsys.readouterr().out


def test_store_list(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "store", "list", "--format", "json") == 0
    converse, plain = json.loads(capsys.readouterr().out)
    size = converse.pop("bytes") + plain.pop("bytes")
    assert converse == {
        "task": "denoising", "entry": "Converse-DnCNN", "source": "trained", "budget": "quick",
        "trials": 1, "done": 0, "rows": 0,
    }  # fmt: skip
    assert (plain["entry"], plain["trials"], plain["done"], plain["rows"]) == ("DnCNN", 2, 1, 2)
    assert size == sum(path.stat().st_size for path in (root / "trials").rglob("*") if path.is_file())
    assert call(root, "store", "list") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_store_list_counts_a_damaged_file_as_no_rows(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "trials" / trial(0).id / "rows.parquet").write_bytes(b"PAR1")
    assert call(root, "store", "list", "--format", "csv") == 0
    assert [line["rows"] for line in csv.DictReader(io.StringIO(capsys.readouterr().out))] == ["0", "0"]


def test_store_merge(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = tmp_path / "into"
    assert call(into, "store", "merge", str(root)) == 0
    assert capsys.readouterr().out.count("copied") == 3
    with Store(root).folder(trial(3)).lock():
        Store(root).folder(trial(3)).set_status("running")
        assert call(into, "store", "merge", str(root), "--format", "json") == 1
    actions = [one["action"] for one in json.loads(capsys.readouterr().out)]
    assert sorted(actions) == ["skipped", "unchanged", "unchanged", "unchanged"]
    with pytest.raises(StoreError, match="no store at"):
        call(tmp_path / "third", "store", "merge", str(tmp_path / "nowhere"))
    assert not (tmp_path / "third").exists()


def test_store_export(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(root, "store", "export") == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 2
    assert call(root, "store", "export", "--format", "json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert call(root, "store", "export", "--format", "table") == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert call(root, "store", "export", str(tmp_path / "rows.csv"), "--trial", trial(0).id[:9]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"2 rows written to {tmp_path / 'rows.csv'}\n")
    assert call(root, "store", "export", "--trial", OTHER.id) == 3
    assert capsys.readouterr().out.startswith("trial,task,")


def test_rows_of_speed_are_counted_merged_and_exported(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(root, "store", "export", "--what", "speed") == 3
    Store(root).speed.folder("a", {"suite": "speed"}).add([{"subject": "converse", "turns_s": [0.5]}])
    capsys.readouterr()
    assert call(root, "store", "list") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("speed: 1 run with 1 row, ")
    assert call(tmp_path / "into", "store", "merge", str(root), "--format", "json") == 0
    assert [(one["kind"], one["id"]) for one in json.loads(capsys.readouterr().out)][-1] == ("speed", "a")
    assert call(tmp_path / "into", "store", "export", "--what", "speed") == 0
    (line,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert (line["run"], line["subject"], line["turns_s"]) == ("a", "converse", "[0.5]")
    with pytest.raises(OptionError, match="rows of speed belong to no trial"):
        call(root, "store", "export", "--what", "speed", "--trial", trial(0).id)


@pytest.mark.parametrize(
    ("arguments", "loaded"),
    [
        ([], []),
        (["status"], []),
        (["status", "--format", "json"], []),
        (["explain", trial(0).id], []),
        (["explain", trial(0).id, trial(1).id], []),
        (["store", "list"], ["numpy", "pandas", "pyarrow"]),
        (["store", "export"], ["numpy", "pandas", "pyarrow"]),
    ],
    ids=["import", "status", "json", "explain", "explain two", "list", "export"],
)
def test_it_starts_light(root: Path, arguments: list[str], loaded: list[str]) -> None:
    code = (
        "import json, sys, typer\n"
        "from converse.cli.status import status\nfrom converse.cli.explain import explain\n"
        "from converse.cli.store import store\n"
        "app = typer.Typer(); app.command()(status); app.command()(explain); app.add_typer(store, name='store')\n"
        "arguments = json.loads(sys.argv[1])\n"
        "if arguments: app(arguments, standalone_mode=False)\n"
        "heavy = ('torch', 'numpy', 'pandas', 'pyarrow', 'scipy', 'matplotlib', 'skimage')\n"
        "print([name for name in heavy if name in sys.modules], file=sys.stderr)\n"
    )
    full = [*arguments, "--store", str(root)] if arguments else []
    done = subprocess.run([sys.executable, "-c", code, json.dumps(full)], capture_output=True, text=True, check=True)
    assert set(ast.literal_eval(done.stderr)) <= set(loaded)


def test_store_verify_has_one_line_per_fault(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(root) == 0
    assert capsys.readouterr().out == "3 trials and 0 runs of speed: no faults\n"
    rows = root / "trials" / trial(0).id / "rows.parquet"
    rows.write_bytes(rows.read_bytes()[:-1] + b"2")
    assert verify(root) == 1
    out = capsys.readouterr().out.splitlines()
    assert "does not have the digest that it was written with" in out[1]
    assert out[-1].endswith(": 1 fault")
    assert verify(root, "--repair", "--format", "json") == 0
    (fault,) = json.loads(capsys.readouterr().out)
    assert fault["mended"] == "rows.parquet was damaged: moved to rows.parquet.damaged-1"
    assert verify(root) == 0


def verify(root: Path, *arguments: str) -> int:
    return int(app(["store", "verify", str(root), *arguments], standalone_mode=False) or 0)


def test_one_unreadable_trial_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = root / "trials" / trial(1).id / "trial.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    assert call(root, "status", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(line["state"] for line in found) == ["done", "planned", "unreadable"]
    assert call(root, "store", "list", "--format", "json") == 0
    assert sum(line["trials"] for line in json.loads(capsys.readouterr().out)) == 3
    assert call(root, "store", "export") == 1
    captured = capsys.readouterr()
    assert len(list(csv.DictReader(io.StringIO(captured.out)))) == 2
    assert captured.err.startswith("left out: ")
    assert "schema 99" in captured.err


def test_a_conflict_of_equal_ids_is_loud(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = Store(tmp_path / "into")
    mine = into.folder(trial(0))
    with mine.lock():
        mine.set_status("running")
        mine.append_rows([{"dataset": "set12", "image": name, "metric": "psnr", "value": 30.5} for name in "a"])
        mine.set_status("done")
    assert call(into.root, "store", "merge", str(root), "--format", "json") == 1
    captured = capsys.readouterr()
    merged = next(one for one in json.loads(captured.out) if one["id"] == trial(0).id)
    assert merged["differences"] == [{"what": "set12 a psnr", "here": "30.5", "there": "30.0"}]
    assert f"CONFLICT in trial {trial(0).id}: set12 a psnr is 30.5 in {into.root} and 30.0 in {root}" in captured.err
