"""Mask assembly in one picture: prototypes, and their linear combinations."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from yolact_pl.inference.drawing.draw import draw_detections
from yolact_pl.inference.drawing.map_panels import (
    WHOLE,
    Map,
    Pixels,
    Region,
    colored,
    diverging,
    outline,
    part,
    sample,
)
from yolact_pl.inference.drawing.sheet import Sheet
from yolact_pl.results.detections import Detections
from yolact_pl.results.mask_parts import MaskParts
from yolact_pl.results.masks import PixelMasks, crop_windows

COLUMNS = 12
COLUMNS_OF_PICTURE = 4
STRONGEST = COLUMNS - 6  # the others in a row: picture, rest, sum, sigmoid, crop, mask
PANEL_WIDTH = 150
MAX_ASPECT = 2.5
ROUND_THE_BOX = 1.8
"""Width and height of the region that is shown, in boxes."""
SMALLEST_REGION = 0.08
"""Of the image's sides."""
DIMMED = 0.25
TIMES = "\u00d7"


def prototypes_picture(
    image: Pixels,
    detections: Detections,
    class_names: Sequence[str],
    *,
    num_detections: int = 4,
) -> Pixels:
    """Prototypes and how detections combine them (YOLACT, section 3.3 and figure 5).

    Above, the image with what was found and all prototypes, each in colors from its zero to its own largest
    value. Below, a row for each of the best detections, all at its place: the image; the prototypes that
    matter most there times their coefficients, red for the object and blue against it; the rest of them; the
    sum of all, in the same colors; its sigmoid; that cropped to the box; the mask.

    Args:
        image: [H, W, 3] RGB.
        detections: of the image, with their parts.
        class_names: one for each label.
        num_detections: rows, at most.

    Returns:
        [H, W, 3] RGB.
    """
    parts = detections.parts
    assert parts is not None
    sheet = Sheet(COLUMNS, PANEL_WIDTH)
    size = _panel_size(image, PANEL_WIDTH)
    _place_overview(sheet, image, parts, detections, class_names)
    for row in range(min(num_detections, len(parts.boxes))):
        region = _around(_in_image(parts, row))
        shown = part(image, region, size)
        mask = part(detections.mask(row).view(np.uint8) * np.uint8(255), region, size)
        name = class_names[int(detections.labels[row])]
        panels = [
            (shown, f"{name} {detections.scores[row]:.2f}"),
            *_combination(parts, row, region, size),
            (np.where(mask[..., None] > 127, shown, (shown * DIMMED).astype(np.uint8)), "mask"),
        ]
        top = sheet.bottom + sheet.gap
        for column, (panel, caption) in enumerate(panels):
            sheet.place(panel, caption, column=column, top=top)
    return sheet.draw()


def _place_overview(
    sheet: Sheet, image: Pixels, parts: MaskParts, detections: Detections, class_names: Sequence[str]
) -> None:
    """The image with what was found at the left, all prototypes at the right."""
    size = _panel_size(image, sheet.span(COLUMNS_OF_PICTURE))
    grow = np.array([size[1] / image.shape[1], size[0] / image.shape[0]] * 2, dtype=np.float32)
    found = (detections.mask(row).view(np.uint8) * np.uint8(255) for row in range(len(detections)))
    masks = np.array([part(mask, WHOLE, size) for mask in found], dtype=np.uint8).reshape(-1, *size) > 127
    scaled = replace(detections, boxes=detections.boxes * grow, small_masks=PixelMasks.of(masks))
    drawn = draw_detections(part(image, WHOLE, size), scaled, class_names)
    sheet.place(drawn, f"{len(masks)} found, and {len(parts.prototypes)} prototypes", column=0, top=sheet.gap)
    in_row = COLUMNS - COLUMNS_OF_PICTURE
    top = end = sheet.gap
    for k, prototype in enumerate(parts.prototypes):
        if k % in_row == 0:
            top = end
        values = sample(prototype, Region(*parts.place), _panel_size(image, PANEL_WIDTH))
        largest = float(values.max())
        caption = f"#{k}  up to {largest:.1f}" if largest > 0 else f"#{k}  nowhere above 0"
        panel = colored(values, largest)
        end = sheet.place(panel, caption, column=COLUMNS_OF_PICTURE + k % in_row, top=top)


def _combination(
    parts: MaskParts, row: int, region: Region, size: tuple[int, int]
) -> list[tuple[Pixels, str]]:
    """The panels from the strongest prototypes to the cropped mask, with their captions."""
    prototypes, coefficients = parts.prototypes, parts.coefficients[row]
    height, width = prototypes.shape[1:]
    box = parts.boxes[row] * np.array([width, height, width, height], dtype=np.float32)
    left, top, right, bottom = crop_windows(box[None], (height, width))[0]
    inside = np.zeros((height, width), dtype=np.float32)
    inside[top:bottom, left:right] = 1
    contributions = coefficients[:, None, None] * prototypes  # [K, h, w]
    strongest = np.abs(contributions * inside).sum(axis=(1, 2)).argsort()[::-1]
    shown, rest = strongest[:STRONGEST], strongest[STRONGEST:]
    on_map = region.of_part(Region(*parts.place))
    maps = [sample(contributions[k], on_map, size) for k in shown]
    captions = [f"{coefficients[k]:+.2f} {TIMES} #{k}" for k in shown]
    if len(rest):
        maps.append(sample(contributions[rest].sum(axis=0), on_map, size))
        captions.append(f"the other {len(rest)}")
    largest = max(float(np.abs(each).max()) for each in maps)
    total = contributions.sum(axis=0)
    soft = (1 + np.tanh(total / 2)) / 2  # the sigmoid, without overflow
    outlined = [
        diverging(sample(total, on_map, size), largest),
        colored(sample(soft, on_map, size), 1.0),
    ]
    for panel in outlined:
        outline(panel, _in_image(parts, row), region)
    return [
        *((diverging(each, largest), caption) for each, caption in zip(maps, captions, strict=True)),
        (outlined[0], "= sum"),
        (outlined[1], "sigmoid, box"),
        (colored(sample(soft * inside, on_map, size), 1.0), "cropped"),
    ]


def _in_image(parts: MaskParts, row: int) -> Map:
    """The box of a detection relative to the image, cut where the image ends."""
    x1, y1, x2, y2 = parts.place
    relative = (parts.boxes[row] - [x1, y1, x1, y1]) / [x2 - x1, y2 - y1, x2 - x1, y2 - y1]
    return np.clip(relative, 0, 1)


def _panel_size(image: Pixels, width: int) -> tuple[int, int]:
    """(height, width) of a panel with about the aspect ratio of the image."""
    aspect = image.shape[0] / image.shape[1]
    return round(width * min(max(aspect, 1 / MAX_ASPECT), MAX_ASPECT)), width


def _around(box: Map) -> Region:
    """A region of the image's aspect ratio round a relative box, inside of the image."""
    x1, y1, x2, y2 = box.tolist()
    side = min(1.0, max(ROUND_THE_BOX * max(x2 - x1, y2 - y1), SMALLEST_REGION))
    left, top = (min(max((a + b - side) / 2, 0), 1 - side) for a, b in ((x1, x2), (y1, y2)))
    return Region(left, top, left + side, top + side)
