"""The figures of a report: what is drawn for which part, from what the stores hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import pandas as pd

from converse.analysis import speed
from converse.analysis.convergence import as_loss
from converse.analysis.curves import CURVE_COLUMNS
from converse.analysis.noise_levels import against_level
from converse.analysis.published import Published, published
from converse.analysis.selection import with_further_levels
from converse.analysis.statistics import EQUIVALENCE_BOUND
from converse.analysis.studies import Study
from converse.analysis.tables import PUBLISHED_METRIC, records, results
from converse.counted import counted
from converse.data.noise_levels import takes_levels
from converse.data.tasks import TASKS
from converse.experiments.store.command_line import CommandLine
from converse.metrics import PARAMETERS
from converse.reporting.chapters.comparisons import Contrast, Drawing, TableRows, comparisons
from converse.reporting.figure import Figure
from converse.reporting.figures.cost import POINT_COLUMNS, cost_figure
from converse.reporting.figures.drawing import ToDraw, draw
from converse.reporting.figures.forest import forest_figure
from converse.reporting.figures.image_size import image_size_figure
from converse.reporting.figures.kernels import kernels_figure, layers
from converse.reporting.figures.noise_level import noise_level_figure
from converse.reporting.figures.operator_error import operator_error_figure
from converse.reporting.figures.operator_shown import operator_shown_figure
from converse.reporting.figures.paired import paired_figure
from converse.reporting.figures.scatter import scatter_figure
from converse.reporting.figures.style import is_converse
from converse.reporting.figures.training import PlateauLeft, training_figure
from converse.reporting.inputs.material import Material
from converse.reporting.inputs.networks import Lacking, Networks
from converse.reporting.report import Missing, Part, Report
from converse.reporting.words import case_in_words, machine_in_words, place_title

_FURTHER: Final = ("15", "35", "50")
"""Noise levels, beside the paper's 25, that a command for a line through some of them names."""

_OPERATOR: Final = "Computed on the CPU: what it does to an image, and its errors in float32."


def with_figures(
    report: Report,
    material: Material,
    networks: Networks,
    *,
    embedded_only: bool = False,
    operator: bool = True,
    kept: Path | None = None,
    processes: int = 1,
    progress: Callable[[str], None] = lambda what: None,
) -> Report:
    """Add the figures to the parts of a report.

    Args:
        report: without figures.
        material: what it was made from.
        networks: of its trials; with resources that fetch nothing, nothing is downloaded for a picture.
        embedded_only: show no image but scikit-image's own, so that the report may be given to anyone.
        operator: whether to end with the chapter about the operator in float32.
        kept: folder of drawings, as ``processes`` of :func:`converse.reporting.figures.drawing.draw`.
        processes: at most so many figures are drawn at a time.
        progress: told what is drawn next.

    Returns:
        The report with figures; what could not be drawn is among what is missing where a command gets it.
    """
    paper = published()
    by_study = {one.key: one for one in material.studies}
    parts = list(report.parts)
    if operator and report.measured:
        parts.append(Part("operator", "The operator", _OPERATOR))
    wanted: list[tuple[Part, ToDraw]] = []
    missing: list[tuple[Part, Missing]] = []
    for part in parts:
        progress(part.title)
        for one in _figures_of(part, by_study, material, networks, paper, embedded_only):
            if isinstance(one, Missing):
                missing.append((part, one))
            else:
                wanted.append((part, one))
    figures: dict[str, list[Figure]] = {part.key: list(part.figures) for part in parts}
    drawings = draw([one for _, one in wanted], kept=kept, processes=processes, progress=progress)
    for (part, _), drawn in zip(wanted, drawings, strict=True):
        if isinstance(drawn, Figure):
            figures[part.key].append(drawn)
        else:
            missing.append((part, drawn))
    order = {part.key: at for at, part in enumerate(parts)}
    missing.sort(key=lambda pair: order[pair[0].key])  # whenever it was found
    lacking = [replace(one, what=f"{part.title}. {one.what}.") for part, one in missing if one.command]
    return replace(
        report,
        parts=tuple(replace(part, figures=tuple(figures[part.key])) for part in parts),
        missing=tuple(dict.fromkeys([*report.missing, *lacking])),
    )


def _figures_of(
    part: Part,
    by_study: Mapping[str, Study],
    material: Material,
    networks: Networks,
    paper: Published,
    embedded_only: bool,
) -> Iterator[Drawing]:
    """What a chapter shows."""
    if part.key == "released":
        yield from _released(material, networks, paper, embedded_only)
    elif part.key in by_study:
        yield from _study(by_study[part.key], material, networks, paper, embedded_only)
    elif part.key == "speed":
        yield partial(image_size_figure, material.speed)
    elif part.key == "operator":
        yield partial(_operator_shown)
        yield partial(_operator_error)


def _operator_shown() -> Figure:
    from converse.experiments.evaluation.operator_shown import operator_shown

    return operator_shown_figure(operator_shown())


def _operator_error() -> Figure:
    from converse.experiments.evaluation.operator_error import operator_error

    return operator_error_figure(operator_error())


def _released(material: Material, networks: Networks, paper: Published, embedded_only: bool) -> Iterator[Drawing]:
    rows = _fullest(material.counted.released_rows)
    for task, group in rows.groupby("task", sort=False):
        entries = [entry for entry in paper.entries(str(task)) if entry in set(group["entry"])]
        entries += [str(entry) for entry in group["entry"].unique() if entry not in entries]
        trials = group.drop_duplicates(["entry", "trial"]).set_index("entry")["trial"]
        shown = TableRows(
            key=f"{str(task).replace('_', '-')}-released",
            task=str(task),
            rows=group,
            contrasts=tuple(_against_converse(entries)),
            base=None,
            trials={(str(entry), None): str(trial) for entry, trial in trials.items()},
        )
        if shown.contrasts:
            yield partial(paired_figure, group, shown.contrasts, name=f"paired-{shown.key}")
            yield partial(scatter_figure, group, shown.contrasts, name=f"scatter-{shown.key}")
            yield _cost(shown, entries, paper, material.speed)
        if takes_levels(TASKS[str(task)]):
            further = _fullest(material.counted.every_released)
            every = pd.concat([further, material.counted.every_input], ignore_index=True)
            levels = with_further_levels(every[every["task"] == task])
            line = str(CommandLine("reproduce", str(task), {"noise-levels": _FURTHER}))
            yield _noise_levels(shown, levels, entries, paper, line)
        yield from comparisons(shown, entries, material, networks, embedded_only)
        yield from _kernels(shown, entries, material, networks)


def _fullest(rows: pd.DataFrame) -> pd.DataFrame:
    """Of a network that was measured on several machines, or by older code too, from where it has most numbers."""
    sizes = rows.groupby(["task", "entry", "trial"], sort=False).size().reset_index(name="rows")
    kept = sizes.sort_values("rows", ascending=False, kind="stable").drop_duplicates(["task", "entry"])["trial"]
    return rows[rows["trial"].isin(kept)]


def _study(
    study: Study, material: Material, networks: Networks, paper: Published, embedded_only: bool
) -> Iterator[Drawing]:
    entries = [entry.name for entry in study.entries]
    shown = TableRows(
        key=study.key,
        task=study.task,
        rows=study.rows,
        contrasts=_told_apart(study.contrasts) or tuple(_against_converse(entries)),
        base=study.base,
        trials={(entry, seed): trial for trial, entry, seed in study.trials},
        names=_short_names(study),
    )
    if study.tunes or not (study.rows["metric"] == PUBLISHED_METRIC).any():
        return
    if study.contrasts:
        labels = {(entry, base): label for entry, base, label in shown.contrasts}
        effects = material.effects(study)
        pairs = zip(effects["entry"], effects["base"], strict=True)
        effects = effects.assign(label=[labels.get(pair, " − ".join(pair)) for pair in pairs])
        yield partial(forest_figure, effects, name=f"effects-{study.key}", bound=EQUIVALENCE_BOUND)
    yield partial(paired_figure, study.rows, shown.contrasts, name=f"paired-{study.key}")
    if study.base is None:
        yield partial(scatter_figure, study.rows, shown.contrasts, name=f"scatter-{study.key}")
    yield partial(
        training_figure,
        _curves(study, material).replace({"entry": shown.names}),
        name=f"training-{study.key}",
        base=shown.names.get(study.base or "", study.base),
        plateau=_plateau(study, material, shown.names),
    )
    yield _cost(shown, entries, paper, material.speed)
    if len(levels := material.counted.levels_of(study)):  # a suite says whether it is about noise levels
        yield _noise_levels(shown, levels, entries, paper)
    yield from comparisons(shown, entries, material, networks, embedded_only)
    yield from _kernels(shown, entries, material, networks)


def _short_names(study: Study) -> dict[str, str]:
    """Entry → label, as the tables of an ablation call it; the names themselves where labels don't tell them apart."""
    labels = {entry.name: entry.label for entry in study.entries}
    return labels if len(set(labels.values())) == len(labels) else {}


def _told_apart(contrasts: tuple[Contrast, ...]) -> tuple[Contrast, ...]:
    """The contrasts; with several bases, labels say which one is meant, as the table of differences does."""
    if len({base for _, base, _ in contrasts}) < 2:
        return contrasts
    return tuple((entry, base, f"{label} − {base}") for entry, base, label in contrasts)


def _against_converse(entries: Iterable[str]) -> Iterator[Contrast]:
    """Every other network against the first with reverse convolution."""
    names = list(entries)
    base = next((entry for entry in names if is_converse(entry)), None)
    if base is not None:
        yield from ((entry, base, entry) for entry in names if entry != base)


def _plateau(study: Study, material: Material, names: Mapping[str, str]) -> PlateauLeft | None:
    """The plateau of a study's losses, where its curves show one."""
    found = material.grounds(study).convergence
    level = next((one.level for one in found.values() if one.level is not None), None)
    if level is None:
        return None
    left: dict[str, list[float | None]] = {}
    for trial, entry, _ in study.trials:
        if trial in found:
            left.setdefault(names.get(entry, entry), []).append(found[trial].left)
    training = material.trials[study.trials[0][0]].trial.configuration.get("training", {})
    return PlateauLeft(as_loss(level, squared=training.get("loss") == "l2"), left)


def _curves(study: Study, material: Material) -> pd.DataFrame:
    points = []
    for trial, entry, seed in study.trials:
        curve = material.trials[trial].folder.curve()
        points += [{"psnr": None, **point, "entry": entry, "seed": seed} for point in curve]
    frame = pd.DataFrame(points, columns=list(CURVE_COLUMNS))
    return frame.astype({"loss": float, "psnr": float})


def _cost(shown: TableRows, entries: list[str], paper: Published, timed: pd.DataFrame) -> Drawing:
    means = results(shown.rows, published=paper)
    quality = means[(means["metric"] == PUBLISHED_METRIC) & means["measured"].notna()]
    if quality.empty:
        return Missing("PSNR against cost: no network has a PSNR")
    # The test set that most networks have; of several the first, as the paper has them.
    places = quality.groupby(["dataset", "case"], dropna=False, sort=False)["entry"].nunique()
    dataset, case = places.index[int(places.to_numpy().argmax())]
    here = quality[
        (quality["dataset"] == dataset) & ((quality["case"] == case) | (pd.isna(case) & quality["case"].isna()))
    ]
    counts = means[means["metric"] == PARAMETERS].drop_duplicates("entry").set_index("entry")["measured"]
    speeds, timed_where = _throughputs(
        timed, {str(entry): float(count) for entry, count in counts.items() if count == count}
    )
    points = [
        (
            row["entry"],
            math.inf if row["infinite"] else row["measured"],
            row["deviation"],
            counts.get(row["entry"]),
            speeds.get(row["entry"]),
        )
        for row in here.drop_duplicates("entry").to_dict("records")
    ]
    points.sort(key=lambda point: entries.index(point[0]) if point[0] in entries else len(entries))
    frame = pd.DataFrame(points, columns=list(POINT_COLUMNS))
    frame = frame.astype(dict.fromkeys(POINT_COLUMNS[1:], float)).replace({"entry": shown.names})
    where = place_title(dataset, case)
    images = int(here["images"].min())
    where = f"{where}, {counted(images, 'image')}"
    return partial(
        cost_figure,
        frame,
        dataset=where,
        name=f"cost-{shown.key}",
        base=shown.names.get(shown.base or "", shown.base),
        timed=timed_where,
    )


def _noise_levels(
    shown: TableRows, levels: pd.DataFrame, entries: list[str], paper: Published, command: str = ""
) -> Drawing:
    task = TASKS[shown.task]
    found = against_level(records(results(levels, published=paper)), task.noise_level)
    order = {entry: place for place, entry in enumerate(entries)}
    found = found.sort_values("entry", key=lambda names: names.map(order).fillna(len(order)), kind="stable")
    return partial(
        noise_level_figure,
        found.replace({"entry": shown.names}).reset_index(drop=True),
        name=f"noise-levels-{shown.key}",
        trained=task.noise_level,
        given=task.given,
        base=shown.names.get(shown.base or "", shown.base),
        command=command,
    )


def _throughputs(timed: pd.DataFrame, parameters: Mapping[str, float]) -> tuple[dict[str, float], str]:
    """Megapixels per second of networks of the same name and number of parameters, and on what they were measured.

    All are of one case of one run, and so of one machine: throughputs of several never stand in one drawing.
    """
    good = timed[(timed["status"] == "ok") & (timed["kind"] == "network") & (timed["pass"] == "evaluation")]
    if good.empty:
        return {}, ""
    good = speed.measured(good)
    same = [parameters.get(str(row["subject"])) == row["parameters"] for row in good.to_dict("records")]
    good = good[pd.Series(same, index=good.index, dtype=bool)]
    best: pd.DataFrame | None = None
    names = ["run", "sweep", "scale", "batch", "height", "width", "dtype", "compiled"]
    for _, group in good.groupby(names, dropna=False, sort=False):
        if best is None or group["subject"].nunique() >= best["subject"].nunique():
            best = group
    if best is None:
        return {}, ""
    throughputs = {str(name): float(value) for name, value in best.groupby("subject")["mpixel_per_s"].median().items()}
    return throughputs, f"{case_in_words(best.iloc[0])}; {machine_in_words(best.iloc[0])}"


def _kernels(shown: TableRows, entries: list[str], material: Material, networks: Networks) -> Iterator[Drawing]:
    """Of the first network with reverse convolution whose weights are at hand, in its first seed."""
    for entry in ([shown.base] if shown.base else []) + [one for one in entries if is_converse(one)]:
        for (name, _), trial in shown.trials.items():
            if name != entry:
                continue
            try:
                kernels = layers(networks.network(material.trials[trial]))
            except Lacking as error:
                yield Missing(f"Kernels by depth: {error}", error.command)
                continue
            if kernels:
                yield partial(kernels_figure, kernels, entry=entry, name=f"kernels-{shown.key}")
                return
