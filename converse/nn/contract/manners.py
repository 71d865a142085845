"""Checks of what an operator does beside its result: to the process, to memory, and to standard output."""

from __future__ import annotations

import contextlib
import io
import os
import random
from typing import Any

import numpy as np
import torch

from converse.nn.contract.observations import kept_memory
from converse.nn.contract.subject import Defect, Subject, evaluated, pulled, seeded
from converse.plain_text import visible


def quiet(subject: Subject) -> str:
    """What it writes to standard output while it is imported, built, trained and evaluated."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        module, x = subject.make(), subject.input()
        pulled(module, x)
        evaluated(module, x)
    if text := (subject.printed + said.getvalue()).strip():
        first = visible(text.splitlines()[0])
        raise Defect(f'prints "{first[:60]}"')
    return "nothing on standard output"


def leaves_settings(subject: Subject) -> str:
    """Settings and random numbers of the process before and after."""
    before, environment = _settings(), set(os.environ.items())
    try:
        module, x = subject.make(), subject.input()
        pulled(module, x)
        evaluated(module, x)
        after = _settings()
    finally:
        torch.set_default_dtype(before["the default dtype"])
        torch.set_num_threads(before["the number of threads"])
        torch.set_grad_enabled(before["whether gradients are computed"])
    if changed := [f"{name} from {before[name]} to {after[name]}" for name in before if before[name] != after[name]]:
        raise Defect(f"changes {', '.join(changed)}")
    if variables := sorted(name for name, _ in environment ^ set(os.environ.items())):
        raise Defect(f"changes variables of the environment: {', '.join(dict.fromkeys(variables))}")
    for name, ends in _after_seeds(subject).items():
        if ends[0] == ends[1]:
            raise Defect(f"seeds the random numbers of {name}: whatever is drawn after it is the same every time")
    return "settings and seeds of the process are as they were"


def memory(subject: Subject) -> str:
    """What is alive after many calls, in training and in evaluation."""
    x = subject.input()
    for words, call in (("training", pulled), ("evaluation", evaluated)):
        module = subject.make()
        if wrong := kept_memory(lambda module=module, call=call: call(module, x)):  # type: ignore[misc]
            raise Defect(f"{wrong} (in {words})")
    return "no call keeps more than the one before"


def _settings() -> dict[str, Any]:
    return {
        "the default dtype": torch.get_default_dtype(),
        "the number of threads": torch.get_num_threads(),
        "whether gradients are computed": torch.is_grad_enabled(),
        "whether algorithms are deterministic": torch.are_deterministic_algorithms_enabled(),
        "the precision of matrix products": torch.get_float32_matmul_precision(),
        "cuDNN's benchmark": torch.backends.cudnn.benchmark,
        "cuDNN's TF32": torch.backends.cudnn.allow_tf32,
        "the working folder": os.getcwd(),  # noqa: PTH109 (a string, to be shown)
    }


def _after_seeds(subject: Subject) -> dict[str, list[str]]:
    """Where each generator stands after the same calls from two seeds."""
    ends: dict[str, list[str]] = {"torch": [], "NumPy": [], "Python": []}
    for seed in (21, 22):
        with seeded(seed):
            module = subject.built()
            module.train()(subject.input())
            with torch.no_grad():
                module.eval()(subject.input())
            ends["torch"].append(str(torch.rand(4).tolist()))
            ends["NumPy"].append(str(np.random.rand(4).tolist()))  # noqa: NPY002
            ends["Python"].append(str(random.random()))
    return ends
