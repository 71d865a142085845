"""Oracle: pdfLaTeX itself, its log, and the text that pdftotext finds in what it made."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from converse.reporting.figures.drawn import drawn
from converse.reporting.figures.style import new_drawing, styled
from converse.reporting.latex import document, paper_table, table
from converse.reporting.latex_text import Latex, latex
from converse.reporting.report import Report
from converse.reporting.tables.sheet import BLIND, INPUT, Cell, Head, Row, Sheet
from tests.reporting.compiled import compiled


def letters(text: str) -> str:
    """Without spaces, which lines and ligatures move."""
    return re.sub(r"\s", "", text)


def test_a_hostile_report_compiles_and_says_its_names(hostile: Report, tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    for sheet in hostile.sheets:
        (tmp_path / f"tables/{sheet.key}.tex").write_text(table(sheet), "utf-8")
    log, text = compiled(tmp_path, document(hostile))
    assert "Overfull" not in log
    assert not re.search(r"^!|Missing character|undefined on input", log, re.M)
    assert not (tmp_path / "pwned").exists()
    assert "root:" not in text
    found = letters(text)
    for name in (
        "<script>alert(1)</script>",
        "\\input{/etc/passwd}",
        "U+0645",
        "U+1F99C",
        "\\end{document}\\write18{touch",
    ):
        assert letters(name) in found, name
    assert "100%_a_#b" in found
    assert "x" * 20 in found
    assert "λ=σ×2±1" in found


def test_figures_are_in_the_document(hostile: Report, tmp_path: Path) -> None:
    with styled():
        drawing = new_drawing(3, 2)
        drawing.add_subplot().plot([0, 1])
    figure = drawn(
        drawing, name="a-figure", title="A title", caption="A caption.", alt="A line.", values=pd.DataFrame()
    )
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/a-figure.pdf").write_bytes(figure.pdf)
    part = replace(hostile.parts[0], title="A part", sheets=(), figures=(figure,))
    _, text = compiled(tmp_path, document(replace(hostile, parts=(part,))))
    assert "A title. A caption." in text


REFERENCE = Path(__file__).resolve().parents[2] / "reports" / "reference"

ALONE = r"""\documentclass{article}
\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}%s
\begin{document}\input{table}\end{document}"""


def test_a_table_stands_alone_with_the_packages_that_it_names(sheet: Sheet, tmp_path: Path) -> None:
    source = table(sheet)
    (tmp_path / "table.tex").write_text(source, "utf-8")
    packages = re.findall(r"\\usepackage\{[^}]*\}", source.splitlines()[0])
    log, text = compiled(tmp_path, ALONE % "".join(packages))
    assert "Overfull" not in log
    assert "Table 2" in text  # twelve columns are two tables


def test_every_letter_of_latin_and_greek_has_a_glyph(tmp_path: Path) -> None:
    every = "".join(chr(code) for code in (*range(0x20, 0x7F), *range(0xA0, 0x250), *range(0x370, 0x400)))
    every += "".join(chr(code) for code in (*range(0x2000, 0x2300), *range(0x2700, 0x27F0)))
    (tmp_path / "table.tex").write_text(rf"\sloppy {latex(every)}", "utf-8")
    log, _ = compiled(tmp_path, ALONE % r"\usepackage{amssymb,textcomp}")
    assert "Missing character" not in log


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b%", r"a\_b\%"),
        ("\\x{y}", r"\textbackslash{}x\{y\}"),
        ("a\n\tb", "a b"),
        ("Converse-DnCNN, a", "Converse-DnCNN, a"),
        ("--a,,b", "-{}-a,{},b"),
        ("λ−2 ± 1", r"$\lambda$$-2$ $\pm$ 1"),
        ("[−0.10, +0.03] [*]", r"{[}$-0.10$, +0.03] [*]"),
        ("the code's 'a'", r"the code's \textquotesingle{}a\textquotesingle{}"),
        ("🦜", "U+1F99C"),
        ("Nᵃ", "N${}^a$"),
        ("fitted: t ∝ Nᵃ, [N log N]", r"fitted: $t \propto N^a$, [$N \log N$]"),
        ("by K*/(|K|² + λ)", r"by $\overline{K}/(|K|^2 + \lambda)$"),
        ("xᵢ", "x${}_i$"),
        ("\u202e", "U+202E"),
        ("e\u0301", "é"),
        ("x" * 24, "x" * 24),
        ("Converse-USRNet-blind-small", "Converse-USRNet-blind-small"),
        ("x" * 25, "x" * 10 + r"\allowbreak{}" + "x" * 10 + r"\allowbreak{}" + "x" * 5),
        (
            "reports/reference/denoising.toml",
            r"reports/\allowbreak{}reference/\allowbreak{}denoising.\allowbreak{}toml",
        ),
    ],
    ids=ascii,
)
def test_text_is_written_so_that_nothing_of_it_is_a_command(text: str, written: str) -> None:
    assert latex(text) == written
    assert latex(Latex(written)) == written


def test_the_paper_s_arrangement_with_marks_and_verdicts() -> None:
    heads = (Head("Set12", "Set12", group="Test set", unit="dB", better="higher"),)
    cells = [
        Cell(measured=30.70, published=30.70, verdict="match"),
        Cell(measured=30.43, published=30.44, verdict="differs", deviation=0.02),
        Cell(measured=30.0),
    ]
    rows = tuple(Row(name, (cell,)) for name, cell in zip("ABC", cells, strict=True))
    sheet = Sheet("k", "paper", "T", "PSNR in dB.", "released", "Network", heads, rows)
    found = table(sheet)
    assert r"A & \textbf{30.70}\rlap{$^{\checkmark}$} \\" in found
    assert r"B & \underline{30.43} $\pm$ 0.02\rlap{$^{\times}$} \\" in found
    assert "C & 30.00 \\\\" in found
    assert r"{\scriptsize \emph{30.44}}" in found
    assert r"$\checkmark$ match; $\times$ differs" in found
    assert "emph{30.44}" not in table(sheet, published=False)
    assert found == table(sheet)


def paper_sheet() -> Sheet:
    heads = (
        Head("parameters", "Parameters", digits=0, published_digits=0),
        Head("Set12", "Set12", group="Test set", unit="dB", digits=3, better="higher"),
    )
    cells = [
        (Cell(), Cell(measured=20.17)),
        (Cell(measured=734913), Cell(measured=30.6969, published=30.70, verdict="match", deviation=0.0149)),
        (Cell(measured=1234), Cell(measured=30.434)),
        (Cell(), Cell(published=30.64, verdict="not measured")),
    ]
    marks = [(INPUT,), (), (), (BLIND,)]
    rows = tuple(
        Row(name, one, marks=mark)
        for name, one, mark in zip(["Noisy input", "Converse-DnCNN", "DnCNN", "A_b"], cells, marks, strict=True)
    )
    return Sheet("k", "paper", "Denoising", "PSNR in dB.", "released", "Network", heads, rows)


def test_a_table_as_in_a_paper_has_two_decimals_and_no_verdicts() -> None:
    found = paper_table(paper_sheet())
    assert r"\begin{tabular}{l S[table-format=6.0] S[table-format=2.2(2)]}" in found
    assert r"Noisy input & {--} & 20.17 \\" in found
    assert r"Converse-DnCNN & 734913 & \bfseries 30.70 \pm 0.01 \\" in found
    assert r"DnCNN & 1234 & {\underline{30.43}} \\" in found
    assert r"A\_b {\scriptsize (blind)} & {--} & {--} \\" in found
    assert "checkmark" not in found


def test_a_long_word_in_words_of_a_cell_has_room(tmp_path: Path) -> None:
    """Oracle: the log of pdfLaTeX. A word of 24 letters is not broken."""
    words = Cell(text="the same; matched_super_resolution has it at equal upsampling and equal parameters " * 3)
    sheet = Sheet(
        "t", "audit", "T", "C.", "trained", "Network", (Head("a", "A"), Head("b", "B")), (Row("A", (words, words)),)
    )
    (tmp_path / "table.tex").write_text(table(sheet), "utf-8")
    packages = re.findall(r"\\usepackage\{[^}]*\}", table(sheet).splitlines()[0])
    log, text = compiled(tmp_path, ALONE % "".join(packages))
    assert "Overfull" not in log
    assert "matched_super_resolution" in text


def test_a_table_as_in_a_paper_compiles_in_an_empty_article(tmp_path: Path) -> None:
    found = shutil.which("kpsewhich") and subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True).stdout
    if not found:
        pytest.skip("siunitx is not installed: texlive-science has it")
    source = paper_table(paper_sheet())
    (tmp_path / "table.tex").write_text(source, "utf-8")
    packages = re.findall(r"\\usepackage\{[^}]*\}", source.splitlines()[0])
    log, text = compiled(tmp_path, ALONE % "".join(packages))
    assert "Overfull" not in log
    assert "Converse-DnCNN73491330.70±0.01" in letters(text)


def test_committed_tables_as_in_a_paper_fit_the_page_of_an_article(tmp_path: Path) -> None:
    """Oracle: the log of pdfLaTeX, in the article class with the packages that the tables name and nothing else."""
    if (
        shutil.which("kpsewhich") is None
        or not subprocess.run(["kpsewhich", "siunitx.sty"], capture_output=True).stdout
    ):
        pytest.skip("siunitx is not installed: texlive-science has it")
    tables = sorted((REFERENCE / "tables").glob("*.paper.tex"))
    assert tables
    texts = [path.read_text("utf-8") for path in tables]
    (packages,) = {"".join(re.findall(r"\\usepackage\{[^}]*\}", text.splitlines()[0])) for text in texts}
    (tmp_path / "table.tex").write_text("\n".join([*texts, r"\clearpage"]), "utf-8")
    log, _ = compiled(tmp_path, ALONE % packages)
    assert [found for found in re.findall(r"Overfull \\hbox \((\d+\.\d+)pt", log) if float(found) > 1] == []


@pytest.mark.parametrize(("sets", "kept"), [(6, True), (7, False)])
def test_multiply_adds_are_left_out_where_a_page_is_too_narrow(sets: int, kept: bool) -> None:
    heads = (
        Head("parameters", "Parameters", digits=0),
        Head("multiply_adds", "Multiply-adds", digits=0),
        *(Head(f"s{index}", f"S{index}") for index in range(sets)),
    )
    row = Row("a", (Cell(measured=11), Cell(measured=22), *(Cell(measured=33) for _ in range(sets))))
    found = table(Sheet("k", "effects", "T", "PSNR.", "trained", "Variant", heads, (row,)))
    assert (" & 22" in found) == kept
    assert found.count(r"\begin{tabular}") == 1


def test_an_empty_sheet_is_a_table_still(tmp_path: Path) -> None:
    sheet = Sheet("k", "values", "Nothing", "Nothing was measured.", "trained", "Network", (), ())
    (tmp_path / "table.tex").write_text(table(sheet), "utf-8")
    _, text = compiled(tmp_path, ALONE % r"\usepackage{amssymb,textcomp,booktabs,array,graphicx}")
    assert "Nothing was measured." in text
