"""Operators with one planted defect each, and sound ones of many kinds; `PLANTED` says which check names which."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Plain(nn.Module):
    """A depthwise convolution with what the contract asks for; the others change one thing of it."""

    def __init__(
        self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular", **options: Any
    ) -> None:
        super().__init__()
        if scale != 1:
            raise ValueError(f"scale must be 1, got {scale}")
        self.mode = "constant" if padding_mode == "zero" else padding_mode
        self.reach = (kernel_size // 2, (kernel_size - 1) // 2) * 2
        self.conv = nn.Conv2d(channels, channels, kernel_size, groups=channels)

    def convolved(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, self.reach, self.mode))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Any:
        return self.convolved(x)


# --- sound ones


class Normalises(Plain):
    """Over the batch, in training alone."""

    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolved(x))  # type: ignore[no-any-return]


class Drops(Plain):
    """In training alone."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.convolved(x), 0.2, self.training)


class StartsAtZero(Plain):
    """A gate that is closed at first: neither the input nor the kernel has a gradient then."""

    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.gate = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.gate * F.gelu(self.convolved(x))


class GlobalFilter(nn.Module):
    """A complex gain per frequency, interpolated to the size of the input."""

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        super().__init__()
        if (scale, padding_mode) != (1, "circular"):
            raise ValueError("one scale, and circular padding, are what a global filter has")
        self.gain = nn.Parameter(torch.randn(1, channels, 8, 5, 2) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        parts = [
            F.interpolate(part, (height, width // 2 + 1), mode="bilinear", align_corners=True)
            for part in self.gain.to(x.dtype).unbind(-1)
        ]
        filtered: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * torch.complex(*parts), s=(height, width))
        return x + filtered


class ChannelAttention(Plain):
    """Each channel as a mixture of all, by their similarity over pixels."""

    def forward(self, x: Tensor) -> Tensor:
        features = self.convolved(x).flatten(2)
        keys = F.normalize(features, dim=-1)
        mixed = (keys @ keys.mT).softmax(-1) @ features
        return mixed.reshape(x.shape)


class Shuffles(nn.Module):
    """Enlarges by any scale: s² maps per channel."""

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        super().__init__()
        self.inner = Plain(channels, kernel_size, 1, padding_mode)
        self.widen = nn.Conv2d(channels, channels * scale**2, 1, groups=channels)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.widen(self.inner(x)), self.scale)


class EnlargesOnly(Shuffles):
    """Has no scale 1."""

    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        if scale != 2:
            raise ValueError(f"scale must be 2, got {scale}")
        super().__init__(channels, kernel_size, scale, padding_mode)


class KeepsTables(Plain):
    """A window by size, dtype and device, made so that training may use it after an evaluation."""

    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.tables: dict[Any, Tensor] = {}

    def forward(self, x: Tensor) -> Tensor:
        key = (x.shape[-1], x.dtype, x.device)
        if key not in self.tables or type(x) is not Tensor:
            with torch.inference_mode(False):
                table = torch.linspace(0.5, 1.5, x.shape[-1], dtype=x.dtype, device=x.device)
            if type(x) is not Tensor:
                return self.convolved(x) * table
            self.tables[key] = table
        return self.convolved(x) * self.tables[key]


def made_by_a_function(channels: int, kernel_size: int, **options: Any) -> nn.Module:
    return nn.Sequential(Plain(channels, kernel_size, **options), nn.GELU())


SOUND: tuple[Callable[..., nn.Module], ...] = (
    Plain,
    Normalises,
    Drops,
    StartsAtZero,
    GlobalFilter,
    ChannelAttention,
    Shuffles,
    KeepsTables,
    made_by_a_function,
)


# --- planted defects


class NoModule:
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        self.channels = channels

    def __call__(self, x: Tensor) -> Tensor:
        return x


class NoForward(Plain):
    forward = nn.Module.forward


class Bare(nn.Module):
    def __init__(self) -> None:
        super().__init__()


class BreaksWhenBuilt(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        raise LookupError("no such table")


class BreaksInTheFourthCall(Plain):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 4:
            raise LookupError("no such table")
        return self.convolved(x)


class LeavesInTheThirdCall(Plain):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 3:
            os._exit(0)
        return self.convolved(x)


class HangsInTheThirdCall(Plain):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == 3:
            time.sleep(3600)
        return self.convolved(x)


class HangsOnLargeOnes(Plain):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 200:
            time.sleep(3600)
        return self.convolved(x)


class Narrow(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x)[..., :-1]


class Pair(Plain):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.convolved(x), x


class NarrowInEvaluation(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) if self.training else self.convolved(x)[..., :-1]


class LosesAColumnWhenEnlarged(Shuffles):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : 1 - self.scale or None]


class OddOnesOnlyAtScale1(Shuffles):
    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y if self.scale == 1 or x.shape[-1] % 2 == 0 else y[..., 1:]


class SqueezesTheBatch(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x).squeeze(0)


class ReflectsTooFar(Plain):
    def __init__(self, channels: int, kernel_size: int, scale: int = 1, padding_mode: str = "circular") -> None:
        super().__init__(channels, kernel_size, scale, padding_mode)
        if padding_mode == "reflect":
            self.reach = (kernel_size // 2,) * 3 + (kernel_size,)


class SquareOnly(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x.mT)


class EvenOnly(Plain):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] % 2:
            raise ValueError("the width must be even")
        return self.convolved(x)


class SmallOnly(Plain):
    def forward(self, x: Tensor) -> Tensor:
        if max(x.shape[-2:]) > 64:
            raise ValueError("at most 64×64")
        return self.convolved(x)


class Views(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x.view(x.shape[0], -1).view(x.shape))


class ReadsMemory(Plain):
    """Takes the values as they lie, whatever the strides say."""

    def forward(self, x: Tensor) -> Tensor:
        _, c, h, w = x.shape
        return self.convolved(x.as_strided(x.shape, (c * h * w, h * w, w, 1)))


class AlwaysSingle(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x).float()


class MakesSingles(Plain):
    """A constant in float32, which a product of matrices does not accept beside float64."""

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) @ torch.eye(x.shape[-1], device=x.device)


class MakesConstantsOnTheCpu(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) * torch.linspace(0.5, 1.5, x.shape[-1], dtype=x.dtype)


class HidesAConstant(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.window = torch.full((1, channels, 1, 1), 2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) * self.window


class Cancels(Plain):
    """What bfloat16 cannot hold."""

    def forward(self, x: Tensor) -> Tensor:
        return (self.convolved(x) + 1000.0) - 1000.0


class NoHalf(Plain):
    def forward(self, x: Tensor) -> Tensor:
        y = self.convolved(x)
        if y.dtype == torch.bfloat16:
            raise NotImplementedError("no bfloat16")
        return y


class DividesByTheNorm(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x / x.flatten(1).norm(dim=1)[:, None, None, None])


class Overflows(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x).exp()


class NotFiniteLater(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) * (1.0 if self.training else float("nan"))


class RootOfNothing(Plain):
    """Finite values whose gradient is not."""

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) + (x - x).abs().sqrt()


class Detached(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x).detach()


class DetachesItsInput(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x.detach())


class Rounds(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved((8 * x).round() / 8)


class UnusedParameter(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.gain = nn.Parameter(torch.ones(channels))


class TimesNothing(UnusedParameter):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) + 0 * self.gain[:, None, None]


class _Doubled(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


class WrongBackward(Plain):
    def forward(self, x: Tensor) -> Tensor:
        doubled: Tensor = _Doubled.apply(self.convolved(x))
        return doubled


class SingleInside(Plain):
    """float64 outside, float32 inside."""

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x.float().to(x.dtype))


class Random(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) + 0.05 * torch.rand((), dtype=x.dtype, device=x.device)


class DropsAlways(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.convolved(x), 0.1)


class RandomByNumpy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) * float(1 + 0.01 * np.random.rand())  # noqa: NPY002


class MixesTheBatch(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x) - x.mean(dim=0, keepdim=True)


class NormalisesAlways(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.norm = nn.BatchNorm2d(channels, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.convolved(x))  # type: ignore[no-any-return]


class Counts(Plain):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += not self.training
        return self.convolved(x) * (1 + 0.01 * self.calls)


class RemembersTheLast(Plain):
    last: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolved(x)
        if self.training:
            return y
        level = y.detach().mean().item()
        before, self.last = self.last, y.new_tensor(level)
        return y if before is None else y + 0.1 * before


class InPlace(Plain):
    def forward(self, x: Tensor) -> Tensor:
        x += 1
        return self.convolved(x)


class InPlaceInEvaluation(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x if self.training else x.add_(1).sub(1))


class KeepsItsKernel(Plain):
    """In evaluation it computes the kernel once."""

    kernel: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.kernel = None
            return self.convolved(x)
        if self.kernel is None or self.kernel.dtype != x.dtype:
            self.kernel = self.conv.weight.detach().clone()
        return F.conv2d(F.pad(x, self.reach, self.mode), self.kernel, self.conv.bias, groups=x.shape[1])


class KeepsAWindow(Plain):
    """One that is made in evaluation, where autograd may not use it."""

    window: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if type(x) is not Tensor:
            return self.convolved(x)
        if self.window is None or self.window.shape[-1] != x.shape[-1] or self.window.dtype != x.dtype:
            self.window = torch.linspace(0.5, 1.5, x.shape[-1], dtype=x.dtype)
        return self.convolved(x) * self.window


class StartsByNumpy(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        with torch.no_grad():
            self.conv.weight.copy_(torch.from_numpy(np.random.randn(*self.conv.weight.shape)))  # noqa: NPY002


class StartsByChance(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.gain = nn.Parameter(torch.full((1, channels, 1, 1), 1 + random.random()))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * self.convolved(x)


class HidesANumber(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.gain = 1 + float(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * self.convolved(x)


class HidesALayer(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.layers = [nn.Conv2d(channels, channels, 1)]

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(self.layers[0].to(x.dtype)(x))


class GrowsABuffer(Plain):
    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "seen"):
            self.register_buffer("seen", torch.ones(1))
        return self.convolved(x)


class KeepsItsOutput(Plain):
    def forward(self, x: Tensor) -> Tensor:
        self.last = self.convolved(x)
        return self.last


class ComputesWithTheFirst(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.how: Callable[[Tensor], Tensor] = lambda x: self.convolved(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.how(x)


class KeepsALambda(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.activation: Callable[[Tensor], Tensor] = lambda x: x.relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.convolved(x))


class Seeds(Plain):
    def forward(self, x: Tensor) -> Tensor:
        torch.manual_seed(0)
        return self.convolved(x)


class SeedsNumpyWhenBuilt(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        np.random.seed(0)  # noqa: NPY002


class SetsThreads(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        torch.set_num_threads(torch.get_num_threads() + 1)


class SetsTheEnvironment(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        os.environ["CONVERSE_PLANTED"] = str(len(os.environ.get("CONVERSE_PLANTED", "")) * "1" + "1")


class Collects(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolved(x)
        if type(x) is Tensor:
            self.seen.append(y.detach())
        return y


class CollectsLosses(Plain):
    """Numbers with their graphs; only in training."""

    seen: ClassVar[list[Tensor]] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolved(x)
        if self.training and type(x) is Tensor:
            type(self).seen.append(y.square().mean())
        return y


class CollectsArrays(Plain):
    seen: ClassVar[list[Any]] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolved(x)
        type(self).seen.append(np.zeros(4000))
        return y


class Talks(Plain):
    def __init__(self, channels: int, kernel_size: int, **options: Any) -> None:
        super().__init__(channels, kernel_size, **options)
        print("hello from the operator")


class TalksLater(Plain):
    def forward(self, x: Tensor) -> Tensor:
        print(f"shape {list(x.shape)}\x1b[2J")
        return self.convolved(x)


class BranchesOnValues(Plain):
    """Sound, but for torch, which cannot follow it without values."""

    def forward(self, x: Tensor) -> Tensor:
        return self.convolved(x if float(x.detach().abs().max()) > 0 else x + 0)


PLANTED: dict[str, set[str]] = {
    "NoModule": {"construction"},
    "NoForward": {"construction"},
    "Bare": {"construction"},
    "BreaksWhenBuilt": {"construction"},
    "BreaksInTheFourthCall": {"returns"},
    "Narrow": {"shape"},
    "Pair": {"shape"},
    "NarrowInEvaluation": {"shape"},
    "LosesAColumnWhenEnlarged": {"scales"},
    "ReflectsTooFar": {"padding modes"},
    "SquareOnly": {"sizes"},
    "EvenOnly": {"sizes"},
    "SmallOnly": {"sizes"},
    "OddOnesOnlyAtScale1": {"sizes"},
    "SqueezesTheBatch": {"sizes"},
    "Views": {"layouts"},
    "ReadsMemory": {"layouts"},
    "AlwaysSingle": {"dtypes"},
    "MakesSingles": {"dtypes"},
    "MakesConstantsOnTheCpu": {"device"},
    "HidesAConstant": {"device"},
    "Cancels": {"autocast"},
    "NoHalf": {"autocast"},
    "DividesByTheNorm": {"finite"},
    "Overflows": {"finite"},
    "NotFiniteLater": {"finite"},
    "RootOfNothing": {"finite"},
    "Detached": {"gradients"},
    "DetachesItsInput": {"gradients"},
    "Rounds": {"gradients"},
    "UnusedParameter": {"gradients"},
    "TimesNothing": {"gradients"},
    "WrongBackward": {"gradcheck"},
    "SingleInside": {"gradcheck"},
    "Random": {"determinism"},
    "DropsAlways": {"determinism"},
    "RandomByNumpy": {"determinism"},
    "MixesTheBatch": {"batch independence"},
    "NormalisesAlways": {"batch independence"},
    "Counts": {"no state between calls"},
    "RemembersTheLast": {"no state between calls"},
    "InPlace": {"input kept"},
    "InPlaceInEvaluation": {"input kept"},
    "KeepsItsKernel": {"follows parameters"},
    "KeepsAWindow": {"training after evaluation"},
    "StartsByNumpy": {"seeded start"},
    "StartsByChance": {"seeded start"},
    "HidesANumber": {"state_dict"},
    "HidesALayer": {"state_dict", "device"},
    "GrowsABuffer": {"state_dict"},
    "KeepsItsOutput": {"deepcopy"},
    "ComputesWithTheFirst": {"deepcopy", "pickle"},
    "KeepsALambda": {"pickle"},
    "Seeds": {"settings"},
    "SeedsNumpyWhenBuilt": {"settings"},
    "SetsThreads": {"settings"},
    "SetsTheEnvironment": {"settings"},
    "Collects": {"memory"},
    "CollectsLosses": {"memory"},
    "CollectsArrays": {"memory"},
    "Talks": {"quiet"},
    "TalksLater": {"quiet"},
}
"""Class → the checks that fail, and no others do."""
