"""Oracle: the system's account of processes."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil

from converse.experiments.speed.neighbour import neighbours


def test_processes_compute_while_the_block_runs() -> None:
    with neighbours(2):
        until, computing = time.monotonic() + 60, list[psutil.Process]()
        while len(computing) < 2:  # each is a copy of this process at first
            assert time.monotonic() < until
            computing = [one for one in psutil.Process().children() if "spawn_main" in " ".join(one.cmdline())]
        while min(one.cpu_times().user for one in computing) < 0.3:
            assert time.monotonic() < until
            time.sleep(0.05)
    _, left = psutil.wait_procs(computing, timeout=20)
    assert not left


def test_they_end_with_whoever_began_them() -> None:
    source = (
        "import os, sys, psutil\n"
        "from converse.experiments.speed.neighbour import neighbours\n"
        "if __name__ == '__main__':\n"
        "    with neighbours():\n"
        "        found = []\n"
        "        while not found:  # it is a copy of this process at first\n"
        "            found = [one for one in psutil.Process().children() if 'spawn_main' in ' '.join(one.cmdline())]\n"
        "        print(found[0].pid)\n"
        "        sys.stdout.flush()\n"
        "        os._exit(9)\n"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False)
    assert done.returncode == 9, done.stderr
    until = time.monotonic() + 20
    while psutil.pid_exists(int(done.stdout)):
        assert time.monotonic() < until
        time.sleep(0.05)
