import itertools

import numpy as np

from yolact_pl.inference.drawing.colors import BLACK, WHITE, index_color, relative_luminance, text_color


def test_colors_of_neighbours_are_far_apart_and_none_of_the_first_hundred_repeats() -> None:
    colors = [index_color(index) for index in range(100)]
    assert len(set(colors)) == 100
    for a, b in itertools.pairwise(colors):
        assert np.abs(np.subtract(a, b)).sum() > 150


def test_text_can_be_read_on_every_color() -> None:
    for background in itertools.product(range(0, 256, 15), repeat=3):
        text = text_color(background)
        assert text in (BLACK, WHITE)
        high, low = sorted((relative_luminance(text), relative_luminance(background)), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5  # WCAG 2 level AA


def test_luminance() -> None:
    assert relative_luminance(BLACK) == 0
    assert abs(relative_luminance(WHITE) - 1) < 1e-9
    # Middle grey 119 is 0.1845 in tables of sRGB.
    assert abs(relative_luminance((119, 119, 119)) - 0.1845) < 5e-4
