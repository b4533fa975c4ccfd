from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.convert.conftest import assert_within_a_pixel, masks_of, write_picture
from yolact_pl.convert.coco import to_coco
from yolact_pl.convert.labeled import LabeledObject
from yolact_pl.convert.yolo import read_label_file, read_yolo
from yolact_pl.data.annotations.annotations import DataError

SIZE = (40, 60)  # height, width
TRIANGLE = np.array([[6.0, 4.0], [54.0, 8.0], [30.0, 36.0]])  # x, y in pixels
NOTCHED = np.array([[3.0, 3.0], [50.0, 3.0], [50.0, 35.0], [26.5, 12.25], [3.0, 35.0]])


def line(label: int, points: np.ndarray) -> str:
    return " ".join([str(label), *(f"{v:.6f}" for v in (points / (SIZE[1], SIZE[0])).ravel())])


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def test_two_folders_with_splits_and_yaml(tmp_path: Path, back: Callable) -> None:
    source = tmp_path / "set"
    for split, names in {"train": ("a.jpg", "b.png"), "val": ("c.jpg",)}.items():
        for name in names:
            write_picture(source / "images" / split / name)
    write(source / "labels/train/a.txt", line(1, TRIANGLE), "", line(0, NOTCHED))
    write(source / "labels/val/c.txt", line(1, NOTCHED))
    (source / "data.yaml").write_text(
        "path: .\ntrain: images/train\nval: images/val\nnames: {0: cat, 1: dog}\n"
    )
    found = back(read_yolo(source))
    assert set(found) == {"train", "val"}
    train = masks_of(found["train"])
    assert [name for name, _ in train["a.jpg"]] == ["dog", "cat"]
    assert train["b.png"] == []  # no label file: no objects
    assert_within_a_pixel(train["a.jpg"][0][1], TRIANGLE)
    assert_within_a_pixel(train["a.jpg"][1][1], NOTCHED)
    np.testing.assert_allclose(found["train"].polygons(0)[0], TRIANGLE, atol=0.01)
    np.testing.assert_allclose(found["train"].boxes[0], [6, 4, 54, 36], atol=0.01)
    assert found["val"].class_names == found["train"].class_names == ["cat", "dog"]
    assert_within_a_pixel(masks_of(found["val"])["c.jpg"][0][1], NOTCHED)


@pytest.mark.parametrize(
    ("image", "label", "yaml", "split"),
    [
        ("a.jpg", "a.txt", None, ""),
        ("images/a.jpg", "labels/a.txt", None, ""),
        ("images/a.jpg", "images/a.txt", None, ""),
        ("images/train/a.jpg", "labels/train/a.txt", None, "train"),
        ("train/images/a.jpg", "train/labels/a.txt", None, "train"),
        ("train/images/a.jpg", "train/labels/a.txt", "train: ../train/images\nnames: [x]", "train"),
        (
            "coco/images/a.jpg",
            "coco/labels/a.txt",
            "path: coco\ntrain: images\ntest: gone\nnames: [x]",
            "train",
        ),
        ("images/a.jpg", "labels/a.txt", "train: list.txt\nnames: [x]", "train"),
    ],
)
def test_layouts(
    tmp_path: Path, back: Callable, image: str, label: str, yaml: str | None, split: str
) -> None:
    source = tmp_path / "set"
    write_picture(source / image)
    write(source / label, line(0, TRIANGLE))
    if yaml is not None:
        (source / "data.yaml").write_text(yaml)
        (source / "list.txt").write_text(f"./{image}\n\n")
    found = back(read_yolo(source))
    assert list(found) == [split]
    assert (found[split].num_images, found[split].num_annotations) == (1, 1)
    assert found[split].class_names == (["0"] if yaml is None else ["x"])
    if yaml is not None:
        assert back(read_yolo(source / "data.yaml"))[split].num_annotations == 1


def test_images_elsewhere_and_names_in_order(tmp_path: Path, back: Callable) -> None:
    write_picture(tmp_path / "pictures" / "deep" / "a.b.jpg")
    write(tmp_path / "labels" / "deep" / "a.b.txt", line(1, TRIANGLE))
    labeled = read_yolo(tmp_path / "labels", images=tmp_path / "pictures", classes=["cat", "dog"])
    (found,) = back(labeled).values()
    assert masks_of(found)["a.b.jpg"][0][0] == "dog"
    write(tmp_path / "labels" / "classes.txt", "one", "two", "three")
    labeled = read_yolo(tmp_path / "labels", images=tmp_path / "pictures")
    assert labeled.class_names == ["one", "two", "three"]


def test_numbers_as_names_are_sorted_as_numbers(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", *(line(label, TRIANGLE) for label in (10, 2)))
    categories = to_coco(read_yolo(tmp_path), strict=True).contents[""]["categories"]
    assert categories == [{"id": 1, "name": "2"}, {"id": 2, "name": "10"}]


def test_labels_without_image_are_told(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", line(0, TRIANGLE))
    write(tmp_path / "gone.txt", line(0, TRIANGLE))
    assert [str(error) for error in to_coco(read_yolo(tmp_path)).left_out] == [
        f"{tmp_path / 'gone.txt'} has no image."
    ]


def test_classes_with_the_same_name_keep_their_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", *(line(label, TRIANGLE) for label in (0, 1, 2)))
    (tmp_path / "data.yaml").write_text("train: .\nnames: [Car, Car, no]\n")
    content = to_coco(read_yolo(tmp_path)).contents["train"]
    assert [category["name"] for category in content["categories"]] == ["Car", "Car (1)", "no"]
    assert [row["category_id"] for row in content["annotations"]] == [1, 2, 3]
    assert "classes 0 and 1 are both called 'Car'; the second becomes 'Car (1)'" in caplog.text


def test_an_empty_line_between_names_is_a_class(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", line(2, TRIANGLE))
    write(tmp_path / "classes.txt", "cat", "", "dog", "")
    assert read_yolo(tmp_path).class_names == ["cat", "1", "dog"]


def test_yaml_and_lists_as_other_systems_write_them(tmp_path: Path, back: Callable) -> None:
    for name in ("one/images/a.jpg", "two/images/b.jpg", "three/images/c.jpg"):
        write_picture(tmp_path / name)
        label = tmp_path / name.replace("images", "labels").replace("jpg", "txt")
        write(label, line(0, TRIANGLE).replace("0", "0.0", 1))
    lists = [
        "C:\\Users\\me\\three\\images\\c.jpg",
        "three/images/c.jpg",
        "gone.jpg",
        "/content/two/images/b.jpg",
    ]
    (tmp_path / "list.txt").write_text("\r\n".join(lists))
    (tmp_path / "data.yaml").write_text(
        "train: ['one\\images', /content/set/two/images]\nval: list.txt\ntest: gone\nnames: [x]\n"
    )
    found = back(read_yolo(tmp_path))
    assert set(masks_of(found["train"])) == {"one/images/a.jpg", "two/images/b.jpg"}
    assert set(masks_of(found["val"])) == {"three/images/c.jpg", "two/images/b.jpg"}
    assert all(annotations.num_annotations == 2 for annotations in found.values())
    kinds = [error.kind for error in to_coco(read_yolo(tmp_path)).left_out]
    assert kinds == ["image listed twice", "listed image that does not exist"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0.5 0.5 0.2 0.2", r"a\.txt, line 1 is a box"),
        ("0 .1 .1 .5 .1 .5 .5\n\n0 0.1 0.1", r"a\.txt, line 3 has 2 numbers behind the class"),
        ("0 .1 .1 .5 .1 .5 .5 .7", "has 7 numbers behind the class; x and y of 3 points or more"),
        ("0 .1 .1 .5 .1 .5 oops", "could not convert string to float: 'oops'; coordinates must be numbers"),
        ("0 10 10 50 10 50 50", "10 is not within 0..1; x and y are fractions of width and height"),
        ("0 .1 .1 .5 .1 .5 nan", r"nan is not within 0\.\.1"),
        ("-1 .1 .1 .5 .1 .5 .5", "the first word must be a class number, 0 or more, but is '-1'"),
        ("cat .1 .1 .5 .1 .5 .5", "but is 'cat'"),
        ("2 .1 .1 .5 .1 .5 .5", "the class is 2, but there are 2 names, for 0 to 1"),
    ],
)
def test_wrong_lines(tmp_path: Path, text: str, message: str) -> None:
    write_picture(tmp_path / "a.jpg")
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match=message) as error:
        to_coco(read_yolo(tmp_path, classes=["cat", "dog"]), strict=True)
    assert str(tmp_path / "a.txt") in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("names: [a", "is not a yaml file that can be read"),
        ("just text", 'must have "names", "train" and "val" but is a str'),
        ("train: nowhere", '"train" is nowhere, which does not exist'),
        ("train: [., b]", '"train" is b, which does not exist'),
        ("train: {a: b}", '"train" must be a folder or a text file, or a list of these'),
        ("names: {0: a, 2: b}", 'the numbers of "names" must be 0 to 1'),
        ("names: 3", '"names" must be a list'),
    ],
)
def test_wrong_yaml(tmp_path: Path, yaml: str, message: str) -> None:
    write_picture(tmp_path / "a.jpg")
    (tmp_path / "data.yaml").write_text(yaml)
    with pytest.raises(DataError, match=message):
        read_yolo(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no images; give their folder: task\.images=FOLDER"):
        read_yolo(tmp_path)
    write_picture(tmp_path / "images" / "a.jpg")
    with pytest.raises(
        DataError, match=r"none of the 1 images has a label file: .*a\.jpg, should have .*a\.txt"
    ):
        read_yolo(tmp_path)
    (tmp_path / "one.yaml").touch()
    (tmp_path / "two.yaml").touch()
    with pytest.raises(DataError, match=r"2 yaml files; give the right one: source=.*one\.yaml"):
        read_yolo(tmp_path)


fractions = st.floats(0, 1, width=32)
polygons = st.lists(st.tuples(fractions, fractions), min_size=3, max_size=12)


@given(objects=st.lists(st.tuples(st.integers(0, 4), polygons), max_size=5))
def test_what_was_written_is_read(
    objects: list[tuple[int, list[tuple[float, float]]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("yolo") / "a.txt"
    path.write_text(
        "".join(f"{label} {' '.join(f'{x:.7g} {y:.7g}' for x, y in p)}\r\n" for label, p in objects)
    )
    found = read_label_file(path, (480, 640), ["a", "b", "c", "d", "e"])
    for item, (label, polygon) in zip(found, objects, strict=True):
        assert isinstance(item, LabeledObject)
        assert item.label == label
        assert item.polygons is not None
        wanted = [[640 * x, 480 * y] for x, y in polygon]
        np.testing.assert_allclose(item.polygons[0], wanted, atol=0.01)


tokens = st.sampled_from(
    ["0", "1", "7", ".5", "0.25", "1.0", "1.005", "-3", "nan", "1e400", "x", "\x00", "é", "²"]
)


@given(data=st.one_of(st.binary(max_size=60), st.lists(st.lists(tokens, max_size=9), max_size=4)))
def test_any_file_is_read_or_refused_in_one_sentence(
    data: bytes | list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("yolo") / "a.txt"
    path.write_bytes(data if isinstance(data, bytes) else "\n".join(map(" ".join, data)).encode())
    try:
        found = read_label_file(path, (40, 60), ["a", "b"])
    except DataError:
        return
    for item in found:
        if isinstance(item, LabeledObject):
            assert item.polygons is not None
            points = item.polygons[0]
            assert len(points) >= 3
            assert (np.abs(points - (30, 20)) <= (90, 60)).all()
