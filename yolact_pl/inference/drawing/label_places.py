"""Placement of labels on a picture, so that each can be read."""

Rectangle = tuple[int, int, int, int]
"""Whole pixels x1, y1, x2, y2; the last two are the first column and row outside."""

MOST_HIDDEN = 0.05
"""Of a label's area: its margin, and no letter."""


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
    # Above the box, then inside at its top, inside at its bottom, below; at its left, right, in the middle.
    rows = [y for y in (y1 - h, y1, y2 - h, y2) if 0 <= y <= height - h] or [max(0, min(y1, height - h))]
    columns = [max(0, min(x, width - w)) for x in (x1, x2 - w, (x1 + x2 - w) // 2)]
    places = [(x, y, x + w, y + h) for x in columns for y in rows]
    best, least = None, MOST_HIDDEN * h * w
    for place in places:
        hidden = _hidden_area(place, taken)
        if hidden == 0:
            return place
        if hidden <= least:
            best, least = place, hidden
    return best


def _hidden_area(place: Rectangle, taken: list[Rectangle]) -> int:
    x1, y1, x2, y2 = place
    return sum(
        (min(x2, right) - max(x1, left)) * (min(y2, bottom) - max(y1, top))
        for left, top, right, bottom in taken
        if left < x2 and x1 < right and top < y2 and y1 < bottom
    )
