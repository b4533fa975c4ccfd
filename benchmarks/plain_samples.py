"""Samples by the published formulation, step by step on whole pictures: what `data.py` compares with.

They show what this project's samples of the same key show: the random choices are the same.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from yolact_pl.data.annotations.annotations import Annotations
from yolact_pl.data.augmentation.photometric import PhotometricDistortion
from yolact_pl.data.augmentation.transforms import SsdAugmentation, crop_canvas, expand_canvas
from yolact_pl.data.augmentation.window import Window
from yolact_pl.data.sampler import sample_generator

MEAN = np.array([103.94, 116.78, 123.68], np.float32)
STD = np.array([57.38, 57.12, 58.40], np.float32)
"""Of ImageNet, in the order blue, green, red."""

PlainSample = tuple[Tensor, np.ndarray, np.ndarray]
"""Image [3, H, W] float32 normalised RGB, boxes [N, 4] xyxy in pixels of it, masks [N, H, W] uint8."""


class PlainTraining:
    """Training samples: distorted, put on a canvas, cropped and mirrored at full size, resized at the end."""

    def __init__(self, known: Annotations, folder: Path, size: tuple[int, int], *, seed: int = 0) -> None:
        self.known, self.folder, self.size, self.seed = known, folder, size, seed
        self.augment = SsdAugmentation()

    def __getitem__(self, key: tuple[int, int]) -> PlainSample:
        index, rng = key[1], sample_generator(self.seed, *key)
        rows = self.known.rows(index)
        image = cv2.imread(str(self.folder / self.known.file_name(index))).astype(np.float32)
        masks = np.zeros((rows.stop - rows.start, *image.shape[:2]), np.uint8)
        for mask, row in zip(masks, range(rows.start, rows.stop), strict=True):
            mask[:] = self.known.mask(row)
        boxes, iscrowd = self.known.boxes[rows].copy(), self.known.iscrowd[rows]

        canvas = Window.whole(image.shape[:2])
        if rng.random() < 0.5:
            canvas = expand_canvas(image.shape[:2], self.augment.expand, rng)
        flip = rng.random() < 0.5
        crop = crop_canvas(canvas, boxes, iscrowd, rng)
        image = distort(image, self.augment.distortion, rng)
        if canvas.left or canvas.top or canvas.width > image.shape[1] or canvas.height > image.shape[0]:
            image, masks = expand(image, masks, canvas, self.augment.fill)

        kept = crop.contains_centres(boxes)
        left, top = crop.left - canvas.left, crop.top - canvas.top
        image = image[top : top + crop.height, left : left + crop.width]
        masks = masks[kept, top : top + crop.height, left : left + crop.width]
        boxes = boxes[kept] - np.array([crop.left, crop.top] * 2, np.float32)
        boxes = np.clip(boxes, 0, np.array([crop.width, crop.height] * 2, np.float32))
        if flip:
            image, masks = image[:, ::-1], masks[:, :, ::-1]
            boxes[:, [0, 2]] = crop.width - boxes[:, [2, 0]]

        height, width = self.size
        image = cv2.resize(np.ascontiguousarray(image), (width, height))
        if len(masks):
            stacked = cv2.resize(np.ascontiguousarray(masks.transpose(1, 2, 0)), (width, height))
            masks = stacked.reshape(height, width, -1).transpose(2, 0, 1)
        boxes *= np.array([width / crop.width, height / crop.height] * 2, np.float32)
        return normalised(image), boxes, masks


class PlainEvaluation:
    """Evaluation samples: float, resized, normalised, turned to planes, all on the CPU."""

    def __init__(self, known: Annotations, folder: Path, size: tuple[int, int]) -> None:
        self.known, self.folder, self.size = known, folder, size

    def __getitem__(self, index: int) -> Tensor:
        image = cv2.imread(str(self.folder / self.known.file_name(index))).astype(np.float32)
        return normalised(cv2.resize(image, self.size[::-1]))


def distort(image: np.ndarray, distortion: PhotometricDistortion, rng: np.random.Generator) -> np.ndarray:
    """Brightness, contrast, saturation and hue of a float picture [H, W, 3], whose colours are BGR."""
    chosen = rng.random(5) < 0.5
    shift = rng.uniform(-distortion.brightness, distortion.brightness) if chosen[0] else None
    gain = rng.uniform(*distortion.contrast) if chosen[1] else None
    saturation = rng.uniform(*distortion.saturation) if chosen[2] else None
    turn = rng.uniform(-distortion.hue, distortion.hue) if chosen[3] else None
    if shift is not None:
        image += shift
    if gain is not None and chosen[4]:
        image *= gain
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    if saturation is not None:
        hsv[:, :, 1] *= saturation
    if turn is not None:
        hsv[:, :, 0] += turn
        hsv[:, :, 0][hsv[:, :, 0] > 360] -= 360
        hsv[:, :, 0][hsv[:, :, 0] < 0] += 360
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if gain is not None and not chosen[4]:
        image *= gain
    return image


def expand(
    image: np.ndarray, masks: np.ndarray, canvas: Window, fill: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Picture and masks as part of a larger canvas."""
    height, width = image.shape[:2]
    place = (slice(-canvas.top, height - canvas.top), slice(-canvas.left, width - canvas.left))
    larger = np.empty((canvas.height, canvas.width, 3), np.float32)
    larger[:] = fill[::-1]
    larger[place] = image
    larger_masks = np.zeros((len(masks), canvas.height, canvas.width), np.uint8)
    larger_masks[(slice(None), *place)] = masks
    return larger, larger_masks


def normalised(image: np.ndarray) -> Tensor:
    """[H, W, 3] BGR in 0..255 to [3, H, W] RGB of mean 0 and deviation 1."""
    image = (image - MEAN) / STD
    return torch.from_numpy(np.ascontiguousarray(image[:, :, ::-1])).permute(2, 0, 1)


def collate(samples: Sequence[PlainSample]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Images in one piece, boxes and float masks [N, H, W] of each."""
    images, boxes, masks = zip(*samples, strict=True)
    return (
        torch.stack(images),
        [torch.from_numpy(part) for part in boxes],
        [torch.from_numpy(part.astype(np.float32)) for part in masks],
    )


def pixels_of(image: Tensor) -> np.ndarray:
    """A normalised image as bytes [H, W, 3] RGB again, to compare."""
    pixels = image.permute(1, 2, 0).numpy() * STD[::-1] + MEAN[::-1]
    return np.clip(pixels, 0, 255).round().astype(np.uint8)
