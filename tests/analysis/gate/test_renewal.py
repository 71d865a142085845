"""Each thing that differs is a line; and whatever lets pass more than before is called looser."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from converse.analysis.gate.baseline import Baseline
from converse.analysis.gate.renewal import Change, changes
from tests.analysis.gate import made
from tests.analysis.gate.speed_made import SPEED

Edit = Callable[[Baseline], Baseline]


def off(amount: float, image: str = "05.png", metric: str = "psnr") -> made.Value:
    return lambda entry, seed, of, name: (
        made.plain(entry, seed, of, name) - (amount if (entry, of, name) == ("Conv", metric, image) else 0)
    )


def test_nothing_differs_from_itself() -> None:
    assert changes(made.baseline(), made.baseline()) == ()


def test_a_worse_value_is_looser_and_says_which() -> None:
    (one,) = changes(made.baseline(), made.baseline(value=off(0.1)))
    assert one.loosens
    assert one.what == "Conv, set12, psnr"
    assert "worst 05.png under seed 0" in one.before
    mean = sum(made.plain("Conv", seed, "psnr", name) for seed in (0, 1, 2) for name in made.IMAGES) / 36
    assert one.before.startswith(f"mean {mean:.5f}")
    assert one.now.startswith(f"mean {mean - 0.1 / 12:.5f}; {made.plain('Conv', 0, 'psnr', '05.png') - 0.1:.5f}")


def test_better_values_are_not_looser() -> None:
    (one,) = changes(made.baseline(), made.baseline(value=off(-0.1)))
    assert not one.loosens


def test_on_another_platform_round_off_is_not_looser() -> None:
    other = changes(made.baseline(), made.baseline(value=off(0.001), platform=made.ELSEWHERE))
    assert [one.what for one in other] == ["platform.model", "Conv, set12, psnr"]
    assert not any(one.loosens for one in other)
    for value in (off(0.1), lambda *cell: made.plain(*cell) - 0.01):
        assert any(one.loosens for one in changes(made.baseline(), made.baseline(value=value, platform=made.ELSEWHERE)))


def entry(**update: object) -> Edit:
    return lambda old: old.model_copy(update={"entries": (old.entries[0], old.entries[1].model_copy(update=update))})


def tolerance(**update: float) -> Edit:
    allowed = {**made.TOLERANCES, "psnr": made.TOLERANCES["psnr"].model_copy(update=update)}
    return entry(tolerances=allowed)


@pytest.mark.parametrize(
    ("edit", "what", "loosens"),
    [
        (tolerance(mean=0.4), "Conv, tolerance of psnr, mean", True),
        (tolerance(mean=0.001), "Conv, tolerance of psnr, mean", False),
        (tolerance(same=0.1), "Conv, tolerance of psnr, same", True),
        (entry(parameters=1001), "Conv, parameters", True),
        (entry(shape=(1, 1, 64, 64)), "Conv, shape", True),
        (entry(settings={"model": "a", "training.steps": 8}), "Conv, training.steps", False),
    ],
)
def test_one_key_of_an_entry(edit: Edit, what: str, loosens: bool) -> None:
    old = made.baseline()
    (one,) = changes(old, edit(old))
    assert (one.what, one.loosens) == (what, loosens)
    assert one.before != one.now


@pytest.mark.parametrize(
    ("before", "now", "gone"),
    [
        ({}, {"entries": ("Converse",)}, ["Conv", "Conv, set12, psnr", "Conv, set12, ssim"]),
        ({}, {"seeds": (0, 1)}, ["seeds"]),
        ({}, {"images": made.IMAGES[1:]}, ["set12, 01.png"]),
        ({}, {"signatures": {"psnr": made.SIGNATURES["psnr"]}}, ["Conv, tolerance of ssim", "Conv, set12, ssim"]),
    ],
)
def test_what_is_checked_no_more_is_looser(before: dict[str, object], now: dict[str, object], gone: list[str]) -> None:
    old, new = made.baseline(**before), made.baseline(**now)
    found = {one.what: one for one in changes(old, new)}
    for what in gone:
        assert found[what].loosens, what
    back: list[Change] = list(changes(new, old))
    assert back
    assert not any(one.loosens for one in back), back


def test_another_signature_is_looser_since_the_old_values_are_checked_no_more() -> None:
    signatures = {**made.SIGNATURES, "psnr": "psnr|border:4"}
    found = changes(made.baseline(), made.baseline(signatures=signatures))
    assert {(one.loosens, one.now == "") for one in found if one.what == "Conv, set12, psnr"} == {
        (True, True),
        (False, False),
    }


def test_fewer_images_of_a_set_are_looser_and_all_of_them_are_not() -> None:
    old = made.baseline()
    some, fewer = (old.model_copy(update={"images": images}) for images in (6, 3))
    assert [one.loosens for one in changes(old, some)] == [True]
    assert [one.loosens for one in changes(some, fewer)] == [True]
    assert [one.loosens for one in changes(fewer, some)] == [False]
    assert [one.loosens for one in changes(some, old)] == [False]


def test_ratios_of_speed_that_are_looser() -> None:
    table = SPEED  # of two passes of the operator, ratios 0.25 and 0.9, floors 5 %, elsewhere 30 % and 6 %
    old = made.baseline().model_copy(update={"speed": table})

    def changed(**keys: float) -> list[tuple[str, str, str, bool]]:
        case = table.cases[0].model_copy(update=keys)
        new = old.model_copy(update={"speed": table.model_copy(update={"cases": (case, *table.cases[1:])})})
        return [(one.what, one.before, one.now, one.loosens) for one in changes(old, new)]

    case = "speed, converse, evaluation, 1×64×64×64 k=5"
    assert changed() == []
    assert changed(ratio=0.26) == [(f"{case}, time", "0.25", "0.26", False)]  # as equal runs may differ
    assert changed(ratio=0.27) == [(f"{case}, time", "0.25", "0.27", True)]
    assert changed(memory_ratio=0.8) == [(f"{case}, memory", "0.9", "0.8", False)]
    assert changed(floor=0.06) == [(f"{case}, time, floor", "5.0%", "6.0%", True)]
    assert changed(elsewhere=0.2) == [(f"{case}, time, elsewhere", "30.0%", "20.0%", False)]
    assert changed(elsewhere=0.4) == [(f"{case}, time, elsewhere", "30.0%", "40.0%", True)]
    fewer = old.model_copy(update={"speed": table.model_copy(update={"cases": table.cases[:1]})})
    assert [(one.now, one.loosens) for one in changes(old, fewer)] == [("", True)]
    none = old.model_copy(update={"speed": None})
    assert [(one.what, one.loosens) for one in changes(old, none)] == [("speed", True)]
    assert [(one.what, one.loosens) for one in changes(none, old)] == [("speed", False)]
