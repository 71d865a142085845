"""Operators of the user's own: a class in a file, or in an installed package."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import linecache
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from converse.data.catalogue import sha256_of
from converse.errors import OptionError, unknown
from converse.plain_text import visible

if TYPE_CHECKING:
    from torch import nn

    from converse.nn.operators import OperatorClass


class NotImported(OptionError):
    """The user's file or module is there, and its code raised an error while it was imported."""


EXPECTED: Final = "(channels, kernel_size, scale=1, padding_mode=…, **options)"
"""How an operator's class is called."""

_ALWAYS_GIVEN: Final = ("channels", "kernel_size", "scale", "padding_mode")


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
    return create_model(model, operator_builder(operator), **options)


def operator_builder(name: str) -> OperatorClass:
    """What makes an operator, and says in words of the user's file which arguments its class cannot be called with.

    Args:
        name: as :func:`operator_class` takes it.

    Returns:
        A function with the arguments of the class. It raises ``OptionError`` for arguments that do not fit the class,
        before its code is run.

    Raises:
        OptionError: as :func:`operator_class` does.
    """
    made = operator_class(name)

    def build(*arguments: Any, **options: Any) -> nn.Module:
        if misfit := _misfit(made, arguments, options):
            raise OptionError(misfit)
        return made(*arguments, **options)

    return build


def unknown_option(name: str, options: Iterable[str]) -> str | None:
    """What to say of an option that an operator has not; ``None`` where it may have all of them.

    Args:
        name: as :func:`operator_class` takes it; its code is run.
        options: beside the arguments that every operator has.

    Raises:
        OptionError: as :func:`operator_class` does.
    """
    made = operator_class(name)
    try:
        parameters = inspect.signature(made).parameters
    except (TypeError, ValueError):  # of what is written in C
        return None
    if any(one.kind is one.VAR_KEYWORD for one in parameters.values()):
        return None
    return next((_unknown(made, one) for one in options if one not in parameters and one not in _ALWAYS_GIVEN), None)


def operator_class(name: str) -> OperatorClass:
    """The class of an operator.

    Args:
        name: a key of ``OPERATORS``, ``package.module:Class`` or ``path/to/file.py:Class``. The user's own code is run,
            once for each content of the file. Packages are looked for where Python looks, and then in the working
            folder.

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
    module = _module(where)
    made: OperatorClass | None = getattr(module, attribute, None)
    if callable(made):
        return made
    if made is not None:
        raise OptionError(f"{where}: {attribute!r} is a {type(made).__name__}, expected a class{EXPECTED}")
    classes = [
        key for key, value in vars(module).items() if inspect.isclass(value) and value.__module__ == module.__name__
    ]
    hint = f"; {unknown('class', attribute, classes)}" if classes else ""
    raise OptionError(f"{where} has no class {attribute!r}: expected path/to/file.py:Class, got {name!r}{hint}")


def name_of(operator: type[nn.Module]) -> str:
    """The name under which other processes find a class: one of ours, that of its file, or that of its module.

    Args:
        operator: a class that is written in a file.

    Raises:
        OptionError: it is not written in a file, or not at the top of it.
    """
    from converse.nn.operators import OPERATORS

    for registered, known in OPERATORS.items():
        if known is operator:
            return registered
    module = sys.modules.get(operator.__module__)
    file = getattr(module, "__file__", None)
    where = f"{operator.__module__}.{operator.__qualname__}"
    if file is None:
        raise OptionError(
            f"{where} is written in no file, and trials run in processes of their own, which have to read it: write it "
            "into one (in a notebook: %%writefile my_operator.py at the top of its cell), and import it from there"
        )
    if not operator.__qualname__.isidentifier():
        raise OptionError(f"{where} is a class inside of another or of a function: move it to the top of {file}")
    package = operator.__module__.partition(".")[0] != operator.__module__
    if package and operator.__module__ != "__main__":
        return f"{operator.__module__}:{operator.__qualname__}"
    return f"{file}:{operator.__qualname__}"


def operator_file(name: str) -> Path | None:
    """The file in which a user's operator is written; ``None`` for a registered name. No code is run.

    Args:
        name: as :func:`operator_class` takes it.

    Raises:
        OptionError: there is no such module as ``package.module:Class`` names.
    """
    where = name.rpartition(":")[0]
    if not where or where.endswith(".py"):
        return Path(where) if where else None
    spec = _found(where)
    return Path(spec.origin) if spec.has_location and spec.origin else None


def place_in(error: BaseException, file: Path | str) -> str | None:
    """Where in a user's file an error arose: ``mine.py, line 12 (return self.conv(x))``.

    Args:
        error: what was raised, or a chain of errors.
        file: the user's.

    Returns:
        The innermost line of the file that the error went through; ``None`` where it went through none.
    """
    found = None
    chain: BaseException | None = error
    while chain is not None:
        if isinstance(chain, SyntaxError) and chain.filename and _same(chain.filename, file):
            return _line(file, chain.lineno or 0, chain.text or "")
        for frame in traceback.extract_tb(chain.__traceback__):
            if _same(frame.filename, file):
                found = _line(file, frame.lineno or 0, frame.line or "")
        chain = chain.__cause__ or chain.__context__
    return found


def place_in_trace(trace: str, file: Path | str) -> str | None:
    """As :func:`place_in`, from what ``faulthandler`` wrote of a process that hung or crashed."""
    for name, number in re.findall(r'^  File "(.+)", line (\d+) in ', trace, re.MULTILINE):
        if _same(name, file):
            return _line(file, int(number), linecache.getline(name, int(number)))
    return None


def _same(one: str, other: Path | str) -> bool:
    return one == str(other) or Path(one).absolute() == Path(other).absolute()


def _line(file: Path | str, number: int, text: str) -> str:
    text = visible(text.strip())
    return f"{Path(file).name}, line {number}" + (f" ({text[:77] + '…' if len(text) > 78 else text})" if text else "")


def _misfit(made: Callable[..., Any], arguments: tuple[Any, ...], options: Mapping[str, Any]) -> str | None:
    """Why a class cannot be called with these arguments, by its signature alone; ``None`` where it can."""
    try:
        signature = inspect.signature(made)
    except (TypeError, ValueError):  # of what is written in C
        return None
    try:
        signature.bind(*arguments, **options)
    except TypeError as error:
        name = _name(made)
        for option in options:
            if option not in signature.parameters and option not in _ALWAYS_GIVEN:
                return _unknown(made, option)
        return f"{_described(made)}; expected {name}{EXPECTED}: {error}"
    return None


def _unknown(made: Callable[..., Any], option: str) -> str:
    parameters = inspect.signature(made).parameters.values()
    own = [one.name for one in parameters if one.name not in _ALWAYS_GIVEN and one.kind is not one.VAR_KEYWORD]
    return f"{unknown(f'option of {_name(made)}', option, own)}; {_described(made)}"


def _described(made: Callable[..., Any]) -> str:
    """``mine.py, line 12: Mine is Mine(channels, kernel_size)``."""
    signature = inspect.signature(made)
    bare = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    signature = signature.replace(parameters=bare, return_annotation=signature.empty)
    return f"{_written_at(made)}{_name(made)} is {_name(made)}{signature}"


def _name(made: Callable[..., Any]) -> str:
    return getattr(made, "__name__", type(made).__name__)


def _written_at(made: Callable[..., Any]) -> str:
    try:
        file, (_, line) = inspect.getsourcefile(made), inspect.getsourcelines(made)
    except (TypeError, OSError):
        return ""
    return f"{Path(file).name}, line {line}: " if file else ""


def _module(where: str) -> ModuleType:
    file = operator_file(f"{where}:")
    if where.endswith(".py") and not (file and file.is_file()):
        raise OptionError(f"there is no file {where}: expected path/to/file.py:Class")
    try:
        return _loaded(where, sha256_of(Path(where))) if where.endswith(".py") else importlib.import_module(where)
    except (Exception, SystemExit) as error:  # whatever the user's file raises
        at = place_in(error, file) if file else None
        raise NotImported(
            f"{where} cannot be imported: {type(error).__name__}: {error}" + (f"; at {at}" if at else "")
        ) from error


def _found(where: str) -> ModuleSpec:
    """A module's specification, found as an import finds it; but packages around it are not imported."""
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.append(folder)  # the last, so that no file there stands in for a module of an installed package
    spec: ModuleSpec | None = None
    names = where.split(".")
    for count in range(1, len(names) + 1):
        path = spec.submodule_search_locations if spec else None
        name = ".".join(names[:count])
        spec = None if count > 1 and path is None else next(_specifications(name, path), None)
        if spec is None:
            raise OptionError(f"there is no module {name}: expected package.module:Class, got {where!r}")
    assert spec is not None
    return spec


def _specifications(name: str, path: Any) -> Iterator[ModuleSpec]:
    for finder in sys.meta_path:
        if (spec := finder.find_spec(name, path)) is not None:
            yield spec


@lru_cache(maxsize=16)
def _loaded(file: str, sha256: str) -> ModuleType:
    """The file as a module; another content is another module."""
    name = f"converse_user_{Path(file).stem}_{sha256[:12]}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses and pickle look
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
