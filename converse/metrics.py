"""PSNR, SSIM and LPIPS of uint8 images, each with the signature that says what its number means.

Pure functions first; :class:`Metric` binds one to its settings, and :func:`metrics_for` builds those of a protocol.
Colour space and border have no default: the same image has another PSNR on Y than on RGB.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt

from converse.errors import CheckpointError, DataError, OptionError, unknown

if TYPE_CHECKING:
    import torch

Image = npt.NDArray[np.uint8]
Colour = Literal["grey", "y", "rgb"]

PARAMETERS: Final = "parameters"
"""What rows and tables call the number of a network's parameters, which is counted and no metric of images."""

LACKING = "AlexNet's features are not at hand"

# MATLAB's rgb2ycbcr (ITU-R BT.601, studio range), for R, G, B in [0, 1].
_Y_WEIGHTS = np.array([65.481, 128.553, 24.966])
_Y_OFFSET = 16.0

_SSIM_WINDOW = 11
# Below this side the last of AlexNet's poolings has nothing left to pool.
_LPIPS_SMALLEST = 31


@dataclass(frozen=True)
class MetricFacts:
    """All that is known of a metric by its name, whoever measures, compares or shows it.

    Attributes:
        name: in rows and on the command line.
        title: in tables.
        unit: ``dB``; empty for a number without a unit.
        digits: of means, behind the point.
        paper_digits: of means where they stand as the paper has them.
        fine_digits: of differences, and of the values of single images.
        better: whether the larger or the smaller value is the better one.
        signature: everything that defines the number; ``{area}`` stands for colour space, border, range and rounding.
    """

    name: str
    title: str
    unit: str
    digits: int
    paper_digits: int
    fine_digits: int
    better: Literal["higher", "lower"]
    signature: str


METRICS: Final[Mapping[str, MetricFacts]] = {
    facts.name: facts
    for facts in (
        MetricFacts("psnr", "PSNR", "dB", 3, 2, 3, "higher", "psnr|{area}|impl:scikit-image"),
        MetricFacts(
            *("ssim", "SSIM", "", 4, 4, 5, "higher"),
            "ssim|{area}|window:gaussian11,sigma1.5|area:valid|k:0.01,0.03|variance:population|impl:scikit-image",
        ),
        MetricFacts(
            *("lpips", "LPIPS", "", 4, 4, 5, "lower"),
            "lpips|colour:rgb(uint8)|border:0|range:-1..1|round:uint8|net:alex,imagenet|version:0.1|impl:lpips",
        ),
    )
}
"""The metrics, in the order in which tables have them."""

_COLOUR_SIGNATURE = {"grey": "grey(uint8)", "y": "y(matlab-rgb2ycbcr,uint8)", "rgb": "rgb(uint8)"}


class NotMeasured(Exception):
    """A metric has no value here; the message is the reason that stands in the row."""


def averaged(values: Sequence[float]) -> list[float]:
    """The values that a mean is taken of: without those of images restored without any error, whose PSNR is ``inf``.

    Args:
        values: one per image.

    Returns:
        Those that are not ``inf``; all of them where there are no others, so that their mean is ``inf``.
    """
    return [value for value in values if value != float("inf")] or list(values)


def to_uint8(output: torch.Tensor) -> Image:
    """A network's output as the image that is measured: clipped to [0, 1], times 255, rounded half to even.

    Args:
        output: [1, C, H, W], any float type, finite.

    Returns:
        uint8 [H, W, C].
    """
    return as_uint8(output.detach().float().cpu().numpy()[0].transpose(1, 2, 0))


def as_uint8(image: npt.NDArray[np.float32]) -> Image:
    """:func:`to_uint8` of an array.

    Args:
        image: [H, W, C] float32, finite.

    Returns:
        uint8 [H, W, C].
    """
    return np.ascontiguousarray(np.rint(image.clip(0, 1) * np.float32(255)).astype(np.uint8))


def luma(image: Image) -> Image:
    """MATLAB's Y of an RGB image: 16 + 65.481 R + 128.553 G + 24.966 B with R, G, B in [0, 1].

    Args:
        image: uint8 [H, W, 3].

    Returns:
        uint8 [H, W, 1], in 16..235, rounded.
    """
    y: npt.NDArray[np.float64] = _Y_OFFSET + (image.astype(np.float64) / 255) @ _Y_WEIGHTS
    return np.rint(y)[..., np.newaxis].astype(np.uint8)


def _prepared(reference: Image, image: Image, *, colour: str, border: int) -> tuple[Image, Image]:
    """Both images in the colour space of the metric, without the border; refuses what does not fit together."""
    if colour not in _COLOUR_SIGNATURE:
        raise OptionError(unknown("colour", colour, _COLOUR_SIGNATURE))
    if border < 0:
        raise OptionError(f"border must be 0 or more pixels, got {border}")
    for name, array in (("reference", reference), ("image", image)):
        if array.dtype != np.uint8:
            raise DataError(f"{name} must be uint8 in 0..255, got {array.dtype}")
    if reference.shape != image.shape:
        raise DataError(f"reference and image must have one shape, got {reference.shape} and {image.shape}")
    channels = 1 if colour == "grey" else 3
    if reference.ndim != 3 or reference.shape[2] != channels:
        raise DataError(f"colour {colour!r} needs images of shape [H, W, {channels}], got {reference.shape}")
    height, width = reference.shape[:2]
    if min(height, width) <= 2 * border:
        raise NotMeasured(f"image of {height}×{width} pixels has nothing left without its border of {border}")
    area = np.s_[border : height - border, border : width - border]
    if colour == "y":
        return luma(reference)[area], luma(image)[area]
    return reference[area], image[area]


def psnr(reference: Image, image: Image, *, colour: Colour, border: int) -> float:
    """Peak signal-to-noise ratio, 10 log10(255² / mean squared error), by scikit-image.

    Args:
        reference: the true image, uint8 [H, W, C].
        image: the restored image, uint8 [H, W, C].
        colour: ``grey`` (C = 1), ``rgb`` or ``y`` (C = 3; the luma of MATLAB, rounded to uint8).
        border: pixels that are cropped from each side first.

    Returns:
        dB; ``inf`` for identical images. There is no upper limit.

    Raises:
        DataError: the shapes differ or do not fit the colour, or the images are not uint8.
        OptionError: an unknown colour, or a negative border.
        NotMeasured: nothing is left inside the border.

    Example:
        >>> import numpy as np
        >>> from converse import psnr
        >>> image = np.full((16, 20, 1), 100, np.uint8)
        >>> round(psnr(image, image + np.uint8(5), colour="grey", border=0), 2)  # 10 log10(255² / 25)
        34.15
    """
    from skimage.metrics import peak_signal_noise_ratio

    first, second = _prepared(reference, image, colour=colour, border=border)
    if np.array_equal(first, second):
        return float("inf")
    return float(peak_signal_noise_ratio(first, second, data_range=255))


def ssim(reference: Image, image: Image, *, colour: Colour, border: int) -> float:
    """Structural similarity (Wang et al. 2004) by scikit-image, in its original settings.

    11×11 Gaussian window with sigma 1.5, K1 = 0.01, K2 = 0.03, L = 255, population variances, mean over the valid area
    (scikit-image leaves out the 5 pixels that the window does not cover) and over channels.

    Args:
        reference: the true image, uint8 [H, W, C].
        image: the restored image, uint8 [H, W, C].
        colour: ``grey`` (C = 1), ``rgb`` or ``y`` (C = 3).
        border: pixels that are cropped from each side first.

    Returns:
        A number in [-1, 1], 1 for identical images.

    Raises:
        DataError: the shapes differ or do not fit the colour, or the images are not uint8.
        OptionError: an unknown colour, or a negative border.
        NotMeasured: what is left inside the border is smaller than the window.

    Example:
        >>> import numpy as np
        >>> from converse import ssim
        >>> image = np.full((16, 20, 3), 100, np.uint8)
        >>> ssim(image, image, colour="rgb", border=0)
        1.0
    """
    from skimage.metrics import structural_similarity

    first, second = _prepared(reference, image, colour=colour, border=border)
    if min(first.shape[:2]) < _SSIM_WINDOW:
        height, width = first.shape[:2]
        raise NotMeasured(f"image of {height}×{width} pixels is smaller than the {_SSIM_WINDOW}×{_SSIM_WINDOW} window")
    return float(
        structural_similarity(
            first,
            second,
            win_size=_SSIM_WINDOW,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            K1=0.01,
            K2=0.03,
            data_range=255,
            channel_axis=2,
        )
    )


def lpips(reference: Image, image: Image, *, backbone: Path) -> float:
    """Learned perceptual distance (Zhang et al. 2018), the ``lpips`` package with AlexNet, version 0.1.

    RGB in [-1, 1], whole image; grey images are repeated to three channels.

    Args:
        reference: the true image, uint8 [H, W, 1 or 3].
        image: the restored image, uint8 [H, W, 1 or 3].
        backbone: AlexNet's ImageNet features under torchvision's names, ``.npz`` or ``.pth``.

    Returns:
        A distance ≥ 0, 0 for identical images.

    Raises:
        DataError: the shapes differ, or the images are not uint8 in grey or RGB.
        CheckpointError: the file is not AlexNet's features.
        NotMeasured: the image is smaller than AlexNet can take.
    """
    import torch

    grey = reference.ndim == 3 and reference.shape[2] == 1
    first, second = _prepared(reference, image, colour="grey" if grey else "rgb", border=0)
    height, width = first.shape[:2]
    if min(height, width) < _LPIPS_SMALLEST:
        raise NotMeasured(f"image of {height}×{width} pixels is smaller than the {_LPIPS_SMALLEST} that LPIPS needs")

    def signed(array: Image) -> torch.Tensor:
        rgb = np.broadcast_to(array, (height, width, 3)).astype(np.float32)
        return torch.from_numpy(rgb / 127.5 - 1).permute(2, 0, 1)[None]  # [1, 3, H, W]

    with torch.inference_mode():
        return float(_lpips_network(backbone)(signed(first), signed(second)))


@lru_cache(maxsize=2)
def _lpips_network(backbone: Path) -> Any:
    """The LPIPS network with the features of that file; nothing is downloaded."""
    import torch

    features = _alexnet_features(backbone)
    # The package passes `pretrained`, which torchvision deprecates; and the random backbone that `features` replaces
    # must not move the caller's random numbers.
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        import lpips as package

        network = package.LPIPS(net="alex", version="0.1", pnet_rand=True, verbose=False)
    own = network.net.state_dict()  # slice3.6.weight is torchvision's features.6.weight
    loaded = {name: features.get("features." + name.split(".", 1)[1]) for name in own}
    bad = [n for n, v in own.items() if (new := loaded[n]) is None or tuple(new.shape) != tuple(v.shape)]
    if bad:
        raise CheckpointError(f"{backbone} does not hold AlexNet's features: {', '.join(bad)} missing or misshapen")
    network.net.load_state_dict(loaded)
    return network.eval()


def _alexnet_features(backbone: Path) -> dict[str, torch.Tensor]:
    """Tensors by torchvision's names, read without running code of the file."""
    import torch

    try:
        if backbone.suffix == ".npz":
            with np.load(backbone, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        return cast("dict[str, torch.Tensor]", torch.load(backbone, map_location="cpu", weights_only=True))
    except Exception as error:
        raise CheckpointError(
            f"{backbone} is not a readable file of AlexNet's features (.npz or .pth): {error}"
        ) from error


@dataclass(frozen=True)
class Metric:
    """One number of two uint8 images [H, W, C], and what it means.

    Attributes:
        name: ``psnr``, ``ssim`` or ``lpips``.
        signature: everything that defines the number; two values compare when their signatures are equal.
        higher_is_better: whether the larger value is the better one.
        lacking: why it cannot be measured at all here; ``None`` when it can.
    """

    name: str
    signature: str
    higher_is_better: bool
    measure: Callable[[Image, Image], float] = field(repr=False, compare=False)
    lacking: str | None = None

    @property
    def backbone(self) -> Path | None:
        """The file that it is measured with, if there is one."""
        return self.measure.keywords.get("backbone") if isinstance(self.measure, partial) else None

    def with_backbone(self, file: Path) -> Metric:
        """The same metric, measured with a copy of its file."""
        return replace(self, measure=partial(lpips, backbone=file))

    def __call__(self, reference: Image, image: Image) -> float:
        """The value; raises :class:`NotMeasured` with the reason where there is none."""
        return self.measure(reference, image)


def metrics_for(
    colour: str,
    border: int,
    names: Iterable[str],
    lpips_weights: Path | str | None = None,
) -> list[Metric]:
    """The metrics of a protocol.

    Args:
        colour: the colour space of PSNR and SSIM: ``grey``, ``y`` or ``rgb``. LPIPS is always on RGB.
        border: pixels shaved for PSNR and SSIM. LPIPS sees the whole image.
        names: among :data:`METRICS`.
        lpips_weights: the file of AlexNet's features; or, as a string, the reason why there is none.

    Returns:
        One metric for each name, in the order given.

    Raises:
        OptionError: a name or the colour is not known.
    """
    if colour not in _COLOUR_SIGNATURE:
        raise OptionError(unknown("colour", colour, _COLOUR_SIGNATURE))
    area = f"colour:{_COLOUR_SIGNATURE[colour]}|border:{border}|range:255|round:uint8"
    measures: dict[str, Callable[[Image, Image], float]] = {
        "psnr": partial(psnr, colour=cast("Colour", colour), border=border),
        "ssim": partial(ssim, colour=cast("Colour", colour), border=border),
    }
    lacking = None
    if isinstance(lpips_weights, Path):
        measures["lpips"] = partial(lpips, backbone=lpips_weights)
    else:
        lacking = f"{LACKING}: {lpips_weights}" if lpips_weights else LACKING
        measures["lpips"] = partial(_refuse, lacking)
    metrics = []
    for name in names:
        if name not in METRICS:
            raise OptionError(unknown("metric", name, METRICS))
        facts = METRICS[name]
        signature = facts.signature.format(area=area)
        metrics.append(
            Metric(name, signature, facts.better == "higher", measures[name], lacking if name == "lpips" else None)
        )
    return metrics


def _refuse(reason: str, reference: Image, image: Image) -> float:
    raise NotMeasured(reason)
