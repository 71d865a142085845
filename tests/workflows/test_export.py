"""Oracles: the csv and json modules and pandas, reading what was written."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from converse.errors import OptionError, StoreError
from converse.experiments.store import Store
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.store.speed_rows import SPEED_COLUMNS
from converse.experiments.trials import Trial
from converse.workflows.export import export


@pytest.fixture
def rows(tmp_path: Path) -> pd.DataFrame:
    folder = Store(tmp_path / "runs").folder(Trial("denoising", "DnCNN", "released", None, None, {}, {}))
    common = {"dataset": "set12", "image": 'a, "b".png', "image_sha256": "x", "signature": "λ"}
    values = {"psnr": math.inf, "ssim": 0.1 + 0.2, "lpips": math.nan}
    folder.append_rows([{**common, "metric": metric, "value": value} for metric, value in values.items()])
    return folder.rows()


def test_csv(rows: pd.DataFrame, tmp_path: Path) -> None:
    export(rows, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(found[0]) == list(ROW_COLUMNS)
    assert [one["value"] for one in found] == ["inf", "0.30000000000000004", ""]
    assert (found[0]["image"], found[0]["signature"], found[0]["seed"]) == ('a, "b".png', "λ", "")


def test_json(rows: pd.DataFrame, tmp_path: Path) -> None:
    export(rows, tmp_path / "rows.json")

    def refuse(text: str) -> None:
        raise AssertionError(f"{text} is not JSON")

    found = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert [one["value"] for one in found] == ["inf", 0.1 + 0.2, None]
    assert list(found[0]) == list(ROW_COLUMNS)
    assert found[0]["seed"] is None


def test_parquet(rows: pd.DataFrame, tmp_path: Path) -> None:
    export(rows, tmp_path / "rows.PARQUET")
    found = pd.read_parquet(tmp_path / "rows.PARQUET")
    assert found["value"].tolist()[:2] == [math.inf, 0.1 + 0.2]


@pytest.mark.parametrize("name", ["rows", "rows.xlsx"])
def test_another_suffix(rows: pd.DataFrame, tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=r"must end in .csv, .json or .parquet, got"):
        export(rows, tmp_path / name)


def test_a_missing_folder(rows: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot write .*rows.csv: No such file or directory"):
        export(rows, tmp_path / "nowhere" / "rows.csv")


@pytest.fixture
def timed(tmp_path: Path) -> pd.DataFrame:
    store = Store(tmp_path / "runs")
    common = {"subject": "converse", "twin": False, "height": 64}
    folder = store.speed.folder("a", {"suite": "speed", "threads": 2})
    folder.add([{**common, "status": "ok", "turns_s": [0.25, 0.5]}, {**common, "twin": True, "status": "failed"}])
    return store.speed_rows()


def test_rows_of_speed(timed: pd.DataFrame, tmp_path: Path) -> None:
    for kind in ("csv", "json", "parquet"):
        export(timed, tmp_path / f"speed.{kind}")
    with (tmp_path / "speed.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    documents = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    table = pd.read_parquet(tmp_path / "speed.parquet")
    assert list(lines[0]) == list(documents[0]) == list(table.columns) == list(SPEED_COLUMNS)
    assert [line["turns_s"] for line in lines] == ["[0.25, 0.5]", ""]
    assert [line["turns_s"] for line in documents] == [[0.25, 0.5], None]
    assert list(table["turns_s"][0]) == [0.25, 0.5]
    assert (documents[0]["height"], documents[0]["twin"], documents[0]["median_s"]) == (64, False, None)


def test_csv_has_no_formulas_and_no_orders_to_a_terminal(rows: pd.DataFrame, tmp_path: Path) -> None:
    export(rows.assign(image="=HYPERLINK(1)", reason="\x1b[2J\u202e"), tmp_path / "rows.csv")
    text = (tmp_path / "rows.csv").read_text(encoding="utf-8")
    assert not {"\x1b", "\u202e"} & set(text)
    (found, *_) = csv.DictReader(text.splitlines())
    assert (found["image"], found["reason"]) == ("'=HYPERLINK(1)", r"\x1b[2J\u202e")
