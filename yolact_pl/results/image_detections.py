"""Detections of one image in the forms that other programs need."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.any_image import AnyImage, to_pixels
from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.results.detections import Detections, Rows
from yolact_pl.results.encoding import encode_detections
from yolact_pl.results.polygons import patch_polygons


@dataclass(frozen=True, repr=False, eq=False)
class ImageDetections:
    """The objects of one image, best first, as numpy arrays; N may be 0."""

    detections: Detections
    """The same without names."""
    class_names: Sequence[str]
    """Of all classes, by label."""
    category_ids: Sequence[int]
    """The id of each class in the annotation file that the network was trained on, by label."""

    @property
    def boxes(self) -> NDArray[np.float32]:
        """[N, 4] x1, y1, x2, y2 in pixels of the image."""
        return self.detections.boxes

    @property
    def masks(self) -> NDArray[np.bool_]:
        """[N, H, W], of the image's size; made when first asked for and kept from then on."""
        return self.detections.masks

    def mask(self, row: int) -> NDArray[np.bool_]:
        """[H, W]: the mask of one object, without making the others."""
        return self.detections.mask(row)

    @property
    def areas(self) -> NDArray[np.int64]:
        """[N] pixels of each mask."""
        return self.detections.areas

    @property
    def labels(self) -> NDArray[np.int64]:
        """[N], 0-based."""
        return self.detections.labels

    @property
    def names(self) -> list[str]:
        """The class of each object."""
        labels: list[int] = self.labels.tolist()
        return [self.class_names[label] for label in labels]

    @property
    def scores(self) -> NDArray[np.float32]:
        """[N] in 0..1: how sure the class is; objects are in this order."""
        return self.detections.scores

    @property
    def mask_scores(self) -> NDArray[np.float32]:
        """[N] in 0..1: how good the mask is (YOLACT++); for YOLACT the same as `scores`."""
        return self.detections.mask_scores

    @property
    def tracker_ids(self) -> NDArray[np.int64] | None:
        """[N], from 1: the same for an object in all frames of a video; None outside of `Model.track`."""
        return self.detections.tracker_ids

    @property
    def coasting(self) -> NDArray[np.bool_] | None:
        """[N]: true where a tracked object was not detected, but is shown where it is expected."""
        return self.detections.coasting

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image."""
        return self.detections.size

    def __len__(self) -> int:
        return len(self.detections)

    def __getitem__(self, rows: Rows) -> "ImageDetections":
        """Some of the objects: by index, slice, array of indices, or bool array.

        Raises:
            IndexError: an index out of range, or a bool array of another length.
        """
        return replace(self, detections=self.detections[rows])

    def __repr__(self) -> str:
        height, width = self.size
        names = self.names
        counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "nothing"
        return f"<ImageDetections: {counts} in {width}x{height} pixels>"

    def to_coco(self, image_id: int = 0) -> list[dict[str, Any]]:
        """COCO results, one an object: category_id, bbox (x, y, width, height), segmentation (compressed
        RLE), and as score the one that masks are ranked by.

        Args:
            image_id: of the image in the annotation file.
        """
        found = encode_detections(image_id, self.detections, self.category_ids)
        return [row | {"bbox": box} for row, box in zip(found.mask_rows(), found.boxes, strict=True)]

    def to_polygons(self) -> list[list[list[list[int]]]]:
        """For each object the outlines of its mask's parts, each a list of points [x, y] in pixels of the
        image, not closed; holes are filled.
        """
        return [patch_polygons(self.detections.mask_patch(row)) for row in range(len(self))]

    def to_supervision(self) -> Any:
        """A `supervision.Detections` with the names in `data["class_name"]`; `tracker_id` where tracked.

        Raises:
            ImportError: supervision is not installed.
        """
        try:
            import supervision  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ImportError("to_supervision() needs supervision: pip install supervision") from error
        return supervision.Detections(
            xyxy=self.boxes,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels,
            tracker_id=self.tracker_ids,
            data={"class_name": np.array(self.names, dtype=str)},
        )

    def draw(
        self,
        image: AnyImage,
        *,
        color_by: Literal["class", "instance", "track"] = "class",
        alpha: float = 0.45,
        boxes: bool = True,
        labels: bool = True,
    ) -> NDArray[np.uint8]:
        """A copy of the image with the objects on it, uint8 [H, W, 3] RGB; see `draw.draw_detections`.

        Args:
            image: the one that the network saw.
            color_by: "class", "instance", or of tracked objects "track".
            alpha: how much a mask covers, 0 to 1.
            boxes: whether boxes are drawn.
            labels: whether class and score are written.

        Raises:
            ValueError: the image is of another size, or an option out of its range.
        """
        return draw_detections(
            to_pixels(image),
            self.detections,
            self.class_names,
            color_by=color_by,
            alpha=alpha,
            boxes=boxes,
            labels=labels,
        )
