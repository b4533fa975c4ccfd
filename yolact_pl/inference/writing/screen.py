"""A window on the screen, where there is one."""

import logging
import os
import subprocess
import sys
import time

import cv2
import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)
_PROBE = "import cv2; cv2.namedWindow('probe'); cv2.waitKey(1); cv2.destroyAllWindows()"
_PROBE_SECONDS = 20
_QUIT_KEYS = (27, ord("q"))


class Screen:
    """Pictures in a window; all calls from one thread, the main one.

    Args:
        title: of the window.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)

    def show(self, picture: NDArray[np.uint8], wait_ms: int | None = 1) -> bool:
        """Show a picture [H, W, 3] RGB.

        Args:
            picture: fitted to the window.
            wait_ms: how long to look for a key at least; None: until one is pressed.

        Returns:
            Whether to continue: false after q or Esc, or when the window was closed.
        """
        cv2.imshow(self.title, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        end = None if wait_ms is None else time.monotonic() + wait_ms / 1000
        while True:
            key = cv2.waitKey(20 if end is None else max(1, min(20, wait_ms or 1)))
            if key & 0xFF in _QUIT_KEYS and key >= 0:
                return False
            if cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) < 1:
                return False
            if key >= 0 or (end is not None and time.monotonic() >= end):
                return True

    def close(self) -> None:
        """Close the window, if the user has not."""
        cv2.destroyAllWindows()


def open_screen(title: str) -> Screen | None:
    """A window, or None and a line in the log where none can be opened."""
    reason = _no_window_because()
    if reason is not None:
        _log.warning("show=true: no window here (%s); all else goes on", reason)
        return None
    return Screen(title)


def _no_window_because() -> str | None:
    """Why no window can be opened, None if one can.

    A window library that finds no display ends the whole process, so another process tries it first.
    """
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        return "neither DISPLAY nor WAYLAND_DISPLAY is set"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, timeout=_PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return "the display does not answer"
    return None if probe.returncode == 0 else "OpenCV cannot open one on this display"
