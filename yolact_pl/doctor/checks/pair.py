"""Classes of a set, and training and validation set against each other."""

from collections.abc import Iterator

import numpy as np

from yolact_pl.data.annotations.categories import unused_roots
from yolact_pl.doctor.boxes import clip_boxes
from yolact_pl.doctor.coco_set import CocoSet
from yolact_pl.doctor.columns import column
from yolact_pl.doctor.findings import Finding, shown
from yolact_pl.doctor.image_facts import ImageFacts
from yolact_pl.doctor.kinds import Kind
from yolact_pl.doctor.masks import Masks
from yolact_pl.doctor.quick import MANY_CROWDS


def check_pair(
    train: CocoSet, val: CocoSet, pictures: tuple[dict[int, ImageFacts], dict[int, ImageFacts]]
) -> Iterator[Finding]:
    """Different classes, and images in both sets, reported for `val`."""
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
    """Classes without objects, a training set without any, and many crowd regions.

    Crowd regions are not learned, nor are objects without a box or a mask.
    """
    marks = column(coco_set.annotations, "iscrowd")
    crowds, count = sum(value == 1 for value in marks), len(marks)
    if crowds > MANY_CROWDS * count:
        yield Finding(Kind.CROWDS, coco_set.split, f"{crowds} of {count} annotations have iscrowd 1")
    if "annotations" not in coco_set.content:
        if coco_set.content and coco_set.split == "train":
            yield Finding(Kind.NO_OBJECTS, coco_set.split, f"{coco_set.path} has no annotations")
        return
    boxes = coco_set.boxes
    with np.errstate(invalid="ignore", over="ignore"):
        inside = clip_boxes(
            np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1),
            coco_set.annotation_sizes[:, ::-1],
        )
        learned = ~coco_set.iscrowd & (inside[:, 2:] > inside[:, :2]).all(axis=1)
    learned &= ~np.isnan(masks.bounds[:, 0])
    used = coco_set.category_of[(coco_set.category_of >= 0) & learned]
    counts = np.bincount(used, minlength=len(coco_set.categories))
    training = coco_set.split == "train"
    if training and len(used) == 0 and len(coco_set.categories):
        yield Finding(
            Kind.NO_OBJECTS, coco_set.split, f"{coco_set.path} has no annotation that can be learned"
        )
        return
    names, parents = column(coco_set.categories, "name"), column(coco_set.categories, "supercategory")
    all_counts = np.bincount(coco_set.category_of[coco_set.category_of >= 0], minlength=len(names))
    left_out = set(unused_roots(names, parents, all_counts))
    for row in np.flatnonzero(counts == 0).tolist():
        if row not in coco_set.repeated_categories and row not in left_out:
            kind = Kind.CLASS_EMPTY if training else Kind.CLASS_NOT_VALIDATED
            yield Finding(kind, coco_set.split, shown(names[row]), category=row)
