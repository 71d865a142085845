"""A baseline is read as it was written, to the bit; and what is broken is refused with file, table and key."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.analysis.gate import baseline as module
from converse.analysis.gate.baseline import Platform, read_baseline, write_baseline
from converse.analysis.gate.measured import platform_of
from converse.errors import OptionError, SuiteError
from tests.analysis.gate import made
from tests.analysis.gate.speed_made import SPEED


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "gate.toml"
    write_baseline(path, made.baseline())
    return path


def test_it_is_read_as_it_was_written(file: Path) -> None:
    assert read_baseline(file) == made.baseline()
    frame = read_baseline(file).frame
    assert tuple(frame.columns) == module.VALUE_COLUMNS
    assert len(frame) == 2 * 3 * 2 * 12
    # Beside our reader: what TOML itself says.
    plain = tomllib.loads(file.read_text())
    assert plain["values"][0]["images"]["01.png"] == made.plain("Converse", 0, "psnr", "01.png")
    assert list(plain)[-1] == "values"


@given(st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=12, max_size=12))
def test_each_bit_of_a_value_is_kept(values: list[float]) -> None:
    one = made.baseline(
        value=lambda entry, seed, metric, image: values[made.IMAGES.index(image)], entries=("A",), seeds=(0,)
    )
    plain = tomllib.loads(one.as_toml())
    assert [value.hex() for value in plain["values"][0]["images"].values()] == [value.hex() for value in values]


def test_a_perfect_image_is_infinite(tmp_path: Path) -> None:
    path = tmp_path / "perfect.toml"
    perfect = made.baseline(value=lambda entry, seed, metric, image: math.inf if metric == "psnr" else 1.0)
    write_baseline(path, perfect)
    assert "= inf" in path.read_text()
    assert read_baseline(path) == perfect


def _cut(at: str, after: int = 0) -> Callable[[str], str]:
    return lambda text: text[: text.rindex(at) + after]


BROKEN: dict[str, tuple[Callable[[str], str], str]] = {
    "empty": (lambda text: "", "is empty; make one with converse check"),
    "only a comment": (lambda text: "# nothing\n", "is empty"),
    "no TOML": (lambda text: "schema = ", "not TOML"),
    "cut within a line": (lambda text: text[: text.rindex("=") + 1], "not TOML"),
    "cut within a table": (
        lambda text: text[: text.rindex('"12.png"')],
        r"\[\[values\]\] #12.*lacks 12.png.*not whole",
    ),
    "cut between tables": (_cut("[[values]]"), r"\[\[entries\]\] #2 \"Conv\".*no values of ssim on set12 under seed 2"),
    "without any value": (lambda text: text[: text.index("[[values]]")], r'key "values": missing'),
    "a newer schema": (lambda text: text.replace("schema = 1", "schema = 2"), 'key "schema": came 2.*up to 1'),
    "no schema": (lambda text: text.replace("schema = 1\n", ""), 'key "schema": missing'),
    "NaN by hand": (
        lambda text: text.replace(f'"01.png" = {made.plain("Conv", 2, "ssim", "01.png")!r}', '"01.png" = nan'),
        r'\[\[values\]\] #12 "Conv": key "images.01.png": came nan',
    ),
    "minus infinity": (lambda text: text.replace('"02.png" = 2', '"02.png" = -inf #', 1), "came -inf"),
    "a value of text": (lambda text: text.replace('"02.png" = 2', '"02.png" = "a" #', 1), "expected a number"),
    "a value of truth": (lambda text: text.replace('"02.png" = 2', '"02.png" = true #', 1), "expected a number"),
    "a tolerance of NaN": (
        lambda text: text.replace("mean = 0.004", "mean = nan"),
        r'\[\[entries\]\] #1 "Converse": key "tolerances.psnr.mean".*finite',
    ),
    "a tolerance below 0": (lambda text: text.replace("mean = 0.004", "mean = -1.0"), r"mean.*≥ 0"),
    "no tolerance": (
        lambda text: text.replace("[entries.tolerances.ssim]", "[entries.tolerances.lpips]"),
        'key "tolerances.ssim": missing',
    ),
    "an unknown metric": (lambda text: text.replace('metric = "psnr"', 'metric = "psnrr"'), "did you mean 'psnr'"),
    "an unknown key": (lambda text: text.replace("budget =", "budgets ="), "unknown key 'budgets'"),
    "an entry twice": (lambda text: text.replace('name = "Conv"', 'name = "converse"'), "stands there twice"),
    "values twice": (lambda text: text.replace("seed = 1", "seed = 0"), r"has psnr on set12 under seed 0 2 times"),
    "another seed": (lambda text: text.replace("seed = 1", "seed = 7"), "came 7, which is none of the file's seeds"),
    "another entry": (lambda text: text.replace('entry = "Conv"', 'entry = "Con"'), "unknown entry of this file 'Con'"),
    "an image too many": (
        lambda text: text.replace("[values.images]\n", '[values.images]\n"99.png" = 1.0\n', 1),
        'key "images.99.png": set12 has no such image',
    ),
    "neither suite nor task": (lambda text: text.replace('suite = "gate"\n', ""), "either a suite, or a task"),
    "no budget": (lambda text: text.replace('budget = "smoke"\n', ""), 'key "budget": missing'),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_broken_is_refused(file: Path, how: str) -> None:
    change, message = BROKEN[how]
    text = file.read_text()
    broken = change(text)
    assert broken != text
    file.write_text(broken)
    with pytest.raises(SuiteError, match=message) as error:
        read_baseline(file)
    assert str(error.value).startswith(str(file))


BROKEN_SPEED: dict[str, tuple[Callable[[str], str], str]] = {
    "NaN by hand": (
        lambda text: text.replace("ratio = 0.25", "ratio = nan", 1),
        r'key "speed\.cases\[1\]\.ratio": came nan .*finite',
    ),
    "a floor below 0": (
        lambda text: text.replace("\nfloor = 0.05", "\nfloor = -0.05", 1),
        r'cases\[1\]\.floor": .*≥ 0',
    ),
    "no case": (lambda text: re.sub(r"(?s)\[\[speed\.cases.*?(?=\[\[entries)", "cases = []\n", text), "cases"),
    "a case twice": (lambda text: text.replace('"forward+backward"', '"evaluation"'), "twice in the same case"),
    "an unknown key": (lambda text: text.replace("elsewhere =", "elsewere =", 1), "did you mean 'elsewhere'"),
    "another device than the values": (
        lambda text: re.sub(r'(?s)(\[speed\].*?)device = "cpu"', r'\1device = "cuda"', text),
        r'key "speed\.device": came "cuda"; expected that of \[platform\], "cpu"',
    ),
    "cut within": (lambda text: text[: text.index("memory_floor")], 'key "entries": missing'),
}


def test_speed_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    whole = made.baseline().model_copy(update={"speed": SPEED})
    write_baseline(path, whole)
    assert read_baseline(path) == whole


@pytest.mark.parametrize("how", BROKEN_SPEED)
def test_broken_speed_is_refused(tmp_path: Path, how: str) -> None:
    change, message = BROKEN_SPEED[how]
    path = tmp_path / "gate.toml"
    text = made.baseline().model_copy(update={"speed": SPEED}).as_toml()
    assert change(text) != text
    path.write_text(change(text))
    with pytest.raises(SuiteError, match=message):
        read_baseline(path)


@pytest.mark.slow
def test_a_file_that_was_cut_anywhere_is_refused(file: Path) -> None:
    """At every line: a write that was cut short leaves a file that ends anywhere."""
    lines = file.read_text().splitlines(keepends=True)
    for end in range(len(lines) - 1):
        file.write_text("".join(lines[:end]))
        with pytest.raises(SuiteError):
            read_baseline(file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match=r"none\.toml: cannot be read: No such file"):
        read_baseline(tmp_path / "none.toml")
    with pytest.raises(SuiteError, match="is a folder"):
        read_baseline(tmp_path)


def test_a_file_that_nobody_would_review_is_not_written(tmp_path: Path) -> None:
    large = made.baseline(seeds=tuple(range(200)))
    with pytest.raises(OptionError, match=r"would have .* bytes.*at most 200,000"):
        write_baseline(tmp_path / "large.toml", large)
    assert not list(tmp_path.iterdir())
    (tmp_path / "large.toml").write_text("#" * 200_001)
    with pytest.raises(SuiteError, match="has 200,001 bytes; a baseline has at most 200,000"):
        read_baseline(tmp_path / "large.toml")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="there is no folder"):
        write_baseline(tmp_path / "none" / "gate.toml", made.baseline())


def test_platforms_differ_in_words() -> None:
    other = made.PLATFORM.model_copy(update={"threads": 2, "versions": {"torch": "2.8.0", "numpy": "2.0"}})
    assert made.PLATFORM.differences(made.PLATFORM) == ()
    assert other.differences(made.PLATFORM) == (
        "threads 2 and not 1",
        "torch 2.8.0 and not 2.9.0",
        "numpy 2.0 and not unknown",
    )


def test_the_platform_of_a_trial_has_no_release_of_a_kernel() -> None:
    trial = {"platform": {"device": "cpu", "model": "A CPU", "torch": "2.9", "threads": 2}, "numerics": 5}
    provenance = {
        "system": "Linux 6.1.0-13-amd64 x86_64",
        "libc": "glibc 2.36",
        "cpu_capability": "AVX2",
        "versions": {"torch": "2.9.0", "pandas": "2.2", "numpy": "2.0"},
    }
    assert platform_of(trial, provenance) == Platform(
        device="cpu",
        model="A CPU",
        capability="AVX2",
        system="Linux x86_64 glibc 2.36",
        threads=2,
        numerics=5,
        versions={"torch": "2.9.0", "numpy": "2.0"},
    )
    # A trial of an earlier version says less, and is on another platform than one that says more.
    assert platform_of(trial, None).differences(platform_of(trial, provenance))
