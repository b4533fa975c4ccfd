"""A predictor that keeps the aspect ratio of its pictures."""

import numpy as np
import pytest

from tests.inference.test_predictor import NAMES, random_images, small_network
from yolact_pl.inference.engines.torch_engine import torch_predictor
from yolact_pl.inference.predictor import Predictor
from yolact_pl.postprocess import Postprocess


def predictor(resize: str, image_size: tuple[int, int]) -> Predictor:
    return torch_predictor(
        small_network(),
        Postprocess(score_threshold=0.0, max_detections=5, whole_pixel_boxes=False),
        class_names=NAMES,
        image_size=image_size,
        resize=resize,
        device="cpu",
    )


def padded(image: np.ndarray, canvas: tuple[int, int], top: int, left: int) -> np.ndarray:
    """On a canvas of ImageNet's mean colour."""
    pixels = np.empty((*canvas, 3), np.uint8)
    pixels[:] = (124, 117, 104)
    pixels[top : top + image.shape[0], left : left + image.shape[1]] = image
    return pixels


@pytest.mark.parametrize(
    ("resize", "image_size", "canvas", "top", "left"),
    [("letterbox", (128, 128), (128, 128), 16, 0), ("shortest_edge", (96, 128), (96, 128), 0, 0)],
)
def test_equals_padding_by_hand(
    resize: str, image_size: tuple[int, int], canvas: tuple[int, int], top: int, left: int
) -> None:
    """An image of the size that it gets needs no resizing, so that padding is all that happens to it."""
    (image,) = random_images((96, 128))
    keep = predictor(resize, image_size)
    stretch = predictor("stretch", canvas)
    by_hand = padded(image, canvas, top, left)
    np.testing.assert_array_equal(keep.prepare([image]), stretch.prepare([by_hand]))

    (found,) = keep([image])
    (expected,) = stretch.with_options(top_k=1000)([by_hand])
    boxes = expected.boxes - np.array([left, top, left, top])
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, 128)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, 96)
    masks = expected.masks[:, top : top + 96, left : left + 128]
    assert len(found.scores) > 0
    for box, score, label, mask in zip(found.boxes, found.scores, found.labels, found.masks, strict=True):
        same = (np.abs(expected.scores - score) < 1e-6) & (expected.labels == label)
        same &= np.abs(boxes - box).max(axis=1) < 1e-3
        assert same.any()
        assert any(np.array_equal(mask, masks[i]) for i in same.nonzero()[0])


def test_images_of_several_shapes_in_one_batch() -> None:
    keep = predictor("shortest_edge", (64, 96))
    sizes = [(50, 40), (64, 96), (30, 90), (200, 20)]
    images = random_images(*sizes)
    assert keep.prepare(images).shape == (4, 3, 96, 96)
    for found, (height, width) in zip(keep(images), sizes, strict=True):
        assert found.masks.shape[1:] == (height, width)
        assert (found.boxes >= 0).all()
        assert (found.boxes <= np.array([width, height] * 2)).all()
    # As video does: every image is prepared alone, several go through the network together.
    predictions = keep.forward([keep.prepare([image]) for image in images])
    for index, (together, size) in enumerate(zip(keep(images), sizes, strict=True)):
        alone = keep.detect(predictions, index, size)
        np.testing.assert_allclose(alone.boxes, together.boxes, rtol=1e-5)
        assert np.array_equal(alone.masks, together.masks)


def test_a_network_sees_the_same_in_every_batch_of_letterboxes() -> None:
    keep = predictor("letterbox", (64, 96))
    images = random_images((50, 40), (64, 96), (7, 130))
    for image, together in zip(images, keep(images), strict=True):
        (alone,) = keep([image])
        np.testing.assert_allclose(together.scores, alone.scores, rtol=1e-5)
        np.testing.assert_allclose(together.boxes, alone.boxes, rtol=1e-5)


def test_another_way_is_refused() -> None:
    with pytest.raises(ValueError, match="resize='squash' is not known"):
        predictor("squash", (64, 64))
