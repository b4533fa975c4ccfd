import numpy as np
import pytest

from yolact_pl.inference.drawing.gallery import BACKGROUND, gallery, side_by_side


def panel(height: int, width: int, value: int) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_gallery_stands_row_by_row() -> None:
    sheet = gallery([panel(30, 40, value) for value in (100, 150, 200)], 2, width=40, gap=2)
    # Two columns of 40 and three gaps of 2; two rows of 30 and three gaps.
    assert sheet.shape == (66, 86, 3)
    assert (sheet[2:32, 2:42] == 100).all()
    assert (sheet[2:32, 44:84] == 150).all()
    assert (sheet[34:64, 2:42] == 200).all()
    assert (sheet[34:64, 44:84] == BACKGROUND).all()
    assert (sheet[:2] == BACKGROUND).all()


def test_gallery_scales_panels_and_keeps_their_shape() -> None:
    sheet = gallery([panel(400, 200, 90), panel(10, 20, 180), panel(4000, 10, 250)], 3, width=50, gap=0)
    # 400x200 (high x wide) becomes 100x50, 10x20 becomes 25x50 in the middle, 4000x10 at most 100 high.
    assert sheet.shape == (100, 150, 3)
    assert (sheet[:, :50] == 90).all()
    assert (sheet[37:62, 50:100] == 180).all()
    assert (sheet[:37, 50:100] == BACKGROUND).all()
    assert ((sheet == 250).all(axis=2).any(axis=0)).sum() == 1
    assert (sheet == 250).all(axis=2).any(axis=1).all()


def test_gallery_of_few_panels_is_not_wider_than_they_are() -> None:
    assert gallery([panel(10, 10, 0)], 5, width=10, gap=1).shape == (12, 12, 3)


def test_gallery_of_nothing() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        gallery([], 3)


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (300, 400), (3000, 4000)])
def test_side_by_side_has_both_pictures_whole_under_captions(size: tuple[int, int]) -> None:
    height, width = size
    sheet = side_by_side(panel(height, width, 80), panel(height, width, 160))
    strip = len(sheet) - height
    assert strip > 0
    assert (sheet[strip:, :width] == 80).all()
    assert (sheet[strip:, -width:] == 160).all()
    if width >= 300:
        assert (sheet[:strip, :width] > 200).any()
        assert (sheet[:strip, -width:] > 200).any()
