"""``converse explain``: why a trial is (not) up to date, and in what two trials differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli.options import STORE, Format, OutputFormat, StoreDir
from converse.cli.printing import print_document, print_json, print_table, say

if TYPE_CHECKING:
    from pathlib import Path

    from converse.experiments.trials import Difference
    from converse.workflows.explain import Comparison


def explain(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="Its id, or the first digits of it.")],
    other: Annotated[
        str | None, typer.Argument(metavar="[OTHER]", help="Another trial to hold it against.", show_default=False)
    ] = None,
    store: StoreDir = STORE,
    output: Format = OutputFormat.table,
) -> int:
    """Show what a trial depends on, what made its numbers, and whether it is up to date; or how two trials differ.

    Ids are those that `converse status` shows. What an id depends on: configuration, data, weights, operator file,
    numerics version and platform class. The sources and the commit are kept as provenance; no id depends on them.
    """
    return _one(trial, store, output) if other is None else _two(trial, other, store, output)


def _one(trial: str, store: Path, output: OutputFormat) -> int:
    from dataclasses import asdict

    from converse.experiments.store import Store
    from converse.workflows.explain import explain as explain_trial
    from converse.workflows.explain import leaves
    from converse.workflows.status import duration

    found = explain_trial(Store(store, create=False), trial)
    if output is OutputFormat.json:
        print_json(asdict(found))
        return 0
    made_by = {key: value for key, value in (found.provenance or {}).items() if key != "earlier"}
    sections = {"ingredients": leaves(found.ingredients), "provenance": leaves(made_by) if made_by else []}
    if output is OutputFormat.csv:
        state = [("trial", found.trial), *asdict(found.status).items(), ("up_to_date", found.up_to_date)]
        rows = [
            {"section": section, "key": key, "value": _text(value)}
            for section, pairs in {"status": state, **sections}.items()
            for key, value in pairs
        ]
        print_document(("section", "key", "value"), rows, output)
        return 0
    own = found.ingredients
    words = [own["entry"], own["task"], own["source"], f"seed {own['seed']}", f"budget {own['budget']}"]
    say(f"{found.trial}: {', '.join(word for word in words if not word.endswith('None'))}")
    times = f", {duration(found.status.seconds)} of work in {found.status.attempts} attempt(s)"
    say(f"{found.status.state}{times if found.status.attempts else ''}")
    say("up to date: yes" if found.up_to_date else f"up to date: no; {'; '.join(found.reasons)}")
    for note in found.notes:
        say(f"note: {note}")
    for section, pairs in sections.items():
        say()
        print_table((section, ""), [(key, _text(value)) for key, value in pairs] or [("none yet", "")])
    return 0


def _two(trial: str, other: str, store: Path, output: OutputFormat) -> int:
    from converse.experiments.store import Store
    from converse.workflows.explain import compare

    found = compare(Store(store, create=False), trial, other)
    sections = {"ingredients": found.ingredients, "provenance": found.provenance}
    if output is OutputFormat.json:
        listed = {section: [_record(one) for one in differing] for section, differing in sections.items()}
        print_json({"left": found.left, "right": found.right, **listed})
        return 0
    if output is OutputFormat.csv:
        rows = [
            {"section": section, "path": one.path, "left": _text(one.left), "right": _text(one.right)}
            for section, differing in sections.items()
            for one in differing
        ]
        print_document(("section", "path", "left", "right"), rows, output)
        return 0
    if found.left == found.right:
        say(f"{found.left} and {found.right} are the same trial")
        return 0
    _print_differences("ingredients that differ", found, found.ingredients)
    if found.provenance:
        say()
        _print_differences("provenance that differs (no id depends on it)", found, found.provenance)
    return 0


def _print_differences(title: str, found: Comparison, differing: Sequence[Difference]) -> None:

    rows = [(one.path, _text(one.left), _text(one.right)) for one in differing]
    print_table((title, found.left, found.right), rows)


def _record(one: Difference) -> dict[str, Any]:
    """A difference for JSON; the key of a side that does not have the ingredient is left out."""
    from converse.experiments.trials import ABSENT

    sides = {"left": one.left, "right": one.right}
    return {"path": one.path, **{side: value for side, value in sides.items() if value is not ABSENT}}


def _text(value: Any) -> str:
    from converse.experiments.trials import ABSENT

    return (
        value if isinstance(value, str) else repr(ABSENT) if value is ABSENT else json.dumps(value, ensure_ascii=False)
    )
