"""The README's picture, made anew: ``python docs/visual_comparison.py [--data-dir DIR]``.

Windows of photographs that scikit-image ships (CC0 or public domain): as networks get them, as the released networks
make them, and as they are, with the PSNR of the whole image by the task's protocol. The window is the one with most
detail, the photograph and the blur kernel are named below: neither is chosen by how it comes out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

import converse
from converse.data.degradations import blur_kernels
from converse.data.images import image_set, read_image
from converse.data.tasks import TASKS, Task
from converse.experiments.evaluation.degraded_input import DegradedInput
from converse.experiments.evaluation.images import restored
from converse.experiments.evaluation.keeping import cut, detailed_window
from converse.metrics import metrics_for

PICTURE = Path(__file__).parent / "images" / "comparison.png"
SIDE = 144
SHOWN = (
    ("denoising", "camera", None, ("DnCNN", "Converse-DnCNN")),
    ("super_resolution", "coffee", None, ("Converse-SRResNet",)),
    ("deblurring", "astronaut", "kernel_2", ("ConverseNet", "Converse-USRNet")),
)
"""Task, photograph, blur kernel, released networks."""

Panel = tuple[str, float | None, np.ndarray]
"""What is shown, its PSNR in dB, the window."""


def main() -> None:
    """Restore and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="a folder with the weights and kernels, or they are downloaded")
    arguments = parser.parse_args()
    _draw([(TASKS[name], _panels(TASKS[name], *one, arguments.data_dir)) for name, *one in SHOWN])


def _panels(task: Task, name: str, case: str | None, networks: tuple[str, ...], data_dir: Path | None) -> list[Panel]:
    file = next(one for one in image_set("skimage_test").images if one.name.startswith(name))
    image = read_image(file.path, task.colour)
    kernel = None if case is None else blur_kernels(data_dir)[case]
    (psnr,) = metrics_for(task.psnr_colour, task.border, ["psnr"])
    made = [(task.given, DegradedInput(task.scale))]
    made += [(network, converse.load_released(network, data_dir)) for network in networks]
    panels: list[Panel] = []
    for title, network in made:
        sample, output = restored(network, task, image, kernel)
        window = detailed_window(sample.target, SIDE, multiple=task.multiple)
        panels.append((title, psnr(sample.target, output), cut(output, window)))
    return [*panels, ("original", None, cut(sample.target, window))]


def _draw(rows: list[tuple[Task, list[Panel]]]) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    columns = max(len(panels) for _, panels in rows)
    figure, axes = plt.subplots(len(rows), columns, figsize=(2 * columns, 2.3 * len(rows)), layout="constrained")
    for axis in axes.flat:
        axis.set_axis_off()
    for places, (task, panels) in zip(axes, rows, strict=True):
        # The original stands in the last column, however many networks there are.
        for axis, (title, psnr, window) in zip([*places[: len(panels) - 1], places[-1]], panels, strict=True):
            axis.imshow(window.squeeze(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axis.set_title(title if psnr is None else f"{title}\n{psnr:.2f} dB", fontsize=9)
        places[0].set_title(f"{task.title}\n{places[0].get_title()}", fontsize=9)
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
