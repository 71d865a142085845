"""What the loop around the steps does: it can be stopped at any step and continued to the bit.

Read first `Training.run`, then `learner` for what a step does, and `checkpoints` for what is kept between two runs.
All that decides step t is in the checkpoint or a pure function of (seed, t): the batch, the learning rate, what layers
draw. Losses stay on the device until they are looked at, so that a GPU is not waited for in each step.
"""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import torch
from torch import Tensor, nn

from converse.data.batches import Batch, Batches
from converse.experiments.devices import generators_put_back
from converse.experiments.store.files import Journal
from converse.experiments.training.checkpoints import Checkpoints, Snapshot
from converse.experiments.training.interruption import STOPPED, Stopped
from converse.experiments.training.learner import Learner, learning_rate

LOOK_EVERY: Final = 50
"""Steps after which losses are fetched from the device, to see whether they are finite."""

CURVE_POINTS: Final = 100
"""Points of the loss over a whole training, evenly: enough to see whether it still falls at the end."""

CURVE_OCTAVE: Final = 8
"""Further points while the steps double: enough to see, in a training of any length, where its loss stood still."""


class Diverged(Exception):
    """The loss is not a number any more."""


class Training:
    """The training of one network.

    Args:
        learner: at its start.
        batches: batch t for each step t.
        checkpoints: where its states are kept.
        curve: the journal of the training curve.
        validate: gives a value for the curve; called with the network in evaluation mode.
    """

    def __init__(
        self,
        learner: Learner,
        batches: Batches,
        checkpoints: Checkpoints,
        curve: Journal,
        validate: Callable[[nn.Module], float] | None = None,
    ) -> None:
        self.learner, self.batches = learner, batches
        self.checkpoints, self.curve, self.validate = checkpoints, curve, validate
        self.settings = learner.settings
        self._losses: list[Tensor] = []  # of steps since the last point of the curve; 0-dimensional, on the device
        self._seen = 0  # how many of them are known to be finite

    def run(
        self, report: Callable[[int], None] = lambda done: None, stopping: Callable[[], bool] = lambda: False
    ) -> dict[str, Any]:
        """Train from the newest checkpoint to the last step.

        Args:
            report: told the number of steps done, after each.
            stopping: asked after each step.

        Returns:
            The weights, or their running mean where the settings ask for one, on the CPU; and what ``get_extra_state``
            gives.

        Raises:
            Diverged: the loss became NaN or infinite.
            Stopped: `stopping` said so, and a checkpoint was written.
            StoreError: a checkpoint or the curve could not be written.
        """
        steps, every, kept = self.settings.steps, self.settings.checkpoint_every, curve_steps(self.settings.steps)
        start = self._restore()
        with contextlib.closing(self._stream(start)) as stream, generators_put_back(self.learner.device):
            for step, batch in zip(range(start, steps), stream, strict=True):
                self._losses.append(self.learner.step(step, batch))
                done = step + 1
                if done % LOOK_EVERY == 0:
                    self._look(done)
                validated = done == steps or _falls_on(done, self.settings.validate_every)
                if validated or done in kept:
                    self._draw_point(done, self.validate if validated else None)
                stop = done < steps and stopping()
                if done < steps and (stop or _falls_on(done, every)):
                    self._look(done)
                    self.checkpoints.write(self._snapshot(done))
                report(done)
                if stop:
                    raise Stopped(f"{STOPPED} after step {done}")
        return {name: _kept(value) for name, value in self.learner.shown.state_dict().items()}

    def _stream(self, start: int) -> Generator[Batch]:
        """The batches from `start` on; for a GPU the CPU draws the next one meanwhile."""
        steps = range(start, self.settings.steps)
        if self.learner.device == "cpu":
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
            raise Diverged(f"the loss became {value} in step {done - len(losses) + index + 1}")
        self._seen = len(losses)
        return losses.tolist()

    def _draw_point(self, done: int, validate: Callable[[nn.Module], float] | None) -> None:
        losses = self._look(done)
        point = {
            "step": done,
            "loss": sum(losses) / len(losses) if losses else None,
            "lr": learning_rate(self.settings, done - 1),
        }
        if validate is not None:
            point["psnr"] = validate(self.learner.shown.eval())
            self.learner.model.train()
        self.curve.append([point])
        self._losses, self._seen = [], 0

    def _snapshot(self, done: int) -> Snapshot:
        snapshot = self.learner.snapshot(done)
        if self._losses:
            snapshot.tensors["losses"] = torch.stack(self._losses)
        return snapshot

    def _restore(self) -> int:
        """Go back to the newest checkpoint, or to the start; returns the number of steps done."""
        snapshot = self.checkpoints.latest()
        if snapshot is not None:
            self.learner.restore(snapshot)
            self._losses = list(snapshot.tensors.get("losses", torch.zeros(0)).to(self.learner.device))
            self._seen = len(self._losses)
            self.checkpoints.folder.log(f"continues after step {snapshot.step}")
        done = 0 if snapshot is None else snapshot.step
        points = self.curve.read()
        kept = [point for point in points if point["step"] <= done]
        if len(kept) < len(points):
            self.curve.rewrite(kept)
        return done


def curve_steps(steps: int) -> frozenset[int]:
    """The steps of a training of so many after which its loss is kept, beside those of the validation."""
    between = math.ceil(steps / CURVE_POINTS)
    doubling = (round(2 ** (index / CURVE_OCTAVE)) for index in range(CURVE_OCTAVE * steps.bit_length()))
    return frozenset({*range(between, steps + 1, between), *(step for step in doubling if step <= steps), steps})


def _kept(value: Any) -> Any:
    return value.detach().cpu().clone() if isinstance(value, Tensor) else copy.deepcopy(value)


def _falls_on(done: int, every: int) -> bool:
    return every > 0 and done % every == 0
