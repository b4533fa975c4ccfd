"""Which images, detections and objects are worth a look."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.analysis.image_scores import image_precision
from yolact_pl.evaluation.confusion_matrix import SCORE_THRESHOLD
from yolact_pl.evaluation.matching.greedy import Overlaps
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import SetMatches
from yolact_pl.report.sections.numbers import SIZE_NAMES

WORST, BEST, OF_A_KIND, OF_A_SIZE = 6, 4, 8, 4
FOUND = 0.5
"""Mask IoU from which on an object is found."""


class Pick(NamedTuple):
    """What one picture shows."""

    image: int
    """Row of `SetMatches.image_ids`."""
    detection: int | None = None
    """Row of the detections of all images; None: no single one."""
    truth: int | None = None
    """Row of the objects of all images."""
    caption: str = ""
    """Plain text."""


class Picks(NamedTuple):
    """All pictures of a report."""

    worst: list[Pick]
    best: list[Pick]
    false: list[Pick]
    """Confident detections that are near an object, but wrong."""
    missed: dict[str, list[Pick]]
    """By size."""
    without_truth: list[Pick]
    """Confident detections where nothing is annotated."""
    without_support: list[Pick]
    """Objects that no detection of any class and score overlaps."""


def pick(matches: SetMatches) -> Picks:
    """Choose; of one image at most two detections and two objects of a kind are shown."""
    names = matches.class_names
    ranking = rank_detections(matches, "mask", iou_thresholds=[FOUND])
    wrong = np.zeros(len(matches.labels), np.bool_)
    wrong[ranking.detections] = ~ranking.right[0] & ~ranking.ignored[0]
    shown = matches.scores > SCORE_THRESHOLD
    right = ranking.right[0] & shown[ranking.detections]
    found = np.zeros(len(matches.true_labels), np.bool_)
    found[ranking.truths[0][right]] = True

    nearest_iou, nearest = _nearest(matches.mask, len(matches.labels))
    by_score = np.argsort(-matches.scores, kind="stable")
    confident = by_score[wrong[by_score] & shown[by_score]]
    near, alone = confident[nearest_iou[confident] > 0], confident[nearest_iou[confident] == 0]
    touched = np.zeros(len(matches.true_labels), np.bool_)
    touched[matches.mask.truths] = touched[matches.box.truths] = True
    lost = np.flatnonzero(~matches.iscrowd & ~found)
    lost = lost[np.argsort(-matches.true_areas[lost], kind="stable")]
    sides = np.digitize(matches.true_areas, (32**2, 96**2))

    def of_detection(d: int) -> Pick:
        caption = f"{names[int(matches.labels[d])]} {matches.scores[d]:.2f}"
        if nearest_iou[d] > 0:
            caption += f": IoU {nearest_iou[d]:.2f} with {names[int(matches.true_labels[nearest[d]])]}"
        return Pick(int(matches.images[d]), detection=d, caption=caption)

    def of_truth(n: int) -> Pick:
        side = matches.true_areas[n] ** 0.5
        caption = (
            f"{names[int(matches.true_labels[n])]}, {side:.0f} px, annotation {matches.annotation_ids[n]}"
        )
        return Pick(int(matches.true_images[n]), truth=n, caption=caption)

    worst, best = _images(matches)
    return Picks(
        worst=worst,
        best=best,
        false=[of_detection(d) for d in _spread(near, matches.images, OF_A_KIND)],
        missed={
            name: [of_truth(n) for n in _spread(rows, matches.true_images, OF_A_SIZE)]
            for k, name in enumerate(SIZE_NAMES)
            for rows in [lost[(sides[lost] == k) & touched[lost]]]
            if len(rows)
        },
        without_truth=[of_detection(d) for d in _spread(alone, matches.images, OF_A_KIND)],
        without_support=[of_truth(n) for n in _spread(lost[~touched[lost]], matches.true_images, OF_A_KIND)],
    )


def _images(matches: SetMatches) -> tuple[list[Pick], list[Pick]]:
    """The worst and the best ones by the AP of their masks; of equal ones those with the most objects."""
    ap = image_precision(matches, "mask")
    counts = np.bincount(matches.true_images[~matches.iscrowd], minlength=len(ap))
    known = np.flatnonzero(~np.isnan(ap))
    order = known[np.lexsort((-counts[known], ap[known]))].tolist()
    backwards = known[np.lexsort((-counts[known], -ap[known]))].tolist()
    worst = order[: min(WORST, (len(order) + 1) // 2)]
    best = [i for i in backwards if i not in worst][:BEST]  # in small sets, and where all are alike
    picks = [[Pick(i, caption=f"mask AP {100 * ap[i]:.0f}") for i in chosen] for chosen in (worst, best)]
    return picks[0], picks[1]


def _nearest(pairs: Overlaps, size: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The object with the largest mask IoU of each detection, and that IoU; 0 and -1 for none."""
    ious, truths = np.zeros(size, np.float32), np.full(size, -1)
    order = np.argsort(pairs.ious, kind="stable")
    ious[pairs.detections[order]] = pairs.ious[order]
    truths[pairs.detections[order]] = pairs.truths[order]
    return ious, truths


def _spread(rows: Iterable[int], images: NDArray[np.int64], limit: int) -> list[int]:
    """The first rows, at most two of an image."""
    seen: dict[int, int] = {}
    chosen = []
    for row in map(int, rows):
        image = int(images[row])
        seen[image] = seen.get(image, 0) + 1
        if seen[image] <= 2:
            chosen.append(row)
            if len(chosen) == limit:
                break
    return chosen
