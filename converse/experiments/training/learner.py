"""What one step of training does: a network with its optimiser on Lightning Fabric, and its state as a snapshot.

In the order in which a trial meets them: first values (`initialised`), the optimiser (`make_optimiser`), and in each
step the learning rate (`learning_rate`) and the step itself (`Learner.step`). `loop` says how steps, points of a curve
and checkpoints follow each other, `checkpoints` how what `Learner.snapshot` gives is kept.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable
from typing import Any, Final

import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from converse.data.batches import Batch
from converse.data.streams import torch_seed
from converse.errors import CheckpointError, OptionError
from converse.experiments.devices import seed_generator
from converse.experiments.suites.plans import Precision, TrainingSettings
from converse.experiments.training.checkpoints import Snapshot
from converse.experiments.training.together import averaged_loss, averaging, with_common_norms
from converse.nn.starts import Start, reset

LOSSES: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {"l1": F.l1_loss, "l2": F.mse_loss}
_OF_FABRIC: Final[dict[Precision, Any]] = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


def initialised(build: Callable[[], nn.Module], seed: int, start: Start = "torch") -> nn.Module:
    """Build a network and draw its parameters.

    Each module that owns parameters is reset under a seed that its name decides, so its values depend neither on the
    layers before it nor on their number. The state of torch's generator is left as it was.

    Args:
        build: makes the network, on the CPU.
        seed: of the stream ``initialisation``.
        start: what layers start as, see :func:`converse.nn.starts.reset`.

    Returns:
        The network. Modules that own parameters and have no ``reset_parameters()`` keep what they were built with,
        which the seed decides too.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(torch_seed(seed, "initialisation", ""))
        model = build()
        for name, module in model.named_modules():
            if next(module.parameters(recurse=False), None) is not None:
                torch.default_generator.manual_seed(torch_seed(seed, "initialisation", name))
                reset(module, start)
    return model


def make_fabric(device: str, precision: Precision) -> Fabric:
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
    return Fabric(accelerator=kind, devices=devices, precision=_OF_FABRIC[precision])


def make_optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Adam or AdamW over all parameters, of which few decay (:func:`decayed`).

    The fused kind: one call for all parameters, where the usual one takes longer than a small network's step. With
    fp16 the gradients have to be unscaled before they are clipped, which the fused kind does by itself and too late. It
    knows no complex parameters either, and no frozen ones of whole numbers.
    """
    kind = torch.optim.AdamW if settings.optimiser == "adamw" else torch.optim.Adam
    real = all(parameter.is_floating_point() for parameter in model.parameters())
    falling = {id(parameter) for parameter in decayed(model)} if settings.weight_decay else set()
    groups: list[dict[str, Any]] = [
        {"params": [one for one in model.parameters() if (id(one) in falling) == decays], "weight_decay": decay}
        for decays, decay in ((True, settings.weight_decay), (False, 0.0))
    ]
    return kind(
        [group for group in groups if group["params"]],
        lr=settings.lr,
        betas=settings.betas,
        fused=settings.precision != "fp16" and real,
    )


def decayed(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that weight decay makes smaller: weights of convolutions and linear layers that mix channels.

    Not λ, norms and biases, and not the kernels of operators: a decay that one twin's kernels have and the other's have
    not would be a difference of the comparison. What a user's own module owns does not decay either.
    """
    mixing: list[Any] = [module for module in model.modules() if isinstance(module, _ConvNd | nn.Linear)]
    return [module.weight for module in mixing if getattr(module, "groups", 1) == 1]


def learning_rate(settings: TrainingSettings, step: int) -> float:
    """The learning rate as a pure function of the step: a schedule has no state to save.

    During the warm-up it rises linearly and reaches `lr` with its last step. Then it is constant; or times `gamma` from
    each milestone on; or it falls by half a cosine, from `lr` to `final_lr` at the last step.

    Args:
        settings: of the trial.
        step: from 0 to `steps` - 1.

    Returns:
        A rate > 0, or `final_lr`.
    """
    if step < settings.warmup:
        return settings.lr * (step + 1) / settings.warmup
    if settings.schedule == "step":
        return settings.lr * settings.gamma ** bisect.bisect_right(settings.milestones, step)
    if settings.schedule == "cosine":
        whole = max(settings.steps - 1 - settings.warmup, 1)
        falling = (1 + math.cos(math.pi * (step - settings.warmup) / whole)) / 2
        return settings.final_lr + (settings.lr - settings.final_lr) * falling
    return settings.lr


class Learner:
    """A network that learns, one step at a time.

    Args:
        model: freshly initialised, on the CPU; it is moved to the device.
        settings: of the trial.
        seed: for what layers draw.
        device: where it learns.
        shared: whether it learns together with others (:mod:`.together`), each from its part of every batch.
    """

    def __init__(
        self, model: nn.Module, settings: TrainingSettings, *, seed: int, device: str, shared: bool = False
    ) -> None:
        self.settings, self.seed, self.device, self.shared = settings, seed, device, shared
        self.fabric = make_fabric(device, settings.precision)
        self.model = (with_common_norms(model, device) if shared else model).to(device).train()
        self.ema = None
        if settings.ema:
            average: Any = get_ema_multi_avg_fn(settings.ema)
            self.ema = AveragedModel(self.model, multi_avg_fn=average, use_buffers=True)
        self.optimiser = make_optimiser(self.model, settings)
        compiled: Any = torch.compile(self.model) if settings.compile else self.model
        if shared:
            compiled = averaging(compiled, device)
        self._network, self._stepper = self.fabric.setup(compiled, self.optimiser)
        self._inputs: tuple[str, ...] = model.inputs  # type: ignore[assignment]
        self._criterion = LOSSES[settings.loss]

    @property
    def shown(self) -> nn.Module:
        """What is evaluated: the network, or the running mean of its weights."""
        return self.model if self.ema is None else self.ema.module

    def step(self, step: int, batch: Batch) -> Tensor:
        """Step number `step` of the optimiser, from 0.

        Returns:
            The loss, 0-dimensional, on the device: nobody has waited for it.
        """
        seed_generator(self.device, torch_seed(self.seed, "layers", step))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.settings, step)
        output = self._network(*(getattr(batch, name) for name in self._inputs))
        loss = self._criterion(output, batch.target)
        self.fabric.backward(loss)
        if clip := self.settings.clip:
            # To be told of a gradient that is not finite would mean to wait for the device in each step.
            self.fabric.clip_gradients(self._network, self._stepper, max_norm=clip, error_if_nonfinite=False)
        self._stepper.step()
        self._stepper.zero_grad()
        if self.ema is not None:
            self.ema.update_parameters(self.model)
        return averaged_loss(loss) if self.shared else loss.detach()

    def snapshot(self, done: int) -> Snapshot:
        """All that the next steps depend on.

        Args:
            done: steps that were done.
        """
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.ema is not None:
            tensors |= {f"ema.{name}": value for name, value in self.ema.state_dict().items()}
        for index, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{index}.{name}": value for name, value in state.items()}
        return Snapshot(done, tensors, {"precision": self.fabric.strategy.precision.state_dict()})

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from a snapshot.

        Raises:
            CheckpointError: it is another network's.
        """
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
                f"the training state of step {snapshot.step} does not fit the network: {error}"
            ) from error
