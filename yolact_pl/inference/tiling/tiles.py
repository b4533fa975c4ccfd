"""Prediction in overlapping tiles of a large image, so that small objects stay large for the network."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.options import is_count, is_number
from yolact_pl.inference.tiling.merging import merge_parts, rank
from yolact_pl.inference.tiling.parts import Box, Part, Rectangle, as_detections, detected_parts
from yolact_pl.results.detections import Detections

Predict = Callable[[Sequence[NDArray[np.uint8]]], list[Detections]]
"""Such as a `Predictor`: uint8 [H, W, 3] RGB images to the detections of each, in its own pixels."""

MAX_OVERLAP = 0.9
LARGEST_WHOLE = 1536
"""Longer side in pixels up to which the whole image is given to the predictor as it is; larger ones are
averaged down to it first, since the resize to the network's input is not antialiased."""
CANDIDATES_PER_DETECTION = 4
"""Times `max_detections` parts are kept until they are merged: few tiles show the same object."""


def tile_layout(size: tuple[int, int], tile: int, overlap: float) -> list[Rectangle]:
    """Tiles that cover an image, row by row, each xyxy in whole pixels.

    Neighbours share `tile_overlap` pixels; the last ones of a row or column are pushed inside and share more.
    A side of the image that is not longer than a tile is covered by one tile of that length.

    Args:
        size: (height, width) of the image.
        tile: side in pixels.
        overlap: part of a tile that it shares with the next one, 0 to 0.9.

    Raises:
        ValueError: `tile` or `overlap` is not in its range.
    """
    step = tile - tile_overlap(tile, overlap)
    rows, columns = (_starts(length, tile, step) for length in size)
    height, width = min(size[0], tile), min(size[1], tile)
    return [(x, y, x + width, y + height) for y in rows for x in columns]


def tile_overlap(tile: int, overlap: float) -> int:
    """The pixels that two neighbouring tiles share; an object that is smaller lies complete in one of them.

    Raises:
        ValueError: `tile` or `overlap` is not in its range.
    """
    if not is_count(tile):
        raise ValueError(f"tile={tile}: expected the side of a tile in whole pixels, at least 1")
    if not (is_number(overlap) and 0 <= overlap <= MAX_OVERLAP):
        raise ValueError(f"overlap={overlap}: expected the shared part of a tile, 0 to {MAX_OVERLAP}")
    return min(round(tile * overlap), tile - 1)


def _starts(length: int, tile: int, step: int) -> list[int]:
    return [*range(0, length - tile, step), max(length - tile, 0)]


def predict_tiled(
    predict: Predict,
    image: NDArray[np.uint8],
    *,
    tile: int = 640,
    overlap: float = 0.2,
    nms: str = "fast",
    iou_threshold: float = 0.5,
    max_detections: int = 1000,
    batch_size: int = 4,
) -> Detections:
    """Detections of an image from its tiles and, for objects that fit into no tile, from the whole image.

    Of the whole image only objects larger than the overlap count: smaller ones lie complete in a tile, which
    shows them better. An object that a tile's border cuts is not detected twice: see `merge_parts`. An image
    not larger than a tile is predicted as it is.

    Masks are kept as cut-outs, also those of the result.

    Args:
        predict: a `Predictor`, or what can be called like one.
        image: uint8 [H, W, 3] RGB.
        tile: side in pixels.
        overlap: part of a tile that it shares with the next one, 0 to 0.9.
        nms: "fast", "cross_class" or "exact": how boxes of different tiles are suppressed.
        iou_threshold: of that suppression.
        max_detections: kept for the whole image.
        batch_size: tiles that are predicted at once.

    Raises:
        ValueError: an option is not in its range, or `predict` refuses the image.
    """
    if not is_count(batch_size):
        raise ValueError(f"batch_size={batch_size!r}: expected how many tiles to predict at once, at least 1")
    size = (image.shape[0], image.shape[1])
    tiles = tile_layout(size, tile, overlap)
    if len(tiles) == 1:
        return predict([image])[0]
    shared = tile_overlap(tile, overlap)
    parts = [part for part in _whole_parts(predict, image) if not _fits(part.box, size, tile, shared)]
    for start in range(0, len(tiles), batch_size):
        batch = tiles[start : start + batch_size]
        found = predict([np.ascontiguousarray(image[y1:y2, x1:x2]) for x1, y1, x2, y2 in batch])
        for view, detections in zip(batch, found, strict=True):
            parts += detected_parts(detections, view, size)
        parts = sorted(parts, key=rank)[: CANDIDATES_PER_DETECTION * max_detections]
    merged = merge_parts(parts, nms=nms, iou_threshold=iou_threshold)
    return as_detections(merged[:max_detections], size)


def _fits(box: Box, size: tuple[int, int], tile: int, shared: int) -> bool:
    """Whether an object of this size lies complete in some tile, wherever it is."""
    sides = (box[3] - box[1], box[2] - box[0])
    return all(length <= tile or side < shared for length, side in zip(size, sides, strict=True))


def _whole_parts(predict: Predict, image: NDArray[np.uint8]) -> list[Part]:
    height, width = image.shape[:2]
    scale = LARGEST_WHOLE / max(height, width)
    if scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        shown = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    else:
        shown = image
    return detected_parts(predict([shown])[0], (0, 0, width, height), (height, width))
