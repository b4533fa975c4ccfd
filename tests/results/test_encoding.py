import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as mask_api

from yolact_pl.results.detections import Detections
from yolact_pl.results.encoding import encode_detections, encode_masks
from yolact_pl.results.masks import PixelMasks


def reference(masks: np.ndarray) -> list[str]:
    return [mask_api.encode(np.asfortranarray(mask, dtype=np.uint8))["counts"].decode() for mask in masks]


@settings(deadline=None, max_examples=300)
@given(arrays(np.bool_, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9)))
def test_run_lengths_are_pycocotools(masks: np.ndarray) -> None:
    assert encode_masks(PixelMasks.of(masks)) == reference(masks)


def test_run_lengths_of_large_masks() -> None:
    rows, columns = np.mgrid[:700, :900]
    masks = np.stack(
        [
            np.zeros((700, 900), bool),
            np.ones((700, 900), bool),
            (rows - 300) ** 2 + (columns - 500) ** 2 < 250**2,
            (columns > 200) & (columns < 210),  # one run over whole columns
            (rows % 7 < 3) & (columns % 5 < 2),
        ]
    )
    assert encode_masks(PixelMasks.of(masks)) == reference(masks)
    assert encode_masks(PixelMasks.of(masks[:0])) == []


def test_results_of_an_image() -> None:
    masks = np.zeros((2, 20, 30), dtype=np.bool_)
    masks[0, 3:9, 5:11] = True
    detections = Detections.from_masks(
        boxes=[[5.0, 3.0, 11.0, 9.0], [0.0, 0.0, 30.0, 20.0]],
        scores=[0.75, 0.5],
        mask_scores=[0.25, 0.125],
        labels=[1, 0],
        masks=masks,
    )
    results = encode_detections(7, detections, category_ids=[18, 44])
    counts = reference(masks)
    assert list(results.box_rows()) == [
        {"image_id": 7, "category_id": 44, "bbox": [5.0, 3.0, 6.0, 6.0], "score": 0.75},
        {"image_id": 7, "category_id": 18, "bbox": [0.0, 0.0, 30.0, 20.0], "score": 0.5},
    ]
    assert list(results.mask_rows()) == [
        {
            "image_id": 7,
            "category_id": category,
            "segmentation": {"size": [20, 30], "counts": text},
            "score": score,
        }
        for category, text, score in ((44, counts[0], 0.25), (18, counts[1], 0.125))
    ]
    assert pickle.loads(pickle.dumps(results)) == results


def test_an_image_without_detections_has_results() -> None:
    empty = Detections.from_masks(boxes=[], scores=[], labels=[], masks=np.zeros((0, 20, 30), dtype=np.bool_))
    results = encode_detections(7, empty, category_ids=[1])
    assert (results.image_id, results.size) == (7, (20, 30))
    assert not list(results.box_rows())
    assert not list(results.mask_rows())
