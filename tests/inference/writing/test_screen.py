"""The window, with OpenCV's own replaced by one that presses keys."""

import logging
import sys
from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from yolact_pl.inference.writing.screen import Screen, open_screen

PICTURE = np.zeros((4, 6, 3), np.uint8)
NOTHING = -1


class FakeOpenCv:
    """Stands in for OpenCV's window functions.

    Args:
        keys: pressed one after the other, `NOTHING` in between; then nothing more.
        closed_after: looks for a key after which somebody has closed the window.
    """

    def __init__(self, keys: Iterable[int] = (), closed_after: int = 10**9) -> None:
        self.keys = list(keys)
        self.closed_after = closed_after
        self.shown: list[np.ndarray] = []
        self.looks = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> "FakeOpenCv":
        monkeypatch.setattr(cv2, "namedWindow", lambda title, flags: None)
        monkeypatch.setattr(cv2, "imshow", lambda title, picture: self.shown.append(picture))
        monkeypatch.setattr(cv2, "waitKey", self.wait)
        monkeypatch.setattr(
            cv2, "getWindowProperty", lambda title, kind: float(self.looks < self.closed_after)
        )
        return self

    def wait(self, milliseconds: int) -> int:
        assert milliseconds >= 1  # 0 would wait for ever, also for a window that was closed
        self.looks += 1
        return self.keys.pop(0) if self.keys else NOTHING


def test_a_picture_is_shown_in_its_colors(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeOpenCv().install(monkeypatch)
    picture = PICTURE.copy()
    picture[..., 0] = 200  # red
    assert Screen("title").show(picture)
    assert screen.shown[0][0, 0].tolist() == [0, 0, 200]  # OpenCV shows BGR


@pytest.mark.parametrize("key", [ord("q"), 27, ord("q") | 0x100000])  # the last as with num lock on
def test_q_and_escape_end_it(key: int, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeOpenCv([NOTHING, key]).install(monkeypatch)
    assert not Screen("title").show(PICTURE, wait_ms=None)


def test_any_other_key_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = FakeOpenCv([NOTHING, NOTHING, ord(" ")]).install(monkeypatch)
    assert Screen("title").show(PICTURE, wait_ms=None)
    assert screen.looks == 3


def test_a_window_that_was_closed_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeOpenCv(closed_after=2).install(monkeypatch)
    assert not Screen("title").show(PICTURE, wait_ms=None)


def test_without_a_display_a_line_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert open_screen("title") is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "no window here (neither DISPLAY nor WAYLAND_DISPLAY is set)" in record.getMessage()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a display of X11")
def test_a_display_that_is_not_there_does_not_end_the_process(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert open_screen("title") is None
    assert "no window here" in caplog.text
