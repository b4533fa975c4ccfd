"""All numbers of an evaluation as one dictionary, for `report.json`, see docs/evaluation.md."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolact_pl.atomic_file import atomic_file
from yolact_pl.evaluation.analysis.bootstrap import ranked_set
from yolact_pl.evaluation.analysis.curves import precision_recall_curves
from yolact_pl.evaluation.analysis.image_scores import image_precision
from yolact_pl.evaluation.analysis.scores import score_histogram
from yolact_pl.evaluation.analysis.thresholds import BestThreshold, best_thresholds
from yolact_pl.evaluation.analysis.tide import Errors, count_errors
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD, confusion_matrix
from yolact_pl.evaluation.matching.precision import RECALLS
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches
from yolact_pl.evaluation.metrics import AveragePrecision
from yolact_pl.evaluation.parts.shares import PartShares
from yolact_pl.evaluation.report import precision_as_dict
from yolact_pl.report.packed_arrays import pack
from yolact_pl.report.sections.data import SetData, differences

FORMAT_VERSION = 1
FILE_NAME = "report.json"
KINDS: tuple[Kind, Kind] = ("mask", "box")
DIGITS = 4
SIZES = (0, 32, 96, np.inf)
"""Sides of small, medium and large objects in pixels: square roots of their areas."""


def report_numbers(
    *,
    measured: Mapping[str, Any],
    matches: SetMatches,
    precision: Mapping[str, AveragePrecision],
    file_names: Sequence[str],
    shares: PartShares | None = None,
    sets: Mapping[str, SetData] = MappingProxyType({}),
) -> dict[str, Any]:
    """The numbers of all sections; without ground truth only what was measured.

    Args:
        measured: checkpoint, data, engine and their settings.
        matches: of the set.
        precision: AP by "box", "mask" and "boundary"; empty without ground truth.
        file_names: of the images, in the order of the matches.
        shares: of the network's parts, where they are known.
        sets: "train" and "val", as far as they are at hand.
    """
    head = {
        "format_version": FORMAT_VERSION,
        "measured": dict(measured),
        "data": {name: _set(one) for name, one in sets.items()}
        | {"differences": differences(sets, matches.class_names)},
    }
    if not precision:
        return head
    return {
        **head,
        "ap": {kind: precision_as_dict(ap) for kind, ap in precision.items()},
        "classes": _classes(matches, precision, best_thresholds(matches)),
        "curves": {"recalls": _rounded(RECALLS), **{kind: _curves(matches, kind) for kind in KINDS}},
        "scores": {kind: _scores(matches, kind) for kind in KINDS},
        "confusion": _confusion(confusion_matrix(matches)),
        "parts": None if shares is None else _parts(shares),
        "errors": {kind: errors_as_dict(count_errors(matches, kind)) for kind in KINDS},
        "images": {
            "ids": matches.image_ids.tolist(),
            "files": list(file_names),
            "mask_ap": _rounded(image_precision(matches, "mask")),
        },
        "ranking": {kind: _ranking(matches, kind) for kind in KINDS},
    }


def write_numbers(numbers: Mapping[str, Any], folder: Path) -> Path:
    """Write `report.json` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / FILE_NAME) as file:
        json.dump(numbers, file, allow_nan=False, separators=(",", ":"))
        file.write("\n")
    return folder / FILE_NAME


def errors_as_dict(errors: Errors) -> dict[str, Any]:
    """With null for what is not defined."""
    return {
        "ap50": _number(errors.ap50),
        "costs": [{**cost._asdict(), "gain": _number(cost.gain)} for cost in errors.costs],
        "false_positive_gain": _number(errors.false_positive_gain),
        "false_negative_gain": _number(errors.false_negative_gain),
    }


def _parts(shares: PartShares) -> dict[str, Any]:
    """By size: AP, what each part costs, objects, mean mask IoUs."""
    return {
        "images": shares.num_images,
        "sizes": {
            name: {
                "ap": _number(one.ap),
                "gains": {part: _number(gain) for part, gain in one.gains.items()},
                "objects": one.objects,
                "missed": one.missed,
                "iou": {field: _number(iou) for field, iou in one.iou.items()},
            }
            for name, one in shares.sizes.items()
        },
    }


def _classes(
    matches: SetMatches, precision: Mapping[str, AveragePrecision], best: Sequence[BestThreshold]
) -> list[dict[str, Any]]:
    rows = []
    for label, (count, threshold) in enumerate(zip(matches.num_truths.tolist(), best, strict=True)):
        row: dict[str, Any] = {"name": threshold.name, "objects": count}
        for kind, ap in precision.items():
            row[f"{kind}_ap"] = _number(ap.per_class[label].ap)
            row[f"{kind}_ap50"] = _number(ap.per_class[label].ap50)
        found = {"threshold": threshold.threshold, "f1": threshold.f1}
        found |= {"precision": threshold.precision, "recall": threshold.recall}
        rows.append(row | {key: _number(value) for key, value in found.items()})
    return rows


def _curves(matches: SetMatches, kind: Kind) -> list[dict[str, Any]]:
    return [
        {
            "iou_threshold": curve.iou_threshold,
            "overall": _rounded(curve.overall),
            "per_class": [None if np.isnan(row[0]) else _rounded(row) for row in curve.per_class],
        }
        for curve in precision_recall_curves(matches, kind)
    ]


def _scores(matches: SetMatches, kind: Kind) -> dict[str, Any]:
    histogram = score_histogram(matches, kind)
    return {
        "edges": _rounded(histogram.edges),
        "right": histogram.right.tolist(),
        "wrong": histogram.wrong.tolist(),
        "mean_scores": _rounded(histogram.mean_scores),
        "calibration_error": _number(histogram.calibration_error),
    }


def _confusion(matrix: NDArray[np.int64]) -> dict[str, Any]:
    """Only cells that are not 0: a matrix of 1,203 classes has 1.4 million."""
    cells = np.argwhere(matrix)
    return {
        "score_threshold": SCORE_THRESHOLD,
        "iou_threshold": 0.5,
        "cells": [[*cell, int(matrix[tuple(cell)])] for cell in cells.tolist()],
    }


def _set(one: SetData) -> dict[str, Any]:
    return {
        "images": one.images,
        "objects": len(one.sides),
        "objects_by_size": dict(zip("SML", np.histogram(one.sides, SIZES)[0].tolist(), strict=True)),
        "objects_per_class": one.per_class.tolist(),
        "images_by_objects": np.bincount(one.per_image).tolist(),
        "median_side": None if len(one.sides) == 0 else round(float(np.median(one.sides)), 1),
    }


def _ranking(matches: SetMatches, kind: Kind) -> dict[str, Any]:
    return {
        name: pack(values)
        for name, values in ranked_set(matches, rank_detections(matches, kind))._asdict().items()
    }


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    return [_number(value, DIGITS) for value in values.tolist()]


def _number(value: float, digits: int = 6) -> float | None:
    return None if math.isnan(value) else round(float(value), digits)
