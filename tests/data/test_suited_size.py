"""Input size chosen by the objects of a set, and the validation part where there is none."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from yolact_pl.data.annotations.annotations import read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.datamodule import CocoDataModule
from yolact_pl.data.suited_size import suited_size


def write_set(
    path: Path, sizes: list[tuple[int, int]], boxes: list[tuple[int, int]], crowd: bool = False
) -> Path:
    """One object of (width, height) per image of (height, width), and a region over all of it if `crowd`."""
    images, annotations = [], []
    for i, ((height, width), (w, h)) in enumerate(zip(sizes, boxes, strict=True)):
        cv2.imwrite(str(path.parent / f"{i}.png"), np.full((height, width, 3), 100, np.uint8))
        images.append({"id": i, "file_name": f"{i}.png", "height": height, "width": width})
        for iscrowd, (x2, y2) in enumerate([(w, h), (width, height)][: 1 + crowd]):
            annotations.append(
                {"id": len(annotations), "image_id": i, "category_id": 1, "bbox": [0, 0, x2, y2],
                 "area": x2 * y2, "iscrowd": iscrowd, "segmentation": [[0, 0, x2, 0, x2, y2, 0, y2]]}
            )  # fmt: skip
    categories = [{"id": 1, "name": "cat"}]
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


@pytest.mark.parametrize(
    ("size", "box", "side"),
    [
        ((480, 640), (48, 48), 384),  # 32 / 48 x 554 = 370
        ((480, 640), (96, 24), 384),  # the same area
        ((480, 640), (300, 300), 256),  # the smallest
        ((2000, 3000), (40, 40), 640),  # the largest
        ((256, 256), (15, 15), 320),  # 546, but no more than 1.25 x 256
        ((96, 96), (40, 40), 96),  # 1.25 x 96 = 120, less than the smallest
        ((20, 20), (10, 10), 32),
    ],
)
def test_median_object_has_32_pixels_within_bounds(
    size: tuple[int, int], box: tuple[int, int], side: int, tmp_path: Path
) -> None:
    path = write_set(tmp_path / "train.json", [size], [box], crowd=True)
    assert suited_size(read_annotations(path, tmp_path)).side == side


def test_objects_are_measured_against_their_images(tmp_path: Path) -> None:
    """A tenth, a tenth and half of the image; the sides have medians of their own."""
    sizes, boxes = [(200, 200), (400, 400), (300, 300)], [(20, 20), (40, 40), (150, 150)]
    found = suited_size(read_annotations(write_set(tmp_path / "train.json", sizes, boxes), tmp_path))
    assert found == (320, 40, 300)
    assert str(found) == "median object 40 px in images of 300 px"


def data_module(root: Path, **options: object) -> CocoDataModule:
    settings: dict = {"image_size": "auto", "batch_size": 1, "augment": NoAugmentation(), "num_workers": 0}
    return CocoDataModule(root=root, **(settings | options))


def test_data_module_takes_the_suited_size(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    write_set(tmp_path / "images" / "annotations.json", [(40, 60)] * 10, [(10, 10)] * 10)
    (tmp_path / "images" / "annotations.json").rename(tmp_path / "annotations.json")
    data = data_module(tmp_path, val_fraction="auto")
    data.setup("fit")
    assert data.image_size == (32, 32)
    images, _ = next(iter(data.train_dataloader()))
    assert images.shape == (1, 3, 32, 32)
    assert (data.train_size, data.val_size) == (9, 1)


def test_given_validation_set_is_used(tmp_path: Path) -> None:
    for name, count in (("train", 3), ("val", 2)):
        (tmp_path / name).mkdir()
        write_set(tmp_path / name / "annotations.json", [(40, 60)] * count, [(10, 10)] * count)
    data = data_module(tmp_path, val_fraction="auto")
    data.setup("fit")
    assert data.sources.val_fraction is None
    assert (data.train_size, data.val_size) == (3, 2)


def test_other_words_are_refused() -> None:
    with pytest.raises(ValueError, match=r"val_fraction=some: expected .* auto or null"):
        data_module(Path("nowhere"), val_fraction="some")
    with pytest.raises(ValueError, match=r"image_size=some: expected .* auto"):
        data_module(Path("nowhere"), image_size="some")
