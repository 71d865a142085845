"""Whether hooks watch a module: a hook sees whole maps, and what it saw is not overwritten."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import module as registry

_GLOBAL = (
    registry._global_forward_hooks,
    registry._global_forward_pre_hooks,
    registry._global_backward_hooks,
    registry._global_backward_pre_hooks,
)


def watched(*modules: nn.Module) -> bool:
    """Whether these modules, a module inside of them, or all modules have a hook of any kind.

    Args:
        modules: what is about to be called.
    """
    return any(_GLOBAL) or any(
        part._forward_hooks or part._forward_pre_hooks or part._backward_hooks or part._backward_pre_hooks
        for module in modules
        for part in module.modules()
    )
