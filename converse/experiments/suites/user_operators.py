"""Operators of the user's own: a class in a file, or in an installed package."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from converse.data.catalogue import sha256_of
from converse.errors import OptionError, unknown

if TYPE_CHECKING:
    from torch import nn

    from converse.nn.operators import OperatorClass


def build_network(model: str, operator: str | None, options: Mapping[str, Any]) -> nn.Module:
    """A network whose operator may be a user's, named by the user and not by a store: its code is run.

    Args:
        model: for :func:`converse.nn.models.create_model`.
        operator: as :func:`operator_class` takes it; ``None`` for a network that has none.
        options: for ``create_model``.

    Returns:
        The network in training mode, on the CPU, with freshly drawn parameters.

    Raises:
        OptionError: it cannot be built, or the operator cannot be imported.
    """
    from converse.nn.models import create_model
    from converse.nn.operators import OPERATORS

    if operator is None or operator in OPERATORS:
        return create_model(model, operator, **options)
    return create_model(model, operator_class(operator), **options)


def operator_class(name: str) -> OperatorClass:
    """What makes an operator.

    Args:
        name: a key of ``OPERATORS``, ``package.module:Class`` or ``path/to/file.py:Class``. The user's own code is run,
            once for each content of the file.

    Returns:
        The class.

    Raises:
        OptionError: there is none of that name, or its file cannot be imported.
    """
    from converse.nn.operators import OPERATORS

    if name in OPERATORS:
        return OPERATORS[name]
    where, colon, attribute = name.rpartition(":")
    if not colon:
        raise OptionError(f"{unknown('operator', name, OPERATORS)}; or path/to/file.py:Class for one of your own")
    made: OperatorClass | None = getattr(_module(where), attribute, None)
    if not callable(made):
        raise OptionError(f"{where} has no class {attribute!r}: expected path/to/file.py:Class, got {name!r}")
    return made


def operator_file(name: str) -> Path | None:
    """The file in which a user's operator is written; ``None`` for a registered name.

    Args:
        name: as :func:`operator_class` takes it.

    Raises:
        OptionError: the package of ``package.module:Class`` cannot be imported, or has no such module.
    """
    where = name.rpartition(":")[0]
    if not where or where.endswith(".py"):
        return Path(where) if where else None
    try:
        spec = importlib.util.find_spec(where)
    except Exception as error:  # whatever the packages around it raise
        raise OptionError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    if spec is None:
        raise OptionError(f"there is no module {where}: expected package.module:Class, got {name!r}")
    return Path(spec.origin) if spec.has_location and spec.origin else None


def _module(where: str) -> ModuleType:
    file = operator_file(f"{where}:")
    if where.endswith(".py") and not (file and file.is_file()):
        raise OptionError(f"there is no file {where}: expected path/to/file.py:Class")
    try:
        return _loaded(where, sha256_of(Path(where))) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        raise OptionError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error


@lru_cache(maxsize=16)
def _loaded(file: str, sha256: str) -> ModuleType:
    """The file as a module; another content is another module."""
    name = f"converse_user_{Path(file).stem}_{sha256[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look
    spec.loader.exec_module(module)
    return module
