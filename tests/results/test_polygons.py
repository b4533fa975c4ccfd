import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pycocotools import mask as coco_mask

from yolact_pl.results.masks import Patch
from yolact_pl.results.polygons import patch_polygons


def rasterised(polygons: list[list[list[int]]], height: int, width: int) -> np.ndarray:
    flat = [np.asarray(polygon, float).ravel().tolist() for polygon in polygons]
    return coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(flat, height, width))).astype(bool)


def with_holes_filled(mask: np.ndarray) -> np.ndarray:
    """All that the outside cannot reach by steps along rows and columns."""
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, parts = cv2.connectedComponents(outside, connectivity=4)
    return (parts != parts[0, 0])[1:-1, 1:-1]


def test_polygon_of_a_rectangle_follows_its_edges() -> None:
    mask = np.zeros((6, 9), dtype=np.bool_)
    mask[1:4, 2:7] = True
    (polygon,) = patch_polygons(Patch.trimmed(mask))
    assert sorted(map(tuple, polygon)) == [(2, 1), (2, 4), (7, 1), (7, 4)]


def test_polygons_of_parts_holes_and_nothing() -> None:
    mask = np.zeros((9, 20), dtype=np.bool_)
    assert patch_polygons(Patch.trimmed(mask)) == []
    mask[0:9, 0:9] = True
    mask[3:5, 3:5] = False
    mask[8, 19] = True
    polygons = patch_polygons(Patch.trimmed(mask))
    areas = sorted(cv2.contourArea(np.asarray(polygon, np.float32)) for polygon in polygons)
    assert areas == [1, 81]  # one pixel; 9 x 9 with its hole filled


@given(arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_polygons_give_the_filled_mask_again(mask: np.ndarray) -> None:
    polygons = patch_polygons(Patch.trimmed(mask))
    again = rasterised(polygons, *mask.shape) if polygons else np.zeros_like(mask)
    assert (again == with_holes_filled(mask)).all()
