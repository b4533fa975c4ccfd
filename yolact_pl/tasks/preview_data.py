"""task=preview_data"""

import itertools
import logging
import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from yolact_pl.config.build import build
from yolact_pl.config.missing_data import check_data
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.dataset import TrainDataset
from yolact_pl.data.sampler import SampleKey, TrainSampler
from yolact_pl.geometry.masks import resize_masks
from yolact_pl.inference.drawing.draw import draw_targets
from yolact_pl.inference.drawing.gallery import thumbnail
from yolact_pl.inference.drawing.sheet import Sheet
from yolact_pl.structures import Target

_log = logging.getLogger(__name__)
HATCH = 12
"""Pixels from one stripe over a crowd region to the next."""


def run(cfg: DictConfig) -> None:
    """Draw the first samples of a training, augmented as the network meets them, into `preview_data.png`.

    The same seed gives the same samples, here as in training, whatever the batch size.

    Raises:
        ValueError: data or options that can't be used.
    """
    for key, largest in (("samples", 1000), ("columns", 100), ("width", 4000)):
        value = cfg.task[key]
        if not isinstance(value, int) or not 1 <= value <= largest:
            raise ValueError(f"task.{key}={value}: expected a whole number from 1 to {largest}")
    data: CocoDataModule = build(cfg.dataset, batch_size=1)  # nothing here depends on what a training has
    check_data(data, cfg, "fit")
    dataset = data.train_dataloader().dataset
    assert isinstance(dataset, TrainDataset)
    columns = min(cfg.task.columns, cfg.task.samples)
    sheet = Sheet(columns, cfg.task.width)
    keys = first_keys(len(dataset), cfg.task.samples, seed=data.seed)
    objects = crowds = 0
    for row in _in_rows(keys, columns):
        top = sheet.bottom
        for column, key in enumerate(row):
            picture, target = draw_sample(dataset, key, data.classes, width=cfg.task.width)
            sheet.place(picture, _caption(dataset, key, target), column=column, top=top)
            crowds += int(target["iscrowd"].sum())
            objects += int((~target["iscrowd"]).sum())
    output = Path(cfg.output)
    output.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(output / "preview_data.png"), sheet.draw()[..., ::-1])
    _log.info(
        "%s of %s at %d x %d pixels: %s and %s are left after augmentation",
        _count(len(keys), "sample"),
        dataset.annotations.path,
        *dataset.resize.size,
        _count(objects, "object"),
        _count(crowds, "crowd region"),
    )
    _log.info("picture in %s", output / "preview_data.png")


def first_keys(num_images: int, count: int, *, seed: int) -> list[SampleKey]:
    """The first so many samples of a training on one device, over as many epochs as it takes."""
    return list(itertools.islice(_keys(num_images, seed), count))


def _keys(num_images: int, seed: int) -> Iterator[SampleKey]:
    for epoch in itertools.count():
        sampler = TrainSampler(num_images, [1], seed=seed)
        sampler.set_epoch(epoch)
        yield from sampler


def draw_sample(
    dataset: TrainDataset, key: SampleKey, class_names: tuple[str, ...], *, width: int
) -> tuple[NDArray[np.uint8], Target]:
    """A sample with its masks, boxes and labels.

    Args:
        dataset: of the sample.
        key: which, and of which epoch.
        class_names: one for each label.
        width: of the picture in pixels.

    Returns:
        [H, W, 3] RGB, and what was drawn into it: boxes in pixels of the network's input.
    """
    image, target = dataset[key]
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    # Enlarged before it is drawn into, so that lines and letters stay fine; by a whole number, so that the
    # pixels that the network gets can be told apart.
    times = max(1, math.ceil(width / pixels.shape[1]))
    enlarged = pixels.repeat(times, axis=0).repeat(times, axis=1)
    shown: Target = {**target, "boxes": target["boxes"] * times}
    named = len(class_names) > 1  # the same word at every object would only hide the small ones
    drawn = _hatch_crowds(draw_targets(enlarged, shown, class_names, labels=named), shown)
    return thumbnail(drawn, width), target


def _hatch_crowds(picture: NDArray[np.uint8], target: Target) -> NDArray[np.uint8]:
    """White stripes over the crowd regions, so that they are seen for what they are where no label fits."""
    height, width = picture.shape[:2]
    crowds = resize_masks(target["masks"][target["iscrowd"]], (height, width)).any(dim=0).numpy()
    stripes = (np.arange(height)[:, None] + np.arange(width)) % HATCH < 2
    return np.where((crowds & stripes)[..., None], np.uint8(255), picture)


def _caption(dataset: TrainDataset, key: SampleKey, target: Target) -> str:
    index = int(dataset.indices[key.image])
    crowds = int(target["iscrowd"].sum())
    objects = len(target["iscrowd"]) - crowds
    parts = [dataset.annotations.file_name(index), f"epoch {key.epoch}", _count(objects, "object")]
    return ", ".join(parts + ([_count(crowds, "crowd region")] if crowds else []))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _in_rows(keys: list[SampleKey], columns: int) -> Iterator[list[SampleKey]]:
    return (keys[start : start + columns] for start in range(0, len(keys), columns))
