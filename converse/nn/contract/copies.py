"""Checks of what is kept of an operator: its state, its copies, and the seed that it starts from."""

from __future__ import annotations

import copy
import io
import pickle

import torch
from torch import Tensor, nn

from converse.nn.contract.observations import REPEATED, by, close, equal
from converse.nn.contract.subject import Defect, Subject, evaluated, perturb, pulled


def seeded_start(subject: Subject) -> str:
    """Two that are built after the same ``torch.manual_seed``, and one after another."""
    x = subject.input()
    one, other = (_by_torchs_seed(subject, 11) for _ in range(2))
    for name, tensor in _tensors(one).items():
        if not equal(tensor, _tensors(other)[name]):
            raise Defect(f"two that are built from one seed differ in {name}")
    if not close(evaluated(one, x), evaluated(other, x), REPEATED):
        raise Defect(
            f"two that are built from one seed give different results{by(evaluated(one, x), evaluated(other, x))}"
        )
    return "one seed makes one operator"


def state_dict(subject: Subject) -> str:
    """The state of one after its calls, loaded into another before its first."""
    x = subject.input()
    one, other = subject.make(seed=0), subject.make(seed=1)
    pulled(one, x)
    expected = evaluated(one, x)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    try:
        other.load_state_dict(torch.load(file, weights_only=True))
    except RuntimeError as error:
        raise Defect(f"a state of one does not fit another: {_said(error)}") from error
    _same(evaluated(other, x), expected, "another one with the state loaded")
    return f"{len(one.state_dict())} entries make another one equal"


def deepcopy(subject: Subject) -> str:
    """A copy after a step of training, which is changed then."""
    x = subject.input()
    one = subject.make()
    pulled(one, x)
    try:
        twin = copy.deepcopy(one)
    except Exception as error:
        raise Defect(f"cannot be copied after a step of training: {type(error).__name__}: {_said(error)}") from error
    expected = evaluated(one, x)
    _same(evaluated(twin, x), expected, "a copy")
    perturb(twin)
    moved = evaluated(twin, x)
    if not close(evaluated(one, x), expected, REPEATED):
        raise Defect("a change of the copy's parameters changes the first one")
    perturb(one)
    if not close(moved, evaluated(one, x), REPEATED):
        raise Defect("a change of the copy's parameters does not show: it computes with those of the first one")
    return "a copy is equal, and its own"


def pickled(subject: Subject) -> str:
    """A round trip through ``pickle``, as processes send operators to each other."""
    x = subject.input()
    one = subject.make()
    pulled(one, x)
    try:
        other = pickle.loads(pickle.dumps(one))
    except Exception as error:
        raise Defect(f"{type(error).__name__}: {_said(error)}") from error
    _same(evaluated(other, x), evaluated(one, x), "what comes back")
    return "what comes back is equal"


def _by_torchs_seed(subject: Subject, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return subject.built()


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _same(result: Tensor, expected: Tensor, what: str) -> None:
    if not close(result, expected, REPEATED):
        raise Defect(f"{what} gives another result{by(result, expected)}")


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
