"""Checks of gradients: that one arrives everywhere, and that it is the right one."""

from __future__ import annotations

from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck

from converse.nn.contract.numbers import widened
from converse.nn.contract.observations import no_gradient
from converse.nn.contract.subject import Defect, NotTried, Subject, called, evaluated, perturb, pulled


def arrive(subject: Subject) -> str:
    """The input and every parameter receive one."""
    module, x = subject.make(), subject.input()
    seen = pulled(module, x)
    if wrong := no_gradient(seen.output):
        raise Defect(wrong)
    gradients = {"the input": seen.input, **seen.parameters}
    if missing := [name for name, gradient in gradients.items() if gradient is None]:
        raise Defect(f"none arrives at {', '.join(missing)}")
    if zero := [name for name, gradient in gradients.items() if _is_zero(gradient)]:
        # At some starts one is zero by right: behind a factor that begins at 0.
        perturb(module)
        again = pulled(module, x)
        moved = {"the input": again.input, **again.parameters}
        if still := [name for name in zero if _is_zero(moved[name])]:
            raise Defect(f"zero everywhere for {', '.join(still)}")
    return f"the input and {len(seen.parameters)} parameter tensors receive one"


def right(subject: Subject) -> str:
    """Finite differences in float64, in one random direction of the input and of each parameter."""
    module = widened(subject.make()).train()
    x = _small(subject).double().requires_grad_()
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    buffers = [
        (owner, name, buffer) for owner in module.modules() for name, buffer in owner.named_buffers(recurse=False)
    ]

    def output(given: Tensor, *rest: Tensor) -> Tensor:
        for owner, name, buffer in buffers:
            setattr(owner, name, buffer.clone())  # running means and the like begin anew
        return called(module, given)  # the parameters are changed where they are

    if not output(x).isfinite().all():
        raise NotTried("its values are not finite")
    if output(x).dtype != x.dtype:
        raise NotTried(f"it does not compute in float64, but gives {output(x).dtype}")
    try:
        gradcheck(output, (x, *parameters), fast_mode=True)
    except GradcheckError as error:
        raise Defect(_said(str(error))) from error
    return f"agree with finite differences for the input and {len(parameters)} parameter tensors"


def _small(subject: Subject) -> Tensor:
    """An input as small as the operator takes: where gradients differ, torch goes on to compare value by value."""
    side = subject.kernel_size + 1
    x = subject.input(side, side, samples=1)
    try:
        evaluated(subject.make(), x)
    except Exception:  # whatever refuses so small a one
        return subject.input(samples=1)
    return x


def _is_zero(gradient: Tensor | None) -> bool:
    return gradient is not None and gradient.numel() > 0 and not gradient.any()


def _said(message: str) -> str:
    """What torch says, without its advice."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return " ".join(lines[:3])[:300]
