"""Requests that were answered in full: the same request again finds its trials without torch being loaded.

A file in the store, under a hash of all that the answer depends on (suite, request, sources, data, platform), names the
trials and what was measured. Where anything differs there is no such file, and the request is planned anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from converse.data.catalogue import dataset, datasets, sha256_of
from converse.data.images import image_set
from converse.data.local import data_folder, find
from converse.data.splits import published
from converse.errors import NotAtHand, StoreError
from converse.experiments.provenance import code_hash
from converse.experiments.store import Store, files
from converse.experiments.store.requests import REQUESTED_SETS, RequestedSet, notes
from converse.experiments.store.shapes import NUMBER, TEXT, TRUTH, fault, list_of, optional, row_of, table_of
from converse.experiments.suites.plans import RunPlan
from converse.experiments.suites.tables import Contrast
from converse.experiments.suites.user_operators import operator_file
from converse.experiments.trials import ID_LENGTH, canonical_json, cpu_model

if TYPE_CHECKING:
    from converse.analysis.selection import Selection
    from converse.workflows.work import Work

FOLDER: Final = "answered"

_SHAPE: Final = {
    "trials": list_of(row_of(TEXT, TEXT, optional(TEXT))),
    "sets": optional(REQUESTED_SETS),  # older answers have none, and are not recalled
    "signatures": list_of(TEXT),
    "multiply_adds": table_of(NUMBER),
    "full_size": optional(table_of(TRUTH)),
    "data_notes": optional(list_of(TEXT)),
    "floor": optional(list_of(row_of(TEXT, TEXT, TEXT))),
}
_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Answer:
    """Which rows of a store answer a request.

    Attributes:
        trials: id, entry and budget of each; one trial may answer to several names.
        sets: the test sets.
        signatures: of the metrics.
        multiply_adds: entry → multiply-adds per pixel, where they could be counted.
        full_size: entry → whether its network is as the suite describes it.
        data_notes: what there is to say of images that are trained on and tested on.
        floor: pairs of the same class of functions, which only torch's modules know.
    """

    trials: tuple[tuple[str, str, str | None], ...]
    sets: tuple[RequestedSet, ...]
    signatures: tuple[str, ...]
    multiply_adds: Mapping[str, float]
    full_size: Mapping[str, bool] = field(default_factory=dict)
    data_notes: tuple[str, ...] = ()
    floor: tuple[Contrast, ...] = ()

    def selection(self, store: Store) -> Selection:
        """The rows that answer, and what else the trials have of the same test sets.

        Raises:
            StoreError: a file of rows is damaged.
        """
        import pandas as pd

        from converse.analysis.selection import newest_sets, select

        labels = pd.DataFrame(self.trials, columns=["trial", "entry", "budget"])
        rows = store.rows(labels["trial"].unique())
        order = rows.columns
        rows = rows.drop(columns=["entry", "budget"]).merge(labels, on="trial")[order]
        # A row without an image tells of the whole network: how many parameters it has.
        rows = rows[rows["signature"].isin(self.signatures) | rows["image"].isna()]
        found = select(rows, self.sets, elsewhere=newest_sets(notes(store)))
        # Nothing was asked of other test sets; and who takes the first images of one knows that there are more.
        names = {one.name for one in self.sets}
        said = (one for one in found.left_out if one.name in names and one.why != "not asked for")
        return dataclasses.replace(found, left_out=tuple(said))


def answer_of(
    work: Work, costs: Mapping[str, float], full_size: Mapping[str, bool], floor: tuple[Contrast, ...] = ()
) -> Answer:
    """What answers a request once its work is done.

    Args:
        work: the trials, with what was asked of each.
        costs: entry → multiply-adds per pixel.
        full_size: entry → whether its network is as the suite describes it.
        floor: pairs of the same class of functions.
    """
    signatures = {metric.signature: None for job in work.jobs for metric in job.metrics}
    return Answer(work.labels, work.sets, tuple(signatures), costs, full_size, work.data_notes, floor)


def request_key(plans: Iterable[RunPlan], device: str, threads: int, data_dir: Path | None) -> str:
    """A hash of all that the answer to a request depends on.

    Args:
        plans: what is asked for.
        device: as given; ``auto`` stands for what this machine has.
        threads: CPU threads.
        data_dir: where data is looked for first.

    Returns:
        16 hex digits.

    Raises:
        DataError: a dataset that is a folder of the user's is not there, or the file of a user's operator.
        OptionError: there is no such module as a user's operator is named by.
    """
    listed = list(plans)
    names = {name for plan in listed for name in (*plan.train, *plan.test, *plan.leave_out)}
    names |= {plan.validation.dataset for plan in listed if plan.validation and plan.validation.dataset}
    files = {name: operator_file(name) for name in {plan.operator for plan in listed if plan.operator}}
    what = {
        "plans": [_plain(plan) for plan in listed],
        "data": {name: _checksum(name, data_dir) for name in sorted(names)},
        "published": hashlib.sha256(canonical_json(published()).encode()).hexdigest(),
        "operators": {name: sha256_of(file) for name, file in sorted(files.items()) if file is not None},
        "lpips": any(find(dataset("lpips_alexnet"), one, data_dir) for one in dataset("lpips_alexnet").files),
        "data folder": str(data_folder(data_dir)),
        "code": code_hash(),
        "torch": metadata.version("torch"),
        "device": device,
        "driver": _DRIVER.read_text(encoding="utf-8", errors="replace") if _DRIVER.exists() else None,
        "cpu": cpu_model(),
        "threads": threads,
    }
    return hashlib.sha256(canonical_json(what).encode()).hexdigest()[:ID_LENGTH]


def remember(store: Store, key: str, answer: Answer) -> None:
    """Note that a request was answered in full.

    Raises:
        StoreError: it could not be written.
    """
    path = _file(store, key)
    with files.explained(path, "write"):
        files.make_folder(path.parent)
    files.write_sealed(path, dataclasses.asdict(answer))


def answer_fault(path: Path) -> str | None:
    """What is wrong with an answer that was remembered; ``None`` if nothing is.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        wrong = fault(files.read_sealed(path) or {}, _SHAPE)
    except files.Damaged as error:
        return str(error)
    return None if wrong is None else f"is damaged: {wrong}"


def recall(store: Store, key: str) -> Answer | None:
    """The answer to a request, if all its trials are still done, and their rows and weights as they were written."""
    try:
        path = _file(store, key)
        document = files.read_sealed(path)
        if document is None or fault(document, _SHAPE) is not None or not document.get("sets"):
            return None
        answer = Answer(
            tuple(tuple(trial) for trial in document["trials"]),
            tuple(RequestedSet.read(one) for one in document["sets"]),
            tuple(document["signatures"]),
            dict(document["multiply_adds"]),
            dict(document.get("full_size") or {}),
            tuple(document.get("data_notes") or ()),
            tuple(Contrast(*pair) for pair in document.get("floor") or ()),
        )
        ids = {trial for trial, _, _ in answer.trials}
        whole = {
            folder.id
            for folder in store.folders()
            if folder.id in ids and folder.status().state == "done" and folder.unsound() is None
        }
    except StoreError:
        return None
    return answer if whole == ids else None


def _file(store: Store, key: str) -> Path:
    return store.root / FOLDER / f"{key}.json"


def _plain(plan: RunPlan) -> Mapping[str, Any]:
    validation = plan.validation.model_dump() if plan.validation else None
    training = plan.training.model_dump(mode="json")
    fields = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
    return {**fields, "validation": validation, "training": training}


def _checksum(name: str, data_dir: Path | None) -> str | None:
    """Of the images of a set; ``None`` for a folder that the user could have and has not."""
    known = datasets().get(name.lower())
    if known and known.files:
        return known.sha256
    with contextlib.suppress(NotAtHand):
        return image_set(name, data_dir).sha256
    return None
