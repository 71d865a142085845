"""What a command would do, for ``--dry-run``: the same table for every command that measures networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converse.cli.options import OutputFormat
from converse.cli.printing import print_document, print_table, say

if TYPE_CHECKING:
    from converse.experiments.running.throughput import Source
    from converse.workflows.preview import Preview, PreviewLine

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def print_preview(preview: Preview, output: OutputFormat, *, retry_failed: bool) -> None:
    """Print what there is to do, with what it takes and how that is known.

    Args:
        preview: of a request.
        output: as the user asked for it.
        retry_failed: whether the request runs failed trials again.
    """
    from converse.workflows.preview import COLUMNS

    for note in preview.notes:
        say(f"note: {note}", err=True)
    if output is not OutputFormat.table:
        print_document(COLUMNS, preview.lines, output)
        return
    heads = ("trial", "entry", "seed", "state", "images of", "left", "steps", "multiply-adds", "time, or why not")
    print_table(heads, [_cells(line) for line in preview.lines])
    if not any(line["steps"] or line["images"] for line in preview.lines):
        say("nothing to do")
    else:
        whole = "an unknown time" if preview.seconds is None else f"about {time_range(*preview.seconds)}"
        say(f"in all {whole}, {preview.bytes / 1e6:.1f} MB of disk")
        for source in dict.fromkeys(line["estimated_from"] for line in preview.lines):
            if source is not None:
                say(basis(source))
    if not retry_failed and any(line["state"] == "failed" for line in preview.lines):
        say("failed trials are left alone; --retry-failed runs them again")


def time_range(least: float, most: float) -> str:
    """Two times as people write them; one, where both are written alike."""
    from converse.workflows.status import duration

    low, high = duration(least), duration(most)
    return low if low == high else f"{low} to {high}"


def prefixed(number: float | None) -> str:
    """A large number in three digits: ``240 P`` for 2.4·10¹⁷; a dash for one that is not known."""
    if number is None:
        return "–"
    power = 0
    while number >= 999.5 and power < len(_PREFIXES) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {_PREFIXES[power]}".strip()


def basis(source: Source) -> str:
    """How times are known, in a sentence."""
    return {
        "trials": "times: of finished trials of the same training under other seeds",
        "rows": "times: of images that the same network has restored",
        "speed": "times: multiply-adds, at the rate that `converse speed` measured for the network on this machine",
        "yardstick": "times: multiply-adds, at the rate of a convolution that was timed just now and by what part of "
        "it such networks reach (measured on a CPU); rough, within the range",
        "table": "times: multiply-adds, at the device's peak by its vendor and by guesses of what part of it such "
        "networks reach: nothing was measured on it",
    }[source]


def _cells(line: PreviewLine) -> list[str]:
    work = bool(line["steps"] or line["images"])
    least, most = line["least_seconds"], line["most_seconds"]
    time = "unknown" if least is None or most is None else time_range(least, most)
    return [
        line["trial"] or "",
        line["entry"],
        "" if line["seed"] is None else str(line["seed"]),
        line["state"],
        ", ".join(line["datasets"]),
        f"{line['images']:,}",
        f"{line['steps']:,}",
        prefixed(line["multiply_adds"]) if work else "",
        line["reason"] or (time if work else ""),
    ]
