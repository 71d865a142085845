"""Reverse convolution against the dense least-squares problem, the authors' tensors, and what must hold whatever K is.

Oracles: the normal equations as explicit matrices (NumPy, float64), the released implementation's golden tensors,
SciPy's convolution, NumPy's padding, the literal formulas, and finite differences.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
import scipy.ndimage
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import gradcheck

from converse.nn import channel_groups, functional, spectra
from converse.nn.functional import (
    PerAxis,
    apply_transfer,
    check_arguments,
    circular_convolution,
    converse1d,
    converse2d,
    pad,
    transfer,
)

MODES = ("circular", "reflect", "replicate", "zero")
ESTIMATES = ("interpolation", "zero")
NUMPY_MODE: dict[str, Any] = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "zero": "constant"}

EPSILON = np.finfo(np.float64).eps

Array = npt.NDArray[np.float64]
Spectrum = npt.NDArray[np.complex128]


def rand(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def kernels(*shape: int, seed: int = 1, dtype: torch.dtype = torch.float64) -> Tensor:
    """Positive kernels of sum 1, as the paper's start."""
    return rand(*shape, seed=seed).flatten(2).softmax(-1).view(shape).to(dtype)


def gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None
    return leaf.grad


def relative(result: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the largest expected value."""
    result, expected = result.detach().double(), expected.detach().double()
    return float((result - expected).abs().max() / expected.abs().max())


def dense_matrix(kernel: Array, height: int, width: int, scale: PerAxis) -> Array:
    """A of "convolve circularly (true convolution, origin ⌊k/2⌋), keep samples 0, s, 2s, …": [H·W, sH·tW]."""
    (k, l), (s, t) = kernel.shape, (scale, scale) if isinstance(scale, int) else scale
    big_h, big_w = s * height, t * width
    matrix = np.zeros((height * width, big_h * big_w))
    m, n = (index.ravel() for index in np.indices((height, width)))
    for a in range(k):
        for b in range(l):
            column = (s * m + k // 2 - a) % big_h * big_w + (t * n + l // 2 - b) % big_w
            np.add.at(matrix, (m * width + n, column), kernel[a, b])
    return matrix


def dense_terms(y: Array, kernel: Array, scale: PerAxis, estimate: str | Array) -> tuple[Array, Array]:
    """A, and X0 as a vector."""
    height, width = y.shape
    matrix = dense_matrix(kernel, height, width, scale)
    if not isinstance(estimate, str):
        return matrix, estimate.ravel()
    x0: npt.NDArray[Any] = np.kron(y, np.ones((scale, scale) if isinstance(scale, int) else scale)).ravel()
    return matrix, x0 if estimate == "interpolation" else np.zeros_like(x0)


def dense_solution(
    y: Array, kernel: Array, lam: float, scale: PerAxis, estimate: str | Array = "interpolation"
) -> Array:
    matrix, x0 = dense_terms(y, kernel, scale, estimate)
    normal: npt.NDArray[Any] = matrix.T @ matrix + lam * np.eye(matrix.shape[1])
    solution: Array = np.linalg.solve(normal, matrix.T @ y.ravel() + lam * x0)
    s, t = (scale, scale) if isinstance(scale, int) else scale
    return solution.reshape(s * y.shape[0], t * y.shape[1])


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_dense_matrix_is_scipys_convolution(k: int) -> None:
    rng = np.random.default_rng(k)
    x, kernel = rng.normal(size=(6, 5)), rng.normal(size=(k, k))
    expected = scipy.ndimage.convolve(x, kernel, mode="wrap")
    np.testing.assert_allclose((dense_matrix(kernel, 6, 5, 1) @ x.ravel()).reshape(6, 5), expected, atol=1e-13)
    kept = (dense_matrix(kernel, 3, 2, 2) @ x[:, :4].ravel()).reshape(3, 2)
    np.testing.assert_allclose(kept, scipy.ndimage.convolve(x[:, :4], kernel, mode="wrap")[::2, ::2], atol=1e-13)


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Y, K, λ, s and X0; axes differ in all that they may differ in."""
    s, t = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    kernel_size = draw(st.integers(1, min(7, s * height))), draw(st.integers(1, min(7, t * width)))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    y, kernel = rng.normal(size=(height, width)), rng.normal(size=kernel_size)
    if draw(st.booleans()):
        kernel = np.exp(kernel) / np.exp(kernel).sum()
    estimate = draw(st.sampled_from((*ESTIMATES, "of one's own")))
    return {
        "y": y,
        "kernel": kernel,
        "lam": 10 ** draw(st.floats(-6, 2)),
        "scale": draw(st.sampled_from([(s, t)] if s != t else [s, (s, s)])),
        "estimate": estimate if estimate in ESTIMATES else rng.normal(size=(s * height, t * width)),
    }


def solved(y: Array, kernel: Array, lam: float, scale: PerAxis, estimate: Any) -> Array:
    if not isinstance(estimate, str):
        estimate = torch.from_numpy(estimate)[None, None]
    image, weight = (torch.from_numpy(one)[None, None] for one in (y, kernel))
    x = converse2d(image, weight, lam, scale=scale, initial_estimate=estimate)
    result: Array = x[0, 0].numpy()
    return result


@settings(max_examples=60)
@given(problems())
def test_solves_the_dense_least_squares_problem(problem: dict[str, Any]) -> None:
    kernel, expected = problem["kernel"], dense_solution(**problem)
    # The dense solve loses the condition of AᵀA + λI, at most ‖K‖₁²/λ + 1; ours loses less.
    condition = np.abs(kernel).sum() ** 2 / problem["lam"] + 1
    tolerance = 20 * EPSILON * condition * np.abs(expected).max()
    np.testing.assert_allclose(solved(**problem), expected, rtol=0, atol=tolerance)


@settings(max_examples=60)
@given(problems())
def test_the_gradient_of_the_objective_vanishes_at_the_output(problem: dict[str, Any]) -> None:
    y, kernel, lam = problem["y"], problem["kernel"], problem["lam"]
    matrix, x0 = dense_terms(y, kernel, problem["scale"], problem["estimate"])
    x = solved(**problem).ravel()
    gradient = matrix.T @ (matrix @ x - y.ravel()) + lam * (x - x0)
    # Rounding of x, relative to its largest value, comes back through AᵀA + λI; T itself is rounded where M is small,
    # at most like 1/√λ, and there A is as small.
    norm = np.abs(kernel).sum()
    size = (norm**2 + lam) * max(np.abs(x).max(), np.abs(x0).max()) + norm * np.abs(y).max()
    assert np.abs(gradient).max() <= 200 * EPSILON * size


# The golden cases: five shapes in each padding mode.
GOLDEN = [
    pytest.param(index, id=f"case{index:02}-{mode}-k{k}-s{scale}")
    for index, (mode, (k, scale)) in enumerate(
        (mode, shape)
        for mode in ("circular", "replicate", "reflect", "constant")
        for shape in ((5, 1), (3, 1), (2, 2), (3, 3), (4, 2))
    )
]


@pytest.mark.parametrize("index", GOLDEN)
def test_agrees_with_the_authors_in_value_and_gradient(shared: Path, index: int) -> None:
    case = json.loads((shared / "golden/operator.json").read_text())[index]
    with np.load(shared / "golden/operator.npz") as file:
        golden = {
            name: torch.from_numpy(file[f"{case['name']}.{name}"])
            for name in ("x", "weight", "bias", "y", "grad_y", "grad_x", "grad_weight", "grad_bias")
        }
    x, weight, bias = (golden[name].requires_grad_() for name in ("x", "weight", "bias"))
    lam = torch.sigmoid(bias - 9) + case["eps"]
    options = {
        "scale": case["scale"],
        "padding": case["padding"],
        "padding_mode": case["padding_mode"].replace("constant", "zero"),
    }
    y = converse2d(x, weight, lam, **options)
    y.backward(golden["grad_y"])
    # The released formula divides by λ ≈ 1e-4 after a cancellation: its own float64 rounding is about 1e-12.
    assert relative(y, golden["y"]) < 1e-9
    assert relative(gradient(x), golden["grad_x"]) < 1e-9
    assert relative(gradient(weight), golden["grad_weight"]) < 1e-9
    # For k = s with ΣK = 1 the true derivative is zero and the golden one is round-off.
    difference = (gradient(bias) - golden["grad_bias"]).abs()
    assert bool((difference <= 1e-8 * golden["grad_bias"].abs() + 1e-10).all())
    # float32: nothing is divided by λ, so what is lost is the rounding of the transforms times |T| ≤ 1/√λ.
    single = converse2d(x.detach().float(), weight.detach().float(), lam.detach().float(), **options)
    assert relative(single, y.detach()) < 2e-5


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("k", [1, 2, 5])
def test_float32_stays_near_float64_at_the_size_of_real_images(scale: int, k: int) -> None:
    y, weight = rand(1, 2, 96, 81, seed=scale), kernels(1, 2, k, k, seed=k)
    exact = converse2d(y, weight, 1.33e-4, scale=scale, padding=2)
    single = converse2d(y.float(), weight.float(), 1.33e-4, scale=scale, padding=2)
    assert relative(single, exact) < 2e-5


def literal_transfer(kernel: Array, lam: float, height: int, width: int, scale: int, estimate: str) -> Spectrum:
    """T of the paper's solution in transfer form with full spectra: X* = F⁻¹[tile(F_Y) · T], [s·H, s·W]."""
    size = (scale * height, scale * width)

    def spectrum(taps: Array, origin: int) -> Spectrum:
        image = np.zeros(size)
        np.add.at(image, np.ix_(*((np.arange(len(taps)) - origin) % length for length in size)), taps)
        return np.fft.fft2(image)

    def mean(image: Spectrum) -> Spectrum:
        aliases: Spectrum = image.reshape(scale, height, scale, width).mean(axis=(0, 2))
        return np.tile(aliases, (scale, scale))

    fk = spectrum(kernel, len(kernel) // 2)
    fb = spectrum(np.ones((scale, scale)), 0) * (estimate == "interpolation")
    result: Spectrum = fb + fk.conj() * (1 - mean(fk * fb)) / (mean(np.abs(fk) ** 2 + 0j) + lam)
    return result


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(5, 6), (6, 5), (4, 7), (7, 8)], ids=str)
@pytest.mark.parametrize("k", [2, 3, 4])
def test_is_the_transfer_form_with_full_spectra(k: int, size: tuple[int, int], scale: int, estimate: str) -> None:
    y, weight = rand(1, 1, *size, seed=k), rand(1, 1, k, k, seed=scale)
    t = literal_transfer(weight[0, 0].numpy(), 1e-3, *size, scale, estimate)
    expected = np.fft.ifft2(np.tile(np.fft.fft2(y[0, 0].numpy()), (scale, scale)) * t)
    assert np.abs(expected.imag).max() < 1e-11 * np.abs(expected.real).max()
    result = converse2d(y, weight, 1e-3, scale=scale, initial_estimate=estimate)  # type: ignore[arg-type]
    # T reaches 1/√λ = 32; a dozen roundings of it.
    assert relative(result[0, 0], torch.from_numpy(expected.real.copy())) < 1e-12


@pytest.mark.parametrize("width", [6, 7], ids=["even", "odd"])
def test_the_transfer_function_for_scale_1_is_the_wiener_filter_pulled_to_the_identity(width: int) -> None:
    weight, lam = rand(2, 3, 4, 4), 1e-2
    image = np.zeros((2, 3, 5, width))
    image[..., :4, :4] = weight.numpy()
    fk = np.fft.rfft2(np.roll(image, (-2, -2), (-2, -1)))
    expected = (fk.conj() + lam) / (np.abs(fk) ** 2 + lam)
    t = transfer(weight, torch.full((1, 1, 1, 1), lam, dtype=torch.float64), (5, width))
    assert t.shape == (2, 3, 1, 1, 5, width // 2 + 1)
    np.testing.assert_allclose(t[:, :, 0, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_padding_comes_before_the_solve_and_cropping_after_it(scale: int, mode: str) -> None:
    y, weight, p = rand(1, 1, 4, 5), kernels(1, 1, 3, 3), 3
    padded = np.pad(y[0, 0].numpy(), p, mode=NUMPY_MODE[mode])
    whole = dense_solution(padded, weight[0, 0].numpy(), 1e-2, scale)
    expected = whole[p * scale : (p + 4) * scale, p * scale : (p + 5) * scale]
    result = converse2d(y, weight, 1e-2, scale=scale, padding=p, padding_mode=mode)  # type: ignore[arg-type]
    np.testing.assert_allclose(result[0, 0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, (2, 3)], ids=str)
def test_an_estimate_of_ones_own_is_continued_like_the_input(scale: PerAxis, mode: Any) -> None:
    s, t = (scale, scale) if isinstance(scale, int) else scale
    y, weight, x0, (p, q) = rand(2, 1, 4, 5), kernels(1, 1, 2, 4), rand(1, 1, 4 * s, 5 * t, seed=7), (1, 3)
    result = converse2d(y, weight, 1e-2, scale=scale, padding=(p, q), padding_mode=mode, initial_estimate=x0)
    wide = np.pad(x0[0, 0].numpy(), ((s * p, s * p), (t * q, t * q)), mode=NUMPY_MODE[mode])
    for sample, found in zip(y, result, strict=True):
        padded = np.pad(sample[0].numpy(), ((p, p), (q, q)), mode=NUMPY_MODE[mode])
        whole = dense_solution(padded, weight[0, 0].numpy(), 1e-2, scale, wide)
        expected = whole[p * s : (p + 4) * s, q * t : (q + 5) * t]
        np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("mode", ["circular", "replicate", "zero"])
def test_the_input_upsampled_is_the_estimate_by_interpolation(mode: Any) -> None:
    # Not with reflection, which at the far side turns about the last sample: another one after upsampling.
    y, weight = rand(2, 2, 4, 5), kernels(1, 2, 3, 3)
    x0 = y.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = converse2d(y, weight, 1e-2, scale=2, padding=2, padding_mode=mode)
    given = converse2d(y, weight, 1e-2, scale=2, padding=2, padding_mode=mode, initial_estimate=x0)
    torch.testing.assert_close(given, expected, rtol=0, atol=1e-12)


def test_the_solution_as_its_own_estimate_moves_toward_the_inverse() -> None:
    # Iterated, it is the proximal point method, which undoes the convolution however large λ is.
    x, weight = rand(1, 2, 6, 7), torch.zeros(1, 2, 3, 3, dtype=torch.float64)
    weight[..., 1, 1], weight[..., 0, 1] = 1, 0.25  # |F_K| ≥ 0.75
    y = circular_convolution(x, weight)
    estimate = torch.zeros_like(x)
    for _ in range(60):
        estimate = converse2d(y, weight, 1.0, initial_estimate=estimate)
    assert relative(estimate, x) < 1e-10


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_an_estimate_of_another_precision(dtype: torch.dtype) -> None:
    y, weight, x0 = rand(1, 2, 4, 5), kernels(1, 2, 3, 3), rand(1, 2, 4, 5, seed=7).to(dtype)
    expected = converse2d(y, weight, 0.1, initial_estimate=x0.double())
    assert torch.equal(converse2d(y, weight, 0.1, initial_estimate=x0), expected)
    half = converse2d(y.to(dtype), weight.float(), 0.1, initial_estimate=x0)
    assert half.dtype == dtype
    assert relative(half, expected) < 20 * torch.finfo(dtype).eps
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(converse2d(y, weight, 0.1, initial_estimate=x0), expected)


@pytest.mark.parametrize("scale", [1, 3])
@pytest.mark.parametrize("k", [1, 4, 5])
def test_a_signal_is_solved_by_scipys_circulant_matrix(k: int, scale: int) -> None:
    y, weight = rand(2, 2, 6), rand(1, 2, k, seed=k)
    lam = torch.logspace(-2, 0, 4, dtype=torch.float64).view(2, 2, 1)
    x0 = rand(2, 2, 6 * scale, seed=8)
    estimates: tuple[Any, ...] = ("interpolation", "zero", x0)
    for estimate in estimates:
        found = converse1d(y, weight, lam, scale=scale, initial_estimate=estimate)
        for n, c in np.ndindex(2, 2):
            taps = np.zeros(6 * scale)
            taps[:k] = weight[0, c].numpy()
            matrix = scipy.linalg.circulant(np.roll(taps, -(k // 2)))[::scale]
            known = {"interpolation": np.repeat(y[n, c].numpy(), scale), "zero": np.zeros(6 * scale)}
            start = known[estimate] if isinstance(estimate, str) else x0[n, c].numpy()
            normal = matrix.T @ matrix + float(lam[n, c]) * np.eye(6 * scale)
            expected = np.linalg.solve(normal, matrix.T @ y[n, c].numpy() + float(lam[n, c]) * start)
            np.testing.assert_allclose(found[n, c].numpy(), expected, atol=1e-11)


@pytest.mark.parametrize("mode", MODES)
def test_a_signal_is_padded_like_a_row(mode: Any) -> None:
    y, weight = rand(1, 1, 7).requires_grad_(), rand(1, 1, 3, seed=1).requires_grad_()
    found = converse1d(y, weight, 0.1, scale=2, padding=2, padding_mode=mode)
    padded = np.pad(y[0, 0].detach().numpy(), 2, mode=NUMPY_MODE[mode])
    whole = converse1d(torch.from_numpy(padded)[None, None], weight, torch.tensor(0.1, dtype=torch.float64), scale=2)
    torch.testing.assert_close(found, whole[..., 4:-4], rtol=0, atol=1e-12)
    assert gradcheck(lambda y, w: converse1d(y, w, 0.1, scale=2, padding=2, padding_mode=mode), (y, weight))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"y": torch.ones(2, 8)}, r"y must have three dimensions, got shape \(2, 8\)", id="y"),
        pytest.param({"weight": torch.ones(1, 2, 3, 3)}, r"weight must have three .* \(1, 2, 3, 3\)", id="weight"),
        pytest.param({"lam": torch.ones(1, 2, 1, 1)}, r"lam must have three .* \(1, 2, 1, 1\)", id="lam"),
        pytest.param({"initial_estimate": torch.ones(8)}, r"initial_estimate must have three .* \(8,\)", id="x0"),
        pytest.param({"weight": torch.ones(1, 2, 9)}, "kernel of 1×9 is larger .* 1×8", id="kernel-size"),
    ],
)
def test_what_is_no_signal_is_refused(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"y": torch.ones(1, 2, 8), "weight": torch.ones(1, 2, 3), "lam": 0.1, **change}
    with pytest.raises(ValueError, match=message):
        converse1d(**arguments)


def test_each_sample_has_its_own_kernel_and_each_channel_its_own_lambda() -> None:
    y, weight = rand(2, 3, 4, 5), rand(2, 3, 3, 3, seed=5)
    lam = torch.logspace(-4, 0, 6, dtype=torch.float64).view(2, 3, 1, 1)
    result = converse2d(y, weight, lam, scale=2)
    for n in range(2):
        for c in range(3):
            expected = dense_solution(y[n, c].numpy(), weight[n, c].numpy(), float(lam[n, c]), 2)
            np.testing.assert_allclose(result[n, c].numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 1), (2, 3)], ids=str)
def test_lambda_broadcasts(shape: tuple[int, int]) -> None:
    y, weight = rand(2, 3, 4, 5), kernels(1, 3, 3, 3)
    lam = torch.logspace(-3, 0, shape[0] * shape[1], dtype=torch.float64).view(*shape, 1, 1)
    expected = converse2d(y, weight.expand(2, -1, -1, -1), lam.expand(2, 3, 1, 1), padding=1)
    assert relative(converse2d(y, weight, lam, padding=1), expected) < 1e-14


def test_a_number_is_a_lambda() -> None:
    y, weight = rand(1, 2, 4, 5), kernels(1, 2, 3, 3)
    assert torch.equal(converse2d(y, weight, 0.25), converse2d(y, weight, torch.full((1, 1, 1, 1), 0.25).double()))


@settings(max_examples=40)
@given(
    s=st.integers(1, 4),
    tight=st.booleans(),
    h=st.integers(2, 7),
    w=st.integers(2, 7),
    exponent=st.floats(-6, 2),
    seed=st.integers(0, 99),
)
def test_a_kernel_of_sum_1_inside_the_box_of_upsampling_gives_nearest_upsampling(
    s: int, tight: bool, h: int, w: int, exponent: float, seed: int
) -> None:
    # Taps at 0 … s - 1 before the kept sample average what upsampling repeated: A·X0 = Y, so that X0 is optimal for
    # every λ. For k = s the origin ⌊k/2⌋ puts the taps there for s = 1 and 2 alone; a wider kernel can for any s.
    y, inner = rand(2, 2, h, w, seed=seed), kernels(1, 2, s, s, seed=seed)
    weight = inner if tight and s <= 2 else torch.nn.functional.pad(inner, (0, s - 1, 0, s - 1))
    lam = torch.full((1, 1, 1, 1), 10**exponent, dtype=torch.float64, requires_grad=True)
    x = converse2d(y, weight, lam, scale=s)
    # What is left of 1 - Q is rounding; it is multiplied by P / (M + λ), and M ≥ 1e-3 is not promised: |T| ≤ 1/√λ.
    expected = y.repeat_interleave(s, 2).repeat_interleave(s, 3)
    torch.testing.assert_close(x.detach(), expected, rtol=0, atol=1e-11)
    (gradient,) = torch.autograd.grad(x.square().sum(), lam)
    assert abs(float(gradient * lam.detach())) < 1e-9  # relative to λ, as a learnt bias sees it


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_is_linear_in_the_input_and_moves_with_it(scale: int, estimate: str) -> None:
    first, second, weight = rand(1, 2, 5, 6), rand(1, 2, 5, 6, seed=9), rand(1, 2, 3, 3, seed=3)

    def solve(y: Tensor) -> Tensor:
        return converse2d(y, weight, 1e-2, scale=scale, initial_estimate=estimate)  # type: ignore[arg-type]

    assert relative(solve(2 * first - 3 * second), 2 * solve(first) - 3 * solve(second)) < 1e-13
    moved = solve(first.roll((1, 2), (2, 3)))
    assert relative(moved, solve(first).roll((scale, 2 * scale), (2, 3))) < 1e-13


def test_a_large_lambda_gives_the_first_estimate() -> None:
    y, weight = rand(1, 1, 4, 5), kernels(1, 1, 3, 3)
    x = converse2d(y, weight, 1e12, scale=2)
    torch.testing.assert_close(x, y.repeat_interleave(2, 2).repeat_interleave(2, 3), rtol=0, atol=1e-10)
    assert converse2d(y, weight, 1e12, scale=2, initial_estimate="zero").abs().max() < 1e-10


def test_undoes_the_convolution_where_the_kernel_can_be_inverted() -> None:
    x = rand(2, 3, 8, 9)
    weight = torch.zeros(2, 3, 3, 3, dtype=torch.float64)
    weight[..., 1, 1], weight[..., 0, 1] = 1, 0.25  # |F_K| ≥ 0.75
    restored = converse2d(circular_convolution(x, weight), weight, 1e-14)
    assert relative(restored, x) < 1e-12


GRADIENTS: list[Any] = (
    [
        pytest.param((2, 2, 4, 3), (1, 2, 3, 3), (1, 2), s, p, mode, estimate, id=f"scale{s}-{mode}-p{p}-{estimate}")
        for s, p, mode, estimate in [
            (1, 2, "circular", "interpolation"),
            (1, 2, "reflect", "zero"),
            (1, 3, "replicate", "interpolation"),
            (1, 3, "zero", "zero"),
            (2, 3, "circular", "zero"),
            (2, 1, "reflect", "interpolation"),
            (2, 1, "replicate", "zero"),
            (2, 1, "zero", "interpolation"),
            (3, 0, "circular", "interpolation"),
            (3, 1, "replicate", "interpolation"),
            (4, 0, "circular", "zero"),
            (4, 1, "zero", "interpolation"),
        ]
    ]
    + [
        pytest.param(y, weight, lam, s, 0, "circular", "interpolation", id=name)
        for name, y, weight, lam, s in [
            ("shared-lambda", (2, 2, 3, 4), (1, 2, 2, 2), (1, 1), 1),
            ("shared-lambda-scale2", (2, 2, 3, 4), (1, 2, 2, 2), (1, 1), 2),
            ("lambda-per-sample", (2, 2, 3, 4), (1, 2, 3, 3), (2, 1), 1),
            ("kernel-per-sample", (2, 2, 3, 4), (2, 2, 3, 3), (1, 2), 1),
            ("kernel-per-sample-scale2", (2, 2, 3, 3), (2, 2, 4, 4), (2, 2), 2),
            ("kernel-and-lambda-per-sample", (2, 2, 3, 4), (2, 2, 3, 3), (2, 1), 1),
            ("one-tap", (2, 1, 3, 4), (1, 1, 1, 1), (1, 1), 2),
            ("even-size-and-kernel", (1, 1, 4, 4), (1, 1, 4, 4), (1, 1), 1),
            ("one-sample", (1, 1, 1, 1), (1, 1, 2, 2), (1, 1), 2),
        ]
    ]
    + [
        pytest.param(
            (2, 2, 4, 3), (1, 2, 2, 3), (1, 2), (s, t), (2, 1), mode, "interpolation", id=f"pairs-{s}x{t}-{mode}"
        )
        for s, t, mode in [(1, 1, "circular"), (1, 2, "reflect"), (3, 1, "replicate"), (2, 3, "zero")]
    ]
)


@pytest.mark.parametrize(("y", "weight", "lam", "scale", "padding", "mode", "estimate"), GRADIENTS)
def test_gradients_are_those_of_finite_differences(
    y: tuple[int, ...],
    weight: tuple[int, ...],
    lam: tuple[int, int],
    scale: PerAxis,
    padding: PerAxis,
    mode: str,
    estimate: str,
) -> None:
    inputs = (
        rand(*y).requires_grad_(),
        rand(*weight, seed=2).requires_grad_(),
        (rand(*lam, 1, 1, seed=3).abs() + 0.2).requires_grad_(),
    )

    def solve(*tensors: Tensor) -> Tensor:
        return converse2d(
            *tensors,
            scale=scale,
            padding=padding,
            padding_mode=mode,  # type: ignore[arg-type]
            initial_estimate=estimate,  # type: ignore[arg-type]
        )

    assert gradcheck(solve, inputs)


@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)], ids=str)
@pytest.mark.parametrize("scale", [1, 2])
def test_a_gradient_is_the_same_whichever_others_are_asked_for(scale: int, wanted: tuple[int, ...]) -> None:
    def gradients(needed: tuple[int, ...]) -> dict[int, Tensor]:
        inputs = [rand(2, 3, 5, 6), kernels(1, 3, 3, 3), rand(1, 3, 1, 1, seed=4).abs()]
        for index in needed:
            inputs[index].requires_grad_()
        converse2d(*inputs, scale=scale, padding=2).pow(3).sum().backward()
        assert all(inputs[index].grad is None for index in {0, 1, 2} - set(needed))
        return {index: gradient(inputs[index]) for index in needed}

    complete = gradients((0, 1, 2))
    for index, found in gradients(wanted).items():
        assert torch.equal(found, complete[index])


PADDINGS = [
    pytest.param(mode, size, p, id=f"{mode}-{size[0]}x{size[1]}-p{p}")
    for mode, size, p in [
        ("circular", (4, 5), 1),
        ("circular", (4, 5), 3),
        ("circular", (4, 4), 4),
        ("reflect", (4, 5), 1),
        ("reflect", (4, 5), 3),
        ("reflect", (2, 7), 1),
        ("replicate", (4, 5), 2),
        ("replicate", (1, 2), 5),
        ("zero", (4, 5), 3),
        ("zero", (1, 1), 4),
        ("circular", (3, 2), 0),
    ]
]


@pytest.mark.parametrize(("mode", "size", "p"), PADDINGS)
def test_padding_is_numpys_and_its_adjoint_satisfies_the_inner_product(
    mode: Any, size: tuple[int, int], p: int
) -> None:
    # Whole numbers: sums of them are exact, and so is the equality.
    rng = np.random.default_rng(3)
    x = rng.integers(-9, 9, (2, 3, *size)).astype(np.float64)
    g = rng.integers(-9, 9, (2, 3, size[0] + 2 * p, size[1] + 2 * p)).astype(np.float64)
    padded = pad(torch.from_numpy(x), (p, p), (p, p), mode)
    np.testing.assert_array_equal(padded, np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)), mode=NUMPY_MODE[mode]))
    adjoint = functional._pad_adjoint(torch.from_numpy(g.copy()), (p, p), mode)
    assert float((padded * torch.from_numpy(g)).sum()) == float((torch.from_numpy(x) * adjoint).sum())


@pytest.mark.parametrize("mode", MODES)
def test_padding_may_differ_by_side(mode: Any) -> None:
    x = rand(1, 1, 4, 5)
    expected = np.pad(x[0, 0].numpy(), ((2, 1), (0, 3)), mode=NUMPY_MODE[mode])
    np.testing.assert_array_equal(pad(x, (2, 1), (0, 3), mode)[0, 0], expected)


@pytest.mark.parametrize("scale", [1, 2, (2, 4)], ids=str)
@pytest.mark.parametrize("k", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (7, 7), (2, 5)], ids=str)
def test_circular_convolution_is_scipys(k: tuple[int, int], scale: PerAxis) -> None:
    x, taps = rand(2, 3, 8, 8), rand(2, 3, *k, seed=k[0])
    result = circular_convolution(x, taps, scale)
    s, t = (scale, scale) if isinstance(scale, int) else scale
    for n in range(2):
        for c in range(3):
            expected = scipy.ndimage.convolve(x[n, c].numpy(), taps[n, c].numpy(), mode="wrap")[::s, ::t]
            np.testing.assert_allclose(result[n, c].numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)], ids=["no-samples", "no-channels"])
def test_the_circular_convolution_of_nothing_is_nothing(shape: tuple[int, int]) -> None:
    taps = torch.zeros(*shape, 3, 3, requires_grad=True)
    result = circular_convolution(torch.zeros(*shape, 5, 6), taps)
    assert result.shape == (*shape, 5, 6)
    result.sum().backward()
    assert taps.grad is not None


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
def test_applying_the_kept_transfer_function_is_the_solution(mode: Any, scale: int) -> None:
    y, weight, lam = rand(2, 3, 5, 6), kernels(1, 3, 3, 3), torch.full((1, 3, 1, 1), 1e-3, dtype=torch.float64)
    result = apply_transfer(y, transfer(weight, lam, (9, 10), scale), 2, mode)
    for c in range(3):
        padded = np.pad(y[1, c].numpy(), 2, mode=NUMPY_MODE[mode])
        whole = dense_solution(padded, weight[0, c].numpy(), 1e-3, scale)
        expected = whole[2 * scale : 7 * scale, 2 * scale : 8 * scale]
        # The condition of the dense problem is 1e3.
        np.testing.assert_allclose(result[1, c].numpy(), expected, atol=1e-11)


@pytest.mark.parametrize("size", [1, 700, 2**40], ids=["one-channel", "some-channels", "all-channels"])
@pytest.mark.parametrize("per_sample", [False, True], ids=["shared-kernel", "kernel-per-sample"])
@pytest.mark.parametrize("scale", [1, 2])
def test_groups_of_channels_change_nothing(
    monkeypatch: pytest.MonkeyPatch, scale: int, per_sample: bool, size: int
) -> None:
    def evaluate() -> list[Tensor]:
        y, weight = rand(2, 5, 4, 5).requires_grad_(), rand(2 if per_sample else 1, 5, 3, 3, seed=1).requires_grad_()
        lam = (rand(1, 5, 1, 1, seed=2).abs() + 0.1).requires_grad_()
        x = converse2d(y, weight, lam, scale=scale, padding=1)
        kept = transfer(weight, lam, (6, 7), scale).detach()
        return [x.detach(), *torch.autograd.grad(x.pow(3).sum(), (y, weight, lam)), apply_transfer(y.detach(), kept, 1)]

    expected = evaluate()
    monkeypatch.setattr(channel_groups, "core_cache", lambda: 2 * size)
    for result, reference in zip(evaluate(), expected, strict=True):
        # The order of sums within a channel may depend on the library's batches; float64.
        assert relative(result, reference) < 1e-13


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("lam", [1e-4, 1.0, 1e4])
def test_the_gradient_of_lambda_keeps_its_digits_in_float32(lam: float, scale: int) -> None:
    # Where λ is large the transfer function is nearly 1. Oracle: float64.
    def gradient(dtype: torch.dtype) -> Tensor:
        weight, strength = kernels(1, 2, 5, 5).to(dtype), torch.full((1, 2, 1, 1), lam, dtype=dtype).requires_grad_()
        x = converse2d(rand(2, 2, 16, 16).to(dtype), weight, strength, scale=scale, padding=4)
        return torch.autograd.grad(x, strength, rand(2, 2, 16 * scale, 16 * scale, seed=1).to(dtype))[0]

    assert relative(gradient(torch.float32).double(), gradient(torch.float64)) < 1e-4


@pytest.mark.parametrize("scale", [1, 2])
def test_gradients_can_be_asked_for_again(scale: int) -> None:
    leaves = rand(2, 3, 5, 6).requires_grad_(), rand(1, 3, 3, 3, seed=1).requires_grad_()
    x = converse2d(*leaves, 0.1, scale=scale, padding=1).pow(2).sum()
    once = torch.autograd.grad(x, leaves, retain_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(once, torch.autograd.grad(x, leaves), strict=True))


def test_no_channels_have_a_transfer_function() -> None:
    assert transfer(torch.rand(1, 0, 3, 3), torch.ones(1, 1, 1, 1), (5, 6)).shape == (1, 0, 1, 1, 5, 4)


def test_channels_are_processed_in_groups_that_the_limit_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    y = torch.empty(2, 5, 4, 5, dtype=torch.float64)
    monkeypatch.setattr(channel_groups, "group_bytes", lambda: 2 * (6 * 7 * 8) * 2)
    assert channel_groups.groups(y, (6, 7)) == [slice(0, 2), slice(2, 4), slice(4, 5)]
    assert channel_groups.groups(y, (6, 7), 4 * (6 * 7 * 8) * 2) == [slice(0, 3), slice(3, 5)]  # of like size
    assert channel_groups.groups(y.to("meta"), (6, 7)) == [slice(0, 5)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 2])
def test_the_solution_may_take_the_place_of_the_input(scale: int, mode: Any) -> None:
    y, weight, lam = rand(2, 3, 5, 6), kernels(1, 3, 3, 3), torch.full((1, 3, 1, 1), 1e-2, dtype=torch.float64)
    expected = converse2d(y, weight, lam, scale=scale, padding=2, padding_mode=mode)
    kept = transfer(weight, lam, (9, 10), scale)
    solves: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda x: converse2d(x, weight, lam, scale=scale, padding=2, padding_mode=mode, overwrite=True),
        lambda x: apply_transfer(x, kept, 2, mode, overwrite=True),
    )
    for solve in solves:
        given = y.clone()
        with torch.no_grad():
            solved = solve(given)
        assert relative(solved, expected) < 1e-13
        assert (solved.data_ptr() == given.data_ptr()) is (scale == 1)
        narrow = y.transpose(2, 3).contiguous().transpose(2, 3)  # not in the order of the output
        with torch.no_grad():
            assert relative(solve(narrow), expected) < 1e-13
        assert torch.equal(narrow, y)


def test_with_gradients_the_input_stays() -> None:
    y, weight = rand(1, 2, 5, 6), kernels(1, 2, 3, 3)
    given = y.clone()
    converse2d(given, weight, 0.1, overwrite=True)
    assert torch.equal(given, y)


def test_memory_that_is_freed_is_kept_at_most_once_and_never_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    empty = torch.empty

    def spy(*args: Any, **kwargs: Any) -> Tensor:
        block: Tensor = empty(*args, **kwargs)
        made.append(block.nbytes)
        return block

    channel_groups.keep_freed_memory.cache_clear()
    monkeypatch.setattr(torch, "empty", spy)
    for _ in range(2):
        channel_groups.groups(rand(1, 2, 4, 5), (4, 5))
    # glibc's bound follows blocks of up to 32 MiB, with the allocator's own bytes.
    assert [2**24 < size < 2**25 for size in made] == [True]


LAYOUTS: list[Any] = [
    pytest.param(lambda t: t.contiguous(memory_format=torch.channels_last), id="channels-last"),
    pytest.param(lambda t: t.transpose(2, 3).contiguous().transpose(2, 3), id="transposed"),
    pytest.param(lambda t: t.repeat_interleave(2, 3)[..., ::2], id="strided"),
    pytest.param(lambda t: t[:1].expand(2, -1, -1, -1), id="expanded"),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("scale", [1, 2])
def test_the_memory_layout_changes_nothing(scale: int, mode: Any, layout: Callable[[Tensor], Tensor]) -> None:
    def evaluate(change: Callable[[Tensor], Tensor]) -> list[Tensor]:
        # The two samples are equal, so that an expanded tensor holds them too.
        y, weight, grad = (
            change(rand(*shape, seed=seed).repeat(2, 1, 1, 1))
            for seed, shape in enumerate([(1, 3, 5, 6), (1, 3, 3, 3), (1, 3, 5 * scale, 6 * scale)])
        )
        lam = torch.full((1, 1, 1, 1), 1e-2, dtype=torch.float64)
        kept = apply_transfer(y, transfer(weight, lam, (9, 10), scale), 2, mode)
        y.requires_grad_(), weight.requires_grad_()
        x = converse2d(y, weight, lam, scale=scale, padding=2, padding_mode=mode)
        return [x.detach(), kept, *torch.autograd.grad(x, (y, weight), grad)]

    for result, expected in zip(evaluate(layout), evaluate(Tensor.contiguous), strict=True):
        assert relative(result, expected) < 1e-13  # float64; the FFT may take another path


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_half_precision_is_solved_in_float32_and_rounded_once(dtype: torch.dtype) -> None:
    y, weight = rand(1, 2, 5, 6, dtype=dtype), kernels(1, 2, 3, 3, dtype=torch.float32)
    y.requires_grad_()
    single = y.detach().float().requires_grad_()
    x, expected = converse2d(y, weight, 1e-3, padding=2), converse2d(single, weight, 1e-3, padding=2)
    assert x.dtype == dtype
    assert torch.equal(x, expected.to(dtype))
    x.float().sum().backward()
    expected.sum().backward()
    assert y.grad is not None
    assert torch.equal(y.grad, single.grad.to(dtype))  # type: ignore[union-attr]


def test_the_wider_of_input_and_kernel_decides_the_precision_and_the_input_that_of_the_result() -> None:
    y, weight = rand(1, 2, 5, 6), kernels(1, 2, 3, 3)
    exact = converse2d(y.float().double(), weight, 1e-4)
    assert torch.equal(converse2d(y.float(), weight, 1e-4), exact.float())
    mixed = converse2d(y, weight.float(), 1e-4)
    assert mixed.dtype == torch.float64
    assert torch.equal(mixed, converse2d(y, weight.float().double(), 1e-4))


def test_autocast_leaves_the_transforms_in_float32() -> None:
    y, weight = rand(1, 2, 5, 6, dtype=torch.float32), kernels(1, 2, 3, 3, dtype=torch.float32).requires_grad_()
    expected = converse2d(y, weight, 1e-4, padding=2)
    (reference,) = torch.autograd.grad(expected.sum(), weight)
    with torch.autocast("cpu", torch.bfloat16):
        x = converse2d(y, weight, 1e-4, padding=2)
        kept = transfer(weight.detach(), torch.full((1, 1, 1, 1), 1e-4), (9, 10))
        again = apply_transfer(y, kept, 2)
        (gradient,) = torch.autograd.grad(x.sum(), weight)
    assert x.dtype == again.dtype == torch.float32
    assert kept.dtype == torch.complex64
    assert torch.equal(x, expected)
    assert torch.equal(again, expected)
    assert torch.equal(gradient, reference)


def test_tables_made_in_inference_mode_serve_training_later() -> None:
    spectra._kept_exponentials.cache_clear()
    y, weight = rand(1, 1, 11, 13), kernels(1, 1, 3, 3)
    lam = torch.full((1, 1, 1, 1), 0.1, dtype=torch.float64)
    with torch.inference_mode():
        expected = converse2d(y, weight, lam)
    weight, lam, y = weight.requires_grad_(), lam.requires_grad_(), y.requires_grad_()
    x = converse2d(y, weight, lam)
    assert torch.equal(x.detach(), expected.clone())
    x.sum().backward()
    assert all(tensor.grad is not None for tensor in (y, weight, lam))
    # The transfer function itself can be differentiated by autograd, and its gradient is that of the solve.
    weight.grad = None
    kept = transfer(weight, lam, (11, 13))
    upstream = rand(1, 1, 11, 13)
    (torch.fft.irfft2(torch.fft.rfft2(y.detach()) * kept[:, :, 0, 0], s=(11, 13)) * upstream).sum().backward()
    direct = torch.autograd.grad((converse2d(y, weight, lam) * upstream).sum(), weight)[0]
    torch.testing.assert_close(weight.grad, direct, rtol=0, atol=1e-11)


@pytest.mark.parametrize("before", [False, True], ids=["first", "after-a-real-solve"])
def test_tables_made_while_tracing_do_not_outlive_it(before: bool) -> None:
    spectra._kept_exponentials.cache_clear()
    if before:
        converse2d(torch.ones(1, 1, 7, 9), torch.ones(1, 1, 3, 3), 0.1)
    with FakeTensorMode():
        assert converse2d(torch.empty(1, 1, 7, 9), torch.empty(1, 1, 3, 3), 0.1).shape == (1, 1, 7, 9)
    y, weight = rand(1, 1, 7, 9), kernels(1, 1, 3, 3)
    expected = dense_solution(y[0, 0].numpy(), weight[0, 0].numpy(), 0.1, 1)
    single = converse2d(y.float(), weight.float(), 0.1)
    np.testing.assert_allclose(single[0, 0].numpy(), expected, atol=1e-5)


EMPTY = [
    pytest.param((0, 3, 5, 6), 2, id="no-samples"),
    pytest.param((2, 0, 5, 6), 1, id="no-channels"),
    pytest.param((2, 3, 0, 6), 2, id="no-rows"),
]


@pytest.mark.parametrize(("shape", "scale"), EMPTY)
def test_nothing_gives_nothing_with_gradients_of_zero(shape: tuple[int, ...], scale: int) -> None:
    y, weight = torch.zeros(shape, requires_grad=True), kernels(1, shape[1], 3, 3).float().requires_grad_()
    lam = torch.full((1, shape[1], 1, 1), 0.1, requires_grad=True)
    x0 = torch.zeros(*shape[:2], scale * shape[2], scale * shape[3], requires_grad=True)
    x = converse2d(y, weight, lam, scale=scale)
    assert x.shape == x0.shape
    (x + converse2d(y, weight, lam, scale=scale, initial_estimate=x0)).sum().backward()
    for leaf in (y, weight, lam, x0):
        assert leaf.grad is not None
        assert leaf.grad.abs().sum() == 0


ERRORS: list[Any] = [
    pytest.param(
        {"y": torch.ones(1, 2, 5, 5, dtype=torch.int64)}, TypeError, "floating point, got torch.int64", id="integers"
    ),
    pytest.param({"y": torch.ones(1, 2, 5, 5, dtype=torch.complex64)}, TypeError, "floating point", id="complex"),
    pytest.param({"y": torch.ones(2, 5, 5)}, ValueError, r"y must be \[N, C, H, W\], got shape \(2, 5, 5\)", id="y-3d"),
    pytest.param({"weight": torch.ones(2, 3, 3)}, ValueError, r"got shape \(2, 3, 3\)", id="kernel-3d"),
    pytest.param(
        {"weight": torch.ones(1, 3, 3, 3)}, ValueError, r"weight must be \[1 or 1, 2, k, l\]", id="kernel-channels"
    ),
    pytest.param({"weight": torch.ones(3, 2, 3, 3)}, ValueError, "weight must be", id="kernel-samples"),
    pytest.param({"lam": 0.0}, ValueError, "lam must be positive, got 0.0", id="lambda-not-positive"),
    pytest.param(
        {"lam": torch.tensor([0.1, -1.0]).view(1, 2, 1, 1)},
        ValueError,
        "lam must be positive, got -1",
        id="lambda-one",
    ),
    pytest.param({"lam": torch.zeros(1, 1, 1, 1)}, ValueError, "lam must be positive, got 0", id="lambda-tensor-0"),
    pytest.param({"lam": torch.tensor(-2.0)}, ValueError, "lam must be positive, got -2", id="lambda-0d-negative"),
    pytest.param({"lam": torch.tensor(torch.nan)}, ValueError, "lam must be positive, got nan", id="lambda-nan"),
    pytest.param(
        {"lam": torch.ones(2)}, ValueError, r"lam must broadcast to \[1, 2, 1, 1\], got shape \(2,\)", id="lambda-1d"
    ),
    pytest.param({"lam": torch.ones(1, 3, 1, 1)}, ValueError, "lam must broadcast", id="lambda-channels"),
    pytest.param({"lam": torch.ones(2, 2, 1, 1)}, ValueError, "lam must broadcast", id="lambda-samples"),
    pytest.param({"lam": torch.ones(1, 2, 5, 5)}, ValueError, "lam must broadcast", id="lambda-image"),
    pytest.param({"scale": 0}, ValueError, "scale must be at least 1, got 0", id="scale"),
    pytest.param({"scale": (2, 0)}, ValueError, r"scale must be at least 1, got \(2, 0\)", id="scale-of-columns"),
    pytest.param({"padding": -1}, ValueError, "padding must not be negative, got -1", id="padding"),
    pytest.param({"padding": (-1, 2)}, ValueError, r"must not be negative, got \(-1, 2\)", id="padding-of-rows"),
    pytest.param(
        {"initial_estimate": torch.ones(1, 2, 5, 4)},
        ValueError,
        r"initial_estimate must be \[1 or 1, 2, 5, 5\] and floating point, got shape \(1, 2, 5, 4\)",
        id="estimate-shape",
    ),
    pytest.param(
        {"initial_estimate": torch.ones(1, 2, 5, 5, dtype=torch.int64)}, ValueError, "int64", id="estimate-integers"
    ),
    pytest.param(
        {"padding_mode": "constant"}, ValueError, "circular, reflect, replicate, zero, got 'constant'", id="mode"
    ),
    pytest.param({"initial_estimate": "bicubic"}, ValueError, "interpolation, zero, got 'bicubic'", id="estimate"),
    pytest.param({"padding": 6}, ValueError, "circular padding of 6 .* at least 6×6, got 5×5", id="circular-reach"),
    pytest.param(
        {"padding": 5, "padding_mode": "reflect"}, ValueError, "reflect padding of 5 .* 6×6", id="reflect-reach"
    ),
    pytest.param({"padding": (0, 6)}, ValueError, r"circular padding of \(0, 6\) .* at least 0×6", id="reach-columns"),
    pytest.param({"weight": torch.ones(1, 2, 6, 6)}, ValueError, "kernel of 6×6 is larger .* of 5×5", id="kernel-size"),
    pytest.param({"weight": torch.ones(1, 2, 3, 6)}, ValueError, "kernel of 3×6 is larger .* of 5×5", id="kernel-wide"),
]


@pytest.mark.parametrize(("change", "error", "message"), ERRORS)
def test_what_cannot_be_solved_is_refused(change: dict[str, Any], error: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"y": torch.ones(1, 2, 5, 5), "weight": torch.ones(1, 2, 3, 3), "lam": 0.1, **change}
    with pytest.raises(error, match=message):
        converse2d(**arguments)


def test_lambda_may_be_a_number_a_scalar_tensor_or_one_per_channel() -> None:
    y, weight, lam = rand(2, 3, 6, 7), kernels(1, 3, 3, 3), torch.tensor(0.1, dtype=torch.float64, requires_grad=True)
    expected = converse2d(y, weight, 0.1)
    assert torch.equal(converse2d(y, weight, lam), expected)
    converse2d(y, weight, lam).pow(2).sum().backward()
    full = torch.full((1, 3, 1, 1), 0.1, dtype=torch.float64, requires_grad=True)
    converse2d(y, weight, full).pow(2).sum().backward()
    assert lam.grad is not None
    assert full.grad is not None
    torch.testing.assert_close(lam.grad, full.grad.sum())


def test_values_that_are_positive_by_construction_need_not_be_looked_at() -> None:
    lam = torch.full((1, 1, 1, 1), -1.0)
    assert converse2d(torch.ones(1, 1, 5, 5), torch.ones(1, 1, 3, 3), lam, validate_lam=False).shape == (1, 1, 5, 5)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_meta_tensors_have_shapes_and_gradients(mode: Any, scale: int) -> None:
    y, weight = (torch.empty(1, 3, n, n, device="meta", requires_grad=True) for n in (8, 3))
    lam = torch.empty(1, 3, 1, 1, device="meta", requires_grad=True)
    with torch.no_grad():
        assert converse2d(y, weight, lam, scale=scale, padding=2, padding_mode=mode).is_meta
    x = converse2d(y, weight, lam, scale=scale, padding=2, padding_mode=mode)
    assert x.shape == (1, 3, 8 * scale, 8 * scale)
    gradients = torch.autograd.grad(x.sum(), (y, weight, lam))
    assert [g.shape for g in gradients] == [y.shape, weight.shape, lam.shape]


def test_tables_lie_on_the_cpu_whatever_device_is_in_force() -> None:
    y, weight = rand(1, 1, 7, 9), kernels(1, 1, 3, 3)
    expected = converse2d(y, weight, 0.1)
    spectra._kept_exponentials.cache_clear()
    channel_groups.keep_freed_memory.cache_clear()
    with torch.device("meta"):
        assert torch.equal(converse2d(y, weight, 0.1), expected)


def test_padding_and_kernel_may_be_as_large_as_the_image_allows() -> None:
    y = torch.ones(1, 2, 5, 5)
    for mode, reach in (("circular", 5), ("reflect", 4), ("replicate", 20), ("zero", 20)):
        check_arguments(y, torch.ones(1, 2, 3, 3), 1, reach, mode, "zero")
    check_arguments(y, torch.ones(1, 2, 15, 15), 3, 0, "circular", "zero")
    check_arguments(y, torch.ones(1, 2, 9, 9), 1, 2, "circular", "zero")


@pytest.mark.gpu
@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_a_gpu_agrees_with_the_cpu(mode: Any, scale: int) -> None:
    def evaluate(device: str) -> list[Tensor]:
        y, weight = rand(2, 3, 9, 10).to(device).requires_grad_(), kernels(1, 3, 3, 3).to(device).requires_grad_()
        lam = torch.full((1, 3, 1, 1), 1e-3, dtype=torch.float64, device=device, requires_grad=True)
        x = converse2d(y, weight, lam, scale=scale, padding=2, padding_mode=mode)
        return [t.detach().cpu() for t in (x, *torch.autograd.grad(x.pow(3).sum(), (y, weight, lam)))]

    for result, expected in zip(evaluate("cuda"), evaluate("cpu"), strict=True):
        assert relative(result, expected) < 1e-10
