"""Checks of the numbers that an operator gives: precision, device, autocast, and that they are numbers."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn

from converse.nn.contract.observations import not_finite
from converse.nn.contract.subject import Defect, NotTried, Subject, called, evaluated, pulled

AS_FLOAT64: Final = 1e-3
"""Of the largest value: float32 beside float64. Inverses amplify rounding, and none of the paper's by so much."""

AS_FLOAT32: Final = 0.1
"""Of the size of all values: bfloat16 beside float32, whose 8 digits are 0.4 %."""

INPUT_SCALES: Final = (1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3)


def dtypes(subject: Subject) -> str:
    """float32 and float64."""
    module, x = subject.make(), subject.input()
    single = evaluated(module, x)
    if single.dtype != torch.float32:
        raise Defect(f"float32 gives {_name(single.dtype)}")
    double = evaluated(subject.make().double(), x.double())
    if double.dtype != torch.float64:
        raise Defect(f"float64 gives {_name(double.dtype)}")
    if not single.isfinite().all():
        raise NotTried("its float32 is not finite")
    error = float((single.double() - double).abs().max() / double.abs().max().clamp(min=1e-30))
    if error > AS_FLOAT64:
        raise Defect(f"float32 and float64 differ by {error:.1g} of the largest value")
    return f"float32 and float64, which differ by {error:.0e} of the largest value"


def device(subject: Subject) -> str:
    """A GPU that need not be there: torch follows devices without computing."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    module, x = subject.make(), subject.input()
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    try:
        with FakeTensorMode(allow_non_fake_inputs=True) as fake, torch.no_grad():
            moved = {name: fake.from_tensor(tensor).to("cuda") for name, tensor in tensors.items()}
            out: object = torch.func.functional_call(module.eval(), moved, (fake.from_tensor(x).to("cuda"),))
    except Exception as error:
        said = next(iter(str(error).strip().splitlines()), "")
        if isinstance(error, RuntimeError) and ("devices" in said or "same device" in said):
            raise Defect(f"beside an input on a GPU it uses tensors of the CPU: {said}") from error
        raise NotTried(
            f"could not be followed without a GPU ({type(error).__name__}); --cuda tries it on one"
        ) from error
    if isinstance(out, Tensor) and out.device.type != "cuda":
        raise Defect(f"an input on a GPU gives an output on {out.device.type}")
    return "stays on the device of its input"


def autocast(subject: Subject) -> str:
    """A step of training in bfloat16, as ``precision = "bf16"`` does it."""
    x = subject.input()
    exact = pulled(subject.make(), x)
    with torch.autocast("cpu", torch.bfloat16):
        cast = pulled(subject.make(), x)
    if not cast.output.is_floating_point():
        raise Defect(f"gives {_name(cast.output.dtype)}")
    values, expected = cast.output.detach().float(), exact.output.detach().float()
    if not expected.isfinite().all():
        raise NotTried("without autocast its values are not finite")
    if not values.isfinite().all():
        raise Defect("gives values that are not finite")
    error = float((values - expected).norm() / expected.norm().clamp(min=1e-30))
    if error > AS_FLOAT32:
        raise Defect(f"differs by {100 * error:.0f} % from what it computes in float32")
    return f"{_name(cast.output.dtype)}, {100 * error:.1g} % from float32"


def finite(subject: Subject) -> str:
    """Dim, ordinary and glaring inputs, and an input of zeros."""
    module, x = subject.make(), subject.input()
    for scale in (0.0, *INPUT_SCALES):
        what = f"input of size {scale:g}" if scale else "input of zeros"
        if wrong := not_finite(evaluated(module, scale * x)):
            raise Defect(f"{wrong} (an {what})")
        if not scale:
            continue
        seen = pulled(module, scale * x)
        if not seen.output.isfinite().all():
            raise Defect(f"gives values that are not finite in training (an {what})")
        gradients = {"the input": seen.input, **seen.parameters}
        for name, gradient in gradients.items():
            if gradient is not None and not gradient.isfinite().all():
                raise Defect(f"the gradient of {name} is not finite (an {what})")
    return f"inputs of zeros, and of size {INPUT_SCALES[0]:g} to {INPUT_SCALES[-1]:g}"


def widened(module: nn.Module) -> nn.Module:
    """The module in float64, complex parameters in complex128."""

    def wide(tensor: Tensor) -> Tensor:
        if tensor.is_complex():
            return tensor.to(torch.complex128)
        return tensor.double() if tensor.is_floating_point() else tensor

    module._apply(wide)
    return module


def on(module: nn.Module, x: Tensor, where: str) -> Tensor:
    """The output of evaluation on a device, back on the CPU."""
    module.to(where).eval()
    with torch.no_grad():
        return called(module, x.to(where)).cpu()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
