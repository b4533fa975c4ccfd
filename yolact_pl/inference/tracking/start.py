"""A predictor and a tracker that fit together."""

from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tracking.tracker import TRACK_BUFFER, Tracker

LOW_SCORE = 0.1
"""Weaker detections do not even continue tracks (ByteTrack, section 3)."""


def start_tracking(predictor: Predictor, *, track_buffer: int = TRACK_BUFFER) -> tuple[Predictor, Tracker]:
    """What tracks the objects of one video.

    Args:
        predictor: its `min_score` is what starts a track, and its `top_k` the number of tracked objects of a
            frame.
        track_buffer: frames that a track survives without detection.

    Returns:
        A predictor whose detections the tracker's `update` expects, and the tracker.
    """
    request, threshold = predictor.request, predictor.engine.score_threshold
    least = threshold if request.min_score is None else request.min_score
    tracker = Tracker(
        min_score=request.class_min_scores or least, track_buffer=track_buffer, top_k=request.top_k
    )
    detecting = predictor.with_options(min_score=min(least, max(LOW_SCORE, threshold)), top_k=None)
    try:
        return detecting.with_parts(), tracker
    except ValueError:  # an exported file without coefficients
        return detecting, tracker
