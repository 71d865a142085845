"""Carry out one trial: train it, or go on where it was; measure what is not measured; whatever happens is recorded."""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Set
from functools import partial
from typing import Any

from torch import nn

from converse.data.batches import Batches
from converse.data.images import ImageFile, read_image
from converse.data.training_images import training_images
from converse.errors import ConverseError, DataError, OptionError, StoreError
from converse.experiments.devices import OUT_OF_MEMORY, is_out_of_memory, release_memory
from converse.experiments.evaluation.degraded_input import DegradedInput
from converse.experiments.evaluation.images import ImageJob, evaluate, keys, parameter_row, restored, settled
from converse.experiments.evaluation.keeping import Keeper
from converse.experiments.evaluation.unmeasured import unmeasured
from converse.experiments.provenance import provenance
from converse.experiments.running.jobs import Job
from converse.experiments.running.outcomes import Outcome, counted, earlier
from converse.experiments.running.torch_settings import TorchSettings
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.outputs import Outputs
from converse.experiments.training.checkpoints import Checkpoints
from converse.experiments.training.interruption import STOPPED, Stop
from converse.experiments.training.learner import Learner, initialised
from converse.experiments.training.loop import Diverged, Training
from converse.experiments.trials import DEVICES
from converse.metrics import Image, NotMeasured, averaged, metrics_for
from converse.nn.released import read_released

Report = Callable[[str, int, int, str], None]
"""Told what is being done, how much of it is done, and what comes next: ``("training", 120, 300, "")``,
``("measuring on Set12", 3, 12, "Set12 04.png")``."""


def execute(
    job: Job,
    folder: TrialFolder,
    here: TorchSettings,
    *,
    retry_failed: bool = False,
    stop: Stop | None = None,
    report: Report = lambda what, done, total, upcoming: None,
) -> Outcome:
    """Carry out one trial, or find that it is done.

    Args:
        job: the trial.
        folder: its folder.
        here: how torch is set.
        retry_failed: run a failed trial again.
        stop: asked after each step and each image.
        report: progress.

    Returns:
        What became of it. A trial that diverges, runs out of memory or crashes is failed, with its reason and traceback
        in its folder.

    Raises:
        Busy: another process works on it.
        ConverseError: what the user has to mend; what was finished is kept.
        KeyboardInterrupt: it was stopped; what was finished is kept.
    """
    stop = stop or Stop()
    with folder.lock(wait=False):
        if before := earlier(job, folder, retry_failed=retry_failed):
            return before
        folder.set_status("running")
        here.not_deterministic.clear()  # those of the trial before are not this one's
        try:
            stop.check()
            folder.write_provenance({**provenance(here.device), "not_trained_on": job.not_trained_on})
            model = _network(job, folder, here, stop, report)
            _note_determinism(folder, here)
            if not counted(folder.table().to_pylist()):
                folder.append_rows([parameter_row(model)])
            _measure(job, folder, here, model, stop, report)
            _note_determinism(folder, here)
            folder.finish(unmeasured)
            Checkpoints(folder).clear()
            return Outcome("done", True)
        except (KeyboardInterrupt, ConverseError) as error:
            with contextlib.suppress(StoreError):
                folder.set_status("interrupted", str(error) or STOPPED)
            raise
        except (Exception, SystemExit) as error:  # a user's operator may leave, too
            reason = _reason(error)
            folder.write_failure(reason, traceback.format_exc())
        release_memory()  # the next trial begins with all of it
        return Outcome("failed", True, reason)


def _network(job: Job, folder: TrialFolder, here: TorchSettings, stop: Stop, report: Report) -> nn.Module:
    """The network with its final weights: released, kept, or trained now; or what stands for one, where none is."""
    plan = job.plan
    if job.of_input:
        return DegradedInput(job.task.scale)
    if job.weights is not None and plan.released is not None:
        return read_released(plan.released, job.weights)
    checkpoints = Checkpoints(folder)
    weights = checkpoints.weights()
    if weights is None:
        weights = _train(job, checkpoints, here, stop, report)
        checkpoints.write_weights(weights, plan.training.steps)
    model = job.build()
    model.load_state_dict(weights)
    return model


def _train(job: Job, checkpoints: Checkpoints, here: TorchSettings, stop: Stop, report: Report) -> dict[str, Any]:
    steps, validate = job.plan.training.steps, None if job.validation is None else partial(_validate, job, here)
    curve = checkpoints.folder.journal("curve.jsonl")

    def trained(device: str, share: tuple[int, int]) -> dict[str, Any]:
        learner, batches = _beginning(job, device, share)
        training = Training(learner, batches, checkpoints, curve, validate)
        return training.run(
            lambda done: report("training", done, steps, ""), lambda: stop.asked or checkpoints.folder.lost
        )

    devices = job.trial.platform.get(DEVICES, 1)
    if devices == 1:
        return trained(here.device, (0, 1))
    from converse.experiments.running.crew import together

    with together(partial(_beginning, job), devices, here.device, here.threads, checkpoints.latest()) as device:
        return trained(device, (0, devices))


def _beginning(job: Job, device: str, share: tuple[int, int]) -> tuple[Learner, Batches]:
    """A network at its start, and the batches that it learns from: all of each, or one of several equal parts."""
    plan, settings = job.plan, job.plan.training
    if settings.batch % share[1]:
        raise OptionError(f"--devices {share[1]} divides each batch, and {settings.batch} is no multiple of it")
    seed = plan.seed or 0
    batches = Batches(
        job.task,
        training_images(job.task, job.train, device),
        patch=settings.patch,
        batch=settings.batch,
        seed=seed,
        device=device,
        kernels=job.kernels,
        share=share,
    )
    network = initialised(job.build, seed, settings.start)
    return Learner(network, settings, seed=seed, device=device, shared=share[1] > 1), batches


def _validate(job: Job, here: TorchSettings, model: nn.Module) -> float:
    """Mean PSNR over the validation images, without those that are restored without any error."""
    if job.validation is None:
        raise ValueError("there are no validation images")
    task = job.task
    psnr = metrics_for(task.psnr_colour, task.border, ["psnr"], None)
    measured = evaluate(model, task, job.validation, psnr, kernels=job.kernels, device=here.device)
    values = averaged([float(row["value"]) for rows in measured for row in rows])
    return sum(values) / len(values)


def _measure(job: Job, folder: TrialFolder, here: TorchSettings, model: nn.Module, stop: Stop, report: Report) -> None:
    """Measure what the rows do not have yet, image by image."""
    rows = folder.table().to_pylist()
    left = job.left(rows)
    done, total, settled_keys = 0, sum(len(todo) for _, todo in left), settled(rows, job.metrics)
    keeper = Keeper(job.keeping, Outputs(folder), job.task)
    for images, todo in left:
        what = f"measuring on {images.title}"
        measured = evaluate(
            model,
            job.task,
            images,
            job.metrics,
            kernels=job.kernels,
            device=here.device,
            done=settled_keys,
            keep=partial(_keep, keeper, {one.sha256 for one in job.keeping.images(images)}),
        )
        for image_job in todo:
            upcoming = " ".join(filter(None, (images.title, image_job.case, image_job.image.name)))
            report(what, done, total, upcoming)
            folder.append_rows(next(measured))
            done += 1
            stop.check()
        settled_keys |= keys(todo)
        report(what, done, total, "")
    unkept = job.unkept(folder, folder.table().to_pylist())
    _restore_again(job, here, model, unkept, keeper, stop, report)
    if keeper.note:
        folder.log(keeper.note)


def _keep(keeper: Keeper, chosen: Set[str], image: ImageFile, case: str | None, target: Image, output: Image) -> None:
    if image.sha256 in chosen:
        keeper.keep(image, case, target, output)


def _restore_again(
    job: Job,
    here: TorchSettings,
    model: nn.Module,
    left: list[ImageJob],
    keeper: Keeper,
    stop: Stop,
    report: Report,
) -> None:
    """Restore what was measured without being kept."""
    for done, one in enumerate(left):
        report("restoring again", done, len(left), " ".join(filter(None, (one.case, one.image.name))))
        kernel = None if job.kernels is None or not one.case else job.kernels[one.case]
        with contextlib.suppress(NotMeasured, DataError):  # its row has the reason
            pixels = read_image(one.image.path, job.task.colour)
            sample, output = restored(model, job.task, pixels, kernel, here.device)
            keeper.keep(one.image, one.case, sample.target, output)
        stop.check()
    if left:
        report("restoring again", len(left), len(left), "")


def _note_determinism(folder: TrialFolder, here: TorchSettings) -> None:
    """Add to the provenance what turned out not to be deterministic on this device."""
    noted = folder.read_json("provenance.json") or {}
    if noted.get("not_deterministic") == sorted(here.not_deterministic):
        return
    folder.write_json("provenance.json", {**noted, "not_deterministic": sorted(here.not_deterministic)})


def _reason(error: Exception | SystemExit) -> str:
    first = (str(error).strip().splitlines() or [""])[0]
    if is_out_of_memory(error):
        return f"{OUT_OF_MEMORY}: {first}"
    if isinstance(error, Diverged):
        return first
    return f"{type(error).__name__}: {first}".removesuffix(": ")
