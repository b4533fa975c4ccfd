"""Thumbnails of images with their annotations."""

from typing import Any

import cv2
import numpy as np

from yolact_pl.data.annotations import rle
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.examination import Examined
from yolact_pl.doctor.masks import polygons
from yolact_pl.images.image_file import ImageError, read_image
from yolact_pl.report.html import escape
from yolact_pl.report.html import figure as picture
from yolact_pl.report.pictures import draw_outlines, look_through, to_canvas

SIDE = 240
"""Pixels of a thumbnail's longer side."""
_MASK, _BOX, _OTHER = (60, 220, 90), (255, 150, 30), (235, 235, 235)
_MAX_OBJECTS = 100


def thumbnail(examined: Examined, image: int, annotation: int | None = None) -> np.ndarray | None:
    """An image with its objects, or an annotation with what is around it, uint8 [H, W, 3] RGB.

    Masks are drawn green and boxes orange; other objects of the image have a white outline. Where the drawing
    leaves the image, the ground is grey. None if the file cannot be read.
    """
    pixels = _pixels(examined.coco_set, image)
    if pixels is None:
        return None
    rows = np.flatnonzero(examined.coco_set.image_of == image).tolist()[:_MAX_OBJECTS]
    window = _window(examined, pixels.shape[:2], annotation)
    canvas, scale = look_through(pixels, window, SIDE)
    chosen = rows if annotation is None else [annotation]
    for row in rows:
        if row not in chosen:
            draw_outlines(canvas, _mapped(examined, row, window, scale), _OTHER)
    for row in chosen:
        rings = _mapped(examined, row, window, scale)
        if rings:
            filled = canvas.copy()
            cv2.fillPoly(filled, rings, _MASK)
            cv2.addWeighted(filled, 0.3, canvas, 0.7, 0, dst=canvas)
        draw_outlines(canvas, rings, _MASK)
        draw_outlines(canvas, _box_ring(examined.coco_set.boxes[row], window, scale), _BOX)
    return canvas


def figure(part: Examined, image: int, annotation: int | None, caption: str) -> str:
    """An image, or one of its annotations, with a caption of plain text; empty if the file cannot be read."""
    pixels = thumbnail(part, image, annotation)
    return "" if pixels is None else picture(pixels, escape(caption))


def _pixels(coco_set: CocoSet, image: int) -> np.ndarray | None:
    path = coco_set.image_file(image)
    if path is None:
        return None
    size = coco_set.sizes[image]
    try:
        if not np.isnan(size).any():
            return read_image(path, (int(size[0]), int(size[1])))  # turned as in training
    except ImageError:
        pass  # another size: shown as it is
    try:
        return read_image(path)
    except ImageError:
        return None


def _window(examined: Examined, size: tuple[int, ...], annotation: int | None) -> np.ndarray:
    """What is shown, xyxy in pixels of the image; twice an annotation's extent, or all of the image."""
    height, width = size[:2]
    whole = np.array([0, 0, width, height], np.float64)
    if annotation is None:
        return whole
    box = examined.coco_set.boxes[annotation].copy()
    box[2:] += box[:2]
    reach = np.stack((box, examined.masks.bounds[annotation]))
    reach = reach[np.isfinite(reach).all(axis=1)]
    if len(reach) == 0:
        return whole
    limit = np.tile([width, height], 2)
    low, high = reach.min(axis=0), reach.max(axis=0)
    reach = np.clip([*low[:2], *high[2:]], -limit, 2 * limit)
    margin = 0.5 * np.maximum((reach[2:] - reach[:2]).max(), 24)
    window = np.concatenate((reach[:2] - margin, reach[2:] + margin))
    inside = (window[2:] > 0).all() and (window[:2] < whole[2:]).all()
    # An object far off is shown together with the image, to see where it is.
    return (
        window if inside else np.concatenate((np.minimum(window[:2], 0), np.maximum(window[2:], whole[2:])))
    )


def _mapped(examined: Examined, row: int, window: np.ndarray, scale: float) -> list[np.ndarray]:
    """The outlines of an annotation in pixels of the thumbnail, int32 [points, 2]."""
    return [to_canvas(ring, window, scale, SIDE) for ring in _outlines(examined, row)]


def _outlines(examined: Examined, row: int) -> list[np.ndarray]:
    segmentation: Any = examined.coco_set.annotations[row].get("segmentation")
    if type(segmentation) is dict:
        if np.isnan(examined.masks.bounds[row, 0]) or np.isnan(examined.coco_set.annotation_sizes[row, 0]):
            return []
        height, width = map(int, segmentation["size"])
        counts = segmentation["counts"]
        code = counts.encode() if type(counts) is str else rle.compress(counts, (height, width))
        mask = mask_api.decode({"size": [height, width], "counts": code})
        contours = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]
        return [contour[:, 0] + 0.5 for contour in contours]
    rings = [np.array(ring[: len(ring) // 2 * 2]).reshape(-1, 2) for ring in polygons(segmentation)[0]]
    return [ring for ring in rings if len(ring) and np.isfinite(ring).all()]


def _box_ring(box: np.ndarray, window: np.ndarray, scale: float) -> list[np.ndarray]:
    if np.isnan(box).any():
        return []
    x, y, width, height = box
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    return [to_canvas(corners, window, scale, SIDE)]
