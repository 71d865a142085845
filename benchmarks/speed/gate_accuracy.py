"""How often the gate's speed part is right where the truth is known: ``python benchmarks/speed/gate_accuracy.py``.

Equal runs, each measured as ``converse check`` measures it, while another process loads one core: copies of this
checkout that take turns with it, as with ``--against`` or a baseline that names a commit; and, with ``--only``, runs
beside a baseline's ratios, which is made first. So is what has to be seen: an operator that takes a fifth longer, one
that takes 15 % more memory, and a block that takes 15 % longer. Each run is kept in ``--keep`` as it comes: the same
command goes on there.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SLOWER = """

import time as _time  # planted: a call of a {kind} takes {factor} times as long
_forward = {kind}.forward


def _slower(self, *given, **named):
    start = _time.thread_time()
    output = _forward(self, *given, **named)
    end = start + {factor} * (_time.thread_time() - start)
    while _time.thread_time() < end:
        pass
    return output


{kind}.forward = _slower
"""
LARGER = """

_forward = Converse2D.forward  # planted: memory that is held during a call


def _larger(self, *given, **named):
    held = torch.ones({size}, dtype=torch.uint8)
    output = _forward(self, *given, **named)
    del held
    return output


Converse2D.forward = _larger
"""
TURNS = {
    "equal against": "nothing has changed, two versions that take turns",
    "operator against": "the operator takes a fifth longer, two versions that take turns",
    "memory against": "the operator takes 15 % more memory, two versions that take turns",
    "block against": "the block takes 15 % longer, two versions that take turns",
}
KINDS = TURNS | {
    "equal": "nothing has changed, beside a baseline's ratios",
    "operator": "the operator takes a fifth longer, beside a baseline's ratios",
    "memory": "the operator takes 15 % more memory, beside a baseline's ratios",
}


def main() -> None:
    """Measure what is not kept yet; print counts as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=50, help="equal runs")
    parser.add_argument("--others", type=int, default=10, help="runs of each other kind")
    parser.add_argument("--keep", type=Path, required=True, help="a folder for the baseline and what came of each run")
    parser.add_argument("--busy", type=int, default=1, help="processes that load a core each")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(TURNS))
    parser.add_argument("--seconds", type=float, default=120.0, help="as --seconds of converse check")
    parser.add_argument("--for", type=float, default=float("inf"), dest="limit", help="no run begins after so long, s")
    parser.add_argument("--budget", default="quick", help="of the suite of speed gate")
    parser.add_argument("--baseline", type=Path, help="a file that `converse check` takes, in the place of a new one")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    beside_ratios = any(kind not in TURNS for kind in arguments.only)
    table = _table(arguments) if beside_ratios else None
    kept = arguments.keep / "runs.jsonl"
    start = time.monotonic()
    from converse.experiments.speed.neighbour import neighbours

    with neighbours(arguments.busy):
        for number in range(max(arguments.runs, arguments.others)):
            for kind in arguments.only:
                wanted = arguments.runs if kind.startswith("equal") else arguments.others
                if number >= wanted or sum(one["kind"] == kind for one in _lines(kept)) > number:
                    continue
                if time.monotonic() - start > arguments.limit:
                    break
                line = {"kind": kind, **_run(kind, table, arguments)}
                with kept.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                print(
                    f"{kind} {number + 1}: {line['status']}, {line['rounds']} rounds, {line['seconds']:.0f} s",
                    flush=True,
                )
    _print(_lines(kept), table, arguments)


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _table(arguments: argparse.Namespace):
    """The baseline of this folder, made as ``converse check --write`` makes it."""
    from converse.analysis.gate.speed_table import SpeedTable
    from converse.experiments.store import Store
    from converse.workflows.check_speed import measured_table
    from converse.workflows.speed_rounds import speed_gate

    path = arguments.keep / "baseline.json"
    if not path.exists() and arguments.baseline is not None:
        from converse.analysis.gate.baseline import read_baseline

        given = read_baseline(arguments.baseline).speed
        if given is None:
            raise SystemExit(f"{arguments.baseline} has no [speed]")
        path.write_text(given.model_dump_json(by_alias=True, indent=1), encoding="utf-8")
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            gate = speed_gate("gate", arguments.budget, "cpu")
            made = measured_table(gate, "gate", Store(Path(folder)), lambda step: None)
        path.write_text(made.model_dump_json(by_alias=True, indent=1), encoding="utf-8")
    return SpeedTable.model_validate_json(path.read_text(encoding="utf-8"))


def _run(kind: str, table, arguments: argparse.Namespace) -> dict:
    """One run, as a line that is kept."""
    from converse.analysis.gate.findings import exit_status
    from converse.experiments.store import Store

    with tempfile.TemporaryDirectory() as folder:
        given = (Store(Path(folder) / "store"), arguments.seconds, lambda step: None, "")
        measured = _in_turns if kind in TURNS else _beside_ratios
        found = measured(kind, table, arguments, Path(folder), given)
    findings = [one.finding for one in found.held]
    cells = ("aspect", "subject", "place", "outcome", "change", "low", "high", "allowed")
    said = [{name: value for name, value in asdict(one).items() if name in cells} for one in findings]
    return {
        "status": exit_status(findings),
        "rounds": found.count,
        "seconds": found.seconds,
        "load": os.getloadavg()[0],
        "findings": said,
    }


def _in_turns(kind: str, _, arguments: argparse.Namespace, folder: Path, given: tuple):
    """A copy of this checkout, in which something may be planted, in turns with this checkout."""
    from converse.workflows.check_turns import check_other
    from converse.workflows.other_version import OtherVersion, other_version
    from converse.workflows.speed_rounds import speed_gate

    gate = speed_gate("gate", arguments.budget, "cpu")
    shutil.copytree(ROOT / "converse" / "nn", folder / "converse" / "nn", ignore=shutil.ignore_patterns("__pycache__"))
    name, text = "operators.py", ""
    if kind == "block against":
        name, text = "blocks.py", SLOWER.format(kind="Block", factor=1.15)
    elif kind == "operator against":
        text = SLOWER.format(kind="Converse2D", factor=1.2)
    elif kind == "memory against":
        text = LARGER.format(size=round(0.15 * _peak(gate)))
    with (folder / "converse" / "nn" / name).open("a", encoding="utf-8") as file:
        file.write(text)
    with other_version(str(ROOT)) as other:
        return check_other(gate, other, None, *given, this=OtherVersion("the copy", folder, folder))


def _beside_ratios(kind: str, table, arguments: argparse.Namespace, folder: Path, given: tuple):
    """This checkout, with an operator in which something may be planted, beside ratios."""
    from converse.workflows.check_speed import check_table
    from converse.workflows.speed_rounds import speed_gate

    planted = HERE / "planted_slowdowns.py"
    operator = None
    if kind == "operator":
        operator = f"{planted}:Spin"
    if kind == "memory":
        size = round(0.15 * _peak(speed_gate("gate", arguments.budget, "cpu")))
        operator = f"{planted}:Hold?size={size}"
    return check_table(speed_gate("gate", arguments.budget, "cpu", operator=operator), table, *given)


def _peak(gate) -> int:
    """Bytes of a call of the first subject beside the yardstick."""
    from converse.experiments.speed import runs
    from converse.experiments.speed.turns import Spending, measure

    group = gate.groups[0]
    with runs.workers(gate.spent, gate.device, gate.threads) as workers:
        rows = measure(group.case, group.subjects[1:2], workers, Spending(1, 60))
    return min(row["peak_bytes"] for row in rows)


def _print(found: list[dict], table, arguments: argparse.Namespace) -> None:
    loads = [one["load"] for one in found]
    import torch

    from converse.experiments.speed.runs import model_of

    said = f"{model_of('cpu')}, {os.cpu_count()} cores, torch {torch.__version__}, {platform.machine()}"
    said += f"; {arguments.busy} more process(es) that compute; load {min(loads):.1f} to {max(loads):.1f}"
    if table is not None:
        floors = [case.floor for case in table.cases]
        said += f"; noise floors {min(floors):.1%} to {max(floors):.1%}"
    print(f"\n{said}\n")
    answers = {1: "regressed", 0: "passed", 4: "inconclusive", 3: "not measured"}
    heads = ["what is there", "runs", *answers.values(), "seconds", "rounds"]
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    for kind, words in KINDS.items():
        lines = [one for one in found if one["kind"] == kind]
        if lines:
            counts = collections.Counter(one["status"] for one in lines)
            cells = [str(len(lines)), *(str(counts[status]) for status in answers)]
            cells += [f"{statistics.median(one['seconds'] for one in lines):.0f}"]
            cells += [f"{statistics.median(one['rounds'] for one in lines):.0f}"]
            print(f"| {words} | {' | '.join(cells)} |")
    print("\n| case | changes of equal runs: median | smallest | largest |\n|---|---|---|---|")
    equal = [said for one in found if one["kind"].startswith("equal") for said in one["findings"]]
    for name in dict.fromkeys((one["subject"], one["place"], one["aspect"]) for one in equal):
        changes = [one["change"] for one in equal if (one["subject"], one["place"], one["aspect"]) == name]
        cells = [f"{100 * value:+.1f} %" for value in (statistics.median(changes), min(changes), max(changes))]
        print(f"| {', '.join(name)} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
