"""What the page on many machines tells people to type. Oracle: stand-ins for Slurm and Ray, and a YAML reader."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "scale.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: str(block.splitlines()[0]))
def test_bash_reads_each_recipe(block: str) -> None:
    done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_slurm_script_takes_what_the_job_has(tmp_path: Path) -> None:
    (script,) = (block for block in blocks("sh") if "#SBATCH" in block)
    said = tmp_path / "said"
    stands_in = {
        "scontrol": '[ "$*" = "show hostnames n[1-3]" ] && printf "n1\\nn2\\nn3\\n"',
        # A step on one machine asks it for its address; the other one is the run.
        "srun": (
            'case "$*" in *"hostname --ip-address") echo 10.0.0.7 fe80::1;; '
            f'*) echo "$RAY_AUTH_MODE $*" >> {said};; esac'
        ),
        "ray": f'echo "ray $*" >> {said}',
    }
    for name, body in stands_in.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    job = {
        "SLURM_JOB_NODELIST": "n[1-3]",
        "SLURM_JOB_NUM_NODES": "3",
        "SLURM_CPUS_PER_TASK": "32",
        "SLURM_GPUS_ON_NODE": "4",
    }
    environment = {**os.environ, **job, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/home/me"}
    subprocess.run(["bash", "-eu"], input=script, env=environment, check=True, text=True)
    token, run = said.read_text().splitlines()
    assert token == "ray get-auth-token --generate"
    mode, *words = shlex.split(run)
    given, command = words[: words.index("--")], words[words.index("--") + 1 :]
    assert mode == "token"
    assert given[:3] == ["--nodes=3", "--ntasks=3", "--cpus-per-task=32"]
    options = ["--address", "10.0.0.7:6379", "--min-nodes", "3", "--num-cpus", "32", "--num-gpus", "4"]
    assert given[3:] == ["ray", "symmetric-run", *options]
    assert command[:3] == ["converse", "run", "denoising"]
    assert command[command.index("--store") + 1] == "/home/me/runs"
    assert command[command.index("--address") + 1] == "10.0.0.7:6379"


def test_ray_knows_the_options_of_the_slurm_script() -> None:
    pytest.importorskip("ray")
    runner = pytest.importorskip("click.testing").CliRunner()
    from ray.scripts.scripts import cli

    for command, options in {
        "symmetric-run": ["--address", "--min-nodes"],
        "start": ["--num-cpus", "--num-gpus"],
        "get-auth-token": ["--generate"],
    }.items():
        told = runner.invoke(cli, [command, "--help"]).output
        assert all(option in told for option in options), told


def test_the_store_lies_on_the_volume_and_each_worker_has_a_gpu() -> None:
    yaml = pytest.importorskip("yaml")
    (manifest,) = blocks("yaml")
    claim, cluster = yaml.safe_load_all(manifest)
    assert (claim["kind"], cluster["kind"], cluster["apiVersion"]) == (
        "PersistentVolumeClaim",
        "RayCluster",
        "ray.io/v1",
    )
    head: dict[str, Any] = cluster["spec"]["headGroupSpec"]
    (volume,) = head["template"]["spec"]["volumes"]
    (container,) = head["template"]["spec"]["containers"]
    (mount,) = container["volumeMounts"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert mount["name"] == volume["name"]
    (worker,) = cluster["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == worker["resources"]["requests"]["nvidia.com/gpu"] == 1
    assert worker["image"] == container["image"]
    assert head["rayStartParams"] == {"num-cpus": "0"}  # all start parameters are strings

    (commands,) = (block for block in blocks("sh") if "kubectl exec" in block)
    (store,) = re.findall(r"--store (\S+)", commands)
    assert Path(store).is_relative_to(mount["mountPath"])
    assert f"ray.io/cluster={cluster['metadata']['name']},ray.io/node-type=head" in commands
    assert f"-c {container['name']} " in commands
