"""No text says of the paper what trainings may not say. Oracle: the words of verdicts, looked for in everything."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converse.analysis.effects import Settings, effect_records
from converse.analysis.published import published
from converse.analysis.qualification import Qualification
from converse.analysis.suite_effects import study_effects
from converse.cli.effects_table import print_effects
from converse.cli.printing import print_json
from converse.experiments.store.requests import RequestedEntry, Standard
from converse.experiments.training.loop import curve_steps
from converse.reporting.chapters.contents import make_report
from converse.reporting.folder import write
from converse.reporting.inputs.material import Material, gather
from converse.reporting.report import Report

ROOT = Path(__file__).resolve().parents[2]
OF_THE_PAPER = re.compile(r"\b(contradicted|reproduced|same direction|consistent)\b", re.IGNORECASE)
TEXTS = {".html", ".tex", ".csv", ".md", ".json", ".svg"}
EXPLAINED = {"decisions.md", "glossary.md", "judging.md", "reports.md", "reproduce.md", "statistics.md"}
"""Pages that say what the words mean, or speak of released weights."""

BASE = [30.4] * 11 + [30.76]  # Set12's mean is 30.43, as the paper has it for DnCNN
ENTRIES = (
    RequestedEntry("DnCNN", "DnCNN", published=("denoising", "DnCNN")),
    RequestedEntry("New", "New", published=("denoising", "Converse-DnCNN")),
)
STANDARD = Standard({"DnCNN": "DnCNN", "New": "DnCNN"}, 0.3, {"DnCNN": True, "New": True})


def trained(filled: Any, gaps: tuple[float, ...], *, flat: bool = True, **changes: Any) -> Material:
    """New − DnCNN on Set12, where the paper has +0.27 dB, with a curve of each training."""
    trials = []
    steps = np.array(sorted(curve_steps(1600)), dtype=float)
    losses = np.full_like(steps, 0.03) if flat else 0.03 * 2 ** (-steps / 400)
    for seed, gap in enumerate(gaps):
        for name, shift in (("DnCNN", 0.01 * seed), ("New", gap + 0.01 * seed)):
            one = filled.trained(name, seed, [value + shift for value in BASE], name="set12")
            points = [{"step": int(at), "loss": float(loss)} for at, loss in zip(steps, losses, strict=True)]
            with filled.store.folder(one).lock() as folder:
                folder.journal("curve.jsonl").append(points)
            trials.append((one, name))
    filled.asked(trials, entries=ENTRIES, contrasts=(("New", "DnCNN", "New"),), **changes)
    return gather([filled.store])


def psnr(material: Material) -> Any:
    (study,) = material.studies
    (record,) = (one for one in effect_records(material.effects(study)) if one["metric"] == "psnr")
    return record


def absolute(found: Report) -> dict[str, str | None]:
    """Network → what is said of its mean on Set12, of those that were trained here and are in the paper."""
    (sheet,) = (sheet for sheet in found.sheets if sheet.kind == "paper" and sheet.source == "trained")
    cells = [(row.title, cell) for row, head, cell in sheet.cells() if head.title == "Set12"]
    return {name: cell.verdict for name, cell in cells if None not in (cell.measured, cell.published)}


@pytest.mark.parametrize(
    ("gaps", "word"),
    [((0.2, 0.27, 0.34), "reproduced"), ((-0.51, -0.50, -0.49), "contradicted")],
    ids=["as-published", "the-other-way"],
)
def test_trainings_that_lack_nothing_judge_the_paper(filled: Any, gaps: tuple[float, ...], word: str) -> None:
    material = trained(filled, gaps, standard=STANDARD)
    record = psnr(material)
    assert (record["verdict"], record["judged"], record["lacking"]) == (word, True, None)
    found = make_report(material)
    assert found.lead[1:] == ("All of the published differences that were measured here, 1, can be judged.",)
    assert found.differences[word] == 1
    assert absolute(found) == {"DnCNN": "close"}  # 0.01 dB above


LACKING = {
    "size": ({"standard": Standard(STANDARD.baselines, 0.3, {"DnCNN": False, "New": False})}, True),
    "baseline": ({"standard": Standard({}, 0.3, STANDARD.full_size)}, True),
    "convergence": ({"standard": STANDARD}, False),
    "older store": ({}, True),
}


@pytest.mark.parametrize("lacking", [*LACKING, "seeds"])
def test_no_text_says_of_the_paper_what_trainings_may_not_say(
    filled: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], lacking: str
) -> None:
    changes, flat = LACKING.get(lacking, ({"standard": STANDARD}, True))
    gaps = (-0.51, -0.49) if lacking == "seeds" else (-0.51, -0.50, -0.49)
    material = trained(filled, gaps, flat=flat, **changes)
    record = psnr(material)
    assert (record["verdict"], record["judged"]) == ("worse here", False)
    lacks = Qualification.read(record["lacking"]).lacks
    assert list(lacks) == (["size", "baseline"] if lacking == "older store" else [lacking])

    written = write(make_report(material), tmp_path / "report")
    files = (path for path in written.folder.rglob("*") if path.suffix in TEXTS)
    texts = {path.name: path.read_text("utf-8") for path in files}
    (study,) = material.studies
    effects = study_effects(study, published=published(), grounds=material.grounds(study))
    print_effects(effect_records(effects), Settings())
    print_json(effect_records(effects))
    texts["terminal"] = capsys.readouterr().out
    assert '"verdict": "worse here"' in texts["terminal"]
    assert "worse here" in texts["index.html"]
    for name, text in texts.items():
        assert not OF_THE_PAPER.search(text), f"{name}: {OF_THE_PAPER.search(text)}"
    assert written.report.lead[1] == "Of 1 published difference that was measured here, none can be judged yet."
    assert written.report.differences["worse here"] == 1
    assert absolute(written.report) == {"DnCNN": None}


def test_no_page_of_the_docs_says_more_of_a_training() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "reports").glob("*.md")]
    cells = re.compile(rf"\|[^|\n]*{OF_THE_PAPER.pattern}[^|\n]*\|", re.IGNORECASE)
    for page in pages:
        text = page.read_text("utf-8")
        if page.name not in EXPLAINED:
            assert not cells.search(text), f"{page.name}: {cells.search(text)}"
            assert "contradicted" not in text, page.name


def test_a_report_without_the_suites_file_says_what_is_not_known(filled: Any) -> None:
    lacks = Qualification.read(psnr(trained(filled, (0.2, 0.27, 0.34)))["lacking"]).lacks
    assert lacks == {"size": "that of New and DnCNN is not known", "baseline": "it is not known which network that is"}


def test_json_has_both_columns(filled: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_json([psnr(trained(filled, (0.2, 0.27, 0.34)))])
    (one,) = json.loads(capsys.readouterr().out)
    assert one["judged"] is False
    assert one["lacking"].startswith("size: ")
