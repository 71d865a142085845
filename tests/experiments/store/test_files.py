"""Oracles: the json module, the bytes on disk, the operating system's own errors under real limits."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converse.errors import StoreError
from converse.experiments.store import files
from converse.experiments.store.files import Damaged, Journal

LIMITED = """
import resource, sys
from pathlib import Path
from converse.errors import StoreError
from converse.experiments.store.files import Journal, write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
folder = Path(sys.argv[1])
try:
    if sys.argv[2] == "text":
        write_text(folder / "file.txt", "x" * 5000)
    else:
        Journal(folder / "rows.jsonl").append([{"text": "x" * 100} for _ in range(100)])
except StoreError as error:
    print(error)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_json_comes_back(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"λ": [1, 2.5, None]})
    assert files.read_json(tmp_path / "a.json") == {"λ": [1, 2.5, None]}
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"λ": [1, 2.5, None]}
    assert files.read_json(tmp_path / "b.json") is None


@pytest.mark.parametrize(
    ("content", "came"),
    [(b"", "an empty file"), (b'{"a": 1', "'{\"a\": 1'"), (b"[1]", "'\\[1\\]'"), (b"\xff\xfe", "'\ufffd\ufffd'")],
    ids=["empty", "torn", "list", "binary"],
)
def test_what_is_no_json_object_is_damaged(tmp_path: Path, content: bytes, came: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(Damaged, match=f"a.json is damaged: expected a JSON object, got {came}"):
        files.read_json(tmp_path / "a.json")


def test_nan_is_refused_and_the_former_file_stays(tmp_path: Path) -> None:
    files.write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"a": math.nan})
    assert files.read_json(tmp_path / "a.json") == {"a": 1}
    assert names(tmp_path) == ["a.json"]


def test_replacing_leaves_the_former_file_when_its_writer_fails(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_text("old")

    def write_half() -> None:
        with files.replacing(tmp_path / "weights.safetensors") as temporary:
            assert temporary.parent == tmp_path
            assert temporary.suffix == ".safetensors"
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert (tmp_path / "weights.safetensors").read_text() == "old"
    assert names(tmp_path) == ["weights.safetensors"]


def test_several_files_are_replaced_together_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in "abc"]
    files.write_files(dict.fromkeys(paths, b"old"))
    written, write = list[str](), files._write_new

    def full(path: Path, data: bytes) -> None:
        if len(written) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(path, data)
        written.append(path.name)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_write_new", full)
        with pytest.raises(StoreError, match=r"cannot write .*c: the disk is full"):
            files.write_files(dict.fromkeys(paths, b"new"))
    assert [path.read_bytes() for path in paths] == [b"old"] * 3
    assert names(tmp_path) == ["a", "b", "c"]
    moved, replace = list[str](), Path.replace

    def told(path: Path, target: Path) -> Path:
        moved.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", told)
    files.write_files(dict.fromkeys(paths, b"new"))
    assert (moved, {path.read_bytes() for path in paths}) == (["a", "b", "c"], {b"new"})
    files.write_files({})


def test_files_are_as_open_as_the_users_others(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    files.write_text(tmp_path / "ours", "")
    assert stat.S_IMODE((tmp_path / "ours").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full: free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "the file may not grow further"),
        (errno.EROFS, "the file system is read-only: name a folder"),
        (errno.EACCES, "permission denied: name a folder"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_an_error_says_which_file_why_and_the_way_out(number: int, says: str) -> None:
    with (
        pytest.raises(StoreError, match=f"^cannot write x: {says}"),
        files.explained(Path("x"), "write"),
    ):
        raise OSError(number, os.strerror(number))


def test_set_aside_never_takes_a_name_twice(tmp_path: Path) -> None:
    for content in "abc":
        (tmp_path / "f").write_text(content)
        files.set_aside(tmp_path / "f")
    assert {name: (tmp_path / name).read_text() for name in names(tmp_path)} == {
        "f.damaged-1": "a",
        "f.damaged-2": "b",
        "f.damaged-3": "c",
    }


def limited(folder: Path, what: str) -> str:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(folder), what], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_real_limit_leaves_the_former_file(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("old")
    assert "file.txt: the file may not grow further: raise the limit on file sizes" in limited(tmp_path, "text")
    assert (tmp_path / "file.txt").read_text() == "old"
    assert names(tmp_path) == ["file.txt"]


def test_a_real_limit_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows.jsonl")
    journal.append([{"a": 1}])
    before = journal.path.read_bytes()
    assert "cannot append to" in limited(tmp_path, "journal")
    assert journal.path.read_bytes() == before


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """A small tmpfs, where this process may mount one."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a tmpfs: {mounted.stderr.decode().strip()}")
    try:
        journal = Journal(place / "rows.jsonl")
        journal.append([{"a": 1}])
        with pytest.raises(StoreError, match="the disk is full: free some space"):
            journal.append([{"text": "x" * 1000} for _ in range(100)])
        with pytest.raises(StoreError, match="the disk is full: free some space"):
            files.write_text(place / "rows.jsonl", "x" * 100_000)
        assert journal.read() == [{"a": 1}]
        assert names(place) == ["rows.jsonl"]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_sigxfsz_does_not_kill() -> None:
    """The limit's signal has to be ignored, as Python does, for the limit to come as an error."""
    assert signal.getsignal(signal.SIGXFSZ) is signal.SIG_IGN
    assert resource.getrlimit(resource.RLIMIT_FSIZE)


def test_a_journal_keeps_order_and_special_values(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    assert journal.read() == []
    journal.append([])
    assert not journal.path.exists()
    journal.append([{"a": math.inf}, {"a": [-math.inf, {"b": math.nan}]}])
    journal.append([{"a": 0.1}])
    assert journal.read() == [{"a": "inf"}, {"a": ["-inf", {"b": None}]}, {"a": 0.1}]
    assert journal.repair() is None
    journal.rewrite([{"c": 1}])
    assert journal.read() == [{"c": 1}]


RECORDS: list[dict[str, Any]] = [
    {"step": 1, "loss": 0.5, "text": "a\nb"},
    {"step": 2, "loss": {"λ": 1.25}},
    {"step": 30},
]


@settings(max_examples=40)
@given(st.data())
def test_cut_anywhere_a_journal_loses_at_most_its_last_record(tmp_path_factory: Any, data: st.DataObject) -> None:
    journal = Journal(tmp_path_factory.mktemp("cut") / "j.jsonl")
    journal.append(RECORDS)
    whole = journal.path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    journal.path.write_bytes(whole[:cut])
    kept = whole[:cut].count(b"}\n") + whole[:cut].endswith(b"}") * (cut in {whole.find(b"}\n", cut - 1) + 1})
    assert journal.read() == RECORDS[:kept]

    journal.append([{"step": 99}])
    assert journal.read() == [*RECORDS[:kept], {"step": 99}]

    done = journal.repair()
    assert journal.read() == [*RECORDS[:kept], {"step": 99}]
    asides = list(journal.path.parent.glob("*.damaged-*"))
    assert bool(asides) == (done is not None)
    for aside in asides:
        assert aside.read_bytes().strip() == whole[:cut].split(b"\n")[-1]
        assert aside.name in str(done)
    assert journal.repair() is None


@settings(max_examples=40)
@given(garbage=st.binary(max_size=40))
def test_garbage_in_a_journal_is_set_aside(tmp_path_factory: Any, garbage: bytes) -> None:
    journal = Journal(tmp_path_factory.mktemp("garbage") / "j.jsonl")
    journal.append([{"a": 1}])
    with journal.path.open("ab") as file:
        file.write(b"<" + garbage)
    journal.append([{"a": 2}])
    found = journal.read()
    assert (found[0], found[-1]) == ({"a": 1}, {"a": 2})
    assert "torn" in str(journal.repair())
    assert journal.read() == found


SURROGATES = {"image": "caf\udce9.png", "n\ud800": ["\udcc3\udca9", {"deep": "\udfff"}]}
WRITABLE = {"image": "caf\\xe9.png", "n\\ud800": ["é", {"deep": "\\udfff"}]}


def test_what_no_file_can_hold_enters_neither_json_nor_journal(tmp_path: Path) -> None:
    """Oracle: a strict UTF-8 encoder takes all that comes back."""
    files.write_json(tmp_path / "a.json", SURROGATES)
    files.write_text(tmp_path / "failure.txt", "caf\udce9.png")
    journal = Journal(tmp_path / "rows.jsonl")
    journal.append([SURROGATES])
    assert files.read_json(tmp_path / "a.json") == WRITABLE
    assert journal.read() == [WRITABLE]
    assert b"\\ud" not in (tmp_path / "rows.jsonl").read_bytes().replace(rb"\\u", b"")
    assert (tmp_path / "failure.txt").read_bytes() == b"caf\\xe9.png"


@pytest.mark.parametrize("ascii_only", [True, False], ids=["escaped", "raw"])
def test_a_journal_that_has_lone_surrogates_is_readable_again(tmp_path: Path, ascii_only: bool) -> None:
    line = json.dumps(SURROGATES, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    (tmp_path / "rows.jsonl").write_bytes(line + b"\n" + json.dumps({"name": "λ 😀"}).encode() + b"\n")
    (tmp_path / "a.json").write_bytes(line)
    assert Journal(tmp_path / "rows.jsonl").read() == [WRITABLE, {"name": "λ 😀"}]
    assert files.read_json(tmp_path / "a.json") == WRITABLE


def test_only_what_lies_in_a_store_is_said_to_be_kept(tmp_path: Path) -> None:
    """A store that could not be made, an export, a report: there nothing continues."""
    store = tmp_path / "runs"
    (store / "trials" / "a").mkdir(parents=True)

    def message(path: Path, doing: str) -> str:
        with pytest.raises(StoreError) as caught, files.explained(path, doing):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return str(caught.value)

    kept = "what was finished is kept, and the same command continues"
    assert kept not in message(store / "trials" / "a", "make")  # no store yet
    files.write_json(store / "store.json", {"schema": 1})
    assert message(store / "trials" / "a" / "rows.jsonl", "append to").endswith(f"free some space; {kept}")
    assert kept in message(store, "lock")
    assert kept not in message(store / "trials" / "a" / "rows.jsonl", "read")
    assert kept not in message(store / "store.json", "write")
    assert kept not in message(tmp_path / "rows.csv", "write")
    assert kept not in message(store / "rows.csv", "write")
    assert kept not in message(store / "report" / "index.html", "write")
    assert kept in message(store / "speed" / "a" / "run.json", "make")
    assert kept not in message(tmp_path / "report" / "index.html", "write")


@pytest.mark.parametrize(
    "value", [{}, {"a": 1, "b": [{"c": "λ"}]}, {"crc": "00000000", "x": None}], ids=["empty", "nested", "like"]
)
def test_each_bit_of_a_sealed_document_counts(tmp_path: Path, value: dict[str, Any]) -> None:
    """Oracle: every other document of one bit's difference."""
    path = tmp_path / "run.json"
    files.write_sealed(path, value)
    whole = path.read_bytes()
    assert files.read_sealed(path) == value
    assert json.loads(whole).keys() - {"crc32"} == value.keys()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with contextlib.suppress(files.Damaged):
            assert files.read_sealed(path) == value, bytes(changed)
    files.write_json(path, value)  # as versions up to 0.1 did
    assert files.read_sealed(path) == value


def fail_on_folders(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the synchronisation of folders fail."""
    synchronise = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        synchronise(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


WRITERS: list[Any] = [
    lambda folder: files.write_text(folder / "a", "new"),
    lambda folder: Journal(folder / "rows.jsonl").append([{"a": 1}]),
    lambda folder: files.set_aside(folder / "old"),
    lambda folder: files.make_whole(folder / "deep" / "trial", {"trial.json": b"{}"}),
]


@pytest.mark.parametrize("write", WRITERS, ids=["replace", "journal", "set aside", "make"])
def test_a_disk_that_cannot_synchronise_a_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    (tmp_path / "old").touch()
    fail_on_folders(monkeypatch, errno.EIO)
    with pytest.raises(StoreError, match="Input/output error"):
        write(tmp_path)


@pytest.mark.parametrize("write", WRITERS, ids=["replace", "journal", "set aside", "make"])
@pytest.mark.parametrize("name", ["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])
def test_a_file_system_that_synchronises_no_folders_is_excused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Any, name: str
) -> None:
    (tmp_path / "old").touch()
    fail_on_folders(monkeypatch, getattr(errno, name))
    write(tmp_path)
    assert len(list(tmp_path.iterdir())) >= 1


def test_a_folder_is_made_once_whoever_is_faster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process makes it in the last moment, as a whole: what it put there stays."""
    write = files._write_new

    def slow(path: Path, data: bytes) -> None:
        write(path, data)
        monkeypatch.setattr(files, "_write_new", write)
        files.make_whole(tmp_path / "trial", {"trial.json": files.json_bytes({"by": "another"})})

    monkeypatch.setattr(files, "_write_new", slow)
    files.make_whole(tmp_path / "trial", {"trial.json": files.json_bytes({"by": "this"})})
    assert files.read_json(tmp_path / "trial" / "trial.json") == {"by": "another"}
    assert names(tmp_path) == ["trial"]


def test_who_slept_while_making_a_folder_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process has swept the half made folder of one that was stopped for a minute."""
    write = files._write_new

    def swept(path: Path, data: bytes) -> None:
        monkeypatch.setattr(files, "_write_new", write)
        os.utime(path.parent, (0, 0))
        files.make_whole(tmp_path / "other", {"trial.json": files.json_bytes({})})
        write(path, data)

    monkeypatch.setattr(files, "_write_new", swept)
    files.make_whole(tmp_path / "trial", {"trial.json": files.json_bytes({"by": "this"})})
    assert files.read_json(tmp_path / "trial" / "trial.json") == {"by": "this"}
    assert names(tmp_path) == ["other", "trial"]


def test_a_file_where_a_folder_shall_be_is_no_faster_process(tmp_path: Path) -> None:
    (tmp_path / "trial").touch()
    with pytest.raises(StoreError, match="cannot make"):
        files.make_whole(tmp_path / "trial", {"trial.json": files.json_bytes({})})
    assert names(tmp_path) == ["trial"]


def test_a_damaged_file_is_never_missing_while_it_is_superseded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "trial.json"
    path.write_text("{")
    replace, seen = Path.replace, []

    def watched(self: Path, target: Path) -> Path:
        seen.append(path.read_text())
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    assert files.supersede(path, {"a": 1}) == tmp_path / "trial.json.damaged-1"
    assert seen == ["{", "{"]
    assert files.read_json(path) == {"a": 1}
    assert (tmp_path / "trial.json.damaged-1").read_text() == "{"


def test_what_is_swept_is_old_by_the_clock_of_the_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which something changes is not swept, however long ago it was made."""
    for name in ("old", "young", "copying"):
        (tmp_path / f".new-{name}").mkdir()
        (tmp_path / f".new-{name}" / "file").touch()
    (tmp_path / ".new-link").symlink_to(tmp_path / "kept")
    (tmp_path / "kept").mkdir()
    for path in (".new-old/file", ".new-old", ".new-copying"):
        os.utime(tmp_path / path, (0, 0))
    monkeypatch.setattr("time.time", lambda: 1e12)
    (tmp_path / "fresh").touch()
    files.sweep(tmp_path, ".new-*", tmp_path / "fresh")
    assert names(tmp_path) == [".new-copying", ".new-link", ".new-young", "fresh", "kept"]
