"""The classes of the released weights: the files themselves hold no names."""

from typing import NamedTuple

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


def released_classes(num_classes: int) -> Classes:
    """The classes of released weights with so many: COCO's 80, Pascal's 20, else numbered from 1."""
    if num_classes == len(COCO_CLASSES):
        return Classes(COCO_CLASSES, COCO_CATEGORY_IDS, known=True)
    if num_classes == len(PASCAL_CLASSES):
        return Classes(PASCAL_CLASSES, PASCAL_CATEGORY_IDS, known=True)
    numbers = tuple(range(1, num_classes + 1))
    return Classes(tuple(f"class {number}" for number in numbers), numbers, known=False)
