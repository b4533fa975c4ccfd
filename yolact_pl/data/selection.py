"""Subsets of a data set by class and by image."""

import difflib
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.coco_json import DataError
from yolact_pl.data.annotations.segmentations import Outlines, starts

NAMES_SHOWN = 12


def select_classes(annotations: Annotations, names: Sequence[str]) -> Annotations:
    """All images with the objects of some classes; labels number these classes in the order of `names`.

    Raises:
        DataError: no name is given, or one that the file does not have; says which are near.
    """
    if len(names) == 0:
        raise DataError("classes=[] leaves nothing to learn; name at least one class, or give null for all.")
    for name in names:
        if name not in annotations.class_names:
            hint = _nearest(name, annotations.class_names)
            raise DataError(f"classes: {annotations.path} has no class {name!r}; {hint}")
    chosen = [annotations.class_names.index(name) for name in dict.fromkeys(names)]
    new_labels = np.full(len(annotations.class_names), -1, np.int64)
    new_labels[chosen] = np.arange(len(chosen))
    labels = new_labels[annotations.labels]
    rows = np.flatnonzero(labels >= 0)
    image_indices = annotations.image_indices[rows]
    return replace(
        annotations,
        class_names=[annotations.class_names[label] for label in chosen],
        category_ids=[annotations.category_ids[label] for label in chosen],
        row_starts=np.searchsorted(image_indices, np.arange(annotations.num_images + 1)),
        ids=annotations.ids[rows],
        image_indices=image_indices,
        labels=labels[rows],
        boxes=annotations.boxes[rows],
        coco_boxes=annotations.coco_boxes[rows],
        iscrowd=annotations.iscrowd[rows],
        area=annotations.area[rows],
        outlines=_take(annotations.outlines, rows),
    )


def split_images(annotations: Annotations, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and validation images, both in the file's order.

    The split depends on image ids, fraction and seed, not on the file's order or its objects.

    Raises:
        DataError: one of the parts would be empty.
    """
    num_images = annotations.num_images
    num_val = round(num_images * fraction)
    if not 0 < num_val < num_images:
        raise DataError(
            f"val_fraction={fraction} of the {num_images} images of {annotations.path} are {num_val}: both "
            "parts need at least one image."
        )
    by_id = np.argsort(annotations.image_ids)
    drawn = np.zeros(num_images, bool)
    drawn[by_id[np.random.default_rng(seed).permutation(num_images)[:num_val]]] = True
    return np.flatnonzero(~drawn), np.flatnonzero(drawn)


def check_fraction(fraction: float | str | None) -> None:
    """Check a validation fraction.

    Raises:
        ValueError: it is not between 0 and 1.
    """
    if fraction is not None and not (
        isinstance(fraction, int | float) and math.isfinite(fraction) and 0 < fraction < 1
    ):
        raise ValueError(
            f"val_fraction={fraction}: expected the part of the images to validate with, between 0 and 1, "
            "such as 0.1, auto or null."
        )


def _take(outlines: Outlines, rows: np.ndarray) -> Outlines:
    """The outlines of some objects."""
    rings, ring_starts = _pieces(outlines.ring_starts, rows)
    points, point_starts = _pieces(outlines.point_starts, rings)
    codes = [outlines.codes[outlines.code_starts[j] : outlines.code_starts[j + 1]] for j in rows.tolist()]
    return Outlines(
        points=outlines.points[points],
        point_starts=point_starts,
        ring_starts=ring_starts,
        codes=b"".join(codes),
        code_starts=starts(np.fromiter(map(len, codes), np.int64, len(codes))),
    )


def _pieces(piece_starts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of some pieces one after the other, and where each piece starts among them."""
    lengths = np.diff(piece_starts)[rows]
    new_starts = starts(lengths)
    members = np.arange(new_starts[-1]) + np.repeat(piece_starts[rows] - new_starts[:-1], lengths)
    return members, new_starts


def _nearest(name: str, known: Sequence[str]) -> str:
    """A hint at what may have been meant."""
    by_form = {candidate.casefold(): candidate for candidate in known}
    near = difflib.get_close_matches(str(name).casefold(), by_form, n=3)
    if near:
        return f"did you mean {' or '.join(repr(by_form[form]) for form in near)}?"
    more = f" and {len(known) - NAMES_SHOWN} more" if len(known) > NAMES_SHOWN else ""
    return f"it has {', '.join(known[:NAMES_SHOWN])}{more}."
