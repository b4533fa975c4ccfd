"""Training and evaluation samples."""

from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.annotations.rasterize import (
    coverage,
    draw_stencil,
    prototype_size,
    rasterize,
    semantic_size,
)
from yolact_pl.data.augmentation.canvas import Augmentation, Canvas, Layer
from yolact_pl.data.augmentation.occlusion import Area, ShownObjects, fit_boxes, hide_covered, join
from yolact_pl.data.resize import extract_planes, fill_up, to_planes
from yolact_pl.data.sampler import SampleKey, sample_generator
from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import read_image
from yolact_pl.images.placement import STRETCH, Resize
from yolact_pl.images.resize import resize_image
from yolact_pl.structures import ImageInfo, Target

MIN_BOX_SIDE = 1.0
"""Smallest side of a training object, in pixels of the network's input; a prototype pixel covers 4 x 4 of
them as published. (The published filter of 4/550 is compared with pixels and so drops nothing.)"""

Key = TypeVar("Key")
Info = TypeVar("Info", bound=ImageInfo)


class ImageDataset(Dataset[tuple[Tensor | np.ndarray, Info]], Generic[Key, Info]):
    """Image files with their annotations.

    Args:
        annotations: of the set.
        folder: of the image files.
        image_size: (height, width) of the samples, see `Resize`.
        resize: how images are placed on samples, see `Resize`.
        indices: positions of the set's images in the annotation file, in order; all of the file if None.
        value_range: of images with more than 8 bits, see `read_image`.
    """

    def __init__(
        self,
        annotations: Annotations,
        folder: str | Path,
        *,
        image_size: tuple[int, int],
        resize: str = STRETCH,
        indices: Sequence[int] | np.ndarray | None = None,
        value_range: ValueRange | None = None,
    ) -> None:
        self.annotations = annotations
        self.value_range = value_range
        self.folder = Path(folder)
        self.resize = Resize(resize, image_size)
        self.indices = np.arange(annotations.num_images) if indices is None else np.asarray(indices, np.int64)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: Key) -> tuple[Tensor | np.ndarray, Info]:
        raise NotImplementedError

    def read(self, index: int, *, reduction: int = 1) -> np.ndarray:
        """The image at a position of the file, uint8 [H, W, 3] RGB; maybe reduced, see `read_image`."""
        known = self.annotations
        return read_image(
            self.folder / known.file_name(index),
            known.size(index),
            reduction=reduction,
            value_range=self.value_range,
        )


class TrainDataset(ImageDataset[SampleKey | tuple[int, int] | int, Target]):
    """Augmented images, uint8 [3, H, W], with targets whose masks have the sizes that the loss needs.

    A sample is a canvas of layers, see `Canvas`; each source image is decoded and resampled once. Objects of
    which too little is inside their layer's window, or less than `MIN_BOX_SIDE` is left, are dropped.

    Args:
        annotations, folder, image_size, resize, indices, value_range: see `ImageDataset`.
        augment: composes the sample of an image.
        seed: of the augmentation.
        keep_empty_images: also images without annotations, see `HardNegativeCrossEntropy.min_negatives`.
        soft_masks: a prototype pixel of a mask is the share that the object covers, in quarters, instead of
            whether its centre is covered.
        mask_stride: pixels of the input per pixel of a mask, that of the network's prototypes.
        max_images: only the first so many images.
        reduced_decoding: decode JPEGs at 1/2, 1/4 or 1/8 of their size where the input has no more pixels:
            faster, with the finest details averaged instead of skipped.
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
        value_range: ValueRange | None = None,
        seed: int = 0,
        keep_empty_images: bool = True,
        soft_masks: bool = False,
        mask_stride: int = 4,
        max_images: int | None = None,
        reduced_decoding: bool = False,
    ) -> None:
        super().__init__(
            annotations,
            folder,
            image_size=image_size,
            resize=resize,
            indices=indices,
            value_range=value_range,
        )
        self.augment = augment
        self.seed = seed
        self.soft_masks = soft_masks
        self.mask_stride = mask_stride
        self.reduced_decoding = reduced_decoding
        num_objects = np.diff(annotations.row_starts)[self.indices]
        self.indices = self.indices[keep_empty_images | (num_objects > 0)][:max_images]

    def size(self, image: int) -> tuple[int, int]:
        """(height, width) of an image of this set in pixels."""
        return self.annotations.size(int(self.indices[image]))

    def boxes(self, image: int) -> np.ndarray:
        """[N, 4] float32 xyxy in pixels of the image, one per annotation."""
        return self.annotations.boxes[self._rows(image)]

    def iscrowd(self, image: int) -> np.ndarray:
        """[N] bool, one per annotation."""
        return self.annotations.iscrowd[self._rows(image)]

    def __getitem__(self, key: SampleKey | tuple[int, int] | int) -> tuple[Tensor, Target]:
        if isinstance(key, int):  # Lightning's overfit_batches replaces the sampler: always the first epoch
            key = SampleKey(0, key)
        elif not isinstance(key, SampleKey):
            key = SampleKey(*key)
        rng = sample_generator(self.seed, key.epoch, key.image)
        resize = self.resize if key.scale is None else self.resize.scaled(key.scale)
        canvas = self.augment.at(key.progress).compose(key.image, self, resize, rng)
        shown = [self._objects(layer, canvas) for layer in canvas.layers]
        pixels, areas = self._paint(canvas, shown, rng)
        if len(shown) > 1:
            shown = hide_covered(shown, areas, canvas.size, MIN_BOX_SIDE, canvas.min_visible or 0)
        objects = join(shown)
        masks, semantic_masks = objects.masks
        known, index = self.annotations, int(self.indices[key.image])
        return pixels, Target(
            boxes=torch.from_numpy(objects.boxes),
            labels=torch.from_numpy(known.labels[objects.rows]),
            masks=torch.from_numpy(coverage(masks) if self.soft_masks else masks),
            semantic_masks=torch.from_numpy(semantic_masks),
            iscrowd=torch.from_numpy(known.iscrowd[objects.rows]),
            image_id=int(known.image_ids[index]),
            size=known.size(index),
        )

    def _rows(self, image: int) -> slice:
        return self.annotations.rows(int(self.indices[image]))

    def _objects(self, layer: Layer, canvas: Canvas) -> ShownObjects:
        """The objects of a layer on its canvas, whatever covers them."""
        boxes, size = self.boxes(layer.image), canvas.size
        shown = layer.window.map_boxes(boxes, size)
        kept = (shown[:, 2:] - shown[:, :2] >= MIN_BOX_SIDE).all(axis=1)
        inside = layer.window.visible_share(boxes)
        if canvas.min_visible is None:
            kept &= layer.window.contains_centres(boxes)
        else:
            kept &= inside >= canvas.min_visible
        if layer.stencil is not None:
            kept &= np.isin(np.arange(len(boxes)), layer.stencil)
        chosen = np.flatnonzero(kept)
        rows = chosen + self._rows(layer.image).start
        height, width = prototype_size(size, self.mask_stride)
        drawn = (2 * height, 2 * width) if self.soft_masks else (height, width)
        masks = rasterize(self.annotations, rows, layer.window, [drawn, semantic_size(size)])
        objects = ShownObjects(rows, shown[chosen], masks)
        return objects if canvas.min_visible is None else fit_boxes(objects, size, inside[chosen] < 1)

    def _paint(
        self, canvas: Canvas, shown: Sequence[ShownObjects], rng: np.random.Generator
    ) -> tuple[Tensor, list[Area | None]]:
        """The pixels [3, H, W] of a canvas, and the area that each layer covers, see `hide_covered`."""
        images = self._read_all(canvas)
        planes = np.empty((3, *canvas.size), np.uint8)
        areas: list[Area | None] = []
        for layer, objects in zip(canvas.layers, shown, strict=True):
            image, reduction = images[layer.image]
            part, area = layer.window.cut(image, canvas.size, reduction=reduction)
            place = (slice(None), *area)
            if not areas and (layer.stencil is not None or part.shape[:2] != canvas.size):
                planes[:] = np.array(self.augment.fill, np.uint8)[:, None, None]
            areas.append(None if layer.stencil is not None else area)
            if not part.size:
                continue
            part = self.augment.recolour(part, rng)
            if layer.stencil is None:
                extract_planes(part, planes[place])
                continue
            stencil = draw_stencil(self.annotations, objects.rows, layer.window, area)
            np.copyto(planes[place], part.transpose(2, 0, 1), where=stencil)
        return torch.from_numpy(planes), areas

    def _read_all(self, canvas: Canvas) -> dict[int, tuple[np.ndarray, int]]:
        """By image, its pixels and their reduction: decoded once, as small as all of its layers allow."""
        reductions: dict[int, int] = {}
        for layer in canvas.layers:
            needed = layer.window.reduction(canvas.size) if self.reduced_decoding else 1
            reductions[layer.image] = min(needed, reductions.get(layer.image, needed))
        images = {}
        for image, reduction in reductions.items():
            pixels = self.read(int(self.indices[image]), reduction=reduction)
            images[image] = pixels, 1 if pixels.shape[:2] == self.size(image) else reduction
        return images


class EvaluationDataset(ImageDataset[int, ImageInfo]):
    """Images for evaluation, float32 [3, H, W]: resized only, without their objects."""

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
        """The objects of an image in its own pixels, masks at full size: to be drawn."""
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
