"""Truth and prediction side by side."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, read_image
from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.inference.drawing.gallery import side_by_side
from yolact_pl.report.html import escape, figure, figures, writable
from yolact_pl.report.pictures import look_through
from yolact_pl.report.sections.picks import Pick, Picks, pick
from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import ImageResults

SIDE = 300
"""Pixels of the longer side of each half."""
MOST_LABELS = 12
"""More would hide the objects."""
_SECTIONS = (
    ("worst", "The worst images", "By the AP of their masks."),
    ("best", "The best images", ""),
    ("false", "Confident, but wrong", "Detections near an object that they do not match."),
    (
        "without_truth",
        "Suspect: detected, not annotated",
        "An object that was forgotten, or a false detection.",
    ),
    (
        "without_support",
        "Suspect: annotated, and nothing detected there",
        "A wrong annotation, or an object that the network does not know; the largest first.",
    ),
)


@dataclass(frozen=True)
class ImageSource:
    """Where the images of a set and what was found on them are."""

    annotations: Annotations
    folder: Path
    """Of the image files."""
    results: Mapping[int, ImageResults]
    """By image id."""
    report_folder: Path
    """That links start from."""
    value_range: ValueRange | None = None


def pictures(matches: SetMatches, source: ImageSource) -> str:
    """Pictures of failures, of suspect annotations, and of the best images."""
    picks = pick(matches)
    parts = []
    for field, title, text in _SECTIONS:
        parts.append(_gallery(title, text, getattr(picks, field), matches, source))
        if field == "false":
            parts += _missed(picks, matches, source)
    return "".join(parts)


def predictions_only(source: ImageSource, limit: int = 12) -> str:
    """Images of a set without ground truth, from all over it."""
    known = source.annotations
    ids = list(source.results)
    chosen = [ids[k * len(ids) // limit] for k in range(limit)] if len(ids) > limit else ids
    index = {image_id: i for i, image_id in enumerate(known.image_ids.tolist())}
    shown = []
    for image_id in chosen:
        pixels = _read(source, index[image_id])
        if pixels is not None:
            window = _whole(pixels)
            found = _detections(source.results[image_id], known, None)
            panel = _panel(pixels, found, window, known.class_names, [])
            shown.append(figure(panel, _link(source, index[image_id]), "wide"))
    return figures(shown)


def side_by_side_figure(
    one: Pick, matches: SetMatches, source: ImageSource, caption: str | None = None
) -> str:
    """Truth at the left, prediction at the right, of a whole image or around what is picked; empty if the
    image file can't be read.
    """
    known, image_id = source.annotations, int(matches.image_ids[one.image])
    index = int(np.flatnonzero(known.image_ids == image_id)[0])
    pixels = _read(source, index)
    if pixels is None:
        return ""
    found = source.results[image_id]
    rows = known.rows(index)
    marks = []
    local = None
    if one.detection is not None:
        local = one.detection - int(np.searchsorted(matches.images, one.image))
        x, y, width, height = found.boxes[local]
        marks.append(np.array([x, y, x + width, y + height]))
    if one.truth is not None:
        first = int(np.searchsorted(matches.true_images, one.image))
        marks.append(known.boxes[rows.start + one.truth - first].astype(np.float64))
    window = _around(marks[0]) if marks else _whole(pixels)
    truth = Detections.from_masks(
        boxes=known.boxes[rows],
        scores=np.zeros(rows.stop - rows.start),
        labels=known.labels[rows],
        masks=_decoded([known.rle(j) for j in range(rows.start, rows.stop)], known.size(index)),
    )
    sides = [
        _panel(pixels, side, window, known.class_names, marks, with_scores=side is not truth)
        for side in (truth, _detections(found, known, local))
    ]
    text = f"{escape(one.caption if caption is None else caption)} {_link(source, index)}"
    return figure(side_by_side(*sides), text, "wide")


def _missed(picks: Picks, matches: SetMatches, source: ImageSource) -> list[str]:
    return [
        _gallery(
            f"Missed: {size} objects",
            f"No detection above {SCORE_THRESHOLD:g} with a mask IoU of 0.5.",
            chosen,
            matches,
            source,
        )
        for size, chosen in picks.missed.items()
    ]


def _gallery(title: str, text: str, chosen: Sequence[Pick], matches: SetMatches, source: ImageSource) -> str:
    shown = [side_by_side_figure(one, matches, source) for one in chosen]
    shown = [one for one in shown if one]
    return f"<h3>{title}</h3><p>{text}</p>{figures(shown)}" if shown else ""


def _panel(
    pixels: NDArray[np.uint8],
    objects: Detections,
    window: NDArray[np.float64],
    class_names: Sequence[str],
    marks: Sequence[NDArray[np.float64]],
    *,
    with_scores: bool = True,
) -> NDArray[np.uint8]:
    """A window of an image with the objects inside, drawn at the size at which it is seen."""
    canvas, scale = look_through(pixels, window, SIDE)
    height, width = canvas.shape[:2]
    corner = np.tile(window[:2], 2)
    boxes = (objects.boxes - corner) * scale
    inside = (boxes[:, 2:] > 0).all(axis=1) & (boxes[:, :2] < [width, height]).all(axis=1)
    rows = np.flatnonzero(inside)
    move = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    masks = [
        cv2.warpAffine(objects.mask(row).view(np.uint8), move, (width, height), flags=cv2.INTER_NEAREST)
        for row in rows.tolist()
    ]
    seen = Detections.from_masks(
        boxes=boxes[rows],
        scores=objects.scores[rows],
        labels=objects.labels[rows],
        masks=np.array(masks, np.uint8).reshape(-1, height, width).view(np.bool_),
    )
    labels = with_scores and len(rows) <= MOST_LABELS
    drawn = draw_detections(canvas, seen, class_names, labels=labels)
    for mark in marks:
        x1, y1, x2, y2 = ((mark - corner) * scale).round().astype(int).tolist()
        cv2.rectangle(drawn, (x1 - 2, y1 - 2), (x2 + 1, y2 + 1), (255, 255, 255), 2)
    return drawn


def _detections(found: ImageResults, known: Annotations, picked: int | None) -> Detections:
    """Those that are shown, and a picked one, at the image's size."""
    scores = np.array(found.scores, np.float32)
    rows = [row for row, score in enumerate(scores) if score > SCORE_THRESHOLD or row == picked]
    boxes = np.array([found.boxes[row] for row in rows], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    label_of = {category: label for label, category in enumerate(known.category_ids)}
    codes = [{"size": list(found.size), "counts": found.segmentations[row]} for row in rows]
    return Detections.from_masks(
        boxes=boxes,
        scores=scores[rows],
        labels=[label_of[found.category_ids[row]] for row in rows],
        masks=_decoded(codes, found.size),
    )


def _decoded(codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> NDArray[np.bool_]:
    masks = np.zeros((len(codes), *size), np.bool_)
    for mask, code in zip(masks, codes, strict=True):
        mask[:] = mask_api.decode(code)
    return masks


def _read(source: ImageSource, index: int) -> NDArray[np.uint8] | None:
    known = source.annotations
    try:
        return read_image(
            source.folder / known.file_name(index), known.size(index), value_range=source.value_range
        )
    except ImageError:
        return None


def _link(source: ImageSource, index: int) -> str:
    """To the image file, from the report's folder."""
    name = source.annotations.file_name(index)
    path = os.path.relpath(source.folder / name, source.report_folder).replace(os.sep, "/")
    return f'<a href="{escape(quote(writable(path)))}">{escape(name)}</a>'


def _whole(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.array([0, 0, pixels.shape[1], pixels.shape[0]], np.float64)


def _around(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """A square of twice the size of a box, at least 48 pixels."""
    side = max((box[2:] - box[:2]).max() * 2, 48.0)
    centre = (box[:2] + box[2:]) / 2
    return np.concatenate((centre - side / 2, centre + side / 2))
