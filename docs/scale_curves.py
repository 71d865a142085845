"""`python docs/scale_curves.py` writes the tables of scale.md, and its picture, from the measurements in docs/scale.

Those are made anew by

    python benchmarks/speed/many_trials.py --kinds empty run --output docs/scale/trials.json
    python benchmarks/speed/many_trials.py --kinds short --sizes 10 100 1000 --output docs/scale/trials.json
    python benchmarks/speed/stores.py --trials 10 100 1000 10000 --output docs/scale/commands.json
    python benchmarks/speed/engines_here.py --output docs/scale/engines.json
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
BEGIN_ENGINES = "<!-- measured on one machine: written by docs/scale_curves.py from docs/scale -->"
END = "<!-- end of what was measured -->"

KINDS = {"empty": "empty", "short": "short", "run": "whole run"}
WAYS = {"one process": "one process", "helpers": "helpers, as many as cores", "ray": "Ray"}

COMMANDS = {
    "status": "converse status",
    "explain": "converse explain",
    "list": "converse store list",
    "report": "converse report",
}
DURATIONS = {"10 seconds": 10, "a minute": 60, "10 minutes": 600, "an hour": 3600}
GPUS = (1000, 4000)


def measured(name: str) -> dict[str, Any]:
    """What was measured: ``trials``, ``commands`` or ``engines``."""
    found: dict[str, Any] = json.loads((DOCS / "scale" / f"{name}.json").read_text("utf-8"))
    return found


def by_clock(size: dict[str, Any]) -> float:
    """Milliseconds for each trial, by the clock."""
    return 1000 * float(size["wall_s"]) / int(size["trials"])


def seconds(found: dict[str, Any], command: str) -> dict[int, float]:
    """Trials → CPU seconds of a command that looks at a store of so many."""
    return {line["trials"]: line["cpu_s"] for line in found["commands"] if line["command"] == command}


def load(lines: Sequence[dict[str, Any]]) -> str:
    """The machine's load from the least to the largest."""
    loads = [line["load"] for line in lines]
    return f"a load of {min(loads):.0f} to {max(loads):.0f}"


def tables() -> str:
    """The tables of how it grows, with the machine that each was measured on."""
    trials = measured("trials")
    return "\n".join([*_growth(trials), "", *_stores(measured("commands")), "", *_gpus(trials)])


def _growth(found: dict[str, Any]) -> Iterator[str]:
    lines = [line for kind in KINDS for line in found[kind]]
    yield f"Runs on {found['cores']} cores of {found['machine']}, {load(lines)}:\n"
    yield "| trials | how many | CPU for each, ms | of it in Python, ms | by the clock for each, ms | memory, MB |"
    yield "|---|---|---|---|---|---|"
    for kind, title in KINDS.items():
        for size in found[kind]:
            numbers = (size["cpu_ms_per_trial"], size["of_it_python_ms"], by_clock(size))
            cells = " | ".join(f"{one:.1f}" for one in numbers)
            yield f"| {title} | {size['trials']:,} | {cells} | {size['driver_mb']:,.0f} |"


def _stores(found: dict[str, Any]) -> Iterator[str]:
    yield f"CPU seconds of commands on stores of finished trials, {found['cores']} cores of {found['machine']},"
    yield f"{load(found['commands'])}:\n"
    yield f"| trials | {' | '.join(f'`{name}`' for name in COMMANDS.values())} |"
    yield f"|---{'|---' * len(COMMANDS)}|"
    columns = [seconds(found, command) for command in COMMANDS]
    for trials in columns[0]:
        cells = [f"{column[trials]:.2f}" if column[trials] < 10 else f"{column[trials]:.0f}" for column in columns]
        yield f"| {trials:,} | {' | '.join(cells)} |"


def costs(found: dict[str, Any]) -> tuple[float, float]:
    """Milliseconds for each trial: CPU where answers have all that a trial gives, and a whole run's by the clock."""
    return float(found["short"][-1]["cpu_ms_per_trial"]), by_clock(found["run"][-1])


def _gpus(found: dict[str, Any]) -> Iterator[str]:
    short, whole = (found[kind][-1]["trials"] for kind in ("short", "run"))
    yield f"What that says of large clusters, by the CPU of {short:,} short trials and by the clock of a whole run of"
    yield f"{whole:,}: GPUs that one process can serve, and how busy it is with fewer, where each GPU has one trial"
    yield "at a time.\n"
    shares = " | ".join(f"busy with {gpus:,} GPUs: CPU, clock" for gpus in GPUS)
    yield f"| a trial takes | GPUs by CPU | GPUs by this machine's clock | {shares} |"
    yield f"|---|---|---|{'---|' * len(GPUS)}"
    seconds_each = [one / 1000 for one in costs(found)]
    for name, duration in DURATIONS.items():
        most = [f"{_rounded(duration / cost):,}" for cost in seconds_each]
        busy = [", ".join(_share(gpus * cost / duration) for cost in seconds_each) for gpus in GPUS]
        yield f"| {name} | {' | '.join(most)} | {' | '.join(busy)} |"


def engines() -> str:
    """The table of the ways to run several trials at once on one machine."""
    found = measured("engines")
    few, many = found["seeds"]
    here = f"{found['cores']} cores of {found['machine']}"
    lines = [
        f"Medians of {found['repeats']} runs of {few} and of {many} trials, {here}:\n",
        f"| way | once, s: CPU, clock | each trial, s: CPU, clock | {many} trials, s: CPU, clock | processes |",
        "|---|---|---|---|---|",
    ]
    for way in found["ways"]:
        cells = [
            ", ".join(f"{way[f'{clock}_{what}_s']:.{digits}f}" for clock in ("cpu", "wall"))
            for what, digits in (("once", 1), ("each", 3), (f"of_{many}", 1))
        ]
        lines.append(f"| {WAYS[way['way']]} | {' | '.join(cells)} | {way['processes']} |")
    return "\n".join(lines)


def _rounded(number: float) -> int:
    return int(float(f"{number:.2g}"))


def _share(share: float) -> str:
    return "too many" if share > 1 else f"{100 * share:.2g} %"


def page(text: str) -> str:
    """The page with its tables written anew."""
    for begin, written in ((BEGIN, tables()), (BEGIN_ENGINES, engines())):
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(END)
        text = f"{before}{begin}\n\n{written}\n\n{END}{after}"
    return text


def draw() -> None:
    """Four panels: cost of a trial, memory, reading a store, and GPUs that one process can serve."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update(
        {"svg.hashsalt": "scale", "svg.fonttype": "none", "font.size": 9, "axes.grid": True, "grid.alpha": 0.3}
    )
    from matplotlib import pyplot

    trials, found = measured("trials"), measured("commands")
    figure, ((cost, memory), (reading, serving)) = pyplot.subplots(2, 2, figsize=(8, 5.6), layout="constrained")
    looks = {"empty": ("o-", "#d55e00"), "short": ("^-.", "#009473"), "run": ("D:", "#9a5fb8")}
    for kind, (style, colour) in looks.items():
        many = [size["trials"] for size in trials[kind]]
        each = [size["cpu_ms_per_trial"] for size in trials[kind]]
        cost.plot(many, each, style, color=colour, label=f"{KINDS[kind]}, CPU")
        memory.plot(many, [size["driver_mb"] for size in trials[kind]], style, color=colour, label=KINDS[kind])
    many = [size["trials"] for size in trials["run"]]
    cost.plot(many, [by_clock(size) for size in trials["run"]], "s--", color="#0072b2", label="whole run, clock")
    cost.set(title="sending, receiving and storing a trial", ylabel="ms for each", xscale="log", yscale="log")
    memory.set(title="memory of the process that does it", ylabel="MB", xscale="log")
    memory.set_ylim(0, 1.25 * max(size["driver_mb"] for size in trials["run"]))
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
    by_cpu, by_wall = costs(trials)
    for label, cost_ms, style, colour in (
        ("CPU, short trials", by_cpu, "^-.", "#009473"),
        ("clock, whole run", by_wall, "s--", "#0072b2"),
    ):
        serving.plot(durations, [1000 * one / cost_ms for one in durations], style, color=colour, label=label)
    serving.axhline(GPUS[0], color="#767c85", linewidth=1)
    serving.set(title="GPUs that one process can serve", ylabel="GPUs", xscale="log", yscale="log")
    serving.set_xlabel("seconds that a trial takes")
    for panel in (cost, memory, reading, serving):
        panel.legend(frameon=False, fontsize=8)
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    draw()
