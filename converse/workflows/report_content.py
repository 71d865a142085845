"""From what stores hold to what a report says."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from converse import __version__
from converse.analysis.audit_sheets import Design, audit_sheets
from converse.analysis.effect_sheets import effect_sheet
from converse.analysis.evidence import evidence
from converse.analysis.findings import difference_findings, released_finding
from converse.analysis.paper_sheets import TASKS, paper_sheets
from converse.analysis.published import Published, published
from converse.analysis.quickstart_sheets import beaten_sheet, operator_sheet
from converse.analysis.sheets import Row, Sheet, slug, tally
from converse.analysis.speed_sheets import speed_sheets
from converse.analysis.studies import Study, machine
from converse.analysis.suite_effects import study_values
from converse.analysis.tables import Expected, records, results
from converse.analysis.value_sheets import value_sheet
from converse.data.catalogue import datasets
from converse.experiments.suites import vocabulary
from converse.experiments.suites.suite import load_suite, suites
from converse.experiments.trials import NUMERICS_VERSION
from converse.reporting.report import Environment, Failure, Missing, Part, Report, TrialFacts, plain_facts
from converse.workflows.report_material import Material, TrialMaterial

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Any]

QUICKSTART: Final = "quickstart"
"""The suite beside which filters are measured and operators timed."""

_PLACES: Final = re.compile(r"^--(store|data-dir)(=|$)")
_NOT_RUN: Final = "not measured here"


def make_report(material: Material) -> Report:
    """All that a report says, without figures.

    Args:
        material: from :func:`converse.workflows.report_material.gather`.

    Returns:
        The report. What is not there is said, with the command that gets it.
    """
    paper = published()
    trials = {key: _facts(one) for key, one in material.trials.items()}
    found = material.studies
    released = material.rows[material.rows["source"] == "released"]
    measured = records(results(released, published=paper, expected=_all_cells(paper)))
    parts = [_released_part(released, measured, paper), *(_study_part(one, material, paper) for one in found)]
    speed = speed_sheets(material.speed)
    if speed:
        parts.append(Part("speed", "Speed and memory", _SPEED, tuple(speed), command="converse speed"))
    marked = tuple(_marked(part, trials) for part in parts)
    sheets = [sheet for part in marked for sheet in part.sheets]
    return Report(
        title="Does reverse convolution help?",
        subtitle=_subtitle(material),
        verdicts=tally((sheet for sheet in sheets if sheet.source == "released"), "paper"),
        differences=tally(sheets, "effects"),
        findings=(released_finding(measured), *difference_findings(_compared(found, material))),
        parts=marked,
        audit=_audit(measured, paper),
        environments=_environments(material),
        trials=trials,
        seeds=tuple((_name(one), _seeds(one)) for one in found),
        failures=tuple(_failures(material)),
        missing=tuple(_missing(measured, found, material)),
        commands=tuple(_commands(material, found)),
    )


_SPEED: Final = (
    "Times are medians; subjects of one group took turns on the same input, so that they may be compared. Times of "
    "different machines may not."
)
_RELEASED: Final = (
    "The authors' released weights, evaluated here by the paper's protocol and held against the published means. "
    "Nothing in these tables was trained here. A verdict needs the whole test set: match if the number rounds to the "
    "published one, close within 0.05 dB."
)


def _released_part(rows: pd.DataFrame, measured: Sequence[Record], paper: Published) -> Part:
    sheets: list[Sheet] = []
    for task in dict.fromkeys(record["task"] for record in measured):
        of_task = [record for record in measured if record["task"] == task]
        known = evidence(rows[rows["task"] == task])
        sheets += paper_sheets(of_task, paper, source="released", evidence=known, command=_reproduce)
        full = [record for record in of_task if record["measured"] is not None]
        if any(record["metric"] in ("ssim", "lpips") for record in full):
            names = {record["entry"]: record["entry"] for record in full}
            sheets.append(
                value_sheet(
                    full,
                    key=slug(task, "released", "values"),
                    title=f"{TASKS.get(task, task)}: all metrics",
                    source="released",
                    entries=names,
                    evidence=known,
                    published=partial(paper.number, task),
                    command=f"converse reproduce {task}",
                )
            )
    return Part(
        "released", "The paper's tables, from released weights", _RELEASED, tuple(sheets), command="converse reproduce"
    )


def _study_part(study: Study, material: Material, paper: Published) -> Part:
    rows = study.rows
    known = evidence(rows)
    reasons = material.reasons(study)
    found = records(results(rows, published=paper))
    labels = {entry.name: entry.label for entry in study.entries}
    sheets: list[Sheet] = []
    if study.suite == QUICKSTART and material.filters:
        sheets.append(beaten_sheet(found, material.filters, link=study.key))
    if study.contrasts:
        sheets.append(
            effect_sheet(
                material.effects(study),
                title="Differences",
                key=slug(study.key, "differences"),
                evidence=known,
                command=study.command or None,
                link=study.key,
                stub="Variant" if study.base is not None else "Difference",
            )
        )
    both = any(
        record["measured"] is not None and record["published"] is not None for record in found if record["dataset"]
    )
    if study.base is None and study.suite and both:
        sheets += [
            replace(
                sheet,
                notes=(f"Trained here with the budget {study.budget}, which is not the paper's training: no verdict.",),
            )
            if study.budget != "paper"
            else sheet
            for sheet in paper_sheets(
                found,
                paper,
                source="trained",
                evidence=known,
                command=lambda record: study.command or None,
                suffix=f"trained here, budget {study.budget}",
                link=study.key,
            )
        ]
    sheets.append(
        value_sheet(
            found,
            key=slug(study.key, "values"),
            title="Absolute values" if study.contrasts else "All metrics",
            source="trained",
            entries=labels,
            evidence=known,
            published=study_values(study, paper),
            reasons=reasons,
            command=study.command or None,
            stub="Variant" if study.base is not None else "Network",
            link=study.key,
        )
    )
    if study.suite == QUICKSTART and material.timings:
        sheets.append(operator_sheet(material.timings, link=study.key))
    done = sum(material.trials[key].status.state == "done" for key, _, _ in study.trials)
    facts = {
        "Budget": study.budget,
        "Machine": study.machine,
        "Seeds": _seeds(study),
        "Trials": f"{done} of {len(study.trials)} done",
        "Suite": study.suite,
        "Not the newest": "the suite was edited and run again after this" if study.superseded else "",
        **study.missing,
    }
    return Part(
        study.key,
        _name(study),
        " ".join(study.description.split()),
        tuple(sheets),
        (),
        plain_facts(facts),
        study.command,
    )


def _compared(found: Sequence[Study], material: Material) -> Iterator[tuple[str, pd.DataFrame]]:
    """Title and effects of each study of the newest definition; where titles are the same, with the machine."""
    newest = [study for study in found if study.contrasts and not study.superseded]
    many = Counter((study.title, study.budget) for study in newest)
    for study in newest:
        title = study.title if many[study.title, study.budget] == 1 else f"{study.title} ({study.machine})"
        yield title, material.effects(study)


def _name(study: Study) -> str:
    return f"{study.title}, budget {study.budget}" if study.budget else study.title


def _seeds(study: Study) -> str:
    return ", ".join(map(str, sorted({seed for _, _, seed in study.trials if seed is not None})))


def _all_cells(paper: Published) -> Iterator[Expected]:
    """Every cell of the main tables, with the reason why there may be no number from released weights."""
    released = vocabulary.released()
    for task in paper.tasks:
        for cell in paper.cells(task):
            reason = _NOT_RUN if cell.entry in released else f"no released weights for {cell.entry}"
            yield Expected(task, cell.entry, cell.dataset, cell.case, "psnr", reason)


def _reproduce(record: Record) -> str | None:
    """The command that measures a cell of released weights."""
    if record["entry"] not in vocabulary.released():
        return f"converse run {record['task']} --only {record['entry']}"
    words = ["converse", "reproduce", record["task"], "--only", record["entry"]]
    if record["dataset"]:
        titles = {known.title: name for name, known in datasets().items()}
        words += ["--datasets", titles.get(record["dataset"], record["dataset"])]
    return shlex.join(words)


def _audit(measured: Sequence[Record], paper: Published) -> tuple[Sheet, ...]:
    models = vocabulary.models()
    released = [
        Design(one.entry, {**models[one.model].defaults, **one.options}) for one in vocabulary.released().values()
    ]
    described, bases = [], {}
    for name in suites():
        suite = load_suite(name, networks=False)
        plans = suite.resolve("paper") if "paper" in suite.budgets else []
        for plan in {plan.entry: plan for plan in plans}.values():
            if plan.variation is None and suite.published:
                described.append(Design(plan.entry, {**models[plan.model].defaults, **plan.options}))
            elif plan.variation and not plan.variation.changes and plan.variation.published:
                table, row = plan.variation.published
                bases[table] = (row, plan.task, plan.variation.base)
    return audit_sheets(measured, paper, released=released, described=described, bases=bases)


# Where numbers come from


def _facts(one: TrialMaterial) -> TrialFacts:
    trial, made = one.trial, one.provenance
    name = trial.entry + (f", {trial.budget}" if trial.budget else "")
    older = ""
    if trial.numerics != NUMERICS_VERSION:
        older = f"numerics version {trial.numerics}; this code has {NUMERICS_VERSION}"
    versions = made.get("versions") or {}
    return TrialFacts(
        trial=trial.id,
        name=name if trial.seed is None else f"{name}, seed {trial.seed}",
        source=trial.source,
        state=one.status.state,
        commit=made.get("commit"),
        dirty=made.get("dirty"),
        numerics=trial.numerics,
        machine=machine(trial.platform),
        versions=", ".join(
            f"{name} {versions[name]}" for name in ("converse-bench", "torch", "numpy") if name in versions
        ),
        command=_command(made.get("command") or []),
        time=str(made.get("time") or ""),
        older=older,
    )


def _command(words: Iterable[str]) -> str:
    """A command line without the places of one machine."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif match := _PLACES.match(word):
            skip = not match.group(2)
        else:
            kept.append(word)
    return shlex.join(kept)


def _marked(part: Part, trials: Mapping[str, TrialFacts]) -> Part:
    """The part with a mark on each row that older code made."""
    if not any(one.older for one in trials.values()):
        return part
    return replace(part, sheets=tuple(_marked_sheet(sheet, trials) for sheet in part.sheets))


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


def _environments(material: Material) -> tuple[Environment, ...]:
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


def _title(facts: tuple[tuple[str, str], ...]) -> str:
    known = dict(facts)
    threads = f", {known['Threads']} thread(s)" if "Threads" in known and "GPU" not in known else ""
    return f"{known.get('GPU') or known.get('CPU') or 'unknown machine'}{threads}"


def _commit(commit: str | None, dirty: bool | None) -> str:
    if commit is None:
        return "unknown"
    return commit[:12] + (", with changes that are not committed" if dirty else "")


def _yes(value: Any) -> str:
    return {True: "yes", False: "no", None: "not set"}.get(value, str(value))


def _failures(material: Material) -> Iterator[Failure]:
    asked = {trial: one.command for one in reversed(material.notes) for trial, _, _ in one.trials}
    for key, one in material.trials.items():
        if one.status.state == "failed":
            command = asked.get(key)
            yield Failure(
                key,
                _facts(one).name,
                one.status.reason,
                one.failure,
                f"{command} --retry-failed" if command else "",
            )


def _missing(measured: Sequence[Record], found: Sequence[Study], material: Material) -> Iterator[Missing]:
    if not material.trials:
        yield Missing(
            "Nothing has been measured yet: the tables show what the paper has.", "converse reproduce --images 2"
        )
        yield Missing("For a first training in minutes, without any data:", "converse quickstart")
    for text in material.damaged:
        yield Missing(text)
    wanting: dict[tuple[str, str], list[Record]] = {}
    unreleased: dict[str, dict[str, None]] = {}
    for record in measured:
        if record["verdict"] != "not measured" or record["metric"] != "psnr":
            continue
        if str(record["reason"]).startswith("no released weights"):
            unreleased.setdefault(record["task"], {})[record["entry"]] = None
        else:
            wanting.setdefault((record["task"], record["dataset"]), []).append(record)
    titles = {known.title: name for name, known in datasets().items()}
    for (task, dataset), cells in wanting.items():
        reasons = list(dict.fromkeys(str(record["reason"]) for record in cells))
        names = list(dict.fromkeys(record["entry"] for record in cells))
        yield Missing(
            f"{TASKS.get(task, task)}, {dataset}, released weights of {', '.join(names)}: {'; '.join(reasons)}.",
            f"converse reproduce {task} --datasets {titles.get(dataset, dataset)}",
        )
    for task, entries in unreleased.items():
        yield Missing(
            f"{TASKS.get(task, task)}: no weights of {', '.join(entries)} are released; they can be trained.",
            f"converse run {task} --budget standard",
        )
    for study in found:
        left = [key for key, _, _ in study.trials if material.trials[key].status.state not in ("done", "failed")]
        if left:
            yield Missing(f"{_name(study)}: {len(left)} of {len(study.trials)} trials are not done.", study.command)
        for dataset, reason in study.missing.items():
            yield Missing(f"{_name(study)}, {dataset}: {reason}.", study.command)


def _commands(material: Material, found: Sequence[Study]) -> Iterator[str]:
    if any(one.trial.source == "released" for one in material.trials.values()):
        yield "converse reproduce"
    yield from dict.fromkeys(study.command for study in found if study.command)
    if len(material.speed):
        yield "converse speed"
    yield "converse report"


def _subtitle(material: Material) -> str:
    states = [one.status.state for one in material.trials.values()]
    times = sorted(str(one.provenance.get("time") or "") for one in material.trials.values())
    newest = f"; newest number of {times[-1][:10]}" if times and times[-1] else ""
    many = f"{states.count('done')} of {len(states)} trials done" if states else "no trials"
    return f"{many}, {len(material.rows):,} measurements{newest}; converse {__version__}".replace(",", " ", 0)
