"""Ways to compute the 1×1 convolutions of a block, in GFLOP/s: ``python benchmarks/speed/matmul_calls.py``.

The ways take turns; the number is that of each one's fastest turn. Output goes to memory that the process already has
(``MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=10737418240`` before the command), or pages of the system are timed.
"""

from __future__ import annotations

import argparse
import time


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--shape", type=int, nargs=4, default=(8, 64, 48, 48), help="N, C, H, W, to 2C channels")
    arguments = parser.parse_args()

    import torch
    from torch.nn import functional as F

    from converse.nn.matmul import _onednn

    torch.set_num_threads(arguments.threads)
    n, c, h, w = arguments.shape
    x, weight, bias = torch.randn(n, c, h, w), torch.randn(2 * c, c), torch.randn(2 * c)
    kernel, flat = weight[:, :, None, None], x.flatten(2)
    last = x.to(memory_format=torch.channels_last)
    kernel_last = kernel.to(memory_format=torch.channels_last)
    rows = x.permute(0, 2, 3, 1).reshape(-1, c).contiguous()

    def onednn(image, taps):
        return torch.mkldnn_convolution(image, taps, bias, [0, 0], [1, 1], [1, 1], 1)

    ways = {
        "bmm": lambda: torch.bmm(weight.expand(n, -1, -1), flat),
        "baddbmm": lambda: torch.baddbmm(bias[:, None], weight.expand(n, -1, -1), flat),
        "bmm, then the bias": lambda: torch.bmm(weight.expand(n, -1, -1), flat).add_(bias[:, None]),
        "mm, one sample after another": lambda: [weight @ sample for sample in flat],
        "linear, channels last": lambda: F.linear(rows, weight, bias),
        "conv2d": lambda: F.conv2d(x, kernel, bias),
        "oneDNN's convolution": lambda: onednn(x, kernel),
        "oneDNN's product, one sample after another": lambda: [_onednn(weight, sample.T) for sample in flat],
        "oneDNN's convolution, channels last": lambda: onednn(last, kernel_last),
    }
    least = dict.fromkeys(ways, float("inf"))
    with torch.inference_mode():
        for _ in range(arguments.rounds + 2):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                least[name] = min(least[name], time.perf_counter() - start)
    operations = 2 * n * h * w * 2 * c * c
    print(f"torch {torch.__version__}, {arguments.threads} threads, {n}×{c}×{h}×{w} → {2 * c} channels\n")
    print("| way | GFLOP/s |\n|---|---|")
    for name, seconds in least.items():
        print(f"| {name} | {operations / seconds / 1e9:.0f} |")


if __name__ == "__main__":
    main()
