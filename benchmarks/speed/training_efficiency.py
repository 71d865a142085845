"""How efficiently networks train, beside the yardstick: ``python benchmarks/speed/training_efficiency.py``.

Every entry of the three suites takes steps, small as under the budget ``quick`` and in the paper's size on one patch
of 64×64; yardstick steps stand between them, so that other work on the machine slows both. An efficiency is the
multiply-adds a second of a step of training over those of the yardstick, the median over turns. Printed last is the
table ``[efficiency]`` of ``benchmarks/throughput/throughput.toml``: for each kind of network, pairs of multiply-adds
per pixel and efficiency.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from functools import partial

SETTINGS = {"quick": {}, "paper": {"batch": 1, "patch": 64}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    import torch

    from converse.data.tasks import TASKS
    from converse.experiments.running.estimates import estimate, random_batch
    from converse.experiments.running.throughput import kind, yardstick
    from converse.experiments.running.torch_settings import torch_settings
    from converse.experiments.suites.suite import load_suite
    from converse.experiments.suites.user_operators import build_network
    from converse.experiments.training.learner import Learner
    from converse.experiments.trials import platform_class

    def one_step(learner, batch) -> None:
        learner.step(0, batch).item()  # which waits for the device

    def seconds(call) -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    found: dict[str, list[str]] = {}
    with torch_settings(arguments.device, arguments.threads) as here:
        print(f"# {platform_class(here.device, threads=here.threads)}, torch {torch.__version__}", flush=True)
        rule, of_rule = yardstick(here.device)
        plans = [
            (budget, plan)
            for task in TASKS
            for budget in SETTINGS
            for plan in load_suite(task).resolve(budget, seeds=(0,))
        ]
        for budget, plan in plans:
            training = plan.training.model_copy(update={"steps": 1, "compile": False, **SETTINGS[budget]})
            cost = estimate(replace(plan, training=training))
            network = build_network(plan.model, plan.operator, plan.options)
            learner = Learner(network, training, seed=0, device=here.device)
            batch = random_batch(TASKS[plan.task], here.device, training.batch, training.patch)
            ratios = []
            for _ in range(arguments.turns + 1):
                before = seconds(rule)
                step = seconds(partial(one_step, learner, batch))
                between = (before + seconds(rule)) / 2
                ratios.append(cost.training / step / (of_rule / between))
            efficiency = statistics.median(ratios[1:])
            found.setdefault(kind(plan), []).append(f"[{cost.per_pixel:.3g}, {efficiency:.3f}]")
            print(
                f"# {plan.entry:20} {budget:6} {cost.training / 1e9:8.2f} G {step:7.3f} s {efficiency:.3f}", flush=True
            )
    print("[efficiency]")
    for name, pairs in found.items():
        print(f'"{name}" = [{", ".join(pairs)}]')


if __name__ == "__main__":
    main()
