"""Oracle: the table of KAIR's options in `authors-history.md`."""

from __future__ import annotations

import pytest

from converse.experiments.suites.recipes import load_recipe, recipe_names
from converse.experiments.suites.suite import load_suite


def test_the_recipes_by_name() -> None:
    assert recipe_names() == ["kair"]


@pytest.mark.parametrize(
    ("task", "batch", "patch", "halved", "ema"),
    [
        ("denoising", 64, 40, (200_000, 400_000, 600_000, 800_000, 1_000_000), 0.0),
        ("super_resolution", 32, 96, (200_000, 400_000, 600_000, 800_000, 1_000_000), 0.999),
        ("deblurring", 48, 96, (100_000, 200_000, 300_000, 400_000), 0.0),
    ],
)
def test_the_paper_budget_is_trained_as_the_authors_group_trains(
    task: str, batch: int, patch: int, halved: tuple[int, ...], ema: float
) -> None:
    for plan in load_suite(task).resolve("paper", seeds=[0]):
        settings = plan.training
        assert (settings.batch, settings.patch, settings.milestones, settings.ema) == (batch, patch, halved, ema)
        assert (settings.loss, settings.optimiser, settings.lr, settings.schedule) == ("l1", "adam", 1e-4, "step")
        assert (settings.weight_decay, settings.clip, settings.warmup, settings.gamma) == (0, 0, 0, 0.5)


def test_a_budgets_own_keys_come_after_its_recipe() -> None:
    suite = load_suite("denoising")
    budget = suite.budgets["paper"].model_copy(update={"lr": 2e-4})
    budget.model_fields_set.add("lr")
    assert suite.settings_for(suite.entries[0], budget).lr == 2e-4
    assert suite.settings_for(suite.entries[0], budget).batch == load_recipe("kair").denoising.batch
