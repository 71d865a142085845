"""Which rows of a store count: those of the images in the newest request for a test set.

A dataset is what is in it: names and checksums of images, in order. Folders may have the same name and hold different
images, one folder may hold others than last week, and one image may lie in several folders. So rows are not chosen by
the name in their column ``dataset``, but by their images; and what that column says afterwards is unique in a table: a
name of the catalogue, or the title of a folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

import pandas as pd

from converse.data.catalogue import datasets
from converse.data.images import folder_titles
from converse.data.noise_levels import level_of
from converse.experiments.store.requests import RequestedSet, StoredRequest

IMAGE: Final = ("dataset", "image", "image_sha256")
_MEASUREMENT: Final = ("trial", "entry", "budget", "dataset", "case", "image", "image_sha256", "metric", "signature")
_NAMED: Final = 3

Why = Literal["older", "not asked for", "unknown", "measured again"]
Titles = Mapping[tuple[str, str], str]
"""Folder and identity of what is in it → title."""


@dataclass(frozen=True)
class LeftOut:
    """Images of which there are rows that count in no number.

    Attributes:
        dataset: title of the set.
        name: of the set, as rows on disk have it.
        images: their names.
        why: ``older``: the newest request had another image of this name. ``not asked for``: it asked for the first
            images of the set alone. ``unknown``: no newest request asked for them. ``measured again``: the newest
            request took another trial of the same network, of another machine, number of threads or code.
    """

    dataset: str
    name: str
    images: tuple[str, ...]
    why: Why

    def __str__(self) -> str:
        many = len(self.images)
        named = ", ".join(self.images[:_NAMED]) + (", …" if many > _NAMED else "")
        kind = "older " if self.why == "older" else ""
        what = f"an{' ' + kind.strip() if kind else ''} image" if many == 1 else f"{many} {kind}images"
        which = {
            "older": "whose place another one has taken since",
            "not asked for": "of this set that the newest request left out",
            "unknown": "that no newest request asked for",
            "measured again": "by another trial (of other threads, machine or code)",
        }[self.why]
        return f"{self.dataset}: rows of {what} {which} are in the store ({named}); no number here rests on them"


@dataclass(frozen=True)
class Selection:
    """The rows that count.

    Attributes:
        every: with :data:`converse.experiments.store.rows.ROW_COLUMNS`, ``dataset`` being a name of the catalogue or
            the title of a folder; rows that belong to no image among them, and those of all noise levels.
        images: that ``dataset`` → how many images were asked for, where that is known.
        left_out: what else there is.
    """

    every: pd.DataFrame
    images: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The rows of the task as it is: what tables, differences, verdicts and gates rest on."""
        return as_the_task_is(self.every)


def as_the_task_is(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows without those of images with another noise level than the task's own, which are an experiment beside it.

    Args:
        rows: with the column ``case``.

    Returns:
        The same frame where there are no others.
    """
    further = _further_cases(rows)
    return rows[~rows["case"].isin(further)].reset_index(drop=True) if further else rows


def with_further_levels(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of test sets that were measured at further noise levels, those of the task's own level among them.

    Args:
        rows: with the columns ``dataset`` and ``case``.
    """
    further = _further_cases(rows)
    if not further:
        return rows.iloc[:0]
    return rows[rows["dataset"].isin(rows.loc[rows["case"].isin(further), "dataset"].unique())]


def _further_cases(rows: pd.DataFrame) -> set[str]:
    return {case for case in rows["case"].unique() if level_of(case) is not None} if len(rows) else set()


def newest_sets(notes: Iterable[StoredRequest]) -> tuple[RequestedSet, ...]:
    """The test sets of requests, each as the newest request for it had it.

    A folder is one set, whatever was in it before; folders with the same images are one set too, so that a folder that
    was moved stays what it is.

    Args:
        notes: the newest first.
    """
    by_place: dict[str, RequestedSet] = {}
    for one in (one for note in notes for one in note.sets):
        by_place.setdefault(one.folder or one.name, one)
    by_content: dict[tuple[str, str], RequestedSet] = {}
    for one in by_place.values():
        by_content.setdefault(("", one.sha256) if one.folder else (one.name, ""), one)
    return tuple(by_content.values())


def set_titles(sets: Iterable[RequestedSet]) -> Titles:
    """What the folders among these sets are called where they stand together."""
    places = list(dict.fromkeys((one.folder, one.sha256) for one in sets if one.folder))
    return dict(zip(places, folder_titles(places), strict=True))


def select(
    rows: pd.DataFrame,
    sets: Sequence[RequestedSet],
    *,
    titles: Titles | None = None,
    elsewhere: Iterable[RequestedSet] = (),
    unlisted: bool = False,
) -> Selection:
    """The rows of the images that were asked for.

    Args:
        rows: with :data:`converse.experiments.store.rows.ROW_COLUMNS`.
        sets: what was asked for, from :func:`newest_sets`.
        titles: of folders, where there are more of them than these; ``None`` for :func:`set_titles` of these.
        elsewhere: sets whose images need not be named as left out, for other tables have them.
        unlisted: also take sets of other names, because requests of older versions did not say which they asked for:
            all images of such a set, and of two with the same name in it the one that was measured later.

    Returns:
        The rows in their order, and what was left out.
    """
    titles = set_titles(sets) if titles is None else titles
    imaged = rows["image"].notna()
    known = rows.loc[imaged, list(IMAGE)].drop_duplicates()
    places = _places(known, sets, titles)
    if known.empty:
        return Selection(rows.reset_index(drop=True), {_title(one, titles): len(one.images) for one in sets})
    left = known[~_among(known, places)]
    if unlisted:
        loose = left[~left["dataset"].isin({one.name for one in sets})]
        kept = _latest(rows[imaged & rows["dataset"].isin(set(loose["dataset"]))], loose)
        places += [(*key, key[0], 0) for key in _keys(kept)]
        older = loose[~_among(loose, places)]
        left = left[~left["dataset"].isin(set(loose["dataset"]))]
    else:
        older = left.iloc[:0]
    found = _placed(rows, imaged, places)
    counts = {_title(one, titles): len(one.images) for one in sets}
    said = [*_left_out(left, sets, titles, elsewhere)]
    said += [(name, name, image, "older") for name, image, _ in _keys(older)]
    return Selection(found, counts, tuple(_grouped(said)))


def _title(one: RequestedSet, titles: Titles) -> str:
    return titles[one.folder, one.sha256] if one.folder else one.name


def _keys(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    plain = frame[list(IMAGE)].astype(object)
    return list(plain.where(plain.notna(), None).itertuples(index=False, name=None))


def _among(known: pd.DataFrame, places: Iterable[tuple[str, str, str, str, int]]) -> pd.Series:
    taken = {place[:3] for place in places}
    return pd.Series([key in taken for key in _keys(known)], index=known.index, dtype=bool)


def _places(known: pd.DataFrame, sets: Sequence[RequestedSet], titles: Titles) -> list[tuple[str, str, str, str, int]]:
    """Where images go: the three columns that name one, the title of a set that has it, and how good the match is.

    An image that was measured under the name of another set is the same image; that under the set's own comes first.
    """
    holders: dict[tuple[str, str], list[RequestedSet]] = {}
    for one in sets:
        for image in one.images:
            holders.setdefault(image, []).append(one)
    return [
        (dataset, image, sha256, _title(one, titles), int(one.name != dataset))
        for dataset, image, sha256 in _keys(known)
        for one in holders.get((image, sha256), ())
    ]


def _placed(rows: pd.DataFrame, imaged: pd.Series, places: Sequence[tuple[str, str, str, str, int]]) -> pd.DataFrame:
    """The rows of these images under the titles of their sets, each measurement once, and those of no image."""
    where = pd.DataFrame(places, columns=[*IMAGE, "title", "rank"])
    where = where.astype({name: rows[name].dtype for name in IMAGE} | {"title": rows["dataset"].dtype})
    order = pd.Series(range(len(rows)), index=rows.index, name="order")
    found = rows[imaged].assign(order=order[imaged]).merge(where, on=list(IMAGE), how="inner")
    found = found.assign(dataset=found["title"]).drop(columns="title")
    if where.duplicated(["title", "image", "image_sha256"]).any():
        found = found.sort_values(["rank", "order"], kind="stable").drop_duplicates(list(_MEASUREMENT))
    whole = pd.concat([found, rows[~imaged].assign(order=order[~imaged], rank=0)]) if (~imaged).any() else found
    return whole.sort_values("order", kind="stable").drop(columns=["order", "rank"]).reset_index(drop=True)


def _latest(rows: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Of images with the same set and name the one that most trials measured last; of several the one named last."""
    names = ["dataset", "image"]
    twice = images[images.duplicated(names, keep=False)]
    if twice.empty:
        return images
    mine = rows[rows["image"].isin(set(twice["image"]))]
    last = mine.drop_duplicates(["trial", *names], keep="last")
    votes = last.groupby(list(IMAGE), sort=False)["trial"].nunique()
    counted = images.assign(votes=[votes.get(key, 0) for key in _keys(images)])
    best = counted.sort_values("votes", kind="stable").drop_duplicates(names, keep="last").index
    return images[images.index.isin(best)]


def _left_out(
    left: pd.DataFrame, sets: Sequence[RequestedSet], titles: Titles, elsewhere: Iterable[RequestedSet]
) -> Iterator[tuple[str, str, str, Why]]:
    """Title and name of the set, and name of the image: why each does not count."""
    others = {image for one in elsewhere for image in one.images}
    for name, image, sha256 in _keys(left):
        if (image, sha256) in others:
            continue
        holder = next((one for one in sets if (image, sha256) in one.others), None)
        if holder is not None:
            yield _title(holder, titles), name, image, "not asked for"
            continue
        same = [one for one in sets if one.name == name]
        replaced = any(known == image for one in same for known, _ in (*one.images, *one.others))
        yield _title(same[0], titles) if len(same) == 1 else name, name, image, "older" if replaced else "unknown"


def _grouped(images: Iterable[tuple[str, str, str, Why]]) -> Iterator[LeftOut]:
    groups: dict[tuple[str, str, Why], list[str]] = {}
    for title, name, image, why in images:
        groups.setdefault((title, name, why), []).append(image)
    known = datasets()
    for (title, name, why), names in groups.items():
        yield LeftOut(known[title].title if title in known else title, name, tuple(names), why)
