"""One training loop, on Lightning Fabric, that can be stopped at any step and continued to the bit.

All that decides step t is in the checkpoint or a pure function of (seed, t): the batch, the learning rate, what layers
draw. Losses stay on the device until they are looked at, so that a GPU is not waited for in each step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from converse.data.batches import Batch, Batches
from converse.data.streams import torch_seed
from converse.errors import CheckpointError, OptionError
from converse.experiments.checkpoints import Checkpoints, Snapshot
from converse.experiments.files import Journal
from converse.experiments.interruption import STOPPED, Stopped
from converse.experiments.schedule import learning_rate
from converse.experiments.settings import TrainingSettings

LOOK_EVERY: Final = 50
"""Steps after which losses are fetched from the device, to see whether they are finite."""

LOSSES: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {"l1": F.l1_loss, "l2": F.mse_loss}
_PRECISIONS: Final[dict[str, Any]] = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


class Diverged(Exception):
    """The loss is not a number any more."""


def make_fabric(device: str, precision: str) -> Fabric:
    """Lightning Fabric on one device.

    Args:
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        precision: ``32``, ``bf16``, ``fp16``.

    Raises:
        OptionError: the device cannot do that precision.
    """
    kind, _, index = device.partition(":")
    if precision == "fp16" and kind != "cuda":
        raise OptionError(f"precision fp16 needs a CUDA device, got {device!r}: use 32 or bf16")
    devices: Any = [int(index or 0)] if kind == "cuda" else 1
    return Fabric(accelerator=kind, devices=devices, precision=_PRECISIONS[precision])


def make_optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam or AdamW over all parameters.

    The fused kind: one call for all parameters, where the usual one takes longer than a small network's step. With
    fp16 the gradients have to be unscaled before they are clipped, which the fused kind does by itself and too late.
    """
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    return kind(
        model.parameters(),
        lr=settings.lr,
        betas=settings.betas,
        weight_decay=settings.weight_decay,
        fused=settings.precision != "fp16",
    )


class Training:
    """The training of one network.

    Args:
        model: freshly initialised, on the CPU.
        batches: batch t for each step t.
        settings: of the trial.
        seed: for what layers draw.
        device: where it trains.
        checkpoints: where its states are kept.
        curve: the journal of the training curve.
        validate: gives a value for the curve; called with the network in evaluation mode.
    """

    def __init__(
        self,
        model: nn.Module,
        batches: Batches,
        settings: TrainingSettings,
        *,
        seed: int,
        device: str,
        checkpoints: Checkpoints,
        curve: Journal,
        validate: Callable[[nn.Module], float] | None = None,
    ) -> None:
        self.settings, self.batches, self.seed, self.device = settings, batches, seed, device
        self.checkpoints, self.curve, self.validate = checkpoints, curve, validate
        self.fabric = make_fabric(device, settings.precision)
        self.model = model.to(device).train()
        self.ema = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(settings.ema), use_buffers=True)
            if settings.ema
            else None
        )
        self.optimiser = make_optimiser(self.model, settings)
        compiled: Any = torch.compile(self.model) if settings.compile else self.model
        self._network, self._stepper = self.fabric.setup(compiled, self.optimiser)
        self._inputs: tuple[str, ...] = model.inputs  # type: ignore[assignment]
        self._criterion = LOSSES[settings.loss]
        self._losses: list[Tensor] = []  # of steps since the last point of the curve; 0-dimensional, on the device
        self._seen = 0  # how many of them are known to be finite

    def run(
        self, report: Callable[[int], None] = lambda done: None, stopping: Callable[[], bool] = lambda: False
    ) -> dict[str, Tensor]:
        """Train from the newest checkpoint to the last step.

        Args:
            report: told the number of steps done, after each.
            stopping: asked after each step.

        Returns:
            The weights, or their running mean where the settings ask for one.

        Raises:
            Diverged: the loss became NaN or infinite.
            Stopped: `stopping` said so, and a checkpoint was written.
            StoreError: a checkpoint or the curve could not be written.
        """
        settings, steps = self.settings, self.settings.steps
        start = self._restore()
        with contextlib.closing(self._stream(start)) as stream, _own_random_numbers(self.device):
            for step, batch in zip(range(start, steps), stream, strict=True):
                self.step(step, batch)
                done = step + 1
                if done % LOOK_EVERY == 0:
                    self._look(done)
                if done == steps or (settings.validate_every and done % settings.validate_every == 0):
                    self._draw_point(done)
                stop = done < steps and stopping()
                if stop or (settings.checkpoint_every and done % settings.checkpoint_every == 0 and done < steps):
                    self._look(done)
                    self.checkpoints.write(self._snapshot(done))
                report(done)
                if stop:
                    raise Stopped(f"{STOPPED} at step {done}")
        return self.weights()

    def step(self, step: int, batch: Batch) -> None:
        """One step of the optimiser."""
        _seed_layers(self.device, torch_seed(self.seed, "layers", step))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, step)
        output = self._network(*(getattr(batch, name) for name in self._inputs))
        loss = self._criterion(output, batch.target)
        self.fabric.backward(loss)
        if self.settings.clip:
            # To be told of a gradient that is not finite would mean to wait for the device in each step.
            self.fabric.clip_gradients(
                self._network, self._stepper, max_norm=self.settings.clip, error_if_nonfinite=False
            )
        self._stepper.step()
        self._stepper.zero_grad()
        if self.ema is not None:
            self.ema.update_parameters(self.model)
        self._losses.append(loss.detach())

    def weights(self) -> dict[str, Tensor]:
        """What is evaluated: copies on the CPU of the parameters and buffers, or of their running mean."""
        shown = self.model if self.ema is None else self.ema.module
        return {name: value.detach().cpu().clone() for name, value in shown.state_dict().items()}

    def _stream(self, start: int) -> Iterator[Batch]:
        """The batches from `start` on; for a GPU the CPU draws the next one meanwhile."""
        steps = range(start, self.settings.steps)
        if self.device == "cpu":
            yield from map(self.batches, steps)
            return
        with ThreadPoolExecutor(1, "converse-batches") as pool:
            coming = pool.submit(self.batches.draw, start)
            for step in steps:
                draw = coming.result()
                coming = pool.submit(self.batches.draw, step + 1)
                yield self.batches.assemble(draw)

    def _look(self, done: int) -> list[float]:
        """Fetch the losses since the last point of the curve; refuse those that are not finite."""
        losses = torch.stack(self._losses).float().cpu() if self._losses else torch.zeros(0)
        wrong = (~losses[self._seen :].isfinite()).nonzero()
        if len(wrong):
            index = self._seen + int(wrong[0])
            value = "NaN" if losses[index].isnan() else "infinite"
            raise Diverged(f"loss became {value} at step {done - len(losses) + index + 1}")
        self._seen = len(losses)
        return losses.tolist()

    def _draw_point(self, done: int) -> None:
        losses = self._look(done)
        point = {
            "step": done,
            "loss": sum(losses) / len(losses) if losses else None,
            "lr": learning_rate(self.settings, done - 1),
        }
        if self.validate is not None:
            shown = self.model if self.ema is None else self.ema.module
            point["psnr"] = self.validate(shown.eval())
            self.model.train()
        self.curve.append([point])
        self._losses, self._seen = [], 0

    def _snapshot(self, done: int) -> Snapshot:
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.ema is not None:
            tensors |= {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
        if self._losses:
            tensors["losses"] = torch.stack(self._losses)
        return Snapshot(done, tensors, {"precision": self.fabric.strategy.precision.state_dict()})

    def _restore(self) -> int:
        """Go back to the newest checkpoint, or to the start; returns the number of steps done."""
        snapshot = self.checkpoints.latest()
        if snapshot is not None:
            self._load(snapshot)
        done = 0 if snapshot is None else snapshot.step
        if done:
            self.checkpoints.folder.log(f"continues after step {done}")
        points = self.curve.read()
        kept = [point for point in points if point["step"] <= done]
        if len(kept) < len(points):
            self.curve.rewrite(kept)
        return done

    def _load(self, snapshot: Snapshot) -> None:
        try:
            self.model.load_state_dict(snapshot.part("model."))
            if self.ema is not None:
                self.ema.load_state_dict(snapshot.part("ema."))
            states: dict[int, dict[str, Tensor]] = {}
            for name, value in snapshot.part("optimiser.").items():
                index, _, key = name.partition(".")
                states.setdefault(int(index), {})[key] = value
            groups = self.optimiser.state_dict()["param_groups"]
            self.optimiser.load_state_dict({"state": states, "param_groups": groups})
            self.fabric.strategy.precision.load_state_dict(snapshot.notes["precision"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointError(
                f"the checkpoint of step {snapshot.step} in {self.checkpoints.folder.path} does not fit the network: "
                f"{error}"
            ) from error
        self._losses = list(snapshot.tensors.get("losses", torch.zeros(0)).to(self.device))
        self._seen = len(self._losses)


def _seed_layers(device: str, seed: int) -> None:
    # torch.manual_seed would also note a stack trace for each device that is not in use.
    torch.default_generator.manual_seed(seed)
    if device != "cpu":
        getattr(torch, device.partition(":")[0]).manual_seed(seed)


@contextlib.contextmanager
def _own_random_numbers(device: str) -> Iterator[None]:
    """Leave the state of torch's generators as it was."""
    kind = device.partition(":")[0]
    with torch.random.fork_rng(enabled=True, device_type=kind) if kind != "cpu" else torch.random.fork_rng(devices=[]):
        yield
