"""task=convert_data"""

import functools
import json
import logging
from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig, ListConfig

from yolact_pl.atomic_file import atomic_file
from yolact_pl.cli.progress_bar import progress_bar
from yolact_pl.cli.typed_command import typed_command
from yolact_pl.config.switches import check_switches
from yolact_pl.convert.coco import Conversion, describe, to_coco
from yolact_pl.convert.labeled import LabeledSet
from yolact_pl.convert.labelme import read_labelme
from yolact_pl.convert.mask_folders import read_masks
from yolact_pl.convert.sbd import read_sbd
from yolact_pl.convert.via import read_via
from yolact_pl.convert.voc import read_voc
from yolact_pl.convert.yolo import read_yolo

_log = logging.getLogger(__name__)

READERS: dict[str, Callable[..., LabeledSet]] = {
    "yolo": read_yolo,
    "voc": read_voc,
    "labelme": read_labelme,
    "masks": read_masks,
    "sbd": read_sbd,
    "via": read_via,
}


def run(cfg: DictConfig) -> None:
    """Convert the annotations at `cfg.source` to COCO; the images stay where they are.

    Writes `instances.json`, or `instances_train.json`, `instances_val.json`, ... to the output, and a list of
    the entries that cannot be used to `left_out.txt`.

    Raises:
        ValueError: a wrong format or option, no usable entry, or with `cfg.strict` an unusable one.
    """
    check_switches(cfg, "strict")
    labeled = _reader(cfg)(_source(cfg), images=_images(cfg.task.images), classes=_classes(cfg.task.classes))
    with progress_bar(sum(split.num_images for split in labeled.splits), "image") as bar:
        conversion = to_coco(labeled, strict=cfg.strict, on_image=bar.update)
    files = {}
    output = Path(cfg.output)
    output.mkdir(parents=True, exist_ok=True)
    for name, content in conversion.contents.items():
        files[name] = output / (f"instances_{name}.json" if name else "instances.json")
        with atomic_file(files[name]) as file:
            json.dump(content, file)
    for earlier in sorted({*output.glob("instances*.json")} - {*files.values()}):
        _log.warning("%s is not part of this conversion; an earlier one may have left it", earlier)
    _write_left_out(conversion, output / "left_out.txt")
    _report(labeled, conversion, files)


def _reader(cfg: DictConfig) -> Callable[..., LabeledSet]:
    if cfg["from"] not in READERS:
        raise ValueError(f"from={cfg['from']}: expected one of {', '.join(READERS)}")
    if cfg["from"] == "via":
        return functools.partial(read_via, class_attribute=cfg.task.class_attribute)
    return READERS[cfg["from"]]


def _source(cfg: DictConfig) -> Path:
    if cfg.source is None or not Path(str(cfg.source)).exists():
        raise ValueError(f"source={cfg.source}: expected a folder or file with {cfg['from']} annotations")
    return Path(str(cfg.source)).resolve()


def _images(images: str | None) -> Path | None:
    if images is not None and not Path(images).is_dir():
        raise ValueError(f"task.images={images}: expected the folder of the images")
    return None if images is None else Path(images).resolve()


def _classes(classes: ListConfig | None) -> list[str] | None:
    if classes is None:
        return None
    if not isinstance(classes, ListConfig) or not classes:
        raise ValueError(f"task.classes={classes}: expected a list of names, such as [cat,dog]")
    names = [str(name) for name in classes]
    if len(set(names)) < len(names):
        raise ValueError(f"task.classes={classes}: expected each name once")
    return names


def _write_left_out(conversion: Conversion, path: Path) -> None:
    """Tell and list what could not be used; the list of an earlier conversion goes."""
    path.unlink(missing_ok=True)
    if conversion.left_out:
        path.write_text("".join(f"{error}\n" for error in conversion.left_out), encoding="utf-8")
        lines = "".join(f"\n    {line}" for line in describe(conversion.left_out))
        _log.warning(
            "%d entries are left out, all are listed in %s:%s", len(conversion.left_out), path, lines
        )


def _report(labeled: LabeledSet, conversion: Conversion, files: dict[str, Path]) -> None:
    """Log the counts, and the command that trains on the result."""
    folders = {split.name: split.images_folder for split in labeled.splits}
    for name, path in files.items():
        content = conversion.contents[name]
        _log.info("%s: %d images, %d objects, %d classes", path, len(content["images"]),
                  len(content["annotations"]), len(content["categories"]))  # fmt: skip
    train = next((name for name in ("train", "") if name in files), next(iter(files)))
    overrides: dict[str, str | Path | float] = {"experiment": "own_data"} | _paths(
        "train", files[train], folders[train]
    )
    val = next((name for name in ("val", "valid") if name in files), None)
    if val is not None:
        overrides |= _paths("val", files[val], folders[val])
    _log.info("train on it with\n\n    %s\n", typed_command(overrides))


def _paths(split: str, path: Path, folder: Path) -> dict[str, str | Path | float]:
    return {f"dataset.{split}_json": path, f"dataset.{split}_images": folder}
