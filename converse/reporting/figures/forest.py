"""The effects of an ablation, one line each: the difference to the base with its interval, and the published one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from converse.analysis.effects import effect_records
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import INK, folded, in_panels, label, looks, styled
from converse.reporting.figures.ticks import few_ticks
from converse.reporting.numbers import number
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

_ROW: Final = 0.36
_TALL_ROW: Final = 0.46
_PANELS: Final = 4

_VALUES: Final = ("dataset", "case", "label", "base", "difference", "low", "high", "published_difference")

Record = Mapping[str, Any]


def forest_figure(
    effects: pd.DataFrame,
    *,
    name: str,
    bound: float,
    interval: str = "its 95 % interval",
    published: bool = True,
) -> Figure | Missing:
    """Differences of PSNR, entry − base.

    Args:
        effects: with :data:`converse.analysis.effects.EFFECT_COLUMNS`, of one study.
        name: of the figure.
        bound: of practical equivalence, in dB: the grey band.
        interval: what the lines are, in words.
        published: whether the paper's differences are among them.

    Returns:
        The figure, or what is missing.
    """
    records = effect_records(effects[effects["metric"] == "psnr"])
    panels: dict[tuple[Any, Any], list[Record]] = {}
    for record in records:
        panels.setdefault((record["dataset"], record["case"]), []).append(record)
    panels = {place: lines for place, lines in panels.items() if any(line["difference"] is not None for line in lines)}
    if not panels:
        return Missing("Effects: no entry has been measured together with the base entry")
    shown = dict(list(panels.items())[:_PANELS])
    bases = list(dict.fromkeys(str(record["base"]) for record in records))
    base = bases[0] if len(bases) == 1 else "the other"
    labels = list(dict.fromkeys(str(record["label"]) for record in records))
    return drawn(
        _drawing(shown, labels, base, bound, tall=False),
        tall=_drawing(shown, labels, base, bound, tall=True),
        values=pd.DataFrame([{name: line[name] for name in _VALUES} for lines in shown.values() for line in lines]),
        name=name,
        title="Effects",
        caption=(
            f"Difference of PSNR to {base}, paired by seed and image, with {interval}; a dot without a line has "
            "one seed and no interval. "
            + ("Hollow diamonds are the published differences. " if published else "")
            + f"The grey band is ±{bound:g} dB, inside which two networks count as equivalent."
            + (f" {len(panels) - len(shown)} more test sets are in the table." if len(panels) > len(shown) else "")
        ),
        alt=_alt(shown, base),
    )


def _drawing(
    shown: Mapping[tuple[Any, Any], list[Record]], labels: list[str], base: str, bound: float, *, tall: bool
) -> Drawing:
    """A panel for each test set, beside each other or, ``tall``, one below another."""
    look = looks(labels)
    with styled():
        below = 0.5 + len(shown) * (0.65 + _TALL_ROW * len(labels))
        drawing, grid = in_panels(len(shown), 1.15 + _ROW * len(labels), below, tall=tall)
        for axes, (place, lines) in zip(grid, shown.items(), strict=True):
            _panel(axes, lines, labels, {name: look[name].colour for name in labels}, bound)
            axes.set_title(label(" ".join(str(part).replace("_", " ") for part in place if part), 24))
        for axes in grid if tall else grid[:1]:
            axes.set_yticks(range(len(labels)), [folded(name, 20, 3) if tall else folded(name, 36) for name in labels])
        drawing.supxlabel(f"PSNR minus that of {label(base)} (dB)", fontsize=9)
    return drawing


def _panel(axes: Axes, lines: list[Record], labels: list[str], colours: dict[str, str], bound: float) -> None:
    axes.axvspan(-bound, bound, color="#808080", alpha=0.16, linewidth=0)
    axes.axvline(0, color=INK, linewidth=0.9, alpha=0.7)
    for line in lines:
        place, colour = labels.index(str(line["label"])), colours[str(line["label"])]
        if line["published_difference"] is not None:
            axes.plot(line["published_difference"], place, "D", mfc="none", mec=INK, markersize=6.5, mew=1.1, zorder=2)
        if line["difference"] is None:
            why = "not run" if line["verdict"] == "not run" else "no finite difference"
            axes.annotate(why, (0, place), (4, 0), textcoords="offset points", va="center", fontsize=8)
            continue
        if line["low"] is not None:
            axes.plot([line["low"], line["high"]], [place, place], color=colour, linewidth=2, zorder=3)
        axes.plot(line["difference"], place, "o", color=colour, markersize=6, zorder=4)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    few_ticks(axes.xaxis, 5)
    axes.margins(x=0.08)


def _alt(panels: dict[tuple[Any, Any], list[Record]], base: str) -> str:
    said = []
    for (dataset, case), lines in panels.items():
        for line in lines:
            if line["difference"] is None:
                continue
            text = f"{line['label']} on {' '.join(str(part) for part in (dataset, case) if part)}: "
            text += f"{number(line['difference'], 3, sign=True)} dB"
            if line["low"] is not None:
                text += f", interval {number(line['low'], 3, sign=True)} to {number(line['high'], 3, sign=True)}"
            if line["published_difference"] is not None:
                text += f", published {number(line['published_difference'], 2, sign=True)}"
            said.append(text)
    return f"Differences to {base}. {'; '.join(said)}."
