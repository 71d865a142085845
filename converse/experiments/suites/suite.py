"""Suite files: which there are, and how one is read. docs/suites.md shows one, docs/ablations.md an ablation."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from converse.content import content
from converse.errors import SuiteError, unknown
from converse.experiments.suites.ablation import Ablation, base_entry, own_mistakes, varied
from converse.experiments.suites.checks import contradictions
from converse.experiments.suites.errors import Mistake, mistakes, suite_error
from converse.experiments.suites.tables import Suite
from converse.experiments.suites.vocabulary import Reading

__all__ = ["LARGEST_FILE", "Suite", "load_suite", "parse_suite", "suites"]

LARGEST_FILE = 1_000_000  # bytes; what people write is a thousandth of it


def suites() -> dict[str, Path]:
    """The suites that come with converse: name → file, benchmarks before ablations."""
    return {path.stem: path for folder in ("benchmarks", "ablations") for path in sorted(_toml_files(folder))}


def load_suite(name_or_path: str | Path, *, networks: bool = True) -> Suite:
    """Read a suite and check all that it says.

    Args:
        name_or_path: the name of a suite that comes with converse, or a TOML file (a ``Path``, or text with a slash
            or ending in ``.toml``). Relative paths in the file start at its folder.
        networks: check operators, options and released weights too, for which torch is imported.

    Returns:
        The suite.

    Raises:
        SuiteError: there is no such file, it cannot be read, or it says what it may not say; all mistakes at once.

    Example:
        >>> from converse import load_suite
        >>> [entry.name for entry in load_suite("quickstart").entries]
        ['DnCNN', 'Conv-DnCNN', 'ConvT-DnCNN', 'Converse-DnCNN']
    """
    path, shown_as = find_file(name_or_path, suites())
    return parse_suite(read_document(path, shown_as), file=shown_as, folder=path.parent, networks=networks)


def parse_suite(
    document: Mapping[str, Any], *, file: str = "suite", folder: Path | None = None, networks: bool = True
) -> Suite:
    """Check a suite that is a TOML document already; a document with a table ``[base]`` is an ablation.

    Args:
        document: what `tomllib` gave.
        file: what messages call it.
        folder: where relative paths start; the working directory by default.
        networks: as for `load_suite`.

    Returns:
        The suite.

    Raises:
        SuiteError: it says what it may not say; all mistakes at once.
    """
    reading = Reading(folder or Path(), networks)
    if "base" in document:
        return _ablation(document, file, reading)
    try:
        suite = Suite.model_validate(document, context=reading)
    except ValidationError as error:
        raise suite_error(file, list(mistakes(error, Suite)), document) from None
    faults = contradictions(suite, networks=networks)
    if faults:
        raise suite_error(file, faults, document)
    return suite


def _ablation(document: Mapping[str, Any], file: str, reading: Reading) -> Suite:
    """The suite that an ablation stands for."""
    try:
        ablation = Ablation.model_validate(document, context=reading)
    except ValidationError as error:
        raise suite_error(file, list(mistakes(error, Ablation)), document) from None
    faults = list(own_mistakes(ablation))
    if faults:
        raise suite_error(file, faults, document)
    name, built_in = ablation.base.suite, suites()
    if name not in built_in and not os.path.lexists(reading.folder / name):
        text = f"{unknown('suite', name, built_in)}; and there is no such file in {reading.folder.resolve()}"
        raise suite_error(file, [Mistake(("base", "suite"), text)], document)
    path, shown_as = find_file(name if name in built_in else reading.folder / name, built_in)
    of_base = read_document(path, shown_as)
    if "base" in of_base:
        text = f"{shown_as} is an ablation itself; expected a suite with entries"
        raise suite_error(file, [Mistake(("base", "suite"), text)], document)
    base = parse_suite(of_base, file=shown_as, folder=path.parent, networks=reading.networks)
    entry = base_entry(ablation, base)
    if isinstance(entry, Mistake):
        raise suite_error(file, [entry], document)
    suite, faults = varied(ablation, base, entry, folder=reading.folder, networks=reading.networks)
    if suite is None:
        raise suite_error(file, faults, document)
    return suite


def find_file(name_or_path: str | Path, built_in: Mapping[str, Path]) -> tuple[Path, str]:
    """A suite's file, and what messages call it.

    Args:
        name_or_path: a key of ``built_in``, or a file.
        built_in: the suites that come with converse.

    Raises:
        SuiteError: it is neither.
    """
    if isinstance(name_or_path, str) and name_or_path in built_in:
        path = built_in[name_or_path]
        return path, f"{path.parent.name}/{path.name}"
    path = Path(name_or_path)
    if not path.name or not os.path.lexists(path):  # which never raises, whatever the name
        raise SuiteError(f"{unknown('suite', str(name_or_path), built_in)}; and there is no such file")
    return path, str(path)


def read_document(path: Path, shown_as: str, *, what: str = "a suite", largest: int = LARGEST_FILE) -> dict[str, Any]:
    """What a TOML file says.

    Args:
        path: the file.
        shown_as: what messages call it.
        what: it should be.
        largest: bytes that such a file has at most.

    Raises:
        SuiteError: it cannot be read, or is not TOML.
    """
    try:
        if path.is_dir():
            raise SuiteError(f"{shown_as}: is a folder; expected a TOML file")
        size = path.stat().st_size
        if size > largest:
            raise SuiteError(f"{shown_as}: has {size:,} bytes; {what} has at most {largest:,}: is it a TOML file?")
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SuiteError(f"{shown_as}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise SuiteError(f"{shown_as}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        what, _, where = str(error).removesuffix(")").rpartition(" (at ")
        raise SuiteError(f"{shown_as}: {where or 'somewhere'}: not TOML: {what or error}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, brackets nested a thousand deep
        raise SuiteError(f"{shown_as}: a number is too long or brackets are nested too deeply") from None


def _toml_files(folder: str) -> Iterable[Path]:
    return content("benchmarks" if folder == "benchmarks" else "ablations").glob("*.toml")
