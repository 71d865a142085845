"""Metrics against literal formulas (scipy's valid convolution, MATLAB's constants) and the authors' values."""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.signal import convolve2d

import converse
from converse.errors import CheckpointError, DataError, OptionError
from converse.metrics import METRICS, Colour, NotMeasured, averaged, lpips, luma, metrics_for, psnr, ssim, to_uint8


def pair(height: int, width: int, channels: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A smooth image and a noisy copy."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(20, 230, height)[:, None, None] + 20 * np.sin(np.arange(width) / 5)[None, :, None]
    clean = np.clip(ramp + 5 * np.arange(channels), 0, 255)
    noisy = np.clip(clean + rng.normal(0, 15, clean.shape), 0, 255)
    return clean.round().astype(np.uint8), noisy.round().astype(np.uint8)


def literal_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2004, equation 13, term by term: 11×11 Gaussian window, valid convolution, one channel."""
    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(x: np.ndarray) -> np.ndarray:
        blurred: np.ndarray = convolve2d(x, window, mode="valid")
        return blurred

    x, y = a.astype(np.float64), b.astype(np.float64)
    mx, my = blur(x), blur(y)
    vx, vy, cov = blur(x * x) - mx**2, blur(y * y) - my**2, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def literal_psnr(a: np.ndarray, b: np.ndarray) -> float:
    total = sum((int(p) - int(q)) ** 2 for p, q in zip(a.ravel(), b.ravel(), strict=True))
    return 10 * math.log10(255**2 * a.size / total)


@pytest.mark.parametrize(("height", "width"), [(11, 11), (12, 31), (40, 33)])
def test_ssim_is_the_literal_formula_on_the_valid_area(height: int, width: int) -> None:
    reference, image = pair(height, width, 1)
    # scikit-image's window is separable and truncated at the same 11 taps: only summation order differs.
    assert ssim(reference, image, colour="grey", border=0) == pytest.approx(
        literal_ssim(reference[..., 0], image[..., 0]), abs=1e-10
    )


def test_ssim_of_rgb_is_the_mean_over_channels() -> None:
    reference, image = pair(24, 20, 3)
    expected = np.mean([literal_ssim(reference[..., c], image[..., c]) for c in range(3)])
    assert ssim(reference, image, colour="rgb", border=0) == pytest.approx(expected, abs=1e-10)


def test_ssim_shaves_the_border_before_the_window() -> None:
    reference, image = pair(24, 20, 1)
    expected = literal_ssim(reference[4:-4, 4:-4, 0], image[4:-4, 4:-4, 0])
    assert ssim(reference, image, colour="grey", border=4) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("border", [0, 1, 4])
@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("rgb", 3)])
def test_psnr_is_the_literal_formula(colour: Colour, channels: int, border: int) -> None:
    reference, image = pair(17, 13, channels)
    area = np.s_[border : 17 - border, border : 13 - border]
    expected = literal_psnr(reference[area], image[area])
    assert psnr(reference, image, colour=colour, border=border) == pytest.approx(expected, abs=1e-10)


# Values that MATLAB prints for rgb2ycbcr(uint8(cat(3, r, g, b))): black, white, the primaries.
@pytest.mark.parametrize(
    ("rgb", "y"),
    [((0, 0, 0), 16), ((255, 255, 255), 235), ((255, 0, 0), 81), ((0, 255, 0), 145), ((0, 0, 255), 41)],
)
def test_luma_is_matlabs(rgb: tuple[int, int, int], y: int) -> None:
    assert luma(np.full((2, 2, 3), rgb, np.uint8)).tolist() == [[[y], [y]], [[y], [y]]]


def test_psnr_on_y_is_psnr_of_the_rounded_luma() -> None:
    reference, image = pair(16, 16, 3)

    def matlab(rgb: np.ndarray) -> np.ndarray:
        r, g, b = (rgb[..., c] / 255.0 for c in range(3))
        return np.floor(16 + 65.481 * r + 128.553 * g + 24.966 * b + 0.5).astype(np.uint8)[4:-4, 4:-4]

    expected = literal_psnr(matlab(reference), matlab(image))
    assert psnr(reference, image, colour="y", border=4) == pytest.approx(expected, abs=1e-10)


@given(arrays(np.uint8, (12, 12, 3)))
def test_identical_images_are_infinite_and_one(image: np.ndarray) -> None:
    assert psnr(image, image.copy(), colour="rgb", border=0) == math.inf
    assert ssim(image, image.copy(), colour="rgb", border=0) == pytest.approx(1, abs=1e-12)


@given(arrays(np.uint8, (12, 13, 1)), arrays(np.uint8, (12, 13, 1)))
def test_psnr_and_ssim_are_symmetric(a: np.ndarray, b: np.ndarray) -> None:
    assert psnr(a, b, colour="grey", border=0) == psnr(b, a, colour="grey", border=0)
    assert ssim(a, b, colour="grey", border=0) == pytest.approx(ssim(b, a, colour="grey", border=0), abs=1e-12)


@given(st.floats(-2, 3), st.integers(0, 255))
def test_to_uint8_clips_and_rounds(value: float, level: int) -> None:
    output = torch.tensor([[[[value, level / 255]]]])
    clipped, exact = to_uint8(output).ravel().tolist()
    assert exact == level
    assert abs(clipped - 255 * min(max(value, 0), 1)) <= 0.5 + 1e-4


def test_to_uint8_moves_channels_last() -> None:
    image = to_uint8(torch.arange(12).reshape(1, 3, 2, 2) / 255)
    assert image.shape == (2, 2, 3)
    assert image[0, 1].tolist() == [1, 5, 9]


@pytest.mark.parametrize("function", [psnr, ssim])
@pytest.mark.parametrize(
    ("reference", "image", "settings", "error", "message"),
    [
        pytest.param(
            np.zeros((20, 20, 1), np.uint8),
            np.zeros((20, 21, 1), np.uint8),
            {"colour": "grey", "border": 0},
            DataError,
            r"\(20, 20, 1\) and \(20, 21, 1\)",
            id="shapes",
        ),
        pytest.param(
            np.zeros((20, 20, 1)),
            np.zeros((20, 20, 1)),
            {"colour": "grey", "border": 0},
            DataError,
            "uint8.*float64",
            id="dtype",
        ),
        pytest.param(
            np.zeros((20, 20, 1), np.uint8),
            np.zeros((20, 20, 1), np.uint8),
            {"colour": "y", "border": 0},
            DataError,
            r"\[H, W, 3\]",
            id="channels",
        ),
        pytest.param(
            np.zeros((20, 20, 1), np.uint8),
            np.zeros((20, 20, 1), np.uint8),
            {"colour": "gray", "border": 0},
            OptionError,
            "did you mean 'grey'",
            id="colour",
        ),
        pytest.param(
            np.zeros((20, 20, 1), np.uint8),
            np.zeros((20, 20, 1), np.uint8),
            {"colour": "grey", "border": -1},
            OptionError,
            "got -1",
            id="border",
        ),
        pytest.param(
            np.zeros((8, 20, 1), np.uint8),
            np.zeros((8, 20, 1), np.uint8),
            {"colour": "grey", "border": 4},
            NotMeasured,
            "8×20",
            id="nothing-left",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    function: Callable[..., float],
    reference: np.ndarray,
    image: np.ndarray,
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        function(reference, image, **settings)


def test_ssim_says_when_the_image_is_smaller_than_its_window() -> None:
    image = np.zeros((10, 30, 1), np.uint8)
    with pytest.raises(NotMeasured, match="11×11"):
        ssim(image, image, colour="grey", border=0)


def test_colour_and_border_have_no_default() -> None:
    image = np.zeros((20, 20, 1), np.uint8)
    with pytest.raises(TypeError):
        psnr(image, image)  # type: ignore[call-arg]


@pytest.fixture(scope="module")
def backbone(shared: Path) -> Path:
    return shared / "weights" / "alexnet_features.npz"


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    from skimage.io import imread

    return {name: imread(shared / "golden" / "lpips" / f"ex_{name}.png")[..., :3] for name in ("ref", "p0", "p1")}


@pytest.mark.parametrize(("name", "expected"), [("p0", 0.7219), ("p1", 0.1376)])
def test_lpips_is_the_authors_value(backbone: Path, golden: dict[str, np.ndarray], name: str, expected: float) -> None:
    # The metric's authors print 0.722 and 0.138 for their own example images.
    assert lpips(golden["ref"], golden[name], backbone=backbone) == pytest.approx(expected, abs=1e-4)


def test_lpips_of_grey_is_lpips_of_three_equal_channels(backbone: Path) -> None:
    reference, image = pair(40, 48, 1)
    grey = lpips(reference, image, backbone=backbone)
    assert grey == pytest.approx(lpips(reference.repeat(3, 2), image.repeat(3, 2), backbone=backbone), abs=1e-7)
    assert lpips(reference, reference, backbone=backbone) == 0


def test_lpips_takes_the_smallest_image_and_refuses_a_smaller_one(backbone: Path) -> None:
    assert lpips(*pair(31, 31, 3), backbone=backbone) > 0
    with pytest.raises(NotMeasured, match="30×40"):
        lpips(*pair(30, 40, 3), backbone=backbone)


def test_lpips_reads_torchvisions_file_too_and_is_silent(backbone: Path, tmp_path: Path) -> None:
    with np.load(backbone) as features:
        whole = {name: torch.from_numpy(features[name]) for name in features.files}
    whole["classifier.6.bias"] = torch.zeros(1000)
    torch.save(whole, tmp_path / "alexnet.pth")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = lpips(*pair(40, 48, 3), backbone=tmp_path / "alexnet.pth")
    assert value == lpips(*pair(40, 48, 3), backbone=backbone)
    assert torch.equal(before, torch.get_rng_state())


def test_lpips_refuses_what_is_not_alexnet(tmp_path: Path) -> None:
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    np.savez(tmp_path / "other.npz", weight=np.zeros(3))
    for name, message in (("torn.npz", "not a readable file"), ("other.npz", r"slice1\.0\.weight")):
        with pytest.raises(CheckpointError, match=message):
            lpips(*pair(40, 48, 3), backbone=tmp_path / name)


def test_signatures_say_what_defines_the_number_and_stay() -> None:
    # These strings key rows on disk: a change of one means that numbers changed their meaning.
    assert [m.signature for m in metrics_for("y", 4, METRICS)] == [
        "psnr|colour:y(matlab-rgb2ycbcr,uint8)|border:4|range:255|round:uint8|impl:scikit-image",
        "ssim|colour:y(matlab-rgb2ycbcr,uint8)|border:4|range:255|round:uint8|window:gaussian11,sigma1.5|area:valid"
        "|k:0.01,0.03|variance:population|impl:scikit-image",
        "lpips|colour:rgb(uint8)|border:0|range:-1..1|round:uint8|net:alex,imagenet|version:0.1|impl:lpips",
    ]


def test_metrics_are_bound_to_their_settings() -> None:
    reference, image = pair(24, 24, 3)
    by_name = {m.name: m for m in metrics_for("y", 4, ("ssim", "psnr"))}
    assert list(by_name) == ["ssim", "psnr"]
    assert by_name["psnr"](reference, image) == psnr(reference, image, colour="y", border=4)
    assert by_name["ssim"](reference, image) == ssim(reference, image, colour="y", border=4)
    assert by_name["psnr"].higher_is_better


def test_lpips_without_its_backbone_is_not_measured_and_says_why() -> None:
    (metric,) = metrics_for("rgb", 1, ("lpips",), "run converse data fetch")
    assert not metric.higher_is_better
    assert metric.lacking == "AlexNet's features are not at hand: run converse data fetch"
    with pytest.raises(NotMeasured, match="converse data fetch"):
        metric(*pair(40, 40, 3))


def test_misspelt_names_get_the_nearest_one() -> None:
    with pytest.raises(OptionError, match="did you mean 'psnr'"):
        metrics_for("rgb", 1, ("pnsr",))
    with pytest.raises(OptionError, match="did you mean 'rgb'"):
        metrics_for("rbg", 1, ("psnr",))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([math.inf, 30.0, math.inf], [30.0]),
        ([math.inf, math.inf], [math.inf, math.inf]),
        ([30.0, 31.0], [30.0, 31.0]),
        ([-math.inf, math.inf], [-math.inf]),
    ],
)
def test_a_mean_is_of_what_is_not_infinite(values: list[float], expected: list[float]) -> None:
    assert averaged(values) == expected


def test_a_missing_value_stays_one() -> None:
    assert math.isnan(averaged([math.nan, math.inf])[0])


def test_what_is_known_of_a_metric_has_one_home() -> None:
    """Titles, digits and directions by name of a metric stand in METRICS alone. Oracle: the syntax tree."""
    package = Path(converse.__file__).parent
    homes = set()
    for file in package.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            keys = node.keys if isinstance(node, ast.Dict) else []
            if {"psnr", "ssim"} <= {key.value for key in keys if isinstance(key, ast.Constant)}:
                homes.add(file.relative_to(package).as_posix())
    # Names → modules, functions, and the smallest tolerances of the gate; the rest is said by MetricFacts.
    assert homes <= {"__init__.py", "metrics.py", "analysis/gate/tolerances.py"}
    assert [facts.name for facts in METRICS.values()] == list(METRICS) == ["psnr", "ssim", "lpips"]
    for metric in metrics_for("grey", 0, METRICS):
        facts = METRICS[metric.name]
        assert metric.signature.startswith(f"{facts.name}|")
        assert metric.higher_is_better == (facts.better == "higher")
        assert facts.digits >= facts.paper_digits
        assert facts.fine_digits >= facts.digits
