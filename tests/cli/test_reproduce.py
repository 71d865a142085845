"""``converse reproduce`` as a user calls it: exit statuses, streams, no traceback for a user's mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converse.analysis.image_checks import IMAGE_CHECK_COLUMNS
from converse.analysis.tables import RESULT_COLUMNS
from converse.data import downloads
from converse.data.catalogue import dataset
from converse.data.images import ImageFile, ImageSet
from converse.data.resources import Resources
from converse.errors import ConverseWarning, DataError
from converse.experiments.running import execute
from converse.workflows import reproduce as workflow
from tests.workflows.identity import Identity

Command = Callable[..., tuple[int, str, str]]
"""A call of the command line: exit status, standard output, standard error."""


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def download(*arguments: object) -> None:
        raise DataError("no network")

    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setattr(downloads, "download", download)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def photos(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A folder of two images; every network's weights are at hand, and it is the identity."""
    monkeypatch.setattr(Resources, "_weights", lambda self, name, file: (Path(file), "0" * 64))
    monkeypatch.setattr(Resources, "_kernels", lambda self: {f"kernel_{i}": np.eye(7) / 7 for i in range(1, 6)})
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity(entry))
    (tmp_path / "photos").mkdir()
    for index in range(2):
        pixels = np.random.default_rng(index).integers(60, 190, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{index}.png")
    return "photos"


@pytest.fixture(name="reproduce")
def _reproduce(converse: Command) -> Command:
    return partial(converse, "reproduce")


def test_json_is_one_document_with_exactly_the_keys(reproduce: Command, photos: str) -> None:
    status, out, err = reproduce("denoising", "--only", "DnCNN", "--datasets", photos, "--format", "json")
    rows = json.loads(out)
    assert status == 0
    assert all(tuple(row) == RESULT_COLUMNS for row in rows)
    assert {row["metric"] for row in rows} == {"psnr", "ssim", "lpips", "parameters"}
    assert err == ""


def test_csv_has_the_same_rows(reproduce: Command, photos: str) -> None:
    arguments = ("denoising", "--datasets", photos, "--metrics", "psnr")
    _, text, _ = reproduce(*arguments, "--format", "json")
    status, out, _ = reproduce(*arguments, "--format", "csv")
    read = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    for row, record in zip(read, json.loads(text), strict=True):
        assert row == {name: "" if value is None else str(value) for name, value in record.items()}


def test_tables_fit_80_columns_and_say_what_they_mean(reproduce: Command, photos: str) -> None:
    status, out, _ = reproduce("--datasets", photos)
    assert status == 0
    lines = [line.rstrip() for line in out.splitlines()]
    assert max(map(len, lines)) <= 80
    for text in (
        "Denoising",
        "Deblurring, own images, photos",
        "kernel 5",
        "Parameters",
        "Signatures",
        "✓ match",
        "psnr|colour:",
    ):
        assert text in out


def test_noise_levels_are_a_table_of_their_own(reproduce: Command, photos: str) -> None:
    asked = ("denoising", "--datasets", photos, "--metrics", "psnr", "--only", "DnCNN,Noisy input")
    _, before, _ = reproduce(*asked)
    status, out, err = reproduce(*asked, "--noise-levels", "50,15,25")
    assert (status, err) == (0, "")
    assert before.splitlines()[:6] == out.splitlines()[:6]  # the table of the task as it is does not change
    (heads,) = (line.split("σ = ") for line in out.splitlines() if "σ = " in line)
    assert [head.strip() for head in heads[1:]] == ["15", "25", "50"]
    assert max(map(len, out.splitlines())) <= 80
    _, plain, _ = reproduce(*asked, "--noise-levels", "15,50", "--format", "json")
    cases = [row["case"] for row in json.loads(plain) if row["metric"] == "psnr" and row["entry"] == "DnCNN"]
    assert cases == [None, "noise_level_15", "noise_level_50"]


def test_single_images_of_the_logs_are_shown_where_their_test_set_is_asked_for(
    reproduce: Command, photos: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = dataset("bsd100").files[0]
    paths = (Path(photos) / "0.png", Path(photos) / "1.png")
    files = [ImageFile(one.name, path, one.sha256) for one, path in zip(dataset("bsd100").files, paths, strict=False)]
    monkeypatch.setattr(Resources, "_images", lambda self, name: ImageSet("bsd100", "BSD100", tuple(files)))
    asked = ("deblurring", "--datasets", "bsd100", "--only", "ConverseNet", "--metrics", "psnr")
    status, out, _ = reproduce(*asked, "--show", "images", "--format", "json")
    checks = json.loads(out)
    assert status == 0
    assert all(tuple(one) == IMAGE_CHECK_COLUMNS for one in checks)
    assert [(one["known_as"], one["published"]) for one in checks][:2] == [("101085", 25.16), ("101087", 28.48)]
    assert (checks[0]["image"], checks[0]["difference"]) == (first.name, checks[0]["measured"] - 25.16)
    assert [one["verdict"] for one in checks] == ["differs", "differs", "not measured", "not measured"]
    assert "single images of BSD100, kernel 1" in reproduce(*asked)[1]
    assert "single images" not in reproduce(*asked, "--show", "results")[1]
    assert "mean over images" not in reproduce(*asked, "--show", "images")[1]


def test_a_second_call_says_the_same_without_a_network(
    reproduce: Command, photos: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reproduce("denoising", "--datasets", photos)
    monkeypatch.setattr(execute, "read_released", None)
    assert reproduce("denoising", "--datasets", photos) == first


def test_a_network_that_crashes_ends_with_1_and_says_what_to_do(
    reproduce: Command, photos: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(entry: str, path: Path) -> Identity:
        if entry == "DnCNN":
            raise RuntimeError("the weights do not fit")
        return Identity(entry)

    monkeypatch.setattr(execute, "read_released", load)
    status, out, err = reproduce("denoising", "--datasets", photos)
    assert status == 1
    assert "DnCNN photos: RuntimeError: the weights do not fit" in " ".join(out.split())
    assert err.splitlines()[0].startswith("failed: DnCNN (trial ")
    monkeypatch.setattr(execute, "read_released", lambda entry, path: Identity(entry))
    assert "--retry-failed" in reproduce("denoising", "--datasets", photos)[2]
    assert reproduce("denoising", "--datasets", photos, "--retry-failed")[::2] == (0, "")


def test_an_image_that_cannot_be_read_is_said_and_ends_with_1(reproduce: Command, photos: str, tmp_path: Path) -> None:
    (tmp_path / photos / "0.png").write_bytes(b"no image")
    arguments = ("denoising", "--only", "DnCNN", "--datasets", photos)
    status, out, err = reproduce(*arguments)
    assert status == 1
    assert "1 of 2 images" in out
    assert "not done: DnCNN on photos: 1 of 2 images not measured: unreadable" in err
    (tmp_path / photos / "1.png").write_bytes(b"no image either")
    status, out, err = reproduce(*arguments)
    assert status == 1
    assert "DnCNN   PSNR   · not measured" in " ".join(out.split("  ")) or "· not measured" in out.splitlines()[4]
    assert "2 of 2 images not measured" in err


def test_what_is_named_and_not_at_hand_ends_with_3(reproduce: Command, photos: str) -> None:
    only = ("denoising", "--only", "DnCNN", "--datasets")
    with pytest.warns(ConverseWarning, match="no network"):
        assert reproduce(*only, f"{photos},set12")[0] == 3
    with pytest.warns(ConverseWarning, match="no network"):
        assert reproduce(*only, photos, "--metrics", "psnr,lpips")[0] == 3
    assert reproduce("denoising", "--only", "DnCNN,Conv-DnCNN", "--datasets", photos)[0] == 3
    assert reproduce("denoising", "--datasets", photos)[0] == 0  # that Conv-DnCNN was not released is no news


def test_strict_makes_a_difference_a_failure(reproduce: Command, photos: str) -> None:
    arguments = ("denoising", "--only", "DnCNN", "--datasets", photos)
    assert reproduce(*arguments)[0] == 0
    assert reproduce(*arguments, "--strict")[0] == 1  # the identity has not the published number of parameters


def test_dry_run_shows_the_plan_and_writes_nothing(reproduce: Command, photos: str, tmp_path: Path) -> None:
    status, out, _ = reproduce("denoising", "--datasets", photos, "--dry-run", "--format", "json")
    assert status == 0
    assert {(line["entry"], line["images"]) for line in json.loads(out)} == {
        ("DnCNN", 2),
        ("Converse-DnCNN", 2),
        ("Noisy input", 2),
    }
    assert "DnCNN" in reproduce("denoising", "--datasets", photos, "--dry-run")[1]
    assert not (tmp_path / "runs").exists()


def test_nothing_at_hand_says_what_is_needed_and_ends_with_3(reproduce: Command) -> None:
    with pytest.warns(ConverseWarning, match="no network") as warned:
        status, out, err = reproduce("denoising")
    assert len(warned) == 1  # why the downloads failed is said once, not for each file
    assert status == 3
    assert "nothing was measured" in err
    assert "converse data fetch dncnn_weights converse_weights set12 bsd68" in err
    assert "--data-dir" in err
    assert "30.70" in out  # the published numbers are there all the same


def test_nothing_at_hand_is_still_one_document(reproduce: Command) -> None:
    status, out, _ = reproduce("--format", "json")
    assert status == 3
    assert {row["verdict"] for row in json.loads(out)} == {"not measured"}


def test_interrupted_says_how_to_go_on(reproduce: Command, photos: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(workflow, "reproduce", stop)
    status, out, err = reproduce("denoising", "--datasets", photos)
    assert (status, out) == (130, "")
    assert "the same command continues" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("denoisng",), "did you mean 'denoising'"),
        (("--datasets", "sett12"), "did you mean 'set12'"),
        (("--datasets", "./nowhere/photos"), "no folder"),
        (("--datasets", ","), "expected a name"),
        (("--only", "Converse-DnCN"), "did you mean 'Converse-DnCNN'"),
        (("--metrics", "psnr,ssmi"), "did you mean 'ssim'"),
        (("--device", "gpu"), "device must be"),
        (("--match", "0.1", "--close", "0.01"), "0 ≤ match ≤ close"),
        (("--data-dir", "/nowhere"), "/nowhere"),
        (("denoising", "--noise-levels", "15,dark"), "--noise-levels takes numbers with commas"),
        (("denoising", "--noise-levels", "0"), "--noise-levels takes standard deviations above 0"),
        (("denoising", "--noise-levels", "15,15"), "--noise-levels: 15 stands there twice"),
        (("--noise-levels", "300"), "got 300"),
        (("deblurring", "--noise-levels", "15"), "deblurring has no noise level to change"),
        (("deblurring", "--kernels", "2,6"), "--kernels: unknown blur kernel '6': known: 1, 2, 3, 4, 5"),
        (("denoising", "--kernels", "2"), "--kernels: denoising blurs nothing, deblurring does"),
    ],
)
def test_mistakes_end_in_one_message_with_status_2(
    reproduce: Command, arguments: tuple[str, ...], message: str
) -> None:
    status, out, err = reproduce(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_number_out_of_range_is_refused(reproduce: Command) -> None:
    status, out, err = reproduce("--images", "0")
    assert (status, out) == (2, "")
    assert "--images" in err


def test_an_empty_folder_and_a_corrupt_checkpoint_end_in_one_message(reproduce: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    status, _, err = reproduce("--datasets", "empty")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "holds no images" in err
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "dncnn_25.pth").write_bytes(b"torn")
    status, _, err = reproduce("--data-dir", "data")
    assert (status, len(err.splitlines())) == (2, 1)
    assert "dncnn_25.pth is corrupt" in err


def test_a_store_that_is_a_file_is_refused(reproduce: Command, photos: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = reproduce("denoising", "--datasets", photos, "--store", "file")
    assert status == 2
    assert "is a file" in err


def test_ctrl_c_in_a_real_process_keeps_the_finished_images(shared: Path, tmp_path: Path) -> None:
    # 80 images, so many that it has not finished when it is asked to stop after three
    arguments = ["reproduce", "denoising", "--only", "DnCNN", "--metrics", "psnr"]
    environment = {**os.environ, "CONVERSE_DATA": str(shared), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from converse.cli.main import main; main()", *arguments]
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not (found := [*tmp_path.glob("runs/trials/*/rows.jsonl")]) or len(found[0].read_text().splitlines()) < 3:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "the same command continues" in err
    assert "Traceback" not in err
    assert len(found[0].read_text().splitlines()) >= 3


def test_images_without_any_error_are_counted_and_the_others_averaged(
    reproduce: Command, photos: str, tmp_path: Path
) -> None:
    (tmp_path / "exact").mkdir()  # repeated pixels make constant images as they were, and others not
    ramp = np.arange(40, dtype=np.uint8)[None].repeat(40, 0)
    for name, pixels in {"black": 0 * ramp, "ramp": ramp, "white": 0 * ramp + 255}.items():
        Image.fromarray(pixels).save(tmp_path / "exact" / f"{name}.png")
    asked = ("super_resolution", "--only", "Converse-SRResNet", "--metrics", "psnr", "--datasets", "exact")
    status, out, _ = reproduce(*asked, "--format", "json")
    (row,) = (row for row in json.loads(out) if row["metric"] == "psnr")
    assert status == 0
    assert (row["images"], row["infinite"]) == (3, 2)
    assert 20 < row["measured"] < 70
    assert row["reason"] == "no published value; infinite in 2 of 3 images, mean of the others"
    (line,) = (line for line in csv.DictReader(io.StringIO(reproduce(*asked, "--format", "csv")[1])) if line["images"])
    assert (line["infinite"], float(line["measured"])) == ("2", row["measured"])
    lines = [line.split() for line in reproduce(*asked)[1].splitlines()]
    at = lines.index(["Converse-SRResNet", "PSNR", f"{row['measured']:.4f}"])
    assert lines[at + 1] == ["∞", "in", "2", "of", "3"]
    (tmp_path / "exact" / "ramp.png").unlink()
    status, out, _ = reproduce(*asked, "--format", "json")
    (row,) = (row for row in json.loads(out) if row["metric"] == "psnr")
    assert (status, row["measured"], row["infinite"]) == (0, "inf", 2)
    assert ["Converse-SRResNet", "PSNR", "∞"] in [line.split() for line in reproduce(*asked)[1].splitlines()]


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_a_name_that_is_not_utf8_breaks_no_command(converse: Command, photos: str, tmp_path: Path) -> None:
    """Oracle: the byte, written out. The store is then read by every command that reads stores."""
    other = os.fsdecode(os.fsencode(tmp_path / "photos") + b"/caf\xe9.png")
    (tmp_path / "photos" / "0.png").rename(other)
    assert converse("reproduce", "denoising", "--only", "DnCNN", "--metrics", "psnr", "--datasets", photos)[0] == 0
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for words in (["store", "list"], ["store", "export"], ["status"], ["report", "-o", "page"]):
        done = subprocess.run(
            [sys.executable, "-c", "from converse.cli.main import main; main()", *words],
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert b"Traceback" not in done.stderr
        if words[-1] == "export":
            assert rb",caf\xe9.png," in done.stdout
    assert r"caf\xe9.png" in (tmp_path / "page" / "index.html").read_text(encoding="utf-8").replace("\\\\", "\\")
