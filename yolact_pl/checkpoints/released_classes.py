"""Classes of the released weights, whose files hold no names."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yolact_pl.models.weight_files import CheckpointError

COCO_CLASSES = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse",
    "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie",
    "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove",
    "skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon",
    "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse",
    "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book",
    "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
_COCO_GAPS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}
COCO_CATEGORY_IDS = tuple(number for number in range(1, 91) if number not in _COCO_GAPS)
"""COCO planned 91 categories, and the annotations kept the numbers of the 80 that stayed."""

PASCAL_CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
PASCAL_CATEGORY_IDS = tuple(range(1, 21))


class Classes(NamedTuple):
    """Names and annotation-file ids, in the order of the network's classes."""

    names: tuple[str, ...]
    category_ids: tuple[int, ...]
    known: bool
    """Whether the names are true ones; else they are numbers."""


COCO = Classes(COCO_CLASSES, COCO_CATEGORY_IDS, known=True)
PASCAL = Classes(PASCAL_CLASSES, PASCAL_CATEGORY_IDS, known=True)


def released_classes(num_classes: int, source: str | Path) -> Classes:
    """The classes of weights with so many: COCO's 80, Pascal's 20 if the file's name says so, or numbers."""
    if num_classes == len(COCO.names):
        return COCO
    if num_classes == len(PASCAL.names) and "pascal" in Path(source).name.lower():
        return PASCAL
    numbers = tuple(range(1, num_classes + 1))
    return Classes(tuple(f"class {number}" for number in numbers), numbers, known=False)


def named_classes(names: Sequence[str], num_classes: int, source: str | Path) -> Classes:
    """Classes by given names, with the ids of COCO if they are COCO's, else numbered from 1.

    Raises:
        CheckpointError: another number of them than the weights have, or names that are no text or double.
    """
    if isinstance(names, str) or not all(isinstance(name, str) and name for name in names):
        raise CheckpointError(f"class_names={names!r}: expected a list of names")
    if len(names) != num_classes:
        raise CheckpointError(f"class_names: {len(names)} names, but {source} has {num_classes} classes")
    if len(set(names)) != len(names):
        double = next(name for name in names if list(names).count(name) > 1)
        raise CheckpointError(f"class_names: {double!r} is there twice")
    ids = COCO_CATEGORY_IDS if tuple(names) == COCO_CLASSES else tuple(range(1, num_classes + 1))
    return Classes(tuple(names), ids, known=True)
