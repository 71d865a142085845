"""Tune a suite: every entry with the same number of settings, judged on validation images; the best go into a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from converse import __version__
from converse.counted import counted
from converse.errors import OptionError, SuiteError
from converse.experiments.store import files
from converse.experiments.store.command_line import CommandLine
from converse.experiments.suites.errors import refusal, shown
from converse.experiments.suites.suite import Suite
from converse.experiments.suites.tables import Tuning
from converse.experiments.suites.tuned import Tuned, basis, read_tuned
from converse.experiments.suites.tuning import TuningSuite, grid_for, tuning_suite
from converse.experiments.suites.vocabulary import SCHEMA
from converse.workflows.run import Run, run
from converse.workflows.run_request import RunRequest
from converse.workflows.work import Progress

if TYPE_CHECKING:
    from converse.analysis.tuning import ScoreRow
    from converse.experiments.evaluation.keeping import Which

Grid = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True)
class TuneRequest(RunRequest):
    """What the user asks ``converse tune`` for.

    Attributes:
        grid: field → values for entries without a learnt λ, in place of the suite's.
        grid_with_lambda: the same for those with one.
        output: the file of winners; ``None`` for ``SUITE.BUDGET.tuned.toml`` in the working directory.
    """

    grid: Grid | None = None
    grid_with_lambda: Grid | None = None
    output: Path | None = None
    usual_keeping: Which = field(default="none", kw_only=True)

    def read(self, *, networks: bool = True) -> TuningSuite:
        """The suite that tunes the one that is asked for.

        Raises:
            SuiteError: the suite cannot be read, or a setting of the grid contradicts it.
            OptionError: a grid or seed is not in order, or there is nothing to tune, or nothing to judge by.
        """
        suite = self.written(networks=networks)
        tuning = self.tuning(suite)
        return tuning_suite(suite, self.budget_of(suite), tuning, file=self.suite, only=self.entries, networks=networks)

    def tuning(self, suite: Suite) -> Tuning:
        """What is tried: what is asked for, in the place of what the suite says.

        Raises:
            OptionError: a grid or seed is not in order.
        """
        asked = {"seeds": self.seeds, "grid": self.grid, "grid_with_lambda": self.grid_with_lambda}
        given = {key: value for key, value in asked.items() if value is not None}
        try:
            return Tuning.model_validate({**dict(suite.tuning), **given})
        except ValidationError as error:
            option = str(error.errors()[0]["loc"][0]).replace("grid_with", "grid-with").replace("_", "-")
            raise OptionError(f"--{option}: {refusal(error)}") from None

    def line(self, budget: str | None, platform: Mapping[str, Any]) -> CommandLine:
        """The command line that asks for the same; where data lies is left to who calls it."""
        return self._line(
            "tune",
            self.suite,
            platform,
            budget=budget,
            seeds=self.seeds or None,
            grid=_spelled(self.grid),
            grid_with_lambda=_spelled(self.grid_with_lambda),
        )


@dataclass(frozen=True)
class Tune:
    """What came out.

    Attributes:
        run: of all settings.
        scores: with :data:`converse.analysis.tuning.SCORE_COLUMNS`, a row for each setting of each entry.
        settings: name of the point → field → value.
        file: of the winners; ``None`` where some entry has none.
        lacking: entries without a winner.
    """

    run: Run
    scores: tuple[ScoreRow, ...]
    settings: Mapping[str, Mapping[str, Any]]
    file: Path | None
    lacking: tuple[str, ...] = ()


def tune(request: TuneRequest, progress: Callable[[Progress], None] = lambda progress: None) -> Tune:
    """Try what is not tried yet, choose, and write the file of winners.

    Args:
        request: what is asked for.
        progress: told often.

    Returns:
        Scores of all settings, and where the winners are.

    Raises:
        ConverseError: a name is not known, data is missing or corrupt, the store or the file cannot be written.
        KeyboardInterrupt: it was stopped; what was finished is kept, and the same request goes on there.
    """
    from converse.analysis.tuning import scores

    suite = request.read(networks=False)
    plans = request.plans(suite)
    output = request.output or Path(f"{suite.tuned_name}.{plans[0].budget}.tuned.toml")
    _refuse_output(output)
    done = run(request, progress)
    points = {plan.entry: plan.point for plan in plans if plan.point is not None}
    found = tuple(scores(done.rows, {name: point.entry for name, point in points.items()}))
    settings = {name: point.settings for name, point in points.items()}
    entries = dict.fromkeys(point.entry for point in points.values())
    chosen = {row["entry"]: row for row in found if row["chosen"]}
    lacking = tuple(entry for entry in entries if entry not in chosen)
    if lacking:
        return Tune(done, found, settings, None, lacking)
    with files.explained(output, "write"):
        files.write_text(output, _tuned(request, suite, done, chosen, settings).as_toml())
    return Tune(done, found, settings, output)


def _refuse_output(output: Path) -> None:
    """Before anything is trained, its folder must be there, and what is there already must be a file of winners."""
    if not output.parent.is_dir():
        raise OptionError(f"--output {output}: there is no folder {output.parent}; make it, or name another")
    if not output.exists():
        return
    try:
        read_tuned(output)
    except SuiteError as error:
        text = f"{output} is there already and is no file of winners; choose another --output: {error}"
        raise OptionError(text) from None


def _tuned(
    request: TuneRequest,
    tuning: TuningSuite,
    done: Run,
    chosen: Mapping[str, ScoreRow],
    settings: Mapping[str, Mapping[str, Any]],
) -> Tuned:
    suite = request.written(networks=False)
    plan = request.plans(tuning)[0]
    spent = suite.budget(plan.budget)
    asked = request.tuning(suite)
    entries = {entry.name: entry for entry in suite.entries}
    trials = done.rows.groupby("entry", sort=False)["trial"].unique()
    images = done.rows["image_sha256"].nunique()
    return Tuned.model_validate(
        {
            "schema": SCHEMA,
            "suite": suite.name,
            "budget": plan.budget,
            "seeds": asked.seeds,
            "tried": max(Counter(point.entry for point in tuning.points.values() if point.entry in chosen).values()),
            "validation": counted(images, "validation image"),
            "store": str(request.store),
            "command": str(request.line(plan.budget, {"device": request.device})),
            "version": __version__,
            "entries": [
                {
                    "name": name,
                    "settings": dict(settings[row["point"]]),
                    "psnr": round(row["psnr"] or 0.0, 4),
                    "basis": basis(suite, entries[name], spent),
                    "trials": tuple(map(str, trials[row["point"]])),
                    "grid": grid_for(suite, entries[name], spent, asked),
                }
                for name, row in chosen.items()
            ],
        }
    )


def _spelled(grid: Grid | None) -> tuple[str, ...] | None:
    """``training.lr=0.001,0.002`` for each field."""
    if grid is None:
        return None
    words = {field: [value if isinstance(value, str) else shown(value) for value in grid[field]] for field in grid}
    return tuple(f"{field}={','.join(values)}" for field, values in words.items())
