"""Objects that are shown without a detection."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.tracking.grid_masks import GridMask, carried_mask
from yolact_pl.inference.tracking.track import Track
from yolact_pl.results.detections import Detections
from yolact_pl.results.masks import Patch, PixelMasks, SmallMasks, SoftMasks

_MAX_FRAMES = 10
_LEAST, _MOST = 0.5, 1.5
"""Area of a mask in parts of the last detection's, for it to be believed."""


class Coasting(NamedTuple):
    """An object where it is expected."""

    track: Track
    box: NDArray[np.float64]
    """xyxy in pixels of the image."""
    patch: NDArray[np.float32]
    """[h, w] in 0..1, a window of the map; [0, 0] where no mask is known."""
    corner: tuple[int, int]
    """x, y of the window."""


def coast(
    track: Track, box: NDArray[np.float64], detections: Detections, shown: Sequence[GridMask]
) -> Coasting | None:
    """What can be shown of a track without detection; None where it is believed to be hidden.

    Its last coefficients combine the prototypes of this frame inside of the predicted box: prototypes know
    where edges are now. What belongs to other objects is taken off. If that leaves much less than the last
    mask, the object is hidden; if it is much more, the coefficients mean something else by now. Without
    prototypes the box alone coasts.

    Args:
        track: lost.
        box: where it is expected, xyxy in pixels of the image.
        detections: of this frame.
        shown: the masks of the objects that were detected.
    """
    if track.missed > _MAX_FRAMES:
        return None
    height, width = detections.size
    box = np.clip(box, 0, [width, height, width, height])
    masks, last = detections.small_masks, track.last
    nothing = np.zeros((0, 0), dtype=np.float32)
    if detections.parts is None or last.coefficients is None or not isinstance(masks, SoftMasks):
        return Coasting(track, box, nothing, (0, 0))
    mask, probabilities = carried_mask(last.coefficients, detections.parts, box, masks)
    for other in shown:
        mask = mask.without(other)
    if last.mask is None or not _LEAST * last.mask.area <= mask.area <= _MOST * last.mask.area:
        return None
    return Coasting(track, box, np.where(mask.pixels, probabilities, 0), (mask.x, mask.y))


def with_coasting(
    detections: Detections, index: NDArray[np.int64], tracks: Sequence[Track], coasting: Sequence[Coasting]
) -> Detections:
    """The detections `index` of a frame as those of `tracks`, and what coasts, without parts."""
    found = detections[index]
    everyone = [*tracks, *(one.track for one in coasting)]
    last = [one.track.last for one in coasting]
    boxes = np.array([one.box for one in coasting], dtype=np.float32).reshape(-1, 4)
    scores = np.array([one.score for one in last], dtype=np.float32)
    mask_scores = np.array([one.mask_score for one in last], dtype=np.float32)
    return replace(
        found,
        boxes=np.concatenate((found.boxes, boxes)),
        scores=np.concatenate((found.scores, scores)),
        mask_scores=np.concatenate((found.mask_scores, mask_scores)),
        labels=np.array([track.label for track in everyone], dtype=np.int64),
        small_masks=_joined(found.small_masks, coasting),
        parts=None,
        tracker_ids=np.array([track.number for track in everyone], dtype=np.int64),
        coasting=np.arange(len(everyone)) >= len(tracks),
    )


def _joined(masks: SmallMasks, coasting: Sequence[Coasting]) -> SmallMasks:
    if not coasting:
        return masks
    if isinstance(masks, SoftMasks):
        corners = np.array([one.corner for one in coasting], dtype=np.int64)
        return replace(
            masks,
            patches=[*masks.patches, *(one.patch for one in coasting)],
            corners=np.concatenate((masks.corners, corners)),
        )
    nothing = Patch(np.zeros((0, 0), dtype=np.bool_), 0, 0)
    found = [masks.patch(row) for row in range(len(masks))]
    return PixelMasks([*found, *(nothing for _ in coasting)], masks.size)
