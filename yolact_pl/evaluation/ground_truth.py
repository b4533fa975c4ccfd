"""Annotated objects as the counting libraries take them."""

from typing import Any

from yolact_pl.data.annotations.annotations import Annotations

CocoObjects = list[dict[str, Any]]
"""COCO annotations or results, as pycocotools and faster-coco-eval index them."""


class GroundTruth:
    """The annotated objects of each image, prepared when first asked for and kept from then on."""

    def __init__(self, annotations: Annotations) -> None:
        self.annotations = annotations
        self._prepared: dict[int, CocoObjects] = {}

    def objects(self, i: int) -> CocoObjects:
        """Those of image i, see `truth_objects`."""
        if i not in self._prepared:
            self._prepared[i] = truth_objects(self.annotations, i)
        return self._prepared[i]


def truth_objects(known: Annotations, i: int) -> CocoObjects:
    """The objects and crowd regions of image i: the same ones, with the same pixels, as are trained on.

    They are numbered from 1, since the libraries take the id 0 for "not matched".
    """
    rows = known.rows(i)
    return [
        {
            "id": j + 1,
            "image_id": int(known.image_ids[i]),
            "category_id": known.category_ids[known.labels[j]],
            "bbox": known.coco_boxes[j].tolist(),
            "area": float(known.area[j]),
            "iscrowd": int(known.iscrowd[j]),
            "segmentation": known.rle(j),
        }
        for j in range(rows.start, rows.stop)
    ]
