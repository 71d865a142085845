"""Oracles: hashlib over JSON written out by hand; the ids themselves (equal exactly when nothing differs)."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from converse.errors import OptionError
from converse.experiments.trials import (
    ABSENT,
    LABELS,
    NUMERICS_VERSION,
    Difference,
    Trial,
    canonical_json,
    default_threads,
    planned_order,
    platform_class,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
CONFIGURATION = st.dictionaries(st.text(max_size=3), JSON, max_size=3)


def make(**changes: Any) -> Trial:
    given: dict[str, Any] = {
        "task": "denoising",
        "entry": "DnCNN",
        "source": "trained",
        "seed": 0,
        "budget": "quick",
        "configuration": {"training": {"lr": 0.001, "steps": 100}},
        "data": {"train400": "ab"},
        "platform": {"device": "cpu"},
    }
    return Trial(**{**given, **changes})


def test_id_is_the_hash_of_canonical_json() -> None:
    text = (
        '{"configuration":{"training":{"lr":0.001,"steps":100}},"data":{"train400":"ab"},'
        f'"numerics":{NUMERICS_VERSION},"operator_file":null,"platform":{{"device":"cpu"}},"seed":0,'
        '"source":"trained","task":"denoising","weights":null}'
    )
    assert make().id == hashlib.sha256(text.encode()).hexdigest()[:16]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        (0.1, "0.1"),
        (1e-05, "1e-05"),
        (1e22, "1e+22"),
        (1.0, "1.0"),
        ("λ", '"\\u03bb"'),
        ([True, None], "[true,null]"),
    ],
)
def test_canonical_json(value: Any, text: str) -> None:
    assert canonical_json(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_canonical_json_refuses_what_json_has_not(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(value)


def test_every_ingredient_moves_the_id() -> None:
    changes: list[dict[str, Any]] = [
        {"task": "deblurring"},
        {"source": "released"},
        {"seed": 1},
        {"configuration": {}},
        {"data": {"train400": "cd"}},
        {"weights": "ef"},
        {"operator_file": "01"},
        {"numerics": NUMERICS_VERSION + 1},
        {"platform": {"device": "cuda"}},
    ]
    named = {name for change in changes for name in change}
    assert named == {field.name for field in dataclasses.fields(Trial)} - set(LABELS)
    assert len({make().id, *(make(**change).id for change in changes)}) == len(changes) + 1


def test_a_name_does_not_move_the_id() -> None:
    renamed = make(entry="Converse-DnCNN", budget="smoke")
    assert renamed.id == make().id
    assert make().differences(renamed) == []


def test_id_is_the_same_in_another_process_and_another_order() -> None:
    code = (
        "from converse.experiments.trials import Trial; import sys;"
        "print(Trial(platform={'device': 'cpu'}, data={'train400': 'ab'},"
        "configuration={'training': {'steps': 100, 'lr': 0.001}},"
        "budget='quick', seed=0, source='trained', entry='DnCNN', task='denoising').id, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == [make().id, "False"]


def test_editing_the_dictionary_afterwards_changes_nothing() -> None:
    configuration = {"training": {"lr": 0.001, "steps": 100}}
    trial = make(configuration=configuration)
    configuration["training"]["lr"] = 1.0
    trial.ingredients()["configuration"]["training"]["lr"] = 2.0
    assert trial.id == make().id


def test_tuples_are_lists() -> None:
    assert make(configuration={"a": (1, 2)}) == make(configuration={"a": [1, 2]})


@pytest.mark.parametrize(
    ("configuration", "error", "message"),
    [
        ({"a": {"b": float("nan")}}, ValueError, r"configuration\.a\.b must be a finite number, got nan"),
        ({"a": [1.0, float("inf")]}, ValueError, r"configuration\.a\[1\] must be a finite number, got inf"),
        ({"a": object()}, TypeError, r"configuration\.a must be None, .* got object"),
        ({"a": b"x"}, TypeError, r"configuration\.a must be None, .* got bytes"),
        ({1: 2}, TypeError, r"configuration must have strings as keys, got 1 \(int\)"),
        ({"a": {1, 2}}, TypeError, "got set"),
    ],
)
def test_configuration_must_be_json(configuration: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(configuration=configuration)


@given(CONFIGURATION)
def test_ingredients_make_the_same_trial(configuration: dict[str, Any]) -> None:
    trial = make(configuration=configuration)
    again = Trial.from_ingredients({**trial.ingredients(), "schema": 1})
    assert again.id == trial.id
    assert trial.differences(again) == []


@given(CONFIGURATION, CONFIGURATION)
def test_nothing_differs_exactly_when_the_ids_are_equal(left: dict[str, Any], right: dict[str, Any]) -> None:
    one, other = make(configuration=left), make(configuration=right)
    assert (one.differences(other) == []) == (one.id == other.id)


def test_from_ingredients_wants_them_all() -> None:
    ingredients = make().ingredients()
    del ingredients["budget"]
    with pytest.raises(KeyError, match="budget"):
        Trial.from_ingredients(ingredients)


def test_differences_name_the_innermost_key() -> None:
    left = make(configuration={"training": {"lr": 0.001, "betas": [0.9, 0.99]}, "only": 1})
    right = make(configuration={"training": {"lr": 0.002, "betas": [0.9, 0.999]}}, seed=1)
    assert left.differences(right) == [
        Difference("configuration.only", 1, ABSENT),
        Difference("configuration.training.betas[1]", 0.99, 0.999),
        Difference("configuration.training.lr", 0.001, 0.002),
        Difference("seed", 0, 1),
    ]


def test_differences_see_the_type_as_the_id_does() -> None:
    one, other = make(configuration={"a": 1}), make(configuration={"a": 1.0})
    assert one.id != other.id
    assert one.differences(other) == [Difference("configuration.a", 1, 1.0)]


def test_planned_order_goes_seed_by_seed() -> None:
    trials = [make(entry=entry, seed=seed) for entry in ("B", "A") for seed in (0, 1)]
    released = make(entry="R", source="released", seed=None, budget=None)
    order = planned_order([*trials, released, trials[0]])
    assert [(trial.entry, trial.seed) for trial in order] == [("R", None), ("B", 0), ("A", 0), ("B", 1), ("A", 1)]


def test_platform_class_of_a_cpu() -> None:
    found = platform_class("cpu", "bfloat16", threads=3, deterministic=False)
    assert found.pop("model")
    minor = ".".join(torch.__version__.split("+")[0].split(".")[:2])
    assert found == {"device": "cpu", "precision": "bfloat16", "torch": minor, "threads": 3, "deterministic": False}


def test_platform_class_asks_torch_for_its_threads() -> None:
    assert platform_class("cpu")["threads"] == torch.get_num_threads()


def test_thread_counts_are_different_platform_classes() -> None:
    one, two = (make(platform=platform_class("cpu", threads=threads)) for threads in (1, 2))
    assert [found.path for found in one.differences(two)] == ["platform.threads"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="for machines without a CUDA device")
def test_platform_class_without_the_device() -> None:
    with pytest.raises(OptionError, match=r"'cuda:0': torch sees no CUDA device .* use --device cpu"):
        platform_class("cuda:0")


@pytest.mark.gpu
def test_platform_class_of_a_gpu() -> None:
    found = platform_class("cuda")
    assert found["model"] == torch.cuda.get_device_name(0)
    assert "threads" not in found
    with pytest.raises(OptionError, match="CUDA device"):
        platform_class("cuda:99")


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("3,2", 3), ("", None), ("0", None), ("many", None)])
def test_default_threads(monkeypatch: pytest.MonkeyPatch, asked: str, threads: int | None) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert default_threads() == (threads or cores)
