"""Anchors for a data set: k-means followed by an evolutionary search.

Candidates are compared as the network will use them: scales in whole pixels, anchors at cell centres.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from yolact_pl.anchor_search.coverage import Objects
from yolact_pl.anchor_search.kmeans import typical_ratios, typical_sides
from yolact_pl.anchor_search.setting import AnchorSetting

SAMPLE = 10_000
"""Objects used by the search; the result is verified on all."""
SACRIFICE = 0.02
"""Largest drop in recall of small, medium or large objects accepted for a gain over all objects."""
PARENTS, CHILDREN = 4, 12
MOST_CHECKED, MORE_GENERATIONS = 12, 10
FIRST_CHANGE, LAST_CHANGE = 0.25, 0.02
"""Standard deviation of the mutation of log scales and log ratios."""
MOST_EXTREME_RATIO = 10.0


def propose(
    objects: Objects,
    configured: AnchorSetting,
    *,
    image_size: tuple[int, int],
    generations: int,
    seed: int,
) -> AnchorSetting:
    """Anchors that cover the objects better, in the configured number.

    Mean best IoU and recall are at least those of the configured anchors, and the recall of none of COCO's
    sizes falls by more than `SACRIFICE`; if nothing better is found, the configured anchors are returned.

    Args:
        objects: of the training set.
        configured: initial candidate.
        image_size: (height, width) that anchors are scaled to.
        generations: number of search generations; 0 compares only k-means and the configured anchors.
        seed: of the random search.
    """
    start = configured.stated_for(image_size)
    rng = np.random.default_rng(seed)
    search = _Search(objects.sample(SAMPLE, rng), start, image_size)
    unsquared = replace(start, square=False)
    search.consider([start, unsquared, by_kmeans(search.objects, unsquared, image_size)])
    for generation in range(generations):
        search.breed(FIRST_CHANGE * (LAST_CHANGE / FIRST_CHANGE) ** (generation / generations), rng)
    limits = _limits(objects, configured, image_size)
    for _ in range(MOST_CHECKED):
        best = _as_configured_where_equal(search, search.best(1)[0])
        found = _qualities(objects, best, image_size)
        missing = [max(0.0, old - new) for new, old in zip(found, limits, strict=True)]
        if not any(missing):
            return best
        # The search uses a sample of large sets, on which this candidate scored better than on all objects.
        search.refuse(best, missing)
        for _ in range(min(generations, MORE_GENERATIONS)):
            search.breed(LAST_CHANGE, rng)
    return configured


def by_kmeans(objects: Objects, configured: AnchorSetting, image_size: tuple[int, int]) -> AnchorSetting:
    """Typical object sizes as scales and typical aspect ratios, one per level and configured ratio."""
    sizes = objects.sizes.double().numpy()
    # The octaves of a level lie at and above its scale; their geometric mean should match the typical size.
    middle = 2 ** ((configured.octaves - 1) / (2 * configured.octaves))
    scales = typical_sides(sizes, len(configured.scales)) / middle
    ratios = typical_ratios(sizes, len(configured.ratios))
    ranks = np.argsort(np.argsort(configured.ratios))
    return _rounded(configured, scales, ratios[ranks], image_size)


class _Search:
    """Evaluated candidates and their fitness."""

    def __init__(self, objects: Objects, configured: AnchorSetting, image_size: tuple[int, int]) -> None:
        self.objects = objects
        self.configured = configured
        self._image_size = image_size
        self._limits = _limits(objects, configured, image_size)
        self._tried: dict[AnchorSetting, list[float]] = {}

    def best(self, count: int) -> list[AnchorSetting]:
        """The fittest candidates, best first; in a tie the first evaluated."""
        return sorted(self._tried, key=self.fitness, reverse=True)[:count]

    def consider(self, settings: list[AnchorSetting]) -> None:
        """Evaluate candidates that are new."""
        for setting in settings:
            self.fitness(setting)

    def breed(self, change: float, rng: np.random.Generator) -> None:
        """Evaluate mutations of the fittest candidates."""
        parents = self.best(PARENTS)
        chosen = [parents[k] for k in rng.integers(len(parents), size=CHILDREN)]
        self.consider([_child(parent, change, self._image_size, rng) for parent in chosen])

    def refuse(self, setting: AnchorSetting, missing: list[float]) -> None:
        """Exclude a candidate, and raise the limits of the qualities that it missed."""
        self._tried[setting] = [0.0] * len(missing)
        self._limits = [
            min(1.0, limit + 1.5 * more + 1e-4) if more else limit
            for limit, more in zip(self._limits, missing, strict=True)
        ]

    def fitness(self, setting: AnchorSetting) -> float:
        """Sum of mean best IoU and recall; negative if any quality is below its limit."""
        if setting not in self._tried:
            self._tried[setting] = _qualities(self.objects, setting, self._image_size)
        values = self._tried[setting]
        missing = sum(max(0.0, limit - value) for value, limit in zip(values, self._limits, strict=True))
        return -missing if missing else values[0] + values[1]


def _qualities(objects: Objects, setting: AnchorSetting, image_size: tuple[int, int]) -> list[float]:
    """Mean best IoU and recall of all objects, then recall per COCO size, 1 for sizes without objects."""
    coverage = objects.coverage(setting.build(image_size))
    sizes = [coverage.of(chosen).recall if chosen.any() else 1.0 for chosen in objects.by_size().values()]
    return [coverage.mean_iou, coverage.recall, *sizes]


def _limits(objects: Objects, configured: AnchorSetting, image_size: tuple[int, int]) -> list[float]:
    """Lower bounds of the qualities."""
    mean_iou, recall, *sizes = _qualities(objects, configured, image_size)
    return [mean_iou, recall, *(size - SACRIFICE for size in sizes)]


def _child(
    parent: AnchorSetting, change: float, image_size: tuple[int, int], rng: np.random.Generator
) -> AnchorSetting:
    """A copy with about half of the scales and ratios mutated, at least one."""
    genes = np.log([*parent.scales, *parent.ratios])
    changed = rng.random(len(genes)) < 0.5
    changed[rng.integers(len(genes))] = True
    genes = np.exp(genes + changed * rng.normal(0, change, len(genes)))
    count = len(parent.scales)
    return _rounded(parent, genes[:count], genes[count:], image_size)


def _rounded(
    like: AnchorSetting,
    scales: NDArray[np.float64],
    ratios: NDArray[np.float64],
    image_size: tuple[int, int],
) -> AnchorSetting:
    """Ascending scales in whole pixels, at most the image's side; ratios with two decimals."""
    whole = np.sort(np.clip(np.round(scales), 1, max(image_size)))
    short = np.clip(ratios, 1 / MOST_EXTREME_RATIO, MOST_EXTREME_RATIO).round(2)
    return replace(like, scales=tuple(map(int, whole)), ratios=tuple(map(float, short)))


def _as_configured_where_equal(search: _Search, setting: AnchorSetting) -> AnchorSetting:
    """Revert single changes that improve nothing, such as on levels without objects."""
    for name in ("scales", "ratios"):
        own, configured = getattr(setting, name), getattr(search.configured, name)
        for position in range(len(own)):
            if own[position] == configured[position]:
                continue
            values = (*own[:position], configured[position], *own[position + 1 :])
            other = replace(setting, **{name: values})
            ascending = list(other.scales) == sorted(other.scales)
            if ascending and search.fitness(other) >= search.fitness(setting):
                return _as_configured_where_equal(search, other)  # others may now be revertible too
    return setting
