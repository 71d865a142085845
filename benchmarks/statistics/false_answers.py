"""How often a comparison finds a difference where there is none: the same operator four times, under other seeds.

``python benchmarks/statistics/false_answers.py`` writes the table of false answers in docs/compare.md. Every imagined
comparison has the rows of four entries that are one operator, trained under seeds that no two of them share. The
spreads are those of the networks of the reference report; ``--spreads`` reads them from its store anew.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from interval_coverage import SEED, line

from converse.analysis import statistics
from converse.analysis.answers import Compared, answers, decisions
from converse.analysis.pairing import Pairs
from converse.analysis.statistics import Array
from converse.experiments.store.rows import ROW_COLUMNS

ENTRIES: Final = ("own", "converse", "conv", "convt")
SEEDS: Final = (2, 3, 5, 10)
IMAGES: Final = 12
"""Of Set12."""

ROW_SETS: Final = 500
"""Comparisons that begin at rows, as a store has them."""

VALUE_SETS: Final = 4000
"""Comparisons that begin at values, of the same kind: so many that chance moves the share by 0.3 % alone."""

REFERENCE: Final = Path(__file__).parents[2] / "reports" / "reference" / "store"
STUDY: Final = "denoising-tuned-quick"


@dataclass(frozen=True)
class Spread:
    """How the PSNR of a network varies, as standard deviations in dB.

    Attributes:
        seed: between trainings, of the mean over images.
        image: between images.
        residual: of what is neither.
        lost: the share of trainings that end 1 dB below the others, as those that do not leave their plateau.
    """

    seed: float
    image: float
    residual: float
    lost: float = 0.0


SPREADS: Final = {
    "Conv-DnCNN": Spread(0.070, 1.050, 0.056),
    "Converse-DnCNN": Spread(0.187, 1.038, 0.098),
    "DnCNN": Spread(0.108, 1.114, 0.062),
}
"""Of the tuned networks of the reference report (denoising, budget quick, Set12, five seeds)."""

TRUTHS: Final = {**SPREADS, "Conv-DnCNN, one in ten lost": Spread(0.070, 1.050, 0.056, lost=0.1)}


def draw(rng: np.random.Generator, seeds: int, spread: Spread) -> Array:
    """The values of one imagined comparison without any difference.

    Args:
        rng: of the draws.
        seeds: of each entry; no two entries share the luck of one.
        spread: of all entries.

    Returns:
        [entries, seeds, images], in dB.
    """
    shape = (len(ENTRIES), seeds, IMAGES)
    luck = rng.normal(0, spread.seed, shape[:2]) - (rng.random(shape[:2]) < spread.lost)
    psnr: Array = 28 + rng.normal(0, spread.image, IMAGES) + luck[..., None] + rng.normal(0, spread.residual, shape)
    return psnr


def told(values: Array) -> tuple[str, ...]:
    """What a comparison answers, first against reverse convolution.

    Args:
        values: from :func:`draw`.
    """
    own, *rivals = values
    return tuple(one.answer for one in decisions([Pairs(base, own, (), (), ()) for base in rivals]))


def told_of_rows(values: Array) -> tuple[str, ...]:
    """The same from rows as a store has them, for which :func:`told` is the short cut.

    Args:
        values: from :func:`draw`.
    """
    names = {name: name for name in ENTRIES}
    one = Compared("denoising", "quick", rows(values), ENTRIES[0], ENTRIES[1:], names)
    return tuple(answers([one])["answer"])


def rows(values: Array) -> pd.DataFrame:
    """Values as rows of a store.

    Args:
        values: from :func:`draw`.

    Returns:
        A frame with :data:`converse.experiments.store.rows.ROW_COLUMNS`, a row for each entry, seed and image.
    """
    places = [ENTRIES, *map(range, values.shape[1:])]
    index = pd.MultiIndex.from_product(places, names=["entry", "seed", "image"])
    frame = pd.DataFrame({"value": values.ravel()}, index=index).reset_index()
    images = frame["image"].map("{:02}.png".format)
    named = {"trial": frame["entry"] + frame["seed"].astype(str), "image": images, "image_sha256": images}
    same = {"task": "denoising", "source": "trained", "budget": "quick", "dataset": "set12", "metric": "psnr"}
    return frame.assign(**named, **same).reindex(columns=list(ROW_COLUMNS))


def false_share(found: Sequence[tuple[str, ...]], of: slice = slice(None)) -> float:
    """The share of comparisons in which some answer is ``better`` or ``worse``.

    Args:
        found: answers of each comparison.
        of: which answers of each.

    Returns:
        In [0, 1].
    """
    return float(np.mean([bool({"better", "worse"} & set(one[of])) for one in found]))


def table(rng: np.random.Generator, comparisons: int) -> Iterator[str]:
    """How often a difference is found where there is none, line by line in Markdown.

    Args:
        rng: of the draws.
        comparisons: for each number of seeds and spread.

    Yields:
        The table, in percent: of all three answers any is false, the one against reverse convolution is, and how often
        that is ``equal``.
    """
    yield line("spreads of", [f"{seeds} seeds" for seeds in SEEDS])
    yield "|---" * (1 + len(SEEDS)) + "|"
    for name, spread in TRUTHS.items():
        cells = []
        for seeds in SEEDS:
            found = [told(draw(rng, seeds, spread)) for _ in range(comparisons)]
            equal = Counter(one[0] for one in found)["equal"] / len(found)
            shares = (false_share(found), false_share(found, slice(1)), equal)
            cells.append(" · ".join(f"{100 * share:.1f}" for share in shares))
        yield line(name, cells)


def reference_spreads() -> dict[str, Spread]:
    """The spreads of :data:`SPREADS`, from the store of the reference report."""
    from converse.experiments.store import Store
    from converse.reporting.inputs.material import gather

    (study,) = (one for one in gather([Store(REFERENCE, create=False)]).studies if one.key == STUDY)
    psnr = study.rows[study.rows["metric"] == "psnr"]
    found = {}
    for entry, measured in psnr.groupby("entry"):
        block = measured.pivot_table(index="seed", columns="image", values="value").to_numpy()
        spread = statistics.spreads(block)
        found[str(entry)] = Spread(spread.seed or 0.0, spread.image or 0.0, spread.residual or 0.0)
    return found


def main(arguments: Sequence[str]) -> None:
    """Write the table and the share of :data:`ROW_SETS` sets of rows, or, with ``--spreads``, those of the report."""
    if "--spreads" in arguments:
        for name, one in reference_spreads().items():
            sys.stdout.write(f"{name}: seed {one.seed:.3f}, image {one.image:.3f}, residual {one.residual:.3f}\n")
        return
    rng = np.random.default_rng(SEED)
    for text in table(rng, 2000):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    found = [told_of_rows(draw(rng, 3, SPREADS["Converse-DnCNN"])) for _ in range(ROW_SETS)]
    shares = (false_share(found), false_share(found, slice(1)))
    said = " · ".join(f"{100 * share:.1f}" for share in shares)
    sys.stdout.write(f"\n{ROW_SETS} sets of rows, 3 seeds, spreads of Converse-DnCNN: {said}\n")
    rng = np.random.default_rng(SEED)
    found = [told(draw(rng, 3, SPREADS["Converse-DnCNN"])) for _ in range(VALUE_SETS)]
    said = " · ".join(f"{100 * share:.1f}" for share in (false_share(found), false_share(found, slice(1))))
    sys.stdout.write(f"{VALUE_SETS} sets of values, the same: {said}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
