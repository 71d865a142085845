"""Recipes of training: settings of one origin under one name, for each task, from `benchmarks/recipes/`."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from converse.content import content
from converse.data.tasks import TaskName
from converse.errors import unknown
from converse.experiments.suites.errors import refuse
from converse.experiments.suites.plans import TrainingTable
from converse.experiments.suites.vocabulary import Schema, Table


class Recipe(Table):
    """A file of `benchmarks/recipes/`: training settings for each task."""

    schema_: Schema
    denoising: TrainingTable
    super_resolution: TrainingTable
    deblurring: TrainingTable

    def for_task(self, task: TaskName) -> TrainingTable:
        """The settings for a task."""
        settings: TrainingTable = getattr(self, task)
        return settings


def recipe_names() -> list[str]:
    """What a suite may name as its recipe."""
    return sorted(path.stem for path in (content("benchmarks") / "recipes").glob("*.toml"))


@cache
def load_recipe(name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: one of :func:`recipe_names`.

    Raises:
        pydantic.ValidationError: the file is not in order.
    """
    document = tomllib.loads((content("benchmarks") / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))
    return Recipe.model_validate({"schema_": document.pop("schema"), **document})


def _recipe(value: str) -> str:
    if value not in (names := recipe_names()):
        raise refuse(unknown("recipe", value, names))
    return value


RecipeName = Annotated[str, AfterValidator(_recipe)]
