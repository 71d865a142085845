"""A report says what the store has. Oracles: numbers written down here, and the bytes on the disk."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converse.errors import OptionError, StoreError
from converse.experiments.store import Store
from converse.experiments.store.requests import RequestedEntry
from converse.reporting.chapters.contents import make_report
from converse.reporting.folder import write
from converse.reporting.inputs.material import gather
from converse.reporting.report import Report
from converse.reporting.tables.sheet import Cell
from converse.workflows.report import report

WHOLE_SET12 = [30.4] * 11 + [30.76]
"""Twelve images with a mean of 30.43, which is what the paper has for DnCNN on Set12."""

MINE = "converse run mine --budget quick --device cpu --threads 1"
"""What the notes here ask for, on the machine of the trials."""


def made(*stores: Any) -> Report:
    return make_report(gather([one.store for one in stores]))


def cell(of: Report, sheet: str, row: str, column: str) -> Cell:
    found = next(one for one in of.sheets if one.key == sheet)
    return next(cell for one, head, cell in found.cells() if (one.title, head.title) == (row, column))


def pairs(filled: Any, differences: list[float], **changes: Any) -> None:
    trials = []
    for seed, difference in enumerate(differences):
        trials.append((filled.trained("A", seed, [30.0, 31.0]), "A"))
        trials.append((filled.trained("A: b", seed, [30.0 + difference, 31.0 + difference]), "A: b"))
    filled.asked(trials, "A", **changes)


def test_released_weights_get_their_verdicts(filled: Any) -> None:
    filled.released("DnCNN", WHOLE_SET12, parameters=555137)
    filled.released("Converse-DnCNN", [30.0, 31.0])
    found = made(filled)
    whole = cell(found, "denoising-released", "DnCNN", "Set12")
    assert (whole.verdict, whole.published, whole.measured) == ("match", 30.43, pytest.approx(30.43))
    assert whole.command == "converse reproduce denoising --only DnCNN --datasets set12 --device cpu --threads 1"
    part = cell(found, "denoising-released", "Converse-DnCNN", "Set12")
    assert (part.verdict, part.reason) == ("not measured", "2 of 12 images")
    assert part.command == (
        "converse reproduce denoising --only Converse-DnCNN --datasets set12 --images 2 --device cpu --threads 1"
    )
    assert cell(found, "denoising-released", "Conv-DnCNN", "Set12").reason == "no released weights for Conv-DnCNN"
    assert found.verdicts["match"] == 1
    assert found.measured


def test_released_and_trained_numbers_never_share_a_sheet(filled: Any) -> None:
    released = {filled.released("DnCNN", WHOLE_SET12).id}
    one = filled.trained("DnCNN", 0, WHOLE_SET12, name="set12")
    filled.asked([(one, "DnCNN")])
    found = made(filled)
    trials = {
        sheet.key: {key for _, _, c in sheet.cells() if c.evidence for key in c.evidence.trials}
        for sheet in found.sheets
    }
    for sheet in found.sheets:
        assert not trials[sheet.key] or (trials[sheet.key] <= released) == (sheet.source == "released")


def test_an_ablation_shows_differences_from_the_store_alone(filled: Any) -> None:
    pairs(filled, [0.1, 0.2, 0.3])
    found = cell(made(filled), "mine-quick-differences", "b", "mine")
    assert found.measured == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.2 - 0.2484, abs=1e-4), pytest.approx(0.2 + 0.2484, abs=1e-4))
    assert found.evidence is not None
    assert len(found.evidence.base) == 3  # trials of the base, one per seed
    assert set(found.evidence.base) < set(found.evidence.trials)
    assert found.evidence.values[2] == (pytest.approx(0.3), pytest.approx(0.3))


def test_one_seed_has_a_difference_and_says_why_there_is_no_interval(filled: Any) -> None:
    pairs(filled, [0.1])
    found = cell(made(filled), "mine-quick-differences", "b", "mine")
    assert (found.measured, found.low) == (pytest.approx(0.1), None)
    assert found.reason


def test_failures_are_shown_with_reason_excerpt_and_way_out(filled: Any) -> None:
    one, other = filled.trained("A", 0, [30.0]), filled.trained("A: b", 0, [], state="failed")
    filled.asked([(one, "A"), (other, "A: b")], "A")
    found = made(filled)
    (failure,) = found.failures
    assert failure.reason == "loss became NaN at step 120"
    assert failure.command == "converse run mine --budget quick --device cpu --threads 1 --retry-failed"
    assert "ValueError: NaN" in failure.excerpt
    assert "somebody" not in failure.excerpt
    assert "seed 0: failed, loss became NaN at step 120" in str(cell(found, "mine-quick-values", "b", "PSNR").reason)


@pytest.mark.usefixtures("sketched")
def test_an_empty_store_says_how_to_begin(filled: Any, tmp_path: Path) -> None:
    found = made(filled)
    assert not found.measured
    assert [one.command for one in found.missing[:2]] == ["converse reproduce --images 2", "converse quickstart"]
    assert cell(found, "denoising-released", "DnCNN", "Set12").published == 30.43
    page = report([filled.store.root], tmp_path / "report").page.read_text("utf-8")
    assert "converse quickstart" in page
    # a line for each task's table
    assert page.count("<summary>Nothing of this table was measured here; it has the paper") == 3
    assert "it has the earlier table&#39;s 80 numbers" in page
    assert "it has the log&#39;s 9 numbers" in page


@pytest.mark.usefixtures("sketched")
def test_a_table_with_a_number_is_not_folded(filled: Any, tmp_path: Path) -> None:
    filled.released("DnCNN", [30.0])
    page = report([filled.store.root], tmp_path / "report").page.read_text("utf-8")
    assert page.count("<summary>Nothing of this table was measured here; it has the paper") == 2


def test_what_is_missing_comes_with_a_command(filled: Any) -> None:
    one = filled.trained("A", 0, [30.0], state="interrupted")
    filled.asked([(one, "A")], missing={"BSD68": "BSD68: images are not at hand: converse data fetch bsd68"})
    said = {one.what: one.command for one in made(filled).missing}
    assert said["Mine, budget quick: 1 of 1 trial is not done."] == MINE
    assert any("converse data fetch bsd68" in what for what in said)


def test_older_numbers_are_marked(filled: Any) -> None:
    filled.asked([(filled.trained("A", 0, [30.0], numerics=1), "A"), (filled.trained("B", 0, [30.0]), "B")])
    found = made(filled)
    sheet = next(one for one in found.sheets if one.key == "mine-quick-values")
    assert {row.title: row.marks for row in sheet.rows} == {"A": ("older code",), "B": ()}
    assert "numerics version" in sheet.notes[-1]


def test_the_audit_is_found_in_the_data(filled: Any) -> None:
    filled.released("Converse-DnCNN", WHOLE_SET12, parameters=796353)
    found = {sheet.key: sheet for sheet in made(filled).audit}
    parameters = {row.title: row for row in found["audit-parameters"].rows}
    assert parameters["Converse-DnCNN"].cells[2].measured == 796353 - 734913
    designs = [(row.title, *(c.text for c in row.cells)) for row in found["audit-designs"].rows]
    assert ("Converse-DnCNN", "kernel_size", "5", "7") in designs
    known = {row.title: row.cells[0].text for row in found["audit-networks"].rows}
    assert (known["ConvT-SRResNet"], known["Conv-USRNet"]) == ("read", "inferred")
    (urban,) = found["audit-tables"].rows
    assert (urban.title, urban.cells[0].text, urban.cells[1].published, urban.cells[3].published) == (
        "Converse-SRResNet",
        "Urban100",
        26.24,
        26.26,
    )
    (differs,) = found["audit-values"].rows
    assert differs.cells[3].verdict == "differs"


def test_several_stores_are_read_as_one(filled: Any, another: Callable[[str], Any]) -> None:
    other = another("other")
    one, two = filled.trained("A", 0, [30.0]), other.trained("A", 1, [32.0])
    filled.asked([(one, "A")])
    other.asked([(two, "A")], time="2026-02-01")
    filled.trained("A", 2, [], state="interrupted")
    other.asked([(other.trained("A", 2, [31.0]), "A")])
    found = cell(made(filled, other), "mine-quick-values", "A", "PSNR")
    assert found.measured == pytest.approx(31.0)
    assert found.evidence is not None
    assert found.evidence.seeds == (0, 1, 2)


def test_a_damaged_trial_is_named_and_the_others_are_shown(filled: Any) -> None:
    one, other = filled.trained("A", 0, [30.0]), filled.trained("A", 1, [30.0])
    filled.asked([(one, "A"), (other, "A")])
    assert made(filled).damaged == ()
    (filled.store.root / "trials" / one.id / "trial.json").write_text("{")
    found = made(filled)
    (said,) = found.damaged
    assert one.id in said
    assert cell(found, "mine-quick-values", "A", "PSNR").measured == 30.0


@pytest.mark.parametrize("name", ["curve.jsonl", "provenance.json"])
def test_what_is_damaged_beside_the_rows_is_named_and_the_rows_count(filled: Any, name: str) -> None:
    one = filled.trained("A", 0, [30.0])
    filled.asked([(one, "A")])
    folder = filled.store.folder(one)
    with folder.lock():
        folder.journal("curve.jsonl").append([{"step": step, "loss": 0.1, "lr": 0.1} for step in (1, 2)])
    file = folder.path / name
    file.write_text(file.read_text().replace('"', "", 1))
    found = made(filled)
    (said,) = found.damaged
    assert one.id in said
    assert name in said
    assert said.endswith("rows are in the numbers)")
    assert cell(found, "mine-quick-values", "A", "PSNR").measured == 30.0


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize("what", ["trials/*/trial.json", "asked/*.json"])
def test_what_is_of_a_newer_version_is_one_line_and_not_the_end(filled: Any, tmp_path: Path, what: str) -> None:
    filled.asked([(filled.trained("A", 0, [30.0]), "A")])
    filled.released("DnCNN", WHOLE_SET12)
    newer = sorted(filled.store.root.glob(what))[0]
    newer.write_text(json.dumps({**json.loads(newer.read_text()), "schema": 99}))
    done = report([filled.store.root], tmp_path / "report")
    (said,) = done.report.damaged
    assert "schema 99" in said
    assert newer.name in said
    page = done.page.read_text("utf-8")
    assert page.index("Could not be read, and is in no number") < page.index(newer.name) < page.index('class="answers"')
    assert "Could not be read" in (done.folder / "report.tex").read_text("utf-8")


def test_the_same_rows_give_the_same_bytes_in_any_place(filled: Any, tmp_path: Path) -> None:
    pairs(filled, [0.1, 0.2])
    filled.released("DnCNN", WHOLE_SET12)
    first, second = report([filled.store.root], tmp_path / "a"), report([filled.store.root], tmp_path / "b" / "c")
    assert first.files == second.files
    for name in first.files:
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()
    assert str(tmp_path) not in first.page.read_text("utf-8")
    assert "/home/" not in first.page.read_text("utf-8")


@pytest.mark.usefixtures("sketched")
def test_files_of_a_former_report_go_and_others_stay(filled: Any, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    done = report([filled.store.root], folder)
    (folder / "old.txt").write_text("old")
    (folder / "mine.txt").write_text("mine")
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    listed = json.loads((folder / "report.json").read_text())
    listed["files"] += ["old.txt", "../outside.txt", str(outside)]
    (folder / "report.json").write_text(json.dumps(listed))
    write(done.report, folder)
    assert not (folder / "old.txt").exists()
    assert (folder / "mine.txt").exists()
    assert outside.exists()


def test_mistakes_are_messages(filled: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"file is a file: name a folder"):
        report([filled.store.root], tmp_path / "file")
    with pytest.raises(StoreError, match="no store at"):
        report([tmp_path / "nothing"], tmp_path / "report")


@pytest.mark.usefixtures("sketched")
def test_a_store_is_only_read(filled: Any, tmp_path: Path) -> None:
    filled.trained("A", 0, [30.0])
    before = {path: path.stat().st_mtime_ns for path in filled.store.root.rglob("*")}
    report([filled.store.root], tmp_path / "report")
    assert {path: path.stat().st_mtime_ns for path in filled.store.root.rglob("*")} == before
    assert isinstance(filled.store, Store)


def test_the_summary_says_in_sentences_what_was_found(filled: Any) -> None:
    filled.released("DnCNN", WHOLE_SET12)
    trials = []
    for seed, more in enumerate([0.1, 0.2, 0.3]):
        trials.append((filled.trained("DnCNN", seed, [30.0] * 12, name="set12"), "DnCNN"))
        trials.append((filled.trained("Converse-DnCNN", seed, [30.0 + more] * 12, name="set12"), "New"))
    filled.asked(
        trials,
        entries=(
            RequestedEntry("DnCNN", "DnCNN", published=("denoising", "DnCNN")),
            RequestedEntry("New", "New", published=("denoising", "Converse-DnCNN")),
        ),
        contrasts=(("New", "DnCNN", "New"),),
    )
    found = made(filled)
    released, difference, caveat = found.lead[0], *found.findings
    assert released.startswith("Released weights: of ")
    assert "published means, 1 matches, " in released
    assert difference.startswith(
        "Mine, budget quick: New − DnCNN is +0.20 dB on Set12 (95 % interval −0.05 to +0.45 dB"
    )
    assert "the paper has +0.27 dB. Undecided here." in difference
    assert caveat.startswith('"Here" means at that budget')


EXACT = [math.inf, 62.793, math.inf]


def test_infinite_values_are_told_apart_from_missing_ones_in_every_format(filled: Any, tmp_path: Path) -> None:
    filled.released("DnCNN", EXACT)  # of Set12, and so without a verdict
    filled.released("Converse-DnCNN", [math.inf] * 12)
    filled.asked([(filled.trained("mine", seed, [*EXACT[:2], 60.001]), "mine") for seed in (0, 1)])
    material = gather([filled.store])
    written = write(make_report(material), tmp_path / "report")
    part = cell(written.report, "denoising-released", "DnCNN", "Set12")
    assert (part.measured, part.verdict, part.difference) == (62.793, "not measured", None)
    assert part.reason == "3 of 12 images; infinite in 2 of 3 images, mean of the others"
    whole = cell(written.report, "denoising-released", "Converse-DnCNN", "Set12")
    assert (whole.measured, whole.verdict, whole.reason) == (math.inf, "not measured", "infinite in 12 of 12 images")
    assert not any("infinite" in one.what and "Converse-DnCNN" in one.what for one in written.report.missing)
    page = (tmp_path / "report" / "index.html").read_text("utf-8")
    data = json.loads(page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0])
    facts = {one["title"]: dict(one["facts"]) for one in data["cells"]}
    assert facts["DnCNN · Set12"]["Measured"] == "∞ in 2 of 3 images; mean of the others 62.793 dB"
    assert facts["Converse-DnCNN · Set12"]["Measured"] == "∞ dB"
    assert ["∞", 62.793, "∞"] in [line for one in data["evidence"] for line in one["values"]]
    assert '<span class="beside">∞ in 2 of 3 images</span><span class="beside">mean of the others</span>' in page
    tables = tmp_path / "report" / "tables"
    with (tables / "denoising-released.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["row"]: line for line in csv.DictReader(file) if line["column"] == "Set12" and line["measured"]}
    assert [lines["DnCNN"][name] for name in ("measured", "images", "infinite")] == ["62.793000", "3", "2"]
    assert [lines["Converse-DnCNN"][name] for name in ("measured", "infinite")] == ["inf", "12"]
    assert "∞ in 2 of 3; others 62.793, paper 30.43" in (tables / "denoising-released.md").read_text("utf-8")
    latex = (tables / "denoising-released.tex").read_text("utf-8")
    assert r"$\infty$ in 2 of 3; others 62.793" in latex
    assert "∞" not in latex
    values = (tables / "mine-quick-values.md").read_text("utf-8")
    # 62.793 and 60.001 are left of the three; the deviation is that of two seeds with the same values.
    assert "∞ in 1 of 3; others 61.397 ± 0.000" in values


def test_a_difference_leaves_out_infinite_values_and_says_so(filled: Any) -> None:
    trials = []
    for seed, shift in enumerate((0.1, 0.2, 0.3)):
        trials.append((filled.trained("A", seed, [math.inf, 30.0, 31.0]), "A"))
        trials.append((filled.trained("A: b", seed, [math.inf, 30.0 + shift, math.inf]), "A: b"))
        trials.append((filled.trained("A: c", seed, [math.inf] * 3), "A: c"))
    filled.asked(trials, "A")
    found = made(filled)
    told = cell(found, "mine-quick-differences", "b", "mine")
    assert told.measured == pytest.approx(0.2)
    assert told.reason is not None
    assert "2 of 3 images left out (0.png, 2.png): infinite" in told.reason
    assert ("Images left out, since their PSNR is infinite", "2") in told.facts
    assert told.evidence is not None
    first, second, third = told.evidence.values[0]
    assert (first, third) == (None, None)
    assert second == pytest.approx(0.1)
    nothing = cell(found, "mine-quick-differences", "c", "mine")
    assert (nothing.measured, nothing.low, nothing.high) == (None, None, None)
    assert "3 of 3 images left out" in str(nothing.reason)


def test_a_trial_whose_images_have_no_value_is_not_done_and_its_cell_says_why(filled: Any) -> None:
    one = filled.trained("A", 0, [math.nan, math.nan])
    with filled.store.folder(one).lock() as folder:
        folder.set_status("done", "2 of 2 images not measured: output is not finite")
    filled.asked([(one, "A"), (filled.trained("B", 0, [30.0, 31.0]), "B")])
    found = made(filled)
    (part,) = (part for part in found.parts if "Trials" in str(part.facts))
    assert "1 of 2 done" in str(part.facts)
    assert any("A seed 0: 2 of 2 images not measured: output is not finite" in one.what for one in found.missing)
