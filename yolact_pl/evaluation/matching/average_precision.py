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
    tables = []
    for table in (precision_table, recall_table):
        stacked = np.stack([table(ranking) for ranking in rankings], axis=-1)
        tables.append(np.where(np.isnan(stacked), -1, stacked))
    return summarize(*tables, matches.class_names)
