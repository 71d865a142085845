"""The three tasks of the paper, in its order: what is known of each before any image is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from converse.errors import OptionError, unknown

TaskName = Literal["denoising", "super_resolution", "deblurring"]


@dataclass(frozen=True)
class Task:
    """What is done to a clean image, and how its restorations are measured.

    Attributes:
        name: the key in `TASKS`.
        title: as a heading has it.
        channels: 1 or 3, of input and output.
        colour: how images are read.
        scale: output side over input side.
        noise_level: standard deviation of the noise, of 255.
        border: pixels that PSNR leaves out on each side.
        psnr_colour: what PSNR is taken on: grey, the Y of YCbCr, or all of RGB.
        multiple: the sides of the image are cropped so that this divides them.
        given: what the image is called that a network is given, where it stands beside what networks make of it;
            where the network enlarges, it is enlarged by bicubic interpolation.
        cases: names of blur kernels, one column of the paper's table each; empty where nothing is blurred.
        noise_levels: at which test images are measured beside `noise_level` (:mod:`converse.data.noise_levels`); empty
            unless somebody asks for some.
    """

    name: str
    title: str
    channels: int
    colour: Literal["grey", "colour"]
    scale: int
    noise_level: float
    border: int
    psnr_colour: Literal["grey", "y", "rgb"]
    multiple: int
    given: str
    cases: tuple[str, ...] = ()
    noise_levels: tuple[float, ...] = ()


KERNEL: Final = "kernel_"
"""What stands before the number of a blur kernel in its case."""

TASKS: Final[Mapping[str, Task]] = {
    task.name: task
    for task in (
        Task("denoising", "Denoising", 1, "grey", 1, 25.0, 0, "grey", 1, "Noisy input"),
        Task("super_resolution", "Super-resolution ×4", 3, "colour", 4, 0.0, 4, "y", 4, "Bicubic input"),
        Task(
            "deblurring",
            "Deblurring",
            3,
            "colour",
            1,
            2.55,
            1,
            "rgb",
            8,
            "Blurred input",
            tuple(f"{KERNEL}{i}" for i in (1, 2, 3, 4, 5)),
        ),
    )
}

GIVEN: Final = frozenset(task.given for task in TASKS.values())
"""What the inputs of networks are called."""


def task(name: str) -> Task:
    """The task of that name; capitals and hyphens are forgiven.

    Args:
        name: for example ``denoising`` or ``super-resolution``.

    Raises:
        OptionError: there is none.
    """
    try:
        return TASKS[name.lower().replace("-", "_")]
    except KeyError:
        raise OptionError(unknown("task", name, TASKS)) from None
