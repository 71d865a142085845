"""Effects on a terminal: each cell and note is written out here, and only what occurs is explained."""

from __future__ import annotations

from typing import Any

import pytest

from converse.analysis.effects import EFFECT_COLUMNS, IMAGE_TEST_COLUMNS, ITSELF, Settings
from converse.cli.effects_table import print_effects, print_image_tests

WHOLE = {
    "dataset": "Set12",
    "metric": "psnr",
    "base": "Converse-DnCNN",
    "entry": "Converse-DnCNN: zero",
    "label": "zero",
    "seeds": 3,
    "images": 12,
    "difference": -0.0701,
    "low": -0.0949,
    "high": -0.0452,
    "claim": "for these test images",
    "p": 0.0068,
    "p_holm": 0.0136,
    "equivalent": False,
    "seed_deviation": 0.01,
    "image_error": 0.004,
    "published_difference": -0.07,
    "published_trust": "primary",
    "prediction_low": -0.15,
    "prediction_high": 0.01,
    "verdict": "reproduced",
    "judged": True,
    "seeds_needed": 3,
    "parameters": 12209,
    "parameters_base": 12209,
    "equal_parameters": True,
}


def shown(capsys: pytest.CaptureFixture[str], *changes: dict[str, Any], **settings: Any) -> list[str]:
    effects: list[Any] = [{**dict.fromkeys(EFFECT_COLUMNS), **WHOLE, **change} for change in changes]
    print_effects(effects, Settings(**settings))
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def cells(line: str) -> list[str]:
    return [cell for cell in line.split("  ") if cell]


def test_a_line_and_what_explains_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, {})
    assert lines[1] == "Differences on Set12: PSNR, dB, minus Converse-DnCNN"
    assert [cell.strip() for cell in cells(lines[3])] == [
        "zero",
        "-0.070 [-0.095, -0.045]",
        "3",
        "0.010",
        "0.004",
        "0.014",
        "no",
        "-0.07",
        "12,209",
        "reproduced",
    ]
    assert lines[4:] == [
        "",
        "difference: entry − base, paired by seed and image; ± seeds: standard deviation over seeds; "
        "± images: standard error over images",
        "interval: Student's t over the seeds' mean differences, for these test images; p: adjusted by Holm over all "
        "rows",
        "verdict: the published difference, of two single runs, is held against what single runs give by chance",
        "equal: within ±0.02 dB, shown by two one-sided tests at 5 %, adjusted over all rows",
    ]


@pytest.mark.parametrize(
    ("change", "cell"),
    [
        ({"verdict": "undecided", "seeds_needed": 1234, "reason": "…"}, "undecided: 1,234 seeds needed"),
        ({"verdict": "undecided", "seeds_needed": None, "reason": "…"}, "undecided: more than 10,000 seeds needed"),
        ({"verdict": "consistent", "seeds_needed": 4, "reason": "…"}, "consistent: 4 seeds needed"),
        ({"verdict": "consistent", "reason": "0 is not excluded"}, "consistent: 0 is not excluded"),
        ({"verdict": "same direction", "reason": "smaller than published"}, "same direction: smaller than published"),
        ({"verdict": "not run", "difference": None, "low": None, "reason": "it diverged"}, "not run: it diverged"),
        ({"verdict": None, "reason": ITSELF}, ITSELF),
        ({"verdict": None, "reason": None}, "12,209"),
    ],
)
def test_what_is_said_of_a_difference(capsys: pytest.CaptureFixture[str], change: dict[str, Any], cell: str) -> None:
    assert cells(shown(capsys, change)[3])[-1].strip() == cell


def test_one_seed_has_a_difference_and_no_claim(capsys: pytest.CaptureFixture[str]) -> None:
    empty = ("low", "high", "p", "p_holm", "equivalent", "seed_deviation", "prediction_low", "prediction_high")
    nothing = dict.fromkeys(empty)
    change = {"seeds": 1, "verdict": "undecided", "reason": "one seed: no claim about seeds", **nothing}
    lines = shown(capsys, change)
    assert "-0.070  " in lines[3]
    assert lines[3].endswith("undecided: one seed: no claim about seeds")
    assert "one seed: no claim about seeds. More seeds give an interval: --seeds 0-2" in lines
    assert not any(line.startswith(("interval:", "equal:", "verdict:")) for line in lines)


def test_what_is_lacking_for_a_verdict_on_the_paper_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    here = {"verdict": "worse here", "judged": False, "lacking": "size: small; seeds: 1 of 3"}
    meaning = "here: at this budget, which neither confirms nor refutes the paper; a verdict on the paper lacks"
    lines = shown(capsys, here, {**here, "label": "reflect"})
    assert lines[3].endswith("worse here")
    assert lines[lines.index(meaning) + 1] == "  size: small; seeds: 1 of 3 (all 2 rows)"
    assert not any(line.startswith("verdict:") for line in lines)
    lines = shown(capsys, here, {**here, "label": "reflect", "lacking": "seeds: 1 of 3"}, {})
    assert lines[lines.index(meaning) + 1 :][:2] == [
        "  size: small; seeds: 1 of 3 (zero − Converse-DnCNN on Set12)",
        "  seeds: 1 of 3 (reflect − Converse-DnCNN on Set12)",
    ]


def test_marks_and_costs_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {"multiply_adds": 11_000.4, "multiply_adds_base": 12_000.4, "seconds": 0.0351, "seconds_base": 0.0482}
    lines = shown(capsys, {"published_trust": "secondary", "parameters": 9000, "equal_parameters": False, **costs})
    assert [cell.strip() for cell in cells(lines[3])][-5:] == ["-0.07°", "9,000 ≠", "11,000", "35.1", "reproduced"]
    assert lines[-4:] == [
        "° difference of published values that a third party quotes",
        "≠ not at equal parameters: the difference is not the changed part's alone",
        "mult-adds: per pixel of the output; the base: 12,000",
        "ms/image: as this evaluation took it, which is no benchmark (converse speed is); the base: 48.2",
    ]


def test_several_bases_are_named_in_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    costs = {"multiply_adds": 1.0, "multiply_adds_base": 2.0}
    lines = shown(
        capsys, {"label": "A", "base": "B", **costs}, {"label": "A", "base": "C", **costs, "multiply_adds_base": 3.0}
    )
    assert lines[1] == "Differences on Set12: PSNR, dB"
    assert [line.partition("  ")[0] for line in lines[3:5]] == ["A − B", "A − C"]
    assert lines[-1] == "mult-adds: per pixel of the output; the base: B 2, C 3"


def test_cases_and_metrics_have_tables_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, {"case": "kernel_1"}, {"metric": "ssim", "difference": 0.0012})
    assert [line for line in lines if line.startswith("Differences")] == [
        "Differences on Set12, kernel 1: PSNR, dB, minus Converse-DnCNN",
        "Differences on Set12: SSIM, minus Converse-DnCNN",
    ]
    assert "+0.00120" in "".join(lines)


def test_the_interval_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, {"claim": "for seeds and images like these"}, method="crossed", bound=0.1)
    assert (
        "interval: two-way random effects of seeds and images, for seeds and images like these; "
        "p: adjusted by Holm over all rows" in lines
    )
    assert "equal: within ±0.1 dB, shown by two one-sided tests at 5 %, adjusted over all rows" in lines


def test_nothing_to_compare(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys) == []


def test_images_of_infinite_psnr_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    said = "∞: images that one of the two restores without any error are left out: 2 in zero − Converse-DnCNN on Set12"
    assert said in shown(capsys, {"infinite": 2})
    assert not any("∞" in line for line in shown(capsys, {"infinite": 0}))
    test: Any = {**dict.fromkeys(IMAGE_TEST_COLUMNS), **WHOLE, "infinite": 2, "seed": 0}
    print_image_tests([test])
    assert said in capsys.readouterr().out
