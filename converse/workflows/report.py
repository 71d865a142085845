"""``converse report``: from stores to a folder with a page, tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from converse.errors import OptionError
from converse.experiments.store import Store
from converse.reporting.folder import Written, current_page, keep_state, store_state, write


def report(
    stores: Sequence[Path],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    drawing: Callable[[str], None] = lambda part: None,
    data_dir: Path | None = None,
    embedded_only: bool = False,
    published: bool = True,
) -> Written:
    """Write the report of one or more stores. The same rows give the same bytes.

    Args:
        stores: folders of stores; of a row that several have, the first counts.
        folder: where to; made if need be. Files of a former report that this one does not have are removed.
        progress: told how many trials of how many are read.
        drawing: told whose numbers are counted and figures drawn next.
        data_dir: where images and released weights for the visual comparisons are looked for; none are fetched.
        embedded_only: show no image but scikit-image's own, so that the report may be given to anyone.
        published: whether the LaTeX tables have the paper's numbers.

    Returns:
        What was written.

    Raises:
        ConverseError: there is no store, it has a newer schema, or the folder cannot be written.
    """
    # A page that is still true is shown without any of these, and without torch.
    from converse.data.resources import Resources
    from converse.reporting.chapters.contents import make_report
    from converse.reporting.chapters.figures import with_figures
    from converse.reporting.inputs.material import gather
    from converse.reporting.inputs.networks import RESTORED, Networks

    if folder.exists() and not folder.is_dir():
        raise OptionError(f"--output {folder} is a file: name a folder")
    material = gather([Store(store, create=False) for store in stores], progress)
    networks = Networks(Resources(data_dir, fetch=False), folder / RESTORED)
    tables = make_report(material, drawing)
    whole = with_figures(tables, material, networks, embedded_only=embedded_only, progress=drawing)
    kept = [f"{RESTORED}/{name}" for name in dict.fromkeys(networks.shown) if (folder / RESTORED / name).exists()]
    return write(whole, folder, published=published, kept=kept)


def refresh(store: Path, folder: Path) -> Path:
    """The page of a store, made anew only if the store or this code has changed since.

    Args:
        store: folder of the store.
        folder: where the report lies.

    Returns:
        The page.

    Raises:
        StoreError: the folder cannot be written.
    """
    state = store_state(store)
    if page := current_page(folder, state):
        return page
    written = report([store], folder)
    keep_state(written, state)
    return written.page
