"""`python docs/scale_curves.py` writes the tables of scale.md, and its picture, from the measurements in docs/scale.

Those are made anew by ``python benchmarks/speed/many_trials.py --output docs/scale/growth.json`` and
``python benchmarks/speed/stores.py --trials 10 100 1000 10000 --only status explain list report --repeats 1 --output
docs/scale/stores.json``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "scale.md"
PICTURE = DOCS / "images" / "scale.svg"
BEGIN = "<!-- measured: written by docs/scale_curves.py from docs/scale -->"
END = "<!-- end of what was measured -->"

COMMANDS = {
    "status": "converse status",
    "explain": "converse explain",
    "list": "converse store list",
    "report": "converse report",
}
DURATIONS = {"10 seconds": 10, "a minute": 60, "10 minutes": 600, "an hour": 3600}
GPUS = (1000, 4000)


def growth() -> dict[str, Any]:
    """What `many_trials.py` wrote."""
    found: dict[str, Any] = json.loads((DOCS / "scale" / "growth.json").read_text("utf-8"))
    return found


def stores() -> dict[str, Any]:
    """What `stores.py` wrote."""
    found: dict[str, Any] = json.loads((DOCS / "scale" / "stores.json").read_text("utf-8"))
    return found


def by_clock(size: dict[str, Any]) -> float:
    """Milliseconds for each trial, by the clock: mostly those of the disk."""
    return 1000 * float(size["wall_s"]) / int(size["trials"])


def seconds(found: dict[str, Any], command: str) -> dict[int, float]:
    """Trials → CPU seconds of a command that looks at a store of so many."""
    return {line["trials"]: line["cpu_s"] for line in found["commands"] if line["command"] == command}


def load(lines: Sequence[dict[str, Any]]) -> str:
    """The machine's load from the least to the largest."""
    loads = [line["load"] for line in lines]
    return f"a load of {min(loads):.0f} to {max(loads):.0f}"


def tables() -> str:
    """The tables of the page, with the machine that each was measured on."""
    return "\n".join([*_growth(growth()), "", *_stores(stores()), "", *_gpus(growth()["sizes"][-1])])


def _growth(found: dict[str, Any]) -> Iterator[str]:
    yield f"Runs of empty trials, {found['cores']} cores of {found['machine']}, {load(found['sizes'])}:\n"
    yield "| trials | CPU for each, ms | of it in Python, ms | by the clock for each, ms | memory, MB |"
    yield "|---|---|---|---|---|"
    for size in found["sizes"]:
        numbers = (size["cpu_ms_per_trial"], size["of_it_python_ms"], by_clock(size))
        yield f"| {size['trials']:,} | {' | '.join(f'{one:.1f}' for one in numbers)} | {size['driver_mb']:.0f} |"


def _stores(found: dict[str, Any]) -> Iterator[str]:
    yield f"CPU seconds of commands on stores of finished trials, {found['cores']} cores of {found['machine']},"
    yield f"{load(found['commands'])}:\n"
    yield f"| trials | {' | '.join(f'`{name}`' for name in COMMANDS.values())} |"
    yield f"|---{'|---' * len(COMMANDS)}|"
    columns = [seconds(found, command) for command in COMMANDS]
    for trials in columns[0]:
        cells = [f"{column[trials]:.2f}" if column[trials] < 10 else f"{column[trials]:.0f}" for column in columns]
        yield f"| {trials:,} | {' | '.join(cells)} |"


def _gpus(size: dict[str, Any]) -> Iterator[str]:
    yield f"What that says of large clusters, by the costs at {size['trials']:,} trials: GPUs that one process can"
    yield "serve, and how busy it is with fewer, where each GPU has one trial at a time.\n"
    shares = " | ".join(f"busy with {gpus:,} GPUs: CPU, clock" for gpus in GPUS)
    yield f"| a trial takes | GPUs by CPU | GPUs by this machine's clock | {shares} |"
    yield f"|---|---|---|{'---|' * len(GPUS)}"
    costs = (size["cpu_ms_per_trial"] / 1000, by_clock(size) / 1000)
    for name, duration in DURATIONS.items():
        most = [f"{_rounded(duration / cost):,}" for cost in costs]
        busy = [", ".join(_share(gpus * cost / duration) for cost in costs) for gpus in GPUS]
        yield f"| {name} | {' | '.join(most)} | {' | '.join(busy)} |"


def _rounded(number: float) -> int:
    return int(float(f"{number:.2g}"))


def _share(share: float) -> str:
    return "too many" if share > 1 else f"{100 * share:.2g} %"


def page(text: str) -> str:
    """The page with its tables written anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def draw() -> None:
    """Four panels: cost of a trial, memory, reading a store, and GPUs that one process can serve."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update(
        {"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
    )
    from matplotlib import pyplot

    sizes, found = growth()["sizes"], stores()
    trials = [size["trials"] for size in sizes]
    figure, ((cost, memory), (reading, serving)) = pyplot.subplots(2, 2, figsize=(8, 5.6), layout="constrained")
    cost.plot(trials, [by_clock(size) for size in sizes], "s--", color="#0072b2", label="by the clock")
    cost.plot(trials, [size["cpu_ms_per_trial"] for size in sizes], "o-", color="#d55e00", label="CPU")
    cost.set(title="sending, receiving and storing a trial", ylabel="ms for each", xscale="log", yscale="log")
    memory.plot(trials, [size["driver_mb"] for size in sizes], "o-", color="#d55e00")
    memory.set(title="memory of the process that does it", ylabel="MB", xscale="log")
    memory.set_ylim(0, 1.25 * max(size["driver_mb"] for size in sizes))
    styles = zip(
        COMMANDS.items(), ("o-", "s--", "^-.", "D:"), ("#d55e00", "#0072b2", "#009473", "#9a5fb8"), strict=True
    )
    for (command, title), style, colour in styles:
        points = seconds(found, command)
        reading.plot(list(points), list(points.values()), style, color=colour, label=title.removeprefix("converse "))
    reading.set(title="reading a store", ylabel="CPU seconds", xscale="log", yscale="log")
    for panel in (cost, memory, reading):
        panel.set_xlabel("trials")
    durations = list(DURATIONS.values())
    for label, each, style, colour in (
        ("by the clock", by_clock(sizes[-1]), "s--", "#0072b2"),
        ("CPU", sizes[-1]["cpu_ms_per_trial"], "o-", "#d55e00"),
    ):
        serving.plot(durations, [1000 * one / each for one in durations], style, color=colour, label=label)
    serving.axhline(GPUS[0], color="#767c85", linewidth=1)
    serving.set(title="GPUs that one process can serve", ylabel="GPUs", xscale="log", yscale="log")
    serving.set_xlabel("seconds that a trial takes")
    for panel in (cost, reading, serving):
        panel.legend(frameon=False, fontsize=8)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    draw()
