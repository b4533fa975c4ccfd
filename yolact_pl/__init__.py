"""YOLACT and YOLACT++ instance segmentation.

import yolact_pl

model = yolact_pl.load("yolact_base")
detections = model("photo.jpg")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yolact_pl.images.image_file import ImageError
    from yolact_pl.inference.model import Model, load
    from yolact_pl.results.image_detections import ImageDetections

__all__ = ["ImageDetections", "ImageError", "Model", "load"]

_MODULES = {
    "ImageDetections": "results.image_detections",
    "ImageError": "images.image_file",
    "Model": "inference.model",
    "load": "inference.model",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import yolact_pl` takes no time."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "cv2":
            raise
        raise ImportError(
            "yolact_pl needs OpenCV: pip install opencv-python-headless, or opencv-python for windows"
        ) from error
