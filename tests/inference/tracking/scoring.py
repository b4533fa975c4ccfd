"""Tracks against the truth, by trackeval."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from trackeval import metrics

from yolact_pl.data.moving_shapes import TruthFrame


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
        "similarity_scores": [_mask_iou(frame.masks, one) for frame, one in zip(clip, masks, strict=True)],
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


def _mask_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    a, b = (
        np.reshape(masks, (len(masks), int(np.prod(masks.shape[1:])))).astype(np.float32)
        for masks in (first, second)
    )
    shared = a @ b.T
    return shared / np.maximum(a.sum(axis=1)[:, None] + b.sum(axis=1) - shared, 1)
