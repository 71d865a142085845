"""The command's last word: exit statuses and messages, from real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import converse

ENTRY = [sys.executable, "-c", "from converse.cli.main import main; main()"]

# A command of our own in the real application; what it does is the test's.
PROBE = """
import sys
from converse.cli.main import app, main
from converse.errors import ConverseError
@app.command()
def probe():
    {body}
sys.argv = ["converse", "probe"]
main()
"""


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CONVERSE_")}
    environment |= {"NO_COLOR": "1", "COLUMNS": "100"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=300)


def probe(body: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-c", PROBE.format(body=body)], cwd)


def test_version(tmp_path: Path) -> None:
    done = run([*ENTRY, "--version"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"converse {converse.__version__}\n", "")


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_commands_and_exit_statuses(flag: str, tmp_path: Path) -> None:
    done = run([*ENTRY, flag], tmp_path)
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("reproduce", "status", "data", "store", "list", "Exit status: 0 done"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["nonsense"], "No such command 'nonsense'", id="unknown-command"),
        pytest.param(["reproduce", "--imgaes", "2"], "--images", id="unknown-option"),
        pytest.param(["reproduce", "--images", "none"], "--images", id="not-a-number"),
        pytest.param(["reproduce", "denoisng"], "did you mean 'denoising'?", id="unknown-task"),
        pytest.param(["data", "verify", "set122"], "did you mean 'set12'?", id="unknown-dataset"),
        pytest.param(["status", "--store", "nowhere"], "no store at nowhere", id="missing-store"),
    ],
)
def test_mistakes_end_in_one_message_and_status_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    done = run([*ENTRY, *arguments], tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not any(tmp_path.iterdir()), "a mistake leaves nothing behind"


@pytest.mark.parametrize(
    ("body", "status", "stderr"),
    [
        pytest.param("return None", 0, "", id="nothing-returned"),
        *(pytest.param(f"return {status}", status, "", id=f"status-{status}") for status in (0, 1, 2, 3, 4)),
        pytest.param(
            "raise ConverseError('no such kernel: blur_6')", 2, "error: no such kernel: blur_6\n", id="mistake"
        ),
    ],
)
def test_status_is_what_the_command_returns(body: str, status: int, stderr: str, tmp_path: Path) -> None:
    done = probe(body, tmp_path)
    assert (done.returncode, done.stderr) == (status, stderr)


def test_a_warning_of_ours_is_one_line_and_others_stay_as_they_are(tmp_path: Path) -> None:
    body = "import warnings; from converse.errors import ConverseWarning; "
    ours = probe(body + "warnings.warn('transparency is dropped', ConverseWarning)", tmp_path)
    assert (ours.returncode, ours.stderr) == (0, "warning: transparency is dropped\n")
    assert "UserWarning: beware" in probe(body + "warnings.warn('beware')", tmp_path).stderr


def test_our_own_defects_keep_their_traceback(tmp_path: Path) -> None:
    done = probe("return 1 / 0", tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_ctrl_c_ends_with_130_and_one_word(tmp_path: Path) -> None:
    body = "print('started', flush=True); import time; time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", PROBE.format(body=body)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "started\n"
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=300)
    assert child.returncode == 130
    assert stderr == "interrupted\n"


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_reader_who_leaves_early_gets_no_traceback(form: str, tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*ENTRY, "list", "datasets", "--format", form],
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141  # 128 + SIGPIPE, as a shell says it


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")


@needs_full
@pytest.mark.parametrize(
    "arguments",
    [["list"], ["list", "entries", "--format", "json"], ["data", "list", "--format", "csv"], ["--help"], ["--version"]],
    ids=" ".join,
)
def test_a_full_standard_output_is_one_message_and_status_1(arguments: list[str], tmp_path: Path) -> None:
    with FULL.open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [*ENTRY, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, timeout=300
        )
    assert done.stderr == "error: cannot write to standard output: No space left on device\n"
    assert done.returncode == 1


@needs_full
def test_a_full_standard_error_stops_nothing(tmp_path: Path) -> None:
    body = "import warnings; warnings.warn('lost'); print('lost', file=sys.stderr, flush=True); return 3"
    with FULL.open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROBE.format(body=body)], stderr=full, cwd=tmp_path, timeout=300, check=False
        )
    assert done.returncode == 3


@pytest.mark.skipif(os.name == "nt", reason="a shell's redirections")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_mistake_and_no_file_takes_their_place(closed: str, tmp_path: Path) -> None:
    """Oracle: what a file holds that is opened while the command runs."""
    body = "open('file', 'w').write('mine'); import os; os.write(1, b'not mine'); return 4"
    command = f'exec "$0" -c "$1" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable, PROBE.format(body=body)], cwd=tmp_path, capture_output=True, timeout=300
    )
    assert done.returncode == 4
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    assert done.stderr == b""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
def test_every_command_speaks_any_encoding(encoding: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "40"}
    for arguments in (["list"], ["--help"], ["data", "list"]):
        done = subprocess.run([*ENTRY, *arguments], capture_output=True, cwd=tmp_path, env=environment, timeout=300)
        assert (done.returncode, done.stderr) == (0, b"")
        done.stdout.decode(encoding)


def test_what_others_print_while_a_command_runs_is_no_part_of_its_document(tmp_path: Path) -> None:
    body = (
        "from converse.cli.printing import print_json; print('a user\\'s operator'); print_json([1]); "
        "sys.stdout.write('a library'); return 0"
    )
    script = PROBE.replace("@app.command()", "from converse.cli.streams import Command\n@app.command(cls=Command)")
    done = run([sys.executable, "-c", script.format(body=body)], tmp_path)
    assert json.loads(done.stdout) == [1]
    assert done.stderr == "a user's operator\na library"


def test_being_asked_to_end_is_an_interruption(tmp_path: Path) -> None:
    """Commands that do not listen themselves put away what they began, as after Ctrl-C: here a ``finally``."""
    asked = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    body = f"try:\n        {asked}\n    finally:\n        print('put away', file=sys.stderr)"
    done = probe(body, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "put away\ninterrupted\n")
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PROBE.format(body=asked)
    assert run([sys.executable, "-c", code], tmp_path).returncode == 0
