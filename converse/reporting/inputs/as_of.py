"""A store as it was at a moment: the trials that had ended by then, and what had been asked for of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from converse.reporting.inputs.material import Material, TrialMaterial


def as_of(material: Material, moment: datetime) -> Material:
    """What a store had at a moment.

    A trial counts from the moment at which work on it ended last, since rows have no times: one that was measured on
    further images later is not there before. A request counts as far as its trials are there; that one which is asked
    again keeps the time of the last time alone.

    Args:
        material: of the store as it is.
        moment: with a time zone; what ended at it is not there yet.

    Returns:
        The material of these trials, without speed.
    """
    trials = {key: one for key, one in material.trials.items() if _ended(one, moment)}
    asked = (replace(one, trials=tuple(named for named in one.trials if named[0] in trials)) for one in material.notes)
    return replace(
        material,
        trials=trials,
        rows=material.rows[material.rows["trial"].isin(list(trials))].reset_index(drop=True),
        speed=material.speed.iloc[:0],
        speed_requests={},
        notes=tuple(one for one in asked if one.trials),
    )


def _ended(one: TrialMaterial, moment: datetime) -> bool:
    finished = one.status.finished
    return finished is not None and datetime.fromisoformat(finished).astimezone(UTC) < moment
