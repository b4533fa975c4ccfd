"""VOC, SBD and mask folders: pixels in, the same pixels out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.convert.conftest import assert_same_masks, disc, indexed, masks_of, write_picture
from yolact_pl.convert.coco import to_coco
from yolact_pl.convert.mask_folders import read_masks
from yolact_pl.convert.sbd import read_sbd
from yolact_pl.convert.voc import VOC_CLASSES, read_voc
from yolact_pl.data.annotations.annotations import DataError

SIZE = (40, 60)
RING = disc(SIZE, 20, 20, 15) & ~disc(SIZE, 20, 20, 7)  # with a hole
PARTS = disc(SIZE, 45, 10, 6) | disc(SIZE, 50, 32, 5)  # in two parts


def numbered(*masks: np.ndarray) -> np.ndarray:
    """[H, W]: 1, 2, ... where the masks are."""
    return sum(
        (number * mask.astype(np.uint8) for number, mask in enumerate(masks, 1)), np.zeros(SIZE, np.uint8)
    )


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    root = tmp_path / "VOCdevkit" / "VOC2012"
    for name in ("2007_1", "2007_2", "unlisted"):
        write_picture(root / "JPEGImages" / f"{name}.jpg")
    objects, labels = numbered(RING, PARTS), 15 * RING + 8 * PARTS
    objects[5, 5:15] = labels[5, 5:15] = 255  # the border around objects
    indexed(root / "SegmentationObject" / "2007_1.png", objects)
    indexed(root / "SegmentationClass" / "2007_1.png", labels)
    for folder in ("SegmentationObject", "SegmentationClass"):
        indexed(root / folder / "2007_2.png", np.zeros(SIZE))
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_1\n2007_1\n")
    (lists / "val.txt").write_text("2007_2 \n\n")
    return root


@pytest.mark.parametrize("above", [0, 1, 2])
def test_voc(voc: Path, back: Callable, above: int) -> None:
    found = back(read_voc([voc, *voc.parents][above]))
    assert found["train"].class_names == list(VOC_CLASSES)
    ring = RING.copy()
    ring[5, 5:15] = False
    assert_same_masks(masks_of(found["train"]), {"2007_1.jpg": [("person", ring), ("cat", PARTS)]})
    assert_same_masks(masks_of(found["val"]), {"2007_2.jpg": []})
    assert [error.kind for error in to_coco(read_voc(voc)).left_out] == ["image labeled twice"]


def test_voc_without_lists_takes_all_with_a_mask(voc: Path, back: Callable) -> None:
    for path in (voc / "ImageSets" / "Segmentation").iterdir():
        path.unlink()
    (found,) = back(read_voc(voc, classes=[f"class {number}" for number in range(1, 16)])).values()
    assert {name: len(objects) for name, objects in masks_of(found).items()} == {
        "2007_1.jpg": 2,
        "2007_2.jpg": 0,
    }
    assert masks_of(found)["2007_1.jpg"][0][0] == "class 15"


def test_voc_mistakes(voc: Path) -> None:
    with pytest.raises(DataError, match=r"2007_1\.png, object 1 has the class 15, but there are 2 names"):
        to_coco(read_voc(voc, classes=["a", "b"]), strict=True)
    indexed(voc / "SegmentationClass" / "2007_1.png", np.zeros(SIZE))
    with pytest.raises(DataError, match=r"2007_1\.png, object 1 has no class"):
        to_coco(read_voc(voc), strict=True)
    indexed(voc / "SegmentationClass" / "2007_1.png", np.zeros((40, 50)))
    with pytest.raises(DataError, match=r"2007_1\.png is 40 x 50 .* but its image is 40 x 60"):
        to_coco(read_voc(voc), strict=True)
    write_picture(voc / "SegmentationObject" / "2007_1.png")
    with pytest.raises(DataError, match=r"2007_1\.png has pixels of RGB, not numbers"):
        to_coco(read_voc(voc), strict=True)
    (voc / "SegmentationObject" / "2007_1.png").unlink()
    with pytest.raises(DataError, match=r"SegmentationObject/2007_1\.png does not exist"):
        to_coco(read_voc(voc), strict=True)
    (voc / "JPEGImages" / "2007_1.jpg").unlink()
    with pytest.raises(DataError, match="JPEGImages has no image 2007_1, which train names"):
        to_coco(read_voc(voc), strict=True)
    with pytest.raises(DataError, match="has no folder SegmentationObject or several"):
        read_voc(voc / "JPEGImages")


def write_mat(path: Path, objects: np.ndarray, labels: list[int]) -> None:
    """As SBD's: a struct of structs, the categories a column of bytes."""
    scipy_io = pytest.importorskip("scipy.io")
    path.parent.mkdir(parents=True, exist_ok=True)
    boundaries = np.empty((len(labels), 1), object)
    boundaries[:, 0] = [np.zeros((2, 2))] * len(labels)
    truth = {
        "Segmentation": objects.astype(np.uint8),
        "Categories": np.array(labels, np.uint8).reshape(-1, 1),
        "Boundaries": boundaries,
    }
    scipy_io.savemat(path, {"GTinst": truth}, do_compression=True)


@pytest.fixture
def sbd(tmp_path: Path) -> Path:
    root = tmp_path / "benchmark_RELEASE" / "dataset"
    for name in ("one", "two", "three"):
        write_picture(root / "img" / f"{name}.jpg")
    write_mat(root / "inst" / "one.mat", numbered(RING, PARTS), [15, 8])
    write_mat(root / "inst" / "two.mat", numbered(PARTS), [20])
    write_mat(root / "inst" / "three.mat", np.zeros(SIZE), [])
    (root / "train.txt").write_text("one\nthree\n")
    (root / "val.txt").write_text("two\n")
    return root


@pytest.mark.parametrize("above", [0, 1, 2])
def test_sbd(sbd: Path, back: Callable, above: int) -> None:
    found = back(read_sbd([sbd, *sbd.parents][above]))
    assert_same_masks(
        masks_of(found["train"]), {"one.jpg": [("person", RING), ("cat", PARTS)], "three.jpg": []}
    )
    assert_same_masks(masks_of(found["val"]), {"two.jpg": [("tvmonitor", PARTS)]})
    assert found["val"].category_ids == list(range(1, 21))


def test_sbd_mistakes(sbd: Path) -> None:
    write_mat(sbd / "inst" / "one.mat", numbered(RING, PARTS), [15])
    with pytest.raises(DataError, match=r"one\.mat, object 2 has no class among the 20"):
        to_coco(read_sbd(sbd), strict=True)
    write_mat(sbd / "inst" / "one.mat", np.zeros((10, 10)), [15])
    with pytest.raises(DataError, match=r"one\.mat is 10 x 10 but its image is 40 x 60"):
        to_coco(read_sbd(sbd), strict=True)
    (sbd / "inst" / "one.mat").write_bytes(b"MATLAB 5.0, or nearly so")
    with pytest.raises(DataError, match=r"one\.mat is not an instance file of SBD"):
        to_coco(read_sbd(sbd), strict=True)
    (sbd / "inst" / "one.mat").unlink()
    with pytest.raises(DataError, match=r"one\.mat does not exist"):
        to_coco(read_sbd(sbd), strict=True)
    (sbd / "img" / "one.jpg").unlink()
    with pytest.raises(DataError, match=r"img has no image one, which train\.txt names"):
        to_coco(read_sbd(sbd), strict=True)
    with pytest.raises(DataError, match="has no folder inst"):
        read_sbd(sbd / "img")


def test_sbd_without_scipy(sbd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"scipy is not installed.*pip install scipy"):
        to_coco(read_sbd(sbd), strict=True)


def binary(path: Path, mask: np.ndarray, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(255 * mask.astype(np.uint8))
    if mode == "RGBA":
        image = Image.merge("RGBA", [image, image, image, Image.new("L", image.size, 255)])
    image.convert(mode).save(path)


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "LA", "P"])
def test_one_file_an_object(tmp_path: Path, back: Callable, mode: str) -> None:
    write_picture(tmp_path / "images" / "a.jpg")
    write_picture(tmp_path / "images" / "empty.png")
    binary(tmp_path / "masks" / "a" / "1.png", RING, mode)
    binary(tmp_path / "masks" / "a" / "2.png", PARTS, mode)
    (found,) = back(read_masks(tmp_path)).values()
    assert_same_masks(masks_of(found), {"a.jpg": [("object", RING), ("object", PARTS)], "empty.png": []})


def test_an_indexed_file_an_image(tmp_path: Path, back: Callable) -> None:
    for folder in ("here", "there"):
        write_picture(tmp_path / "images" / folder / f"{folder}.jpg")
    indexed(tmp_path / "masks" / "here" / "here.png", 7 * RING + 255 * PARTS)
    many = Image.fromarray((1000 * RING + 2000 * PARTS).astype(np.uint16))  # more objects than a byte numbers
    (tmp_path / "masks" / "there").mkdir()
    many.save(tmp_path / "masks" / "there" / "there.png")
    labeled = read_masks(tmp_path, classes=["cell"])
    (found,) = back(labeled).values()
    wanted = [("cell", RING), ("cell", PARTS)]
    assert_same_masks(masks_of(found), {"here/here.jpg": wanted, "there/there.jpg": wanted})


def test_folders_of_classes(tmp_path: Path, back: Callable) -> None:
    images, masks = tmp_path / "pictures", tmp_path / "masks"
    for name in "abc":
        write_picture(images / f"{name}.jpg")
    indexed(masks / "cat" / "a.png", numbered(RING))
    indexed(masks / "dog" / "a.png", numbered(PARTS))
    binary(masks / "b" / "dog" / "x.png", RING)
    binary(masks / "cat" / "c" / "y.png", PARTS)
    (found,) = back(read_masks(masks, images=images, classes=["dog", "cat"])).values()
    assert found.class_names == ["dog", "cat"]
    assert_same_masks(
        masks_of(found),
        {"a.jpg": [("cat", RING), ("dog", PARTS)], "b.jpg": [("dog", RING)], "c.jpg": [("cat", PARTS)]},
    )


def test_a_folder_an_image(tmp_path: Path, back: Callable) -> None:
    write_picture(tmp_path / "id1" / "images" / "id1.png")
    binary(tmp_path / "id1" / "masks" / "x.png", RING)
    binary(tmp_path / "id1" / "masks" / "y.png", PARTS)
    write_picture(tmp_path / "id2" / "images" / "id2.png")
    (found,) = back(read_masks(tmp_path)).values()
    wanted = {"id1/images/id1.png": [("object", RING), ("object", PARTS)], "id2/images/id2.png": []}
    assert_same_masks(masks_of(found), wanted)


def test_mask_folder_mistakes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folder images"):
        read_masks(tmp_path)
    write_picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(DataError, match="masks is not a folder"):
        read_masks(tmp_path)
    binary(tmp_path / "masks" / "b.png", RING)
    with pytest.raises(DataError, match=r"masks/b\.png belongs to no image"):
        to_coco(read_masks(tmp_path), strict=True)
    (tmp_path / "masks" / "b.png").rename(tmp_path / "masks" / "a.png")
    data = (tmp_path / "masks" / "a.png").read_bytes()
    (tmp_path / "masks" / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"masks/a\.png is damaged"):
        to_coco(read_masks(tmp_path), strict=True)
    (tmp_path / "masks" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"masks/a\.png is not a picture that can be read"):
        to_coco(read_masks(tmp_path), strict=True)
    write_picture(tmp_path / "images" / "a.png")
    with pytest.raises(DataError, match="have the same name"):
        to_coco(read_masks(tmp_path), strict=True)
    binary(tmp_path / "masks" / "a" / "1.png", np.zeros(SIZE, bool))
    (tmp_path / "masks" / "a.png").unlink()
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(DataError, match="no object was found in any of the images"):
        to_coco(read_masks(tmp_path))


SMALL = disc(SIZE, 52, 32, 4)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif", ".jp2", ".tif"])
def test_lossy_masks_are_no_labels_but_show_the_shape_of_one_object(
    tmp_path: Path, back: Callable, suffix: str
) -> None:
    write_picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks").mkdir()
    options: dict[str, Any] = {"quality": 70} | ({"compression": "jpeg"} if suffix == ".tif" else {})
    labels = Image.fromarray((60 * RING + 120 * SMALL).astype(np.uint8))
    labels.save(tmp_path / "masks" / f"a{suffix}", **options)
    with pytest.raises(DataError, match=rf"a\{suffix} (is a .* file, whose compression|has pixels of RGB)"):
        to_coco(read_masks(tmp_path))
    (tmp_path / "masks" / f"a{suffix}").unlink()
    (tmp_path / "masks" / "a").mkdir()
    Image.fromarray(200 * RING.astype(np.uint8)).save(tmp_path / "masks" / "a" / f"1{suffix}", **options)
    (found,) = back(read_masks(tmp_path)).values()
    ((_, mask),) = masks_of(found)["a.jpg"]
    assert (mask != RING).sum() < 0.1 * RING.sum()


@pytest.mark.parametrize("ground", [0, 255])
@pytest.mark.parametrize("shape", [0, 90, 255])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_mask_in_the_alpha_channel(
    tmp_path: Path, back: Callable, ground: int, shape: int, mode: str
) -> None:
    """Whatever the color of object and ground: what is visible is the object."""
    write_picture(tmp_path / "images" / "a.jpg")
    (tmp_path / "masks" / "a").mkdir(parents=True)
    gray = Image.fromarray(np.where(RING, shape, ground).astype(np.uint8))
    alpha = Image.fromarray(255 * RING.astype(np.uint8))
    Image.merge(mode, [*[gray] * (len(mode) - 1), alpha]).save(tmp_path / "masks" / "a" / "1.png")
    (found,) = back(read_masks(tmp_path)).values()
    assert_same_masks(masks_of(found), {"a.jpg": [("object", RING)]})
