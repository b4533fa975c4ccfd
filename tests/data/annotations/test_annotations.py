import copy
import json
import logging
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from yolact_pl.data.annotations.annotations import Annotations, DataError, read_annotations

SQUARE = [2.0, 1.0, 6.0, 1.0, 6.0, 5.0, 2.0, 5.0]  # x 2..6, y 1..5
TRIANGLE = [10.0, 2.0, 16.0, 2.0, 10.0, 8.0]
HEIGHT, WIDTH = 12, 20


def compressed(mask: np.ndarray) -> str:
    return coco_mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()


def block_mask() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[3:7, 4:9] = 1
    return mask


def annotation(**changes: Any) -> dict[str, Any]:
    """A sound annotation of image 7 and category 3, changed."""
    sound = {
        "id": 1,
        "image_id": 7,
        "category_id": 3,
        "bbox": [2, 1, 4, 4],
        "area": 16,
        "iscrowd": 0,
        "segmentation": [SQUARE],
    }
    return {**sound, **changes}


def content(*annotations: dict[str, Any]) -> dict[str, Any]:
    """Two images (40, then 7) and two categories (9, then 3) around annotations."""
    return {
        "images": [
            {"id": 40, "width": 30, "height": 10, "file_name": "b/é.jpg"},
            {"id": 7, "width": WIDTH, "height": HEIGHT, "file_name": "a.jpg"},
        ],
        "annotations": list(annotations),
        "categories": [{"id": 9, "name": "dog"}, {"id": 3, "name": "cat"}],
    }


def read(folder: Path, value: Any, **options: Any) -> Annotations:
    path = folder / "instances.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return read_annotations(path, **options)


def test_columns_are_sorted_by_image_and_labels_by_category_id(tmp_path: Path) -> None:
    known = read(
        tmp_path,
        content(
            annotation(id=5),
            annotation(id=6, image_id=40, category_id=9, iscrowd=1, bbox=[1, 2, 3, 4], area=7.5),
            annotation(id=4, category_id=9),
        ),
    )
    assert known.class_names == ["cat", "dog"]
    assert known.category_ids == [3, 9]
    assert (known.num_images, known.num_annotations) == (2, 3)
    assert known.image_ids.tolist() == [40, 7]
    assert [known.file_name(0), known.file_name(1)] == ["b/é.jpg", "a.jpg"]
    assert [known.size(0), known.size(1)] == [(10, 30), (12, 20)]
    assert known.ids.tolist() == [6, 5, 4]  # of one image in the file's order
    assert [known.rows(0), known.rows(1)] == [slice(0, 1), slice(1, 3)]
    assert known.labels.tolist() == [1, 0, 1]
    assert known.iscrowd.tolist() == [True, False, False]
    assert known.boxes.tolist() == [[1, 2, 4, 6], [2, 1, 6, 5], [2, 1, 6, 5]]
    assert known.area.tolist() == [7.5, 16, 16]
    types = (known.ids.dtype, known.labels.dtype, known.boxes.dtype, known.iscrowd.dtype, known.area.dtype)
    assert types == (np.int64, np.int64, np.float32, bool, np.float64)
    assert known.has_ground_truth
    assert known.summary is None


def test_polygons_and_their_masks(tmp_path: Path) -> None:
    known = read(
        tmp_path, content(annotation(segmentation=[SQUARE, TRIANGLE]), annotation(id=2, image_id=40))
    )
    assert [len(known.polygons(j) or ()) for j in (0, 1)] == [1, 2]
    rings = known.polygons(1)
    assert rings is not None
    np.testing.assert_array_equal(rings[1], [[10, 2], [16, 2], [10, 8]])
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[1:5, 2:6] = 1
    for y in range(2, 8):  # below the hypotenuse x + y = 18: pixel centres x + .5 + y + .5 < 18
        expected[y, 10 : 17 - y] = 1
    mask = known.mask(1)
    assert (mask.dtype, mask.shape) == (np.uint8, (HEIGHT, WIDTH))
    assert known.mask(0).shape == (10, 30)
    assert (mask != expected)[:, :9].sum() == 0
    assert (mask != expected).sum() <= 6  # pixel centres on the hypotenuse may fall on either side


def test_both_kinds_of_run_lengths(tmp_path: Path) -> None:
    # 3 columns of 4 in an image 12 high and 20 wide, counted down the columns: background first.
    lengths = [4 * 12 + 3, 4, 8, 4, 8, 4, 8, 4, 8, 4, 240 - 51 - 4 * 12 - 4]
    size = [HEIGHT, WIDTH]
    known = read(
        tmp_path,
        content(
            annotation(segmentation={"size": size, "counts": compressed(block_mask())}),
            annotation(id=2, segmentation={"size": size, "counts": lengths}),
            annotation(id=3),
        ),
    )
    assert [known.polygons(0), known.polygons(1)] == [None, None]
    assert known.polygons(2) is not None
    np.testing.assert_array_equal(known.mask(0), block_mask())
    np.testing.assert_array_equal(known.mask(1), block_mask())
    assert known.rle(0) == {"size": size, "counts": compressed(block_mask()).encode()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), height=st.integers(1, 40), width=st.integers(1, 40))
def test_any_mask_survives_both_kinds_of_run_lengths(
    tmp_path: Path, seed: int, height: int, width: int
) -> None:
    rng = np.random.default_rng(seed)
    mask = (rng.random((height, width)) < rng.random()).astype(np.uint8)
    mask[-1, -1] = 1
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff([0, *ends.tolist(), flat.size]).tolist()
    lengths = lengths if flat[0] == 0 else [0, *lengths]
    value = content(
        annotation(bbox=[0, 0, 1, 1], segmentation={"size": [height, width], "counts": compressed(mask)}),
        annotation(id=2, bbox=[0, 0, 1, 1], segmentation={"size": [height, width], "counts": lengths}),
    )
    value["images"][1].update(height=height, width=width)
    known = read(tmp_path, value)
    assert known.num_annotations == 2
    np.testing.assert_array_equal(known.mask(0), mask)
    np.testing.assert_array_equal(known.mask(1), mask)


def test_boxes_are_clipped_to_the_image(tmp_path: Path) -> None:
    known = read(
        tmp_path, content(annotation(bbox=[-1, -0.5, 30, 4]), annotation(id=2, bbox=[1, 1, 1e300, 2]))
    )
    assert known.boxes.tolist() == [[0, 0, 20, 3.5], [1, 1, 20, 3]]
    assert known.summary is None


def test_missing_area_and_iscrowd(tmp_path: Path) -> None:
    sound = annotation()
    del sound["area"], sound["iscrowd"]
    known = read(tmp_path, content(sound))
    assert known.area.tolist() == [16]  # the square's pixels
    assert known.iscrowd.tolist() == [False]


def test_a_file_without_annotations_key_has_no_ground_truth(tmp_path: Path) -> None:
    value = content()
    del value["annotations"]
    known = read(tmp_path, value)
    assert not known.has_ground_truth
    assert (known.num_images, known.num_annotations, known.rows(1)) == (2, 0, slice(0, 0))
    assert read(tmp_path, content()).has_ground_truth


def test_nothing_but_flat_data_is_kept(tmp_path: Path) -> None:
    """Python objects for each annotation would be copied into every worker when their counts change."""
    many = [annotation(id=k, segmentation=[SQUARE] * (k % 3 + 1)) for k in range(500)]
    known = read(tmp_path, content(*many))
    for value in (*vars(known).values(), *vars(known.outlines).values()):
        assert not isinstance(value, list | tuple | dict) or len(value) == 2  # classes
        assert not isinstance(value, np.ndarray) or value.dtype != object
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(known)).mask(3), known.mask(3))


DEGENERATE = {
    "1 box outside of the image": {"bbox": [20, 3, 4, 4]},
    "1 box of zero size": {"bbox": [3, 3, 0, 4]},
    "1 polygon with fewer than 3 points": {"segmentation": [[1, 1, 5, 5]]},
    "1 polygon with an odd number of coordinates": {"segmentation": [[*SQUARE, 3]]},
    "1 polygon far outside of the image": {"segmentation": [[0, 0, 1e9, 0, 1e9, 1e9]]},
    "1 without a segmentation": {"segmentation": []},
    "1 RLE of another size than its image": {"segmentation": {"size": [20, 12], "counts": [0, 240]}},
    "1 damaged RLE": {"segmentation": {"size": [12, 20], "counts": [0, 241]}},
    "1 RLE without any pixel": {"segmentation": {"size": [12, 20], "counts": [240]}},
}


@pytest.mark.parametrize("words", DEGENERATE)
def test_degenerate_annotations_are_dropped_and_counted(tmp_path: Path, words: str) -> None:
    known = read(tmp_path, content(annotation(id=8, **DEGENERATE[words]), annotation(id=9)))
    assert known.summary == f"1 of 2 annotations dropped: {words}"
    assert known.ids.tolist() == [9]
    assert known.mask(0).sum() == 16


@pytest.mark.parametrize(
    "counts",
    ["", "é", "zz", "\x00", "o" * 30, "PPPPPPPP", None, 5, ["a"], [240.0], [-1, 241], [10**30], [True]],
)
def test_damaged_run_lengths(tmp_path: Path, counts: Any) -> None:
    broken = annotation(segmentation={"size": [HEIGHT, WIDTH], "counts": counts})
    assert read(tmp_path, content(broken)).summary == "1 of 1 annotations dropped: 1 damaged RLE"


def test_reasons_are_one_logged_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outside, flat = {"bbox": [99, 3, 4, 4]}, {"segmentation": [[1, 1, 5, 5]]}
    missing = annotation(id=6)
    del missing["segmentation"]
    changed = [
        annotation(id=k, **change) for k, change in enumerate((outside, flat, outside, {}, flat, outside))
    ]
    with caplog.at_level(logging.INFO):
        known = read(tmp_path, content(*changed, missing))
    expected = (
        "6 of 7 annotations dropped: 3 boxes outside of the image, 1 without a segmentation, "
        "2 polygons with fewer than 3 points"
    )
    assert known.summary == expected
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("WARNING", f"{tmp_path / 'instances.json'}: {expected}")
    ]


def test_a_bad_ring_is_left_out_of_a_good_annotation(tmp_path: Path) -> None:
    first, second = annotation(segmentation=[[1, 1, 2, 2], SQUARE]), annotation(id=2, segmentation=[TRIANGLE])
    known = read(tmp_path, content(first, second))
    assert known.summary == (
        "0 of 2 annotations dropped; left out of other annotations: 1 polygon with fewer than 3 points"
    )
    assert [len(known.polygons(j) or ()) for j in (0, 1)] == [1, 1]
    np.testing.assert_array_equal((known.polygons(1) or [])[0].ravel(), TRIANGLE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ('{"images": [', "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ('{"images": ' + "9" * 10_000 + "}", "instances.json"),
        ("[1]", "is not a COCO file: its top level .* is a list"),
        ('"x"', "top level .* is a string"),
        ("{}", '"images" must be a list of objects but is missing'),
    ],
)
def test_files_that_are_not_coco(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as caught:
        read(tmp_path, text)
    assert "instances.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.json does not exist"):
        read_annotations(tmp_path / "gone.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_annotations(tmp_path)
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(DataError, match=r"binary\.json is not valid JSON"):
        read_annotations(tmp_path / "binary.json")


MISSING = object()
TABLES = [
    (("images",), MISSING, '"images" must be a list'),
    (("categories",), MISSING, '"categories" must be a list'),
    (("annotations",), None, '"annotations" must be a list of objects but is a null'),
    (("annotations",), {"1": {}}, '"annotations" must be a list of objects but is a object'),
    (("images",), [], "has no images"),
    (("categories",), [], "has no categories"),
    (("images", 1), 3, 'entry 1 of "images" must be an object'),
    (("images", 1, "id"), 40, "2 entries have the image id 40"),
    (("categories", 0, "id"), 3, "2 entries have the category id 3"),
    (("images", 0, "id"), "40", "image 40 has the \"id\" '40'"),
    (("images", 0, "id"), 2**80, '"id"'),
    (("images", 1, "width"), MISSING, 'image 7 has no "width"'),
    (("images", 1, "height"), MISSING, 'image 7 has no "height"'),
    (("images", 1, "height"), 0, 'image 7 has the "height" 0'),
    (("images", 1, "height"), -4, 'image 7 has the "height" -4'),
    (("images", 1, "width"), 12.5, 'image 7 has the "width" 12.5'),
    (("images", 1, "width"), float("nan"), 'image 7 has the "width" nan'),
    (("images", 1, "width"), True, 'image 7 has the "width" True'),
    (("images", 1, "width"), 10**8, "image 7 has more than"),
    (("images", 1, "file_name"), MISSING, 'image 7 has no "file_name"'),
    (("images", 1, "file_name"), 5, 'image 7 has the "file_name" 5'),
    (("images", 1, "file_name"), "", 'image 7 has the "file_name"'),
    (("images", 1, "file_name"), "\ud800", 'image 7 has the "file_name"'),
    (("categories", 0, "name"), MISSING, 'category 9 has no "name"'),
    (("annotations", 0, "id"), MISSING, 'annotation at position 0 of the list has no "id"'),
    (("annotations", 0, "image_id"), 8, "annotation 1 has the image_id 8, which is not in"),
    (("annotations", 0, "category_id"), 4, "annotation 1 has the category_id 4, which is not in"),
    (("annotations", 0, "image_id"), MISSING, 'annotation 1 has no "image_id"'),
    (("annotations", 0, "iscrowd"), 2, 'annotation 1 has the "iscrowd" 2'),
    (("annotations", 0, "area"), "9", "annotation 1 has the \"area\" '9'"),
    (("annotations", 0, "area"), -9, 'annotation 1 has the "area" -9'),
    (("annotations", 0, "area"), float("nan"), 'annotation 1 has the "area" nan'),
    (("annotations", 0, "bbox"), MISSING, 'annotation 1 has no "bbox"'),
    (("annotations", 0, "bbox"), [1, 2, 3], 'annotation 1 has the "bbox" a list'),
    (("annotations", 0, "bbox"), [1, 2, 3, "4"], 'annotation 1 has the "bbox"'),
    (("annotations", 0, "bbox"), [1, 2, 3, float("nan")], 'annotation 1 has the "bbox"'),
    (("annotations", 0, "bbox"), [1, 2, 3, 10**400], 'annotation 1 has the "bbox"'),
    (("annotations", 0, "segmentation"), SQUARE, 'annotation 1 has a malformed "segmentation"'),
    (("annotations", 0, "segmentation"), "x", 'annotation 1 has a malformed "segmentation"'),
    (("annotations", 0, "segmentation"), [["1", 2]], 'annotation 1 has a malformed "segmentation"'),
    (("annotations", 0, "segmentation"), [SQUARE, {}], 'annotation 1 has a malformed "segmentation"'),
    (("annotations", 0, "segmentation"), [[*SQUARE, 1, float("inf")]], 'annotation 1 has a malformed "segm'),
]


def change(value: Any, place: tuple[Any, ...], new: Any) -> None:
    for step in place[:-1]:
        value = value[step]
    if new is MISSING:
        del value[place[-1]]
    else:
        value[place[-1]] = new


@pytest.mark.parametrize(("place", "new", "words"), TABLES)
def test_entries_that_are_wrong(tmp_path: Path, place: tuple[Any, ...], new: Any, words: str) -> None:
    value = content(annotation())
    change(value, place, new)
    with pytest.raises(DataError) as caught:
        read(tmp_path, value)
    assert words in str(caught.value)
    assert "instances.json" in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(tmp_path))


def test_the_error_names_the_annotation_with_the_bad_polygon(tmp_path: Path) -> None:
    values = [annotation(id=k, segmentation=[SQUARE, TRIANGLE]) for k in range(5)]
    values[3]["segmentation"][1] = [1, 2, 3, float("nan"), 5, 6]
    with pytest.raises(DataError, match='annotation 3 has a malformed "segmentation"'):
        read(tmp_path, content(*values))


def test_images_folder(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    with pytest.raises(DataError, match="is not a folder"):
        read(tmp_path, content(), images_folder=folder)
    (folder / "b").mkdir(parents=True)
    (folder / "a.jpg").touch()
    with pytest.raises(DataError, match=r"1 of the 2 images of .* are not in .*images \(b/é\.jpg\)"):
        read(tmp_path, content(), images_folder=folder)
    (folder / "b" / "é.jpg").touch()
    assert read(tmp_path, content(), images_folder=folder).num_images == 2


def test_images_folder_names_the_first_three_missing_files(tmp_path: Path) -> None:
    value = content()
    value["images"] = [{"id": k, "width": 9, "height": 9, "file_name": f"{k}.jpg"} for k in range(9)]
    (tmp_path / "4.jpg").touch()
    with pytest.raises(DataError, match=r"8 of the 9 images .* \(0\.jpg, 1\.jpg, 2\.jpg, \.\.\.\)"):
        read(tmp_path, value, images_folder=tmp_path)


GARBAGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 50)
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 10**400])
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner)
    ),
    max_leaves=10,
)


def places(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    return [place for step in steps for place in [(*prefix, step), *places(value[step], (*prefix, step))]]


RLE = {"size": [HEIGHT, WIDTH], "counts": compressed(block_mask())}
RUNS = {"size": [HEIGHT, WIDTH], "counts": [100, 20, 120]}
SOUND = content(
    annotation(), annotation(id=2, segmentation=RLE), annotation(id=3, segmentation=RUNS), annotation(id=4)
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damaged_content_is_an_error_or_clean(tmp_path: Path, data: st.DataObject) -> None:
    value = copy.deepcopy(SOUND)
    for _ in range(data.draw(st.integers(1, 3))):
        if choices := places(value):
            new = data.draw(st.just(MISSING) | GARBAGE)
            change(value, data.draw(st.sampled_from(choices)), new)
    try:
        known = read(tmp_path, value)
    except DataError as error:
        message = str(error)
    else:
        check_clean(known)
        return
    assert "instances.json" in message
    assert "\n" not in message


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, 1500), length=st.integers(0, 30), new=st.text(max_size=5))
def test_damaged_text_is_an_error_or_clean(tmp_path: Path, place: int, length: int, new: str) -> None:
    text = json.dumps(SOUND)
    try:
        known = read(tmp_path, text[:place] + new.encode(errors="ignore").decode() + text[place + length :])
    except DataError:
        return
    check_clean(known)


def check_clean(known: Annotations) -> None:
    assert known.num_images >= 1
    assert known.row_starts[-1] == known.num_annotations
    for i in range(known.num_images):
        assert known.file_name(i)
        height, width = known.size(i)
        rows = known.rows(i)
        boxes = known.boxes[rows]
        assert ((boxes[:, :2] >= 0) & (boxes[:, 2:] > boxes[:, :2]) & (boxes[:, 2:] <= (width, height))).all()
        assert ((known.labels[rows] >= 0) & (known.labels[rows] < len(known.class_names))).all()
        assert np.isfinite(known.area[rows]).all()
        if height * width < 10**6:
            assert all(known.mask(j).shape == (height, width) for j in range(rows.start, rows.stop))


def test_a_category_above_the_others_is_no_class(tmp_path: Path) -> None:
    listed = content(annotation())
    listed["categories"] = [
        {"id": 0, "name": "animals", "supercategory": "none"},
        {"id": 3, "name": "cat", "supercategory": "animals"},
        {"id": 9, "name": "dog", "supercategory": "animals"},
    ]
    known = read(tmp_path, listed)
    assert (known.class_names, known.category_ids, known.labels.tolist()) == (["cat", "dog"], [3, 9], [0])
    assert read(tmp_path, listed, category_ids_kept=[0, 3]).class_names == ["animals", "cat", "dog"]
    listed["annotations"].append(annotation(id=2, category_id=0))
    known = read(tmp_path, listed)
    assert (known.class_names, known.labels.tolist()) == (["animals", "cat", "dog"], [1, 0])


def test_classes_that_are_their_own_supercategory_stay(tmp_path: Path) -> None:
    listed = content(annotation())
    for category in listed["categories"]:
        category["supercategory"] = category["name"]
    assert read(tmp_path, listed).class_names == ["cat", "dog"]


def test_errors_of_entries_name_the_check(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"task=check_data lists all mistakes, with fix=true it"):
        read(tmp_path, content(annotation(bbox=[1, 2, 3])))
