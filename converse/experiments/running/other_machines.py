"""Other machines that this one can play: with fewer instructions, as an older one has them, or with other threads.

Libraries choose their kernels by the instructions of the processor, and another kernel adds in another order. Variables
of the environment make them choose as on an older processor, in a process that has them before it computes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from converse.counted import counted


@dataclass(frozen=True)
class Played:
    """Another kind of machine, as far as this one can play it.

    Attributes:
        name: in words: ``instructions of AVX2``, ``2 threads``.
        threads: CPU threads.
        environment: variables of the process.
    """

    name: str
    threads: int
    environment: Mapping[str, str] = field(default_factory=dict)


_KINDS: Final = ("DEFAULT", "AVX2", "AVX512")
"""What torch calls the instructions that its own kernels use, from the oldest processors to the newest."""

_VARIABLES: Final[Mapping[str, Mapping[str, str]]] = {
    # torch's own kernels; oneDNN's convolutions; MKL's matrix products and transforms.
    "DEFAULT": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    },
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
}


def playable(threads: int, capability: str) -> list[Played]:
    """The other kinds of machines that this one can play.

    Args:
        threads: CPU threads that are computed with.
        capability: the instructions that torch uses, as :func:`torch.backends.cpu.get_cpu_capability` says.

    Returns:
        Fewer instructions, from the newest to the oldest, and another number of threads where there are more cores.
    """
    older = _KINDS[: _KINDS.index(capability)] if capability in _KINDS else ()
    found = [Played(f"instructions up to {_SAID[kind]}", threads, _VARIABLES[kind]) for kind in reversed(older)]
    other = 2 if threads == 1 else 1
    if (os.cpu_count() or 1) >= other:
        found.append(Played(counted(other, "thread"), other))
    return found


_SAID: Final = {"AVX2": "AVX2", "DEFAULT": "SSE4"}
