"""Videos, streams and cameras: frames in, predictions on them, files out."""

try:
    import av  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError("videos need PyAV: pip install av") from error

from yolact_pl.inference.video.camera import Camera
from yolact_pl.inference.video.prediction import SeenFrame, predict_video
from yolact_pl.inference.video.reader import Frame, VideoError, VideoReader
from yolact_pl.inference.video.writer import VideoWriter

__all__ = ["Camera", "Frame", "SeenFrame", "VideoError", "VideoReader", "VideoWriter", "predict_video"]
