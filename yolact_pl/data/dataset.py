"""Samples: pictures with what is known of them, ready for the network."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.rasterize import coverage, prototype_size, rasterize, semantic_size
from yolact_pl.data.augmentation.transforms import Augmentation
from yolact_pl.data.augmentation.window import Window
from yolact_pl.data.resize import fill_up
from yolact_pl.data.sampler import SampleKey, sample_generator
from yolact_pl.images.image_file import read_image
from yolact_pl.images.placement import STRETCH, Resize
from yolact_pl.images.resize import resize_image
from yolact_pl.structures import ImageInfo, Target

MIN_BOX_SIDE = 1.0
"""Objects of which less than this is left, in pixels of the network's input, are not trained on: a prototype
pixel covers 4 x 4 of them. (The published filter at 4/550 compares with pixels and so leaves out none.)"""

Key = TypeVar("Key")
Info = TypeVar("Info", bound=ImageInfo)


class ImageDataset(Dataset[tuple[Tensor | np.ndarray, Info]], Generic[Key, Info]):
    """What training and evaluation share: where images come from.

    Args:
        annotations: of the set.
        folder: of the image files.
        image_size: (height, width) of the samples, see `Resize`.
        resize: how images are placed on samples, see `Resize`.
        indices: the images that belong to the set, in order; all of the file if None.
    """

    def __init__(
        self,
        annotations: Annotations,
        folder: str | Path,
        *,
        image_size: tuple[int, int],
        resize: str = STRETCH,
        indices: Sequence[int] | np.ndarray | None = None,
    ) -> None:
        self.annotations = annotations
        self.folder = Path(folder)
        self.resize = Resize(resize, image_size)
        self.indices = np.arange(annotations.num_images) if indices is None else np.asarray(indices, np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Key) -> tuple[Tensor | np.ndarray, Info]:
        raise NotImplementedError

    def read(self, index: int, *, reduction: int = 1) -> np.ndarray:
        """An image by its position in the file, uint8 [H, W, 3] RGB; maybe reduced, see `read_image`."""
        known = self.annotations
        return read_image(self.folder / known.file_name(index), known.size(index), reduction=reduction)


class TrainDataset(ImageDataset[SampleKey | int, Target]):
    """Augmented images, uint8 [3, H, W], with targets whose masks have the sizes that the loss needs.

    What the augmentation shows is resized as whole images are for evaluation.

    Objects whose centre is not shown, or of which less than `MIN_BOX_SIDE` is left, are dropped.

    Args:
        annotations, folder, image_size, resize, indices: see `ImageDataset`.
        augment: chooses what is shown of an image, and how.
        seed: of the augmentation.
        keep_empty_images: also images without any annotation, which then only teach what is background.
        soft_masks: a prototype pixel of a mask is the share of it that the object covers, in quarters,
            instead of whether its centre is covered.
        max_images: only the first so many images.
        reduced_decoding: decode JPEGs at 1/2, 1/4 or 1/8 of their size where the input has no more pixels:
            faster, with finest details averaged instead of skipped.
    """

    def __init__(
        self,
        annotations: Annotations,
        folder: str | Path,
        *,
        image_size: tuple[int, int],
        augment: Augmentation,
        resize: str = STRETCH,
        indices: Sequence[int] | np.ndarray | None = None,
        seed: int = 0,
        keep_empty_images: bool = True,
        soft_masks: bool = False,
        max_images: int | None = None,
        reduced_decoding: bool = False,
    ) -> None:
        super().__init__(annotations, folder, image_size=image_size, resize=resize, indices=indices)
        self.augment = augment
        self.seed = seed
        self.soft_masks = soft_masks
        self.reduced_decoding = reduced_decoding
        num_objects = np.diff(annotations.row_starts)[self.indices]
        self.indices = self.indices[keep_empty_images | (num_objects > 0)][:max_images]

    def __getitem__(self, key: SampleKey | int) -> tuple[Tensor, Target]:
        if isinstance(
            key, int
        ):  # Lightning's overfit_batches replaces the sampler: the same sample each epoch
            key = (0, key)
        index = int(self.indices[key[1]])
        rng = sample_generator(self.seed, key)
        known = self.annotations
        rows = known.rows(index)
        boxes, iscrowd = known.boxes[rows], known.iscrowd[rows]
        window = self.augment.window(known.size(index), boxes, iscrowd, rng)
        placement = self.resize.place((window.height, window.width))
        window, size = replace(window, placement=placement), placement.canvas
        pixels = self._show(index, window, size, rng)
        shown = window.map_boxes(boxes, size)
        large = (shown[:, 2:] - shown[:, :2] >= MIN_BOX_SIDE).all(axis=1)
        kept = np.flatnonzero(large & window.contains_centres(boxes))
        masks, semantic_masks = self._masks(kept + rows.start, window, size)
        return pixels, Target(
            boxes=torch.from_numpy(shown[kept]),
            labels=torch.from_numpy(known.labels[rows][kept]),
            masks=torch.from_numpy(masks),
            semantic_masks=torch.from_numpy(semantic_masks),
            iscrowd=torch.from_numpy(iscrowd[kept]),
            image_id=int(known.image_ids[index]),
            size=known.size(index),
        )

    def _masks(self, rows: np.ndarray, window: Window, size: tuple[int, int]) -> list[np.ndarray]:
        """Masks of objects at the prototypes' and at the semantic map's resolution for an input size."""
        height, width = prototype_size(size)
        drawn = (2 * height, 2 * width) if self.soft_masks else (height, width)
        masks, semantic_masks = rasterize(self.annotations, rows, window, [drawn, semantic_size(size)])
        return [coverage(masks) if self.soft_masks else masks, semantic_masks]

    def _show(self, index: int, window: Window, size: tuple[int, int], rng: np.random.Generator) -> Tensor:
        """The pixels [3, *size] of the input; what fills the outside of the picture is not recoloured."""
        reduction = window.reduction(size) if self.reduced_decoding else 1
        image = self.read(index, reduction=reduction)
        if image.shape[:2] == self.annotations.size(index):
            reduction = 1
        part, (rows, columns) = window.cut(image, size, reduction=reduction)
        if part.size:
            part = self.augment.recolour(part, rng)
        planes = to_planes(part)
        return fill_up(planes, size, top=rows.start, left=columns.start, fill=self.augment.fill)


class EvaluationDataset(ImageDataset[int, ImageInfo]):
    """Images as they are evaluated, float32 [3, H, W]: only resized, and without their objects."""

    def __getitem__(self, key: int) -> tuple[Tensor, ImageInfo]:
        index = int(self.indices[key])
        size = self.annotations.size(index)
        placement = self.resize.place(size)
        pixels = to_planes(resize_image(self.read(index), (placement.height, placement.width)))
        info = ImageInfo(image_id=int(self.annotations.image_ids[index]), size=size)
        if self.resize.mode != STRETCH:
            info["placement"] = placement
        return fill_up(pixels, placement.canvas, top=placement.top, left=placement.left), info

    def target(self, image_id: int) -> Target:
        """What is known of an image, in its own pixels with masks at full size: to be looked at."""
        known = self.annotations
        index = int(np.flatnonzero(known.image_ids == image_id)[0])
        rows = known.rows(index)
        masks = np.zeros((rows.stop - rows.start, *known.size(index)), np.uint8)
        for mask, row in zip(masks, range(rows.start, rows.stop), strict=True):
            mask[:] = known.mask(row)
        return Target(
            boxes=torch.from_numpy(known.boxes[rows].copy()),
            labels=torch.from_numpy(known.labels[rows].copy()),
            masks=torch.from_numpy(masks.view(bool)),
            iscrowd=torch.from_numpy(known.iscrowd[rows].copy()),
            image_id=image_id,
            size=known.size(index),
        )


class DecodedDataset(ImageDataset[int, ImageInfo]):
    """Images as a predictor takes them, uint8 [H, W, 3] RGB of their own size."""

    def __getitem__(self, key: int) -> tuple[np.ndarray, ImageInfo]:
        index = int(self.indices[key])
        known = self.annotations
        return self.read(index), ImageInfo(image_id=int(known.image_ids[index]), size=known.size(index))


def to_planes(pixels: np.ndarray) -> Tensor:
    """[H, W, 3] to [3, H, W]."""
    planes = np.empty((3, *pixels.shape[:2]), pixels.dtype)
    if pixels.size:
        for channel, plane in enumerate(planes):
            cv2.extractChannel(pixels, channel, plane)
    return torch.from_numpy(planes)
