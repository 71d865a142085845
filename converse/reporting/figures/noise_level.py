"""PSNR against the noise level of the test images: how networks do beside the level that they were trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from converse.analysis.noise_levels import LEAST
from converse.data.noise_levels import shown
from converse.reporting.figure import Figure
from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.labels import LEGEND, end_labels, names_below
from converse.reporting.figures.style import INK, QUIET, Look, in_panels, looks, styled
from converse.reporting.numbers import number
from converse.reporting.report import Missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

TITLE: Final = "PSNR against noise level"
_BESIDE: Final = 6
"""So many lines have their names at their ends; of more these stand below."""
_WIDE: Final = 3.1
_AXES: Final = 2.3  # inches of it that the axes are tall, about
_INPUT: Final = Look(QUIET, ".")


def noise_level_figure(
    levels: pd.DataFrame, *, name: str, trained: float, given: str, base: str | None = None, command: str = ""
) -> Figure | Missing:
    """A line per network, a panel per test set.

    Args:
        levels: with :data:`converse.analysis.noise_levels.LEVEL_COLUMNS`.
        name: of the figure.
        trained: the noise level that the networks were trained for.
        given: what the input is called, where it is among the entries.
        base: name of the base entry of an ablation.
        command: that measures more levels, for what is missing.

    Returns:
        The figure, or what is missing.
    """
    networks = levels[levels["entry"] != given]
    titles = list(dict.fromkeys(networks["dataset"]))
    if not titles:
        return Missing(f"{TITLE}: no network was measured at {LEAST} noise levels of the same images", command)
    panels = {title: levels[levels["dataset"] == title] for title in titles}
    look = looks(networks["entry"].unique(), base)
    if (levels["entry"] == given).any():
        look[given] = _INPUT
    seeds = " The band is one sample deviation over seeds to each side." if networks["deviation"].notna().any() else ""
    return drawn(
        _drawing(panels, look, trained, given, tall=False),
        tall=_drawing(panels, look, trained, given, tall=True),
        values=levels.rename(columns={"level": "noise_level", "psnr": "psnr_db", "deviation": "deviation_db"}),
        name=name,
        title=TITLE,
        caption=(
            "Mean PSNR of test images with white Gaussian noise of standard deviation σ (of 255), made of the same "
            f"random numbers at each level. The networks were trained for σ = {shown(trained)}, where the thin line "
            f"stands: what lies beside it says how they generalise.{seeds}"
        ),
        alt=_alt(panels, trained),
    )


def _drawing(
    panels: dict[str, pd.DataFrame], look: dict[str, Look], trained: float, given: str, *, tall: bool
) -> Drawing:
    # Beside the last panel stand the names of its lines, which have to be all that there are.
    below = tall or len(look) > _BESIDE or any(set(found["entry"]) != set(look) for found in panels.values())
    legend = LEGEND * (len(look) + 1) if below else 0.0
    with styled():
        drawing, grid = in_panels(len(panels), _WIDE + legend, _WIDE * len(panels) + legend, tall=tall)
        for axes, (title, found) in zip(grid, panels.items(), strict=True):
            for entry, line in found.groupby("entry", sort=False):
                _line(axes, line, look[str(entry)], dashed=entry == given)
            axes.axvline(trained, linewidth=0.8, color=INK, zorder=0)
            axes.annotate(
                "trained for",
                (trained, 1.0),
                (0, 2),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=7.5,
            )
            axes.set_title(title, pad=14)
            axes.set(xlabel="noise level σ of the test images", ylabel="PSNR (dB)")
            axes.label_outer()
        names = list(look)
        if below:
            names_below(
                drawing,
                [(one, look[one].colour, look[one].marker, "--" if one == given else "-") for one in names],
            )
        else:
            last = list(panels.values())[-1].groupby("entry", sort=False)["psnr"].last()
            end_labels(grid[-1], names, [float(last[one]) for one in names], [look[one].colour for one in names], _AXES)
    return drawing


def _line(axes: Axes, line: pd.DataFrame, look: Look, *, dashed: bool) -> None:
    level, psnr = line["level"].to_numpy(float), line["psnr"].to_numpy(float)
    spread = line["deviation"].fillna(0).to_numpy(float)
    axes.plot(
        level,
        psnr,
        color=look.colour,
        marker=look.marker,
        markersize=4,
        linewidth=1.2 if dashed else 1.6,
        linestyle=(0, (4, 3)) if dashed else "-",
    )
    if spread.any():
        axes.fill_between(level, psnr - spread, psnr + spread, color=look.colour, alpha=0.18, linewidth=0)


def _alt(panels: dict[str, pd.DataFrame], trained: float) -> str:
    said = []
    for title, found in panels.items():
        lines = (
            f"{entry} "
            + ", ".join(
                f"{number(psnr, 2)} dB at σ = {shown(level)}"
                for level, psnr in zip(line["level"], line["psnr"], strict=True)
            )
            for entry, line in found.groupby("entry", sort=False)
        )
        said.append(f"{title}: {'; '.join(lines)}.")
    return f"Lines, one per network, trained for σ = {shown(trained)}. " + " ".join(said)
