"""The pages say what is there. The oracles are the file system, the syntax tree and the command line's own parser."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

import converse
from converse.cli.main import app

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(converse.__file__).parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("reports/*.md")])
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def script(name: str) -> ModuleType:
    """A script of ``docs/``, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_module_has_one_line_and_nothing_else_has() -> None:
    listed = re.findall(r"^\| `([\w/]+\.py)` \| \S", ARCHITECTURE, re.MULTILINE)
    there = (file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py"))
    assert sorted(listed) == sorted(file.as_posix() for file in there if file.parts[0] != "_content")


def test_lines_of_modules_are_those_of_their_docstrings() -> None:
    assert script("module_tree").page(ARCHITECTURE) == ARCHITECTURE, "run `python docs/module_tree.py`"


def test_checks_of_the_contract_are_those_of_its_table() -> None:
    contract = script("contract_table")
    text = contract.PAGE.read_text("utf-8")
    assert contract.page(text) == text, "run `python docs/contract_table.py`"


def test_tables_of_the_readme_are_those_of_the_committed_report() -> None:
    tables, text = script("readme_tables"), (ROOT / "README.md").read_text("utf-8")
    assert tables.page(text) == text, "run `python docs/readme_tables.py`"
    paper = tomllib.loads((ROOT / "reports" / "published.toml").read_text("utf-8"))["denoising"]
    (said,) = re.findall(r"^\| BSD68 \| Converse-DnCNN \| (\S+) \|", text, re.MULTILINE)
    assert float(said) == dict(zip(paper["columns"], paper["Converse-DnCNN"], strict=True))["BSD68"]


def test_tables_of_scale_are_those_of_the_measurements() -> None:
    curves = script("scale_curves")
    text = curves.PAGE.read_text("utf-8")
    assert curves.page(text) == text, "run `python docs/scale_curves.py`"


def test_published_schemas_are_those_of_the_models() -> None:
    schemas = script("schemas")
    made = {name: schemas.written(schema()) for name, schema in schemas.FILES.items()}
    published = {file.name: file.read_text("utf-8") for file in schemas.FOLDER.iterdir()}
    assert published == made, "run `python docs/schemas.py`"


def defined(tree: ast.AST) -> Iterator[str]:
    """Names that a module or class defines: ``Trial``, ``Trial.id``, …"""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
            if isinstance(node, ast.ClassDef):
                yield from (f"{node.name}.{name}" for name in defined(node))


def test_answers_to_where_is_are_there() -> None:
    answers = re.findall(r"^\| Where .*\? \| `(converse/\S+)`: (.*) \|$", ARCHITECTURE, re.MULTILINE)
    assert len(answers) > 10
    for file, names in answers:
        there = set(defined(ast.parse((ROOT / file).read_text("utf-8"))))
        missing = set(re.findall(r"`([\w.]+)`", names)) - there
        assert not missing, f"docs/architecture.md: {file} does not define {', '.join(missing)}"


def commands() -> Iterator[tuple[str, list[str]]]:
    """Page and words of each command line of converse in a block of code."""
    for page in PAGES:
        blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|(?= )|;|>", line.partition(" #")[0]):
                words = shlex.split(part.removeprefix("$ ").strip())
                names = [Path(word).name for word in words]
                if "converse" in names[:3] and not {"pip", "git"} & set(names):
                    yield page.relative_to(ROOT).as_posix(), words[names.index("converse") + 1 :]


@cache
def command_line() -> Any:
    """The command line, which parses its words and does nothing."""
    command = typer.main.get_command(app)
    _without_work(command)
    return command


def _without_work(command: Any) -> None:
    for inner in getattr(command, "commands", {}).values():
        _without_work(inner)
    if not hasattr(command, "commands"):
        command.callback = lambda **_: None


def refused(words: list[str]) -> str | None:
    """What the command line's own parser has against a command, which is not carried out."""
    try:
        command_line().main([word for word in words if word != "…"], prog_name="converse", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())
    return None


def mentioned() -> Iterator[tuple[str, list[str]]]:
    """Page and words of each command that a sentence names, maybe without its arguments."""
    for page in PAGES:
        for span in re.findall(r"(?<!`)`converse ([a-z][^`]*)`(?!`)", page.read_text("utf-8")):
            yield page.relative_to(ROOT).as_posix(), [word.strip("[]…") for word in span.split()]


COMMANDS = sorted({(page, shlex.join(words)) for page, words in commands()})


@pytest.mark.parametrize(("page", "command"), [pytest.param(*one, id=" ".join(one)) for one in COMMANDS])
def test_commands_of_pages_are_commands(page: str, command: str) -> None:
    assert refused(shlex.split(command)) is None


MENTIONED = sorted({(page, shlex.join(words)) for page, words in mentioned()})


@pytest.mark.parametrize(("page", "command"), [pytest.param(*one, id=" ".join(one)) for one in MENTIONED])
def test_commands_that_sentences_name_are_commands(page: str, command: str) -> None:
    assert (refused(shlex.split(command)) or "Missing argument").startswith("Missing argument")


def test_many_commands_are_found_and_wrong_ones_refused() -> None:
    assert len(COMMANDS) > 30
    assert len(MENTIONED) > 30
    assert "No such command" in str(refused(["train"]))
    assert "No such option" in str(refused(["run", "denoising", "--epochs", "3"]))


def test_every_public_package_has_a_page() -> None:
    pages = {page.stem: page.read_text("utf-8") for page in (ROOT / "docs" / "api").glob("*.md")}
    public = {path.stem for path in PACKAGE.iterdir() if (path / "__init__.py").is_file() or path.stem == "metrics"}
    for name in public - {"cli"}:  # the command line is not called from Python; docs/cli.md is its page
        assert f"::: converse.{name}\n" in pages.get(name, ""), f"docs/api/{name}.md"


def test_every_argument_is_described_where_it_stands() -> None:
    """A reader of one docstring is not sent to another for the meaning of an argument."""
    elsewhere = re.compile(r"^ +\w+: (?:.*, )?(?:likewise|as (?:there|above|before|for :func:`\w+`))\.$", re.MULTILINE)
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                sent = elsewhere.findall(ast.get_docstring(node, clean=False) or "")
                assert not sent, f"{file}: {getattr(node, 'name', 'module')}: {sent[0].strip()}"


PRIVATE = {  # word → the one that the glossary or the field has
    r"twins?": "counterpart",
    r"at hand": "available",
    r"rooms": "layers",
    r"likewise": "what it stands for",
    r"held against": "compared with",
}


@pytest.mark.parametrize("word", PRIVATE)
def test_pages_use_the_words_of_the_field(word: str) -> None:
    """Measurements are kept as they were written; a name in code may be older than the glossary."""
    for page in PAGES:
        if page.parent.name == "log" or page.name == "CHANGELOG.md":
            continue
        text = re.sub(r"```.*?```|`[^`\n]*`|<!-- modules.*?<!-- end", "", page.read_text("utf-8"), flags=re.DOTALL)
        used = re.search(rf".*\b{word}\b.*".replace(" ", r"\s+"), text)
        assert not used, f"{page.relative_to(ROOT)}: {PRIVATE[word]!r} is meant: {used[0] if used else ''}"


def test_files_that_pages_name_are_there() -> None:
    """Logs name files as they were called then."""
    folders = r"(?:converse|docs|tests|benchmarks|ablations|datasets|reports)"
    named = re.compile(rf"(?<![\w/.-])({folders}/[\w./-]+\.(?:py|md|toml|json|mplstyle))\b")
    for page in PAGES:
        if page.parent.name == "log" or page.name == "CHANGELOG.md":
            continue
        for file in (one for one in named.findall(page.read_text("utf-8")) if not re.search("NAME|/mine", one)):
            known = (ROOT / file).exists() or (page.parent / file).exists()
            assert known, f"{page.relative_to(ROOT)} names {file}, which is not there"


def test_names_of_the_package_that_pages_state_exist() -> None:
    """``converse.module.name`` in code is a module, or a name that its module defines."""
    for page in PAGES:
        if page.parent.name == "log" or page.name == "CHANGELOG.md":
            continue
        for dotted in set(re.findall(r"`(converse(?:\.\w+)+)`", page.read_text("utf-8"))):
            parts = dotted.split(".")[1:]
            module = PACKAGE.joinpath(*parts)
            parent = PACKAGE.joinpath(*parts[:-1])
            source = parent.with_suffix(".py") if parent != PACKAGE else PACKAGE / "__init__.py"
            source = source if source.exists() else parent / "__init__.py"
            known = module.is_dir() or module.with_suffix(".py").exists() or parts[-1] in source.read_text("utf-8")
            assert known, f"{page.relative_to(ROOT)} names {dotted}, which is not there"
