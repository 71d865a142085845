"""Where the time of Converse-DnCNN goes (docs/log/performance.md).

``python benchmarks/speed/time_by_module.py [--threads 2]``

Evaluation of one 256×256 image by kind of module, and a training step by kind of operation (torch.profiler).
"""

from __future__ import annotations

import argparse
import collections
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

OPERATIONS = {
    "transforms (rfft2, irfft2)": ("_fft_r2c", "_fft_c2r", "_fft_c2c"),
    "matrix products (1×1 convolutions, thin products)": (
        "bmm",
        "mm",
        "addmm",
        "baddbmm",
        "mkldnn_convolution",
        "_linear_pointwise",
    ),
    "GELU": ("gelu", "gelu_backward"),
    "copies (padding, layout, slices)": ("copy_", "cat", "constant_pad_nd", "fill_", "zero_"),
    "sums (normalisation, gradients)": ("sum", "mean"),
}


def by_module(rounds: int) -> dict[str, float]:
    """Seconds of evaluation by kind of module; the rest is residual sums and slices."""
    import torch

    from converse.nn.models import create_model

    torch.manual_seed(0)
    model = create_model("block-dncnn", "converse").eval()
    spent: collections.Counter[str] = collections.Counter()
    started: list[float] = []
    for module in model.modules():
        if not list(module.children()):
            module.register_forward_pre_hook(lambda *_: started.append(time.perf_counter()))
            name = type(module).__name__
            module.register_forward_hook(
                lambda *_, name=name: spent.update({name: time.perf_counter() - started.pop()})
            )
    image = torch.rand(1, 1, 256, 256)
    shares = []
    with torch.inference_mode():
        model(image)
        for _ in range(rounds):
            spent.clear()
            start = time.perf_counter()
            model(image)
            shares.append({**spent, "rest": time.perf_counter() - start - sum(spent.values())})
    return {name: statistics.median(share[name] for share in shares) for name in shares[0]}


def by_operation() -> dict[str, float]:
    """Seconds of a training step by kind of operation."""
    from timed_calls import network
    from torch.profiler import ProfilerActivity, profile

    step = network("training")
    step()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        step()
    spent: collections.Counter[str] = collections.Counter()
    for event in profiled.key_averages():
        operation = event.key.split("::")[-1]
        kind = next(
            (kind for kind, names in OPERATIONS.items() if operation in names), "other elementwise work, autograd"
        )
        spent[kind] += event.self_cpu_time_total / 1e6
    return dict(spent)


def table(title: str, spent: dict[str, float]) -> None:
    """Print shares, the largest first."""
    whole = sum(spent.values())
    print(f"\n| {title}: {1e3 * whole:.0f} ms | share |\n|---|---|")
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        print(f"| {name} | {100 * seconds / whole:.0f} % |")


def main() -> None:
    """Measure and print both tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()

    import torch

    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads")
    table("evaluation, 256×256", by_module(arguments.rounds))
    table("training step, 8 × 48×48", by_operation())


if __name__ == "__main__":
    main()
