"""Detections as plain data: the json of a run, and polygons."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from yolact_pl.results.encoding import encode_masks
from yolact_pl.structures import Detections


def plain_result(file: str, detections: Detections, class_names: Sequence[str]) -> dict[str, Any]:
    """The detections of one image in types that json knows.

    Returns:
        `file`; `size` [height, width]; `detections`, best first, each with `label` (0-based), `name`,
        `score`, `mask_score`, `box` [x1, y1, x2, y2] in pixels and `segmentation`, COCO's compressed
        run-length encoding (`size` and `counts`) that `pycocotools.mask.decode` reads.
    """
    height, width = detections["masks"].shape[-2:]
    rows = zip(
        detections["labels"].tolist(),
        detections["scores"].tolist(),
        detections["mask_scores"].tolist(),
        detections["boxes"].tolist(),
        encode_masks(detections["masks"].cpu().numpy()),
        strict=True,
    )
    objects = [
        {
            "label": label,
            "name": class_names[label],
            "score": round(score, 6),
            "mask_score": round(mask_score, 6),
            "box": [round(corner, 2) for corner in box],
            "segmentation": {"size": [height, width], "counts": counts},
        }
        for label, score, mask_score, box, counts in rows
    ]
    return {"file": file, "size": [height, width], "detections": objects}


class ResultsFile:
    """One json array for all images of a run, written as the results come, so that memory stays flat.

    Use it as a context manager. When the block ends well, the file appears under its name, whole, in place of
    an older one. After an exception an older file is as it was, and the results so far lie beside it as valid
    json under `<stem>.partial<suffix>`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.partial_path = self.path.with_name(f"{self.path.stem}.partial{self.path.suffix}")

    def __enter__(self) -> "ResultsFile":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.partial_path.open("w", encoding="utf-8")
        self._stream.write("[")
        self._separator = "\n"
        return self

    def add(self, result: dict[str, Any]) -> None:
        """Append the `plain_result` of one image."""
        self._stream.write(self._separator + json.dumps(result, ensure_ascii=False))
        self._separator = ",\n"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.write("\n]\n")
        self._stream.close()
        if kind is None:
            self.partial_path.replace(self.path)


def mask_polygons(mask: Tensor) -> list[NDArray[np.int64]]:
    """The outlines of one mask along the edges of its pixels.

    Args:
        mask: [H, W] bool.

    Returns:
        One [n, 2] array of (x, y) for each connected part (pixels that touch at a corner are connected), not
        closed. Holes are filled, as polygons in COCO's format cannot have them; pycocotools makes exactly the
        filled mask of them again.
    """
    pixels = mask.cpu().numpy().astype(np.uint8)
    x, y, width, height = cv2.boundingRect(pixels)
    if width == 0:
        return []
    # At twice the size every outline pixel u lies at a corner of an original pixel, which is (u + 1) // 2.
    double = pixels[y : y + height, x : x + width].repeat(2, axis=0).repeat(2, axis=1)
    contours, _ = cv2.findContours(double, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    offset = np.array([x, y])
    return [_corners((contour[:, 0].astype(np.int64) + 1) // 2) + offset for contour in contours]


def _corners(points: NDArray[np.int64]) -> NDArray[np.int64]:
    """The points [n, 2] of a closed outline at which it changes direction."""
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]
