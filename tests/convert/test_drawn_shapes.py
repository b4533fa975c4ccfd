"""labelme and VGG Image Annotator: polygons and simple shapes in json files."""

import base64
import contextlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.convert.conftest import assert_same_masks, assert_within_a_pixel, disc, masks_of, write_picture
from yolact_pl.convert.coco import to_coco
from yolact_pl.convert.labelme import read_labelme
from yolact_pl.convert.outlines import ellipse
from yolact_pl.convert.via import read_via
from yolact_pl.data.annotations.annotations import DataError

SIZE = (40, 60)
TRIANGLE = np.array([[6.5, 4.25], [54.0, 8.0], [30.0, 36.0]])
KITE = np.array([[30.0, 2.0], [50.0, 12.0], [30.0, 38.0], [10.0, 12.0]])


def box_mask(x1: int, y1: int, x2: int, y2: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y1:y2, x1:x2] = True
    return mask


def shape(label: str, points: Any, kind: str | None = "polygon", **more: Any) -> dict[str, Any]:
    points = points.tolist() if isinstance(points, np.ndarray) else points
    return {"label": label, "points": points, "shape_type": kind, "group_id": None, **more}


def write_labelme(path: Path, shapes: list[Any], **more: Any) -> None:
    content = {"imagePath": f"{path.stem}.jpg", "imageHeight": 40, "imageWidth": 60, "shapes": shapes} | more
    path.write_text(json.dumps({key: value for key, value in content.items() if value != "leave out"}))


@pytest.fixture
def labelme(tmp_path: Path) -> Path:
    write_picture(tmp_path / "a.jpg")
    return tmp_path


def test_labelme_shapes(labelme: Path, back: Callable) -> None:
    shapes = [
        shape("dog", TRIANGLE),
        shape("cat", KITE, None),
        shape("box", [[40, 30], [10, 5]], "rectangle"),
        shape("disc", [[30, 20], [30, 32]], "circle"),
        shape("dog", [[1, 1], [5, 5]], "line"),
    ]
    write_labelme(labelme / "a.json", shapes)
    assert [error.kind for error in to_coco(read_labelme(labelme)).left_out] == ["line or point"]
    (found,) = back(read_labelme(labelme)).values()
    assert found.class_names == ["box", "cat", "disc", "dog"]
    masks = masks_of(found)["a.jpg"]
    assert [name for name, _ in masks] == ["dog", "cat", "box", "disc"]
    assert_within_a_pixel(masks[0][1], TRIANGLE)
    assert_within_a_pixel(masks[1][1], KITE)
    np.testing.assert_array_equal(masks[2][1], box_mask(10, 5, 40, 30))
    inner, outer = disc(SIZE, 30, 20, 11), disc(SIZE, 30, 20, 13)
    assert (masks[3][1] >= inner).all()
    assert (masks[3][1] <= outer).all()


def test_labelme_groups_and_masks(labelme: Path, back: Callable) -> None:
    part = disc((10, 12), 6, 5, 4)
    buffer = io.BytesIO()
    Image.fromarray(255 * part.astype(np.uint8)).save(buffer, "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    two = [[[5, 5], [15, 5], [15, 10], [5, 10]], [[25, 20], [35, 20], [35, 30], [25, 30]]]
    shapes = [
        shape("cow", two[0], group_id=3),
        shape("cow", two[1], group_id=3),
        shape("hen", two[0], group_id=3),  # another label: another object
        shape("egg", [[20, 7], [31, 16]], "mask", mask=text),
    ]
    write_labelme(labelme / "a.json", shapes)
    (found,) = back(read_labelme(labelme)).values()
    egg = np.zeros(SIZE, bool)
    egg[7:17, 20:32] = part
    left, right = box_mask(5, 5, 15, 10), box_mask(25, 20, 35, 30)
    assert_same_masks(masks_of(found), {"a.jpg": [("cow", left | right), ("hen", left), ("egg", egg)]})


def test_labelme_finds_images(tmp_path: Path, back: Callable) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    write_picture(tmp_path / "pictures" / "a.jpg")
    write_labelme(
        labels / "a.json",
        [shape("x", KITE)],
        imagePath="..\\elsewhere\\a.jpg",
        imageHeight=None,
        imageWidth=None,
    )
    (found,) = back(read_labelme(labels, images=tmp_path / "pictures")).values()
    assert list(masks_of(found)) == ["a.jpg"]
    with pytest.raises(DataError, match=r"a\.json: its image .*elsewhere.*a\.jpg' is not in .*labels"):
        to_coco(read_labelme(labels), strict=True)
    write_labelme(labels / "a.json", [shape("x", KITE)], imagePath="..\\pictures\\a.jpg")
    with pytest.raises(
        DataError, match=r"is not in .*labels; give the folder that has all images: task\.images"
    ):
        to_coco(read_labelme(labels), strict=True)


@pytest.mark.parametrize("stated", [(60, 40), (40, 60)], ids=["upright", "stored"])
def test_labelme_on_a_turned_picture(tmp_path: Path, back: Callable, stated: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg", exif=exif)
    write_labelme(
        tmp_path / "a.json", [shape("x", KITE[:, ::1])], imageHeight=stated[0], imageWidth=stated[1]
    )
    (found,) = back(read_labelme(tmp_path)).values()
    assert found.size(0) == stated


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shapes": 3}, r'a\.json: "shapes" must be a list but is a number'),
        ({"shapes": "leave out"}, r'a\.json: "shapes" must be a list but is missing'),
        ({"shapes": [3]}, r"a\.json, shape 1 must be an object"),
        ({"imagePath": 3}, '"imagePath" must be text but is a number'),
        ({"imageHeight": 50}, "made for an image of 50 x 60 .*, but its image is 40 x 60"),
        ({"shapes": [shape("x", KITE[:2])]}, "shape 1 is a polygon of 2 points; it must have 3 or more"),
        ({"shapes": [shape("x", KITE), shape("x", KITE[:1], "circle")]}, "shape 2 is a circle of 1 points"),
        ({"shapes": [shape("x", [[1, 2], [3]])]}, r'each of "points" must be \[x, y\]'),
        ({"shapes": [shape("x", [[1, 2], [3, "4"], [5, 6]])]}, '"points" must be a finite number'),
        ({"shapes": [shape("", KITE)]}, '"label" must be text'),
        (
            {"shapes": [shape("x", KITE, "cube")]},
            "shape 1 is a cube; known are polygon, rectangle, circle, mask",
        ),
        ({"shapes": [shape("x", KITE[:2], "mask", mask="?")]}, "shape 1 has a damaged mask"),
    ],
)
def test_labelme_mistakes(labelme: Path, change: dict[str, Any], message: str) -> None:
    write_labelme(labelme / "a.json", **({"shapes": [shape("x", KITE)]} | change))
    with pytest.raises(DataError, match=message) as error:
        to_coco(read_labelme(labelme), strict=True)
    assert str(labelme / "a.json") in str(error.value)


def test_labelme_files_that_are_none(labelme: Path) -> None:
    with pytest.raises(DataError, match="has no json files"):
        read_labelme(labelme)
    (labelme / "a.json").write_text("[1")
    with pytest.raises(DataError, match=r"a\.json is not valid JSON"):
        to_coco(read_labelme(labelme), strict=True)
    (labelme / "a.json").write_text("[1]")
    with pytest.raises(DataError, match=r"a\.json must be a JSON object but is a list"):
        to_coco(read_labelme(labelme), strict=True)
    write_labelme(labelme / "a.json", [shape("x", KITE)])
    write_labelme(labelme / "b.json", [shape("x", KITE)], imagePath="a.jpg")
    with pytest.raises(DataError, match=r"b\.json and .*a\.json both label the image a\.jpg"):
        to_coco(read_labelme(labelme), strict=True)
    (labelme / "b.json").unlink()
    with pytest.raises(DataError, match=r"a\.json, shape 1 has the class 'x', which is not among cat, dog"):
        to_coco(read_labelme(labelme, classes=["cat", "dog"]), strict=True)


def test_objects_without_a_pixel_are_left_out_and_told(labelme: Path) -> None:
    outside = KITE + 500
    write_labelme(labelme / "a.json", [shape("x", KITE), shape("x", outside), shape("x", KITE * 0)])
    conversion = to_coco(read_labelme(labelme))
    assert [row["id"] for row in conversion.contents[""]["annotations"]] == [1]
    assert [str(error) for error in conversion.left_out] == [
        f"{labelme / 'a.json'}, shape {number} covers no pixel of its image." for number in (2, 3)
    ]


def region(attributes: dict[str, Any], **shape_attributes: Any) -> dict[str, Any]:
    return {"shape_attributes": shape_attributes, "region_attributes": attributes}


def polygon(points: np.ndarray) -> dict[str, Any]:
    xs, ys = points.T.tolist()
    return {"name": "polygon", "all_points_x": xs, "all_points_y": ys}


def write_via(path: Path, regions: Any, *, project: bool = False) -> Path:
    content: dict[str, Any] = {"a.jpg123": {"filename": "a.jpg", "size": 123, "regions": regions}}
    if project:
        content = {"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {}}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("project", [False, True])
@pytest.mark.parametrize("version", [1, 2])
def test_via_shapes(tmp_path: Path, back: Callable, project: bool, version: int) -> None:
    write_picture(tmp_path / "a.jpg")
    regions: Any = [
        region({"kind": "dog"}, **polygon(TRIANGLE)),
        region({"kind": {"cat": True, "dog": False}}, name="rect", x=10, y=5, width=30, height=25),
        region({"kind": "disc"}, name="circle", cx=30, cy=20, r=12),
        region({"kind": "egg"}, name="ellipse", cx=30, cy=20, rx=20, ry=8, theta=math.pi / 2),
        region({"kind": "dog"}, name="point", cx=3, cy=3),
    ]
    if version == 1:
        regions = {str(number): value for number, value in enumerate(regions)}
    path = write_via(tmp_path / "via.json", regions, project=project)
    (found,) = back(read_via(tmp_path if project else path)).values()
    assert [error.kind for error in to_coco(read_via(path)).left_out] == ["line or point"]
    masks = masks_of(found)["a.jpg"]
    assert [name for name, _ in masks] == ["dog", "cat", "disc", "egg"]
    assert_within_a_pixel(masks[0][1], TRIANGLE)
    np.testing.assert_array_equal(masks[1][1], box_mask(10, 5, 40, 30))
    assert (masks[2][1] >= disc(SIZE, 30, 20, 11)).all()
    assert (masks[2][1] <= disc(SIZE, 30, 20, 13)).all()
    rows, columns = np.nonzero(masks[3][1])  # turned: 16 wide, and 40 high as the image
    assert (columns.min(), columns.max() + 1) == pytest.approx((22, 38), abs=1)
    assert (rows.min(), rows.max() + 1) == (0, 40)


def test_via_classes(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    path = tmp_path / "via.json"

    def names(*attributes: dict[str, Any], **options: Any) -> list[str]:
        write_via(path, [region(values, **polygon(KITE)) for values in attributes])
        content = to_coco(read_via(path, **options), strict=True).contents[""]
        return [content["categories"][row["category_id"] - 1]["name"] for row in content["annotations"]]

    assert names({}, {}) == ["object", "object"]
    assert names({"class": "cat", "age": "1"}, {"class": " dog "}) == ["cat", "dog"]
    assert names({"kind": "cat", "age": "1"}, class_attribute="age") == ["1"]
    assert names({"kind": "cat"}, {"kind": "dog"}, classes=["dog", "cat"]) == ["cat", "dog"]
    with pytest.raises(
        DataError, match=r"attributes age, kind; say which names the class: task\.class_attribute=age"
    ):
        names({"kind": "cat", "age": "1"})
    with pytest.raises(
        DataError, match=r"'a\.jpg123', region 2 has no class: its attribute 'kind' must be text"
    ):
        names({"kind": "cat"}, {"kind": {"cat": True, "dog": True}})


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        (3, r'\'a\.jpg123\': "regions" must be a list'),
        ([3], "region 1 must be an object"),
        ([{}], '"shape_attributes" must be an object but is missing'),
        ([region({}, name="cube")], "region 1 is a cube; known are polygon, rect"),
        ([region({}, name="rect", x=1)], 'region 1: "y" must be a finite number'),
        ([region({}, name="polygon", all_points_x=[1, 2, 3], all_points_y=[1, 2])], "has 3 x and 2 y"),
        (
            [region({}, name="polygon", all_points_x=[1, 2, None], all_points_y=[1, 2, 3])],
            '"all_points_x" must be',
        ),
    ],
)
def test_via_mistakes(tmp_path: Path, regions: Any, message: str) -> None:
    write_picture(tmp_path / "a.jpg")
    path = write_via(tmp_path / "via.json", regions)
    with pytest.raises(DataError, match=message) as error:
        to_coco(read_via(path), strict=True)
    assert str(path) in str(error.value)


def test_via_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 0 json files; give that of VIA"):
        read_via(tmp_path)
    path = tmp_path / "via.json"
    path.write_text(json.dumps({"project": {}, "metadata": {}}))
    with pytest.raises(DataError, match="is a project of VIA 3; export it"):
        read_via(tmp_path)
    path.write_text(json.dumps({"images": []}))
    with pytest.raises(DataError, match="'images' has no \"regions\", so it is no file of VIA 1 or 2"):
        read_via(tmp_path)
    write_via(path, [region({}, **polygon(KITE))])
    with pytest.raises(DataError, match=r"a\.jpg does not exist"):
        to_coco(read_via(path), strict=True)


@pytest.mark.parametrize("radius", [0.5, 3.0, 700.0])
def test_circles_are_as_round_as_a_tenth_of_a_pixel_asks(radius: float) -> None:
    points = ellipse(5, 7, radius, radius)
    np.testing.assert_allclose(np.hypot(*(points - (5, 7)).T), radius)
    middles = (points + np.roll(points, 1, axis=0)) / 2
    assert (radius - np.hypot(*(middles - (5, 7)).T)).max() <= 0.1 + 1e-9


WORDS = [
    *("shapes", "points", "label", "shape_type", "imagePath", "mask", "group_id", "regions", "filename"),
    *("shape_attributes", "region_attributes", "name", "all_points_x", "all_points_y", "_via_img_metadata"),
]
KNOWN = st.sampled_from(["a.jpg", "polygon", "mask"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99) | st.floats() | KNOWN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("reader", [read_labelme, read_via])
def test_any_json_is_read_or_refused_in_one_sentence(
    reader: Callable, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    write_picture(folder / "a.jpg")

    @given(json_values)
    def check(value: Any) -> None:
        (folder / "a.json").write_text(json.dumps(value))
        for strict in (False, True):
            with contextlib.suppress(DataError):
                to_coco(reader(folder), strict=strict)

    check()
