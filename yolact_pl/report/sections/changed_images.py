"""Images that changed most between two evaluations: truth, before, after."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.data.annotations.annotations import Annotations, read_annotations
from yolact_pl.data.annotations.coco_json import DataError
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD
from yolact_pl.images.image_file import ImageError, read_image
from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.inference.drawing.gallery import thumbnail
from yolact_pl.report.html import escape, figure, figures
from yolact_pl.report.reading import Report
from yolact_pl.report.sections.numbers import percent
from yolact_pl.results.detections import Detections

WIDTH = 340
"""Pixels of each picture."""
MOST = 8
RESULTS = "mask_detections.json"


def changed_images(first: Report, other: Report, changed: list[dict[str, Any]]) -> str:
    """Pictures of the images that changed most, the largest change first.

    Nothing but a sentence where annotations, images or results are no longer where they were.

    Args:
        first: the run before.
        other: the run after, on the same images.
        changed: see `comparison.changed_images`.
    """
    changed = changed[:MOST]
    wanted = {image["id"] for image in changed}
    try:
        known = read_annotations(first.measured["data"])
        results = [_results(one.path.with_name(RESULTS), wanted, known) for one in (first, other)]
    except (OSError, ValueError, KeyError, TypeError, DataError) as error:
        return f"<p>No pictures: {escape(error)}</p>"
    folder = Path(first.measured.get("image_folder", ""))
    index = {image_id: i for i, image_id in enumerate(known.image_ids.tolist())}
    rows = []
    for image in changed:
        i = index.get(image["id"])
        if i is None:
            continue
        try:
            pixels = read_image(folder / known.file_name(i), known.size(i))
        except ImageError:
            continue
        truth = known.rows(i)
        codes = [known.rle(j) for j in range(truth.start, truth.stop)]
        shown = [("truth", _objects(codes, known.labels[truth], np.zeros(len(codes)), known.size(i)))]
        for name, found, ap in zip(("before", "after"), results, image["mask_ap"], strict=True):
            codes, labels, scores = found.get(image["id"], ([], [], []))
            objects = _objects(codes, np.array(labels, np.int64), np.array(scores), known.size(i))
            shown.append((f"{name}: mask AP {percent(ap)}", objects))
        panels = [figure(_drawn(pixels, objects, known), escape(text), "third") for text, objects in shown]
        rows.append(f"<h4>{escape(image['file'])}</h4>{figures(panels)}")
    return "".join(rows) or "<p>No pictures: the image files are no longer where they were.</p>"


def _results(
    path: Path, wanted: Collection[int], known: Annotations
) -> dict[int, tuple[list[Any], list[int], list[float]]]:
    """Masks, labels and scores of some images that are good enough to be shown."""
    label_of: Mapping[int, int] = {category: label for label, category in enumerate(known.category_ids)}
    found: dict[int, tuple[list[Any], list[int], list[float]]] = defaultdict(lambda: ([], [], []))
    for row in json.loads(path.read_text()):
        if row["image_id"] in wanted and row["score"] > SCORE_THRESHOLD:
            codes, labels, scores = found[row["image_id"]]
            codes.append(row["segmentation"])
            labels.append(label_of[row["category_id"]])
            scores.append(row["score"])
    return dict(found)


def _objects(
    codes: list[Any], labels: NDArray[np.int64], scores: NDArray[np.float64], size: tuple[int, int]
) -> Detections:
    masks = np.zeros((len(codes), *size), np.bool_)
    boxes = np.zeros((len(codes), 4))
    for mask, box, code in zip(masks, boxes, codes, strict=True):
        mask[:] = mask_api.decode(code)
        box[:] = mask_api.toBbox(code)
    boxes[:, 2:] += boxes[:, :2]
    return Detections.from_masks(boxes=boxes, scores=scores, labels=labels, masks=masks)


def _drawn(pixels: NDArray[np.uint8], objects: Detections, known: Annotations) -> NDArray[np.uint8]:
    scores = bool(objects.scores.any())
    drawn = draw_detections(pixels, objects, known.class_names, labels=scores and len(objects) <= 12)
    return thumbnail(drawn, WIDTH)
