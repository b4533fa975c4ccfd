from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.inference.drawing import draw
from yolact_pl.inference.drawing.colors import index_color
from yolact_pl.inference.drawing.draw import draw_detections, draw_targets
from yolact_pl.results.detections import Detections
from yolact_pl.structures import Target

NAMES = ["cat", "dog", "ein sehr langer Name einer Klasse", "Жираф", "猫"]


def found(masks: np.ndarray, labels: list[int], boxes: list[list[float]] | None = None) -> Detections:
    if boxes is None:
        boxes = [list(box_of(mask)) for mask in masks]
    scores = np.linspace(0.9, 0.3, len(labels))
    return Detections.from_masks(boxes=boxes, scores=scores, labels=labels, masks=masks)


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return float(x), float(y), float(x + w), float(y + h)


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ring(height: int, width: int) -> np.ndarray:
    """A disc with a hole, an island in the hole, and a part of its own."""
    mask = np.zeros((height, width), np.uint8)
    centre, radius = (width // 2, height // 2), min(height, width) // 3
    for size, value in ((radius, 1), (radius // 2, 0), (radius // 4, 1)):
        cv2.circle(mask, centre, size, value, -1)
    mask[2:6, 2:9] = 1
    return mask.astype(bool)


def test_the_image_is_not_changed_and_nothing_found_gives_a_copy() -> None:
    image = noise(60, 80)
    before = image.copy()
    out = draw_detections(image, found(np.zeros((0, 60, 80), bool), []), NAMES)
    assert (out == before).all()
    assert not np.shares_memory(out, image)
    out = draw_detections(image, found(ring(60, 80)[None], [1]), NAMES)
    assert (image == before).all()
    assert out.shape == image.shape
    assert out.dtype == np.uint8
    assert (out != before).any()


def test_fill_mixes_mask_pixels_with_the_color_and_leaves_others(monkeypatch: pytest.MonkeyPatch) -> None:
    image, mask = noise(90, 120), ring(90, 120)
    # The outline of an object is drawn after the fill: move it out of sight to see the fill alone.
    monkeypatch.setattr(draw, "_line_width", lambda image: 0)
    plain = cv2.drawContours

    def only_fills(out, contours, index, color, thickness):  # type: ignore[no-untyped-def]
        return plain(out, contours, index, color, thickness) if thickness == cv2.FILLED else out

    monkeypatch.setattr(cv2, "drawContours", only_fills)
    out = draw_detections(image, found(mask[None], [1]), NAMES, alpha=0.25, boxes=False, labels=False)
    expected = image.astype(float)
    expected[mask] = 0.75 * expected[mask] + 0.25 * np.array(index_color(1))
    assert np.abs(out - expected).max() <= 0.5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 25), st.floats(0, 1))
def test_no_pixel_far_from_a_mask_changes_and_all_of_it_do(
    seed: int, height: int, width: int, density: float
) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < density
    image = np.zeros((height, width, 3), np.uint8)
    out = draw_detections(image, found(mask[None], [0]), NAMES, boxes=False, labels=False)
    # On pictures of this size the outline is one pixel wide and lies on the mask itself.
    assert (out.any(axis=2) == mask).all()


def test_outline_is_opaque() -> None:
    image, mask = noise(90, 120), ring(90, 120)
    out = draw_detections(image, found(mask[None], [1]), NAMES, alpha=0.0, boxes=False, labels=False)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    edge = mask & ~cv2.erode(mask.astype(np.uint8), cross, borderValue=0).astype(bool)
    assert (out[edge] == index_color(1)).all()
    inside = cv2.erode(mask.astype(np.uint8), np.ones((7, 7)), borderValue=0).astype(bool)
    assert inside.any()
    assert (out[inside] == image[inside]).all()


def test_box_lines_run_on_the_outermost_pixels_of_the_box() -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    nothing = np.zeros((1, 40, 50), bool)
    detections = found(nothing, [0], [[10.0, 5.0, 30.0, 25.0]])
    out = draw_detections(image, detections, NAMES, labels=False)
    expected = np.zeros((40, 50), bool)
    expected[5:25, 10:30] = True
    expected[6:24, 11:29] = False
    assert (out.any(axis=2) == expected).all()
    assert not draw_detections(image, detections, NAMES, boxes=False, labels=False).any()


@pytest.mark.parametrize(
    "box", [[-20.0, -5.0, 500.0, 300.0], [49.5, 39.5, 49.6, 39.6], [30.0, 20.0, 10.0, 5.0]]
)
def test_boxes_over_the_border_and_empty_ones(box: list[float]) -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    out = draw_detections(image, found(np.zeros((1, 40, 50), bool), [0], [box]), NAMES, labels=False)
    assert out.any()


def test_small_objects_stay_visible_on_large_ones_whatever_their_rank() -> None:
    masks = np.zeros((2, 60, 60), bool)
    masks[0, 20:40, 20:40] = True
    masks[1, 5:55, 5:55] = True
    image = np.zeros((60, 60, 3), np.uint8)
    for order in ([0, 1], [1, 0]):
        out = draw_detections(image, found(masks[order], order), NAMES, alpha=1.0, boxes=False, labels=False)
        assert tuple(out[30, 30]) == index_color(0)
        assert tuple(out[10, 10]) == index_color(1)


def test_colors_by_class_and_by_instance() -> None:
    masks = np.zeros((2, 40, 40), bool)
    masks[0, 5:15, 5:15] = masks[1, 25:35, 25:35] = True
    image = np.zeros((40, 40, 3), np.uint8)
    same = draw_detections(image, found(masks, [4, 4]), NAMES, alpha=1.0)
    assert tuple(same[10, 10]) == tuple(same[30, 30]) == index_color(4)
    each = draw_detections(image, found(masks, [4, 4]), NAMES, alpha=1.0, color_by="instance", labels=False)
    assert tuple(each[10, 10]) == index_color(0)
    assert tuple(each[30, 30]) == index_color(1)


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (1, 300), (300, 1), (100, 100), (480, 640)])
def test_any_size_with_many_and_odd_names(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    masks = random.random((30, *size)) < min(0.3, 1e3 / (size[0] * size[1]))
    boxes = np.concatenate((random.random((30, 2)) * 0.5, random.random((30, 2)) * 0.5 + 0.5), axis=1)
    boxes *= [size[1], size[0]] * 2
    detections = found(masks, [index % len(NAMES) for index in range(30)], boxes.tolist())
    out = draw_detections(noise(*size), detections, NAMES)
    assert out.shape == (*size, 3)


def test_labels_are_drawn_where_there_is_room() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    nothing = found(np.zeros((1, 120, 160), bool), [1], [[60.0, 60.0, 100.0, 100.0]])
    with_label = draw_detections(image, nothing, NAMES, boxes=False)
    rows, columns = np.nonzero(with_label.any(axis=2))
    assert rows.max() == 59  # it ends where the box starts
    assert columns.min() == 60


@pytest.mark.parametrize(("size", "complete"), [((100, 100), False), ((480, 640), True)])
def test_labels_leave_most_of_a_small_picture_free(size: tuple[int, int], *, complete: bool) -> None:
    """Twelve objects: in a small picture only the best are labelled, in a large one all."""
    height, width = size
    corners = [(x, y) for y in range(4) for x in range(3)]
    boxes = [
        [width * x / 3, height * (y / 4 + 0.2), width * (x / 3 + 0.1), height * (y + 1) / 4]
        for x, y in corners
    ]
    nothing = np.zeros((12, height, width), bool)
    image = np.zeros((height, width, 3), np.uint8)
    out = draw_detections(image, found(nothing, [0] * 12, boxes), NAMES, boxes=False)
    drawn = out.any(axis=2)
    assert drawn.mean() <= 0.25
    # In each object's cell, in the order of their scores.
    cells = [
        drawn[height * y // 4 : height * (y + 1) // 4, width * x // 3 : width * (x + 1) // 3].any()
        for x, y in corners
    ]
    assert cells == sorted(cells, reverse=True)
    assert cells[0]
    assert all(cells) == complete


def test_line_and_letters_grow_with_the_picture() -> None:
    sizes = [(100, 100), (480, 640), (1080, 1920), (3000, 4000)]
    pictures = [np.broadcast_to(np.uint8(0), (*size, 3)) for size in sizes]
    assert [draw._line_width(picture) for picture in pictures] == [1, 2, 3, 7]
    assert [draw._font_size(picture) for picture in pictures] == [8, 13, 23, 45]


def test_masks_of_another_picture_are_refused() -> None:
    with pytest.raises(ValueError, match=r"masks are 80x60 pixels but the image is 50x40"):
        draw_detections(noise(40, 50), found(np.ones((1, 60, 80), bool), [0]), NAMES)


def target(masks: np.ndarray, boxes: list[list[float]], *, crowd: bool) -> Target:
    return Target(
        boxes=torch.tensor(boxes),
        labels=torch.tensor([1]),
        masks=torch.from_numpy(masks),
        iscrowd=torch.tensor([crowd]),
        image_id=1,
        size=(60, 80),
    )


def test_targets_are_drawn_like_detections_but_without_scores() -> None:
    image, mask = noise(60, 80), ring(60, 80)
    truth = target(mask[None], [list(box_of(mask))], crowd=False)
    same = draw_detections(image, found(mask[None], [1]), NAMES, labels=False)
    assert (draw_targets(image, truth, NAMES, labels=False) == same).all()
    plain, crowd = (
        draw_targets(image, target(mask[None], [[10.0, 30.0, 50.0, 50.0]], crowd=crowd), NAMES)
        for crowd in (False, True)
    )
    assert (plain != crowd).any()  # a crowd says so in its label


def test_targets_may_have_small_masks() -> None:
    small = np.zeros((1, 15, 20), bool)
    small[0, 5:10, 5:10] = True
    image = np.zeros((60, 80, 3), np.uint8)
    out = draw_targets(image, target(small, [[20.0, 20.0, 40.0, 40.0]], crowd=False), NAMES, labels=False)
    rows, columns = np.nonzero(out.any(axis=2))
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (20, 40, 20, 40)


def test_a_tracked_object_has_its_color_in_every_frame_and_coasting_ones_are_outlined() -> None:
    masks = np.zeros((2, 60, 60), bool)
    masks[0, 5:25, 5:25] = masks[1, 35:55, 35:55] = True
    image = np.zeros((60, 60, 3), np.uint8)
    for order in ([0, 1], [1, 0]):
        numbers, coasting = np.array([7, 3])[order], np.array([False, True])[order]
        detections = replace(found(masks[order], [4, 4]), tracker_ids=numbers, coasting=coasting)
        out = draw_detections(image, detections, NAMES, color_by="track", alpha=1, boxes=False, labels=False)
        assert tuple(out[15, 15]) == index_color(7)
        assert not out[45, 45].any()
        assert tuple(out[35, 45]) == index_color(3)
    plain = replace(detections, tracker_ids=None, coasting=None)
    numbered = draw_detections(image, detections, NAMES)
    assert (numbered != draw_detections(image, plain, NAMES)).any()
    with pytest.raises(ValueError, match="color_by=track: these detections are not tracked"):
        draw_detections(image, plain, NAMES, color_by="track")
