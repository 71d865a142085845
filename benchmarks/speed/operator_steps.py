"""The steps of one forward pass, each by itself, in µs: ``python benchmarks/speed/operator_steps.py``.

The fastest of many calls counts, in memory that the process already has (``MALLOC_MMAP_MAX_=0
MALLOC_TRIM_THRESHOLD_=10737418240`` before the command), or pages of the system are timed.
"""

from __future__ import annotations

import argparse
import time


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels", type=int, default=48)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=200)
    arguments = parser.parse_args()

    import torch

    from converse.nn import functional, spectra
    from converse.nn.filters import Filters

    torch.set_num_threads(arguments.threads)
    c, size, p = arguments.channels, arguments.size, 4
    side = size + 2 * p
    y, out = torch.randn(1, c, size, size), torch.empty(1, c, size, size)
    weight, lam = torch.rand(1, c, 5, 5), torch.full((1, c, 1, 1), 0.01)
    padded = functional.pad(y, (p, p), (p, p), "circular")
    spectrum = spectra.spectrum_of(padded)
    filters = Filters(weight, lam, (side, side), (1, 1), True)
    kernels, transfer = filters.spectra, filters.transfer()
    product = spectrum * transfer[:, :, 0, 0]
    columns = torch.fft.ifft(product, dim=-2)[..., p : p + size, :]
    solved = torch.fft.irfft(columns, n=side)

    def reciprocal():
        power = (kernels * filters.conjugate).real
        return (power + lam[:, :, None, None]).reciprocal_().to(kernels.dtype)

    steps = {
        "padding": lambda: functional.pad(y, (p, p), (p, p), "circular"),
        "half spectrum": lambda: spectra.spectrum_of(padded),
        "the kernel's spectrum": lambda: spectra.kernel_spectra(weight, (side, side), (1, 1)),
        "its conjugate": lambda: kernels.conj().resolve_conj(),
        "1 / (power + λ)": reciprocal,
        "T": filters.transfer,
        "product with T": lambda: spectrum * transfer[:, :, 0, 0],
        "inverse, columns": lambda: torch.fft.ifft(product, dim=-2),
        "inverse, rows": lambda: torch.fft.irfft(columns, n=side),
        "cropping": lambda: out.copy_(solved[..., p : p + size]),
        "a bare rfft2 and irfft2": lambda: torch.fft.irfft2(torch.fft.rfft2(padded), s=(side, side)),
    }
    print(f"torch {torch.__version__}, {arguments.threads} threads, {c} channels, {size}², p = {p}\n")
    print("| step | µs |\n|---|---|")
    with torch.inference_mode():
        for name, step in steps.items():
            least = float("inf")
            for _ in range(arguments.rounds):
                start = time.perf_counter()
                step()
                least = min(least, time.perf_counter() - start)
            print(f"| {name} | {1e6 * least:.0f} |", flush=True)


if __name__ == "__main__":
    main()
