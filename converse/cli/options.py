"""The options that mean the same in every command: one declaration each, with the help text that teaches it.

A command writes ``store: StoreDir = STORE`` and so on. Options that take several names may be repeated or may hold
a list with commas; :func:`names` and :func:`seed_numbers` turn what was typed into values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from converse.counted import counted
from converse.errors import OptionError

if TYPE_CHECKING:
    from converse.experiments.running.ray_options import RayOptions

MOST_SEEDS = 10_000
"""In one range: a trial each, of which no suite has more."""

STORE = Path("runs")
DEVICE = "auto"
KEEP_LIMIT = 256


class OutputFormat(StrEnum):
    """How a command writes its result to standard output."""

    table = "table"
    json = "json"
    csv = "csv"


class KeptImages(StrEnum):
    """Which restored images are kept."""

    all = "all"
    crops = "crops"
    none = "none"


def _above_zero(seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise OptionError(f"--trial-timeout must be above 0 seconds, got {seconds:g}")
    return seconds


def _named_store(text: str | Path) -> str | Path:
    """A store's name as it was typed: an address as a path would lose a slash."""
    return str(text) if "://" in str(text) else Path(text)


def _placed(ctx: typer.Context, value: Any) -> Any:
    """The folders of stores; that of an address is brought up to date, and sent back when the command ends."""
    if isinstance(value, list | tuple):
        return [_placed(ctx, one) for one in value]
    if value is None or isinstance(value, Path):
        return value
    from converse.experiments.store.address import placed

    return ctx.with_resource(placed(value))


STORE_NAME: Final[dict[str, Any]] = {"parser": _named_store, "callback": _placed}
"""Of an option or argument of typer's that names a store: a folder, or an address."""

StoreDir = Annotated[
    Path,
    typer.Option(
        "--store",
        metavar="DIR",
        **STORE_NAME,
        help="Where results are kept: a folder, or an address such as s3://bucket/runs. What is in it already is not "
        "measured again.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        envvar="CONVERSE_DATA",
        help="A folder with images and weights, used before the cache and before any download.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where to compute: cpu, cuda, cuda:1 …; auto takes cuda when there is one.",
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--budget",
        metavar="NAME",
        help="How much to train: smoke (seconds), quick (small networks, minutes), standard or paper.",
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option("--seeds", metavar="LIST", help="Seeds in place of the suite's own: 0,1,2 or 0-4."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ENTRY", help="Only these entries, by name; repeat it or use commas."),
]
Datasets = Annotated[
    list[str] | None,
    typer.Option(
        "--datasets",
        metavar="NAME|FOLDER",
        help="Only these test sets: names that `converse data list` knows, or folders of your own images; "
        "repeat it or use commas.",
    ),
]
Images = Annotated[
    int | None,
    typer.Option(
        "--images",
        metavar="N",
        min=1,
        help="Only the first N images of each test set: a quick look, which is not compared with published means.",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option("--metrics", metavar="NAME", help="Which metrics: psnr, ssim, lpips; repeat it or use commas."),
]
Format = Annotated[
    OutputFormat,
    typer.Option("--format", help="json and csv write one document to standard output; progress goes to stderr."),
]
Match = Annotated[
    float,
    typer.Option("--match", metavar="DB", min=0, help="Verdict match: at most this far from the published value."),
]
Close = Annotated[
    float,
    typer.Option("--close", metavar="DB", min=0, help="Verdict close: at most this far; beyond it, differs."),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="End with status 1 when a verdict is differs (otherwise it is a result like any)."),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Show what would be done, and what is done already, and do nothing."),
]
FromReference = Annotated[
    bool,
    typer.Option(
        "--from-reference",
        help="Bring the rows that come with this benchmark into the store first, so that its report is complete from "
        "the beginning; what is computed here stands beside them, each with its machine.",
    ),
]
RetryFailed = Annotated[bool, typer.Option("--retry-failed", help="Run trials again that failed.")]


class EngineName(StrEnum):
    """Where trials run."""

    local = "local"
    ray = "ray"


Engine = Annotated[
    EngineName,
    typer.Option("--engine", help="Where trials run: on this machine, or on a Ray cluster, many at the same time."),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="With --engine ray: the cluster's head, or auto; by default RAY_ADDRESS, or Ray is started on this "
        "machine.",
        show_default=False,
    ),
]
SamePlatform = Annotated[
    bool,
    typer.Option(
        "--same-platform",
        help="With --engine ray: refuse a cluster whose machines are not all of one platform class.",
    ),
]
GpusPerTrial = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-trial",
        metavar="N",
        help="With --engine ray on GPUs: 1, or a fraction such as 0.25, and several trials share one.",
        show_default="1",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads",
        metavar="N",
        min=1,
        help="CPU threads to compute with. Default: those of the request's own trials, where the store has some; "
        "otherwise all that torch takes.",
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        "--devices",
        metavar="N",
        min=1,
        help="Train each network by N processes, each with a GPU (on a CPU, with its threads) and its part of every "
        "batch; these are other trials than those of one process, for sums are taken in another order.",
    ),
]
TrialTimeout = Annotated[
    float | None,
    typer.Option(
        "--trial-timeout",
        metavar="SECONDS",
        help="End a trial that takes longer in this run, and record it as failed; by default none is ended.",
        callback=_above_zero,
        show_default=False,
    ),
]
KeepImages = Annotated[
    KeptImages | None,
    typer.Option(
        "--keep-images",
        help="Which restored images are kept in the store, for the report's viewer: all; crops, one window of each of "
        "three images per test set; or none. What is named is made up for finished trials too. Default: crops, of what "
        "is measured now.",
        show_default=False,
    ),
]
KeepLimit = Annotated[
    int,
    typer.Option("--keep-limit", metavar="MB", min=1, help="Keep at most so many megabytes of images of each trial."),
]


def cluster(
    engine: EngineName, address: str | None, same_platform: bool, gpus_per_trial: float | None
) -> RayOptions | None:
    """The Ray cluster that the options name; ``None`` for this machine.

    Raises:
        OptionError: one of them is given without ``--engine ray``, or has no such value.
    """
    from converse.experiments.running.ray_options import RayOptions

    given = {"--address": address, "--same-platform": same_platform, "--gpus-per-trial": gpus_per_trial}
    if engine is EngineName.local:
        if strange := [name for name, value in given.items() if value]:
            raise OptionError(f"{strange[0]} is about a Ray cluster: add --engine ray, or leave it out")
        return None
    return RayOptions(address, same_platform, 1.0 if gpus_per_trial is None else gpus_per_trial)


def names(values: Sequence[str] | None, known: Iterable[str] = ()) -> tuple[str, ...] | None:
    """The names of an option that may be repeated and may hold commas, in the order typed, each once.

    A value that is an existing path is taken whole, whatever commas it has; so are names that are known.

    Args:
        values: what the option received; ``None`` or empty when it was not given.
        known: names that may have commas themselves, in any case.

    Returns:
        The names, or ``None`` when the option was not given.

    Raises:
        OptionError: the option was given and holds no name.
    """
    if not values:
        return None
    whole = {name.strip().casefold() for name in known}
    parts = [part for value in values for part in ([value] if Path(value).exists() else _split(value, whole))]
    found = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    if not found:
        raise OptionError(f"expected a name or names with commas, got {', '.join(map(repr, values))}")
    return found


def _split(value: str, known: Set[str]) -> Iterator[str]:
    """At commas, but for those inside of known names, the longest first."""
    parts = value.split(",")
    while parts:
        ends = (end for end in range(len(parts), 1, -1) if ",".join(parts[:end]).strip().casefold() in known)
        end = next(ends, 1)
        yield ",".join(parts[:end])
        parts = parts[end:]


def numbers(option: str, text: str | None) -> tuple[float, ...]:
    """The numbers of an option that holds a list with commas, in the order typed.

    Args:
        option: its name, for messages.
        text: what it received; ``None`` when it was not given.

    Returns:
        The numbers; none when the option was not given.

    Raises:
        OptionError: a part is no number.
    """
    if text is None:
        return ()
    found = []
    for part in text.split(","):
        try:
            found.append(float(part))
        except ValueError:
            raise OptionError(f"{option} takes numbers with commas, such as 15,35,50, got {text!r}") from None
    return tuple(found)


def seed_numbers(text: str | None) -> tuple[int, ...] | None:
    """The seeds that ``--seeds`` names: ``0,1,2``, ``0-4`` or a mixture, each once.

    Args:
        text: what the option received; ``None`` when it was not given.

    Returns:
        Seeds ≥ 0 in the order typed, or ``None``.

    Raises:
        OptionError: a part is neither a number nor a range.
    """
    if text is None:
        return None
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise OptionError(f"--seeds takes numbers and ranges such as 0,1,2 or 0-4, got {text!r}")
        if dash and int(last) < int(first):
            raise OptionError(f"--seeds: the range {part.strip()!r} runs backwards")
        if int(last if dash else first) - int(first) >= MOST_SEEDS:
            raise OptionError(f"--seeds: the range {part.strip()!r} has more than {counted(MOST_SEEDS, 'seed')}")
        seeds.extend(range(int(first), int(last if dash else first) + 1))
    return tuple(dict.fromkeys(seeds))
