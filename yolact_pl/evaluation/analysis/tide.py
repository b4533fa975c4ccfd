"""Kinds of errors and what each costs, by the scheme of TIDE (Bolya et al., 2020)."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.greedy import Overlaps
from yolact_pl.evaluation.matching.precision import class_precision
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import MIN_IOU, Kind, SetMatches

POSITIVE = 0.5
"""IoU from which a detection finds an object."""
BACKGROUND = MIN_IOU
"""IoU up to which a detection has nothing to do with an object."""


class ErrorCost(NamedTuple):
    """One kind of error."""

    name: str
    number: int
    """Of detections, or of objects that are missed."""
    gain: float
    """AP points (0..100) that the model would gain without it; errors overlap, so gains do not add up."""


class Errors(NamedTuple):
    """All that lies between a model and AP 100 at IoU 0.5."""

    ap50: float
    """0..100; nan without objects, as all gains are then."""
    costs: list[ErrorCost]
    """Six kinds, the costliest first."""
    false_positive_gain: float
    """AP points that no wrong detection would give."""
    false_negative_gain: float
    """AP points that no missed object would give."""


class _Judged(NamedTuple):
    """What TIDE says of each detection [D] and each object [N]."""

    counted: NDArray[np.bool_]
    """[D]: in AP."""
    right: NDArray[np.bool_]
    """[D]."""
    kinds: dict[str, NDArray[np.bool_]]
    """[D] of each kind of error but `missed`."""
    fixed: NDArray[np.bool_]
    """[D]: would find `target` without its error."""
    target: NDArray[np.int64]
    """[D]."""
    missed: NDArray[np.bool_]
    """[N]."""


def count_errors(matches: SetMatches, kind: Kind) -> Errors:
    """Sort errors into six kinds (section 2.1 of the paper) and measure each by fixing it (section 2.2).

    As in the authors' `tidecv`, detections on crowd regions, which AP ignores, are sorted too. Classes
    without objects, which there count as AP 0, are left out, as in COCO's AP.
    """
    judged = _judge(matches, kind)
    num_truths = matches.num_truths

    def ap(shown: NDArray[np.bool_], fixed: NDArray[np.bool_], truths: NDArray[np.int64]) -> float:
        return _mean_ap(matches, kind, judged, shown, fixed, truths)

    none = np.zeros_like(judged.right)
    now = ap(judged.counted, none, num_truths)
    costs = []
    for name, wrong in judged.kinds.items():
        fixed = ap(judged.counted & ~wrong, wrong & judged.fixed, num_truths)
        costs.append(ErrorCost(name, int(wrong.sum()), _gain(fixed, now)))
    missed = np.bincount(matches.true_labels[judged.missed], minlength=len(num_truths))
    without = ap(judged.counted, none, num_truths - missed)
    costs.append(ErrorCost("missed", int(missed.sum()), _gain(without, now)))
    found = np.bincount(matches.labels[judged.right], minlength=len(num_truths))
    return Errors(
        ap50=now,
        costs=sorted(costs, key=lambda cost: -cost.gain),
        false_positive_gain=ap(judged.counted & judged.right, none, num_truths) - now,
        false_negative_gain=ap(judged.counted, none, found) - now,
    )


def _gain(fixed: float, now: float) -> float:
    """Not negative: sampling the curve may make AP a little lower."""
    return max(fixed - now, 0.0) if not math.isnan(now) else math.nan


def _judge(matches: SetMatches, kind: Kind) -> _Judged:
    ranking = rank_detections(matches, kind, iou_thresholds=[POSITIVE])
    size = len(matches.labels)
    right, counted, wrong = (np.zeros(size, np.bool_) for _ in range(3))
    right[ranking.detections] = ranking.right[0]
    counted[ranking.detections] = ~ranking.ignored[0]
    wrong[ranking.detections] = ~ranking.right[0]
    used = np.zeros(len(matches.true_labels), np.bool_)
    used[ranking.truths[0][ranking.right[0]]] = True

    pairs = matches.overlaps(kind)
    pairs = pairs.rows(wrong[pairs.detections] & ~matches.iscrowd[pairs.truths])
    same = matches.labels[pairs.detections] == matches.true_labels[pairs.truths]
    own_iou, own = _best(pairs.rows(same), size)
    other_iou, other = _best(pairs.rows(~same), size)
    used_iou, _ = _best(pairs.rows(same & used[pairs.truths]), size)
    any_iou = np.maximum(own_iou, other_iou)
    positive, background = np.float32(POSITIVE), np.float32(BACKGROUND)

    kinds = {}
    for name, condition in (
        ("localisation", (own_iou >= background) & (own_iou <= positive)),
        ("classification", other_iou >= positive),
        ("duplicate", used_iou >= positive),
        ("background", any_iou <= background),
        ("both", np.ones(size, np.bool_)),
    ):
        kinds[name] = wrong & condition
        wrong = wrong & ~condition

    target = np.where(kinds["localisation"], own, np.where(kinds["classification"], other, -1))
    usable = np.flatnonzero((target >= 0) & ~np.append(used, True)[target])
    usable = usable[np.argsort(-matches.ranked_by(kind)[usable], kind="stable")]
    targets, first = np.unique(target[usable], return_index=True)
    fixed = np.zeros(size, np.bool_)
    fixed[usable[first]] = True
    missed = ~matches.iscrowd & ~used
    missed[targets] = False
    return _Judged(counted, right, kinds, fixed, target, missed)


def _best(pairs: Overlaps, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The largest IoU of each detection, 0 for none, and with which object."""
    order = np.lexsort((-pairs.truths, pairs.ious, pairs.detections))
    pairs = pairs.rows(order)
    last = np.append(pairs.detections[1:] != pairs.detections[:-1], True)[: len(order)]
    ious, truths = np.zeros(size, np.float32), np.full(size, -1)
    ious[pairs.detections[last]] = pairs.ious[last]
    truths[pairs.detections[last]] = pairs.truths[last]
    return ious, truths


def _mean_ap(
    matches: SetMatches,
    kind: Kind,
    judged: _Judged,
    shown: NDArray[np.bool_],
    fixed: NDArray[np.bool_],
    num_truths: NDArray[np.int64],
) -> float:
    """AP in points of the shown detections and of fixed ones, which find their target.

    A class of which nothing is left, neither objects nor detections, does not count.
    """
    rows = np.flatnonzero(shown | fixed)
    labels = matches.labels[rows].copy()
    labels[fixed[rows]] = matches.true_labels[judged.target[rows[fixed[rows]]]]
    order = np.lexsort((-matches.ranked_by(kind)[rows], labels))
    rows, labels = rows[order], labels[order]
    right = judged.right[rows] | fixed[rows]
    aps = class_precision(labels, right, np.zeros(len(rows), np.bool_), num_truths).mean(axis=0)
    has_detections = np.bincount(labels, minlength=len(num_truths)) > 0
    aps = np.where(np.isnan(aps) & has_detections, 0.0, aps)[matches.num_truths > 0]
    aps = aps[~np.isnan(aps)]
    return 100 * float(aps.mean()) if aps.size else math.nan
