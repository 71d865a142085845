"""Ways to transform a side with a large prime factor, in ns per pixel: ``python benchmarks/speed/transform_ways.py``.

Rows are real and become half spectra; columns are complex, and half as many. Beside the two libraries there is the
matrix of the transform, and, for columns, the prime-factor algorithm (Good and Thomas) with a matrix for the prime p
and the library for the rest m = n/p. The ways take turns; the number is that of each one's fastest turn.
"""

from __future__ import annotations

import argparse
import math
import time


def main() -> None:
    """Measure and print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 268, 524, 329, 333, 489, 493])
    arguments = parser.parse_args()

    import torch
    from scipy import fft

    from converse.nn.transforms import _largest_factor, by_scipy

    torch.set_num_threads(arguments.threads)

    def matrix(n: int) -> torch.Tensor:
        places = torch.arange(n, dtype=torch.float64)
        angles = -2 * math.pi * ((places[:, None] * places) % n) / n
        return torch.polar(torch.ones_like(angles), angles).to(torch.complex64)

    def prime_factor(n: int, columns: torch.Tensor):
        p = _largest_factor(n)
        m, of_p = n // p, matrix(p)
        first, second = torch.arange(m)[:, None], torch.arange(p)
        into = ((first * p + second * m) % n).flatten()
        k = torch.arange(n)
        back = (k % m) * p + k % p

        def transformed() -> torch.Tensor:
            by_p = columns[:, into].view(-1, p) @ of_p
            return torch.fft.fft(by_p.view(-1, m, p), dim=1).flatten(1)[:, back]

        return transformed

    heads = ["side", "chosen", "rows: torch", "SciPy", "matrix", "columns: torch", "SciPy", "matrix", "prime factors"]
    print(f"torch {torch.__version__}, {arguments.threads} threads\n")
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for n in arguments.sides:
        channels = max(1, 2**19 // n**2)
        rows = torch.rand(channels * n, n)
        columns = torch.randn(channels * (n // 2 + 1), n, dtype=torch.complex64)
        whole = matrix(n)
        half = torch.view_as_real(whole[:, : n // 2 + 1]).flatten(1).contiguous()
        ways = [
            lambda rows=rows: torch.fft.rfft(rows),
            lambda rows=rows: fft.rfft(rows.numpy(), workers=arguments.threads),
            lambda rows=rows, half=half: rows @ half,
            lambda columns=columns: torch.fft.fft(columns),
            lambda columns=columns: fft.fft(columns.numpy(), workers=arguments.threads),
            lambda columns=columns, whole=whole: columns @ whole,
        ]
        p = _largest_factor(n)
        if p < n and n // p % p:
            ways.append(prime_factor(n, columns))
            torch.testing.assert_close(ways[-1](), torch.fft.fft(columns), rtol=1e-4, atol=1e-3)
        least = [math.inf] * len(ways)
        for _ in range(arguments.turns + 1):
            for index, way in enumerate(ways):
                start = time.perf_counter()
                way()
                least[index] = min(least[index], time.perf_counter() - start)
        cells = [f"{seconds / rows.numel() * 1e9:.2f}" for seconds in least]
        factors = f"{n} = {n // p}·{p}"
        print(f"| {' | '.join([factors, 'SciPy' if by_scipy(n) else 'torch', *cells, *['–'] * (7 - len(cells))])} |")


if __name__ == "__main__":
    main()
