"""Oracles: files written for the purpose, the suites that come with converse."""

from __future__ import annotations

from pathlib import Path

import pytest

from converse.errors import OptionError, SuiteError
from converse.experiments.speed.suite import (
    Group,
    groups,
    load_speed_suite,
    speed_suites,
    suite_budget,
    with_operator,
)
from converse.experiments.suites.operator_names import Named
from converse.experiments.suites.suite import load_suite, suites
from converse.nn.models import MODELS
from converse.nn.released_weights import RELEASED

HEAD = 'schema = 1\nname = "mine"\ntitle = "Mine"\n'
SWEEP = """
[[sweeps]]
name = "size"
title = "Size"
subjects = ["converse", "literal", "fft-pair"]
passes = ["evaluation", "forward+backward"]
vary = "size"
values = [16, [8, 12]]
channels = 3
"""
BUDGET = "\n[budgets.quick]\nturns = 3\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.toml"


def read(file: Path, text: str, budget: str = "quick") -> list[Group]:
    file.write_text(text)
    return groups(load_speed_suite(file), budget)


def test_a_sweep_is_every_pass_at_every_value(file: Path) -> None:
    found = read(file, HEAD + "[base]\nbatch = 2\nchannels = 9\n" + SWEEP + BUDGET)
    assert [(one.case.pass_, one.case.height, one.case.width) for one in found] == [
        ("evaluation", 16, 16),
        ("evaluation", 8, 12),
        ("forward+backward", 16, 16),
        ("forward+backward", 8, 12),
    ]
    assert {(one.case.batch, one.case.channels, one.case.kernel_size, one.case.padding) for one in found} == {
        (2, 3, 5, 4)
    }
    assert [(one.name, one.kind) for one in found[0].subjects] == [
        ("converse", "operator"),
        ("literal", "operator"),
        ("fft-pair", "limit"),
    ]


def test_what_is_said_more_closely_wins(file: Path) -> None:
    text = HEAD + "[base]\nkernel_size = 3\nbatch = 2\n" + SWEEP + BUDGET
    text += 'kernel_size = 7\nchannels = 5\nsweeps.size = { batch = 4, values = [6], passes = ["forward"] }\n'
    (one,) = read(file, text)
    assert (one.case.kernel_size, one.case.channels, one.case.batch) == (7, 3, 4)
    assert (one.case.pass_, one.case.height) == ("forward", 6)


def test_networks_are_the_entries_of_a_suite() -> None:
    suite = load_speed_suite("speed")
    found = [one for one in groups(suite, "standard") if one.case.sweep == "denoising"]
    entries = [entry.name for entry in load_suite("denoising").entries]
    assert sorted(one.name for one in found[0].subjects if one.formula is None) == sorted(entries)
    assert [one.name for one in found[0].subjects][:2] == ["Converse-DnCNN", "Converse-DnCNN, literal"]
    assert (found[0].case.channels, found[0].case.scale, found[0].case.kernel_size) == (1, 1, None)


@pytest.mark.parametrize("name", sorted(speed_suites()))
def test_every_suite_that_comes_with_converse_can_be_planned(name: str) -> None:
    suite = load_speed_suite(name)
    assert suite.name == name
    assert name in ("quickstart", "gate") or name not in suites()  # these two belong to the suite of that name
    for budget in suite.budgets:
        found = groups(suite, budget)
        assert found
        assert len({(one.case, one.subjects[0].name) for one in found}) == len(found)


def test_some_entries_of_a_suite_after_the_yardstick(file: Path) -> None:
    text = (
        HEAD
        + '[[sweeps]]\nname = "net"\ntitle = "Net"\nnetworks = "denoising"\npasses = ["step"]\nvary = "size"\n'
        + 'values = [16]\nentries = ["DnCNN", "Converse-DnCNN"]\n'
    )
    for first, names in (
        ("yardstick", ["yardstick", "DnCNN", "Converse-DnCNN"]),
        ("Converse-DnCNN", ["Converse-DnCNN", "DnCNN"]),
    ):
        (one,) = read(file, text + f'first = "{first}"\n' + BUDGET)
        assert [(subject.name, subject.kind) for subject in one.subjects] == [(name, "network") for name in names]
    with pytest.raises(SuiteError, match=r"key \"first\": unknown entry 'ConvT-DnCNN'"):
        read(file, text + 'first = "ConvT-DnCNN"\n' + BUDGET)
    with pytest.raises(SuiteError, match=r"key \"entries\": unknown entry 'DnCN': did you mean 'DnCNN'"):
        read(file, text.replace('"DnCNN"', '"DnCN"') + BUDGET)


def test_the_gate_holds_everything_against_the_yardstick_steadily() -> None:
    suite = load_speed_suite("gate")
    for budget in suite.budgets:
        assert suite_budget(suite, budget).steady
        found = groups(suite, budget)
        assert {one.subjects[0].name for one in found} == {"yardstick"}
        assert {(one.subjects[1].kind, one.case.pass_) for one in found} == {
            ("operator", "evaluation"),
            ("operator", "forward+backward"),
            ("network", "evaluation"),
            ("network", "step"),
        }


def test_another_operator_in_the_place_of_reverse_convolution() -> None:
    made = groups(load_speed_suite("gate"), "smoke")
    found = with_operator(made, Named("/there/mine.py:Mine", {"groups": 2}))
    assert [(one.case, [subject.name for subject in one.subjects]) for one in found] == [
        (one.case, [subject.name for subject in one.subjects]) for one in made
    ]
    operator, network = found[0].subjects[1], found[-1].subjects[1]
    assert (operator.operator, operator.options) == ("/there/mine.py:Mine", {"groups": 2})
    assert network.operator == "/there/mine.py:Mine"
    before = {name: value for name, value in made[-1].subjects[1].options.items() if name != "operator_options"}
    assert network.options == {**before, "operator_options": {"groups": 2}}
    with pytest.raises(OptionError, match="no subject has 'converse', whose place it takes"):
        with_operator([Group(made[0].case, made[0].subjects[:1])], Named("conv"))


def test_the_suite_measures_what_it_should() -> None:
    found = groups(load_speed_suite("speed"), "standard")
    subjects = [one for group in found for one in group.subjects]
    assert {one.model for one in subjects} >= set(MODELS)
    assert {one.name for one in subjects} >= {"converse", "literal", "conv", "convt", "fft-pair"}
    assert {one.case.pass_ for one in found} == {"evaluation", "forward", "forward+backward", "step"}
    sides = {one.case.height for one in found}
    assert {32, 2048} <= sides
    assert {one.case.dtype for one in found} == {"float32", "bfloat16"}
    assert {one.case.compiled for one in found} == {True, False}
    assert len({one.case.batch for one in found}) > 2 < len({one.case.scale for one in found})


def test_targets_hold_both_formulas_at_the_sides_of_the_paper() -> None:
    found = groups(load_speed_suite("targets"), "quick")
    for kind in ("operator", "network"):
        named_so = {subject.name for group in found for subject in group.subjects if subject.kind == kind}
        for formula in ("literal", "half-spectrum"):
            assert any(name == formula or name.endswith(f", {formula}") for name in named_so), (kind, formula)
    of_operators = [group for group in found if group.subjects[0].kind == "operator"]
    assert all("half-spectrum" in {subject.name for subject in group.subjects} for group in of_operators)
    assert all(any(subject.formula for subject in group.subjects) for group in found if group not in of_operators)
    transformed = {  # k, and the sides with p = k - 1 around them
        (case.kernel_size, case.height + 2 * case.padding, case.width + 2 * case.padding)
        for case in (group.case for group in of_operators)
        if case.kernel_size is not None and case.padding is not None
    }
    assert transformed >= {(7, 268, 268), (7, 524, 524), (7, 333, 493), (3, 260, 260), (5, 264, 264)}
    beside_the_pair = [group for group in of_operators if group.subjects[-1].kind == "limit"]
    assert {group.case.height for group in beside_the_pair} >= {64, 128, 256, 512}


@pytest.mark.parametrize(
    ("sweep", "pass_", "batch", "side"), [("released", "evaluation", 1, 256), ("released-training", "step", 8, 48)]
)
def test_targets_have_the_released_denoiser(sweep: str, pass_: str, batch: int, side: int) -> None:
    (found,) = groups(load_speed_suite("targets"), "quick", only=[sweep])
    assert (found.case.pass_, found.case.batch, found.case.height, found.case.width) == (pass_, batch, side, side)
    ours, rival, twin = found.subjects
    released = RELEASED["Converse-DnCNN"]
    for subject in (ours, rival):
        assert (subject.model, subject.operator, subject.options) == (
            released.model,
            released.operator,
            released.options,
        )
    assert (ours.formula, rival.formula, twin.formula) == (None, "half-spectrum", None)
    assert (twin.operator, twin.options["kernel_size"]) == ("conv", 7)
    assert [one.name for one in found.subjects] == [
        "Converse-DnCNN (kernel_size=7)",
        "Converse-DnCNN (kernel_size=7), half-spectrum",
        "Conv-DnCNN (kernel_size=7)",
    ]


NETWORKS = """
[[sweeps]]
name = "net"
title = "Net"
networks = "denoising"
passes = ["step"]
vary = "size"
values = [16]
"""


def test_options_of_a_sweep_come_over_those_of_entries_and_budget(file: Path) -> None:
    text = HEAD + NETWORKS + 'entries = ["Converse-DnCNN"]\noptions = { kernel_size = 3, blocks = 2 }\n' + BUDGET
    (one,) = read(file, text + "options = { features = 4, blocks = 9 }\n")
    assert one.subjects[0].name == "Converse-DnCNN (kernel_size=3, blocks=2)"
    assert one.subjects[0].options == {"kernel_size": 3, "blocks": 2, "features": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            NETWORKS + "options = { kernel_size = 7 }\n",
            "unknown option of dncnn 'kernel_size'",
            id="one-network-has-none",
        ),
        pytest.param(
            NETWORKS + 'entries = ["Conv-DnCNN"]\noptions = { kernel_sise = 7 }\n',
            "unknown option of block-dncnn 'kernel_sise': did you mean 'kernel_size'?",
            id="name",
        ),
        pytest.param(
            NETWORKS + 'entries = ["Conv-DnCNN"]\noptions = { kernel_size = "7" }\n',
            'came "7"',
            id="value",
        ),
        pytest.param(SWEEP + "options = { kernel_size = 7 }\n", "an operator's stand with its name", id="operators"),
    ],
)
def test_options_that_a_sweep_may_not_have(file: Path, text: str, message: str) -> None:
    file.write_text(HEAD + text + BUDGET)
    with pytest.raises(SuiteError) as caught:
        load_speed_suite(file)
    assert "options" in str(caught.value)
    assert message in str(caught.value)


def test_only_some(file: Path, tmp_path: Path) -> None:
    suite = load_speed_suite("speed")
    found = groups(suite, "smoke", only=["size", "Converse", "conv"])
    assert {one.case.sweep for one in found} == {"size"}
    assert {tuple(subject.name for subject in one.subjects) for one in found} == {("converse", "conv")}
    assert {one.case.sweep for one in groups(suite, "smoke", only=["denoising"])} == {"denoising"}
    with pytest.raises(OptionError, match="unknown sweep or subject 'siz': did you mean 'size'"):
        groups(suite, "smoke", only=["siz"])
    with pytest.raises(OptionError, match="unknown budget 'quik': did you mean 'quick'"):
        suite_budget(suite, "quik")


def test_more_operators_join_the_sweeps_of_operators(file: Path) -> None:
    suite = load_speed_suite("speed")
    found = groups(suite, "smoke", operators=["/there/mine.py:Mine"])
    names = {one.case.sweep: one.subjects[-1].name for one in found}
    assert names["size"] == "mine.py:Mine"
    assert names["denoising"] != "mine.py:Mine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(HEAD + BUDGET, "sweeps", id="no-sweep"),
        pytest.param(HEAD + SWEEP, 'key "budgets": missing', id="no-budget"),
        pytest.param(
            HEAD + SWEEP.replace('"literal"', '"litteral"') + BUDGET,
            "[[sweeps]] #1 \"size\": key \"subjects[2]\": unknown operator 'litteral': did you mean 'literal'?",
            id="operator",
        ),
        pytest.param(HEAD + SWEEP.replace("16,", "0,") + BUDGET, "came 0; expected a side from 1 to 65536", id="size"),
        pytest.param(HEAD + SWEEP.replace("[8, 12]", "[8]") + BUDGET, "came [8]; expected a side", id="sides"),
        pytest.param(HEAD + SWEEP.replace("channels", "chanels") + BUDGET, "did you mean 'channels'", id="key"),
        pytest.param(
            HEAD + SWEEP.replace('"forward+backward"', '"step"') + BUDGET, "an operator alone is not trained", id="step"
        ),
        pytest.param(
            HEAD + SWEEP + 'networks = "denoising"\n' + BUDGET, "either a list of operators here", id="both-kinds"
        ),
        pytest.param(
            HEAD + SWEEP + BUDGET + "sweeps.sise = { values = [3] }\n",
            "[budgets.quick.sweeps.sise]: unknown sweep 'sise': did you mean 'size'?",
            id="budget-of-no-sweep",
        ),
        pytest.param(
            HEAD + SWEEP + BUDGET + 'sweeps.size = { values = ["a"] }\n',
            '[budgets.quick.sweeps.size]: key "values[1]": came "a"',
            id="value-of-a-budget",
        ),
        pytest.param(
            HEAD + SWEEP + BUDGET.replace("3", "0"),
            '[budgets.quick]: key "turns": came 0; must be ≥ 1',
            id="turns",
        ),
        pytest.param(
            HEAD + SWEEP.replace('subjects = ["converse", "literal", "fft-pair"]', 'networks = "denoisin"') + BUDGET,
            "unknown suite 'denoisin': did you mean 'denoising'?",
            id="suite",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(SuiteError) as caught:
        load_speed_suite(file)
    assert str(file) in str(caught.value)
    assert message in str(caught.value)


def test_a_suite_that_is_not_there() -> None:
    with pytest.raises(SuiteError, match="unknown suite 'sped': did you mean 'speed'"):
        load_speed_suite("sped")


def test_a_suite_is_refused_by_what_it_multiplies_to(file: Path) -> None:
    many = SWEEP.replace("values = [16, [8, 12]]", f"values = {list(range(1, 1201))}")
    file.write_text(HEAD + many + BUDGET, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        load_speed_suite(file)
    says = "[budgets.quick]: sweeps, passes and values make 2,400 cases; at most 2,000 are allowed"
    assert str(caught.value) == f"{file}: {says}"
    file.write_text(HEAD + many + BUDGET + "sweeps.size = { values = [6] }\n", encoding="utf-8")
    load_speed_suite(file)


def with_subject(subject: str) -> str:
    return HEAD + SWEEP.replace('"literal"', subject) + BUDGET


@pytest.mark.parametrize("subject", ['"mine.py:Mine?groups=2"', '{ name = "mine.py:Mine", groups = 2 }'])
def test_an_operator_may_have_options(file: Path, subject: str) -> None:
    mine = read(file, with_subject(subject))[0].subjects[1]
    assert (mine.name, mine.kind) == ("mine.py:Mine?groups=2", "operator")
    assert (mine.operator, mine.options) == (f"{file.parent}/mine.py:Mine", {"groups": 2})


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ('"converse?kernel_size=7"', 'came "converse?kernel_size=7"; kernel_size is set by the sweep'),
        ('"converse?epz=1"', "unknown option of operator converse 'epz': did you mean 'eps'?"),
        ('"converse?eps=true"', "option eps: came true (a truth value); expected a number"),
        (
            '"convers"',
            "unknown operator 'convers': did you mean 'converse'? known: conv, converse, convt, fft-pair, half",
        ),
        ("3", "came 3; expected the name of an operator, or a table with name and options"),
    ],
)
def test_a_mistake_in_the_name_of_an_operator(file: Path, subject: str, message: str) -> None:
    file.write_text(with_subject(subject))
    with pytest.raises(SuiteError) as raised:
        load_speed_suite(file)
    assert message in str(raised.value)
