"""task=benchmark"""

import functools
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from omegaconf import DictConfig, ListConfig
from torch._dynamo.exc import TorchDynamoException
from torch.utils.data import DataLoader

from yolact_pl.atomic_file import atomic_file
from yolact_pl.config.build import build, build_network, image_size, resize_mode
from yolact_pl.config.exported import Exported, load_exported
from yolact_pl.config.missing_data import check_data
from yolact_pl.config.switches import check_compile, check_switches, compile_network
from yolact_pl.config.trained import Trained, load_trained
from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.dataset import EvaluationDataset
from yolact_pl.data.shape_drawing import draw_shapes
from yolact_pl.images.image_file import read_image
from yolact_pl.inference.engines.torch_engine import TorchEngine, torch_predictor
from yolact_pl.inference.measuring.benchmark import (
    BatchTimes,
    Read,
    StageTimes,
    measure_batches,
    measure_stages,
)
from yolact_pl.inference.measuring.report import BenchmarkReport, batch_numbers, benchmark_text
from yolact_pl.inference.predictor import Predictor
from yolact_pl.models.network import YolactNetwork

_log = logging.getLogger(__name__)
COCO_CLASSES = 80
SYNTHETIC_ROUNDS = 20


class Subject(NamedTuple):
    """What is measured."""

    predictor: Predictor
    name: str
    checkpoint: Path | None


class Images(NamedTuple):
    """What it is measured on."""

    reads: list[Read]
    source: str
    """Where they come from, in words."""


def run(cfg: DictConfig) -> None:
    """Measure a checkpoint, an exported file, or the untrained network of the config, on this machine.

    Shows the times of each stage and of each batch size as tables and writes them to `benchmark.json`.

    Raises:
        ValueError: checkpoint or options that can't be used.
    """
    _check_options(cfg)
    exported = load_exported(cfg)
    trained = None if exported is not None or cfg.checkpoint is None else load_trained(cfg)
    source = exported or trained
    data = _validation_set(cfg if source is None else source.cfg) if cfg.task.images > 0 else None
    if exported is not None:
        subject = _exported_subject(exported, cfg)
    else:
        subject = _untrained(cfg, data) if trained is None else _subject(trained, cfg)
    with tempfile.TemporaryDirectory() as folder:
        images = _synthetic(cfg.task, Path(folder)) if data is None else _of_data(data, cfg.task.images)
        times, batches = _measure(subject.predictor, images, cfg.task)
    report = _report(cfg, subject, images, times, batches)
    _log.info("%s", benchmark_text(report))
    output = Path(cfg.output)
    output.mkdir(parents=True, exist_ok=True)
    with atomic_file(output / "benchmark.json") as file:
        json.dump(report, file, indent=2)
        file.write("\n")
    _log.info("all numbers in %s", output / "benchmark.json")


def _check_options(cfg: DictConfig) -> None:
    check_switches(cfg, "half")
    check_compile(cfg, "task.compile")
    task = cfg.task
    if task.images < 0 or task.warmup < 0:
        raise ValueError(f"task.images={task.images}, task.warmup={task.warmup}: expected 0 or more")
    sizes = task.batch_sizes
    if not isinstance(sizes, ListConfig) or not sizes or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ValueError(f"task.batch_sizes={sizes}: expected a list of numbers of images, such as [1,2,4]")
    sides = task.synthetic_size
    if (
        not isinstance(sides, ListConfig)
        or len(sides) != 2
        or not all(isinstance(n, int) and n > 0 for n in sides)
    ):
        raise ValueError(f"task.synthetic_size={sides}: expected [height, width] in pixels")


def _validation_set(cfg: DictConfig) -> CocoDataModule | None:
    """The data set of the config; None, with a warning, if it has no validation images here."""
    data: CocoDataModule = build(cfg.dataset)
    try:
        check_data(data, cfg, "validate")
    except DataError as error:
        _log.warning("no validation images, so a synthetic one is used: %s", error)
        return None
    return data


def _subject(trained: Trained, asked: DictConfig) -> Subject:
    predictor = _predictor(trained.network, trained.cfg, trained.class_names, asked)
    return Subject(predictor, trained.cfg.name, trained.path)


def _exported_subject(exported: Exported, asked: DictConfig) -> Subject:
    if asked.task.compile:
        raise ValueError(f"task.compile={asked.task.compile} is for torch: leave it out for {exported.path}")
    return Subject(exported.predictor, exported.metadata.checkpoint.get("name", asked.name), exported.path)


def _untrained(cfg: DictConfig, data: CocoDataModule | None) -> Subject:
    """The network of the config with random weights: it takes as long as a trained one."""
    names = [f"class {label}" for label in range(COCO_CLASSES)] if data is None else data.classes
    network = build_network(cfg, len(names), pretrained=False)
    return Subject(_predictor(network, cfg, names, cfg), cfg.name, None)


def _predictor(
    network: YolactNetwork, cfg: DictConfig, class_names: Sequence[str], asked: DictConfig
) -> Predictor:
    """Of a network and its config, which a checkpoint may bring; on the device that the run asks for."""
    return torch_predictor(
        network,
        build(cfg.model.postprocess),
        class_names=class_names,
        image_size=image_size(cfg),
        resize=resize_mode(cfg),
        device=asked.device,
        half=asked.half,
    )


def _of_data(data: CocoDataModule, count: int) -> Images:
    """So many images of the validation set, taken evenly from all of it."""
    loader = data.val_dataloader()
    assert isinstance(loader, DataLoader)
    dataset = loader.dataset
    assert isinstance(dataset, EvaluationDataset)
    indices = np.linspace(0, data.val_size - 1, min(count, data.val_size)).round().astype(int).tolist()
    reads: list[Read] = [functools.partial(dataset.read, index) for index in indices]
    return Images(reads, f"{len(reads)} images of {dataset.folder}")


def _synthetic(task: DictConfig, folder: Path) -> Images:
    """One picture of shapes, read from a JPEG file each time."""
    height, width = task.synthetic_size
    pixels = draw_shapes(max(height, width), np.random.default_rng(0)).pixels[:height, :width]
    file = folder / "synthetic.jpg"
    file.write_bytes(cv2.imencode(".jpg", pixels[..., ::-1])[1].tobytes())
    count = task.images or SYNTHETIC_ROUNDS
    return Images([functools.partial(read_image, file)] * count, f"a synthetic image of {height}x{width}")


def _measure(predictor: Predictor, images: Images, task: DictConfig) -> tuple[StageTimes, list[BatchTimes]]:
    if isinstance(predictor.engine, TorchEngine):
        compile_network(predictor.engine.network, task.compile, dynamic=False)
    try:
        times = measure_stages(predictor, images.reads, warmup=task.warmup)
        batches = [
            measure_batches(predictor, images.reads, size, warmup=task.warmup) for size in task.batch_sizes
        ]
    except TorchDynamoException as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f"task.compile={task.compile}: torch can't compile this network here: {reason}"
        ) from error
    return times, batches


def _report(
    asked: DictConfig, subject: Subject, images: Images, times: StageTimes, batches: list[BatchTimes]
) -> BenchmarkReport:
    predictor = subject.predictor
    return BenchmarkReport(
        name=subject.name,
        checkpoint=None if subject.checkpoint is None else str(subject.checkpoint),
        image_size=list(predictor.image_size),
        num_classes=len(predictor.class_names),
        score_threshold=predictor.engine.score_threshold,
        engine=predictor.engine.name,
        precision=predictor.engine.precision,
        compiled=asked.task.compile,
        images=images.source,
        detections=times.detections,
        stages={name: spread._asdict() for name, spread in times.stages.items()},
        end_to_end=times.end_to_end._asdict(),
        frames_per_second=1000 / times.end_to_end.median,
        batches=[batch_numbers(batch) for batch in batches],
        machine=predictor.engine.meter.describe(),
    )
