"""One scale for all images of a set with more than 8 bits, kept for evaluation."""

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.data.test_datamodule import data_module
from yolact_pl.data.value_range import measure_value_range
from yolact_pl.images.depth import ValueRange

Write = Callable[..., tuple[Path, Path]]


def deepen(folder: Path, brightest: list[int]) -> None:
    """The first images of `tiny_coco` as 16-bit files with values up to so much."""
    for number, high in enumerate(brightest):
        path = folder / f"{number}.png"
        pixels = cv2.imread(str(path))
        assert pixels is not None
        cv2.imwrite(str(path), (pixels / 255 * high).astype(np.uint16))


def test_all_images_of_a_set_are_scaled_alike(tiny_coco: Write, caplog: pytest.LogCaptureFixture) -> None:
    train, val = tiny_coco(), tiny_coco("val", 3)
    deepen(train[1], [200, 4000, 1000])
    deepen(val[1], [200])
    data = data_module(train, val, image_size=32)
    with caplog.at_level(logging.WARNING):
        brightest = [int(data._train_set()[(0, index)][0].max()) for index in range(5)]
        assert int(data._val_set()[0][0].max()) <= 200 // 16
    assert data.value_range == (0, 4095)
    assert brightest[0] <= 200 // 16 < brightest[2] <= 1000 // 16 < 200 < brightest[1]
    assert brightest[3] > 200  # 8 bits, as it is
    (line,) = [message for message in caplog.messages if "8 bits" in message]
    assert "hold values from 0 to 4000; 0 becomes black and 4095 white" in line


def test_a_given_range_is_kept(tiny_coco: Write, caplog: pytest.LogCaptureFixture) -> None:
    train = tiny_coco()
    deepen(train[1], [4000])
    data = data_module(train, (None, None), value_range=[0, 65535])
    assert data.value_range == ValueRange(0, 65535)
    assert data._train_set()[(0, 0)][0].max() <= 4000 // 256
    assert caplog.messages == []


def test_images_of_8_bits_have_no_range(tiny_coco: Write) -> None:
    assert data_module(tiny_coco(), (None, None)).value_range is None


def test_many_files_are_sampled_and_broken_ones_left_out(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(200)]
    for name in names:
        (tmp_path / name).write_bytes(b"broken")
    cv2.imwrite(str(tmp_path / names[-4]), np.full((4, 4), 700, np.uint16))
    assert measure_value_range(tmp_path, names) == (0, 1023)
    assert measure_value_range(tmp_path, []) is None
