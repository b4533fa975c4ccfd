"""Metrics and results as tables and files."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from yolact_pl.atomic_file import atomic_file
from yolact_pl.evaluation.metrics import IOU_PERCENT, AveragePrecision, CocoMetrics
from yolact_pl.results.encoding import ImageResults
from yolact_pl.text_table import text_table


def format_table(metrics: CocoMetrics, boundary: AveragePrecision | None = None) -> str:
    """The field's table in percent: rows box, mask and, where given, boundary; columns all, .50 ... .95 and
    small, medium, large.
    """
    header = ["", "all", *(f".{iou}" for iou in IOU_PERCENT), "S", "M", "L"]
    rows = [
        [
            name,
            *map(_percent, (ap.all, *(ap.at_iou[iou] for iou in IOU_PERCENT), ap.small, ap.medium, ap.large)),
        ]
        for name, ap in (("box", metrics.box), ("mask", metrics.mask), ("boundary", boundary))
        if ap is not None
    ]
    return text_table([header, *rows])


def format_class_table(metrics: CocoMetrics) -> str:
    """AP and AP50 in percent of each class that has objects among the evaluated images, best masks first."""
    pairs = zip(metrics.box.per_class, metrics.mask.per_class, strict=True)
    pairs = [(box, mask) for box, mask in pairs if not math.isnan(box.ap)]
    pairs.sort(key=lambda pair: -pair[1].ap)
    rows = [[box.name, *map(_percent, (box.ap, box.ap50, mask.ap, mask.ap50))] for box, mask in pairs]
    return text_table([["class", "box", "box .50", "mask", "mask .50"], *rows])


def metrics_as_dict(metrics: CocoMetrics, conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions, and numbers 0..1 under the table's names, None where there is no object to find."""
    return {
        **conditions,
        "images": metrics.num_images,
        "box": precision_as_dict(metrics.box),
        "mask": precision_as_dict(metrics.mask),
    }


def write_metrics(metrics: CocoMetrics, folder: Path, conditions: Mapping[str, Any]) -> None:
    """Write `metrics.json` and `per_class.csv` (numbers 0..1) into a folder.

    Args:
        metrics: the numbers.
        folder: where to.
        conditions: what was measured, such as {"precision": "float32"}, for `metrics.json`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / "metrics.json") as file:
        json.dump(metrics_as_dict(metrics, conditions), file, indent=2)
        file.write("\n")
    with atomic_file(folder / "per_class.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class", "box_ap", "box_ap50", "mask_ap", "mask_ap50"])
        for box, mask in zip(metrics.box.per_class, metrics.mask.per_class, strict=True):
            numbers = (box.ap, box.ap50, mask.ap, mask.ap50)
            writer.writerow([box.name, *("" if math.isnan(x) else f"{x:.6f}" for x in numbers)])


def write_confusion_matrix(matrix: NDArray[np.int64], class_names: Sequence[str], folder: Path) -> None:
    """Write `confusion_matrix.csv`: one row per true class, one column per predicted class.

    Args:
        matrix: [C + 1, C + 1] counts; the last row and column stand for background.
        class_names: C names.
        folder: where to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [*class_names, "background"]
    with atomic_file(folder / "confusion_matrix.csv") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["truth", *names])
        writer.writerows([name, *row] for name, row in zip(names, matrix.tolist(), strict=True))


def write_results(rows: Iterable[ImageResults], folder: Path) -> None:
    """Write `bbox_detections.json` and `mask_detections.json`, COCO results that a test server takes.

    Both are written one detection at a time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images = list(rows)
    with atomic_file(folder / "bbox_detections.json") as file:
        _write_list(file, (row for image in images for row in image.box_rows()))
    with atomic_file(folder / "mask_detections.json") as file:
        _write_list(file, (row for image in images for row in image.mask_rows()))


def _write_list(file: TextIO, rows: Iterable[dict[str, Any]]) -> None:
    separator = "[\n"
    for row in rows:
        file.write(separator + json.dumps(row, separators=(",", ":"), allow_nan=False))
        separator = ",\n"
    file.write("[]\n" if separator == "[\n" else "\n]\n")


def precision_as_dict(ap: AveragePrecision) -> dict[str, float | None]:
    """Numbers 0..1 under the table's names and AR, None where there is no object to find."""
    numbers = {"all": ap.all, **{str(iou): value for iou, value in ap.at_iou.items()}}
    numbers |= {"S": ap.small, "M": ap.medium, "L": ap.large, "AR": ap.recall}
    return {name: None if math.isnan(value) else value for name, value in numbers.items()}


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:.2f}"
