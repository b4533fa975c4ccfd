"""COCO's greedy assignment of detections to objects, of all images at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Overlaps(NamedTuple):
    """P pairs of a detection and an annotated object of the same image."""

    detections: NDArray[np.int64]
    """[P]."""
    truths: NDArray[np.int64]
    """[P]."""
    ious: NDArray[np.float32]
    """[P]; with a crowd region the covered share of the detection."""

    def rows(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Overlaps":
        """Some of the pairs."""
        return Overlaps(self.detections[index], self.truths[index], self.ious[index])


def preferred_order(pairs: Overlaps, ignored: NDArray[np.bool_]) -> Overlaps:
    """The pairs by detection, its best object first: those that count before ignored ones, then by IoU.

    Of equal IoUs the later object is first, as in pycocotools.

    Args:
        pairs: in any order.
        ignored: [N], objects that do not count, crowd regions among them.
    """
    keys = (-pairs.truths, -pairs.ious, ignored[pairs.truths], pairs.detections)
    return pairs.rows(np.lexsort(keys))


def assign(
    pairs: Overlaps, rank: NDArray[np.int64], shared: NDArray[np.bool_], *, iou_threshold: float
) -> NDArray[np.int64]:
    """The object of each detection, [D] int64, -1 for none.

    In the order of their ranks, each detection takes the first of its objects that is free. That is the
    stable matching in which every object prefers the better ranked detection, found by deferred acceptance
    (Gale and Shapley, 1962): all detections ask at once, those that are refused ask their next object.

    Args:
        pairs: in `preferred_order`.
        rank: [D], 0 for the best; no two are equal.
        shared: [N], objects that any number of detections may take: crowd regions.
        iou_threshold: pairs of a lower IoU are none.
    """
    pairs = pairs.rows(pairs.ious >= np.float32(iou_threshold))
    askers, first = np.unique(pairs.detections, return_index=True)
    at = np.full(len(rank), -1)
    at[askers] = first
    end = np.zeros(len(rank), np.int64)
    end[askers] = np.append(first[1:], len(pairs.detections))
    holder = np.full(len(shared), -1)
    best = np.full(len(shared), len(rank))
    while len(askers):
        truths = pairs.truths[at[askers]]
        own = ~shared[truths]
        np.minimum.at(best, truths[own], rank[askers[own]])
        accepted = ~own | (rank[askers] == best[truths])
        taken, by = truths[accepted & own], askers[accepted & own]
        displaced = holder[taken]
        holder[taken] = by
        askers = np.concatenate((askers[~accepted], displaced[displaced >= 0]))
        at[askers] += 1
        at[askers[at[askers] == end[askers]]] = -1
        askers = askers[at[askers] >= 0]
    return np.where(at >= 0, pairs.truths[at], -1) if len(pairs.truths) else at
