import numpy as np
import pytest
import torch

from tests.inference.test_predictor import random_images, small_predictor
from tests.results.same import assert_same
from yolact_pl.images.placement import Placement
from yolact_pl.inference.drawing import prototypes
from yolact_pl.inference.drawing.labels import text_coverage
from yolact_pl.inference.drawing.map_panels import (
    AGAINST,
    IN_FAVOUR,
    NEITHER,
    Region,
    diverging,
    part,
    sample,
)
from yolact_pl.inference.drawing.prototypes import COLUMNS, PANEL_WIDTH, prototypes_picture
from yolact_pl.inference.drawing.sheet import Sheet
from yolact_pl.postprocess import Chosen, Postprocess
from yolact_pl.results.detections import Detections
from yolact_pl.structures import Predictions

NAMES = ("disc", "star")
GAP = 6
TOP = GAP + text_coverage("Ag", 13).shape[0]
"""Where the first row of panels begins."""


def planted(num_prototypes: int = 10) -> tuple[np.ndarray, Predictions, Chosen]:
    """An image of 40x60 and two detections: prototype 3 lies on the first, prototype 7 on the second."""
    image = np.full((40, 60, 3), 200, dtype=np.uint8)
    maps = torch.zeros(1, num_prototypes, 20, 20)
    maps[0, 3, 4:12, 2:8] = 2
    if num_prototypes > 7:
        maps[0, 7, 10:18, 12:18] = 4
        maps[0, 1] = 1  # everywhere
    coefficients = torch.zeros(1, 5, num_prototypes)
    coefficients[0, 2, 3], coefficients[0, 2, 1] = 0.9, -0.5
    if num_prototypes > 7:
        coefficients[0, 4, 7], coefficients[0, 4, 3] = 0.75, -1.0
    predictions = Predictions(
        class_logits=torch.zeros(1, 5, 3),
        box_deltas=torch.zeros(1, 5, 4),
        coefficients=coefficients,
        prototypes=maps,
        anchors=torch.zeros(5, 4),
        semantic_logits=None,
        image_size=(80, 80),
    )
    # Pixels of the input: 4 a prototype pixel.
    boxes = torch.tensor([[8.0, 16.0, 32.0, 48.0], [48.0, 40.0, 72.0, 72.0]])
    scores = torch.tensor([0.9, 0.8])
    return image, predictions, Chosen(torch.tensor([2, 4]), boxes, torch.tensor([0, 1]), scores)


@pytest.fixture
def panels(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, str, int, int]]:
    """What is put on the sheet: panel, caption, column, top."""
    placed: list[tuple[np.ndarray, str, int, int]] = []
    original = Sheet.place

    def place(self: Sheet, panel: np.ndarray, caption: str, *, column: int, top: int) -> int:
        placed.append((panel, caption, column, top))
        return original(self, panel, caption, column=column, top=top)

    monkeypatch.setattr(prototypes.Sheet, "place", place)
    return placed


def picture(image: np.ndarray, predictions: Predictions, chosen: Chosen, **options: int) -> np.ndarray:
    return prototypes_picture(image, in_image(predictions, chosen, image), NAMES, **options)


def in_image(
    predictions: Predictions, chosen: Chosen, image: np.ndarray, placement: Placement | None = None
) -> Detections:
    found = Postprocess().finish(predictions, 0, chosen).on_cpu()
    found = found._replace(
        prototypes=predictions.prototypes[0].numpy(),
        coefficients=predictions.coefficients[0, chosen.anchors].numpy(),
    )
    return found.in_image(image.shape[:2], placement)


def test_rows_show_signed_coefficients_strongest_first(
    panels: list[tuple[np.ndarray, str, int, int]],
) -> None:
    sheet = picture(*planted())
    captions = [caption for _, caption, _, _ in panels]
    assert captions[0] == "2 found, and 10 prototypes"
    assert captions[1:11] == [
        f"#{k}  up to {largest:.1f}" if largest else f"#{k}  nowhere above 0"
        for k, largest in enumerate([0, 1, 0, 2, 0, 0, 0, 4, 0, 0])
    ]
    first, second = captions[11:23], captions[23:35]
    # Within the first box prototype 3 gives 0.9 x 2, prototype 1 gives -0.5 x 1.
    assert first[:3] == ["disc 0.90", "+0.90 \u00d7 #3", "-0.50 \u00d7 #1"]
    # Prototype 3 is not in the second box, whatever its coefficient.
    assert second[:2] == ["star 0.80", "+0.75 \u00d7 #7"]
    assert first[7:] == ["the other 4", "= sum", "sigmoid, box", "cropped", "mask"]
    assert len(captions) == 35
    assert sheet.shape[1] == COLUMNS * (PANEL_WIDTH + GAP) + GAP


def test_colors_say_for_and_against(panels: list[tuple[np.ndarray, str, int, int]]) -> None:
    picture(*planted())
    by_caption = {caption: panel for panel, caption, _, _ in panels[11:23]}
    centre = (50, 75)  # of the region, and so of the object
    # 1.8 is the largest contribution; -0.5 is 0.28 of it, towards blue.
    assert tuple(by_caption["+0.90 \u00d7 #3"][centre]) == IN_FAVOUR
    faint = [n + (a - n) * 0.5 / 1.8 for n, a in zip(NEITHER, AGAINST, strict=True)]
    np.testing.assert_allclose(by_caption["-0.50 \u00d7 #1"][centre], faint, atol=1)
    assert tuple(by_caption["the other 4"][centre]) == NEITHER
    total = [n + (f - n) * 1.3 / 1.8 for n, f in zip(NEITHER, IN_FAVOUR, strict=True)]
    np.testing.assert_allclose(by_caption["= sum"][centre], total, atol=1)
    corner = (1, 1)  # outside of the box: sigmoid(-0.5) is 0.38, cropped to 0, the darkest of the scale
    assert by_caption["sigmoid, box"][corner].sum() > by_caption["cropped"][corner].sum()
    np.testing.assert_array_equal(by_caption["cropped"][corner], (68, 1, 84))
    assert tuple(by_caption["mask"][centre]) == (200, 200, 200)
    assert tuple(by_caption["mask"][corner]) == (50, 50, 50)  # dimmed


def test_panels_are_where_they_were_put() -> None:
    sheet = Sheet(3, 50, gap=4, font_size=12)
    red = np.full((20, 50, 3), (200, 0, 0), dtype=np.uint8)
    wide = np.full((10, sheet.span(2), 3), (0, 200, 0), dtype=np.uint8)
    caption = sheet.caption_height
    assert sheet.place(red, "red", column=2, top=4) == 4 + caption + 20 + 4
    sheet.place(
        wide, "a caption that is much too long for the panel that it stands above of", column=0, top=4
    )
    drawn = sheet.draw()
    assert drawn.shape == (4 + caption + 20 + 4, 3 * 54 + 4, 3)
    np.testing.assert_array_equal(drawn[4 + caption :, 112:162][:20], red)
    np.testing.assert_array_equal(drawn[4 + caption :, 4:108][:10], wide)
    assert (drawn[4 : 4 + caption, 112:162] > 200).any()  # letters
    ground = drawn[-4:].reshape(-1, 3)
    assert (ground == ground[0]).all()
    assert (drawn[: 4 + caption, 108:112] == ground[0]).all()  # the long one ends where its panel does


@pytest.mark.parametrize("size", [(1, 400), (400, 1), (1, 1), (40, 60), (300, 50)])
def test_any_image_has_a_picture(size: tuple[int, int]) -> None:
    _, predictions, chosen = planted()
    image = np.full((*size, 3), 90, dtype=np.uint8)
    sheet = picture(image, predictions, chosen)
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] == COLUMNS * (PANEL_WIDTH + GAP) + GAP
    assert 200 < sheet.shape[0] < 4000


def test_nothing_found_leaves_the_prototypes(panels: list[tuple[np.ndarray, str, int, int]]) -> None:
    image, predictions, chosen = planted()
    picture(image, predictions, Chosen(*(part[:0] for part in chosen)))
    assert len(panels) == 11
    assert panels[0][1] == "0 found, and 10 prototypes"


def test_so_many_rows(panels: list[tuple[np.ndarray, str, int, int]]) -> None:
    picture(*planted(), num_detections=1)
    assert len(panels) == 1 + 10 + 12


def test_few_prototypes_leave_no_rest(panels: list[tuple[np.ndarray, str, int, int]]) -> None:
    picture(*planted(num_prototypes=4))
    captions = [caption for _, caption, _, _ in panels]
    assert not any(caption.startswith("the other") for caption in captions)
    assert [column for _, _, column, _ in panels[5:14]] == list(range(9))


def test_logits_far_beyond_the_sigmoids_ends() -> None:
    image, predictions, chosen = planted()
    picture(image, predictions._replace(prototypes=predictions.prototypes * 1e6), chosen)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "shortest_edge"])
def test_parts_belong_to_what_the_predictor_finds(resize: str) -> None:
    """The masks at the prototypes' resolution, made by hand of the parts of the second image of a batch."""
    predictor = small_predictor(resize=resize)
    images = random_images((50, 40), (33, 120))
    found = predictor.with_parts()(images)
    agree = inside = 0
    for detections, image, expected in zip(found, images, predictor(images), strict=True):
        assert_same(detections, expected)
        parts = detections.parts
        assert parts is not None
        height, width = image.shape[:2]
        x1, y1, x2, y2 = parts.place
        for row, mask in enumerate(expected.masks):
            logits = (parts.coefficients[row][:, None, None] * parts.prototypes).sum(axis=0)
            left, top, right, bottom = parts.boxes[row]
            for y, x in np.ndindex(height, width):  # centres of pixels, the nearest of the map's
                on_input = x1 + (x + 0.5) / width * (x2 - x1), y1 + (y + 0.5) / height * (y2 - y1)
                if not (left < on_input[0] < right and top < on_input[1] < bottom):
                    continue
                inside += 1
                h, w = logits.shape
                agree += (logits[int(on_input[1] * h), int(on_input[0] * w)] > 0) == mask[y, x]
    assert inside > 1000
    assert agree > 0.85 * inside


def test_letterboxed_image_shows_its_own_part_of_the_prototypes(
    panels: list[tuple[np.ndarray, str, int, int]],
) -> None:
    """An image of 20x60 in the middle of an input of 80x80: rows 27 to 53 of it."""
    _, predictions, chosen = planted()
    image = np.full((20, 60, 3), 200, dtype=np.uint8)
    placement = Placement((80, 80), 27, 0, 26, 80)
    prototypes_picture(image, in_image(predictions, chosen, image, placement), NAMES)
    shown = panels[1 + 3][0]  # prototype 3 ends at 12 of 20 rows: 48 of 80, (48 - 27) / 26 of the image
    lit = (shown != shown[-1, -1]).any(axis=2).mean(axis=1) > 0.2
    assert lit[0]
    assert np.flatnonzero(lit)[-1] / len(lit) == pytest.approx(21 / 26, abs=0.06)
    first = {caption: panel for panel, caption, _, _ in panels[11:23]}
    # The first box, rows 16 to 48 and columns 8 to 32, begins above the image: its outline at the top edge.
    assert (first["= sum"][0] == 0).all(axis=1).any()


def test_sample_agrees_with_a_slow_one() -> None:
    values = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
    region = Region(0.1, 0.25, 0.7, 0.85)
    sampled = sample(values, region, (12, 16))
    for row, column in np.ndindex(12, 16):
        y = np.clip((0.25 + 0.6 * (row + 0.5) / 12) * 6 - 0.5, 0, 5)
        x = np.clip((0.1 + 0.6 * (column + 0.5) / 16) * 9 - 0.5, 0, 8)
        top, left = min(int(y), 4), min(int(x), 7)
        block = values[top : top + 2, left : left + 2]
        weights = np.outer((1 - (y - top), y - top), (1 - (x - left), x - left))
        assert sampled[row, column] == pytest.approx((block * weights).sum(), abs=0.08)  # OpenCV: 1/32 px


def test_part_is_the_region_of_the_image() -> None:
    image = np.arange(8 * 12, dtype=np.uint8).reshape(8, 12)
    np.testing.assert_array_equal(part(image, Region(0.25, 0.5, 0.75, 1), (4, 6)), image[4:8, 3:9])


def test_diverging_is_even_on_both_sides() -> None:
    panel = diverging(np.array([[-9, -3, 0, 3, 9]], np.float32), 3)
    assert [tuple(pixel) for pixel in panel[0]] == [AGAINST, AGAINST, NEITHER, IN_FAVOUR, IN_FAVOUR]
