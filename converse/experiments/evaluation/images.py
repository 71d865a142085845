"""Per-image rows: degrade, restore, measure, one image at a time.

What cannot be measured becomes a row with the reason, and the next image is taken.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from converse.data.degradations import Sample, degrade
from converse.data.images import ImageFile, ImageSet, read_image
from converse.data.noise_levels import cases_of, in_case, level_of
from converse.data.tasks import Task
from converse.errors import ConverseError, DataError
from converse.experiments.devices import OUT_OF_MEMORY, is_out_of_memory, synchronise
from converse.experiments.store.rows import Row, row_key
from converse.metrics import LACKING, PARAMETERS, Image, Metric, NotMeasured, to_uint8

if TYPE_CHECKING:
    import torch

Key = tuple[Any, ...]
Kernels = Mapping[str, npt.NDArray[np.float64]]
Keep = Callable[[ImageFile, str | None, Image, Image], None]
"""Given an image, the case, the clean image and the output, each [H, W, C] uint8."""

NOT_FINITE = "output is not finite"
UNREADABLE = "unreadable"

_MAY_PASS = (OUT_OF_MEMORY, UNREADABLE, LACKING)


@dataclass(frozen=True)
class ImageJob:
    """One image in one case, with the metrics that it still lacks."""

    image: ImageFile
    case: str | None
    metrics: tuple[Metric, ...]


def key(case: str | None, image: ImageFile, metric: Metric) -> Key:
    """What makes two rows of a trial the same measurement, whatever the folder is called in which the image lies.

    :data:`converse.experiments.store.rows.ROW_KEY` without the dataset.
    """
    return (case, image.sha256, image.name, metric.name, metric.signature)


def settled(rows: Iterable[Row], metrics: Sequence[Metric]) -> set[Key]:
    """The keys of rows that another evaluation would only repeat.

    A row without a value is measured again when the cause may have gone: the metric lacked a file that is here now, the
    image could not be read, or the memory did not suffice.

    Args:
        rows: rows of one trial.
        metrics: those that are about to be measured.

    Returns:
        Keys as :func:`key` makes them.
    """
    lacking = {metric.signature for metric in metrics if metric.lacking is not None}
    keys_of_rows = set()
    for row in rows:
        measured = _none(row["value"]) is not None
        if measured or row["signature"] in lacking or not str(row["reason"]).startswith(_MAY_PASS):
            keys_of_rows.add(tuple(map(_none, row_key(row)[1:])))
    return keys_of_rows


def image_jobs(
    task: Task, images: ImageSet, metrics: Sequence[Metric], done: AbstractSet[Key] = frozenset()
) -> list[ImageJob]:
    """What is left to do, image by image within each case.

    Args:
        task: whose cases are the blur kernels, or noise levels.
        images: in the order in which they are taken.
        metrics: all that are wanted.
        done: keys that are not measured again.

    Returns:
        The jobs that lack at least one metric.
    """
    every = (
        ImageJob(image, case, tuple(m for m in metrics if key(case, image, m) not in done))
        for case in cases_of(task)
        for image in images.images
    )
    return [job for job in every if job.metrics]


def keys(todo: Iterable[ImageJob]) -> set[Key]:
    """What :func:`settled` will say of these jobs once they are done."""
    return {key(job.case, job.image, metric) for job in todo for metric in job.metrics}


def evaluate(
    model: torch.nn.Module,
    task: Task,
    images: ImageSet,
    metrics: Sequence[Metric],
    *,
    kernels: Kernels | None = None,
    device: str = "cpu",
    done: AbstractSet[Key] = frozenset(),
    keep: Keep | None = None,
) -> Iterator[list[Row]]:
    """Restore and measure the images, one at a time, in evaluation mode and inference mode.

    Args:
        model: called with the fields of the sample that its ``inputs`` names; it is moved to the device.
        task: how images are degraded.
        images: what is restored.
        metrics: what is measured on the uint8 output.
        kernels: the blur kernels of a task with cases, by case.
        device: where the network runs.
        done: keys that are not measured again (:func:`settled`).
        keep: given each output that is finite, before its rows are; none at further noise levels.

    Yields:
        The rows of one image in one case, all its missing metrics together, without the columns that
        :meth:`TrialFolder.append_rows` fills in; ``seconds`` is the time of the forward pass.
    """
    import torch

    model = model.to(device).eval()
    for job in image_jobs(task, images, metrics, done):
        with torch.inference_mode():
            measured = _measure(
                model,
                in_case(task, job.case),
                job,
                None if kernels is None or not job.case else kernels[job.case],
                device,
                keep if level_of(job.case) is None else None,
            )
        yield [
            {
                "dataset": images.name,
                "case": job.case,
                "image": job.image.name,
                "image_sha256": job.image.sha256,
                "metric": metric.name,
                "signature": metric.signature,
                "device": device,
                **outcome,
            }
            for metric, outcome in zip(job.metrics, measured, strict=True)
        ]


def restored(
    model: torch.nn.Module,
    task: Task,
    image: Image,
    kernel: npt.NDArray[np.float64] | None = None,
    device: str = "cpu",
) -> tuple[Sample, Image]:
    """Degrade and restore one image, as :func:`evaluate` does.

    Args:
        model: called with the fields of the sample that its ``inputs`` names; it is moved to the device.
        task: how the image is degraded.
        image: [H, W, C] uint8.
        kernel: the blur kernel of a task with cases.
        device: where the network runs.

    Returns:
        What the network got, and its output, [H, W, C] uint8.

    Raises:
        NotMeasured: the network does not take the image, the memory does not suffice, or the output is not finite.
        DataError: the image is too small for the task.
    """
    import torch

    model = model.to(device).eval()
    with torch.inference_mode():
        sample = degrade(task, image, kernel)
        output, _ = _restore(model, sample, device)
    if not torch.isfinite(output).all():
        raise NotMeasured(NOT_FINITE)
    return sample, to_uint8(output)


def parameter_row(model: torch.nn.Module) -> Row:
    """The row that says how many numbers the network learns; it belongs to no image."""
    from converse.nn.models import parameter_count

    count = parameter_count(model)
    return {"metric": PARAMETERS, "signature": f"{PARAMETERS}|of:all-tensors", "value": float(count)}


def _measure(
    model: torch.nn.Module,
    task: Task,
    job: ImageJob,
    kernel: npt.NDArray[np.float64] | None,
    device: str,
    keep: Keep | None,
) -> list[Row]:
    """Value, reason and seconds of each of the job's metrics."""
    import torch

    try:
        image = read_image(job.image.path, task.colour)
    except DataError as error:
        return [_without(f"{UNREADABLE}: {error}")] * len(job.metrics)
    try:
        sample = degrade(task, image, kernel)
        output, seconds = _restore(model, sample, device)
    except (NotMeasured, ConverseError) as error:  # too small for the degradation or the network, or no memory
        return [_without(str(error))] * len(job.metrics)
    if not torch.isfinite(output).all():
        return [_without(NOT_FINITE, seconds)] * len(job.metrics)
    restored = to_uint8(output)
    if keep is not None:
        keep(job.image, job.case, sample.target, restored)
    return [_value(metric, sample.target, restored, seconds) for metric in job.metrics]


def _value(metric: Metric, target: Image, restored: Image, seconds: float) -> Row:
    try:
        return {"value": metric(target, restored), "reason": None, "seconds": seconds}
    except (NotMeasured, DataError) as error:  # DataError: the network's output has another size than the image
        return _without(str(error), seconds)


def _without(reason: str, seconds: float | None = None) -> Row:
    return {"value": float("nan"), "reason": reason, "seconds": seconds}


def _restore(model: torch.nn.Module, sample: Sample, device: str) -> tuple[torch.Tensor, float]:
    """The network's output [1, C, H, W] and the seconds that it took, the device's queue emptied before and after."""
    names: tuple[str, ...] = model.inputs  # type: ignore[assignment]
    inputs = [getattr(sample, name).to(device) for name in names]
    height, width = sample.input.shape[-2:]
    try:
        synchronise(device)
        start = time.perf_counter()
        output = model(*inputs)
        synchronise(device)
    except (RuntimeError, ValueError, MemoryError) as error:
        if is_out_of_memory(error):
            raise NotMeasured(f"{OUT_OF_MEMORY} with an input of {height}×{width} pixels") from error
        first = str(error).partition("\n")[0]
        raise NotMeasured(f"the network does not take an input of {height}×{width} pixels: {first}") from error
    return output, time.perf_counter() - start


def _none(value: Any) -> Any:
    """Null as the key has it: a data frame says NaN or NA where a row says None."""
    return None if value is None or value != value else value
