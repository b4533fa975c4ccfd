"""Corrected objects as COCO annotations beside their pictures."""

import json
import threading
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import pycocotools.mask
from pydantic import BaseModel, ConfigDict, Field

from yolact_pl.atomic_file import atomic_file
from yolact_pl.data.annotations.rle import compress, read_counts
from yolact_pl.images.image_file import read_image
from yolact_pl.serving.folder import PictureFolder

FILE_NAME = "corrections.json"
_mask_api: Any = pycocotools.mask


class RunLengths(BaseModel):
    """A mask in COCO's compressed form."""

    model_config = ConfigDict(extra="forbid", strict=True)
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    """[height, width] of the picture."""
    counts: str


class CorrectedObject(BaseModel):
    """An object as it is to be learned."""

    model_config = ConfigDict(extra="ignore", strict=True)  # box and area follow from the mask
    category_id: int
    segmentation: RunLengths
    corrected: bool
    """Whether a person changed it; false: the model's mask, which a person has seen."""


class CorrectedPicture(BaseModel):
    """All objects of one picture of the folder."""

    model_config = ConfigDict(extra="forbid", strict=True)
    file_name: str
    annotations: Annotated[list[CorrectedObject], Field(max_length=10_000)]


class CorrectionError(ValueError):
    """Corrections that cannot be saved; the message is one sentence."""


class Corrections:
    """The file `corrections.json` of a folder: a COCO annotation file of the pictures saved so far.

    Args:
        folder: of the pictures.
        class_names: of the model, by label.
        category_ids: the id of each class in the data set that it was trained on.
    """

    def __init__(
        self, folder: PictureFolder, *, class_names: Sequence[str], category_ids: Sequence[int]
    ) -> None:
        self.folder = folder
        self.path = folder.path / FILE_NAME
        self.categories = [
            {"id": number, "name": name} for number, name in zip(category_ids, class_names, strict=True)
        ]
        self._lock = threading.Lock()

    def saved(self) -> set[str]:
        """Names of the pictures in the file.

        Raises:
            CorrectionError: the file is not one of ours.
        """
        return {image["file_name"] for image in self._read()["images"]}

    def save(self, picture: CorrectedPicture) -> dict[str, Any]:
        """Put a picture's objects into the file, in place of those saved before; others stay.

        Returns:
            `file`, and how many `pictures` and `annotations` it has now.

        Raises:
            CorrectionError: no such picture or class, a mask of another size or without pixels, or a file of
                that name that is not ours.
            ImageError: the picture cannot be read.
        """
        path = self.folder.picture(picture.file_name)
        if path is None:
            raise CorrectionError(f"the folder has no picture {picture.file_name[:80]!r}")
        height, width = read_image(path).shape[:2]
        rows = [self._annotation(k, one, (height, width)) for k, one in enumerate(picture.annotations, 1)]
        with self._lock:
            content = self._read()
            former = {one["file_name"]: one["id"] for one in content["images"]}
            number = former.get(picture.file_name, 1 + max(former.values(), default=0))
            images = [one for one in content["images"] if one["id"] != number]
            images.append({"id": number, "file_name": picture.file_name, "height": height, "width": width})
            kept = [one for one in content["annotations"] if one["image_id"] != number]
            free = 1 + max((one["id"] for one in kept), default=0)
            rows = [{"id": free + k, "image_id": number} | row for k, row in enumerate(rows)]
            content = {"images": images, "annotations": kept + rows, "categories": self.categories}
            with atomic_file(self.path) as file:
                json.dump(content, file, ensure_ascii=False)
        return {"file": FILE_NAME, "pictures": len(images), "annotations": len(kept) + len(rows)}

    def _annotation(self, number: int, one: CorrectedObject, size: tuple[int, int]) -> dict[str, Any]:
        if one.category_id not in {category["id"] for category in self.categories}:
            raise CorrectionError(f"object {number}: the model has no category_id {one.category_id}")
        if tuple(one.segmentation.size) != size:
            raise CorrectionError(
                f"object {number}: its mask is of size {one.segmentation.size}, the picture's is {list(size)}"
            )
        try:
            lengths = read_counts(one.segmentation.counts)
        except ValueError as error:
            raise CorrectionError(f"object {number}: {error}") from None
        pixels = size[0] * size[1]
        if (lengths < 0).any() or (lengths > pixels).any() or lengths.sum() != pixels:
            raise CorrectionError(f"object {number}: the runs of its mask do not add up to the picture")
        if lengths[1::2].sum() == 0:
            raise CorrectionError(f"object {number}: its mask is empty; leave the object out")
        code = {"size": list(size), "counts": compress(lengths.tolist(), size)}
        return {
            "category_id": one.category_id,
            "bbox": np.asarray(_mask_api.toBbox(code)).tolist(),
            "area": float(_mask_api.area(code)),
            "iscrowd": 0,
            "segmentation": {"size": list(size), "counts": code["counts"].decode("ascii")},
            "corrected": one.corrected,
        }

    def _read(self) -> dict[str, list[Any]]:
        if self.path.is_symlink():
            raise CorrectionError(f"{FILE_NAME} is a link, which is not followed: remove it")
        if not self.path.exists():
            return {"images": [], "annotations": [], "categories": self.categories}
        try:
            content = json.loads(self.path.read_bytes())
            for image in content["images"]:
                _ = image["id"] + 1, image["file_name"].encode()
            for annotation in content["annotations"]:
                _ = annotation["id"] + 1, annotation["image_id"] + 1
            same = content["categories"] == self.categories
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            raise CorrectionError(f"{FILE_NAME} of the folder is damaged: move it away") from None
        if not same:
            raise CorrectionError(f"{FILE_NAME} of the folder was made with other classes: move it away")
        return content
