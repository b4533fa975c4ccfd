"""Matches of annotations and results that tests make."""

import gzip
import json
from typing import Any

from tests.evaluation.reading import read_content
from tests.evaluation.test_coco_ap import CASE, case_rows
from yolact_pl.evaluation.matching.metric import DetectionMatches
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.results.encoding import ImageResults


def matched(content: dict[str, Any], rows: list[ImageResults], *, boundary: bool = False) -> SetMatches:
    metric = DetectionMatches(read_content(content), boundary=boundary)
    metric.update(rows)
    return metric.compute()


def recorded() -> tuple[dict[str, Any], list[ImageResults]]:
    """50 images of 80 classes with detections of the published model."""
    with gzip.open(CASE) as file:
        case = json.load(file)
    return case["gt"], case_rows(case)
