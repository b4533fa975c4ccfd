"""Quick check at the start of training, from annotations read anyway; no image file is opened."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from yolact_pl.data.annotations import rle
from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.doctor.boxes import boxes_agree, clip_boxes
from yolact_pl.doctor.checks.doubles import repeated_rows
from yolact_pl.doctor.columns import rows_repeated
from yolact_pl.doctor.run_lengths import code_bounds

MAX_CODES = 20_000
"""Largest number of run-length codes examined; of more of them, an even sample."""
_MAX_LISTED = 25
"""Classes named in a command."""
MANY_CROWDS = 0.1
"""Share of crowd regions above which it is reported; COCO has 1 %."""


def quick_check(sets: Sequence[tuple[Annotations, Path]]) -> list[str]:
    """Sentences about mistakes that a training does not stop at; empty without any.

    What `read_annotations` reports is not said again.

    Args:
        sets: annotations and images folder of the set to train on and, if there is one, of another file to
            validate with.
    """
    sentences = _about_classes(sets[0][0])
    for annotations, _ in sets:
        sentences += _about_objects(annotations)
    if len(sets) == 2:
        val = sets[1][0]
        if val.iscrowd.all():  # as well without any
            sentences.append(f"no object to validate with, so there is no AP, in {val.path}")
        sentences += _about_pictures(*sets[0], *sets[1])
    return sentences


def _about_classes(known: Annotations) -> list[str]:
    """Of the set to train on."""
    names = known.class_names
    sentences = []
    same = rows_repeated(["".join(name.split()).casefold() for name in names])
    if same:
        has = _count(len(same), "class has", "classes have")
        sentences.append(f"{has} the name of another one ({_some(names, same)}) in {known.path}")
    counts = np.bincount(known.labels[~known.iscrowd], minlength=len(names))
    empty = np.flatnonzero(counts == 0).tolist()
    if empty:
        has = _count(len(empty), "class has", "classes have")
        used = [name for label, name in enumerate(names) if counts[label]]
        hint = f"; dataset.classes={_listed(used)} trains without" if len(used) <= _MAX_LISTED else ""
        sentences.append(f"{has} no object to learn from ({_some(names, empty)}) in {known.path}{hint}")
    return sentences


def _about_objects(known: Annotations) -> Iterator[str]:
    crowds, count = int(known.iscrowd.sum()), known.num_annotations
    if crowds > MANY_CROWDS * count:
        yield (
            f"{crowds:,} of {count:,} annotations ({crowds / count:.0%}) are crowd regions (iscrowd 1), "
            f"neither learned nor counted, in {known.path}"
        )
    bounds = _mask_bounds(known)
    sizes = np.stack((known.widths, known.heights), 1)[known.image_indices]
    with np.errstate(invalid="ignore"):
        relative = (bounds <= 1.01).all(axis=1) & (known.boxes <= 1.01).all(axis=1) & (sizes > 4).all(axis=1)
        apart = ~boxes_agree(known.boxes, clip_boxes(bounds, sizes.astype(np.float64)))
        apart &= ~np.isnan(bounds[:, 0])
    keys = np.column_stack((known.image_indices, known.labels, known.boxes.view(np.int32)))
    repeated = repeated_rows(keys, lambda one, other: _outline(known, one) == _outline(known, other))
    fractions = "to be in fractions of the image instead of pixels"
    for rows, one, many in (
        (np.flatnonzero(relative), f"object seems {fractions}", f"objects seem {fractions}"),
        (np.flatnonzero(apart), "box does not fit its mask", "boxes do not fit their masks"),
        (np.array(list(repeated)), "object is annotated twice", "objects are annotated twice"),
    ):
        if len(rows):
            yield f"{_count(len(rows), one, many)} (e.g. annotation {known.ids[rows[0]]}) in {known.path}"


def _about_pictures(
    train: Annotations, train_folder: Path, val: Annotations, val_folder: Path
) -> Iterator[str]:
    if train_folder.resolve() != val_folder.resolve():
        return
    names = {train.file_name(i) for i in range(train.num_images)}
    shared = [i for i in range(val.num_images) if val.file_name(i) in names]
    if shared:
        are = _count(len(shared), "picture is", "pictures are")
        yield f"{are} in both training and validation (e.g. {val.file_name(shared[0])}) in {val.path}"


def _mask_bounds(known: Annotations) -> np.ndarray:
    """[N, 4] float64 xyxy around masks, not clipped; NaN where the mask was not examined."""
    outlines = known.outlines
    bounds = np.full((known.num_annotations, 4), np.nan)
    with_rings = np.flatnonzero(np.diff(outlines.ring_starts))
    if len(with_rings):
        first = outlines.point_starts[outlines.ring_starts[with_rings]]
        bounds[with_rings, :2] = np.minimum.reduceat(outlines.points, first)
        bounds[with_rings, 2:] = np.maximum.reduceat(outlines.points, first)
    with_code = np.flatnonzero(np.diff(outlines.code_starts))
    step = -(-len(with_code) // MAX_CODES) or 1
    for j in with_code[::step].tolist():
        code = outlines.codes[outlines.code_starts[j] : outlines.code_starts[j + 1]]
        height = known.size(int(known.image_indices[j]))[0]
        bounds[j] = code_bounds(rle.read_run_lengths(code), height)
    return bounds


def _outline(known: Annotations, j: int) -> object:
    rings = known.polygons(j)
    return known.rle(j)["counts"] if rings is None else [ring.tolist() for ring in rings]


def _listed(names: Sequence[str]) -> str:
    """As an override."""
    return "'[" + ",".join(f'"{name}"' for name in names) + "]'"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _some(names: Sequence[str], labels: Sequence[int] | dict[int, int]) -> str:
    shown = ", ".join(names[label] for label in list(labels)[:3])
    return f"{shown}, ..." if len(labels) > 3 else shown
