"""Names of operators with their options. Oracles: what TOML itself reads, and the metadata of a package made here."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converse.errors import OptionError, SuiteError
from converse.experiments.suites.operator_names import REGISTERED, Named, installed, named
from converse.experiments.suites.suite import parse_suite
from converse.nn.operators import OPERATORS
from tests.experiments.suites.offered import offer

FOLDER = Path("/a/folder")

READ: dict[str, tuple[str | dict[str, Any], Named]] = {
    "registered": ("converse", Named("converse")),
    "options": ("converse?eps=1e-3&lam_shared=true", Named("converse", {"eps": 1e-3, "lam_shared": True})),
    "words": ("converse?kernel_init=delta+softmax", Named("converse", {"kernel_init": "delta+softmax"})),
    "file": ("ops/mine.py:Mine", Named("/a/folder/ops/mine.py:Mine")),
    "file-above": ("../mine.py:Mine?groups=2", Named("/a/mine.py:Mine", {"groups": 2})),
    "absolute": ("/b/mine.py:Mine", Named("/b/mine.py:Mine")),
    "module": ("package.module:Mine?sizes=[1, 2]", Named("package.module:Mine", {"sizes": [1, 2]})),
    "question-in-the-file": ("what?.py:Mine?a=1", Named("/a/folder/what?.py:Mine", {"a": 1})),
    "escaped": ("converse?word=a%26b%3D%25", Named("converse", {"word": "a&b=%"})),
    "quoted": ('converse?word="7"', Named("converse", {"word": "7"})),
    "equals-inside": ("converse?word=a=b", Named("converse", {"word": "a=b"})),
    "no-options": ("converse?", Named("converse")),
    "table": ({"name": "mine.py:Mine", "groups": 2}, Named("/a/folder/mine.py:Mine", {"groups": 2})),
    "table-of-tables": ({"name": "conv", "how": {"a": [1]}}, Named("conv", {"how": {"a": [1]}})),
    "nobody-knows": ("convers", Named("convers")),
}


@pytest.mark.parametrize("case", READ)
def test_a_name_is_read(case: str) -> None:
    given, expected = READ[case]
    assert named(given, FOLDER) == expected
    assert named(str(expected), FOLDER) == expected


REFUSED: dict[str, tuple[Any, str]] = {
    "spaces": ("my file.py", 'came "my file.py"; expected a registered name, package.module:Class or path/to/'),
    "empty": ("", 'came ""; expected a registered name'),
    "no-value": ("conv?groups", "came \"conv?groups\"; options are written as Class?groups=2&eps=1e-3, got 'groups'"),
    "no-key": ("conv?=2", "came \"conv?=2\"; an option is the name of an argument, got ''"),
    "twice": ("conv?a=1&a=2", 'came "conv?a=1&a=2"; a stands there twice'),
    "hidden": ("a\x1b[2J.py:Mine", r'came "a\u001b[2J.py:Mine"; expected a path of printable letters'),
    "no-name": ({"groups": 2}, "came { groups = 2 }; expected the key name in it"),
    "name-of-a-number": ({"name": 2}, "came { name = 2 }; expected the key name in it"),
    "both": ({"name": "conv?a=1", "b": 2}, "options stand either in the table or after the name, not in both"),
    "key-of-a-table": ({"name": "conv", "a b": 2}, "an option is the name of an argument, got 'a b'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_name_is_refused(case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(OptionError) as raised:
        named(given)
    assert str(raised.value).startswith("came ")
    assert message in str(raised.value)


SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@given(st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), VALUES, max_size=4))
def test_the_spelling_of_a_name_is_read_as_the_same(options: dict[str, Any]) -> None:
    made = Named("conv", options)
    again = named(str(made))
    assert again == made
    assert list(map(type, again.options.values())) == list(map(type, options.values()))


@given(st.text(st.characters(exclude_characters="\n\r&%", codec="utf-8"), min_size=1))
def test_a_value_is_what_toml_reads_or_else_text(text: str) -> None:
    try:
        expected = tomllib.loads(f"value = {text}")["value"]
    except ValueError:
        expected = text
    read = named(f"conv?a={text}").options["a"]
    assert read == expected or (expected != expected and read != read)  # NaN


def test_options_of_the_network_around_are_its_own() -> None:
    made = named("conv?kernel_size=7&groups=2&padding_mode=zero")
    assert made.options_of_model() == {"kernel_size": 7, "padding_mode": "zero", "operator_options": {"groups": 2}}
    assert named("conv?kernel_size=7").options_of_model() == {"kernel_size": 7}
    with pytest.raises(OptionError, match="scale is set by the model"):
        named("conv?scale=2").options_of_model()


def test_tables_have_the_last_part() -> None:
    assert named("/a/b/mine.py:Mine?groups=2").short == "mine.py:Mine?groups=2"


def test_the_names_that_are_known_without_torch_are_the_registered_ones() -> None:
    assert set(REGISTERED) == set(OPERATORS)


def test_a_package_offers_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "wiener_package", wiener="wiener_package:Wiener", conv="wiener_package:Conv")
    monkeypatch.syspath_prepend(tmp_path)
    assert named("wiener?eps=1e-3") == Named("wiener_package:Wiener", {"eps": 1e-3})
    assert named("conv") == Named("conv")  # the registered one stays what it is
    assert {("wiener", "wiener_package:Wiener")} <= {(point.name, point.value) for point in installed()}
    assert "wiener_package" not in sys.modules


def test_two_packages_that_offer_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "first_package", wiener="first_package:Wiener")
    offer(tmp_path, "second_package", wiener="second_package:Wiener")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OptionError, match="two packages offer it: first_package:Wiener of the package first_package"):
        named("wiener")


@pytest.mark.parametrize("value", ["only_a_module", "package:Outer.Inner"])
def test_a_package_that_offers_no_class(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "odd_package", odd=value)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(OptionError, match=f"odd_package offers '{value}' by it, expected package.module:Class"):
        named("odd")


SUITE = """
schema = 1
name = "mine"
title = "Mine"
task = "denoising"
seeds = [0]
budgets.smoke = {{ steps = 1, options = {{ features = 4, blocks = 1 }} }}
data = {{ train = ["skimage_train"], test = ["skimage_test"] }}

[[entries]]
name = "Own"
model = "block-dncnn"
operator = {operator}
{options}
"""

SAME = {
    "apart": ('"converse"', "options = { kernel_size = 7, operator_options = { eps = 1e-3 } }"),
    "after-the-name": ('"converse?kernel_size=7&eps=1e-3"', ""),
    "a-table": ('{ name = "converse", kernel_size = 7, eps = 1e-3 }', ""),
    "both": ('"converse?eps=1e-3"', "options = { kernel_size = 7 }"),
}


@pytest.mark.parametrize("spelling", SAME)
def test_every_spelling_is_the_same_network(spelling: str) -> None:
    def configuration(one: str) -> dict[str, Any]:
        operator, options = SAME[one]
        text = SUITE.format(operator=operator, options=options)
        return parse_suite(tomllib.loads(text)).resolve("smoke")[0].configuration()

    assert configuration(spelling) == configuration("apart")
    assert configuration(spelling)["options"]["operator_options"] == {"eps": 1e-3}
    assert configuration(spelling)["options"]["kernel_size"] == 7


@pytest.mark.parametrize(
    ("operator", "options", "message"),
    [
        (
            '"converse?epz=1"',
            "",
            "key \"options.operator_options.epz\": unknown option of operator converse 'epz': did you ",
        ),
        ('"converse?eps=nan"', "", 'key "options.operator_options.eps": came nan; expected a finite number'),
        ('"converse?scale=2"', "", 'key "operator": came "converse?scale=2"; scale is set by the model'),
        (
            '"converse?eps=1"',
            "options = { operator_options = { eps = 1 } }",
            'key "operator": came "converse?eps=1"; options says operator_options.eps too: leave it out in',
        ),
        ("{ eps = 1 }", "", 'key "operator": came { eps = 1 }; expected the key name in it'),
        ("2", "", 'key "operator": came 2 (a whole number); expected text in quotes'),
        ('"convers?eps=1"', "", "key \"operator\": unknown operator 'convers': did you mean 'converse'?"),
    ],
)
def test_a_mistake_beside_a_name_is_told_where_it_stands(operator: str, options: str, message: str) -> None:
    with pytest.raises(SuiteError) as raised:
        parse_suite(tomllib.loads(SUITE.format(operator=operator, options=options)))
    assert f'suite: [[entries]] #1 "Own": {message}' in str(raised.value)


ABLATION = """
schema = 1
name = "operators"
title = "Operators"
base = { suite = "denoising", entry = "Converse-DnCNN" }

[[vary]]
field = "operator"
values = ["conv", "converse?kernel_size=7&eps=1e-3", { name = "mine.py:Mine", groups = 2 }]
labels = ["conv", "large", "mine"]

[[variants]]
label = "by a set"
set.operator = "converse?kernel_size=9"
"""


def test_a_variant_may_have_options_beside_its_operator() -> None:
    suite = parse_suite(tomllib.loads(ABLATION), folder=FOLDER)
    plans = {plan.entry.rpartition(": ")[2]: plan for plan in suite.resolve("smoke")}
    own = {name: plan.options.get("operator_options") for name, plan in plans.items()}
    assert own == {
        "Converse-DnCNN": None,
        "conv": None,
        "large": {"eps": 1e-3},
        "mine": {"groups": 2},
        "by a set": None,
    }
    sizes = {name: plan.options["kernel_size"] for name, plan in plans.items() if "kernel_size" in plan.options}
    assert sizes["large"] == 7
    assert sizes["by a set"] == 9
    assert plans["mine"].operator == "/a/folder/mine.py:Mine"


def test_a_variants_mistake_is_told_where_it_stands() -> None:
    with pytest.raises(
        SuiteError, match=r'\[\[vary\]\] #1 "operator": key "values\[2\]\S*": .*option of operator converse .epz'
    ):
        parse_suite(tomllib.loads(ABLATION.replace("eps=", "epz=")), folder=FOLDER)
