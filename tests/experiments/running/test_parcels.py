"""Oracle: the same trial carried out in the store's own folder. The other machine is a folder that shares nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from converse.data.catalogue import sha256_of
from converse.data.images import image_set
from converse.errors import OptionError
from converse.experiments.evaluation.keeping import Keeping
from converse.experiments.running import parcels
from converse.experiments.running.apart import unpacked_error
from converse.experiments.running.away import carry_out_away
from converse.experiments.running.execute import execute
from converse.experiments.running.jobs import Job, input_trial, trained_trial
from converse.experiments.running.parcels import Answer, Outbox, at_hand, concluded, moved, needed, packed, taken
from converse.experiments.running.torch_settings import torch_settings
from converse.experiments.store import Store
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.outputs import Outputs
from converse.experiments.suites.plans import INPUT, TrainingSettings
from converse.experiments.suites.suite import load_suite
from converse.experiments.training.interruption import Stop
from converse.metrics import metrics_for

WEIGHTS = "checkpoint.safetensors"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "LOOK_EVERY", 0.0)


def job() -> Job:
    (plan,) = load_suite("denoising").resolve("smoke", seeds=[0], only=["Conv-DnCNN"])
    settings = {**plan.training.model_dump(exclude={"milestones"}), "checkpoint_every": 1}
    plan = dataclasses.replace(plan, training=TrainingSettings.model_validate(settings))
    train = (image_set("skimage_train"),)
    metrics = tuple(metrics_for("grey", 0, ["psnr"]))
    test = (image_set("skimage_test").first(1),)
    keeping = Keeping("crops", limit=10**6)
    return Job(plan, trained_trial(plan, train, "cpu", 1), train, None, test, metrics, keeping=keeping)


def elsewhere(one: Job, place: Path) -> Job:
    """The same trial, whose files lie nowhere on the other machine."""

    def lost(images: Any) -> Any:
        files = tuple(dataclasses.replace(image, path=place / "gone" / image.name) for image in images.images)
        return dataclasses.replace(images, images=files)

    return dataclasses.replace(one, train=tuple(map(lost, one.train)), test=tuple(map(lost, one.test)))


def execute_here(one: Job, folder: TrialFolder) -> None:
    """The trial in the store's own folder, with as many threads as the other machine has."""
    with torch_settings("cpu", 1) as here:
        execute(one, folder, here)


def carried(
    one: Job,
    store: Store,
    stop: Stop,
    files: dict[str, Path],
    heard: list[str],
    *,
    lost: bool = False,
    goes_on: bool = False,
) -> Answer:
    """A trial carried out elsewhere, all that comes of it written into the store; perhaps no letter comes through.

    With the first one that does it is stopped, unless it goes on.
    """
    folder = store.folder(one.trial)
    with folder.lock():
        parcel = packed(one, folder, "cpu", 1)
        folder.set_status("running")

        def send(kind: str, content: Any) -> None:
            heard.append(kind)
            if kind == "news" and not lost:
                taken(content, folder, "there")
                stop.asked = not goes_on

        answer = carry_out_away(
            parcel, "there", fetch=lambda sha256: files[sha256].read_bytes() if files else None, send=send, stop=stop
        )
        concluded(answer, folder)
    return answer


def test_a_trial_that_travels_twice_is_the_one_that_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    one = job()
    stays = here.folder(one.trial)
    execute_here(one, stays)
    far, files, heard = elsewhere(one, tmp_path), needed(one), list[str]()

    assert carried(far, there, Stop(), {}, heard).state == "lacking"
    assert carried(far, there, Stop(), files, heard).state == "interrupted"
    folder = there.folder(one.trial)
    assert folder.status().state == "interrupted"
    assert list((folder.path / "resume").iterdir())
    stop = Stop()
    last = carried(far, there, stop, {}, heard)  # what was sent is kept
    while last.state == "interrupted":
        last = carried(far, there, Stop(), {}, heard)
    assert (last.state, {"began", "at", "news"} - {*heard}) == ("done", set())
    assert (folder.path / WEIGHTS).read_bytes() == (stays.path / WEIGHTS).read_bytes()
    assert folder.curve() == stays.curve()
    assert folder.rows().drop(columns="seconds").equals(stays.rows().drop(columns="seconds"))
    assert folder.status().seconds > 0
    assert Outputs(folder).kept() == Outputs(stays).kept() != {}
    assert all(Outputs(folder).fault(output) is None for output in Outputs(folder).kept().values())
    assert not list((folder.path / "resume").iterdir())
    folder.check_digests()
    assert "on there: continues after step" in (folder.path / "log.txt").read_text()


class Killed(BaseException):
    """In the place of SIGKILL."""


@pytest.mark.parametrize("last", ["resume/", WEIGHTS])
def test_who_is_killed_while_news_are_written_has_the_curve_of_what_came(
    last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, one = Store(tmp_path / "here"), Store(tmp_path / "there"), job()
    stays = here.folder(one.trial)
    execute_here(one, stays)
    write = TrialFolder.write_bytes

    def write_and_be_killed(folder: TrialFolder, name: str, data: bytes) -> None:
        write(folder, name, data)
        if there.root in folder.path.parents and name.startswith(last):
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(TrialFolder, "write_bytes", write_and_be_killed)
        with pytest.raises(Killed):
            carried(one, there, Stop(), {}, [], goes_on=True)
    while carried(one, there, Stop(), {}, []).state != "done":
        pass
    assert there.folder(one.trial).curve() == stays.curve()


def test_the_answer_has_what_letters_had(tmp_path: Path) -> None:
    one, here, there = job(), Store(tmp_path / "here"), Store(tmp_path / "there")
    stays, heard = here.folder(one.trial), list[str]()
    execute_here(one, stays)
    assert carried(one, there, Stop(), {}, heard, lost=True).state == "done"
    assert "news" in heard
    folder = there.folder(one.trial)
    assert (folder.path / WEIGHTS).read_bytes() == (stays.path / WEIGHTS).read_bytes()
    assert folder.rows().drop(columns="seconds").equals(stays.rows().drop(columns="seconds"))
    assert (folder.curve(), Outputs(folder).kept()) == (stays.curve(), Outputs(stays).kept())


def test_a_machine_of_another_class_is_left_alone(tmp_path: Path) -> None:
    one = job()
    other = dataclasses.replace(one, trial=one.trial.moved({"model": "Another CPU"}))
    assert carried(other, Store(tmp_path), Stop(), {}, []).state == "elsewhere"


def test_what_networks_are_given_is_measured_on_any_machine(tmp_path: Path) -> None:
    """Its trial names no model, precision or threads; the same rows as here."""
    one = job()
    entry = one.task.given
    plan = dataclasses.replace(one.plan, model=INPUT, operator=None, options={}, entry=entry, released=entry)
    given = dataclasses.replace(one, plan=plan, trial=input_trial(one.task), train=(), keeping=Keeping())
    assert carried(given, Store(tmp_path / "there"), Stop(), {}, [], goes_on=True).state == "done"
    here = Store(tmp_path / "here").folder(given.trial)
    execute_here(given, here)
    there = Store(tmp_path / "there").folder(given.trial)
    assert len(here.rows()) > 0
    assert there.rows().drop(columns="seconds").equals(here.rows().drop(columns="seconds"))


def test_a_mistake_of_the_users_comes_back_as_it_was(tmp_path: Path) -> None:
    one = job()
    wrong = dataclasses.replace(one, plan=dataclasses.replace(one.plan, options={"feature": 3}))
    answer = carried(wrong, Store(tmp_path), Stop(), {}, [])
    assert answer.state == "raised"
    error = unpacked_error(answer.raised)
    assert isinstance(error, OptionError)
    assert "feature" in str(error)


def test_a_file_with_other_content_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "gone").mkdir()
    one = elsewhere(job(), tmp_path)
    files = needed(one)
    for path in files.values():
        path.write_bytes(b"something else")
    assert at_hand(files, one, lambda sha256: None) == {}


def test_all_files_of_a_trial_move(tmp_path: Path) -> None:
    backbone, operator, weights = (tmp_path / name for name in ("alex.npz", "mine.py", "released.pth"))
    for path in (backbone, operator, weights):
        path.write_bytes(path.name.encode())
    one = job()
    digests = {path: sha256_of(path) for path in (backbone, operator, weights)}
    trial = dataclasses.replace(one.trial, weights=digests[weights], operator_file=digests[operator])
    plan = dataclasses.replace(one.plan, operator=f"{operator}:Mine")
    metrics = tuple(metrics_for("grey", 0, ["psnr", "lpips"], backbone))
    one = dataclasses.replace(one, plan=plan, trial=trial, weights=weights, metrics=metrics)
    files = needed(one)
    assert set(digests.values()) < set(files)
    there = moved(one, {sha256: tmp_path / "there" / path.name for sha256, path in files.items()})
    assert there.plan.operator == f"{tmp_path}/there/mine.py:Mine"
    assert (there.weights, there.metrics[1].backbone) == (tmp_path / "there/released.pth", tmp_path / "there/alex.npz")
    assert {image.path.parent for images in (*there.train, *there.test) for image in images.images} == {
        tmp_path / "there"
    }
    assert there.trial == one.trial


def test_news_are_told_once(tmp_path: Path) -> None:
    folder = Store(tmp_path).folder(job().trial)
    with folder.lock():
        folder.append_rows([{"metric": "parameters", "value": 1.0}])
        outbox = Outbox(folder)
        assert not outbox.letter()
        folder.append_rows([{"metric": "psnr", "image": "a", "value": 2.0}])
        folder.log("a line")
        assert outbox.changed()
        assert [row["value"] for row in outbox.letter().rows] == [2.0]
        assert not outbox.letter()
        whole = outbox.whole()
        assert ([row["value"] for row in whole.rows], whole.log) == ([2.0], ("a line",))
