"""Detections of images that fill only a part of the network's input."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.images.placement import Placement
from yolact_pl.postprocess import Postprocess
from yolact_pl.structures import Predictions

CANVAS = (64, 96)


def predictions_of(boxes: list[tuple[float, float, float, float]]) -> Predictions:
    """One class, a box an anchor, the first the surest; all masks are 1 everywhere."""
    count = len(boxes)
    scores = torch.linspace(5, 4, count)
    return Predictions(
        class_logits=torch.stack((torch.zeros(count), scores), dim=1)[None],
        box_deltas=torch.zeros(1, count, 4),
        coefficients=torch.ones(1, count, 1),
        prototypes=torch.full((1, 1, 16, 24), 9.0),
        anchors=torch.tensor(boxes),
        semantic_logits=None,
        image_size=CANVAS,
    )


def test_boxes_and_masks_by_hand() -> None:
    # A picture of 80 x 200 on rows 8..40 and columns 16..96: 2.5 times as large.
    placement = Placement(CANVAS, 8, 16, 32, 80)
    inside, crossing, beside = (26.0, 12.0, 36.0, 20.0), (0.0, 0.0, 56.0, 24.0), (20.0, 41.0, 60.0, 60.0)
    (found,) = Postprocess(nms="exact")(
        predictions_of([beside, inside, crossing]), [(80, 200)], placements=[placement]
    )
    assert found.boxes.tolist() == [[25, 10, 50, 30], [0, 0, 100, 40]]
    assert found.masks.shape == (2, 80, 200)
    rows, columns = np.nonzero(found.masks[0])
    # The box is 6.5..9 x 3..5 in pixels of the prototypes, cropped with one to spare: columns 6 to 9 and
    # rows 2 to 5 stay, that is 24..40 x 8..24 of the input.
    assert (columns.min(), columns.max() + 1) == (20, 60)
    assert (rows.min(), rows.max() + 1) == (0, 40)


@settings(max_examples=100, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(st.floats(-50, 140), st.floats(-50, 110), st.floats(0.1, 120), st.floats(0.1, 90)),
        min_size=1,
        max_size=8,
    ),
    top=st.integers(0, 20),
    left=st.integers(0, 30),
    height=st.integers(1, 44),
    width=st.integers(1, 66),
)
def test_nothing_lies_outside_of_the_image(
    boxes: list[tuple[float, float, float, float]], top: int, left: int, height: int, width: int
) -> None:
    placement = Placement(CANVAS, top, left, height, width)
    corners = [(x, y, x + w, y + h) for x, y, w, h in boxes]
    postprocess = Postprocess(nms="exact", iou_threshold=1.0, whole_pixel_boxes=False)
    (found,) = postprocess(predictions_of(corners), [(3 * height, 2 * width)], placements=[placement])

    expected = []
    for x1, y1, x2, y2 in torch.tensor(corners).double().tolist():
        # Cut to the image's place, then counted from there, twice and three times as large.
        x1, x2 = max(x1, left), min(x2, left + width)
        y1, y2 = max(y1, top), min(y2, top + height)
        if x1 < x2 and y1 < y2:
            expected.append([2 * (x1 - left), 3 * (y1 - top), 2 * (x2 - left), 3 * (y2 - top)])
    assert len(found.boxes) == len(expected)
    np.testing.assert_allclose(found.boxes, np.array(expected).reshape(-1, 4), atol=2e-3)


def test_an_image_all_over_the_input_needs_no_placement() -> None:
    predictions = predictions_of([(3.3, 5.1, 40.7, 50.2), (50.0, 10.0, 90.0, 60.0)])
    (plain,) = Postprocess()(predictions, [(123, 77)])
    (placed,) = Postprocess()(predictions, [(123, 77)], placements=[Placement.whole(CANVAS)])
    assert np.array_equal(plain.boxes, placed.boxes)
    assert np.array_equal(plain.masks, placed.masks)


def test_a_batch_may_have_enlarged_the_input() -> None:
    """Only the image's rectangle counts: the input's size is what the network says."""
    predictions = predictions_of([(4.0, 4.0, 20.0, 20.0)])
    (own,) = Postprocess()(predictions, [(32, 32)], placements=[Placement((32, 32), 0, 0, 32, 32)])
    (batch,) = Postprocess()(predictions, [(32, 32)], placements=[Placement(CANVAS, 0, 0, 32, 32)])
    assert own.boxes.tolist() == batch.boxes.tolist() == [[4, 4, 20, 20]]
    np.testing.assert_array_equal(own.masks, batch.masks)
