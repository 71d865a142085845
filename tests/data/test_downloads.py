"""Downloads against a server of our own that misbehaves on demand; nothing leaves this machine."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from converse.data import downloads
from converse.data.catalogue import Dataset
from converse.data.local import locate_files
from converse.errors import ConverseWarning, DataError

FILES = {f"{i:02}.png": bytes([i]) * (1000 + i) for i in range(12)}


class Server(ThreadingHTTPServer):
    """Serves `FILES` below any folder; the first folder of a path says how: good, missing, other, short, busy, slow."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: Counter[str] = Counter()
        self.released = threading.Event()  # what "slow" waits for in the second half of the files
        self.sent = 0  # bytes that "pour" and "announce" got rid of
        self.busy = 0  # how often "busy" answers 503 before it serves

    def at(self, manner: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{manner}/"


def _pour(handler: Handler, body: bytes) -> None:
    """Says nothing of its length, and sends 64 MB."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1024):
        handler.server.sent += handler.wfile.write(bytes(1 << 16))


def _announce(handler: Handler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(10**12))
    handler.end_headers()
    handler.server.sent += handler.wfile.write(bytes(1 << 16))


def _bomb(handler: Handler, body: bytes) -> None:
    """64 kB that unpack to 64 MB, whatever was asked for."""
    packed = gzip.compress(bytes(1 << 26))
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(packed)))
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(packed)


def _drip(handler: Handler, body: bytes) -> None:
    """Each byte comes well within the time limit between packets."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    for at in range(len(body)):
        handler.wfile.write(body[at : at + 1])
        handler.wfile.flush()
        time.sleep(0.02)


def _drip_head(handler: Handler, body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.0 200 OK\r\n")
    for _ in range(1000):
        handler.wfile.write(b"X-More: and more\r\n"[:1])
        handler.wfile.flush()
        time.sleep(0.02)


def _colour(handler: Handler, body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.0 404 \x1b[31mNot\x9b Here\r\n\r\n")


HOSTILE = {
    "pour": _pour,
    "announce": _announce,
    "bomb": _bomb,
    "drip": _drip,
    "drip-head": _drip_head,
    "colour": _colour,
}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        _, manner, name = self.path.split("/")
        self.server.asked[self.path] += 1
        body = FILES[name]
        if manner == "missing" or (manner == "gap" and name == "05.png"):
            return self.send_error(404)
        if manner == "busy" and self.server.asked[self.path] <= self.server.busy:
            return self.send_error(503)
        if manner in HOSTILE:
            return HOSTILE[manner](self, body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if manner == "slow":
            self.server.released.wait(None if name > "05" else 0)
        if manner == "short":
            body = body[:500]
        self.wfile.write(body if manner != "other" else b"x" * len(body))
        return None

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the client had enough
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CONVERSE_DATA", raising=False)
    monkeypatch.setattr(downloads, "BACKOFF", 0.01)
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.released.set()
        running.shutdown()
        thread.join()


def toy(base: str, *mirrors: str) -> Dataset:
    files = [
        {"name": name, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)} for name, body in FILES.items()
    ]
    return Dataset.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "kind": "images",
            "colour": "grey",
            "source": "download",
            "base_url": base,
            "mirrors": mirrors,
            "licence": "CC0",
            "citation": "none",
            "files": files,
        }
    )


def kept(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "cache" / "toy").glob("*")}


def test_downloads_everything_once(server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one = toy(server.at("good"))
    paths = locate_files(one)
    assert [path.name for path in paths] == list(FILES)
    assert all(path.read_bytes() == FILES[path.name] for path in paths)
    assert kept(tmp_path) == set(FILES)  # nothing unfinished is left behind
    assert set(server.asked.values()) == {1}
    assert locate_files(one) == paths
    assert set(server.asked.values()) == {1}
    assert capfd.readouterr().out == ""


def test_an_interrupted_download_is_continued(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gap/05\.png answers 404 Not Found"):
        locate_files(toy(server.at("gap")), progress=False)
    before = kept(tmp_path)
    assert before < set(FILES)
    locate_files(toy(server.at("good")), progress=False)
    assert kept(tmp_path) == set(FILES)
    asked = {path.rsplit("/", 1)[1] for path in server.asked if path.startswith("/good/")}
    assert asked == set(FILES) - before


def test_a_404_is_asked_for_once_and_then_the_mirror(server: Server) -> None:
    locate_files(toy(server.at("missing"), server.at("good")), progress=False)
    assert {count for path, count in server.asked.items() if path.startswith("/missing/")} == {1}


@pytest.mark.parametrize("manner", ["other", "short"])
def test_wrong_content_is_tried_again_and_never_kept(server: Server, tmp_path: Path, manner: str) -> None:
    with pytest.raises(DataError, match=f"{manner}/..\\.png (has another content|cannot be reached)") as caught:
        locate_files(toy(server.at(manner)), progress=False)
    assert "converse data fetch toy" in str(caught.value)
    assert kept(tmp_path) == set()
    assert max(server.asked.values()) == downloads.TRIES
    locate_files(toy(server.at(manner), server.at("good")), progress=False)
    assert kept(tmp_path) == set(FILES)


def test_a_busy_server_is_given_time(server: Server) -> None:
    server.busy = downloads.TRIES - 1
    locate_files(toy(server.at("busy")), progress=False)
    assert set(server.asked.values()) == {downloads.TRIES}


def test_no_network_gives_one_message_with_the_way_out(server: Server) -> None:
    with pytest.raises(DataError) as caught:
        locate_files(toy("http://127.0.0.1:9/closed/"), progress=False)
    message = str(caught.value)
    for part in ("'toy'", "http://127.0.0.1:9/closed/", "cannot be reached", "refused"):
        assert part in message
    for part in ("converse data fetch toy", "--data-dir", "CONVERSE_DATA"):
        assert part in message
    assert "\n" not in message
    assert len(message) < 600


def test_a_corrupt_file_in_the_cache_is_downloaded_again(server: Server, tmp_path: Path) -> None:
    one = toy(server.at("good"))
    broken = locate_files(one, progress=False)[3]
    broken.write_bytes(b"bits rot")
    with pytest.warns(ConverseWarning, match="bits rot|is corrupt"):
        locate_files(one, progress=False)
    assert broken.read_bytes() == FILES[broken.name]
    assert sum(server.asked.values()) == len(FILES) + 1


def test_a_cache_that_cannot_be_written_is_said(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    monkeypatch.setenv("CONVERSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot write to .*CONVERSE_CACHE"):
        locate_files(toy(server.at("good")), progress=False)


def test_what_only_a_local_folder_can_have_is_not_asked_for(server: Server) -> None:
    files = [{**entry.model_dump(), "download": entry.name != "00.png"} for entry in toy(server.at("good")).files]
    one = Dataset.model_validate({**toy(server.at("good")).model_dump(), "files": files})
    with pytest.raises(DataError, match="not on this machine"):
        locate_files(one, progress=False)
    alternatives = one.model_copy(update={"any_one": True})
    assert [path.name for path in locate_files(alternatives, progress=False)] == ["01.png"]
    assert list(server.asked) == ["/good/01.png"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a child there")
def test_ctrl_c_ends_quickly_and_keeps_what_is_finished(server: Server, tmp_path: Path) -> None:
    script = (
        "import sys; from converse.data import downloads; from converse.data.catalogue import Dataset\n"
        "from converse.data.local import locate_files\n"
        "downloads.TIMEOUT = (600.0, 600.0)\n"
        "locate_files(Dataset.model_validate_json(sys.argv[1]), progress=False)"
    )
    command = [sys.executable, "-c", script, toy(server.at("slow")).model_dump_json()]
    with subprocess.Popen(command, env=os.environ.copy(), stderr=subprocess.PIPE) as child:
        deadline = time.monotonic() + 300
        while len(kept(tmp_path) & set(FILES)) < 5 and time.monotonic() < deadline:
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        try:
            _, error = child.communicate(timeout=300)  # the slow half is never sent
        finally:
            child.kill()
    assert b"KeyboardInterrupt" in error
    assert {"00.png", "01.png", "02.png"} <= kept(tmp_path)
    assert all((tmp_path / "cache" / "toy" / name).read_bytes() == FILES[name] for name in kept(tmp_path) & set(FILES))


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        ("pour", r"sends [\d,]+ bytes, where the catalogue has 1,0\d\d"),
        ("announce", r"announces 1,000,000,000,000 bytes, where the catalogue has 1,0\d\d"),
        ("bomb", "answers in the encoding gzip, though none was asked for"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the limit that is the oracle")
def test_no_server_makes_a_file_larger_than_the_catalogue_says(
    server: Server, tmp_path: Path, manner: str, says: str
) -> None:
    """Oracle: the operating system, which here ends a process whose file grows beyond 2 kB."""
    script = (
        "import resource, sys; from converse.data.catalogue import Dataset\n"
        "from converse.data.local import locate_files\n"
        "from converse.errors import DataError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\n"
        "try: locate_files(Dataset.model_validate_json(sys.argv[1]), progress=False)\n"
        "except DataError as error: print(error)"
    )
    command = [sys.executable, "-c", script, toy(server.at(manner)).model_dump_json()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert re.search(says, done.stdout), done.stdout + done.stderr
    assert kept(tmp_path) == set()
    assert server.sent < 32e6 * len(FILES)  # what sockets buffer, not the whole
    locate_files(toy(server.at(manner), server.at("good")), progress=False)
    assert kept(tmp_path) == set(FILES)


@pytest.mark.parametrize(
    ("manner", "says"), [("drip", r"sent \d+ of 1,0\d\d bytes in 0 s"), ("drip-head", "did not answer")]
)
def test_a_server_that_drips_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manner: str, says: str
) -> None:
    """Twenty seconds of bytes, none of them late."""
    monkeypatch.setattr(downloads, "GRACE", 0.2)
    with pytest.raises(DataError, match=says):
        locate_files(toy(server.at(manner)), progress=False)
    assert kept(tmp_path) == set()


def test_what_a_server_says_is_shown_and_not_sent(server: Server) -> None:
    with pytest.raises(DataError, match=r"answers 404 \\x1b\[31mNot\\x9b Here"):
        locate_files(toy(server.at("colour")), progress=False)
