"""COCO's AP and AR of matches that are already measured."""

import numpy as np

from yolact_pl.evaluation.matching.precision import precision_table, recall_table
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches
from yolact_pl.evaluation.metrics import AveragePrecision, summarize

AREA_RANGES = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))
"""All, small, medium and large objects in square pixels, ends included, as in COCO."""


def average_precision(matches: SetMatches, kind: Kind) -> AveragePrecision:
    """All of COCO's numbers, also of boundaries, of which no library need draw those that match nothing."""
    rankings = [rank_detections(matches, kind, area_range=area) for area in AREA_RANGES]
    precision, recall = (
        np.nan_to_num(np.stack([table(ranking) for ranking in rankings], axis=-1), nan=-1)
        for table in (precision_table, recall_table)
    )
    return summarize(precision, recall, matches.class_names)
