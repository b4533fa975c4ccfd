"""Scores of right and wrong detections, and whether they can be read as probabilities."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import Kind, SetMatches


class ScoreHistogram(NamedTuple):
    """Detections in equal bins of their score."""

    edges: NDArray[np.float64]
    """[bins + 1] from 0 to 1."""
    right: NDArray[np.int64]
    """[bins] detections that found an object of their class."""
    wrong: NDArray[np.int64]
    """[bins] others; those on crowd regions are in neither."""
    mean_scores: NDArray[np.float64]
    """[bins], nan in empty ones."""

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, 0..1 (Guo et al., On Calibration of Modern Neural Networks, eq. 5).

        The mean distance between the score and the share of right detections, weighted by the detections in
        each bin; nan without detections.
        """
        total = self.right + self.wrong
        filled = total > 0
        if not filled.any():
            return math.nan
        distance = np.abs(self.right[filled] / total[filled] - self.mean_scores[filled])
        return float(np.average(distance, weights=total[filled]))


def score_histogram(
    matches: SetMatches, kind: Kind, *, bins: int = 20, iou_threshold: float = 0.5
) -> ScoreHistogram:
    """Count right and wrong detections by the score that the kind is ranked by."""
    ranking = rank_detections(matches, kind, iou_thresholds=[iou_threshold])
    counted, right = ~ranking.ignored[0], ranking.right[0]
    scores = ranking.scores.astype(np.float64)
    edges = np.linspace(0, 1, bins + 1)
    numbers, sums = (
        np.histogram(scores[counted], edges, weights=weights)[0] for weights in (None, scores[counted])
    )
    rights = np.histogram(scores[right], edges)[0]
    with np.errstate(invalid="ignore"):
        return ScoreHistogram(edges, right=rights, wrong=numbers - rights, mean_scores=sums / numbers)
