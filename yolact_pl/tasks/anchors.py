"""task=anchors"""

import logging
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from yolact_pl.anchor_search.coverage import RECALL_IOU, Coverage, Objects
from yolact_pl.anchor_search.plot import draw_anchors
from yolact_pl.anchor_search.proposal import propose
from yolact_pl.anchor_search.report import describe_forms, level_table, size_table
from yolact_pl.anchor_search.setting import AnchorSetting
from yolact_pl.atomic_file import atomic_file
from yolact_pl.config.build import build, image_size, settle_image_size
from yolact_pl.config.missing_data import check_data
from yolact_pl.data.augmentation.window import Window
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.dataset import TrainDataset

_log = logging.getLogger(__name__)
_TARGET = "yolact_pl.models.anchors.Anchors"


def run(cfg: DictConfig) -> None:
    """Measure how well the configured anchors cover the training set, and propose better ones.

    Shows both side by side; writes `anchors.png` and `anchors.yaml`, which `model.network.anchors=` takes.

    Raises:
        ValueError: no objects to measure on, or anchors or options that can't be used.
    """
    generations = cfg.task.generations
    if not isinstance(generations, int) or generations < 0:
        raise ValueError(f"task.generations={generations}: expected 0 or more generations of the search")
    if "anchors" not in cfg.model.network:
        raise ValueError(
            "task=anchors: this model has anchor points, one per cell, and nothing to choose there"
        )
    data: CocoDataModule = build(cfg.dataset, batch_size=1)  # nothing here depends on what a training has
    check_data(data, cfg, "fit")
    settle_image_size(cfg, data)
    size = image_size(cfg)
    configured = _configured(cfg.model.network.anchors)
    dataset = data.train_dataloader().dataset
    assert isinstance(dataset, TrainDataset)
    objects = objects_of(dataset)
    proposed = propose(objects, configured, image_size=size, generations=generations, seed=cfg.seed)

    before, after = configured.build(size), proposed.build(size)
    old, new = objects.coverage(before), objects.coverage(after)
    _log.info("%s objects of %s at %d x %d pixels\n", f"{len(objects):,}", dataset.annotations.path, *size)
    _log.info("%s\n%s", size_table(objects, old, new), level_table((before, old), (after, new)))
    _log.info("configured  %s\nproposed    %s", describe_forms(before), describe_forms(after))
    if proposed == configured:
        _log.info("the search found nothing better than the configured anchors")
    output = Path(cfg.output)
    output.mkdir(parents=True, exist_ok=True)
    picture = draw_anchors(objects, (before, old), (after, new))
    cv2.imwrite(str(output / "anchors.png"), picture[..., ::-1])
    path = output / "anchors.yaml"
    with atomic_file(path) as file:
        file.write(
            anchors_yaml(proposed, f"{dataset.annotations.path}, {size[0]} x {size[1]} pixels", old, new)
        )
    _log.info("picture in %s\nto train with the proposed ones: model.network.anchors=%s",
              output / "anchors.png", path)  # fmt: skip


def objects_of(dataset: TrainDataset) -> Objects:
    """The objects of all images, which are only resized to the network's input, without crowd regions.

    Raises:
        ValueError: there are none, only crowd regions.
    """
    known = dataset.annotations
    used = np.zeros(known.num_annotations, bool)
    boxes, inputs = np.zeros_like(known.boxes), np.empty((known.num_annotations, 2), np.int64)
    for index in dataset.indices.tolist():
        rows = known.rows(index)
        used[rows] = ~known.iscrowd[rows]
        placement = dataset.resize.place(known.size(index))
        window = replace(Window.whole(known.size(index)), placement=placement)
        boxes[rows] = window.map_boxes(known.boxes[rows], placement.canvas)
        inputs[rows] = placement.canvas
    if not used.any():
        raise ValueError(f"{known.path}: no image has an object to measure anchors on; choose another file")
    return Objects(*(torch.from_numpy(column[used]) for column in (boxes, inputs, known.area)))


def anchors_yaml(setting: AnchorSetting, source: str, before: Coverage, after: Coverage) -> str:
    """The file's text: the setting, and in the comment what it was found on and how good it is there."""
    lines = [
        f"# Anchors for {len(after.iou):,} objects of {' '.join(source.split())}.",
        f"# Mean best IoU {before.mean_iou:.3f} before, {after.mean_iou:.3f} now; "
        f"recall at {RECALL_IOU} {100 * before.recall:.1f} % before, {100 * after.recall:.1f} % now.",
        "#   python run.py ... model.network.anchors=<this file>",
        f"scales: [{_numbers(setting.scales)}]   # P3..P7, pixels at reference_size",
        f"ratios: [{_numbers(setting.ratios)}]   # width / height",
        f"octaves: {setting.octaves}",
        f"square: {'true' if setting.square else 'false'}",
        f"reference_size: {setting.reference_size or 'null'}   # scales follow image_size; null: they do not",
    ]
    return "\n".join(lines) + "\n"


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


def _configured(node: DictConfig) -> AnchorSetting:
    arguments = OmegaConf.to_container(node, resolve=True)
    assert isinstance(arguments, dict)
    if arguments.get("_target_") != _TARGET:
        raise ValueError(
            f"model.network.anchors._target_={arguments.get('_target_')}: task=anchors knows {_TARGET}"
        )
    return AnchorSetting(
        scales=tuple(arguments["scales"]),
        ratios=tuple(arguments["ratios"]),
        octaves=arguments["octaves"],
        square=arguments["square"],
        reference_size=arguments["reference_size"],
    )
