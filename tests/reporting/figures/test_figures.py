"""Oracle: the XML parser, and numbers put in by hand that the descriptions must say."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from types import FunctionType
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from scipy.signal import convolve2d

from converse.analysis.curves import CURVE_COLUMNS
from converse.analysis.effects import EFFECT_COLUMNS
from converse.analysis.noise_levels import LEVEL_COLUMNS
from converse.experiments.evaluation.operator_error import ERROR_COLUMNS
from converse.experiments.evaluation.operator_shown import operator_shown
from converse.experiments.store.rows import ROW_COLUMNS
from converse.experiments.store.speed_rows import speed_frame
from converse.reporting import figures
from converse.reporting.figure import Figure
from converse.reporting.figure_values import values_exports
from converse.reporting.figures.comparison import Shown, comparison_figure
from converse.reporting.figures.cost import POINT_COLUMNS, cost_figure
from converse.reporting.figures.forest import forest_figure
from converse.reporting.figures.image_size import image_size_figure
from converse.reporting.figures.kernels import inverse_filter, kernels_figure, layers
from converse.reporting.figures.noise_level import noise_level_figure
from converse.reporting.figures.operator_error import operator_error_figure
from converse.reporting.figures.operator_shown import operator_shown_figure
from converse.reporting.figures.paired import DOTS, jitter, paired_figure, thinned
from converse.reporting.figures.scatter import scatter_figure
from converse.reporting.figures.style import INK, TALL
from converse.reporting.figures.training import PlateauLeft, training_figure
from converse.reporting.report import Missing
from tests.reporting.figures.seen import GROUNDS, collisions, contrast, crossed, led_over, marks, on, watched, words

HOSTILE = '<script>alert("1")</script> $x$ \\input{/etc/passwd} 🦜 مرحبا ' + "y" * 200


def curves(steps: int = 3) -> pd.DataFrame:
    rows = [
        (entry, seed, 10 * (step + 1), 0.1 / (step + 1), 1e-3, psnr + step + seed)
        for entry, psnr in (("Converse-DnCNN", 25.0), (HOSTILE, 24.0))
        for seed in (0, 1)
        for step in range(steps)
    ]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def rows(images: int = 4) -> pd.DataFrame:
    lines = [
        {"entry": entry, "seed": seed, "dataset": "mine", "case": None, "image": f"{i}.png", "image_sha256": f"s{i}"}
        | {"metric": "psnr", "value": 30 + i + gain * (1 + i / 10 + seed / 100)}
        for entry, gain in (("Converse-DnCNN", 0.0), (HOSTILE, 0.5))
        for seed in (0, 1)
        for i in range(images)
    ]
    return pd.DataFrame(lines, columns=list(ROW_COLUMNS))


CONTRASTS = [(HOSTILE, "Converse-DnCNN", HOSTILE)]
PLATEAU = PlateauLeft(0.048, {"Converse-DnCNN": [20.0, None, 30.0], HOSTILE: [None, None]})


def effects(difference: float | None = 0.03) -> pd.DataFrame:
    line = {"metric": "psnr", "dataset": "Set12", "base": "Converse-DnCNN", "entry": "zero", "label": HOSTILE}
    measured = {"difference": difference, "low": -0.01, "high": 0.07, "published_difference": -0.04}
    return pd.DataFrame([line | measured], columns=list(EFFECT_COLUMNS))


def points() -> pd.DataFrame:
    lines = [
        ("DnCNN", 30.43, None, 557057, 3.0),
        (HOSTILE, 30.7, 0.01, 734913, 1.5),
        ("worse", 30.0, None, 800000, 1.0),
    ]
    return pd.DataFrame(lines, columns=list(POINT_COLUMNS)).astype({"deviation": float})


def errors() -> pd.DataFrame:
    lines = [(1, lam, formula, 1e-9 / lam) for lam in (1e-6, 1e-3) for formula in ("ours", "literal")]
    return pd.DataFrame(lines, columns=list(ERROR_COLUMNS))


def speeds(sizes: tuple[int, ...] = (32, 64, 128)) -> pd.DataFrame:
    shared = {"run": "r", "kind": "operator", "twin": False, "pass": "evaluation", "channels": 8, "kernel_size": 5}
    shared |= {"scale": 1, "padding": 4, "batch": 1, "dtype": "float32", "compiled": False, "status": "ok"}
    shared |= {"device": "cpu", "model": "A CPU", "threads": 1, "torch": "2.14"}
    return speed_frame(
        [
            shared | {"subject": subject, "height": n, "width": n, "median_s": 1e-6 * n**2, "turns_s": [1e-6 * n**2]}
            for subject in ("converse", HOSTILE)
            for n in sizes
        ]
    )


def levels(networks: int = 3, sets: int = 2, deviation: float = 0.2) -> pd.DataFrame:
    names = ["DnCNN", "Converse-DnCNN", HOSTILE, *(f"Variant {i}" for i in range(20))][:networks]
    lines = [
        (name, title, level, 40 - level / 3 + place / 10 + (0 if at else 0.5), deviation, 12)
        for at, title in enumerate(("Set12", "BSD68")[:sets])
        for place, name in enumerate(names)
        for level in (12.5, 15.0, 25.0, 35.0, 50.0)
    ]
    lines += [
        ("Noisy input", title, level, 20 * np.log10(255 / level), np.nan, 12)
        for title in ("Set12", "BSD68")[:sets]
        for level in (12.5, 15.0, 25.0, 35.0, 50.0)
    ]
    return pd.DataFrame(lines, columns=list(LEVEL_COLUMNS))


def noise_level(found: pd.DataFrame, **options: Any) -> Figure | Missing:
    return noise_level_figure(found, **{"name": "figure", "trained": 25.0, "given": "Noisy input", **options})


def kernels() -> list[Any]:
    draw = np.random.default_rng(0)
    return [(draw.normal(size=(6, 5, 5)), 10.0 ** -draw.integers(2, 5, 6)) for _ in range(12)]


def comparison() -> Figure:
    draw = np.random.default_rng(0)
    truth, other = (draw.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(2))
    small = truth[::4, ::4]
    shown = [Shown("input", small), Shown(HOSTILE, other, 21.5), Shown("Converse", truth, 40.0), Shown("truth", truth)]
    return comparison_figure(shown, (8, 16, 64), name="figure", image="a.png", where="Set5", rule="By rule.")


DRAWN: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "training": (
        lambda: training_figure(curves(), name="figure"),
        ("Converse-DnCNN 27.50 at step 30", "0.0333 at step 30"),
    ),
    "paired": (
        lambda: paired_figure(rows(), [(HOSTILE, "Converse-DnCNN", HOSTILE)], name="figure"),
        ("mean +0.577 dB", "better on 4 of 4 images"),
    ),
    "forest": (
        lambda: forest_figure(effects(), name="figure", bound=0.02),
        ("+0.030 dB", "interval −0.010 to +0.070", "published −0.04"),
    ),
    "cost": (
        lambda: cost_figure(points(), dataset="Set12", name="figure"),
        ("DnCNN 30.43 dB", "1.5 megapixels per second"),
    ),
    "operator-error": (
        lambda: operator_error_figure(errors()),
        ("about 1e-3 at λ = 1e-06", "1e-6 at λ = 1e-03"),
    ),
    "kernels": (
        lambda: kernels_figure(kernels(), entry=HOSTILE, name="figure"),
        ("12 layers", "5×5"),
    ),
    "image-size": (
        lambda: image_size_figure(speeds()),
        ("N to the 1.00 between sides of 32 and 128",),
    ),
    "noise-level": (
        lambda: noise_level(levels()),
        (
            "trained for σ = 25. Set12: DnCNN 36.33 dB at σ = 12.5, 35.50 dB at σ = 15, 32.17 dB at σ = 25",
            "Noisy input 26.19 dB at σ = 12.5",
            "BSD68: DnCNN 35.83 dB at σ = 12.5",
        ),
    ),
    "comparison": (comparison, ("64×64", "16 pixels from the left and 8 from the top", "21.50 dB")),
    "plateau": (
        lambda: training_figure(curves(5), name="figure", plateau=PLATEAU),
        ("Converse-DnCNN 29.50 at step 50",),
    ),
    "operator-shown": (
        lambda: operator_shown_figure(operator_shown()),
        ("y at scale 1: ", "λ = 1e-06 at scale 2: "),
    ),
    "scatter": (
        lambda: scatter_figure(rows(5), CONTRASTS, name="figure"),
        ("better on 5 of 5 images",),
    ),
}
PICTURES = ("comparison", "operator-shown")
"""Kinds of figures that have no lines or markers."""


INKS = {"light": "#1b1f24", "dark": "#e7eaed", "dark, alone": "#e6edf3"}
"""What the style's ink becomes on each ground."""


def test_every_kind_of_figure_is_looked_at() -> None:
    """Oracle: the functions that the package has, and the names in what is called here."""
    modules = [import_module(f"{figures.__name__}.{found.name}") for found in iter_modules(figures.__path__)]
    called = {name for make, _ in DRAWN.values() for name in make.__code__.co_names}
    helpers = (globals().get(name) for name in called)
    called |= {name for one in helpers if isinstance(one, FunctionType) for name in one.__code__.co_names}
    made = {name for module in modules for name in vars(module) if name.endswith("_figure")}
    assert made
    assert made <= called


@pytest.mark.parametrize("kind", DRAWN)
def test_marks_stand_out_on_light_and_dark_and_words_do_not_meet(kind: str) -> None:
    """Oracles: contrast as WCAG 2 defines it (1.4.11: 3:1), and the boxes in which matplotlib sets its texts."""
    with watched() as seen:
        DRAWN[kind][0]()
    assert [float(one.get_figwidth()) == TALL for one in seen] == [False, True]
    for drawing in seen:
        assert collisions(drawing) == []
        assert bool(list(marks(drawing))) == (kind not in PICTURES)
        for what, colour in marks(drawing):
            for name, ground in GROUNDS.items():
                inked = (*to_rgb(INKS[name]), colour[3]) if colour[:3] == to_rgb(INK) else colour
                assert contrast(on(inked, ground), ground) >= 3, (name, what)


@pytest.mark.parametrize("kind", DRAWN)
def test_words_can_be_read_on_light_and_dark(kind: str) -> None:
    """Oracle: contrast as WCAG 2 defines it (1.4.3: 4.5:1 for letters below 18 points, or 14 where they are bold)."""
    with watched() as seen:
        DRAWN[kind][0]()
    assert [bool(list(words(drawing))) for drawing in seen] == [True, True]
    assert [pale(drawing) for drawing in seen] == [[], []]


def pale(drawing: Any) -> list[tuple[str, str]]:
    """Words of too little contrast, each with the ground."""
    return [
        (name, what)
        for what, colour in words(drawing)
        for name, ground in GROUNDS.items()
        if contrast(on((*to_rgb(INKS[name]), colour[3]) if colour[:3] == to_rgb(INK) else colour, ground), ground) < 4.5
    ]


def test_why_a_difference_is_not_there_can_be_read() -> None:
    some = pd.concat([effects(), effects(None).assign(entry="one", label="not there")], ignore_index=True)
    with watched() as seen:
        forest_figure(some, name="f", bound=0.02)
    for drawing in seen:
        assert "no finite difference" in [what for what, _ in words(drawing)]
        assert pale(drawing) == []


@pytest.mark.parametrize("kind", ["training", "operator-error", "image-size"])
def test_a_name_at_the_end_of_a_line_is_tied_to_it_by_its_colour(kind: str) -> None:
    """Oracle: what matplotlib draws: the piece of line between a name and the line's end."""
    with watched() as seen:
        DRAWN[kind][0]()
    axes = [one for one in seen[0].axes if any(getattr(text, "arrow_patch", None) for text in one.texts)]
    for one in axes:
        drawn = {line.get_color() for line in one.lines if len(np.asarray(line.get_xdata())) > 1}
        pieces = [patch for text in one.texts if (patch := getattr(text, "arrow_patch", None)) is not None]
        assert {to_hex(piece.get_edgecolor()) for piece in pieces} <= drawn
        assert len(pieces) == len({to_hex(piece.get_edgecolor()) for piece in pieces}) > 1
    assert axes


def test_a_name_beside_a_point_is_tied_to_it_by_its_colour() -> None:
    """Oracle: what matplotlib draws: a line from the name that ends in a marker of its colour."""
    with watched() as seen:
        cost_figure(points(), dataset="Set12", name="f")
    for drawing in seen:
        for axes in drawing.axes:
            pieces = {
                (to_hex(text.arrow_patch.get_edgecolor()), *map(float, text.xy))  # type: ignore[attr-defined]
                for text in axes.texts
            }
            markers = {
                (line.get_color(), *np.concatenate([line.get_xdata(), line.get_ydata()]).tolist())
                for line in axes.lines
                if line.get_marker() in ("D", "v", "P")
            }
            assert pieces == markers
            assert len({colour for colour, *_ in pieces}) == 3


def test_the_contrast_is_that_of_the_standard() -> None:
    """Oracle: values that WCAG's own understanding documents print for black, and for #767676, on white."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)


def test_the_numbers_of_a_figure_are_those_that_were_put_in() -> None:
    paired = paired_figure(rows(), CONTRASTS, name="figure")
    scatter = scatter_figure(rows(5), CONTRASTS, name="figure")
    cost = cost_figure(points(), dataset="Set12", name="figure")
    assert isinstance(paired, Figure)
    assert isinstance(scatter, Figure)
    assert isinstance(cost, Figure)
    # Image 1: 30 + 1, and 0.5 · 1.1 + the mean of 0 and 0.005 more.
    assert ("mine", HOSTILE, "1.png", pytest.approx(0.5525)) in paired.values.rows
    assert ("mine", HOSTILE, "Converse-DnCNN", "1.png", pytest.approx(31.5525), 31.0) in scatter.values.rows
    assert cost.values.columns == ("entry", "psnr", "deviation", "parameters", "throughput")
    assert cost.values.rows[0] == ("DnCNN", 30.43, None, 557057, 3.0)


def by_place(found: Figure | Missing) -> dict[tuple[Any, ...], Any]:
    """The last of each row, by what stands before it."""
    assert isinstance(found, Figure)
    taken = {tuple(place): value for *place, value in found.values.rows}
    assert len(taken) == len(found.values.rows)  # no number has the place of another
    return taken


def test_the_numbers_of_kernels_are_kernels_filters_responses_and_lambda() -> None:
    """Oracles: the kernels that were put in, and what the inverse filter is by definition."""
    put_in = kernels()
    found = kernels_figure(put_in, entry="Converse-DnCNN", name="figure")
    assert isinstance(found, Figure)
    assert found.values.columns == ("what", "layer", "channel", "row", "column", "value")
    taken = by_place(found)
    layers_drawn = {layer for what, layer, *_ in taken if what.startswith("kernel")}
    assert layers_drawn >= {1, 12}
    assert len(layers_drawn) <= 15
    for layer, (kernel, lam) in enumerate(put_in, start=1):
        assert [taken["lambda", layer, channel, None, None] for channel in range(1, 7)] == pytest.approx(lam)
        assert taken["lambda_median", layer, None, None, None] == pytest.approx(np.median(lam))
        if layer not in layers_drawn:
            continue
        places = {(what, channel) for what, at, channel, *_ in taken if at == layer and channel and what != "lambda"}
        channels = dict(places)
        assert len(places) == len(channels) == 5
        assert lam[channels["kernel, smallest λ"] - 1] == lam.min()
        assert lam[channels["kernel, largest λ"] - 1] == lam.max()
        middle = channels["kernel, median λ"]
        assert channels["inverse filter"] == channels["its response"] == middle
        for what in ("kernel, smallest λ", "kernel, median λ", "kernel, largest λ"):
            taps = [
                [taken[what, layer, channels[what], row, column] for column in range(-2, 3)] for row in range(-2, 3)
            ]
            np.testing.assert_allclose(taps, kernel[channels[what] - 1], rtol=1e-3)
        samples, response = inverse_filter(kernel[middle - 1], float(lam[middle - 1]))
        assert taken["inverse filter", layer, middle, -7, 7] == pytest.approx(samples[16 - 7, 16 + 7], rel=1e-3)
        # At no frequency all taps add up; at 2/33 and −4/33 cycles per pixel they are turned by so much.
        total = kernel[middle - 1].sum()
        assert taken["its response", layer, middle, 0, 0] == pytest.approx(
            abs(total) / (total**2 + lam[middle - 1]), rel=1e-3
        )
        turned = np.exp(-2j * np.pi * (2 * np.arange(-2, 3)[:, None] - 4 * np.arange(-2, 3)) / 33)
        value = (kernel[middle - 1] * turned).sum()
        assert taken["its response", layer, middle, 2, -4] == pytest.approx(
            abs(value) / (abs(value) ** 2 + lam[middle - 1]), rel=1e-3
        )
        assert response[16 - 2, 16 + 4] == pytest.approx(response[16 + 2, 16 - 4])  # the half that is left out


def test_the_numbers_of_kernels_stay_few_enough_for_a_page() -> None:
    draw = np.random.default_rng(0)
    large = [(draw.normal(size=(512, 7, 7)), draw.random(512)) for _ in range(60)]
    found = kernels_figure(large, entry="Converse-DnCNN", name="figure")
    assert isinstance(found, Figure)
    assert sum(map(len, values_exports(found).values())) < 1_000_000
    taken = by_place(found)
    for layer in (1, 60):
        lam = [value for (what, at, *_), value in taken.items() if (what, at) == ("lambda", layer)]
        assert len(lam) == 64
        assert [min(lam), max(lam)] == pytest.approx([large[layer - 1][1].min(), large[layer - 1][1].max()], rel=1e-3)


def test_a_lambda_that_channels_share_is_of_none_of_them() -> None:
    taken = by_place(kernels_figure([(np.arange(18.0).reshape(2, 3, 3), np.array([0.5]))], entry="a", name="figure"))
    assert taken["lambda", 1, None, None, None] == 0.5
    assert taken["its response", 1, 1, 0, 0] == pytest.approx(36 / 1296.5, rel=1e-3)


@pytest.mark.parametrize("taps", [np.ones((1, 3, 3)), np.zeros((1, 3, 3))], ids=["box", "nothing"])
def test_a_response_that_is_nothing_somewhere_is_drawn_darkest_there(taps: Any) -> None:
    """Oracle: a box of three taps has no response at a third of the sampling frequency, which is one of the 33."""
    with warnings.catch_warnings(), watched() as seen:
        warnings.simplefilter("error")
        kernels_figure([(taps, np.array([0.5]))], entry="a", name="figure")
    mosaic = np.asarray(seen[0].axes[0].images[0].get_array())
    tile = mosaic[-70:, :70, :3]
    middle, darkest = tile[34, 34].sum(), tile[34, 70 * (16 + 11) // 33 + 1].sum()
    assert darkest == tile.sum(axis=2).min()
    assert bool(middle > darkest) == bool(taps.any())


def test_the_numbers_of_the_operator_are_its_kernel_and_lambda_with_psnr() -> None:
    shown = operator_shown()
    found = operator_shown_figure(shown)
    assert found.values.columns == ("what", "scale", "image", "lambda", "row", "column", "value")
    taken = by_place(found)
    assert sum(value for (what, *_), value in taken.items() if what == "kernel") == pytest.approx(1)
    assert taken["kernel", None, None, None, 0, 1] == pytest.approx(shown.kernel[3, 4])
    psnr = {place[1:4]: value for place, value in taken.items() if place[0] == "psnr_db"}
    assert psnr[1, "reverse, λ = 0.001", 0.001] == pytest.approx(shown.steps[1][3].psnr)
    assert psnr[2, "y", None] is None
    assert {lam for _, _, lam in psnr} == {None, 0.1, 0.001, 1e-6}


@pytest.mark.parametrize("kind", DRAWN)
def test_a_figure_says_its_numbers_and_stands_in_a_page(kind: str) -> None:
    make, said = DRAWN[kind]
    found = make()
    assert isinstance(found, Figure)
    for text in said:
        assert text in found.alt, found.alt
    assert found.title
    assert found.caption.endswith(".")
    assert found.name in ("figure", kind)
    for drawing in (found.svg, found.tall):
        root = ElementTree.fromstring(drawing)
        assert root.attrib["aria-label"] == found.alt
        assert "<script" not in drawing
        assert len(drawing) < 250_000
    assert int(root.attrib["width"]) <= 390 - 32
    assert found.values.rows
    assert {len(row) for row in found.values.rows} == {len(found.values.columns)}
    assert found.pdf


def test_two_drawings_of_the_same_are_the_same_bytes() -> None:
    assert comparison() == comparison()
    make, _ = DRAWN["training"]
    assert make() == make()


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(lambda: training_figure(curves(1), name="f"), id="one-point"),
        pytest.param(lambda: paired_figure(rows(0), [("a", "b", "a")], name="f"), id="no-images"),
        pytest.param(lambda: forest_figure(effects(None), name="f", bound=0.02), id="not-run"),
        pytest.param(lambda: cost_figure(points().iloc[:1], dataset="Set12", name="f"), id="one-network"),
        pytest.param(lambda: cost_figure(points().iloc[:2], dataset="Set12", name="f"), id="two-networks"),
        pytest.param(lambda: kernels_figure([], entry="DnCNN", name="f"), id="no-operator"),
        pytest.param(lambda: image_size_figure(speeds((32, 64))), id="two-sizes"),
        pytest.param(lambda: image_size_figure(speed_frame([])), id="no-speed"),
        pytest.param(lambda: noise_level(levels(0)), id="no-noise-levels"),
    ],
)
def test_what_cannot_be_drawn_says_why(found: Callable[[], Any]) -> None:
    missing = found()
    assert isinstance(missing, Missing)
    assert ":" in missing.what


@pytest.mark.parametrize("networks", [1, 2, 5, 6, 12])
@pytest.mark.parametrize("sets", [1, 2])
def test_names_of_lines_of_noise_levels_meet_nothing(networks: int, sets: int) -> None:
    with watched() as seen:
        noise_level(levels(networks, sets))
    assert [collisions(one) for one in seen] == [[], []]


def test_the_level_of_the_training_is_a_thin_line_with_a_word() -> None:
    """Oracle: what matplotlib draws."""
    with watched() as seen:
        found = noise_level(levels())
    for drawing in seen:
        for axes in drawing.axes:
            (line,) = (one for one in axes.lines if np.array_equal(one.get_xdata(), [25.0, 25.0]))
            assert line.get_linewidth() < 1
            (word,) = (one for one in axes.texts if one.get_text() == "trained for")
            assert word.xy[0] == 25.0  # type: ignore[attr-defined]
            (dashed,) = (one for one in axes.lines if one.is_dashed())
            assert np.asarray(dashed.get_ydata())[-1] == pytest.approx(20 * np.log10(255 / 50))
    assert isinstance(found, Figure)
    assert found.values.columns == ("entry", "dataset", "noise_level", "psnr_db", "deviation_db", "images")
    assert ("DnCNN", "Set12", 12.5, pytest.approx(36.33333), pytest.approx(0.2), 12) in found.values.rows
    assert "The band is one sample deviation" in found.caption
    alone = noise_level(levels(deviation=np.nan))
    assert isinstance(alone, Figure)
    assert "The band" not in alone.caption


def test_a_network_of_one_test_set_has_its_name_below() -> None:
    some = levels()
    some = some[(some["entry"] != "DnCNN") | (some["dataset"] == "Set12")]
    with watched() as seen:
        noise_level(some)
    for drawing in seen:
        (legend,) = drawing.legends
        assert "DnCNN" in [text.get_text() for text in legend.get_texts()]
        assert collisions(drawing) == []


def test_levels_that_are_missing_come_with_the_command_that_measures_them() -> None:
    found = noise_level(levels(0), command="converse reproduce denoising --noise-levels 15,35,50")
    assert isinstance(found, Missing)
    assert found.command == "converse reproduce denoising --noise-levels 15,35,50"
    assert "three noise levels" in found.what or "3 noise levels" in found.what


def test_the_front_is_named() -> None:
    found = cost_figure(points(), dataset="Set12", name="f")
    assert isinstance(found, Figure)
    fronts = found.alt.split("On the front of ")[1:]
    assert ["worse" in front for front in fronts] == [False, False]


@pytest.mark.parametrize("seed", range(4))
def test_no_line_crosses_a_name_beside_a_point(seed: int) -> None:
    """Oracle: the boxes in which matplotlib sets the names, and the paths of its lines."""
    draw = np.random.default_rng(seed)
    names = ["DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "Converse-DnCNN", "without a second half"]
    some = pd.DataFrame(
        {"entry": names, "psnr": 26 + draw.random(5).cumsum(), "deviation": 0.1 * draw.random(5)}
        | {"parameters": 12000 + draw.integers(0, 200, 5).cumsum(), "throughput": 10 - draw.random(5).cumsum()}
    )
    with watched() as seen:
        cost_figure(some, dataset="Set12", name="f")
    assert [crossed(one) + led_over(one) + collisions(one) for one in seen] == [[], []]


def test_throughput_is_drawn_with_what_it_was_measured_on() -> None:
    found = cost_figure(points(), dataset="Set12", name="f", timed="one case; A CPU")
    assert isinstance(found, Figure)
    assert "Throughput: one case; A CPU." in found.caption
    single = points()
    single.loc[2:, "throughput"] = np.nan  # of two networks there is no picture
    found = cost_figure(single, dataset="Set12", name="f", timed="one case; A CPU")
    assert isinstance(found, Figure)
    assert "Throughput" not in found.caption


def test_other_costs_are_panels_of_their_own() -> None:
    some = points().assign(multiply_adds=[3.0, 2.0, 1.0, 4.0][: len(points())], mebibytes=np.nan)
    found = cost_figure(some, dataset="Set12", name="f")
    assert isinstance(found, Figure)
    assert "multiply-adds per pixel" in found.alt
    assert "MiB" not in found.alt  # what is known of none has no panel
    assert found.alt.count("On the front of ") == 3


def test_times_of_two_machines_never_stand_in_one_drawing() -> None:
    older, newer = speeds(), speeds().assign(run="s", model="Another", **{"pass": "forward+backward"})
    found = image_size_figure(pd.concat([older, newer]))
    assert isinstance(found, Figure)
    assert "Another" in found.caption
    assert "A CPU" not in found.caption
    assert "evaluation" not in found.alt


def test_many_dots_are_thinned_from_end_to_end_and_stay_in_their_row() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=5000))
    kept = thinned(values, DOTS)
    assert len(kept) == DOTS
    assert (kept[0], kept[-1]) == (values[0], values[-1])
    assert np.abs(jitter(kept)).max() <= 0.28
    assert thinned(values[:10], DOTS).tolist() == values[:10].tolist()


def test_layers_are_those_of_the_network_in_order() -> None:
    from converse.nn.models import create_model

    network = create_model("block-dncnn", "converse", features=4, blocks=2, kernel_size=3)
    found = layers(network)
    assert [kernels.shape for kernels, _ in found] == [(8, 3, 3)] * 2
    # Softmax over each kernel, and λ = sigmoid(−9) + 1e-5, as layers begin.
    assert found[0][0].sum(axis=(1, 2)) == pytest.approx(np.ones(8), abs=1e-5)
    assert found[0][1] == pytest.approx(np.full(8, 1 / (1 + np.exp(9)) + 1e-5), rel=1e-5)
    assert layers(create_model("dncnn", features=4, layers=3)) == []


def test_a_network_of_infinite_psnr_is_named_and_not_drawn() -> None:
    other = points().iloc[1:2].assign(entry="other", psnr=29.0, parameters=1)
    some = pd.concat([points(), other], ignore_index=True)
    some.loc[0, "psnr"] = np.inf
    found = cost_figure(some, dataset="Set12", name="f")
    assert isinstance(found, Figure)
    assert "Not drawn, since the PSNR of an image is infinite: DnCNN." in found.caption
    assert "DnCNN" not in found.alt
    assert isinstance(cost_figure(some.iloc[:3], dataset="Set12", name="f"), Missing)


def test_infinite_points_of_a_curve_are_left_out() -> None:
    some = curves(5)
    whole = training_figure(some, name="f")
    some.loc[some["step"] == some["step"].max(), "psnr"] = np.inf
    found = training_figure(some, name="f")
    assert isinstance(found, Figure)
    assert isinstance(whole, Figure)
    assert "∞" not in found.alt
    assert found.alt != whole.alt


def test_the_plateau_is_marked_with_who_has_left_it() -> None:
    found = training_figure(curves(5), name="f", plateau=PLATEAU)
    assert isinstance(found, Figure)
    assert "Dotted: the plateau, at a loss of 0.048." in found.caption
    assert "Converse-DnCNN: left by 2 of 3, at step 25 in the median (hollow)." in found.caption
    assert f"{HOSTILE}: left by 0 of 2." in found.caption
    unmarked = training_figure(curves(5), name="f")
    assert isinstance(unmarked, Figure)
    assert "plateau" not in unmarked.caption


def test_images_without_a_finite_difference_have_no_dot_and_are_counted() -> None:
    some = rows()
    some.loc[some["image"] == "1.png", "value"] = np.inf
    found = paired_figure(some, [(HOSTILE, "Converse-DnCNN", "mine")], name="f")
    assert isinstance(found, Figure)
    assert "Without a dot, since a PSNR is infinite: 1 of mine on mine." in found.caption
    assert "of 3 images" in found.alt


def test_the_images_that_are_furthest_apart_are_named() -> None:
    figure = scatter_figure(rows(5), [(HOSTILE, "Converse-DnCNN", HOSTILE)], name="a-scatter")
    assert isinstance(figure, Figure)
    assert "better on 5 of 5 images; furthest apart: 4.png 34.70 for 34.00 dB; 3.png" in figure.alt
    texts = ["".join(one.itertext()) for one in ElementTree.fromstring(figure.svg).iter() if one.tag.endswith("text")]
    assert {"4.png", "3.png", "2.png"} <= set(texts)
    assert "1.png" not in texts
    few = scatter_figure(rows(3), [(HOSTILE, "Converse-DnCNN", HOSTILE)], name="a-scatter")
    assert isinstance(few, Missing)


def test_an_inverse_filter_undoes_its_kernel() -> None:
    """Oracle: the convolution of the two, which is a unit impulse where λ is small and the kernel invertible."""
    kernel = np.array([[0.0, 0.1, 0.0], [0.1, 0.6, 0.1], [0.0, 0.1, 0.0]])
    samples, response = inverse_filter(kernel, 1e-12)
    found = convolve2d(samples, kernel, mode="same", boundary="wrap")
    impulse = np.zeros_like(found)
    impulse[16, 16] = 1
    np.testing.assert_allclose(found, impulse, atol=1e-9)
    assert response[16, 16] == pytest.approx(1)  # the kernel sums to one
    # A large λ leaves the kernel turned round, divided by it.
    samples, _ = inverse_filter(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), 1e6)
    assert np.unravel_index(np.argmax(samples), samples.shape) == (17, 16)


def test_reverse_convolution_comes_closer_with_a_smaller_lambda() -> None:
    """Oracle: SciPy's circular convolution of the same photograph."""
    shown = operator_shown()
    x, y = (step.image[:, :, 0] / 255 for step in shown.steps[1][:2])
    np.testing.assert_allclose(y, convolve2d(x, shown.kernel, mode="same", boundary="wrap"), atol=1 / 255)
    for scale, steps in shown.steps.items():
        reversed_ = [step.psnr for step in steps[2:]]
        assert all(value is not None for value in reversed_)
        assert reversed_ == sorted(reversed_, key=lambda value: value or 0.0)
        assert steps[1].image.shape == (128 // scale, 128 // scale, 1)
    assert (shown.steps[1][-1].psnr or 0) > (shown.steps[1][1].psnr or 0) + 10
    assert f"{shown.steps[1][-1].psnr:.1f} dB" in operator_shown_figure(shown).alt
