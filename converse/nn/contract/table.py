"""The contract: all that is asked of an operator, in the order in which it is looked at.

`docs/operator-contract.md` is written from this table by `docs/contract_table.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from converse.nn.contract import copies, evaluation, gradients, machines, manners, numbers, shapes
from converse.nn.contract.subject import Subject

Group = Literal["building", "shapes", "evaluation", "numbers", "gradients", "copies", "manners", "machines"]
Option = Literal["compile", "cuda"]


@dataclass(frozen=True)
class Check:
    """One thing that is asked of an operator.

    Attributes:
        name: of the check.
        group: what it belongs to.
        expected: in one sentence.
        cure: what to do where it fails, in one sentence.
        run: looks at an operator; returns what it saw, raises :class:`converse.nn.contract.subject.Defect` for what is
            not as expected, and :class:`converse.nn.contract.subject.NotTried` for what cannot be looked at. An error
            of the operator's own code passes through.
        needs: names of checks without which this one says nothing.
        option: it takes long or a device, and is made when this is asked for.
    """

    name: str
    group: Group
    expected: str
    cure: str
    run: Callable[[Subject], str]
    needs: tuple[str, ...] = ()
    option: Option | None = None


_CALLED: Final = ("construction", "returns")
_SHAPED: Final = (*_CALLED, "shape")
_REPEATS: Final = (*_SHAPED, "determinism")
_STATELESS: Final = (*_REPEATS, "no state between calls")

CONTRACT: Final[tuple[Check, ...]] = (
    Check(
        "construction",
        "building",
        "Class(channels, kernel_size, scale=1, padding_mode=…, **options) makes a torch.nn.Module that has a forward.",
        "Take these four arguments by these names; give your own options defaults.",
        shapes.construction,
    ),
    Check(
        "returns",
        "building",
        "Ten calls in a row, forward and backward and in evaluation, each come back and leave the process alive.",
        "Find the line that waits or ends the process; raise an exception where something is wrong.",
        shapes.returns,
        ("construction",),
    ),
    Check(
        "shape",
        "shapes",
        "[N, C, H, W] becomes [N, C, s·H, s·W], at scale 1 if it has that, in training and in evaluation: one tensor.",
        "Pad by k - 1 samples in all, ⌊k/2⌋ before and the rest after, and crop to the input's size.",
        shapes.same_shape,
        _CALLED,
    ),
    Check(
        "scales",
        "shapes",
        "At each scale s that the class takes, [N, C, H, W] becomes [N, C, s·H, s·W].",
        "Enlarge by the scale, or raise ValueError in __init__ for scales that the operator does not have.",
        shapes.scales,
        _SHAPED,
    ),
    Check(
        "padding modes",
        "shapes",
        "Each of circular, reflect, replicate and zero keeps the shape, or is refused with a ValueError in __init__.",
        "Continue the input as the mode says (torch.nn.functional.pad), or refuse the mode in __init__.",
        shapes.padding_modes,
        _SHAPED,
    ),
    Check(
        "sizes",
        "shapes",
        "Odd, oblong and large inputs (321×481, as images of BSD68) keep their shape; tiny ones may be refused with a "
        "ValueError.",
        "Derive every size from the input of the call; test images are larger than the patches of training.",
        shapes.sizes,
        (*_SHAPED, "scales"),
    ),
    Check(
        "determinism",
        "evaluation",
        "In evaluation, one input gives one result.",
        "Draw random numbers if self.training alone.",
        evaluation.deterministic,
        _SHAPED,
    ),
    Check(
        "no state between calls",
        "evaluation",
        "In evaluation, an input gives the same result after others.",
        "Keep nothing of one call for the next; key what is kept by size, dtype and device.",
        evaluation.stateless,
        _SHAPED,
    ),
    Check(
        "batch independence",
        "evaluation",
        "In evaluation, a sample's result does not depend on the others of its batch.",
        "Sum and normalise over channels and pixels, not over the batch.",
        evaluation.independent,
        _REPEATS,
    ),
    Check(
        "input kept",
        "evaluation",
        "The input is what it was after the call: blocks add it to the result.",
        "Use out-of-place operations: x = x + 1 in place of x += 1.",
        evaluation.keeps_input,
        _SHAPED,
    ),
    Check(
        "layouts",
        "evaluation",
        "Inputs that lie otherwise in memory (channels last, transposed, strided) give the same result.",
        "Use reshape in place of view, or call contiguous() first.",
        shapes.layouts,
        _REPEATS,
    ),
    Check(
        "follows parameters",
        "evaluation",
        "A change of the parameters in place shows in the next evaluation.",
        "Compute from the parameters in forward, or keep results under the parameters' _version.",
        evaluation.follows_parameters,
        _STATELESS,
    ),
    Check(
        "training after evaluation",
        "evaluation",
        "A step of training works after an evaluation in torch.inference_mode, and gives what it gives without.",
        "Make what is kept between calls under torch.inference_mode(False).",
        evaluation.trains_after,
        _STATELESS,
    ),
    Check(
        "dtypes",
        "numbers",
        "float32 gives float32 and, after .double(), float64 gives float64; the two agree.",
        "Take the dtype of the input for all that is made in forward; register constants as buffers.",
        numbers.dtypes,
        _REPEATS,
    ),
    Check(
        "finite",
        "numbers",
        "Inputs of zeros and of size 1e-3 to 1e3 give finite values, and those of size 1e-3 to 1e3 finite gradients.",
        "Add a small number before a division, a root or a logarithm; bound what goes into exp.",
        numbers.finite,
        _SHAPED,
    ),
    Check(
        "autocast",
        "numbers",
        "A step of training under autocast to bfloat16 is near that in float32.",
        "Turn autocast off around what needs float32 (torch.autocast(…, enabled=False)) and cast its input.",
        numbers.autocast,
        _SHAPED,
    ),
    Check(
        "device",
        "numbers",
        "With input, parameters and buffers on a GPU, all is computed there.",
        "Make tensors with device=x.device in forward, or register them as buffers in __init__.",
        numbers.device,
        _SHAPED,
    ),
    Check(
        "gradients",
        "gradients",
        "The input and every parameter receive a gradient.",
        "Look for detach, .data, no_grad, rounding or item() on the way; remove parameters that are not used.",
        gradients.arrive,
        _SHAPED,
    ),
    Check(
        "gradcheck",
        "gradients",
        "In float64 the gradients agree with finite differences (torch.autograd.gradcheck).",
        "Mend the backward of your autograd.Function; compute in the dtype of the input throughout.",
        gradients.right,
        (*_SHAPED, "gradients", "dtypes", "finite"),
    ),
    Check(
        "seeded start",
        "copies",
        "Two that are built after the same torch.manual_seed are equal.",
        "Draw first values with torch alone.",
        copies.seeded_start,
        _SHAPED,
    ),
    Check(
        "state_dict",
        "copies",
        "The state of one, loaded into another, makes both give the same result.",
        "Register what is learnt as nn.Parameter and what else counts as a buffer, in __init__ and not in forward.",
        copies.state_dict,
        _STATELESS,
    ),
    Check(
        "deepcopy",
        "copies",
        "copy.deepcopy works after a step of training, and the copy computes with its own parameters.",
        "Keep no output of a call, and no function that refers to self, in an attribute.",
        copies.deepcopy,
        _STATELESS,
    ),
    Check(
        "pickle",
        "copies",
        "pickle.loads(pickle.dumps(operator)) gives an equal operator.",
        "Define class and functions at the top of a module; keep no lambda, generator or open file in an attribute.",
        copies.pickled,
        _STATELESS,
    ),
    Check(
        "settings",
        "manners",
        "Settings, seeds, environment and working folder of the process are as they were.",
        "Leave torch.manual_seed, set_default_dtype and the like to whoever trains; use a torch.Generator of your own.",
        manners.leaves_settings,
        _SHAPED,
    ),
    Check(
        "memory",
        "manners",
        "No call keeps more memory than the one before.",
        "Append nothing to a list in forward; keep numbers (.item()) and not tensors, which hold their graph.",
        manners.memory,
        _SHAPED,
    ),
    Check(
        "quiet",
        "manners",
        "Nothing is written to standard output, which is for results.",
        "Use logging or warnings in place of print.",
        manners.quiet,
        _SHAPED,
    ),
    Check(
        "compile",
        "machines",
        "Through torch.compile it trains and evaluates as it does otherwise.",
        "Avoid Python side effects and branches on values in forward; torch._dynamo.explain names the place.",
        machines.compiles,
        _STATELESS,
        "compile",
    ),
    Check(
        "cuda",
        "machines",
        "On a CUDA device it gives what it gives on the CPU.",
        "Mend what `device` says; on the CPU alone, say so in __init__.",
        machines.cuda,
        _STATELESS,
        "cuda",
    ),
)
"""Every check, by name unique."""
