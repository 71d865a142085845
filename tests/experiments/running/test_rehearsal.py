"""Operators with one property each. Oracle: the property, which is written into the operator."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import pytest

from converse.data.images import image_set
from converse.errors import OptionError
from converse.experiments.running.jobs import Job, trained_trial
from converse.experiments.running.rehearsal import rehearse
from converse.experiments.suites.suite import load_suite

OPERATORS = """
import torch
from torch import nn


class Plain(nn.Conv2d):
    def __init__(self, channels, kernel_size, scale=1, padding_mode="circular", **options):
        super().__init__(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.calls = 0

    def forward(self, x):
        self.calls += self.training
        return self.after(super().forward(self.before(x)), x)

    def before(self, x):
        return x

    def after(self, y, x):
        return y


class Tied(Plain):
    def __init__(self, channels, kernel_size, **options):
        super().__init__(channels, kernel_size)
        self.twin = nn.Conv2d(channels, channels, kernel_size, padding=kernel_size // 2, groups=channels)
        self.twin.weight = self.weight

    def after(self, y, x):
        return y + self.twin(x)


class Spectral(Plain):
    def __init__(self, channels, kernel_size, **options):
        super().__init__(channels, kernel_size)
        self.gain = nn.Parameter(torch.ones(channels, 1, 1, dtype=torch.complex64))

    def after(self, y, x):
        return torch.fft.irfft2(torch.fft.rfft2(y) * self.gain, s=y.shape[-2:])


class Remembers(Plain):
    def get_extra_state(self):
        return {"calls": self.calls, "gain": torch.ones(2)}

    def set_extra_state(self, state):
        self.calls = state["calls"]


class Forgets(Remembers):
    def set_extra_state(self, state):
        pass


class KeepsCode(Plain):
    def get_extra_state(self):
        return {"how": lambda: 1}


class KeepsSparse(Plain):
    def __init__(self, channels, kernel_size, **options):
        super().__init__(channels, kernel_size)
        self.register_buffer("mask", torch.eye(2).to_sparse())


class GrowsABuffer(Plain):
    def after(self, y, x):
        if not hasattr(self, "seen"):
            self.register_buffer("seen", torch.ones(1))
        return y


class Narrow(Plain):
    def after(self, y, x):
        return y[..., :-1]


class Pair(Plain):
    def after(self, y, x):
        return y, x


class SquareOnlyInTraining(Plain):
    def after(self, y, x):
        return y if self.training else y[:, :, 1:]


class Detached(Plain):
    def after(self, y, x):
        return y.detach()


class Mixes(Plain):
    def after(self, y, x):
        return y - x.mean(0, keepdim=True)


class Random(Plain):
    def after(self, y, x):
        return y + 0.05 * torch.rand(())


class InPlace(Plain):
    def before(self, x):
        x += 1
        return x


class Collects(Plain):
    def after(self, y, x):
        self.seen = [*getattr(self, "seen", ()), y.detach()]
        return y


class NotFiniteLater(Plain):
    def after(self, y, x):
        return y if self.training else y * float("nan")


class Breaks(Plain):
    def after(self, y, x):
        raise LookupError("nowhere to be found\\nand more")


class BreaksLater(Plain):
    def after(self, y, x):
        if not self.training:
            raise LookupError("nowhere to be found")
        return y


class Greedy(Plain):
    def after(self, y, x):
        return torch.empty(10**15)


class Leaves(Plain):
    def after(self, y, x):
        raise SystemExit(3)


class Normalises(Plain):  # over the batch, in training alone
    def __init__(self, channels, kernel_size, **options):
        super().__init__(channels, kernel_size)
        self.norm = nn.BatchNorm2d(channels)

    def after(self, y, x):
        return self.norm(y)


class Drops(Plain):
    def after(self, y, x):
        return nn.functional.dropout(y, training=self.training)


def factory(channels, kernel_size, **options):
    return nn.Sequential(Plain(channels, kernel_size))
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("operators") / "mine.py"
    path.write_text(OPERATORS)
    return path


@cache
def registered() -> Job:
    (plan,) = load_suite("denoising").resolve("smoke", seeds=[0], only=["Conv-DnCNN"])
    train = (image_set("skimage_train"),)
    return Job(plan, trained_trial(plan, train, "cpu", 1), train, None, train, ())


def job(file: Path, name: str, **training: object) -> Job:
    like = registered()
    settings = like.plan.training.model_copy(update={"patch": 12, **training})
    plan = dataclasses.replace(like.plan, operator=f"{file}:{name}", training=settings)
    return dataclasses.replace(like, plan=plan)


@pytest.mark.parametrize("name", ["Plain", "Tied", "Spectral", "Remembers", "Normalises", "Drops", "factory", "Greedy"])
@pytest.mark.parametrize("training", [{}, {"ema": 0.9, "clip": 1.0}], ids=["plain", "ema"])
def test_what_works_is_passed_without_a_word(file: Path, name: str, training: dict[str, object]) -> None:
    assert rehearse(job(file, name, **training), "cpu") == ()  # what needs too much memory is a trial's result


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Detached", "gives no gradient"),
        ("Mixes", "mixes the batch: a sample's result depends on the others"),
        ("Random", "gives two results for one input: two evaluations differ"),
        ("InPlace", "changes its input"),
        ("Collects", r"keeps memory: each call holds 9,216 bytes more"),
        ("NotFiniteLater", "gives values that are not finite in evaluation"),
        ("Forgets", "is another one after it was kept and restored"),
    ],
)
def test_what_is_seldom_meant_is_said(file: Path, name: str, says: str) -> None:
    (sentence,) = rehearse(job(file, name), "cpu")
    assert sentence.startswith(f"entry 'Conv-DnCNN': operator 'mine.py:{name}' {says}")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Narrow", r"must map \[2, 8, 12, 12\] to \[2, 8, 12, 12\], got \[2, 8, 12, 11\]"),
        ("SquareOnlyInTraining", r"must map \[2, 8, 12, 12\] to \[2, 8, 12, 12\], got \[2, 8, 11, 12\]"),
        ("Pair", "must give a tensor, got tuple"),
        (
            "Breaks",
            r"fails in a step of training on 12×12 pixels: LookupError: nowhere to be found; "
            r"at mine.py, line \d+ \(raise LookupError\(.*\)\)$",
        ),
        ("BreaksLater", "fails in evaluation on 12×12 pixels: LookupError: nowhere to be found"),
        ("Leaves", "fails in a step of training on 12×12 pixels: SystemExit: 3"),
        ("KeepsCode", r"cannot be kept in a checkpoint: .*get_extra_state\(\) gives a builtins.function"),
        ("KeepsSparse", "cannot be kept in a checkpoint: .*mask is a torch.sparse_coo tensor"),
        ("GrowsABuffer", "cannot be restored from what was kept of it: .*Unexpected key"),
    ],
)
def test_what_cannot_work_is_refused(file: Path, name: str, says: str) -> None:
    with pytest.raises(OptionError, match=f"(?s)^entry 'Conv-DnCNN': operator 'mine.py:{name}' {says}"):
        rehearse(job(file, name), "cpu")
