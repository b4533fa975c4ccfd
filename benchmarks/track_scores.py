"""Tracks of moving shapes against the truth, by trackeval, and those of ByteTrack as a reference."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import supervision
from trackers import ByteTrackTracker
from trackeval import metrics

from yolact_pl.data.moving_shapes import TruthFrame
from yolact_pl.inference.tracking.tracker import TRACK_BUFFER, Tracker
from yolact_pl.results.detections import Detections


def track_scores(
    clip: Sequence[TruthFrame], ids: Sequence[np.ndarray], masks: Sequence[np.ndarray]
) -> dict[str, float]:
    """HOTA (Luiten et al. 2021), IDF1, MOTA and id switches (IDSW); similarity is mask IoU.

    Args:
        clip: the truth.
        ids: of each frame, the numbers [N] of the tracked objects.
        masks: of each frame, their masks [N, H, W].
    """
    truth_ids = np.unique(np.concatenate([frame.ids for frame in clip]))
    track_ids = np.unique(np.concatenate(list(ids)))
    data: dict[str, Any] = {
        "gt_ids": [np.searchsorted(truth_ids, frame.ids) for frame in clip],
        "tracker_ids": [np.searchsorted(track_ids, one) for one in ids],
        "similarity_scores": [mask_ious(frame.masks, one) for frame, one in zip(clip, masks, strict=True)],
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(track_ids),
        "num_gt_dets": sum(len(frame.ids) for frame in clip),
        "num_tracker_dets": sum(map(len, ids)),
        "num_timesteps": len(clip),
    }
    quiet = {"PRINT_CONFIG": False}
    clear = metrics.CLEAR(quiet).eval_sequence(data)
    return {
        "HOTA": float(np.mean(metrics.HOTA().eval_sequence(data)["HOTA"])),
        "IDF1": float(metrics.Identity(quiet).eval_sequence(data)["IDF1"]),
        "MOTA": float(clear["MOTA"]),
        "IDSW": float(clear["IDSW"]),
    }


def own_scores(
    clip: Sequence[TruthFrame], found: Sequence[Detections], min_score: float, *, coasting: bool = True
) -> dict[str, float]:
    """Of this project's tracker; without `coasting`, detected objects alone count."""
    tracker = Tracker(min_score=min_score)
    ids, masks = [], []
    for one in found:
        tracked = tracker.update(one)
        assert tracked.tracker_ids is not None
        assert tracked.coasting is not None
        tracked = tracked if coasting else tracked[~tracked.coasting]
        ids.append(tracked.tracker_ids)
        masks.append(tracked.masks)
    return track_scores(clip, ids, masks)


def byte_track_scores(
    clip: Sequence[TruthFrame], found: Sequence[Detections], min_score: float
) -> dict[str, float]:
    """Of the ByteTrack of the package `trackers`, with the same scores, overlap and memory."""
    reference = ByteTrackTracker(
        lost_track_buffer=TRACK_BUFFER,
        track_activation_threshold=min_score,
        high_conf_det_threshold=min_score,
        minimum_iou_threshold=0.2,
    )
    ids, masks = [], []
    for one in found:
        rows = {"row": np.arange(len(one))}
        given = supervision.Detections(xyxy=one.boxes, confidence=one.scores, data=rows)
        tracked = reference.update(given)
        numbered = tracked.tracker_id >= 0
        ids.append(tracked.tracker_id[numbered])
        masks.append(
            one.masks[np.asarray(tracked.data["row"], dtype=np.int64)[numbered]] if len(one) else one.masks
        )
    return track_scores(clip, ids, masks)


def without_coefficients(found: Sequence[Detections]) -> list[Detections]:
    """As an engine without `parts` gives them."""
    return [replace(one, parts=None) for one in found]


def boxes_alone(found: Sequence[Detections]) -> list[Detections]:
    """Their masks are not known at the prototypes' resolution."""
    return [
        Detections.from_masks(boxes=one.boxes, scores=one.scores, labels=one.labels, masks=one.masks)
        for one in found
    ]


def mask_ious(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[N, M] of masks [N, H, W] and [M, H, W]."""
    a, b = (
        np.reshape(masks, (len(masks), int(np.prod(masks.shape[1:])))).astype(np.float32)
        for masks in (first, second)
    )
    shared = a @ b.T
    return shared / np.maximum(a.sum(axis=1)[:, None] + b.sum(axis=1) - shared, 1)
