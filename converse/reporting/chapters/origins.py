"""Where the numbers of a report come from: code, machines and versions, and which rows older code made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from converse.analysis.studies import machine
from converse.counted import counted
from converse.experiments.trials import NUMERICS_VERSION
from converse.reporting.inputs.material import Material, TrialMaterial
from converse.reporting.report import Environment, Part, TrialFacts, plain_facts
from converse.reporting.tables.sheet import Row, Sheet


def trial_facts(one: TrialMaterial) -> TrialFacts:
    """What made the numbers of a trial."""
    trial, made = one.trial, one.provenance
    name = trial.entry + (f", {trial.budget}" if trial.budget else "")
    older = ""
    if trial.numerics != NUMERICS_VERSION:
        older = f"numerics version {trial.numerics}; this code has {NUMERICS_VERSION}"
    versions = made.get("versions") or {}
    return TrialFacts(
        trial=trial.id,
        name=name if trial.seed is None else f"{name}, seed {trial.seed}",
        state=one.status.state,
        commit=made.get("commit"),
        dirty=made.get("dirty"),
        machine=machine(trial.platform),
        versions=", ".join(
            f"{name} {versions[name]}" for name in ("converse-bench", "torch", "numpy") if name in versions
        ),
        older=older,
    )


def marked(part: Part, trials: Mapping[str, TrialFacts]) -> Part:
    """The part with a mark on each row that older code made."""
    if not any(one.older for one in trials.values()):
        return part
    return replace(part, sheets=tuple(_marked_sheet(sheet, trials) for sheet in part.sheets))


def environments(material: Material) -> tuple[Environment, ...]:
    """The machines and versions, each once with the trials that ran there."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for key, one in material.trials.items():
        made = one.provenance
        if not made:
            continue
        determinism = made.get("determinism") or {}
        facts = plain_facts(
            {
                "GPU": made.get("gpu"),
                "Driver": made.get("driver"),
                "CPU": made.get("cpu"),
                "Cores": made.get("cores"),
                "Threads": made.get("threads"),
                "Memory (GiB)": made.get("memory_gib"),
                "System": made.get("system"),
                "Python": made.get("python"),
                "Commit": _commit(made.get("commit"), made.get("dirty")),
                "Numerics version": one.trial.numerics,
                "Determinism": ", ".join(f"{name}: {_yes(value)}" for name, value in determinism.items()),
                "Versions": ", ".join(f"{name} {version}" for name, version in (made.get("versions") or {}).items()),
            }
        )
        groups.setdefault(facts, []).append(key)
    return tuple(Environment(_title(facts), facts, tuple(keys)) for facts, keys in groups.items())


def _marked_sheet(sheet: Sheet, trials: Mapping[str, TrialFacts]) -> Sheet:
    def older(row: Row) -> bool:
        keys = (key for cell in row.cells if cell.evidence for key in cell.evidence.trials)
        return any(trials[key].older for key in keys if key in trials)

    rows = tuple(replace(row, marks=(*row.marks, "older code")) if older(row) else row for row in sheet.rows)
    if rows == sheet.rows:
        return sheet
    if all(older(row) for row in sheet.rows if any(cell.evidence for cell in row.cells)):
        note = f"All numbers were made by older code, of another numerics version than {NUMERICS_VERSION}, this code's."
        return replace(sheet, notes=(*sheet.notes, note))
    note = f"Rows marked older code have numbers of another numerics version than {NUMERICS_VERSION}, this code's."
    return replace(sheet, rows=rows, notes=(*sheet.notes, note))


def _title(facts: tuple[tuple[str, str], ...]) -> str:
    by_name = dict(facts)
    threads = f", {counted(int(by_name['Threads']), 'thread')}" if "Threads" in by_name and "GPU" not in by_name else ""
    return f"{by_name.get('GPU') or by_name.get('CPU') or 'unknown machine'}{threads}"


def _commit(commit: str | None, dirty: bool | None) -> str:
    if commit is None:
        return "unknown"
    return commit[:12] + (", with changes that are not committed" if dirty else "")


def _yes(value: Any) -> str:
    return {True: "yes", False: "no", None: "not set"}.get(value, str(value))
