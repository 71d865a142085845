"""``converse explain``: why a trial is (not) up to date, and in what two trials differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from converse.cli.options import STORE, Format, OutputFormat, StoreDir
from converse.cli.printing import print_document, print_json, print_table, say
from converse.counted import counted

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

    explained = explain_trial(Store(store, create=False), trial)
    if output is OutputFormat.json:
        print_json(asdict(explained))
        return 0
    made_by = {key: value for key, value in (explained.provenance or {}).items() if key != "earlier"}
    sections = {"ingredients": leaves(explained.ingredients), "provenance": leaves(made_by) if made_by else []}
    if output is OutputFormat.csv:
        state = [("trial", explained.trial), *asdict(explained.status).items(), ("up_to_date", explained.up_to_date)]
        rows = [
            {"section": section, "key": key, "value": _text(value)}
            for section, pairs in {"status": state, **sections}.items()
            for key, value in pairs
        ]
        print_document(("section", "key", "value"), rows, output)
        return 0
    own = explained.ingredients
    words = [own["entry"], own["task"], own["source"], f"seed {own['seed']}", f"budget {own['budget']}"]
    say(f"{explained.trial}: {', '.join(word for word in words if not word.endswith('None'))}")
    times = f", {duration(explained.status.seconds)} of work in {counted(explained.status.attempts, 'attempt')}"
    say(f"{explained.status.state}{times if explained.status.attempts else ''}")
    say("up to date: yes" if explained.up_to_date else f"up to date: no; {'; '.join(explained.reasons)}")
    for note in explained.notes:
        say(f"note: {note}")
    for section, pairs in sections.items():
        say()
        print_table((section, ""), [(key, _text(value)) for key, value in pairs] or [("none yet", "")])
    return 0


def _two(trial: str, other: str, store: Path, output: OutputFormat) -> int:
    from converse.experiments.store import Store
    from converse.workflows.explain import compare

    compared = compare(Store(store, create=False), trial, other)
    sections = {"ingredients": compared.ingredients, "provenance": compared.provenance}
    if output is OutputFormat.json:
        listed = {section: [_record(one) for one in differing] for section, differing in sections.items()}
        print_json({"left": compared.left, "right": compared.right, **listed})
        return 0
    if output is OutputFormat.csv:
        rows = [
            {"section": section, "path": one.path, "left": _text(one.left), "right": _text(one.right)}
            for section, differing in sections.items()
            for one in differing
        ]
        print_document(("section", "path", "left", "right"), rows, output)
        return 0
    if compared.left == compared.right:
        say(f"{compared.left} and {compared.right} are the same trial")
        return 0
    _print_differences("ingredients that differ", compared, compared.ingredients)
    if compared.provenance:
        say()
        _print_differences("provenance that differs (no id depends on it)", compared, compared.provenance)
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
