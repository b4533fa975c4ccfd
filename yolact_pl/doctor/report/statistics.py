"""Statistics of a set."""

from dataclasses import dataclass

import numpy as np

from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.findings import shown, shown_name
from yolact_pl.doctor.masks import Masks

SMALL, LARGE = 32**2, 96**2
"""COCO's borders of small, medium and large objects in square pixels."""


@dataclass(frozen=True)
class ClassStatistics:
    """One class."""

    name: str
    instances: int
    images: int
    median_area: float
    """Square pixels; NaN without instances."""


@dataclass(frozen=True)
class Statistics:
    """One set; crowd regions are counted apart from the instances."""

    images: int
    images_without_objects: int
    instances: int
    crowds: int
    classes: list[ClassStatistics]
    """In the file's order."""
    image_sizes: list[tuple[int, int, int]]
    """(height, width, how many), the most frequent first."""
    objects_per_image: np.ndarray
    """[images] int64."""
    small_medium_large: tuple[int, int, int]
    areas: np.ndarray
    """[instances] float64 square pixels, those that are known."""


def count(coco_set: CocoSet, masks: Masks) -> Statistics:
    """Count what can be used."""
    instance = ~coco_set.iscrowd
    areas = np.where(np.isnan(masks.areas), coco_set.areas, masks.areas)
    known = coco_set.sizes[~np.isnan(coco_set.sizes[:, 0])].astype(np.int64)
    sizes, frequency = np.unique(known, axis=0, return_counts=True)
    order = np.argsort(-frequency, kind="stable")
    found = coco_set.image_of >= 0
    total = np.bincount(coco_set.image_of[found], minlength=len(coco_set.images))
    objects = np.bincount(coco_set.image_of[found & instance], minlength=len(coco_set.images))
    of_instances = areas[instance & ~np.isnan(areas)]
    small, large = int((of_instances < SMALL).sum()), int((of_instances >= LARGE).sum())
    return Statistics(
        images=len(coco_set.images),
        images_without_objects=int((total == 0).sum()),
        instances=int(instance.sum()),
        crowds=int(coco_set.iscrowd.sum()),
        classes=_classes(coco_set, areas, instance),
        image_sizes=[(*sizes[k].tolist(), int(frequency[k])) for k in order.tolist()],
        objects_per_image=objects,
        small_medium_large=(small, len(of_instances) - small - large, large),
        areas=of_instances,
    )


def _classes(coco_set: CocoSet, areas: np.ndarray, instance: np.ndarray) -> list[ClassStatistics]:
    chosen = np.flatnonzero((coco_set.category_of >= 0) & instance)
    chosen = chosen[np.argsort(coco_set.category_of[chosen], kind="stable")]
    starts = np.searchsorted(coco_set.category_of[chosen], np.arange(len(coco_set.categories) + 1))
    classes = []
    for row, category in enumerate(coco_set.categories):
        rows = chosen[starts[row] : starts[row + 1]]
        of_class = areas[rows][~np.isnan(areas[rows])]
        classes.append(
            ClassStatistics(
                name=shown_name(name) if type(name := category.get("name")) is str else shown(name),
                instances=len(rows),
                images=len(np.unique(coco_set.image_of[rows])),
                median_area=float(np.median(of_class)) if len(of_class) else float("nan"),
            )
        )
    return classes
