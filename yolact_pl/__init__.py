"""YOLACT and YOLACT++ instance segmentation.

import yolact_pl

model = yolact_pl.load("yolact_base")
detections = model("photo.jpg")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yolact_pl.inference.model import Model, load
    from yolact_pl.results.image_detections import ImageDetections

__all__ = ["ImageDetections", "Model", "load"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `import yolact_pl` takes no time."""
    if name in ("Model", "load"):
        from yolact_pl.inference import model

        return getattr(model, name)
    if name == "ImageDetections":
        from yolact_pl.results.image_detections import ImageDetections

        return ImageDetections
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
