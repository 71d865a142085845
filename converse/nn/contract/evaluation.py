"""Checks of evaluation: that a result follows from the input and the parameters, and from nothing else."""

from __future__ import annotations

import torch

from converse.nn.contract.observations import (
    REPEATED,
    by,
    changed_input,
    close,
    mixed_batch,
    two_results,
)
from converse.nn.contract.subject import Defect, Subject, called, evaluated, perturb, pulled


def deterministic(subject: Subject) -> str:
    """Two operators that were built alike, each called once, random numbers drawn on."""
    x = subject.input()
    one, other = subject.make().eval(), subject.make().eval()
    with torch.no_grad():
        once, again = one(x.clone()), other(x.clone())
    if wrong := two_results(once, again, REPEATED):
        raise Defect(wrong)
    return "two evaluations agree"


def independent(subject: Subject) -> str:
    """Each of three samples by itself, and beside the others."""
    x = subject.input(samples=3)
    together = evaluated(subject.make(), x)
    for index in range(len(x)):
        alone = evaluated(subject.make(), x[index : index + 1])
        if wrong := mixed_batch(together[index : index + 1], alone):
            raise Defect(wrong)
    return "each of 3 samples comes out as it does alone"


def stateless(subject: Subject) -> str:
    """The same input before and after others."""
    module, x = subject.make(), subject.input()
    first = evaluated(module, x)
    evaluated(module, subject.input(seed=5))
    evaluated(module, 3 * subject.input(subject.side + 4, subject.side + 2, samples=1))
    again = evaluated(module, x)
    if not close(again, first, REPEATED):
        raise Defect(f"the same input gives another result after other inputs{by(again, first)}")
    return "the same input gives the same result after others"


def keeps_input(subject: Subject) -> str:
    """The input after a call."""
    x = subject.input()
    for training in (True, False):
        module, given = subject.make().train(training), x.clone()
        if training:
            given = given.requires_grad_() * 1.0  # as a network gives it: no leaf, which torch itself protects
        with torch.set_grad_enabled(training):
            module(given)
        if wrong := changed_input(x, given.detach()):
            raise Defect(f"{wrong}{' (in training)' if training else ''}")
    return "the input is what it was"


def follows_parameters(subject: Subject) -> str:
    """Parameters that change in place after a first evaluation, as they do between two points of a curve."""
    module, fresh, x = subject.make(), subject.make(), subject.input()
    evaluated(module, x)
    perturb(module)
    perturb(fresh)
    if not any(True for _ in module.parameters()):
        return "has no parameters"
    after, expected = evaluated(module, x), evaluated(fresh, x)
    if not close(after, expected):
        raise Defect(f"after its parameters changed it still gives the result of the former ones{by(after, expected)}")
    return "a change of its parameters shows at once"


def trains_after(subject: Subject) -> str:
    """An evaluation in ``inference_mode``, then a step of training."""
    module, x = subject.make().eval(), subject.input()
    with torch.inference_mode():
        called(module, x)
    try:
        after = pulled(module, x)
    except RuntimeError as error:
        if "nference tensor" in str(error):
            raise Defect(f"it uses a tensor again that it made in evaluation: {str(error).splitlines()[0]}") from error
        raise
    expected = pulled(subject.make(), x)
    one, other = after.output.detach(), expected.output.detach()
    if not close(one, other):
        raise Defect(f"a step of training gives another result after an evaluation than before it{by(one, other)}")
    return "trains after an evaluation as before it"
