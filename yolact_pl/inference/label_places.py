"""Where the labels of a picture go, so that each can be read."""

Rectangle = tuple[int, int, int, int]
"""Whole pixels x1, y1, x2, y2; the last two are the first column and row outside."""

MOST_HIDDEN = 0.15


def label_place(
    size: tuple[int, int], box: Rectangle, image_size: tuple[int, int], taken: list[Rectangle]
) -> Rectangle | None:
    """The place of an object's label, inside the image, where it hides least of the labels placed before.

    Args:
        size: (height, width) of the label.
        box: of the object.
        image_size: (height, width).
        taken: places of other labels.

    Returns:
        None if the image is too small, or so crowded that the label would hide too much of others.
    """
    h, w = size
    height, width = image_size
    if h > height or w > width:
        return None
    x1, y1, x2, y2 = box
    # Above the box, then inside at its top, inside at its bottom, below; from its left, then up to its right.
    rows = [y for y in (y1 - h, y1, y2 - h, y2) if 0 <= y <= height - h] or [max(0, min(y1, height - h))]
    columns = [max(0, min(x, width - w)) for x in (x1, x2 - w)]
    places = [(x, y, x + w, y + h) for x in columns for y in rows]
    best = min(places, key=lambda place: sum(_shared_area(place, other) for other in taken))
    hidden = sum(_shared_area(best, other) for other in taken)
    return best if hidden <= MOST_HIDDEN * h * w else None


def _shared_area(a: Rectangle, b: Rectangle) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
