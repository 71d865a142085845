"""What a suite is about, from the rows of its entries: its differences, and tests of them over images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from converse.analysis.effects import Settings, effects, image_tests
from converse.analysis.published import Number, Published, PublishedValue
from converse.analysis.qualification import Grounds
from converse.analysis.studies import Study
from converse.experiments.suites.tables import Contrast, Suite


def suite_effects(
    rows: pd.DataFrame,
    suite: Suite,
    *,
    published: Published,
    only: Iterable[str] | None = None,
    reasons: Mapping[str, str] | None = None,
    multiply_adds: Mapping[str, float] | None = None,
    floor: Sequence[Contrast] = (),
    grounds: Grounds | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """The differences that a suite or an ablation is about, with all that can be claimed about them.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, at one budget, ``entry`` being the name that
            this suite has for each trial: one trial may have several rows under several names.
        suite: from :func:`converse.experiments.suites.suite.load_suite`.
        published: the paper's numbers.
        only: differences between these entries alone.
        reasons: entry → why it may have no rows, where that is known.
        multiply_adds: entry → multiply-adds per pixel of its output, where they were counted.
        floor: pairs of the same class of functions (:func:`converse.analysis.noise_floor.noise_floor`).
        grounds: what is known of the trainings; without them none may judge the paper.
        settings: ``None`` for a 95 % t interval over seeds and a bound of 0.02 dB.

    Returns:
        A frame with :data:`converse.analysis.effects.EFFECT_COLUMNS`; empty where nothing is compared.

    Raises:
        OptionError: the suite has no such entry; the rows have several budgets, or two values for one entry, seed and
            image.
    """
    return effects(
        rows,
        suite=suite.name,
        contrasts=suite.contrasts(only),
        floor=floor,
        published=_of_suite(suite, published),
        reasons=reasons,
        multiply_adds=multiply_adds,
        grounds=grounds,
        settings=settings,
    )


def suite_image_tests(rows: pd.DataFrame, suite: Suite, *, only: Iterable[str] | None = None) -> pd.DataFrame:
    """Tests over images of the differences that a suite is about, one row for each seed.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, at one budget, under this suite's entry names.
        suite: from :func:`converse.experiments.suites.suite.load_suite`.
        only: differences between these entries alone.

    Returns:
        A frame with :data:`converse.analysis.effects.IMAGE_TEST_COLUMNS`.

    Raises:
        OptionError: as :func:`suite_effects`.
    """
    return image_tests(rows, suite=suite.name, contrasts=suite.contrasts(only))


def study_effects(
    study: Study,
    *,
    published: Published,
    reasons: Mapping[str, str] | None = None,
    multiply_adds: Mapping[str, float] | None = None,
    floor: Sequence[Contrast] = (),
    grounds: Grounds | None = None,
    settings: Settings | None = None,
) -> pd.DataFrame:
    """The differences that a study of a store is about: :func:`suite_effects` where the suite's file is not at hand.

    Args:
        study: from :func:`converse.analysis.studies.studies`.
        published: the paper's numbers.
        reasons: entry → why it may have no rows, where that is known.
        multiply_adds: entry → multiply-adds per pixel of its output, where they were counted.
        floor: pairs of the same class of functions (:func:`converse.analysis.noise_floor.noise_floor`).
        grounds: what is known of the trainings; without them none may judge the paper.
        settings: ``None`` for a 95 % t interval over seeds and a bound of 0.02 dB.

    Returns:
        A frame with :data:`converse.analysis.effects.EFFECT_COLUMNS`; empty where nothing is compared.

    Raises:
        OptionError: there are two values for one entry, seed and image.
    """
    return effects(
        study.rows,
        suite=study.suite,
        contrasts=[Contrast(*one) for one in study.contrasts],
        floor=floor,
        published=study_values(study, published),
        reasons=reasons,
        multiply_adds=multiply_adds,
        grounds=grounds,
        settings=settings,
    )


def study_values(study: Study, published: Published) -> PublishedValue:
    """The paper's numbers by the names that a study has for its entries."""
    return _values({entry.name: entry.published for entry in study.entries}, published)


def _of_suite(suite: Suite, published: Published) -> PublishedValue:
    return _values({entry.name: suite.published_place(entry.name) for entry in suite.entries}, published)


def _values(places: Mapping[str, tuple[str, str] | None], published: Published) -> PublishedValue:
    """The paper's numbers by the names of entries, which stand at these tables and rows."""

    def value(entry: str, dataset: str, case: str | None) -> Number | None:
        place = places.get(entry)
        if place is None:
            return None
        table, row = place
        if table in published.tables and case is None:
            return published.tables[table].number(row, dataset)
        return published.number(table, row, dataset, case)

    return value
