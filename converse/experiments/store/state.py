"""How far a trial is: planned, running, done, failed or interrupted, with its times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, get_args

from converse.experiments.store.files import Damaged
from converse.experiments.store.schema import check_shape
from converse.experiments.store.shapes import COUNT, MOMENT, SECONDS, TEXT, one_of, optional, shown

State = Literal["planned", "running", "done", "failed", "interrupted"]


@dataclass(frozen=True)
class Status:
    """How far a trial is.

    Attributes:
        state: ``running`` only while its process lives.
        reason: why it failed or was interrupted; of a trial that is done, which images have no value and why; empty
            otherwise.
        started: first start, UTC in ISO 8601; ``None`` before.
        resumed: start of the latest stretch of work.
        finished: end of the latest stretch; ``None`` while running.
        seconds: time spent working, over all stretches.
        attempts: how often work was begun.
    """

    state: State = "planned"
    reason: str = ""
    started: str | None = None
    resumed: str | None = None
    finished: str | None = None
    seconds: float = 0.0
    attempts: int = 0

    @property
    def incomplete(self) -> bool:
        """Whether nothing is left to do, and yet some images have no value."""
        return self.state == "done" and bool(self.reason)

    @property
    def complete(self) -> bool:
        """Whether it is done and every image has its values."""
        return self.state == "done" and not self.reason


_UNSAID: Final = {field.name: field.default for field in fields(Status)}
_SHAPE: Final = {
    "state": one_of(*get_args(State)),
    "reason": TEXT,
    "started": optional(MOMENT),
    "resumed": optional(MOMENT),
    "finished": optional(MOMENT),
    "seconds": SECONDS,
    "attempts": COUNT,
}


PROGRESS: Final = {"planned": 0, "failed": 1, "interrupted": 1, "running": 1, "done": 2}
"""State → how far a trial is: of one in several stores the furthest counts."""


def advance(before: Status, state: State, reason: str, moment: str | None = None) -> Status:
    """The status that follows.

    Args:
        before: the status so far.
        state: ``running`` begins a stretch of work; ``done``, ``failed`` and ``interrupted`` end it.
        reason: one sentence for the user, where it did not go well, or not wholly.
        moment: when, as :func:`now` says it; ``None`` for now.

    Returns:
        The new status, the seconds of a stretch that ends added.

    Raises:
        ValueError: there is no such state.
    """
    if state not in get_args(State):
        raise ValueError(f"state must be one of {', '.join(get_args(State))}, got {state!r}")
    moment = moment or now()
    if state == "running":
        after = replace(before, started=before.started or moment, resumed=moment, finished=None)
        after = replace(after, attempts=before.attempts + 1)
    else:
        worked = _seconds(before.resumed, moment) if before.state == "running" else 0.0
        ended = moment if state != "planned" else None
        after = replace(before, finished=ended, seconds=round(before.seconds + worked, 3))
    return replace(after, state=state, reason=reason)


def parse(found: Mapping[str, Any] | None, path: Path) -> Status:
    """The status in a ``status.json``.

    Args:
        found: its content; ``None`` when there is no such file.
        path: the file, for the message.

    Returns:
        The status; ``planned`` without a file.

    Raises:
        Damaged: it is no status.
    """
    if found is None:
        return Status()
    check_shape(path, {**_UNSAID, **found}, _SHAPE)
    if strange := sorted(found.keys() - _SHAPE.keys()):
        raise Damaged(f"{path} is damaged: a status has the keys {', '.join(_SHAPE)}, got also {shown(strange[0])}")
    status = Status(**found)
    return replace(status, seconds=float(status.seconds))


def now(ago: float = 0.0) -> str:
    """This moment, or one before it, UTC in ISO 8601 with milliseconds.

    Args:
        ago: seconds.
    """
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _seconds(since: str | None, until: str) -> float:
    if since is None:
        return 0.0
    return max(0.0, (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())
