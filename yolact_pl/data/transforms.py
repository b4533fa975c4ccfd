"""From a picture and its annotations to what the network takes."""

import cv2
import numpy as np
import torch

from yolact_pl.data.augmentation import Augmentation
from yolact_pl.data.coco_index import ImageObjects
from yolact_pl.data.rasterize import prototype_size, rasterize, semantic_size
from yolact_pl.data.resize import resize_image
from yolact_pl.data.window import Window
from yolact_pl.structures import Target

MIN_BOX_SIDE = 1.0
"""Objects narrower or lower than this, in pixels of the network's input, are left out of training: less than a
quarter of the smallest prototype pixel is left of them. (The published filter, 4/550, compared with pixels and so
left out nothing but empty boxes.)"""


def training_sample(
    image: np.ndarray,
    objects: ImageObjects,
    *,
    image_id: int,
    image_size: tuple[int, int],
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Target]:
    """Augment one sample: [H, W, 3] uint8 RGB and its target, boxes in pixels of the input.

    Objects whose centre lies outside of the window, or of which less than `MIN_BOX_SIDE` is left, are dropped.
    """
    size = image.shape[0], image.shape[1]
    window = augmentation.window(size, objects.boxes, objects.iscrowd, rng)
    part, (rows, columns) = window.cut(image, image_size)
    if part.size:
        part = augmentation.recolour(part, rng)
    if part.shape[:2] == image_size:
        pixels = part
    else:
        pixels = np.full((*image_size, 3), augmentation.fill, np.uint8)
        pixels[rows, columns] = part
    boxes = window.map_boxes(objects.boxes, image_size)
    large = ((boxes[:, 2:] - boxes[:, :2]) >= MIN_BOX_SIDE).all(axis=1)
    kept = np.flatnonzero(window.contains_centres(objects.boxes) & large)
    return pixels, make_target(objects, kept, boxes[kept], window, image_id, size, image_size)


def evaluation_sample(
    image: np.ndarray, objects: ImageObjects, *, image_id: int, image_size: tuple[int, int]
) -> tuple[np.ndarray, Target]:
    """One sample as it is: [H, W, 3] float32 RGB and its target, boxes in pixels of the original image.

    The masks show the whole image at the sizes that training uses; full-size ones are read from the annotation file
    by the evaluation.
    """
    size = image.shape[0], image.shape[1]
    kept = np.arange(len(objects.labels))
    target = make_target(objects, kept, objects.boxes, Window.whole(size), image_id, size, image_size)
    return resize_image(image, image_size), target


def make_target(
    objects: ImageObjects,
    kept: np.ndarray,
    boxes: np.ndarray,
    window: Window,
    image_id: int,
    size: tuple[int, int],
    image_size: tuple[int, int],
) -> Target:
    """The target of some objects of an image of (height, width) `size`, seen through a window."""
    sizes = [prototype_size(image_size), semantic_size(image_size)]
    masks, semantic_masks = rasterize(objects, kept, window, size, sizes)
    return Target(
        boxes=torch.from_numpy(np.ascontiguousarray(boxes, np.float32)),
        labels=torch.from_numpy(objects.labels[kept]),
        masks=torch.from_numpy(masks),
        semantic_masks=torch.from_numpy(semantic_masks),
        iscrowd=torch.from_numpy(objects.iscrowd[kept]),
        image_id=image_id,
        size=size,
    )


def to_planes(pixels: np.ndarray) -> torch.Tensor:
    """[H, W, 3] to [3, H, W], several times as fast as a transposed copy."""
    planes = np.empty((3, *pixels.shape[:2]), pixels.dtype)
    for channel, plane in enumerate(planes):
        cv2.extractChannel(pixels, channel, plane)
    return torch.from_numpy(planes)
