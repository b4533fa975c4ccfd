"""Torch beside the exported file, and their difference."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.export.verification.comparison import Rows
from yolact_pl.export.verification.report import Report, Sample
from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.inference.drawing.gallery import captioned, gallery
from yolact_pl.inference.exported.metadata import ExportMetadata
from yolact_pl.results.detections import Detections
from yolact_pl.results.input_detections import InputDetections

DRAWN = 15
"""Detections of an image."""
AMPLIFIED = 8


def write_picture(report: Report, path: Path) -> None:
    """A PNG with a row for each sample: torch, the file, and what differs, amplified; black is equal."""
    rows = [_row(sample, report.metadata) for sample in report.samples]
    if rows:
        sheet = gallery(list(chain.from_iterable(rows)), columns=3)
        cv2.imwrite(str(path), sheet[..., ::-1])


def _row(sample: Sample, metadata: ExportMetadata) -> Sequence[NDArray[np.uint8]]:
    size = sample.pixels.shape[0], sample.pixels.shape[1]
    torch_picture, file_picture = (
        draw_detections(sample.pixels, _detections(rows, size, metadata), metadata.class_names)
        for rows in (sample.expected, sample.found)
    )
    difference = AMPLIFIED * np.abs(torch_picture.astype(np.int16) - file_picture)
    return [
        captioned(torch_picture, "torch"),
        captioned(file_picture, "exported"),
        captioned(np.minimum(difference, 255).astype(np.uint8), f"difference x {AMPLIFIED}"),
    ]


def _detections(rows: Rows, size: tuple[int, int], metadata: ExportMetadata) -> Detections:
    """The best ones, in pixels of the input."""
    best = rows.at(range(min(DRAWN, len(rows.scores))))
    return InputDetections(*best, input_size=size).in_image(
        size, whole_pixels=metadata.whole_pixel_boxes, refine_boxes=metadata.refine_boxes
    )
