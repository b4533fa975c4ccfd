"""Training and validation set against each other."""

from collections.abc import Iterator

import numpy as np

from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import column
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.image_facts import ImageFacts
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.masks import Masks


def check_pair(
    train: CocoSet, val: CocoSet, pictures: tuple[dict[int, ImageFacts], dict[int, ImageFacts]]
) -> Iterator[Finding]:
    """Whether both know the same classes and do not share pictures; the latter is said of `val`."""
    categories = [
        {(shown(row.get("id")), shown(row.get("name"))): k for k, row in enumerate(coco_set.categories)}
        for coco_set in (train, val)
    ]
    for coco_set, own, others in ((train, *categories), (val, *reversed(categories))):
        for key in [key for key in own if key not in others] if all(categories) else ():
            detail = f"category {key[0]}, {key[1]}, is not in the other file"
            yield Finding(Kind.CLASSES_DIFFER, coco_set.split, detail, category=own[key])
    digests = {picture.digest: row for row, picture in pictures[0].items() if not picture.problem}
    files = {train.image_file(row): row for row in range(len(train.images))}
    for row in range(len(val.images)):
        picture = pictures[1].get(row)
        same = None if picture is None or picture.problem else digests.get(picture.digest)
        file = val.image_file(row)
        if same is None and file is not None:
            same = files.get(file)
        if same is not None:
            detail = (
                f"it is image {shown(train.images[same].get('id'))}, {shown(train.names[same])}, in training"
            )
            yield Finding(Kind.PICTURE_IN_BOTH, val.split, detail, image=row)


def check_classes(coco_set: CocoSet, masks: Masks) -> Iterator[Finding]:
    """Classes without objects, or a training set without any.

    Crowd regions are not learned, nor are objects without a box or a mask.
    """
    if "annotations" not in coco_set.content:
        if coco_set.content and coco_set.split == "train":
            yield Finding(Kind.NO_OBJECTS, coco_set.split, f"{coco_set.path} has no annotations")
        return
    learned = ~coco_set.iscrowd & (coco_set.boxes[:, 2:] > 0).all(axis=1) & ~np.isnan(masks.bounds[:, 0])
    used = coco_set.category_of[(coco_set.category_of >= 0) & learned]
    counts = np.bincount(used, minlength=len(coco_set.categories))
    training = coco_set.split == "train"
    if training and len(used) == 0 and len(coco_set.categories):
        yield Finding(
            Kind.NO_OBJECTS, coco_set.split, f"{coco_set.path} has no annotation that can be learned"
        )
        return
    names = column(coco_set.categories, "name")
    for row in np.flatnonzero(counts == 0).tolist():
        if row not in coco_set.repeated_categories:
            kind = Kind.CLASS_EMPTY if training else Kind.CLASS_NOT_VALIDATED
            yield Finding(kind, coco_set.split, shown(names[row]), category=row)
