"""Shares of the parts in what mask AP lacks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolact_pl.evaluation.matching.greedy import Overlaps
from yolact_pl.evaluation.matching.precision import precision_table
from yolact_pl.evaluation.matching.ranking import rank_detections
from yolact_pl.evaluation.matching.set_matches import SetMatches, join_matches
from yolact_pl.evaluation.parts.image_parts import ImageParts
from yolact_pl.evaluation.parts.rebuilding import Rebuilt

PARTS: tuple[str, ...] = ("coefficients", "box", "prototypes", "resolution", "class/score")
SIZES = {
    "all": (0.0, np.inf),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, np.inf),
}
"""COCO's, in square pixels."""
CROWDED_IOU = 0.5


class SizeShares(NamedTuple):
    """What the objects of some sizes lose where."""

    ap: float
    """Mask AP as it is, 0..1; nan without objects, and so are the gains."""
    gains: dict[str, float]
    """AP that each of `PARTS` costs; `ap` and all gains are 1 together."""
    objects: int
    missed: int
    """Objects that no detection of their class is about."""
    iou: dict[str, float]
    """Mean mask IoU of the objects that are not missed, as made and as it could be: fields of `Rebuilt`; nan
    without any."""
    missed_iou: float
    """Mean mask IoU that the prototypes allow for the missed objects; nan without any."""


class PartShares(NamedTuple):
    """Which part of the network costs how much mask AP."""

    sizes: dict[str, SizeShares]
    """By "all", "small", "medium", "large"."""
    class_missed: dict[int, tuple[int, int]]
    """By label: missed objects, and objects."""
    taken_for_another: int
    """Missed objects that a detection of another class covers."""
    crowded: tuple[int, int]
    """Missed objects, and objects, whose box has an IoU above `CROWDED_IOU` with another one of the class."""
    num_images: int
    total_images: int
    """Of which `num_images` were looked at."""
    num_prototypes: int
    map_size: tuple[int, int]
    """(height, width) of the prototypes."""


def part_shares(
    images: Sequence[ImageParts],
    class_names: Sequence[str],
    *,
    total_images: int,
    num_prototypes: int,
    map_size: tuple[int, int],
) -> PartShares:
    """Count mask AP again with masks that were rebuilt.

    A detection that is about an object gets the object's IoU with the rebuilt mask; all else stays as it is.
    In turn coefficients, boxes, prototypes and resolution become perfect, and what is then missing is the
    share of classes and scores. Whether coefficients or boxes come first makes a difference; their shares are
    the mean of both orders (Shapley values).

    Args:
        images: that were looked at.
        class_names: by label.
        total_images: of the evaluation.
        num_prototypes: K.
        map_size: (height, width) of the prototypes.
    """
    images = sorted(images, key=lambda image: image.image_id)
    matches = join_matches([image.matches for image in images], class_names)
    objects = _Objects.join(images)
    missed = (objects.partners < 0) & ~matches.iscrowd
    crowded = objects.crowded > CROWDED_IOU
    counts = matches.num_truths
    of_class = np.bincount(matches.true_labels[missed], minlength=len(class_names))
    return PartShares(
        sizes={name: _of_size(matches, objects, name) for name in SIZES},
        class_missed={int(c): (int(of_class[c]), int(counts[c])) for c in np.flatnonzero(counts)},
        taken_for_another=int(objects.other_class.sum()),
        crowded=(int((crowded & missed).sum()), int(crowded.sum())),
        num_images=len(images),
        total_images=total_images,
        num_prototypes=num_prototypes,
        map_size=map_size,
    )


class _Objects(NamedTuple):
    """The objects of all images, in the order of `SetMatches`."""

    partners: NDArray[np.int64]
    """[N] rows of the detections of all images, -1 for none."""
    rebuilt: NDArray[np.float32]
    other_class: NDArray[np.bool_]
    crowded: NDArray[np.float32]

    @classmethod
    def join(cls, images: Sequence[ImageParts]) -> "_Objects":
        first, partners = 0, [np.zeros(0, np.int64)]
        for image in images:
            partners.append(np.where(image.partners >= 0, image.partners + first, -1))
            first += len(image.matches.labels)
        return cls(
            np.concatenate(partners),
            np.concatenate([np.zeros((0, len(Rebuilt._fields)), np.float32), *(i.rebuilt for i in images)]),
            np.concatenate([np.zeros(0, np.bool_), *(image.other_class for image in images)]),
            np.concatenate([np.zeros(0, np.float32), *(image.crowded for image in images)]),
        )


def _of_size(matches: SetMatches, objects: _Objects, name: str) -> SizeShares:
    low, high = SIZES[name]
    found = np.flatnonzero(objects.partners >= 0)

    def mask_ap(ious: NDArray[np.float32]) -> float:
        substituted = matches._replace(mask=_replaced(matches.mask, objects.partners[found], found, ious))
        table = precision_table(rank_detections(substituted, "mask", area_range=(low, high)))
        return float(np.nanmean(table)) if not np.isnan(table).all() else np.nan

    rebuilt = {field: objects.rebuilt[:, column] for column, field in enumerate(Rebuilt._fields)}
    as_is, coefficients, box, both, resolution = (mask_ap(ious[found]) for ious in rebuilt.values())
    perfect = mask_ap(np.ones(len(found), np.float32))
    counted = ~matches.iscrowd & (matches.true_areas >= low) & (matches.true_areas <= high)
    missed = counted & (objects.partners < 0)
    seen = counted & ~missed
    return SizeShares(
        ap=as_is,
        gains={
            "coefficients": ((coefficients - as_is) + (both - box)) / 2,
            "box": ((box - as_is) + (both - coefficients)) / 2,
            "prototypes": resolution - both,
            "resolution": perfect - resolution,
            "class/score": 1 - perfect,
        },
        objects=int(counted.sum()),
        missed=int(missed.sum()),
        iou={field: float(ious[seen].mean()) if seen.any() else np.nan for field, ious in rebuilt.items()},
        missed_iou=float(rebuilt["prototypes"][missed].mean()) if missed.any() else np.nan,
    )


def _replaced(
    pairs: Overlaps, detections: NDArray[np.int64], truths: NDArray[np.int64], ious: NDArray[np.float32]
) -> Overlaps:
    """The pairs with other IoUs for some detections and their objects."""
    width = int(max(pairs.truths.max(initial=-1), truths.max(initial=-1))) + 1
    stays = ~np.isin(pairs.detections * width + pairs.truths, detections * width + truths)
    kept = pairs.rows(stays)
    return Overlaps(
        np.concatenate((kept.detections, detections)),
        np.concatenate((kept.truths, truths)),
        np.concatenate((kept.ious, ious)),
    )
