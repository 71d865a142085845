"""Oracle: a store on this machine. Two machines are two caches.

The address is in fsspec's memory, a folder, or a bucket of moto's, a server on this machine that answers as S3 does.
"""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fsspec
import pytest

from converse.errors import ConverseWarning, StoreError
from converse.experiments.store import Store, files
from converse.experiments.store.address import Away, archive, away_of, is_address, placed, unpack
from converse.experiments.store.folder import TrialFolder
from converse.experiments.store.requests import StoredRequest, note, notes
from converse.experiments.trials import Trial

ASKED = StoredRequest(
    suite="s",
    title="S",
    description="",
    task="denoising",
    budget="quick",
    base=None,
    entries=(),
    trials=(),
    contrasts=(),
    missing={},
    command="converse run s",
    time="2026-01-01T00:00:00Z",
)


def trial(seed: int = 0) -> Trial:
    return Trial("denoising", "DnCNN", "trained", seed, "quick", {}, {}, platform={"device": "cpu"})


def finish(store: Store, seed: int, *images: str) -> TrialFolder:
    folder = store.folder(trial(seed))
    with folder.lock():
        folder.set_status("running")
        folder.append_rows([{"dataset": "a", "image": image, "metric": "psnr", "value": 30.0} for image in images])
        folder.set_status("done")
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A server that answers as S3 does, through fsspec."""
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'converse-bench[s3]'")
    server = pytest.importorskip("moto.server", reason="moto is not installed: pip install --group s3-server")
    served = server.ThreadedMotoServer(port=0, verbose=False)
    served.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://{}:{}".format(*served.get_host_and_port()))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            patch.setenv(name, "us-east-1")
        there = fsspec.filesystem("s3")
        yield there
        there.clear_instance_cache()
    served.stop()


@pytest.fixture(params=["memory", "file", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "file":
        yield f"file://{tmp_path}/there/runs"
    elif request.param == "memory":
        yield "memory://bucket/runs"
        fsspec.filesystem("memory").store.clear()
    else:
        bucket = f"bucket-{uuid.uuid4().hex}"
        request.getfixturevalue("s3").mkdir(bucket)
        yield f"s3://{bucket}/runs"


@pytest.fixture
def machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str) -> Any:
    """A store at the address as a machine has it: its copy, brought up to date and sent back."""

    def machine(name: str) -> Any:
        monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / name))
        return placed(address)

    return machine


def test_what_one_machine_has_finished_another_has(machines: Any) -> None:
    with machines("first") as root:
        first = Store(root)
        finish(first, 0, "one", "two")
        first.folder(trial(1))
        note(first, ASKED)
        assert (away_of(root) or Away("memory://")).root == root
    with machines("second") as root:
        second = Store(root, create=False)
        assert [folder.status().state for folder in second.folders()] == ["done"]
        assert second.rows().equals(first.rows())
        assert notes(second) == notes(first)


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What travels: paths of what is put, names of what is taken."""
    found: list[str] = []
    put, take = Away._put, Away._take

    def putting(away: Away, path: str, data: bytes) -> None:
        found.append(path)
        put(away, path, data)

    def taking(away: Away, kind: str, stamps: Mapping[str, str]) -> set[str]:
        found.extend(stamps)
        return take(away, kind, stamps)

    monkeypatch.setattr(Away, "_put", putting)
    monkeypatch.setattr(Away, "_take", taking)
    return found


def test_nothing_travels_twice(machines: Any, moved: list[str]) -> None:
    with machines("first") as root:
        finish(Store(root), 0, "one")
    with machines("second"):
        pass
    moved.clear()
    for name in ("second", "first", "second"):
        with machines(name):
            pass
    assert moved == []


def test_what_two_machines_did_at_once_is_united(machines: Any) -> None:
    with machines("first") as root:
        finish(Store(root), 0, "one")
        with machines("second") as other:
            finish(Store(other), 0, "two")
    for name in ("first", "second"):
        with machines(name) as root:
            assert sorted(Store(root).rows()["image"]) == ["one", "two"]


def test_what_two_machines_have_done_alike_is_not_sent_by_turns(machines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with machines("first") as root:
        finish(Store(root), 0, "one")
        with machines("second") as other:
            finish(Store(other), 0, "one")
    moved: list[str] = []
    monkeypatch.setattr(Away, "_put", lambda away, path, data: moved.append(path))
    for name in ("first", "second", "first"):
        with machines(name):
            pass
    assert moved == []


def test_a_trial_is_sent_when_it_is_finished(machines: Any) -> None:
    with machines("first") as root:
        away = away_of(root)
        assert away is not None
        away.send(finish(Store(root), 0, "one"))
        away.send(Store(root).folder(trial(1)))
        with machines("second") as other:
            assert len(Store(other).folders()) == 1


def test_what_was_begun_goes_on_elsewhere(machines: Any) -> None:
    with machines("first") as root:
        folder = Store(root).folder(trial())
        with folder.lock():
            folder.set_status("running")
            folder.make_folder("resume")
            folder.write_bytes("resume/step-000000001.safetensors", b"state")
            folder.set_status("interrupted", "stopped")
    with machines("second") as root:
        (folder,) = Store(root).folders()
        assert folder.status().state == "interrupted"
        assert (folder.path / "resume" / "step-000000001.safetensors").read_bytes() == b"state"


def test_one_command_sends_a_trial_once(machines: Any, moved: list[str]) -> None:
    with machines("first") as root:
        away = away_of(root)
        assert away is not None
        away.send(finish(Store(root), 0, "one"))
    assert moved == [f"trials/{trial().id}.tar", "store.json"]


def test_what_another_process_works_on_is_taken_later(machines: Any) -> None:
    with machines("second") as root:
        folder = finish(Store(root), 0, "two")
        with machines("first") as other:
            finish(Store(other), 0, "one")
        with folder.lock(), machines("second"):
            pass
    with machines("third") as root:
        assert sorted(Store(root).rows()["image"]) == ["one", "two"]


def test_what_is_put_in_the_place_of_what_was_sent_is_noticed(
    machines: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    theirs = [archive(finish(Store(tmp_path / "other"), 0, "two").path)]
    put = Away._put

    def put_and_be_overtaken(away: Away, path: str, data: bytes) -> None:
        put(away, path, data)
        if theirs and path.startswith("trials/"):
            put(away, path, theirs.pop())

    monkeypatch.setattr(Away, "_put", put_and_be_overtaken)
    with machines("first") as root:
        finish(Store(root), 0, "one")
    assert not theirs
    with machines("second") as root:
        assert sorted(Store(root).rows()["image"]) == ["one", "two"]


def test_what_is_gone_at_the_address_is_sent_again(machines: Any, address: str) -> None:
    with machines("first") as root:
        finish(Store(root), 0, "one")
    there, place = fsspec.core.url_to_fs(f"{address}/trials/{trial().id}.tar")
    there.rm(place)
    with machines("first"):
        pass
    with machines("second") as root:
        assert len(Store(root).rows()) == 1


def test_an_address_without_a_store_has_none(machines: Any, address: str) -> None:
    with machines("first") as root, pytest.raises(StoreError, match=rf"no store at {address}: expected"):
        Store(root, create=False)
    there, place = fsspec.core.url_to_fs(address)
    assert not there.exists(f"{place}/store.json")


def test_an_object_that_cannot_be_had_is_an_error(machines: Any, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with machines("first") as root:
        finish(Store(root), 0, "one")
    there, _ = fsspec.core.url_to_fs(address)
    monkeypatch.setattr(there, "cat", lambda *_, **__: {"trials/x.tar": TimeoutError("no answer")})
    with pytest.raises(StoreError, match=r"cannot read .*: TimeoutError: no answer$"), machines("second"):
        pass


def test_a_torn_object_is_said_and_made_whole(machines: Any, address: str) -> None:
    with machines("first") as root:
        whole = archive(finish(Store(root), 0, "one").path)
    there, place = fsspec.core.url_to_fs(f"{address}/trials/{trial().id}.tar")
    there.pipe_file(place, whole[:-4000])
    machine = machines("second")
    with pytest.warns(ConverseWarning, match=rf"{trial().id}\.tar: .* is missing"):
        root = machine.__enter__()
    assert Store(root).rows().empty
    finish(Store(root), 0, "one")
    machine.__exit__(None, None, None)
    with machines("third") as root:
        assert len(Store(root).rows()) == 1


def test_a_newer_schema_is_refused(machines: Any, address: str) -> None:
    there, place = fsspec.core.url_to_fs(f"{address}/store.json")
    there.makedirs(place.rpartition("/")[0], exist_ok=True)
    there.pipe_file(place, b'{"schema": 99}')
    with pytest.raises(StoreError, match=r"store.json has schema 99, this converse understands"), machines("first"):
        pass


def test_strange_things_in_an_object_are_passed_over(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name in ("../out", "/abs", "a/b/c", ".hidden", "n" * 300, "resume/good", "good", "good/under"):
            member = tarfile.TarInfo(name)
            member.size = 1
            tar.addfile(member, io.BytesIO(b"x"))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE):
            member = tarfile.TarInfo(f"strange{kind!r}"[:9])
            member.type, member.linkname = kind, "good"
            tar.addfile(member)
    unpack(data.getvalue(), tmp_path / "deep" / "trial")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["deep/trial/good", "deep/trial/resume/good"]


def test_a_full_disk_is_no_damaged_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive(finish(Store(tmp_path / "runs"), 0, "one").path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(StoreError, match="the disk is full"):
        unpack(data, tmp_path / "trial")


def test_nothing_of_any_size_comes_out_of_a_small_object(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("zeros")
        member.size = 2**20
        tar.addfile(member, io.BytesIO(bytes(2**20)))
    holes = io.BytesIO()
    with tarfile.open(fileobj=holes, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("zeros")
        member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(2**40)}
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    for data in (packed, holes):
        unpack(data.getvalue(), tmp_path / "trial")
    assert list((tmp_path / "trial").iterdir()) == []


def test_the_same_files_are_the_same_object(tmp_path: Path) -> None:
    folder = finish(Store(tmp_path / "runs"), 0, "one").path
    first = archive(folder)
    (folder / ".writing-left").touch()
    with TrialFolder(folder).lock():
        assert archive(folder) == first
    unpack(first, tmp_path / "again")
    assert archive(tmp_path / "again") == first


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("s3://bucket/runs", True),
        ("memory://x", True),
        ("runs", False),
        ("/a/b", False),
        ("C:/runs", False),
        ("a:", False),
    ],
)
def test_an_address_is_no_folder(text: str, is_one: bool) -> None:
    assert is_address(text) == is_one


def test_a_bucket_that_is_not_there(s3: Any) -> None:
    with pytest.raises(StoreError, match=r"cannot read s3://no-bucket/runs: .*bucket does not exist; make it, or name"):
        Away("s3://no-bucket/runs").fetch()


def test_s3_without_credentials(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    s3.clear_instance_cache()
    with pytest.raises(StoreError, match=r"cannot read s3://bucket/runs: .*; set AWS_ACCESS_KEY_ID and AWS_SECRET"):
        Away("s3://bucket/runs").fetch()
    s3.clear_instance_cache()


def test_without_s3fs_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with pytest.raises(
        StoreError, match=r"cannot reach s3://bucket/runs: s3fs is not installed: .*converse-bench\[s3\]"
    ):
        Away("s3://bucket/runs")


@pytest.mark.parametrize(
    ("name", "says"),
    [("gs://bucket/runs", "cannot reach gs://bucket/runs: .*nstall"), ("nowhere://x", "cannot reach nowhere://x: ")],
)
def test_an_address_that_cannot_be_reached(name: str, says: str) -> None:
    with pytest.raises(StoreError, match=says):
        Away(name)


def test_a_failing_address_says_where_the_results_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))

    def fail(*_: Any, **__: Any) -> None:
        raise PermissionError("Access Denied")

    with placed("memory://bucket/runs") as root:
        finish(Store(root), 0, "one")
        monkeypatch.setattr(type(fsspec.filesystem("memory")), "pipe_file", fail)
        away = away_of(root)
        assert away is not None
        with pytest.raises(StoreError, match=r"cannot write memory://.*PermissionError: Access Denied; .* the same"):
            away.send_all()
        monkeypatch.undo()
    fsspec.filesystem("memory").store.clear()


def test_a_folder_stays_what_it_is(tmp_path: Path) -> None:
    with placed(tmp_path / "runs") as root:
        assert root == tmp_path / "runs"
    assert away_of(tmp_path / "runs") is None


def test_no_folder_but_a_copy_in_the_cache_is_sent_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    stranger = tmp_path / "cache" / "stores" / "stranger"
    for folder, address in ((tmp_path / "runs", "memory://x"), (stranger, "memory://x"), (stranger, 3)):
        folder.mkdir(parents=True, exist_ok=True)
        files.write_json(folder / "address.json", {"address": address})
        assert away_of(folder) is None
