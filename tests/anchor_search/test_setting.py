import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.anchor_search.setting import AnchorSetting

PUBLISHED = AnchorSetting((24, 48, 96, 192, 384), (1, 0.5, 2), square=True, reference_size=550)


@given(st.integers(64, 1400), st.integers(64, 1400), st.booleans())
def test_stated_for_a_size_the_anchors_are_the_same_there(height: int, width: int, square: bool) -> None:
    size = (height, height if square else width)
    stated = PUBLISHED.stated_for(size)
    assert all(scale == int(scale) for scale in stated.scales)
    assert stated.build(size).scales == PUBLISHED.build(size).scales
    assert stated.stated_for(size) == stated


def test_fixed_scales_hold_everywhere() -> None:
    fixed = AnchorSetting((10, 20.5, 40, 80, 160), (1,))
    assert fixed.stated_for((320, 200)) == fixed
    assert fixed.build((320, 200)).scales == ((10,), (20.5,), (40,), (80,), (160,))


def test_scales_follow_the_image_size() -> None:
    stated = PUBLISHED.stated_for((300, 300))
    assert (stated.scales, stated.reference_size) == ((13, 26, 52, 104, 209), 300)
    assert [own[0] for own in stated.build((600, 600)).scales] == [26, 52, 104, 208, 418]
    assert stated.build((300, 300)).cell_sizes(0)[1] == pytest.approx((13 * 0.5**0.5,) * 2)
