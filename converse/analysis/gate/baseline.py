"""The baseline file of `converse check`: what a run is held against, who may be compared with it, and how closely.

A TOML file for people too: each value stands in a line of its own, so that a diff shows what has changed. Values come
last, and each entry must have all of them, so that a file that was cut short is never taken for a whole one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field, ValidationError

from converse.analysis.gate.speed_table import SpeedTable
from converse.data.tasks import TASKS, TaskName
from converse.errors import OptionError, unknown
from converse.experiments.store import files
from converse.experiments.suites.errors import Mistake, mistakes, refuse, suite_error
from converse.experiments.suites.suite import read_document
from converse.experiments.suites.toml import toml_key, toml_value
from converse.experiments.suites.vocabulary import SCHEMA, Images, Options, Schema, Seed, Seeds, Table, Text, some
from converse.experiments.trials import BudgetName
from converse.metrics import METRICS

if TYPE_CHECKING:
    import pandas as pd

LARGEST_BASELINE: Final = 200_000
"""Bytes: a file that people review. Fewer seeds, test sets or images make it smaller."""

VALUE_COLUMNS: Final = ("entry", "seed", "dataset", "case", "metric", "signature", "image", "value")
"""Of :attr:`Baseline.frame`."""


def _measured(value: float) -> float:
    if math.isnan(value) or value == -math.inf:
        raise refuse(f"came {value}; expected the value that was measured, a number, or inf for a perfect image")
    return value


def _metric(value: str) -> str:
    if value not in METRICS:
        raise refuse(unknown("metric", value, METRICS))
    return value


Value = Annotated[float, Field(allow_inf_nan=True), AfterValidator(_measured)]
"""Of a metric. ``inf`` is the PSNR of an image that was restored without any error."""
MetricName = Annotated[str, AfterValidator(_metric)]
Allowed = Annotated[float, Field(ge=0)]
Side = Annotated[int, Field(ge=1)]


class Platform(Table):
    """``[platform]``: on what kind of machine the values were measured. On an equal one they are equal to the bit.

    Attributes:
        device: ``cpu``, ``cuda`` or ``mps``.
        model: of the device, as its maker calls it.
        capability: the CPU's instructions that torch uses, ``AVX2``.
        system: operating system, processor family and C library.
        threads: CPU threads; ``None`` on other devices.
        driver: of a GPU.
        numerics: version of the project's numerics.
        versions: of the libraries that compute.
    """

    device: Text = Field(description="cpu, cuda or mps")
    model: Text = Field(description="the name of the device")
    capability: str = ""
    system: str = ""
    threads: int | None = Field(default=None, ge=1)
    driver: str = ""
    numerics: int = Field(ge=1, description="the numerics version")
    versions: dict[str, str] = Field(description="a table of libraries and their versions")

    def differences(self, other: Platform) -> tuple[str, ...]:
        """In what another one differs, in words: ``torch 2.9.0 and not 2.8.0``; empty for an equal one."""
        mine, theirs = self._flat(), other._flat()
        return tuple(
            f"{name} {mine[name] or 'unknown'} and not {theirs[name] or 'unknown'}"
            for name in mine
            if mine[name] != theirs[name]
        )

    def _flat(self) -> dict[str, str]:
        plain = self.model_dump()
        versions = plain.pop("versions")
        every = {**plain, **{name: versions.get(name, "") for name in COMPUTING}}
        return {name: "" if value is None else str(value) for name, value in every.items()}


COMPUTING: Final = ("torch", "numpy", "scipy", "scikit-image", "pillow", "lpips")
"""Libraries whose version may move the last bits of a value, by the names of their distributions."""


class Tolerance(Table):
    """``[entries.tolerances.M]``: by how much a metric may be worse before it is said, in the metric's unit.

    It is of an entry, since round-off grows in some networks and not in others.

    Attributes:
        same: of any value, on an equal platform; 0 is to the bit.
        mean: of a mean over images, on another platform.
        image: of a single image, on another platform.
        found: how these were found.
    """

    same: Allowed = Field(description="a number ≥ 0")
    mean: Allowed = Field(description="a number ≥ 0")
    image: Allowed = Field(description="a number ≥ 0")
    found: str = ""


class BaselineEntry(Table):
    """``[[entries]]``: what an entry is, without its values.

    Attributes:
        name: in its suite.
        parameters: how many numbers the network learns.
        shape: of its output for one fixed small input, [1, C, H, W].
        tolerances: metric → by how much it may be worse.
        settings: path → value: all that its weights follow from, beside the seed. An entry with others is another one.
    """

    name: Text = Field(description="the name of an entry")
    parameters: int = Field(ge=0, description="the number of learnt parameters")
    shape: Annotated[tuple[Side, ...], Field(strict=False)] = Field(description="the four sides of an output")
    tolerances: dict[MetricName, Tolerance] = Field(description="a table [entries.tolerances.METRIC] for each metric")
    settings: Options = Field(description="a table of settings")


class BaselineSet(Table):
    """``[[datasets]]``: a test set.

    Attributes:
        name: in the catalogue, or the title of a folder.
        images: name → the first 16 digits of the file's SHA-256.
    """

    name: Text = Field(description="the name of a test set")
    images: dict[str, str] = Field(description="a table of images and their checksums")


class Values(Table):
    """``[[values]]``: one entry under one seed on one test set, image for image.

    Attributes:
        entry: its name.
        seed: of the training; ``None`` for released weights.
        dataset: name of the test set.
        case: the blur kernel, where there is one.
        metric: ``psnr`` …
        signature: all choices that define the metric's number.
        images: name → value, to the bit.
    """

    entry: Text = Field(description="the name of an entry")
    seed: Seed | None = None
    dataset: Text = Field(description="the name of a test set")
    case: str | None = None
    metric: MetricName = Field(description=f"one of {', '.join(METRICS)}")
    signature: Text = Field(description="the signature of the metric")
    images: dict[str, Value] = Field(description="a table of images and their values")

    @property
    def place(self) -> tuple[str, str | None, str, int | None]:
        """Dataset, case, metric and seed."""
        return self.dataset, self.case, self.metric, self.seed


class Baseline(Table):
    """A baseline file that was read and found in order.

    Attributes:
        suite: what is measured: a suite that comes with converse, or the path of one from the file's folder. ``None``
            where it is the released weights of a task.
        task: whose released weights are measured. ``None`` where it is a suite.
        budget: of the suite.
        seeds: of the trained entries.
        images: the first so many of each test set; ``None`` for what the suite says.
        test: test sets in place of the suite's: names, or folders from the file's folder.
        operator: what stands in the place of reverse convolution in the suite's entries; ``None`` for nothing.
        version: of the converse that wrote it.
        platform: where the values were measured.
        speed: what time and memory are held against; ``None`` where they are not.
        entries: what was measured.
        datasets: on what.
        values: what came out.
    """

    schema_: Schema = Field(alias="schema", description=f"{SCHEMA}, the version of this format")
    suite: Text | None = None
    task: TaskName | None = None
    budget: BudgetName | None = None
    seeds: Seeds = ()
    images: Images | None = None
    test: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    operator: Text | None = None
    version: str = ""
    platform: Platform = Field(description="a table [platform]")
    speed: SpeedTable | None = None
    entries: Annotated[tuple[BaselineEntry, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="at least one table [[entries]]"
    )
    datasets: Annotated[tuple[BaselineSet, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="at least one table [[datasets]]"
    )
    values: Annotated[tuple[Values, ...], Field(strict=False), AfterValidator(some)] = Field(
        description="at least one table [[values]]"
    )

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The values as a table with :data:`VALUE_COLUMNS`; what does not apply is ``None``."""
        import pandas as pd

        rows = [
            (one.entry, one.seed, one.dataset, one.case, one.metric, one.signature, image, value)
            for one in self.values
            for image, value in one.images.items()
        ]
        return pd.DataFrame(rows, columns=list(VALUE_COLUMNS)).astype({"seed": "Int64", "value": "float64"})

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that it has values of, in their order."""
        mine = {one.metric for one in self.values}
        return tuple(name for name in METRICS if name in mine)

    def entry(self, name: str) -> BaselineEntry:
        """The entry of that name, in any case.

        Raises:
            OptionError: there is none.
        """
        found = next((one for one in self.entries if one.name.casefold() == name.casefold()), None)
        if found is None:
            raise OptionError(unknown("entry of the baseline", name, (one.name for one in self.entries)))
        return found

    def as_toml(self) -> str:
        """The file.

        Raises:
            OptionError: it would be larger than :data:`LARGEST_BASELINE`.
        """
        text = "\n".join(_lines(self.model_dump(by_alias=True, exclude_none=True))) + "\n"
        if (size := len(text.encode())) > LARGEST_BASELINE:
            raise OptionError(
                f"the baseline would have {size:,} bytes, and one that people review has at most "
                f"{LARGEST_BASELINE:,}: take fewer entries (--only), seeds (--seeds), test sets (--datasets) or images "
                "(--images)"
            )
        return text


def read_baseline(path: Path) -> Baseline:
    """Read a baseline file.

    Args:
        path: of the file.

    Raises:
        SuiteError: it cannot be read, is of a newer schema, is not whole, or says what it may not say.
    """
    document = read_document(path, str(path), what="a baseline", largest=LARGEST_BASELINE)
    if not document:
        raise suite_error(path, [Mistake((), f"is empty; {_MAKE.format(path)}")], document)
    version = document.get("schema")
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA:
        text = f"came {version}; this converse reads baselines up to {SCHEMA}: upgrade it, or write the file anew"
        raise suite_error(path, [Mistake(("schema",), text)], document)
    try:
        found = Baseline.model_validate(document)
    except ValidationError as error:
        raise suite_error(path, list(mistakes(error, Baseline)), document) from None
    if faults := list(_faults(found)):
        raise suite_error(path, faults, document)
    return found


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write a baseline file, whole or not at all.

    Raises:
        OptionError: it would be too large, or its folder is not there.
        StoreError: it cannot be written; what was there is untouched.
    """
    text = baseline.as_toml()
    if not path.parent.is_dir():
        raise OptionError(f"{path}: there is no folder {path.parent}; make it, or name another file")
    with files.explained(path, "write"):
        files.write_text(path, text)


_MAKE: Final = "make one with converse check {} --write --suite gate"


def _faults(found: Baseline) -> Iterator[Mistake]:
    """What only the tables together show: what is there twice, or not at all."""
    if (found.suite is None) == (found.task is None):
        yield Mistake(("suite",), f"expected either a suite, or a task ({', '.join(TASKS)}) of released weights")
    if found.suite is not None and found.budget is None:
        yield Mistake(("budget",), "missing; expected the budget of the suite")
    kind = found.platform.device
    if found.speed is not None and found.speed.device not in (None, kind):
        text = f"came {toml_value(found.speed.device)}; expected that of [platform], {toml_value(kind)}"
        yield Mistake(("speed", "device"), text)
    for table, names in (
        ("entries", [one.name.casefold() for one in found.entries]),
        ("datasets", [one.name for one in found.datasets]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                yield Mistake((table, index, "name"), f"came {toml_value(name)}, which stands there twice")
    for index, entry in enumerate(found.entries):
        for name in found.metrics:
            if name not in entry.tolerances:
                yield Mistake(("entries", index, "tolerances", name), "missing; expected same, mean and image")
    yield from _of_values(found)


def _of_values(found: Baseline) -> Iterator[Mistake]:
    images = {one.name: one.images for one in found.datasets}
    entries = {one.name for one in found.entries}
    places: dict[str, Counter[tuple[str, str | None, str, int | None]]] = {one.name: Counter() for one in found.entries}
    for index, one in enumerate(found.values):
        if one.entry not in entries:
            yield Mistake(("values", index, "entry"), unknown("entry of this file", one.entry, entries))
        elif one.dataset not in images:
            yield Mistake(("values", index, "dataset"), unknown("test set of this file", one.dataset, images))
        elif one.seed is not None and one.seed not in found.seeds:
            yield Mistake(("values", index, "seed"), f"came {one.seed}, which is none of the file's seeds")
        else:
            places[one.entry][one.place] += 1
            yield from _of_images(index, one, images[one.dataset])
    every = {(dataset, case, metric) for count in places.values() for dataset, case, metric, _ in count}
    for index, entry in enumerate(found.entries):
        mine = places[entry.name]
        seeds = (None,) if any(seed is None for *_, seed in mine) else found.seeds or (None,)
        for place, times in mine.items():
            if times > 1:
                yield Mistake(("entries", index), f"has {_words(*place)} {times} times")
        for place in sorted(((*one, seed) for one in every or {("", None, "")} for seed in seeds), key=str):
            if place not in mine:
                text = f"has no values of {_words(*place)}: the file is not whole; write it anew"
                yield Mistake(("entries", index), text if every else "has no values")


def _of_images(index: int, one: Values, images: Mapping[str, str]) -> Iterator[Mistake]:
    for name, value in one.images.items():
        if name not in images:
            yield Mistake(("values", index, "images", name), f"{one.dataset} has no such image in this file")
        if value == math.inf and METRICS[one.metric].better == "lower":
            yield Mistake(("values", index, "images", name), f"came inf, which {METRICS[one.metric].title} never is")
    if lacking := [name for name in images if name not in one.images]:
        text = f"lacks {', '.join(lacking[:3])}{', …' if lacking[3:] else ''}: the file is not whole; write it anew"
        yield Mistake(("values", index, "images"), text)


def _words(dataset: str, case: str | None, metric: str, seed: int | None) -> str:
    where = dataset if case is None else f"{dataset}, {case}"
    return f"{metric} on {where}" + ("" if seed is None else f" under seed {seed}")


def _lines(plain: dict[str, Any]) -> Iterator[str]:
    yield "# What `converse check` holds a run against. Renew it on purpose: converse check THIS_FILE --write"
    yield ""
    speed = plain.pop("speed", None)
    tables = {name: plain.pop(name) for name in ("platform", "entries", "datasets", "values")}
    for key, value in plain.items():
        if value not in ((), ""):
            yield f"{key} = {toml_value(value)}"
    yield from ("", "[platform]")
    yield from _keys(tables["platform"])
    if speed is not None:
        cases = speed.pop("cases")
        yield from ("", "[speed]")
        yield from _keys(speed)
        for case in cases:
            yield from ("", "[[speed.cases]]")
            yield from _keys(case)
    for name, inner in (("entries", "settings"), ("datasets", "images"), ("values", "images")):
        for one in tables[name]:
            long, allowed = one.pop(inner), one.pop("tolerances", {})
            yield from ("", f"[[{name}]]")
            yield from _keys(one)
            for metric, tolerance in allowed.items():
                yield f"[{name}.tolerances.{toml_key(metric)}]"
                yield from _keys(tolerance)
            yield f"[{name}.{inner}]"
            yield from _keys(long)


def _keys(table: Mapping[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if value != "":
            yield f"{toml_key(key)} = {toml_value(value)}"
