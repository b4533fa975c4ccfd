"""Synthetic data set of overlapping shapes, written once as a COCO folder."""

import json
import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolact_pl.data.annotations.annotations import DataError
from yolact_pl.data.annotations.segmentations import mask_api
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.shape_drawing import CLASSES, ShapeImage, draw_shapes

logger = logging.getLogger(__name__)

VERSION = 1
"""Version of the drawing: a folder of another version is rewritten."""
_META = "shapes.json"
_SPLITS = ("train", "val")


class ShapesDataModule(CocoDataModule):
    """A `CocoDataModule` over synthetic shapes, drawn when first needed.

    Args:
        root: folder of the set; rewritten if it holds a set with other arguments.
        num_train: training images.
        num_val: validation images, other ones.
        picture_size: side of the square pictures in pixels.
        shapes_seed: of the pictures.
        options: all but the paths, as in `CocoDataModule`.
    """

    def __init__(
        self,
        *,
        root: str | Path,
        num_train: int = 2000,
        num_val: int = 200,
        picture_size: int = 128,
        shapes_seed: int = 0,
        **options: Any,
    ) -> None:
        root = Path(root)
        super().__init__(
            train_json=root / "annotations" / "instances_train.json",
            train_images=root / "train",
            val_json=root / "annotations" / "instances_val.json",
            val_images=root / "val",
            **options,
        )
        self.root = root
        self.counts = num_train, num_val
        self.picture_size = picture_size
        self.shapes_seed = shapes_seed

    def check(self, stage: str) -> None:
        """As in `CocoDataModule`; draws the set if it is not there yet."""
        write_shapes(self.root, self.counts, size=self.picture_size, seed=self.shapes_seed)
        super().check(stage)


def write_shapes(root: Path, counts: tuple[int, int], *, size: int, seed: int) -> None:
    """Write a training and a validation set of `counts` pictures, unless the folder holds just these.

    The folder appears at once and complete, also when several processes write it at the same time.

    Raises:
        DataError: the folder holds something else.
    """
    wanted = {"version": VERSION, "train": counts[0], "val": counts[1], "size": size, "seed": seed}
    if _found(root) == wanted:
        return
    root.parent.mkdir(parents=True, exist_ok=True)
    logger.info("drawing %d pictures of shapes into %s", sum(counts), root)
    fresh = Path(tempfile.mkdtemp(prefix=f".{root.name}-", dir=root.parent))
    try:
        fresh.chmod(0o755)  # mkdtemp's folders are for their owner only
        for position, split in enumerate(_SPLITS):
            _write_split(fresh, split, counts[position], size, (seed, position))
        (fresh / _META).write_text(json.dumps(wanted))
        _put_in_place(fresh, root, wanted)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _found(root: Path) -> dict[str, Any] | None:
    """What the folder holds; None if there is no such folder, or an empty one.

    Raises:
        DataError: something that was not written by `write_shapes`.
    """
    try:
        return json.loads((root / _META).read_text())
    except (OSError, ValueError):
        if root.is_dir() and any(root.iterdir()):
            raise DataError(
                f"{root} holds something else than a set of shapes; choose another root, or move it away."
            ) from None
        return None


def _put_in_place(fresh: Path, root: Path, wanted: dict[str, Any]) -> None:
    """Rename, which fails if another process was quicker: then its folder, which is the same, stays."""
    old = fresh.with_name(f"{fresh.name}-old")
    try:
        if _found(root) is not None:
            root.rename(old)
        fresh.rename(root)
    except OSError:
        if _found(root) != wanted:
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _write_split(folder: Path, split: str, count: int, size: int, seed: tuple[int, int]) -> None:
    (folder / split).mkdir()
    images, annotations = [], []
    for index in range(count):
        shapes = draw_shapes(size, np.random.default_rng((*seed, index)))
        name = f"{index:06d}.png"
        encoded = cv2.imencode(".png", cv2.cvtColor(shapes.pixels, cv2.COLOR_RGB2BGR))[1]
        (folder / split / name).write_bytes(encoded.tobytes())
        images.append({"id": index + 1, "file_name": name, "height": size, "width": size})
        annotations += _describe(shapes, index + 1, len(annotations) + 1)
    categories = [{"id": label + 1, "name": name} for label, name in enumerate(CLASSES)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations").mkdir(exist_ok=True)
    (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))


def _describe(shapes: ShapeImage, image_id: int, first_id: int) -> list[dict[str, Any]]:
    """COCO annotations with run-length encoded masks: polygons have no holes."""
    rows = []
    for offset, (mask, label) in enumerate(zip(shapes.masks, shapes.labels, strict=True)):
        code = mask_api.encode(np.asfortranarray(mask))
        rows.append(
            {
                "id": first_id + offset,
                "image_id": image_id,
                "category_id": label + 1,
                "bbox": mask_api.toBbox(code).tolist(),
                "area": int(mask_api.area(code)),
                "iscrowd": 0,
                "segmentation": {"size": list(mask.shape), "counts": code["counts"].decode()},
            }
        )
    return rows
