"""Everything that a trial does with a network, done once in small before training: for users' operators.

A step of the optimiser, a training state that is kept and restored, an evaluation. What cannot work is refused before
hours go into the other entries; what works and is seldom meant is said. What can be seen of an operator by itself is
seen and said as the contract does (:mod:`converse.nn.contract.observations`), here at its place in the network.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Final

import torch
from torch import Tensor, nn

from converse.errors import CheckpointError, ConverseError, OptionError
from converse.experiments.devices import is_out_of_memory
from converse.experiments.running.estimates import random_batch
from converse.experiments.running.jobs import Job
from converse.experiments.suites.user_operators import operator_builder, operator_file, place_in
from converse.experiments.training.checkpoints import Snapshot, pack, unpack
from converse.experiments.training.learner import Learner, initialised
from converse.nn.contract.observations import (
    changed_input,
    kept_memory,
    mixed_batch,
    no_gradient,
    not_finite,
    two_results,
    wrong_shape,
)
from converse.nn.models import create_model

SAMPLES: Final = 2
"""In a batch: enough to see whether they mix."""


@dataclass
class _Seen:
    """What an operator was given and gave in a step of training."""

    module: nn.Module
    given: Tensor
    changed: str | None
    cut_off: str | None


def rehearse(job: Job, device: str) -> tuple[str, ...]:
    """Try the network of a trial.

    Args:
        job: a trial whose operator is a user's.
        device: where it will be trained.

    Returns:
        What the operator does that is seldom meant, one sentence each.

    Raises:
        OptionError: the network cannot be built, trained, kept or evaluated: names entry, operator and reason.
    """
    entry, operator = job.plan.entry, PurePath(job.plan.operator or "").name
    try:
        sentences = dict.fromkeys(_rehearse(job, device, operator))
    except ConverseError as error:
        raise OptionError(f"entry {entry!r}: {error}") from error
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return ()  # of the trial that is a result
        raise
    return tuple(f"entry {entry!r}: operator {operator!r} {sentence}" for sentence in sentences)


def _rehearse(job: Job, device: str, operator: str) -> Iterator[str]:
    settings = job.plan.training.model_copy(update={"compile": False})  # which would take a minute
    seed, made = job.plan.seed or 0, list[nn.Module]()
    explained = partial(_explained, file=operator_file(job.plan.operator or ""))
    batch = random_batch(job.task, device, SAMPLES, settings.patch)
    size = "×".join(map(str, batch.input.shape[-2:]))

    def learner() -> Learner:
        made.clear()
        with explained(f"operator {operator!r} cannot be built"):
            network = initialised(lambda: _network(job, made), seed, settings.start)
            return Learner(network, settings, seed=seed, device=device)

    first = learner()
    training = f"operator {operator!r} fails in a step of training on {size} pixels"
    with explained(training), _watching(made, operator) as seen:
        first.step(0, batch)
    for use in seen:
        if use.cut_off:
            yield use.cut_off

    with explained(f"operator {operator!r} cannot be kept in a checkpoint"):
        kept = pack(first.snapshot(1))
    again = learner()
    with explained(f"operator {operator!r} cannot be restored from what was kept of it"):
        again.restore(_read(kept))
    if pack(again.snapshot(1)) != kept:
        yield "is another one after it was kept and restored: training that is stopped does not continue to the bit"

    model = again.shown.eval()
    inputs = [getattr(batch, name)[:1] for name in model.inputs]  # type: ignore[union-attr]
    with torch.inference_mode(), explained(f"operator {operator!r} fails in evaluation on {size} pixels"):
        model(*inputs)
        for use in {tuple(use.given.shape): use for use in seen}.values():
            yield from _evaluated(use, operator)


def _network(job: Job, made: list[nn.Module]) -> nn.Module:
    """The network, its operators noted as they are made."""
    make = operator_builder(job.plan.operator or "")

    def noting(*arguments: Any, **options: Any) -> nn.Module:
        operator = make(*arguments, **options)
        if isinstance(operator, nn.Module):  # torch refuses all else
            made.append(operator)
        return operator

    return create_model(job.plan.model, noting, **job.plan.options)


@contextlib.contextmanager
def _watching(operators: list[nn.Module], name: str) -> Iterator[list[_Seen]]:
    """Look at what operators are given and give; refuse another shape where it arises."""
    given: dict[nn.Module, Tensor] = {}
    seen: list[_Seen] = []

    def before(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        given[module] = arguments[0].detach().clone()

    def after(module: nn.Module, arguments: tuple[Tensor, ...], output: object) -> None:
        before = given.pop(module)
        _check_shape(name, before, output)
        assert isinstance(output, Tensor)
        seen.append(_Seen(module, before, changed_input(before, arguments[0].detach()), no_gradient(output)))

    with contextlib.ExitStack() as stack:
        for operator in operators:
            stack.enter_context(operator.register_forward_pre_hook(before))
            stack.enter_context(operator.register_forward_hook(after))
        yield seen


def _evaluated(seen: _Seen, name: str) -> Iterator[str]:
    """What an operator does in evaluation, as it was given things in training."""
    operator, given = seen.module.eval(), seen.given
    mine = given.clone()
    once = operator(mine)
    _check_shape(name, given, once)
    if wrong := seen.changed or changed_input(given, mine):
        yield wrong
    if wrong := (
        not_finite(once)
        or two_results(operator(given.clone()), once)
        or mixed_batch(once[:1], operator(given[:1].clone()))
    ):
        yield wrong
    if wrong := kept_memory(lambda: operator(given.clone())):
        yield wrong


def _check_shape(name: str, given: Tensor, output: object) -> None:
    if wrong := wrong_shape(given, output):
        raise OptionError(f"operator {name!r} {wrong}")


def _read(kept: bytes) -> Snapshot:
    with tempfile.TemporaryDirectory(prefix="converse-") as folder:
        path = Path(folder) / "step.safetensors"
        path.write_bytes(kept)
        return unpack(path)


@contextlib.contextmanager
def _explained(what: str, file: Path | None) -> Iterator[None]:
    """Say of whatever the user's code raises what was being done, and which line of the user's file raised it."""
    try:
        yield
    except CheckpointError as error:
        raise OptionError(f"{what}: {error}") from error
    except ConverseError:
        raise
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            raise
        first = next(iter(str(error).strip().splitlines()), "")
        at = place_in(error, file) if file else None
        sentence = f"{what}: {type(error).__name__}: {first}".removesuffix(": ")
        raise OptionError(f"{sentence}; at {at}" if at else sentence) from error
