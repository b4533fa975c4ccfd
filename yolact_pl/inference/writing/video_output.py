"""Output of a video prediction: files and a window."""

import json
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import TextIO

from yolact_pl.inference.video.camera import Camera
from yolact_pl.inference.video.prediction import SeenFrame
from yolact_pl.inference.video.reader import VideoError, VideoReader
from yolact_pl.inference.video.writer import VideoWriter
from yolact_pl.inference.writing.image_writer import Found, ImageWriter
from yolact_pl.inference.writing.results_file import plain_result
from yolact_pl.inference.writing.screen import Screen, open_screen
from yolact_pl.inference.writing.tracks_files import TracksFiles
from yolact_pl.inference.writing.written_files import WrittenFiles


class VideoOutput:
    """Takes the frames of `predict_video` one by one; a context manager, which completes the files.

    Args:
        reader: where the frames come from; `<stem>` is its name.
        folder: `video` or `overlay` go to `<stem><suffix>`, `json` to `<stem>.jsonl`, a line per frame,
            `masks`, `instance_masks`, `polygons`, `cutouts` and `tracks` to the folder `<stem>`; those and
            json of an earlier run over the same video do not stay.
        class_names: one for each label.
        category_ids: likewise, for `tracks`.
        save: which of these.
        suffix: of the video, see `VideoWriter`.
        show: whether to open a window.
        on_frame: called after each frame.

    Raises:
        VideoError: the video would be written over its source.
    """

    def __init__(
        self,
        reader: VideoReader | Camera,
        folder: Path,
        *,
        class_names: Sequence[str],
        category_ids: Sequence[int],
        save: Collection[str],
        suffix: str = ".mp4",
        show: bool = False,
        on_frame: Callable[[], object] = lambda: None,
    ) -> None:
        stem, kinds = reader.stem, set(save)
        path = folder / f"{stem}{suffix}"
        if reader.path is not None and path.exists() and path.samefile(reader.path):
            raise VideoError(f"the video {path} would be written over itself: give another output=FOLDER")
        self.source_name = reader.name
        self.class_names, self.category_ids = class_names, category_ids
        self.on_frame = on_frame
        self.writer: VideoWriter | None = None
        if kinds & {"video", "overlay"}:
            self.writer = VideoWriter(path, reader.rate, time_base=reader.time_base, sound=reader.path)
        self.json_path = folder / f"{stem}.jsonl" if "json" in kinds else None
        self.json: TextIO | None = None
        self._written = WrittenFiles(folder, stem)
        self.images: ImageWriter | None = None
        if images := kinds & {"masks", "instance_masks", "polygons", "cutouts"}:
            self.images = ImageWriter(
                folder / stem, save=images, class_names=class_names, on_file=self._written.add
            )
        self.tracks_folder = folder / stem if "tracks" in kinds else None
        self.tracks: TracksFiles | None = None
        self.screen: Screen | None = open_screen(reader.name) if show else None
        self.screen_closed = False
        self.num_frames = 0
        self.seconds = 0.0
        self._start = time.monotonic()
        self._newest: SeenFrame | None = None

    @property
    def draws(self) -> bool:
        """Whether drawn pictures are needed."""
        return self.writer is not None or self.screen is not None

    def deliver(self, seen: SeenFrame) -> None:
        """Write all that is to be saved of a frame; always from the same thread."""
        if self.writer is not None and seen.picture is not None:
            self.writer.write(seen.picture, seen.frame.time)
        if self.json_path is not None:
            self._write_json(self.json_path, seen)
        if self.tracks_folder is not None:
            self._write_tracks(self.tracks_folder, seen)
        if self.images is not None:
            stem = f"{seen.frame.index:06}"
            self.images(Found(Path(self.source_name), stem, seen.frame.image, seen.detections))
        self._newest = seen
        self.num_frames += 1
        self.on_frame()

    def show(self) -> bool:
        """Show the newest picture, if there is a window; false if it was closed. For the main thread."""
        if self.screen is None or self._newest is None or self._newest.picture is None:
            return True
        self.screen_closed = self.screen_closed or not self.screen.show(self._newest.picture)
        return not self.screen_closed

    def summary(self) -> str:
        """Number of frames, speed and files, in words."""
        rate = self.num_frames / max(self.seconds, 1e-9)
        files = [str(self.writer.path)] if self.writer is not None and self.writer.num_written else []
        files += [str(self.json_path)] if self.json is not None else []
        files += [str(self.images.folder)] if self.images is not None else []
        files += [str(path) for path in self.tracks.paths] if self.tracks is not None else []
        text = f"{self.num_frames} frames of {self.source_name}, {rate:.1f} frames/s"
        return f"{text}; wrote {' and '.join(files)}" if files else text

    def __enter__(self) -> "VideoOutput":
        self._written.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._start
        if self.screen is not None:
            self.screen.close()
        if self.json is not None:
            self.json.close()
        if self.tracks is not None:
            self.tracks.close()
        if self.writer is not None:
            self.writer.__exit__(kind, error, trace)
        self._written.__exit__(kind, error, trace)

    def _write_json(self, path: Path, seen: SeenFrame) -> None:
        if self.json is None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.json = path.open("w", encoding="utf-8", buffering=1)
            self._written.add(path)
        found = plain_result(self.source_name, seen.detections, self.class_names)
        record = {"frame": seen.frame.index, "time": round(seen.frame.time, 6), **found}
        self.json.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _write_tracks(self, folder: Path, seen: SeenFrame) -> None:
        if self.tracks is None:
            self.tracks = TracksFiles(
                folder, folder.name, class_names=self.class_names, category_ids=self.category_ids
            )
            for path in self.tracks.paths:
                self._written.add(path)
        self.tracks.add(seen)
