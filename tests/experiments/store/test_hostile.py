"""Documents as an enemy, or a failing disk, would write them: whatever they hold, a message and no traceback.

``CONVERSE_WHOLE=1 pytest tests/experiments/store/test_hostile.py`` tries 2,000 documents instead of a few.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converse.cli.explain import explain
from converse.cli.status import status
from converse.cli.store import store as store_commands
from converse.errors import ConverseError
from converse.experiments.store import Store
from converse.experiments.store.requests import RequestedEntry, StoredRequest, note, notes
from converse.experiments.store.speed_rows import RUN_COLUMNS
from converse.experiments.trials import Trial
from converse.reporting.inputs.material import gather
from converse.workflows.result_cache import Answer, recall, remember

DOCUMENTS = 2000 if os.environ.get("CONVERSE_WHOLE") else 25

app = typer.Typer()
app.command()(status)
app.command()(explain)
app.add_typer(store_commands, name="store")

TRIAL = Trial("denoising", "DnCNN", "trained", 0, "quick", {"lr": 0.1}, {}, platform={"device": "cpu"})
DAMAGED_TRIAL = f"trials/{TRIAL.id}"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one of everything, without digests: an enemy would write fitting ones."""
    store = Store(tmp_path_factory.mktemp("hostile") / "runs")
    for seed in (0, 1):
        folder = store.folder(Trial("denoising", "DnCNN", "trained", seed, "quick", {"lr": 0.1}, {}, platform={}))
    folder = store.folder(TRIAL)
    with folder.lock():
        folder.set_status("running")
        folder.write_provenance({"commit": "c" * 40, "versions": {"torch": "2.9"}, "command": ["converse"]})
        folder.journal("curve.jsonl").append([{"step": 1, "loss": 0.5, "lr": 0.1}])
        folder.append_rows([{"dataset": "set12", "image": "a", "image_sha256": "a", "metric": "psnr", "value": 30.0}])
        folder.set_status("interrupted")
    (folder.path / "digests.json").rename(folder.path / "digests.json.kept")
    note(
        store,
        StoredRequest("s", "S", "", "denoising", "quick", None, (RequestedEntry("A", "A"),), ((TRIAL.id, "A", 0),)),
    )
    remember(store, "0" * 16, Answer(((TRIAL.id, "A", "quick"),), (), ("psnr",), {"A": 1.0}))
    run = dict.fromkeys(RUN_COLUMNS) | {"suite": "speed", "threads": 2, "time": "2026-01-01T00:00:00Z"}
    store.speed.folder("run", run).add([{"subject": "converse", "median_s": 0.5, "turns_s": [0.5]}])
    (store.root / "quickstart").mkdir()
    (store.root / "quickstart" / "speed.json").write_text('{"key": {}, "records": []}')
    return store.root


TARGETS = (
    *(f"{DAMAGED_TRIAL}/{name}" for name in ("trial.json", "status.json", "provenance.json", "digests.json")),
    *(f"{DAMAGED_TRIAL}/{name}" for name in ("rows.jsonl", "curve.jsonl")),
    *("store.json", "asked/*.json", "answered/*.json", "speed/run/run.json", "speed/run/rows.jsonl"),
    "quickstart/speed.json",
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "2026-01-01", "9" * 30, "\x1b[2J", "\ud800", "inf", "../../etc", "0" * 16, -1, 2**70, 1e308, -0.0]
    ),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
RAW = st.sampled_from(
    [
        *(b"", b"null", b"[]", b"{}", b"NaN", b"\xff\xfe\x00", b"\x00" * 64, b'"' + b"a" * 1000),
        *(b'{"schema": 1}', b'{"schema": NaN}', b'{"schema": 99}', b'{"schema": 1, "schema": 1}'),
        *(b'{"a": 1e999}', b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}'),
        *(b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"a":' * 500 + b"1" + b"}" * 500),
        b'{"schema": 1, "files": {}, "sha256": ""}',
    ]
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[str, Callable[[bytes], bytes]]:
    """A file, and what becomes of its content: raw bytes, a key of its document set to anything, one taken away."""
    target = draw(st.sampled_from(TARGETS))
    if draw(st.booleans()):
        raw = draw(RAW)
        return target, lambda old: raw
    choice, value, drop = draw(st.integers(0, 40)), draw(VALUES), draw(st.booleans())

    def change(old: bytes) -> bytes:
        lines = old.decode().splitlines() if target.endswith(".jsonl") else [old.decode()]
        try:
            document = json.loads(lines[0])
        except (ValueError, IndexError):
            document = {}
        document.pop("crc32", None)  # an enemy would write a fitting one
        keys = list(document) or ["schema"]
        document[keys[choice % len(keys)]] = value
        if drop:
            document.pop(keys[choice % len(keys)])
        return json.dumps(document).encode() + b"\n"

    return target, change


@contextlib.contextmanager
def messages() -> Iterator[None]:
    with (
        contextlib.suppress(ConverseError),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def look(root: Path) -> None:
    """All that reads a store; a message is fine, any other exception is not."""
    for arguments in (
        ["status", "--store", str(root)],
        ["store", "list", "--store", str(root)],
        ["store", "export", "--store", str(root)],
        ["store", "export", "--what", "speed", "--store", str(root)],
        ["explain", TRIAL.id, "--store", str(root)],
        ["store", "verify", str(root)],
        ["store", "merge", str(root), "--store", str(root.with_name("into"))],
        ["store", "verify", "--repair", str(root)],
    ):
        if arguments[-2] == "--repair":
            for read in (
                lambda: gather([Store(root, create=False)]),
                lambda: notes(Store(root)),
                lambda: recall(Store(root), "0" * 16),
            ):
                with messages():
                    read()
        with messages():
            app(arguments, standalone_mode=False)


@pytest.mark.slow
@settings(max_examples=DOCUMENTS, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes())
def test_no_document_is_a_traceback(
    template: Path, tmp_path_factory: Any, change: tuple[str, Callable[[bytes], bytes]]
) -> None:
    place = tmp_path_factory.mktemp("one")
    root = place / "runs"
    shutil.copytree(template, root)
    name, make = change
    path = next(iter(root.glob(name)), root / name)
    path.write_bytes(make(path.read_bytes() if path.exists() else b"{}"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        look(root)
    shutil.rmtree(place)
