"""Another version's networks in the place of this one's, in a process that has loaded neither."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Final

PACKAGE: Final = "converse.nn"
"""What is taken from the other version; all that measures it stays this version's."""


def use(library: str) -> None:
    """From now on :data:`PACKAGE` is that of another version.

    Args:
        library: the folder in which its package ``converse`` lies.

    Raises:
        ImportError: there is none, it cannot be imported, or this process has another one already.
    """
    file = Path(library) / PACKAGE.replace(".", "/") / "__init__.py"
    loaded = sys.modules.get(PACKAGE)
    if loaded is not None:
        if Path(loaded.__file__ or "") == file:
            return
        raise ImportError(
            f"{PACKAGE} is loaded already: a script that compares versions imports nothing of it outside of "
            '`if __name__ == "__main__":`'
        )
    spec = importlib.util.spec_from_file_location(PACKAGE, file, submodule_search_locations=[str(file.parent)])
    if spec is None or spec.loader is None or not file.is_file():
        raise ImportError(f"there is no {file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)
    sys.modules["converse"].nn = module  # type: ignore[attr-defined]
