"""What of a suite is held against what; the reader is the oracle, each answer and message is written out."""

from __future__ import annotations

import tomllib

import pytest

from converse.content import content
from converse.errors import OptionError, SuiteError
from converse.experiments.suites.suite import Suite, load_suite, parse_suite

TWO = """
schema = 1
name = "mine"
title = "My suite"
task = "denoising"
seeds = [0, 1]
data = { train = ["skimage_train"], test = ["skimage_test"] }
budgets.quick = { steps = 1 }
"""
ENTRY = """
[[entries]]
name = "{name}"
model = "dncnn"
"""


def suite(comparisons: str = "", names: str = "ABC") -> Suite:
    text = TWO + "".join(ENTRY.format(name=name) for name in names) + comparisons
    return parse_suite(tomllib.loads(text), networks=False)


def pairs(of: Suite, *only: str) -> list[tuple[str, str]]:
    return [(one.entry, one.base) for one in of.contrasts(only or None)]


def test_without_a_word_every_entry_is_held_against_the_first() -> None:
    assert pairs(suite()) == [("B", "A"), ("C", "A")]
    assert pairs(suite(names="A")) == []


def test_a_suite_says_what_is_held_against_what() -> None:
    stated = suite('[[comparisons]]\nentry = "c"\nagainst = ["A", "b"]\n[[comparisons]]\nentry = "B"\nagainst = ["A"]')
    assert pairs(stated) == [("C", "A"), ("C", "B"), ("B", "A")]
    assert pairs(stated, "a", "c") == [("C", "A")]
    assert pairs(stated, "C") == []
    with pytest.raises(OptionError, match="unknown entry 'D'"):
        stated.contrasts(["D"])


@pytest.mark.parametrize(
    ("comparison", "message"),
    [
        pytest.param(
            'entry = "D"\nagainst = ["A"]',
            '[[comparisons]] #1 "D": key "entry": unknown entry \'D\': known: A, B, C',
            id="entry",
        ),
        pytest.param(
            'entry = "A"\nagainst = ["B", "D"]',
            '[[comparisons]] #1 "A": key "against[2]": unknown entry \'D\': known: A, B, C',
            id="base",
        ),
        pytest.param(
            'entry = "A"\nagainst = ["a"]',
            '[[comparisons]] #1 "A": key "against[1]": came "a"; an entry is not held against itself',
            id="itself",
        ),
        pytest.param(
            'entry = "A"\nagainst = []', '[[comparisons]] #1 "A": key "against": came []; must not be empty', id="none"
        ),
        pytest.param(
            'entry = "A"', '[[comparisons]] #1 "A": key "against": missing; expected a list of names of entries', id="-"
        ),
    ],
)
def test_a_mistake_is_named(comparison: str, message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        suite(f"[[comparisons]]\n{comparison}")
    assert str(caught.value) == f"suite: {message}"


def test_the_claims_of_the_paper_are_stated() -> None:
    twins = {path.stem: load_suite(path, networks=False).comparisons for path in content("benchmarks").glob("*.toml")}
    stated = {name: [(one.entry, *one.against) for one in comparisons] for name, comparisons in twins.items()}
    assert stated["denoising"] == stated["quickstart"] == [("Converse-DnCNN", "Conv-DnCNN", "ConvT-DnCNN", "DnCNN")]
    assert stated["super_resolution"] == [("Converse-SRResNet", "Conv-SRResNet", "ConvT-SRResNet", "SRResNet")]
    assert stated["deblurring"] == [
        ("ConverseNet", "ConvNet"),
        ("Converse-USRNet", "Conv-USRNet", "USRNet", "USRNet-small"),
    ]


def test_a_comparison_may_have_a_baseline_of_its_own() -> None:
    assert suite().baselines == {}
    deblurring = load_suite("deblurring", networks=False)
    assert deblurring.baselines == {
        "ConvNet": "ConvNet",
        "ConverseNet": "ConvNet",
        **dict.fromkeys(("Conv-USRNet", "Converse-USRNet", "USRNet", "USRNet-small"), "Conv-USRNet"),
    }
    denoising = load_suite("denoising", networks=False)
    assert denoising.baselines == dict.fromkeys((entry.name for entry in denoising.entries), "DnCNN")
    assert denoising.baseline_within == 0.3


def test_the_baseline_of_an_ablation_is_its_base_entry_where_the_paper_has_it() -> None:
    padding = load_suite("padding", networks=False)
    assert set(padding.baselines) == {entry.name for entry in padding.entries}
    assert set(padding.baselines.values()) == {"Converse-DnCNN"}
    assert load_suite("block_design", networks=False).baselines == {}


def published_suite(keys: str, entry: str) -> Suite:
    text = f'{TWO}published = "denoising"\n{keys}\n'.replace("budgets.quick = { steps = 1 }\n", "")
    return parse_suite(tomllib.loads(f"{text}budgets.quick = {{ steps = 1 }}\n[[entries]]\n{entry}"), networks=False)


@pytest.mark.parametrize(
    ("keys", "entry", "message"),
    [
        pytest.param(
            'baseline = "D"',
            'name = "A"\nmodel = "dncnn"',
            "key \"baseline\": unknown entry 'D': known: A",
            id="unknown",
        ),
        pytest.param(
            'baseline = "a"',
            'name = "A"\nmodel = "dncnn"',
            'key "baseline": A has no row in a published table that it could be held against',
            id="no-row",
        ),
        pytest.param(
            'baseline = "dncnn"',
            'name = "DnCNN"\nreleased = "DnCNN"',
            'key "baseline": DnCNN has released weights; expected an entry that is trained',
            id="released",
        ),
        pytest.param(
            "baseline_within = 0.0",
            'name = "A"\nmodel = "dncnn"',
            'key "baseline_within": came 0.0; must be > 0',
            id="within",
        ),
    ],
)
def test_a_mistake_about_the_baseline_is_named(keys: str, entry: str, message: str) -> None:
    with pytest.raises(SuiteError) as caught:
        published_suite(keys, entry)
    assert str(caught.value) == f"suite: {message}"


def test_an_ablation_holds_every_variant_against_its_base() -> None:
    padding = load_suite("padding", networks=False)
    assert [(one.entry, one.base, one.label) for one in padding.contrasts()][:2] == [
        ("Converse-DnCNN: circular", "Converse-DnCNN", "circular"),
        ("Converse-DnCNN: reflect", "Converse-DnCNN", "reflect"),
    ]
    assert pairs(padding, "zero", "converse-dncnn") == [("Converse-DnCNN: zero", "Converse-DnCNN")]
    assert padding.published_place("Converse-DnCNN: zero") == ("ablation.padding", "zero")
    assert padding.published_place("Converse-DnCNN: p = 0") is None


def test_an_ablation_may_say_itself_what_is_held_against_what() -> None:
    upsampling = load_suite("upsampling", networks=False)
    assert {plan.training.start for plan in upsampling.resolve("paper") if plan.entry != "SRResNet"} == {"torch"}
    reverse, transposed, nearest = (
        f"SRResNet: {which}" for which in ("reverse convolution", "transposed convolution", "nearest neighbour")
    )
    assert upsampling.contrasts() == (
        (reverse, transposed, "reverse convolution"),
        (reverse, nearest, "reverse convolution"),
    )
    assert pairs(upsampling, "nearest neighbour", "reverse convolution") == [(reverse, nearest)]
    matched = load_suite("matched_denoising", networks=False)
    converse = "Converse-DnCNN"
    assert pairs(matched) == [
        (converse, f"{converse}: Conv blocks"),
        (converse, f"{converse}: ConvT blocks"),
        (f"{converse}: ConvT blocks", f"{converse}: Conv blocks"),
    ]


def test_a_variant_that_there_is_not_is_named_where_it_stands() -> None:
    document = tomllib.loads((content("ablations") / "matched_denoising.toml").read_text())
    document["comparisons"][0]["against"][1] = "ConvT"
    with pytest.raises(SuiteError, match=r'\[\[comparisons\]\] #1 "Converse-DnCNN": key "against\[2\]": unknown entry'):
        parse_suite(document, networks=False)
