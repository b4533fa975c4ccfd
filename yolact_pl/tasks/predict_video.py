"""task=predict for a video file, a camera or a stream."""

import json
import logging
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

from omegaconf import DictConfig

from yolact_pl.cli.progress_bar import progress_bar
from yolact_pl.cli.stop_signals import stop_signals
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.video.camera import Camera, open_video
from yolact_pl.inference.video.prediction import SeenFrame, paced, predict_video
from yolact_pl.inference.video.reader import VideoError, VideoReader
from yolact_pl.inference.video.writer import VideoWriter
from yolact_pl.inference.writing.image_writer import Found, ImageWriter
from yolact_pl.inference.writing.results_file import plain_result
from yolact_pl.inference.writing.screen import Window, open_window

_log = logging.getLogger(__name__)


def run_video(cfg: DictConfig, predictor: Predictor) -> None:
    """Draw what is found in the frames of `cfg.source`, see `conf/task/predict.yaml` for the options.

    Writes `<name>.mp4`, a line of json for each frame to `<name>.jsonl`, masks and cut-outs to the folder
    `<name>`. Ctrl+C and SIGTERM complete them.

    Raises:
        ValueError: a source that can't be read, at the end also if it is cut off; no place to write to.
        SystemExit: with 128 + signal, after an interruption.
    """
    with stop_signals() as received:
        reader = open_video(cfg.source)
        with _Output(cfg, reader, predictor) as output:
            newest = cfg.mode == "latency" or (cfg.mode is None and reader.live)
            predict_video(
                paced(reader) if newest and not reader.live else reader,
                predictor,
                output.deliver,
                batch_size=cfg.batch_size,
                newest=newest,
                draw=output.draws,
                color_by=cfg.color_by,
                labels=cfg.labels,
                interrupted=lambda: bool(received) or not output.show(),
            )
        _log.info("%s", output.summary())
        if received:
            raise SystemExit(128 + received[0])
        if not output.window_closed and (where := reader.shortfall()) is not None:
            raise VideoError(
                f"{reader.name} ends {where}, the rest is cut off or damaged: what could be decoded has been "
                "processed"
            )


class _Output:
    """All that is made of the frames: files, the window and the progress bar."""

    def __init__(self, cfg: DictConfig, reader: VideoReader | Camera, predictor: Predictor) -> None:
        stem, folder, save = reader.stem, Path(cfg.output), set(cfg.save)
        path = folder / f"{stem}{cfg.video_suffix}"
        if reader.path is not None and path.exists() and path.samefile(reader.path):
            raise VideoError(f"the video {path} would be written over itself: give another output=FOLDER")
        self.source_name = reader.name
        self.class_names = predictor.class_names
        self.writer: VideoWriter | None = None
        if save & {"video", "overlay"}:
            self.writer = VideoWriter(path, reader.rate, time_base=reader.time_base, sound=reader.path)
        self.json_path = folder / f"{stem}.jsonl" if "json" in save else None
        self.json: TextIO | None = None
        self.images: ImageWriter | None = None
        if images := save & {"masks", "cutouts"}:
            self.images = ImageWriter(folder / stem, save=images, class_names=self.class_names)
        self.window: Window | None = open_window(reader.name) if cfg.show else None
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
        if self.images is not None:
            stem = f"{seen.frame.index:06}"
            self.images(Found(Path(self.source_name), stem, seen.frame.image, seen.detections))
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
        files += [str(self.images.folder)] if self.images is not None else []
        text = f"{self.num_frames} frames of {self.source_name}, {rate:.1f} frames/s"
        return f"{text}; wrote {' and '.join(files)}" if files else text

    def __enter__(self) -> "_Output":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._start
        self.bar.close()
        if self.window is not None:
            self.window.close()
        if self.json is not None:
            self.json.close()
        if self.writer is not None:
            self.writer.__exit__(kind, error, trace)

    def _write_json(self, path: Path, seen: SeenFrame) -> None:
        if self.json is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.json = path.open("w", encoding="utf-8", buffering=1)
        found = plain_result(self.source_name, seen.detections, self.class_names)
        record = {"frame": seen.frame.index, "time": round(seen.frame.time, 6), **found}
        self.json.write(json.dumps(record, ensure_ascii=False) + "\n")
