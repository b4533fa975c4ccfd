"""What is trained on is what is measured against, whatever the annotation file holds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as mask_api

from tests.evaluation.reading import read_content
from yolact_pl.data.annotations.coco_json import DataError
from yolact_pl.data.annotations.rasterize import rasterize
from yolact_pl.data.augmentation.transforms import NoAugmentation
from yolact_pl.evaluation.ground_truth import truth_objects

HEIGHT, WIDTH = 12, 16
PIXELS = HEIGHT * WIDTH

near = st.floats(-4, 20)
rings = st.one_of(
    st.lists(near, min_size=6, max_size=12),  # also of an odd number of coordinates
    st.lists(near, max_size=5),
    st.lists(st.sampled_from([1e9, -1e9, 1e300, 5]), min_size=6, max_size=8),
)
runs = st.lists(st.integers(0, 40), max_size=6)
codes = st.builds(
    lambda size, lengths, fill: {
        "size": size,
        "counts": [*lengths, *([PIXELS - sum(lengths)] if fill else [])],
    },
    st.sampled_from([[HEIGHT, WIDTH], [float(HEIGHT), float(WIDTH)], [WIDTH, HEIGHT]]),
    runs,
    st.booleans(),
)
compressed = runs.map(
    lambda lengths: {
        "size": [HEIGHT, WIDTH],
        "counts": mask_api.frPyObjects(  # type: ignore[call-overload]
            {"size": [HEIGHT, WIDTH], "counts": [*lengths, max(PIXELS - sum(lengths), 0)]}, HEIGHT, WIDTH
        )["counts"].decode(),
    }
)
annotations = st.fixed_dictionaries(
    {
        "image_id": st.sampled_from([3, 8]),
        "category_id": st.sampled_from([1, 4]),
        "bbox": st.sampled_from([[1, 2, 5, 6], [-0.5, 2, 9, 4], [-9, -9, 1e9, 1e9], [1, 1, 0, 4]]),
        "segmentation": st.one_of(st.lists(rings, max_size=3), codes, compressed),
        "iscrowd": st.sampled_from([0, 1, None]),
    },
    optional={"area": st.sampled_from([0, 1024.00001, 9216, None])},
)


def content(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "images": [{"id": image_id, "height": HEIGHT, "width": WIDTH} for image_id in (8, 3)],
        "categories": [{"id": 4}, {"id": 1}],
        "annotations": [{"id": number} | row for number, row in enumerate(rows)],
    }


@settings(deadline=None, max_examples=150)
@given(st.lists(annotations, max_size=4))
def test_pixels_trained_on_are_pixels_measured_against(rows: list[dict[str, Any]]) -> None:
    try:
        known = read_content(content(rows))
    except DataError:
        return
    for i in range(known.num_images):
        objects = known.rows(i)
        truth = truth_objects(known, i)
        window = NoAugmentation().window(
            known.size(i), known.boxes[objects], known.iscrowd[objects], np.random.default_rng(0)
        )
        numbers = np.arange(objects.start, objects.stop)
        (trained,) = rasterize(known, numbers, window, [known.size(i)])
        measured = [mask_api.decode(entry["segmentation"]).astype(bool) for entry in truth]
        np.testing.assert_array_equal(trained, np.reshape(measured, trained.shape))
        assert [entry["iscrowd"] for entry in truth] == known.iscrowd[objects].tolist()
        assert [entry["category_id"] for entry in truth] == [
            known.category_ids[n] for n in known.labels[objects]
        ]
        for entry, row in zip(truth, [rows[j] for j in known.ids[objects]], strict=True):
            assert entry["image_id"] == row["image_id"]
            area = row.get("area")
            assert entry["area"] == (mask_api.area(entry["segmentation"]) if area is None else area)


def test_boxes_are_the_files_unless_they_reach_far_out() -> None:
    ring = [1, 1, 8, 1, 8, 8]
    given_boxes = [[0.1, 0.2, 3.3, 4.4], [-1, 2, 9, 4], [-1.5, 2, 9, 4], [3, 3, 1e6, 10]]
    rows = [
        {"image_id": 3, "category_id": 1, "segmentation": [ring], "bbox": box, "area": 1}
        for box in given_boxes
    ]
    boxes = [entry["bbox"] for entry in truth_objects(read_content(content(rows)), 1)]
    assert boxes == [*given_boxes[:2], [0, 2, 7.5, 4], [3, 3, WIDTH - 3, HEIGHT - 3]]


def test_ring_far_outside_is_left_out_of_both(caplog: pytest.LogCaptureFixture) -> None:
    near_ring, far = [1, 1, 8, 1, 8, 8, 1, 8], [1e9, 1e9, 2e9, 1e9, 2e9, 2e9]
    row = {"image_id": 3, "category_id": 1, "segmentation": [near_ring, far], "bbox": [1, 1, 7, 7]}
    (entry,) = truth_objects(read_content(content([row])), 1)
    assert mask_api.area(entry["segmentation"]) == 49
    assert "1 polygon far outside of the image" in caplog.text
