"""Detections of successive frames to tracks."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from yolact_pl.inference.tracking.assignment import assign
from yolact_pl.inference.tracking.coasting import Coasting, coast, with_coasting
from yolact_pl.inference.tracking.grid_masks import GridMask, grid_masks, grid_scale
from yolact_pl.inference.tracking.motion import Motion
from yolact_pl.inference.tracking.similarity import box_iou, cosine, mask_iou, nearness
from yolact_pl.inference.tracking.track import Sighting, Track
from yolact_pl.results.detections import Detections
from yolact_pl.results.masks import SoftMasks

T = TypeVar("T")

TRACK_BUFFER = 60
"""Frames; two seconds of a usual video."""
_SURE, _UNSURE, _TENTATIVE = 0.2, 0.5, 0.3
"""Minimal similarity to a detection above `min_score`, to one below, and of a track that was seen once."""
_COEFFICIENTS = 0.5
"""Share of the similarity that is lost where coefficients have nothing in common."""
_REACH, _REACH_PER_FRAME, _MAX_REACH = 0.5, 0.1, 4.0
"""How far from its predicted place a track may return, in its own size: at first, more per frame, at most."""


class Tracker:
    """Gives the objects of a video numbers that stay; one tracker per video, frame after frame.

    ByteTrack (Zhang et al. 2022, algorithm 1): boxes move at constant velocity; detections above `min_score`
    are given to tracks first, then weaker ones to tracks that have none. Similarity is the mean IoU of boxes
    and masks, times what coefficients have in common. A track that was lost may also return near its
    predicted place. What is not detected for a few frames coasts, see `coast`.

    Args:
        min_score: detections above start tracks; others, of any lower score, only continue them. Or one for
            each label.
        track_buffer: frames that a track survives without detection.
        top_k: of each frame at most so many objects, the best; None: all.
    """

    def __init__(
        self,
        *,
        min_score: float | Sequence[float],
        track_buffer: int = TRACK_BUFFER,
        top_k: int | None = None,
    ) -> None:
        self.min_score = np.asarray(min_score, dtype=np.float32)
        self.track_buffer = track_buffer
        self.top_k = top_k
        self._tracks: list[Track] = []
        self._motion = Motion.starting(np.zeros((0, 4)))
        self._num_tracks = 0
        self._first_frame = True

    def update(self, detections: Detections, steps: int = 1) -> Detections:
        """The tracked objects of the next frame.

        Args:
            detections: of the frame, down to a low score; with their parts, if coefficients are to help.
            steps: frames since the last call, 1 if none was dropped.

        Returns:
            Those that belong to a track, with its label, and those that coast, best first; `tracker_ids` and
            `coasting` are set, `parts` are not. An object appears with its second detection, those of the
            first frame at once.
        """
        for _ in range(min(steps, self.track_buffer + 1)):
            self._motion = self._motion.predicted()
        least = self.min_score if self.min_score.ndim == 0 else self.min_score[detections.labels]
        seen = _sightings(detections, detections.scores > least)
        matched = self._match(detections, seen)
        self._follow(seen, matched, steps)
        self._forget(detections.size)
        self._start(seen, set(matched.values()))
        self._first_frame = False
        return self._result(detections, {id(seen[row]): row for row in range(len(seen))})

    def _match(self, detections: Detections, seen: list[Sighting]) -> dict[int, int]:
        """The detection of each track that has one."""
        if not self._tracks or not seen:
            return {}
        boxes, found = self._motion.boxes, detections.boxes.astype(np.float64)
        overlap = box_iou(boxes, found)
        similarity = self._similarity(overlap, boxes, detections, seen)
        sure = np.array([one.sure for one in seen])
        numbered = np.array([track.number is not None for track in self._tracks])
        missed = np.array([track.missed for track in self._tracks])
        same_label = np.array([track.label for track in self._tracks])[:, None] == detections.labels
        reach = np.minimum(_REACH + _REACH_PER_FRAME * missed, _MAX_REACH)
        near = np.where(same_label, nearness(boxes, found, reach), 0)
        matched: dict[int, int] = {}
        for rows, columns, values, minimum in (
            (numbered, sure, similarity, _SURE),
            (numbered, ~sure, overlap, _UNSURE),
            (numbered & (missed > 0), sure, near, 0.0),
            (~numbered, sure, similarity, _TENTATIVE),
        ):
            rows, columns = rows.copy(), columns.copy()
            rows[list(matched)] = False
            columns[list(matched.values())] = False
            free, open_ = np.flatnonzero(rows), np.flatnonzero(columns)
            pairs = assign(values[np.ix_(free, open_)], minimum)
            matched |= {int(free[row]): int(open_[column]) for row, column in pairs}
        return matched

    def _similarity(
        self,
        overlap: NDArray[np.float64],
        boxes: NDArray[np.float64],
        detections: Detections,
        seen: list[Sighting],
    ) -> NDArray[np.float64]:
        """[tracks, detections] in 0..1; zero where boxes do not overlap."""
        masks = _all(one.mask for one in seen)
        earlier = _all(track.last.mask for track in self._tracks)
        if masks is not None and earlier is not None and isinstance(detections.small_masks, SoftMasks):
            last = np.stack([track.last.box for track in self._tracks])
            moves = (boxes[:, :2] + boxes[:, 2:] - last[:, :2] - last[:, 2:]) / 2
            moves = np.rint(moves * grid_scale(detections.small_masks)).astype(np.int64).tolist()
            moved = [mask.moved(x, y) for mask, (x, y) in zip(earlier, moves, strict=True)]
            overlap = (overlap + mask_iou(moved, masks, overlap > 0)) / 2
        coefficients = _all(one.coefficients for one in seen)
        own = _all(track.last.coefficients for track in self._tracks)
        if coefficients is not None and own is not None:
            alike = np.maximum(cosine(np.stack(own), np.stack(coefficients)), 0)
            overlap = overlap * (1 - _COEFFICIENTS + _COEFFICIENTS * alike)
        return overlap

    def _follow(self, seen: list[Sighting], matched: dict[int, int], steps: int) -> None:
        """Tracks take their detections; those without are hidden."""
        lost = []
        for row, track in enumerate(self._tracks):
            if row in matched:
                track.see(seen[matched[row]])
                if track.number is None:
                    self._number(track)
                continue
            if track.missed == 0:
                lost.append(row)
            track.missed += steps
        if matched:
            boxes = np.stack([seen[row].box for row in matched.values()])
            self._motion = self._motion.corrected(np.array(list(matched)), boxes)
        if lost:
            sizes = np.stack([self._tracks[row].size for row in lost])
            self._motion = self._motion.hidden(np.array(lost), sizes)

    def _forget(self, size: tuple[int, int]) -> None:
        """Drop tracks that were lost for too long, that have left the image, or that were seen but once."""
        centres = self._motion.mean[:, :2, 0]
        outside = (centres < 0) | (centres > np.array(size[::-1]))
        left = set(np.flatnonzero(outside.any(axis=1)).tolist())
        kept = [
            row
            for row, track in enumerate(self._tracks)
            if track.missed == 0
            or (track.number is not None and track.missed <= self.track_buffer and row not in left)
        ]
        self._tracks = [self._tracks[row] for row in kept]
        self._motion = self._motion.rows(np.array(kept, dtype=np.int64))

    def _start(self, seen: list[Sighting], taken: set[int]) -> None:
        """A track for each detection above `min_score` that belongs to none."""
        new = [one for row, one in enumerate(seen) if row not in taken and one.sure]
        if not new:
            return
        tracks = [Track(one) for one in new]
        if self._first_frame:
            for track in tracks:
                self._number(track)
        self._tracks = [*self._tracks, *tracks]
        self._motion = self._motion.joined(Motion.starting(np.stack([one.box for one in new])))

    def _number(self, track: Track) -> None:
        self._num_tracks += 1
        track.number = self._num_tracks

    def _result(self, detections: Detections, row_of: dict[int, int]) -> Detections:
        shown = [track for track in self._tracks if track.missed == 0 and track.number is not None]
        index = np.array([row_of[id(track.last)] for track in shown], dtype=np.int64)
        masks = [track.last.mask for track in shown if track.last.mask is not None]
        boxes, coasting = self._motion.boxes, list[Coasting]()
        for row, track in enumerate(self._tracks):
            if track.missed and track.number is not None:
                coasted = coast(track, boxes[row], detections, masks)
                coasting += [] if coasted is None else [coasted]
        result = with_coasting(detections, index, shown, coasting)
        return result[np.argsort(-result.scores, kind="stable")][: self.top_k]


def _sightings(detections: Detections, sure: NDArray[np.bool_]) -> list[Sighting]:
    boxes = detections.boxes.astype(np.float64)
    masks: list[GridMask] | list[None] = grid_masks(detections.small_masks) or [None] * len(detections)
    scores, mask_scores, labels = (
        values.tolist() for values in (detections.scores, detections.mask_scores, detections.labels)
    )
    parts = detections.parts
    return [
        Sighting(
            box=boxes[row],
            score=scores[row],
            sure=bool(sure[row]),
            mask_score=mask_scores[row],
            label=labels[row],
            mask=masks[row],
            coefficients=None if parts is None else parts.coefficients[row],
        )
        for row in range(len(detections))
    ]


def _all(values: Iterable[T | None]) -> list[T] | None:
    """The values, or None if one is missing."""
    known = list(values)
    present = [value for value in known if value is not None]
    return present if len(present) == len(known) else None
