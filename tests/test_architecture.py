"""The house: which layer may know which, and what no module does by itself. All is read from the syntax tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

import converse
from converse.content import content

PACKAGE = Path(converse.__file__).parent

Steps = tuple[set[str], ...]

# Left knows right. Layers of one step stand beside each other and don't know each other.
STEPS = (
    {"cli"},
    {"workflows"},
    {"reporting"},
    {"analysis"},
    {"experiments"},
    {"metrics", "data", "nn"},
)
# The same within `experiments`.
INNER_STEPS = (
    {"running", "speed"},
    {"training", "evaluation"},
    {"store", "suites"},
    {"provenance"},
    {"devices", "processes", "trials"},
)
FREE = {"counted", "errors", "content", "plain_text", "progress_bar", "lazy"}  # known to all, knowing none
COUNTED = "images trials seeds rows threads files settings values measurements requests attempts calls"
NEXT = re.compile(rf" (?:{'|'.join(COUNTED.split())})\b")
BY_HAND = re.compile(r"\b[a-z]+\(s\)(?!\w)|else ['\"]s['\"]|['\"]s['\"] \*|['\"]s['\"] if")
FACADE = "the package itself"  # converse/__init__.py: names that load when used


def rule(steps: Steps) -> str:
    """``cli → workflows → …``; layers of one step in the order of the alphabet."""
    return " → ".join(", ".join(sorted(layers)) for layers in steps)


def ranks(steps: Steps) -> dict[str, int]:
    return {layer: rank for rank, layers in enumerate(steps) for layer in layers}


def imported(tree: ast.Module, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of converse that a module of ``package`` imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            argument = node.args[0] if node.args else None
            if isinstance(argument, ast.Constant):
                yield node.lineno, str(argument.value)


def layer(dotted: str) -> str | None:
    """The layer of a dotted name; None for what is not converse's."""
    first, *rest = dotted.split(".")
    if first != "converse":
        return None
    if not rest or rest[0] == "__version__":
        return FACADE
    # `from converse import Converse2D` is an import of where the name lives.
    home = converse._HOME.get(rest[0])
    return layer(home) if home else rest[0]


def against(steps: Steps, own: str, other: str) -> bool:
    """Whether an import of a layer by another points against the arrows."""
    rank = ranks(steps)
    return own not in rank or other not in rank or rank[other] <= rank[own]


def violations(source: str, file: str) -> list[str]:
    """Each import in ``file`` (relative to the package) that points against the arrows."""
    own, *inside = [part.removesuffix(".py") for part in Path(file).parts]
    package = ".".join(["converse", *Path(file).parts[:-1]])
    found = []
    for line, name in imported(ast.parse(source), package):
        other = layer(name)
        if other is None or other == FACADE or (other in FREE and own not in FREE):
            continue
        if other != own:
            if own in FREE or against(STEPS, own, other):
                found.append(f"converse/{file}:{line}: {own} imports {name}, against {rule(STEPS)}")
        elif own == "experiments" and inside[0] != "__init__":
            inner = name.split(".")[2:3]
            if inner != inside[:1] and (not inner or against(INNER_STEPS, inside[0], inner[0])):
                found.append(f"converse/{file}:{line}: {inside[0]} imports {name}, against {rule(INNER_STEPS)}")
    return found


def test_arrows_between_rooms() -> None:
    files = [file.relative_to(PACKAGE) for file in sorted(PACKAGE.rglob("*.py")) if file.parent != PACKAGE]
    files += [Path("metrics.py"), *(Path(f"{name}.py") for name in sorted(FREE))]
    assert len(files) > 20
    found = [line for file in files for line in violations((PACKAGE / file).read_text("utf-8"), file.as_posix())]
    assert not found, "\n".join(found)


def circles(imports: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Groups of modules that reach each other through imports."""
    reached: dict[str, set[str]] = {}
    for module in imports:
        seen: set[str] = set()
        ahead = list(imports[module])
        while ahead:
            one = ahead.pop()
            if one not in seen:
                seen.add(one)
                ahead += imports.get(one, ())
        reached[module] = seen
    groups = {frozenset(m for m in reached if m in reached[n] and n in reached[m]) for n in reached if n in reached[n]}
    return sorted(sorted(group) for group in groups)


def imports_of_modules() -> dict[str, set[str]]:
    """Module → the modules of converse that it imports, those inside functions and for type checkers too."""
    files = {_dotted(file): file for file in PACKAGE.rglob("*.py") if "_content" not in file.parts}
    found: dict[str, set[str]] = {}
    for module, file in files.items():
        package = module if file.stem == "__init__" else module.rpartition(".")[0]
        names = (name for _, name in imported(ast.parse(file.read_text("utf-8")), package))
        homes = (_module(name, files) for name in names)
        found[module] = {home for home in homes if home and home != module}
    return found


def _dotted(file: Path) -> str:
    return ".".join(("converse", *file.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def _module(name: str, files: Mapping[str, Path]) -> str | None:
    """The module that an imported name comes from; packages that only list names lead on to where those live."""
    if name.startswith("converse.") and name.count(".") == 1 and name.partition(".")[2] in converse._HOME:
        return converse._HOME[name.partition(".")[2]]
    while name and name not in files:
        name = name.rpartition(".")[0]
    return None if name == "converse" else name or None


def test_no_imports_go_round_in_circles() -> None:
    imports = imports_of_modules()
    assert len(imports) > 100
    assert circles(imports) == []


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": ()}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": ()}) == []


def test_every_layer_has_its_place() -> None:
    layers = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert layers - {"__init__", "__main__"} == ranks(STEPS).keys() | FREE
    inner = {path.stem for path in (PACKAGE / "experiments").iterdir() if not path.stem.startswith("__")}
    assert inner == ranks(INNER_STEPS).keys()


def test_commands_write_through_printing_alone() -> None:
    """There text of others becomes harmless, and there any encoding, a full disk and a closed pipe are met."""
    found = []
    for file in sorted((PACKAGE / "cli").glob("*.py")):
        if file.stem in ("printing", "streams"):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            written = ast.unparse(node.func)
            if written in ("typer.echo", "click.echo", "print", "Console") or written.startswith("sys.std"):
                found.append(
                    f"converse/cli/{file.name}:{node.lineno}: {written}: use say, console or print_… of printing"
                )
            if written.endswith(".command") and "cls" not in {keyword.arg for keyword in node.keywords}:
                found.append(
                    f"converse/cli/{file.name}:{node.lineno}: {written} needs cls=Command of converse.cli.streams"
                )
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("file", "source", "line"),
    [
        pytest.param("nn/a.py", "import torch\nfrom converse.data.images import read_image", 2, id="nn-knows-no-data"),
        pytest.param("data/a.py", "def f():\n    import converse.nn", 2, id="inside-a-function"),
        pytest.param("metrics.py", "from converse.nn import blocks", 1, id="beside-is-not-below"),
        pytest.param("analysis/a.py", "from converse import workflows", 1, id="layer-from-the-package"),
        pytest.param("data/a.py", "from converse import Converse2D", 1, id="lazy-name"),
        pytest.param("experiments/a.py", "from ..cli import main", 1, id="relative"),
        pytest.param("workflows/a.py", "import importlib\nimportlib.import_module('converse.cli')", 2, id="by-name"),
        pytest.param("errors.py", "from converse.data import images", 1, id="errors-knows-none"),
        pytest.param("reporting/a.py", "if x:\n\n    import converse.attic.old", 3, id="unknown-layer"),
        pytest.param("experiments/store/a.py", "from converse.experiments.suites import plans", 1, id="inner-beside"),
        pytest.param("experiments/suites/a.py", "def f():\n    from ..speed.suite import x", 2, id="inner-relative"),
        pytest.param("experiments/trials.py", "from converse.experiments import store", 1, id="inner-leftwards"),
        pytest.param("experiments/training/a.py", "import converse.experiments.attic", 1, id="inner-unknown"),
        pytest.param("experiments/speed/a.py", "import converse.experiments", 1, id="inner-whole-layer"),
    ],
)
def test_what_breaks_the_rule_is_named(file: str, source: str, line: int) -> None:
    (found,) = violations(source, file)
    assert found.startswith(f"converse/{file}:{line}: ")


@pytest.mark.parametrize(
    ("file", "source"),
    [
        pytest.param("cli/a.py", "from converse import __version__\nfrom converse.nn import models", id="far-right"),
        pytest.param("nn/a.py", "from converse.errors import unknown\nfrom .blocks import Block", id="own-layer"),
        pytest.param("data/a.py", "from converse.content import content\nimport converse.data.images", id="content"),
        pytest.param(
            "experiments/speed/a.py", "from ..store.rows import frame\nfrom .suite import x", id="inner-right"
        ),
        pytest.param("experiments/store/a.py", "from converse.experiments.store import Store", id="inner-own-door"),
        pytest.param("experiments/suites/a.py", "from converse.nn.models import MODELS", id="inner-to-another-layer"),
    ],
)
def test_what_keeps_the_rule_passes(file: str, source: str) -> None:
    assert violations(source, file) == []


def sources() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.name != "counted.py")


def test_no_module_puts_a_noun_behind_a_number_by_itself() -> None:
    """A noun that stands as it is behind a number is wrong for 1, or for all others: converse.counted knows both."""
    wrong = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.JoinedStr):
                continue
            for number, text in zip(node.values, node.values[1:], strict=False):
                word = isinstance(text, ast.Constant) and NEXT.match(str(text.value))
                if word and isinstance(number, ast.FormattedValue) and not verb(number.value):
                    wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(number.value)}{word[0]}")
    assert not wrong, "use converse.counted.counted"


def verb(value: ast.expr) -> bool:
    """Whether it is a word that was made to agree, behind which an object stands: {has} values."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "agreeing"


def test_no_plural_is_made_by_hand() -> None:
    texts = [*sources(), *sorted((content("reports") / "templates").iterdir())]
    found = {path.name: BY_HAND.findall(path.read_text(encoding="utf-8")) for path in texts}
    code = {"str(s)", "len(s)", "http(s)"}
    wrong = {name: [one for one in matches if one not in code] for name, matches in found.items()}
    assert not {name: matches for name, matches in wrong.items() if matches}, "use converse.counted"
