import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from yolact_pl.data.annotations.annotations import DataError, read_annotations
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.data.shape_drawing import CLASSES, draw_shapes, outline
from yolact_pl.data.shapes import ShapesDataModule, write_shapes


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_pictures_have_visible_objects_that_do_not_overlap() -> None:
    counts, labels, sides = [], set(), []
    for seed in range(100):
        shapes = draw_shapes(128, np.random.default_rng(seed))
        assert shapes.pixels.shape == (128, 128, 3)
        assert len(shapes.masks) == len(shapes.labels)
        assert np.sum(shapes.masks, axis=0, dtype=int).max(initial=0) <= 1
        counts.append(len(shapes.masks))
        labels |= set(shapes.labels)
        for mask in shapes.masks:
            assert mask.sum() >= 20 * 0.25
            sides.append(max(cv2.boundingRect(mask)[2:]))
    assert labels == set(range(len(CLASSES)))
    assert min(counts) >= 1
    assert 4 <= max(counts) <= 6
    assert 20 < np.percentile(sides, 10) < np.percentile(sides, 95) < 70


def test_later_shapes_hide_earlier_ones() -> None:
    def occluded(seed: int) -> bool:
        # The mask of a disc is convex unless something lies on it.
        shapes = draw_shapes(128, np.random.default_rng(seed))
        for mask, label in zip(shapes.masks, shapes.labels, strict=True):
            contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
            largest = max(contours, key=cv2.contourArea)
            if CLASSES[label] == "disc" and cv2.contourArea(largest) < 0.9 * cv2.contourArea(
                cv2.convexHull(largest)
            ):
                return True
        return False

    assert any(occluded(seed) for seed in range(100))


def test_rings_have_a_hole_that_belongs_to_the_background() -> None:
    for seed in range(200):
        shapes = draw_shapes(128, np.random.default_rng(seed))
        if len(shapes.labels) == 1 and CLASSES[shapes.labels[0]] == "ring":
            _, hierarchy = cv2.findContours(shapes.masks[0], cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
            assert (hierarchy[0, :, 3] >= 0).sum() == 1
            return
    raise AssertionError("no picture with a single ring")


@pytest.mark.parametrize("name", CLASSES)
def test_outlines_lie_in_the_unit_circle(name: str) -> None:
    for seed in range(20):
        rings = outline(name, np.random.default_rng(seed))
        assert len(rings) == (2 if name == "ring" else 1)
        radii = np.linalg.norm(np.concatenate(rings), axis=1)
        assert radii.max() == pytest.approx(1, abs=1e-9)


def test_set_on_disk_is_a_coco_set_and_repeats(tmp_path: Path) -> None:
    write_shapes(tmp_path / "a", (6, 3), size=64, seed=1)
    write_shapes(tmp_path / "b", (6, 3), size=64, seed=1)
    write_shapes(tmp_path / "c", (6, 3), size=64, seed=2)
    assert snapshot(tmp_path / "a") == snapshot(tmp_path / "b")
    assert snapshot(tmp_path / "a") != snapshot(tmp_path / "c")
    for split, count in (("train", 6), ("val", 3)):
        known = read_annotations(
            tmp_path / "a" / "annotations" / f"instances_{split}.json", tmp_path / "a" / split
        )
        assert (known.num_images, known.summary) == (count, None)
        assert tuple(known.class_names) == CLASSES
    drawn = draw_shapes(64, np.random.default_rng((1, 0, 0)))
    train = read_annotations(tmp_path / "a" / "annotations" / "instances_train.json")
    for j, (mask, label) in enumerate(zip(drawn.masks, drawn.labels, strict=True)):
        np.testing.assert_array_equal(train.mask(j), mask)
        assert train.labels[j] == label
        x, y, w, h = cv2.boundingRect(mask)
        assert train.boxes[j].tolist() == [x, y, x + w, y + h]
    pixels = cv2.imread(str(tmp_path / "a" / "train" / "000000.png"))
    assert pixels is not None
    np.testing.assert_array_equal(pixels[..., ::-1], drawn.pixels)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]  # nothing temporary is left


def test_written_once_and_again_for_other_arguments(tmp_path: Path) -> None:
    root = tmp_path / "data" / "shapes"
    write_shapes(root, (2, 1), size=32, seed=0)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    write_shapes(root, (2, 1), size=32, seed=0)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    write_shapes(root, (3, 1), size=32, seed=0)
    assert len(list((root / "train").iterdir())) == 3
    assert [path.name for path in root.parent.iterdir()] == ["shapes"]


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    root.mkdir()
    (root / "thesis.txt").write_text("important")
    with pytest.raises(DataError, match="holds something else"):
        write_shapes(root, (2, 1), size=32, seed=0)
    assert (root / "thesis.txt").read_text() == "important"


def test_several_may_write_at_once(tmp_path: Path) -> None:
    root = tmp_path / "shapes"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: write_shapes(root, (40, 1), size=32, seed=0), range(4)))
    assert len(list((root / "train").iterdir())) == 40
    assert [path.name for path in tmp_path.iterdir()] == ["shapes"]


def test_data_module(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "image_size": 64,
        "batch_size": 2,
        "num_workers": 0,
        "augment": NoAugmentation(),
    }
    data = ShapesDataModule(root=tmp_path / "shapes", num_train=5, num_val=2, picture_size=48, **options)
    data.check("fit")
    assert data.classes == CLASSES
    assert (data.train_size, data.val_size) == (5, 2)
    images, _ = next(iter(data.train_dataloader()))
    assert images.shape == (2, 3, 64, 64)
    meta = json.loads((tmp_path / "shapes" / "shapes.json").read_text())
    assert (meta["train"], meta["val"], meta["size"]) == (5, 2, 48)
