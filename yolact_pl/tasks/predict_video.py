"""task=predict for a video file, a camera or a stream."""

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

import cv2
from omegaconf import DictConfig

from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.results import plain_result
from yolact_pl.inference.video import SeenFrame, paced, predict_video
from yolact_pl.inference.video_reader import VideoError, VideoReader
from yolact_pl.inference.video_writer import VideoWriter
from yolact_pl.inference.window import Window, open_window
from yolact_pl.tasks.counter import progress_bar

_log = logging.getLogger(__name__)
MODES = ("throughput", "latency")
SAVED = ("video", "overlay", "json")
_LOST = 0.01  # headers may announce a few frames more than there are


def run_video(cfg: DictConfig, predictor: Predictor) -> None:
    """Draw what is found in the frames of `cfg.source`, see `conf/task/predict.yaml` for the options.

    Writes `<name>.mp4` and, a line of json for each frame, `<name>.jsonl`. Ctrl+C and SIGTERM complete both.

    Raises:
        ValueError: a source that can't be read, at the end also if it is cut off; options that don't fit.
        SystemExit: with 128 + signal, after an interruption.
    """
    _check_options(cfg)
    # Read by FFmpeg's wrapper when it is used first. What it would say, codecs that are not there and damaged
    # data, has a message of ours.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    with _quiet_opencv(), _stop_signals() as received:
        reader = VideoReader(cfg.source)
        with _Output(cfg, reader, predictor) as output:
            newest = cfg.task.video.mode == "latency" or (cfg.task.video.mode is None and reader.live)
            predict_video(
                paced(reader) if newest and not reader.live else reader,
                predictor,
                output.deliver,
                batch_size=cfg.task.batch_size,
                newest=newest,
                draw=output.draws,
                color_by=cfg.task.color_by,
                interrupted=lambda: bool(received) or not output.show(),
            )
        _log.info("%s", output.summary())
        if received:
            raise SystemExit(128 + received[0])
        if not output.window_closed:
            _check_complete(reader)


class _Output:
    """All that is made of the frames: files, the window and the progress bar."""

    def __init__(self, cfg: DictConfig, reader: VideoReader, predictor: Predictor) -> None:
        stem, folder = reader.stem, Path(cfg.output)
        path = folder / f"{stem}{cfg.task.video.suffix}"
        if path.exists() and Path(str(cfg.source)).exists() and path.samefile(str(cfg.source)):
            raise VideoError(f"the video {path} would be written over itself: give another output=FOLDER")
        self.source_name = reader.name
        self.class_names = predictor.class_names
        self.writer = VideoWriter(path, reader.rate) if {"video", "overlay"} & set(cfg.task.save) else None
        self.json_path = folder / f"{stem}.jsonl" if "json" in cfg.task.save else None
        self.json: TextIO | None = None
        self.window: Window | None = open_window(reader.name) if cfg.task.show else None
        self.bar = progress_bar(reader.num_frames, "frame")
        self.window_closed = False
        self.num_frames = 0
        self.seconds = 0.0
        self._start = time.monotonic()
        self._newest: SeenFrame | None = None

    @property
    def draws(self) -> bool:
        return self.writer is not None or self.window is not None

    def deliver(self, seen: SeenFrame) -> None:
        if self.writer is not None and seen.picture is not None:
            self.writer.write(seen.picture, seen.frame.time)
        if self.json_path is not None:
            self._write_json(self.json_path, seen)
        self._newest = seen
        self.num_frames += 1
        self.bar.update()

    def show(self) -> bool:
        """Show the newest picture, if there is a window; false if it was closed. For the main thread."""
        if self.window is None or self._newest is None or self._newest.picture is None:
            return True
        self.window_closed = self.window_closed or not self.window.show(self._newest.picture)
        return not self.window_closed

    def summary(self) -> str:
        rate = self.num_frames / max(self.seconds, 1e-9)
        files = [str(self.writer.path)] if self.writer is not None and self.writer.num_written else []
        files += [str(self.json_path)] if self.json is not None else []
        text = f"{self.num_frames} frames of {self.source_name}, {rate:.1f} frames/s"
        if self.writer is not None and self.writer.num_repeated:
            text += f", {self.writer.num_repeated} times a frame was repeated, as its time asks"
        return f"{text}; wrote {' and '.join(files)}" if files else text

    def __enter__(self) -> "_Output":
        return self

    def __exit__(self, *failure: object) -> None:
        self.seconds = time.monotonic() - self._start
        self.bar.close()
        if self.window is not None:
            self.window.close()
        if self.json is not None:
            self.json.close()
        if self.writer is not None:
            self.writer.__exit__(*failure)  # type: ignore[arg-type]

    def _write_json(self, path: Path, seen: SeenFrame) -> None:
        if self.json is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.json = path.open("w", encoding="utf-8", buffering=1)
        found = plain_result(self.source_name, seen.detections, self.class_names)
        record = {"frame": seen.frame.index, "time": round(seen.frame.time, 6), **found}
        self.json.write(json.dumps(record, ensure_ascii=False) + "\n")


def _check_options(cfg: DictConfig) -> None:
    mode, saved = cfg.task.video.mode, list(cfg.task.save)
    if mode not in (None, *MODES):
        raise ValueError(f"task.video.mode={mode} is not known: give {' or '.join(MODES)}, or null to choose")
    unknown = [name for name in saved if name not in SAVED]
    if unknown:
        raise ValueError(
            f"task.save={unknown[0]} is for images: of a video {', '.join(SAVED)} can be saved "
            "(overlay: video)"
        )
    if cfg.task.tile is not None:
        raise ValueError("task.tile is for images: leave it out for a video")
    if not saved and not cfg.task.show:
        raise ValueError("task.save=[] and task.show=false leave nothing to do: give one of them")


def _check_complete(reader: VideoReader) -> None:
    """Whether as many frames could be decoded as the header announces."""
    announced, decoded = reader.num_frames, reader.num_read
    if announced is None or decoded >= announced - max(2, _LOST * announced):
        return
    raise VideoError(
        f"{reader.name} ends after {decoded} of {announced} frames, the rest is cut off or damaged: "
        "what could be decoded has been processed"
    )


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """The signals that asked for an end since: after the first one the next has its usual effect."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    numbers = (signal.SIGINT, signal.SIGTERM)

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for again in numbers:
            signal.signal(again, previous[again])
        os.write(2, b"\ncompleting the files; once more to stop at once\n")

    previous = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield received
    finally:
        for number in numbers:
            signal.signal(number, previous[number])


@contextmanager
def _quiet_opencv() -> Iterator[None]:
    """OpenCV reports every codec that it tries; what matters is said in our messages."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
