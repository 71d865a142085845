"""One plain page, complete in itself: what was trained, how well it does, how fast the operators are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converse.content import content

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        entry: network or filter.
        seeds: how many; ``None`` where nothing is trained.
        parameters: how many; ``None`` where there are none.
        psnr: mean, in dB.
        psnr_deviation: over seeds.
        ssim: mean.
        ssim_deviation: over seeds.
        gain: of PSNR over the noisy input.
        over_filter: of PSNR over the best Gaussian filter.
    """

    entry: str
    seeds: int | None
    parameters: int | None
    psnr: float | None
    psnr_deviation: float | None
    ssim: float | None
    ssim_deviation: float | None
    gain: float | None
    over_filter: float | None


def table(results: Sequence[Record], comparisons: Sequence[Record]) -> list[Line]:
    """Networks and what they have to beat, from the worst to the best.

    Args:
        results: result rows of one test set.
        comparisons: records with ``entry, metric, measured``; the first entry is the noisy input, the last the filter.

    Returns:
        One line per entry.
    """
    cells: dict[str, dict[str, Record]] = {}
    for row in (*comparisons, *results):
        cells.setdefault(row["entry"], {})[row["metric"]] = row
    noisy, filtered = (
        next((row["measured"] for row in rows if row["metric"] == "psnr"), None)
        for rows in (comparisons, comparisons[::-1])
    )
    lines = [_line(entry, metrics, noisy, filtered) for entry, metrics in cells.items()]
    return sorted(lines, key=lambda line: -1.0 if line.psnr is None else line.psnr)


def render(
    results: Sequence[Record],
    comparisons: Sequence[Record],
    speeds: Sequence[Record],
    failures: Sequence[Any],
    cpu: str,
    versions: Mapping[str, str],
) -> str:
    """The page.

    Args:
        results: result rows of the suite.
        comparisons: what any denoiser has to beat.
        speeds: records with ``operator, forward, training`` in milliseconds.
        failures: trials that failed, with ``name`` and ``reason``.
        cpu: name of the CPU.
        versions: of converse and what it depends on.

    Returns:
        HTML.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = content("reports") / "templates"
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    title = next((row["dataset"] for row in results if row["dataset"]), "")
    images = next((row["images"] for row in results if row["images"]), 0)
    return environment.get_template("quickstart.html").render(
        lines=table(results, comparisons),
        speeds=speeds,
        failures=failures,
        dataset=title,
        images=images,
        cpu=cpu,
        versions=versions,
    )


def _line(entry: str, metrics: Mapping[str, Record], noisy: float | None, filtered: float | None) -> Line:
    def number(metric: str, name: str) -> Any:
        return metrics[metric].get(name) if metric in metrics else None

    psnr = number("psnr", "measured")
    return Line(
        entry=entry,
        seeds=number("psnr", "seeds"),
        parameters=number("parameters", "measured"),
        psnr=psnr,
        psnr_deviation=number("psnr", "deviation"),
        ssim=number("ssim", "measured"),
        ssim_deviation=number("ssim", "deviation"),
        gain=None if psnr is None or noisy is None else psnr - noisy,
        over_filter=None if psnr is None or filtered is None else psnr - filtered,
    )
