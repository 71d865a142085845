"""A Ray cluster as an engine: its machines, what runs on them, and how a trial becomes one of Ray's tasks.

Ray decides on which machine a task runs. What is begun again after a loss, and from where, is decided in `ray_run`. No
other module than these two imports Ray, which is an extra of this package.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from converse import __version__
from converse.counted import agreeing, counted
from converse.errors import OptionError
from converse.experiments.provenance import code_hash
from converse.experiments.running.engines import Listener, Manner, Placement
from converse.experiments.running.jobs import Job
from converse.experiments.running.machines import (
    Machine,
    MachineClass,
    Stored,
    classes_of,
    deal,
    machine_part,
    on,
    what_am_i,
)
from converse.experiments.running.mailbox import Mailbox
from converse.experiments.running.outcomes import Outcome
from converse.experiments.running.parcels import Answer, Pace, Parcel, packed
from converse.experiments.running.ray_options import RayOptions
from converse.experiments.running.ray_run import Run
from converse.experiments.store.folder import TrialFolder
from converse.experiments.training.interruption import stoppable
from converse.experiments.trials import DEVICES, Trial, default_threads

INSTALL: Final = "pip install 'converse-bench[ray]'"

_NODES: Final = 0.5  # seconds for which it is taken for known which machines are there
_SURVEY: Final = 300.0  # seconds in which each machine has to say what it is


@contextlib.contextmanager
def connected(options: RayOptions, device: str) -> Iterator[RayCluster]:
    """A cluster to run trials on. Ray on this machine alone is started, and lives as long as this process.

    Args:
        options: which cluster, and how.
        device: ``auto``, ``cpu`` or ``cuda``: where trials compute.

    Yields:
        The engine.

    Raises:
        OptionError: Ray is not installed, no cluster answers, or its machines cannot run trials of this version.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise OptionError(f"--engine ray gives each trial its own device: --device cpu, cuda or auto, got {device!r}")
    try:
        import ray
    except ImportError:
        raise OptionError(f"--engine ray needs Ray, which is not installed: {INSTALL}") from None
    if not ray.is_initialized():
        _start(ray, options.address or os.environ.get("RAY_ADDRESS"))
    yield RayCluster(ray, options, device)


def _start(ray: Any, address: str | None) -> None:
    """Connect to a cluster, or start Ray on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            # As they run without Ray: beside other work those of Ray's own niceness, 15, would hardly get on.
            os.environ.setdefault("RAY_worker_niceness", "0")
            # "local" is a cluster of its own: Ray would otherwise take one that it finds on this machine.
            ray.init("local", num_cpus=default_threads(), include_dashboard=False, **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise OptionError(
            f"no Ray cluster answers at {address or 'this machine'}: {first}; start one with `ray start --head`, and "
            "name the address that it prints with --address; of one that asks for a token, as those of `ray start` do, "
            "set RAY_AUTH_MODE=token and have ~/.ray/auth_token here; without an address, Ray is started here"
        ) from error
    finally:
        with contextlib.suppress(ValueError):  # not in the main thread, where Ray has not changed it either
            signal.signal(signal.SIGTERM, before)


class RayCluster:
    """The engine; :func:`connected` makes one.

    Args:
        ray: the module, connected.
        options: how trials use the cluster.
        device: where they compute: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(self, ray: Any, options: RayOptions, device: str) -> None:
        self._ray, self._options = ray, options
        alive = [node for node in ray.nodes() if node["Alive"]]
        if device == "auto":
            device = "cuda" if any(node["Resources"].get("GPU") for node in alive) else "cpu"
        self._device = device
        self._most = 1  # devices of the trial that takes most
        self._asked, self._there = Pace(_NODES), frozenset[str]()
        self._label = ""
        self._known: dict[str, Machine] = {}
        self._classes: tuple[MachineClass, ...] = ()
        self._remote = ray.remote(max_retries=0)(_carry_out)
        self._mailbox = self._make_mailbox()
        self.look(threads=1)
        self.letters()  # it has begun: what tasks tell is not held up
        self._check()

    @property
    def platform(self) -> Mapping[str, Any]:
        """Of machines like this one, where there are any; otherwise of those that run most trials at once."""
        return {**self._classes[0].platform, **({} if self._device == "cpu" else {"threads": None})}

    def place(self, trials: Sequence[Trial], stored: Stored, threads: int) -> Placement:
        """As :meth:`converse.experiments.running.engines.Engine.place`; entries of one seed go to one class."""
        self._most = max((trial.platform.get(DEVICES, 1) for trial in trials), default=1)
        self.look(threads)
        self._check()
        slots, (cpus, gpus) = sum(one.slots for one in self._classes), self._takes(self._most, threads)
        if not slots:
            most = max((self._known[machine].cpus for machine in self.alive()), default=0)
            if gpus and most >= cpus:
                raise OptionError(
                    f"each trial takes {gpus:g} GPU, and no machine of the cluster has as much: --device cpu"
                )
            raise OptionError(
                f"each trial takes {counted(cpus, 'CPU')}, and no machine of the cluster has more than "
                f"{int(most)}: --threads {max(1, int(most) // self._most)}"
            )
        machines = sum(len(one.machines) for one in self._classes)
        notes = [f"the Ray cluster has {counted(machines, 'machine')} and runs {counted(slots, 'trial')} at once"]
        dealt = deal(trials, self._classes, stored)
        if not self.alike:
            for one in self._classes:
                many = sum(found is one for found in dealt.values())
                notes.append(
                    f"{counted(len(one.machines), 'machine')} of {one}: {counted(many, 'trial')} "
                    f"{agreeing(many, 'carries', 'carry')} this platform class"
                )
        return Placement({trial.id: on(dealt[trial.id], trial) for trial in trials}, tuple(notes))

    def outcomes(
        self, jobs: Sequence[Job], folders: Sequence[TrialFolder], manner: Manner, listener: Listener
    ) -> Generator[tuple[int, Outcome]]:
        """As :meth:`converse.experiments.running.engines.Engine.outcomes`, each trial when it is finished."""
        yield from Run(self._ray, self, jobs, folders, manner, listener).outcomes()

    # For a run

    @property
    def slots(self) -> int:
        """How many trials of one device each would run at the same time."""
        takes = self._takes(1, self._threads)
        return sum(self._known[machine].slots(*takes) for machine in self.alive())

    def pack(self, job: Job, folder: TrialFolder, manner: Manner) -> Parcel:
        """A trial for one of the machines; its folder's lock is held."""
        return packed(job, folder, self._device, manner.here.threads, manner.limit)

    def send(self, parcel: Parcel, attempt: int, content: Mapping[str, Any], machines: Sequence[str]) -> Any:
        """Give Ray a task.

        Args:
            parcel: the trial.
            attempt: under which number the task leaves word in the mailbox.
            content: SHA-256 → Ray's reference to the bytes of a file that a machine lacked.
            machines: where it may run; anywhere if there are none.

        Returns:
            Ray's reference to the answer.
        """
        cpus, gpus = self._takes(parcel.devices, parcel.threads)
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus}
        if machines:
            from ray.util.scheduling_strategies import In, NodeLabelSchedulingStrategy

            options["scheduling_strategy"] = NodeLabelSchedulingStrategy(hard={self._label: In(*machines)})
        task = self._remote.options(name=f"{parcel.job} ({parcel.job.trial.id})", **options)
        return task.remote(pickle.dumps(parcel), attempt, content, self._mailbox)

    def letters(self) -> list[tuple[int, str, Any]]:
        """What tasks have left in the mailbox: attempt, kind, content."""
        from ray.exceptions import RayError

        try:
            found = self._ray.get(self._mailbox.take.remote())
        except RayError:  # its process was lost and begins anew; what was in it comes with the answers too
            return []
        return [(attempt, *pickle.loads(letter)) for attempt, letter in found]

    def machines_for(self, parcel: Parcel) -> tuple[str, ...]:
        """The machines of a trial's platform class that are there now and have what it takes."""
        trial, takes, alive = parcel.job.trial, self._takes(parcel.devices, parcel.threads), self.alive()
        return tuple(
            machine
            for one in self._classes
            if trial.moved(on(one, trial)) == trial
            for machine in one.machines
            if machine in alive and self._known[machine].slots(*takes)
        )

    def alive(self) -> frozenset[str]:
        """The machines that are there now, of those that have said what they are."""
        if self._asked.due():  # asking costs some milliseconds
            self._nodes()
        return self._there & self._known.keys()

    @property
    def alike(self) -> bool:
        """Whether all machines are of one platform class, so that a trial may run on any."""
        return sum(bool(one.machines) for one in self._classes) <= 1

    def look(self, threads: int) -> None:
        """See which machines there are; each is asked once what it is."""
        self._threads = threads
        nodes = self._nodes()
        self._label = _id_label(nodes.values())
        self._known |= _survey(
            self._ray, [node for name, node in nodes.items() if name not in self._known], self._device
        )
        own = machine_part("cpu") if self._device == "cpu" else {}
        # With those of which no machine is left: what was finished there stays.
        self._classes = classes_of(self._known.values(), nodes, *self._takes(self._most, threads), own)

    # Machines

    def _check(self) -> None:
        """Refuse machines on which trials cannot run, or may not."""
        if not self._classes:
            raise OptionError("no machine of the Ray cluster has a GPU: --device cpu")
        if self._options.same_platform and len(self._classes) > 1:
            raise OptionError(
                f"--same-platform: the cluster has, or had, machines of {len(self._classes)} platform classes: "
                f"{'; '.join(map(str, self._classes))}. Without it trials carry the class of their machine"
            )

    def _takes(self, devices: int, threads: int) -> tuple[int, float]:
        """CPUs and GPUs of a trial; the threads of one on a GPU mostly wait."""
        if self._device == "cpu":
            return devices * threads, 0
        return devices, self._options.gpus_per_trial if devices == 1 else float(devices)

    def _nodes(self) -> dict[str, Mapping[str, Any]]:
        nodes = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        self._there = frozenset(nodes)
        return nodes

    def _make_mailbox(self) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=True)
        made = self._ray.remote(num_cpus=0, max_restarts=-1, scheduling_strategy=here)(Mailbox)
        return made.remote()


def _id_label(nodes: Iterable[Mapping[str, Any]]) -> str:
    """The label in which Ray has the id of a machine: ``ray.io/node-id``, which older versions write otherwise."""
    labels = (item for node in nodes for item in node.get("Labels", {}).items() if item[1] == node["NodeID"])
    return next((key for key, _ in labels), "ray.io/node-id")


def _survey(ray: Any, nodes: Sequence[Mapping[str, Any]], device: str) -> dict[str, Machine]:
    """Ask machines what they are.

    Raises:
        OptionError: one has another version of this package, or none, or does not answer.
    """
    from ray.exceptions import GetTimeoutError, RayError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    able = [node for node in nodes if device == "cpu" or node["Resources"].get("GPU")]
    ask = ray.remote(max_retries=0)(what_am_i)
    share = 0.001 if device == "cuda" else 0  # without one a task sees no GPU
    found: dict[str, Machine] = {}
    asked = []
    for node in able:
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        asked.append(ask.options(num_cpus=0, num_gpus=share, scheduling_strategy=there).remote(device))
    deadline = time.monotonic() + _SURVEY
    for node, ref in zip(able, asked, strict=True):
        name = node["NodeManagerAddress"]
        try:
            version, code, platform = ray.get(ref, timeout=max(0.1, deadline - time.monotonic()))
        except GetTimeoutError:
            raise OptionError(f"the machine {name} of the Ray cluster did not answer within {_SURVEY:.0f} s") from None
        except RayError as error:
            if not any(one["Alive"] for one in ray.nodes() if one["NodeID"] == node["NodeID"]):
                continue  # it is gone already
            last = (str(error).strip().splitlines() or [""])[-1]
            raise OptionError(
                f"the machine {name} of the Ray cluster cannot run trials: {last}; install converse-bench "
                f"{__version__} there, in the environment that Ray was started in"
            ) from error
        if (version, code) != (__version__, code_hash()):
            raise OptionError(
                f"the machine {name} of the Ray cluster has converse-bench {version} with other code than this one's "
                f"{__version__}: install the same on all machines"
            )
        resources = node["Resources"]
        found[node["NodeID"]] = Machine(node["NodeID"], platform, resources.get("CPU", 0), resources.get("GPU", 0))
    return found


# What runs on other machines, beside `mailbox` and `machines.what_am_i`


def _carry_out(parcel: bytes, attempt: int, content: Mapping[str, Any], mailbox: Any) -> Answer:
    """One trial, in a process of Ray's.

    Args:
        parcel: pickled, for Ray's own way, which takes along code as well, takes several times as long.
        attempt: under which number to leave word in the mailbox.
        content: SHA-256 → Ray's reference to the bytes of a file that a machine lacked.
        mailbox: Ray's handle of it.
    """
    import ray

    from converse.experiments.running.away import carry_out_away

    def send(kind: str, told: Any) -> None:
        mailbox.put.remote(attempt, pickle.dumps((kind, told)))

    def fetch(sha256: str) -> bytes | None:
        return ray.get(content[sha256]) if sha256 in content else None

    # Ray cancels a task as Ctrl-C does.
    with stoppable() as stop:
        return carry_out_away(pickle.loads(parcel), ray.util.get_node_ip_address(), fetch=fetch, send=send, stop=stop)
