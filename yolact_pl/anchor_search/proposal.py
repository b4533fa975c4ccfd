"""Anchors for a data set: k-means gives a start, and an evolutionary search goes on from there.

What is compared are the anchors as the network will have them: scales in whole pixels, each in its cell.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from yolact_pl.anchor_search.coverage import Objects
from yolact_pl.anchor_search.kmeans import typical_ratios, typical_sides
from yolact_pl.anchor_search.setting import AnchorSetting

SAMPLE = 10_000
"""Objects that the search looks at; the result is checked on all."""
SACRIFICE = 0.02
"""By how much the recall of small, medium or large objects may fall where that of all gains."""
PARENTS, CHILDREN = 4, 12
MOST_CHECKED, MORE_GENERATIONS = 12, 10
FIRST_CHANGE, LAST_CHANGE = 0.25, 0.02
"""Standard deviation of the logarithm of a scale or ratio from parent to child."""
MOST_EXTREME_RATIO = 10.0


def propose(
    objects: Objects,
    configured: AnchorSetting,
    *,
    image_size: tuple[int, int],
    generations: int,
    seed: int,
) -> AnchorSetting:
    """Anchors that cover the objects better, as many as are configured.

    Their mean best IoU and their recall are both at least those of the configured anchors, and the recall of
    none of COCO's sizes falls by more than `SACRIFICE`; if nothing better is found, the configured ones are
    returned.

    Args:
        objects: of the training set.
        configured: where the search begins.
        image_size: (height, width) that anchors are scaled to.
        generations: of the search; 0 stays at the best of k-means and what is configured.
        seed: of the search.
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
        # Of a large set the search has seen a part only, in which this looked better than it is.
        search.refuse(best, missing)
        for _ in range(min(generations, MORE_GENERATIONS)):
            search.breed(LAST_CHANGE, rng)
    return configured


def by_kmeans(objects: Objects, configured: AnchorSetting, image_size: tuple[int, int]) -> AnchorSetting:
    """The typical sizes and forms of objects, as many as there are levels and ratios."""
    sizes = objects.sizes.double().numpy()
    # The octaves of a level lie at and above its scale: their middle is to be at the typical size.
    middle = 2 ** ((configured.octaves - 1) / (2 * configured.octaves))
    scales = typical_sides(sizes, len(configured.scales)) / middle
    ratios = typical_ratios(sizes, len(configured.ratios))
    ranks = np.argsort(np.argsort(configured.ratios))
    return _rounded(configured, scales, ratios[ranks], image_size)


class _Search:
    """Remembers what was tried, and how good it was."""

    def __init__(self, objects: Objects, configured: AnchorSetting, image_size: tuple[int, int]) -> None:
        self.objects = objects
        self.configured = configured
        self._image_size = image_size
        self._limits = _limits(objects, configured, image_size)
        self._tried: dict[AnchorSetting, list[float]] = {}

    def best(self, count: int) -> list[AnchorSetting]:
        """Best first, the first tried of equals."""
        return sorted(self._tried, key=self.fitness, reverse=True)[:count]

    def consider(self, settings: list[AnchorSetting]) -> None:
        """Try those that have not been tried yet."""
        for setting in settings:
            self.fitness(setting)

    def breed(self, change: float, rng: np.random.Generator) -> None:
        """Try children of the best."""
        parents = self.best(PARENTS)
        chosen = [parents[k] for k in rng.integers(len(parents), size=CHILDREN)]
        self.consider([_child(parent, change, self._image_size, rng) for parent in chosen])

    def refuse(self, setting: AnchorSetting, missing: list[float]) -> None:
        """Never give this one again, and ask for more of the qualities of which it has too little."""
        self._tried[setting] = [0.0] * len(missing)
        self._limits = [
            min(1.0, limit + 1.5 * more + 1e-4) if more else limit
            for limit, more in zip(self._limits, missing, strict=True)
        ]

    def fitness(self, setting: AnchorSetting) -> float:
        """Mean best IoU and recall together; below 0 if any quality is below its limit."""
        if setting not in self._tried:
            self._tried[setting] = _qualities(self.objects, setting, self._image_size)
        values = self._tried[setting]
        missing = sum(max(0.0, limit - value) for value, limit in zip(values, self._limits, strict=True))
        return -missing if missing else values[0] + values[1]


def _qualities(objects: Objects, setting: AnchorSetting, image_size: tuple[int, int]) -> list[float]:
    """Mean best IoU and recall of all objects, then the recall of each size, 1 where it has no objects."""
    coverage = objects.coverage(setting.build(image_size))
    sizes = [coverage.of(chosen).recall if chosen.any() else 1.0 for chosen in objects.by_size().values()]
    return [coverage.mean_iou, coverage.recall, *sizes]


def _limits(objects: Objects, configured: AnchorSetting, image_size: tuple[int, int]) -> list[float]:
    """What the qualities have to reach."""
    mean_iou, recall, *sizes = _qualities(objects, configured, image_size)
    return [mean_iou, recall, *(size - SACRIFICE for size in sizes)]


def _child(
    parent: AnchorSetting, change: float, image_size: tuple[int, int], rng: np.random.Generator
) -> AnchorSetting:
    """About half of the parent's scales and ratios, at least one, changed at random."""
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
    """Scales ascending and in whole pixels, no larger than the image; ratios with two decimals."""
    whole = np.sort(np.clip(np.round(scales), 1, max(image_size)))
    short = np.clip(ratios, 1 / MOST_EXTREME_RATIO, MOST_EXTREME_RATIO).round(2)
    return replace(like, scales=tuple(map(int, whole)), ratios=tuple(map(float, short)))


def _as_configured_where_equal(search: _Search, setting: AnchorSetting) -> AnchorSetting:
    """Take back single changes that improve nothing, as of levels that have no objects."""
    for name in ("scales", "ratios"):
        own, configured = getattr(setting, name), getattr(search.configured, name)
        for position in range(len(own)):
            if own[position] == configured[position]:
                continue
            values = (*own[:position], configured[position], *own[position + 1 :])
            other = replace(setting, **{name: values})
            ascending = list(other.scales) == sorted(other.scales)
            if ascending and search.fitness(other) >= search.fitness(setting):
                return _as_configured_where_equal(search, other)  # now others may be free to go back too
    return setting
