"""Carry out a trial on a machine that has neither the store nor, perhaps, the images: in a folder of its own."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from converse.errors import ConverseError, ConverseWarning
from converse.experiments.running.apart import packed_error
from converse.experiments.running.execute import execute
from converse.experiments.running.jobs import Job
from converse.experiments.running.outcomes import Outcome
from converse.experiments.running.parcels import Answer, News, Outbox, Pace, Parcel, at_hand, moved, unpacked
from converse.experiments.running.torch_settings import TorchSettings, torch_settings
from converse.experiments.running.watched import brings_code, execute_watched
from converse.experiments.store import Store
from converse.experiments.training.interruption import STOPPED, Stop, Stopped
from converse.experiments.trials import DEVICES, platform_class

Send = Callable[[str, Any], None]
"""Tells who waits for the trial: ``("at", ("training", 120, 300, ""))``, ``("news", News)``."""


def carry_out_away(
    parcel: Parcel,
    where: str,
    *,
    fetch: Callable[[str], bytes | None],
    send: Send,
    stop: Stop,
) -> Answer:
    """Carry out one trial here, and tell all that comes of it.

    Args:
        parcel: the trial.
        where: this machine, for messages.
        fetch: gives the content of a file that is not here; ``None`` where it has not come along.
        send: told about once in a second.
        stop: asked after each step and each image.

    Returns:
        What became of it; a mistake that the user can correct is in it, and not raised.
    """
    try:
        places = at_hand(parcel.files, parcel.job, fetch)
        if lacking := tuple(sha256 for sha256 in parcel.files if sha256 not in places):
            return Answer("lacking", where, lacking=lacking)
        with (
            tempfile.TemporaryDirectory(prefix="converse-", ignore_cleanup_errors=True) as place,
            warnings.catch_warnings(record=True) as said,
            torch_settings(parcel.device, parcel.threads) as here,
        ):
            warnings.simplefilter("always", ConverseWarning)
            if not _of_its_class(parcel, here):
                return Answer("elsewhere", where)
            answer = _carried_out(moved(parcel.job, places), parcel, here, Path(place), where, send, stop)
            told = tuple(str(one.message) for one in said if issubclass(one.category, ConverseWarning))
        return Answer(**{**vars(answer), "warnings": told})
    except ConverseError as error:
        return Answer("raised", where, raised=packed_error(error))


def _of_its_class(parcel: Parcel, here: TorchSettings) -> bool:
    if parcel.job.trial.anywhere:
        return True
    planned = {name: value for name, value in parcel.job.trial.platform.items() if name != DEVICES}
    return platform_class(here.device, planned["precision"], threads=here.threads) == planned


def _carried_out(
    job: Job, parcel: Parcel, here: TorchSettings, place: Path, where: str, send: Send, stop: Stop
) -> Answer:
    folder = Store(place).folder(job.trial)
    unpacked(parcel, folder)
    outbox, pace = Outbox(folder), Pace(parcel.look_every)
    send("began", where)

    def report(what: str, done: int, total: int, upcoming: str = "") -> None:
        if pace.due():
            send("at", (what, done, total, upcoming))
            if outbox.changed():
                send("news", outbox.letter())

    carry: Callable[..., Outcome] = execute
    if parcel.limit is not None or brings_code(job):
        carry = partial(execute_watched, limit=parcel.limit)
    state: Any
    reason, raised = "", None
    try:
        outcome = carry(job, folder, here, stop=stop, report=report)
        state, reason = outcome.state, outcome.reason
    except Stopped as stopped:
        state, reason = "interrupted", str(stopped) or STOPPED
    except ConverseError as error:
        state, reason, raised = "raised", str(error), packed_error(error)
    news: News = outbox.whole()
    return Answer(state, where, reason, folder.written_status().seconds, news, raised)
