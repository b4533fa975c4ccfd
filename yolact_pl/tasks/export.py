"""task=export"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, ListConfig, OmegaConf
from torch.utils.data import DataLoader

from yolact_pl.checkpoints.published import is_published
from yolact_pl.cli.progress_bar import progress_bar
from yolact_pl.config.build import build, image_size, resize_mode, stored_value_range
from yolact_pl.config.switches import check_switches
from yolact_pl.config.trained import Trained, load_trained
from yolact_pl.config.typed_keys import typed_keys
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.dataset import EvaluationDataset
from yolact_pl.data.shape_drawing import draw_shapes
from yolact_pl.export.folder import complete_folder
from yolact_pl.export.formats.format import Format
from yolact_pl.export.formats.registry import FORMATS, find_format
from yolact_pl.export.quantisation.acceptance import settle_float_layers
from yolact_pl.export.quantisation.calibration import calibration_inputs, training_images
from yolact_pl.export.quantisation.plan import Quantisation
from yolact_pl.export.quantisation.trials import Trial
from yolact_pl.export.source import Source, check_installed, describe
from yolact_pl.export.verification.average_precision import average_precision, decoded_images
from yolact_pl.export.verification.check import check_export
from yolact_pl.export.verification.picture import write_picture
from yolact_pl.export.verification.report import Report
from yolact_pl.images.placement import SHORTEST_EDGE, Resize
from yolact_pl.inference.engines.engine import Engine
from yolact_pl.inference.engines.exported_engine import ExportedEngine
from yolact_pl.inference.engines.torch_engine import TorchEngine
from yolact_pl.inference.exported.metadata import CHOICES, ExportError
from yolact_pl.inference.exported.model_file import FAILED, exported_file
from yolact_pl.inference.options import is_count, is_number, nearest
from yolact_pl.inference.predictor import Predictor
from yolact_pl.postprocess import Postprocess

_log = logging.getLogger(__name__)
CHECKED_IMAGES = 4
INT8 = "int8"
SMALLEST_SIDE = 32
METADATA, CHECK = "metadata.json", "check"
OF_POSTPROCESS = ("nms", "iou_threshold", "score_threshold", "max_detections")


class CheckedImages(NamedTuple):
    """What torch and the file are compared on."""

    images: list[NDArray[np.uint8]]
    origin: str
    data: CocoDataModule | None
    """The data set to measure AP on; only if the command line names it."""


def run(cfg: DictConfig) -> None:
    """Write a checkpoint as a file for another runtime, and compare it with torch.

    Writes the model, `metadata.json`, `check.txt`, `check.json` and `check.png` to the output.

    Raises:
        ValueError: options or a checkpoint that can't be used; at the end, a file that differs from torch.
    """
    started = time.monotonic()
    written_by = _check_options(cfg)
    layout = cfg.layout or written_by.layouts[0]
    with _step("checkpoint"):
        trained = _load(cfg)
        source = _source(cfg, trained, layout)
    checked = _images(cfg, trained, source) if cfg.check or cfg.precision == INT8 else None
    if checked is not None and cfg.precision == INT8:
        source.quantisation = Quantisation(_calibration(cfg, source, checked))
    folder, failed = Path(cfg.output), f"{written_by.model}{FAILED}"
    stale = (written_by.model, failed, METADATA, *(f"{CHECK}.{suffix}" for suffix in ("txt", "json", "png")))
    failure = None
    with complete_folder(folder, stale) as temporary:
        with _step(f"{cfg.format} {cfg.precision}"):
            written_by.write(source, layout, temporary)
        if checked is not None and cfg.check:
            report = _check(cfg, source, written_by, temporary, checked)
            failure = report.failure
            if failure is not None:
                (temporary / written_by.model).rename(temporary / failed)
        (temporary / METADATA).write_text(source.metadata.to_json() + "\n", encoding="utf-8")
    if failure is not None:
        raise ValueError(
            f"{folder / failed} does not compute what torch computes: {failure}; see {folder / CHECK}.txt"
        )
    _log.info("done in %.0f s, %s:\n%s", time.monotonic() - started, folder, written_by.usage(folder))


def _load(cfg: DictConfig) -> Trained:
    checkpoint = cfg.checkpoint
    if checkpoint is not None and not is_published(checkpoint) and exported_file(checkpoint) is not None:
        raise ExportError(f"checkpoint={checkpoint} was exported already: give the checkpoint it was made of")
    anchors: Any = OmegaConf.to_container(cfg.anchors) if OmegaConf.is_config(cfg.anchors) else cfg.anchors
    names = [str(name) for name in cfg.class_names] if cfg.class_names is not None else None
    return load_trained(cfg, class_names=names, anchors=anchors)


def _source(cfg: DictConfig, trained: Trained, layout: str) -> Source:
    network = trained.network.cpu().eval()
    changes = {key: cfg[key] for key in OF_POSTPROCESS if cfg[key] is not None}
    postprocess = Postprocess(**{**vars(build(trained.cfg.model.postprocess)), **changes})
    size, resize = image_size(trained.cfg), resize_mode(trained.cfg)
    if not all(is_count(side) and side >= SMALLEST_SIDE for side in size):
        raise ValueError(
            f"image_size={list(size)}: expected a side or [height, width], at least {SMALLEST_SIDE} pixels"
        )
    dynamic = resize == SHORTEST_EDGE if cfg.dynamic_size is None else cfg.dynamic_size
    if resize == SHORTEST_EDGE and not dynamic:
        raise ValueError(f"dynamic_size=false: inputs vary in size with resize={resize}; leave it out")
    values = stored_value_range(trained.cfg)
    metadata = describe(
        network,
        postprocess,
        layout=layout,
        input=cfg.input,
        image_size=size,
        dynamic_size=dynamic,
        resize=resize,
        image_value_range=None if values is None else (values.low, values.high),
        class_names=tuple(trained.class_names),
        category_ids=tuple(trained.category_ids),
        class_thresholds=trained.class_thresholds,
        precision=cfg.precision,
        checkpoint=trained.path,
        licence=cfg.licence,
    )
    return Source(network, postprocess, metadata)


def _calibration(cfg: DictConfig, source: Source, checked: CheckedImages) -> list[NDArray[Any]]:
    """Inputs of training images; where there are none, of drawn shapes."""
    if cfg.check and checked.data is None:
        raise ValueError(
            "precision=int8 is accepted by the AP that it reaches, and no validation images are here: name a "
            "data set by dataset=..., or give check=false"
        )
    images = training_images(checked.data, cfg.calibration_images) if checked.data is not None else ()
    inputs = list(calibration_inputs(images, source.metadata))
    if not inputs:
        _log.info("no training images here: int8 is calibrated on drawn shapes")
        inputs = list(calibration_inputs(_drawn(source), source.metadata))
    return inputs


def _check(
    cfg: DictConfig, source: Source, written_by: Format, folder: Path, checked: CheckedImages
) -> Report:
    """Compare, measure, and write the report; the model is written again with what was measured."""
    trials: list[Trial] = []
    if cfg.precision == INT8 and checked.data is not None:
        trials = _int8_trials(cfg, source, written_by, folder, checked.data)
    with _step(f"check on {len(checked.images)} images"):
        report = check_export(source, written_by, folder, checked.images, checked.origin)
    if trials:
        report.ap, report.max_ap_drop, report.trials = source.metadata.ap, cfg.max_ap_drop, trials
    elif checked.data is not None and source.metadata.layout != "raw" and report.failure is None:
        with _step("AP of both"):
            report.ap = _ap_of_both(source, written_by, folder, checked.data)
            source.with_metadata(ap=report.ap)
            written_by.write(source, source.metadata.layout, folder)
    (folder / f"{CHECK}.txt").write_text(report.to_text(), encoding="utf-8")
    (folder / f"{CHECK}.json").write_text(report.to_json(), encoding="utf-8")
    write_picture(report, folder / f"{CHECK}.png")
    _log.info("%s", report.to_text())
    return report


def _int8_trials(
    cfg: DictConfig, source: Source, written_by: Format, folder: Path, data: CocoDataModule
) -> list[Trial]:
    """Find the layers that have to stay in float, and write the model so."""
    with _step("AP in float"):
        expected = _ap(source, TorchEngine(source.network, source.postprocess, device="cpu"), data)
    with _step("AP in int8"):
        trials = settle_float_layers(
            source,
            written_by,
            lambda session: _ap(source, ExportedEngine(session, session.metadata), data),
            expected=expected,
            max_ap_drop=cfg.max_ap_drop,
            layer_bar=lambda count: progress_bar(count, "layer"),
            say=_log.info,
        )
    source.with_metadata(ap={"torch": expected, "exported": dict(trials[-1].ap)})
    written_by.write(source, source.metadata.layout, folder)
    return trials


def _ap_of_both(
    source: Source, written_by: Format, folder: Path, data: CocoDataModule
) -> dict[str, dict[str, float]]:
    engines = {
        "torch": TorchEngine(source.network, source.postprocess, device="cpu"),
        "exported": ExportedEngine(written_by.open(folder), source.metadata),
    }
    return {name: _ap(source, engine, data) for name, engine in engines.items()}


def _ap(source: Source, engine: Engine, data: CocoDataModule) -> dict[str, float]:
    about = source.metadata
    resize = Resize(about.resize, about.image_size)
    predictor = Predictor(engine, class_names=about.class_names, resize=resize)
    with progress_bar(data.val_size, "image") as bar:
        return average_precision(predictor, decoded_images(data), data.val_annotations, bar.update)


def _images(cfg: DictConfig, trained: Trained, source: Source) -> CheckedImages:
    """Of the validation set, taken evenly from all of it; without one, drawn."""
    named = any(key.split(".")[0] in ("dataset", "experiment") for key in typed_keys())
    try:
        data = trained.data()
        loader = data.val_dataloader()
    except ValueError as error:
        if named:
            raise
        _log.info("no validation images here (%s): drawn shapes are used", error)
        return CheckedImages(_drawn(source), "drawn shapes", None)
    assert isinstance(loader, DataLoader)
    dataset = loader.dataset
    assert isinstance(dataset, EvaluationDataset)
    count = min(CHECKED_IMAGES, data.val_size)
    indices = np.linspace(0, data.val_size - 1, count).round().astype(int).tolist()
    images = [dataset.read(index) for index in indices]
    measured = named or cfg.precision == INT8
    return CheckedImages(images, f"of {dataset.folder}", data if measured else None)


def _drawn(source: Source) -> list[NDArray[np.uint8]]:
    """Shapes, upright and lying."""
    side, generator = max(source.metadata.image_size), np.random.default_rng(0)
    pictures = [draw_shapes(side, generator).pixels for _ in range(CHECKED_IMAGES)]
    cut = side * 3 // 4
    return [pixels[:cut] if index % 2 else pixels[:, :cut] for index, pixels in enumerate(pictures)]


def _check_options(cfg: DictConfig) -> Format:
    """The format.

    Raises:
        ValueError: an option that is not known, or out of its range.
    """
    check_switches(cfg, "check", *([] if cfg.dynamic_size is None else ["dynamic_size"]))
    written_by = find_format(_known("format", cfg.format, tuple(FORMATS)))
    for key in ("layout", "input", "precision"):
        if cfg[key] is not None or key != "layout":
            _known(key, cfg[key], CHOICES[key])
    if cfg.precision not in written_by.precisions:
        possible = " or ".join(written_by.precisions)
        raise ValueError(f"precision={cfg.precision}: format={cfg.format} is written in {possible}")
    if cfg.layout is not None and cfg.layout not in written_by.layouts:
        possible = " or ".join(written_by.layouts)
        raise ValueError(f"layout={cfg.layout}: format={cfg.format} is written with layout={possible}")
    if cfg.nms is not None:
        _known("nms", cfg.nms, CHOICES["nms"])
    for key in ("iou_threshold", "score_threshold"):
        if cfg[key] is not None and not (is_number(cfg[key]) and 0 <= cfg[key] < 1):
            raise ValueError(f"{key}={cfg[key]}: expected a number of at least 0 and below 1")
    if cfg.max_detections is not None and not is_count(cfg.max_detections):
        raise ValueError(f"max_detections={cfg.max_detections}: expected a whole number, at least 1")
    if cfg.licence is not None and not isinstance(cfg.licence, str):
        raise ValueError(f"licence={cfg.licence}: expected a text, such as CC-BY-4.0")
    if cfg.class_names is not None and not isinstance(cfg.class_names, ListConfig):
        raise ValueError(f"class_names={cfg.class_names}: expected a list such as [cat,dog]")
    if cfg.precision == INT8:
        check_installed("precision=int8", *written_by.int8_packages)
    if not (is_number(cfg.max_ap_drop) and 0 <= cfg.max_ap_drop <= 1):
        raise ValueError(
            f"max_ap_drop={cfg.max_ap_drop}: expected a number from 0 to 1, 0.01 is one AP point"
        )
    if not is_count(cfg.calibration_images):
        raise ValueError(f"calibration_images={cfg.calibration_images}: expected a whole number, at least 1")
    return written_by


def _known(key: str, value: Any, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{key}={value} is not known; {nearest(str(value), choices)}")
    return value


@contextmanager
def _step(name: str) -> Iterator[None]:
    """Says at the end how long it took."""
    started = time.monotonic()
    yield
    _log.info("%-24s %6.1f s", name, time.monotonic() - started)
