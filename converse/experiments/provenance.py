"""Where a number comes from: code, versions, machine, settings, time. No host name, user name or address."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from converse.experiments.trials import NUMERICS_VERSION, cpu_model, default_threads
from converse.nn.core_cache import core_cache

_PACKAGE = Path(__file__).resolve().parents[1]


def provenance(device: str = "cpu") -> dict[str, Any]:
    """What has to be known to judge or repeat a number.

    Args:
        device: where it was computed: ``cpu``, ``cuda`` …

    Returns:
        A JSON-able mapping: ``time``, ``commit``, ``dirty``, ``code`` (hash), ``numerics``, ``versions``, ``python``,
        ``system``, ``libc``, ``cpu``, ``cpu_capability``, ``core_cache`` (KiB), ``products`` (the library that
        multiplies matrices), ``transforms`` (the libraries that transform, and which lengths), ``cores``,
        ``memory_gib``, ``device``, ``gpu``, ``driver``, ``threads``, ``determinism``, ``command``.
        What cannot be found out is ``None``.
    """
    commit, dirty = commit_of(_PACKAGE)
    gpu, driver = _gpu(device)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "commit": commit,
        "dirty": dirty,
        "code": code_hash(),
        "numerics": NUMERICS_VERSION,
        "versions": versions(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "cpu": cpu_model(),
        "cpu_capability": _cpu_capability(),
        "core_cache": core_cache() // 1024,
        "products": _products(),
        "transforms": _transforms(device),
        "cores": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "device": device,
        "gpu": gpu,
        "driver": driver,
        "threads": _threads(),
        "determinism": _determinism(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]] if sys.argv else [],
    }


def commit_of(folder: Path) -> tuple[str | None, bool | None]:
    """The git commit that a checkout is at, and whether its files differ from it.

    Args:
        folder: the package; an installed one, though it may lie within somebody's checkout, has no commit.

    Returns:
        The full hash and the dirty flag; ``None`` for both without git or checkout.
    """
    # An environment inside some other project's checkout would answer with that project's commit.
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None, None
    changed = _git(folder, "status", "--porcelain", "--", ".")
    return _git(folder, "rev-parse", "HEAD"), None if changed is None else bool(changed)


@lru_cache(maxsize=4)
def code_hash(package: Path = _PACKAGE) -> str:
    """SHA-256 over the package's sources: their paths in sorted order, each with its bytes.

    Args:
        package: its folder; that of another version, or this one.

    Returns:
        64 hex digits, the same for a checkout and a wheel of the same sources.
    """
    digest = hashlib.sha256()
    names = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    for name in names:
        if name.startswith("_content/"):
            continue  # the content folders lie there in a wheel and beside the package in a checkout
        content = (package / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """The installed versions of converse and of what it depends on.

    Returns:
        Distribution name → version, sorted; what is not installed is left out.
    """
    found: dict[str, str] = {}
    try:
        required = metadata.requires("converse-bench") or []
    except metadata.PackageNotFoundError:
        required = ["torch", "numpy"]
    names = {re.split(r"[^A-Za-z0-9._-]", text)[0] for text in required if "extra ==" not in text}
    for name in sorted({"converse-bench", *names}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def output_of(*command: str, seconds: float = 20, **variables: str) -> str | None:
    """What another program says on standard output.

    Args:
        command: the program and its arguments.
        seconds: that it may take.
        variables: of its environment, beside this process's own.

    Returns:
        The text, without white space around it; ``None`` where there is no such program, or it fails.
    """
    settings: dict[str, Any] = {"encoding": "utf-8", "errors": "replace", "env": {**os.environ, **variables}}
    try:
        return str(subprocess.run(command, capture_output=True, timeout=seconds, check=True, **settings).stdout.strip())
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    return output_of("git", "-C", str(folder), *arguments, seconds=10, GIT_OPTIONAL_LOCKS="0")


def _memory_gib() -> float | None:
    import psutil

    try:
        return round(psutil.virtual_memory().total / 2**30, 1)
    except (OSError, RuntimeError):
        return None


def _threads() -> int:
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch else default_threads()


def _cpu_capability() -> str | None:
    """The CPU's instructions that torch's own kernels use, ``AVX2``; ``None`` while torch is not loaded."""
    torch = sys.modules.get("torch")
    return str(torch.backends.cpu.get_cpu_capability()) if torch else None


def _products() -> str | None:
    """The library that multiplies matrices on the CPU; ``None`` while torch is not loaded."""
    if "torch" not in sys.modules:
        return None
    from converse.nn.processor import product_library

    return product_library()


def _transforms(device: str) -> str | None:
    """Which library transforms which lengths; ``None`` while torch is not loaded."""
    if "torch" not in sys.modules:
        return None
    from converse.nn.transforms import rule

    return rule(device)


def _determinism() -> dict[str, Any] | None:
    """The switches that decide whether the same work gives the same bits; ``None`` while torch is not loaded."""
    torch = sys.modules.get("torch")
    if torch is None:
        return None
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32,
        "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
    }


def _gpu(device: str) -> tuple[str | None, str | None]:
    """Model and driver version of the CUDA device; ``None`` for any other device."""
    torch = sys.modules.get("torch")
    if torch is None or not device.startswith("cuda") or not torch.cuda.is_available():
        return None, None
    return str(torch.cuda.get_device_name(torch.device(device).index)), _driver()


@lru_cache(maxsize=1)
def _driver() -> str | None:
    said = output_of("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return next(iter((said or "").split()), None)
