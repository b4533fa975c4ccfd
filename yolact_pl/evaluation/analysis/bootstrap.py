"""How much AP depends on which images were in the set (bootstrap; Efron, 1979)."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.precision import RECALLS
from yolact_pl.evaluation.matching.ranking import IOU_THRESHOLDS, Ranking
from yolact_pl.evaluation.matching.set_matches import SetMatches


class RankedSet(NamedTuple):
    """What AP depends on: a ranking without its scores, R detections by class, the best first."""

    images: NDArray[np.int64]
    """[R] in 0..I-1."""
    class_sizes: NDArray[np.int64]
    """[C] how many of the R belong to each class."""
    right: NDArray[np.int64]
    """[R]: bit t says whether it is right at the t-th of `IOU_THRESHOLDS`."""
    ignored: NDArray[np.int64]
    """[R], likewise."""
    true_images: NDArray[np.int64]
    """[N] in 0..I-1, crowd regions left out."""
    true_labels: NDArray[np.int64]
    """[N]."""


def ranked_set(matches: SetMatches, ranking: Ranking) -> RankedSet:
    """The ranking at all of `IOU_THRESHOLDS`, without what follows the last right detection of a class.

    Those do not change AP.
    """
    assert ranking.iou_thresholds == IOU_THRESHOLDS
    num_classes = len(ranking.num_truths)
    any_right = np.flatnonzero(ranking.right.any(axis=0))
    last = np.full(num_classes, -1)
    np.maximum.at(last, ranking.labels[any_right], any_right)
    kept = np.arange(len(ranking.labels)) <= last[ranking.labels]
    bits = (1 << np.arange(len(IOU_THRESHOLDS), dtype=np.int64))[:, None]
    right, ignored = ((flags[:, kept] * bits).sum(axis=0) for flags in (ranking.right, ranking.ignored))
    return RankedSet(
        images=matches.images[ranking.detections[kept]],
        class_sizes=np.bincount(ranking.labels[kept], minlength=num_classes),
        right=right,
        ignored=ignored,
        true_images=matches.true_images[~matches.iscrowd],
        true_labels=matches.true_labels[~matches.iscrowd],
    )


class WeightedPrecision:
    """AP of a set in which image i occurs `weights[i]` times; exact, and fast enough to be asked 1,000 times.

    Detections are ranked once: repeating an image repeats its detections in their places.

    Args:
        ranked: of the set.
    """

    def __init__(self, ranked: RankedSet) -> None:
        self.ranked = ranked
        num_classes = len(ranked.class_sizes)
        self.num_classes = num_classes
        starts = np.cumsum(ranked.class_sizes) - ranked.class_sizes
        labels = np.repeat(np.arange(num_classes), ranked.class_sizes)
        hits = [np.flatnonzero(ranked.right >> t & 1) for t in range(len(IOU_THRESHOLDS))]
        self.hits = np.concatenate(hits)
        # One segment for each threshold and class that has a hit, in the order of the hits.
        threshold = np.repeat(np.arange(len(hits)), [len(part) for part in hits])
        self.labels = labels[self.hits]
        self.segments = threshold * num_classes + self.labels
        self.first = np.flatnonzero(np.diff(self.segments, prepend=-1))
        self.segment_of_hit = np.cumsum(np.diff(self.segments, prepend=-1) > 0) - 1
        self.offset = 2.0 * (len(self.first) - self.segment_of_hit)
        self.class_start = starts[self.labels]
        self.ignored = [np.flatnonzero(ranked.ignored >> t & 1) for t in range(len(IOU_THRESHOLDS))]
        self.parts = np.cumsum([0, *(len(part) for part in hits)])

    def __call__(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """[T] AP (0..1) at each of `IOU_THRESHOLDS`, the mean over the classes with objects; nan: none."""
        ranked, hits = self.ranked, self.hits
        num_truths = np.bincount(
            ranked.true_labels, weights=weights[ranked.true_images], minlength=self.num_classes
        )
        defined = num_truths > 0
        if not defined.any():
            return np.full(len(IOU_THRESHOLDS), np.nan)
        weight = weights[ranked.images]
        seen = np.append(0, np.cumsum(weight))
        counted = (seen[hits + 1] - seen[self.class_start]).astype(np.float64)
        for t, ignored in enumerate(self.ignored):
            if len(ignored):
                part = slice(self.parts[t], self.parts[t + 1])
                counted[part] -= self._before(ignored, weight, hits[part], self.class_start[part])
        found = np.append(0, np.cumsum(weight[hits]))
        found = found[1:] - found[self.first][self.segment_of_hit]
        precision = found / np.maximum(counted, 1)
        highest = np.maximum.accumulate((precision + self.offset)[::-1])[::-1] - self.offset
        recall = found / np.maximum(num_truths[self.labels], 1)
        nearest = (100 * recall + 1e-9).astype(np.int64)
        reached = np.where(found > 0, nearest + 1 - (RECALLS[nearest] > recall), 0)
        previous = np.append(0, reached[:-1]) if len(reached) else reached
        previous[self.first] = 0
        sums = np.bincount(
            self.segments,
            weights=highest * (reached - previous),
            minlength=len(IOU_THRESHOLDS) * self.num_classes,
        ).reshape(-1, self.num_classes)
        return sums[:, defined].mean(axis=1) / 101

    @staticmethod
    def _before(
        ignored: NDArray[np.int64],
        weight: NDArray[np.int64],
        hits: NDArray[np.int64],
        start: NDArray[np.int64],
    ) -> NDArray[np.float64]:
        """The ignored detections of a hit's class that are ranked before it."""
        sums = np.append(0, np.cumsum(weight[ignored]))
        return (sums[np.searchsorted(ignored, hits)] - sums[np.searchsorted(ignored, start)]).astype(float)


def bootstrap(
    sets: Sequence[RankedSet],
    num_images: int,
    *,
    resamples: int = 1000,
    seed: int = 0,
    on_resample: Callable[[], object] = lambda: None,
) -> NDArray[np.float64]:
    """[resamples, sets, T] AP at each of `IOU_THRESHOLDS` on images drawn with repetition, the same for all.

    Args:
        sets: of the same images, in the same order.
        num_images: I.
        resamples: how often as many images are drawn.
        seed: of the draws.
        on_resample: called after each.
    """
    random = np.random.default_rng(seed)
    measured = [WeightedPrecision(ranked) for ranked in sets]
    aps = np.empty((resamples, len(sets), len(IOU_THRESHOLDS)))
    with ThreadPoolExecutor(len(sets)) as threads:
        for row in aps:
            weights = np.bincount(random.integers(num_images, size=num_images), minlength=num_images)
            row[:] = list(threads.map(lambda precision, w=weights: precision(w), measured))
            on_resample()
    return aps


def interval(values: NDArray[np.float64], *, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of resampled values; resamples without an object, nan, are left out."""
    values = values[~np.isnan(values)]
    if not values.size:
        return np.nan, np.nan
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
