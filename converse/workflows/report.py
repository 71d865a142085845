"""``converse report``: from stores to a folder with a page, tables and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from converse.experiments.store import Store
from converse.reporting.folder import Written, check_folder, current_page, keep_state, store_state, write


def report(
    stores: Sequence[Path],
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
    *,
    drawing: Callable[[str], None] = lambda part: None,
    data_dir: Path | None = None,
    embedded_only: bool = False,
    published: bool = True,
    compute_images: bool = False,
    single_file: bool = False,
    images_limit: int | None = None,
    processes: int = 1,
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
        compute_images: restore images that the stores do not keep, beside the page; otherwise no network runs.
        single_file: put the images of the viewer into the page itself.
        images_limit: megabytes of the viewer's images, at most; ``None`` for 200 beside the page, or 20 inside.
        processes: at most so many figures are drawn at a time, as :func:`converse.reporting.figures.drawing.draw` has
            it. What was drawn for a former report in this folder, and has not changed, is not drawn again.

    Returns:
        What was written.

    Raises:
        ConverseError: there is no store, it has a newer schema, or the folder cannot be written.
    """
    # A page that is still true is shown without any of these, and without torch.
    from converse.data.resources import Resources
    from converse.reporting.chapters.contents import make_report
    from converse.reporting.chapters.figures import with_figures
    from converse.reporting.figures.drawing import DRAWINGS
    from converse.reporting.inputs.material import gather
    from converse.reporting.inputs.networks import RESTORED, Networks
    from converse.reporting.tables.thumbnails import kernel_pictures
    from converse.reporting.viewer.gallery import Wanted, make_gallery, nothing_kept

    check_folder(folder)
    material = gather([Store(store, create=False) for store in stores], progress)
    resources = Resources(data_dir, fetch=False)
    networks = Networks(resources, folder / RESTORED, compute=compute_images)
    tables = make_report(material, drawing, kernels=None if embedded_only else kernel_pictures(resources))
    whole = with_figures(
        tables,
        material,
        networks,
        embedded_only=embedded_only,
        kept=folder / DRAWINGS,
        processes=processes,
        progress=drawing,
    )
    wanted = Wanted(embedded_only, single_file, images_limit, compute_images)
    gallery, pictures = make_gallery(material, networks, folder, wanted, drawing)
    if not gallery.shelves and not embedded_only:
        whole = replace(whole, missing=(*whole.missing, *nothing_kept(material)))
    kept = [f"{RESTORED}/{name}" for name in dict.fromkeys(networks.shown) if (folder / RESTORED / name).exists()]
    return write(replace(whole, gallery=gallery), folder, published=published, kept=[*kept, *pictures])


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
