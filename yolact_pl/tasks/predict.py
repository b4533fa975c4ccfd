"""task=predict"""

import functools
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, ListConfig
from tqdm.contrib.logging import logging_redirect_tqdm

from yolact_pl.cli.out_of_memory import memory_in_words
from yolact_pl.cli.predict_options import checked_options, usual_batch_size
from yolact_pl.cli.predictor import configured_predictor
from yolact_pl.cli.progress_bar import progress_bar
from yolact_pl.cli.stop_signals import stop_signals
from yolact_pl.inference.drawing.gallery import gallery, thumbnail
from yolact_pl.inference.image_reader import readable_images, weight
from yolact_pl.inference.image_url import download_images
from yolact_pl.inference.media import image_files, is_video, left_out, output_stems
from yolact_pl.inference.parallel import batched, map_ahead
from yolact_pl.inference.predictor import Predictor
from yolact_pl.inference.tracking.start import start_tracking
from yolact_pl.inference.video.camera import open_video
from yolact_pl.inference.video.prediction import paced, predict_video
from yolact_pl.inference.video.reader import VideoError
from yolact_pl.inference.writing.image_writer import Found, ImageWriter, Written
from yolact_pl.inference.writing.outputs import write_picture
from yolact_pl.inference.writing.results_file import ResultsFile
from yolact_pl.inference.writing.screen import Screen, open_screen
from yolact_pl.inference.writing.video_output import VideoOutput
from yolact_pl.inference.writing.written_files import WrittenFiles
from yolact_pl.results.detections import Detections

_log = logging.getLogger(__name__)
GALLERY_PICTURES = 24
WRITERS = 2
PREDICT_WITH_LESS = "lower batch_size, image_size or top_k, or give device=cpu"
NAMED_AT_THE_END = 3

Image = NDArray[np.uint8]
Detect = Callable[[Sequence[Image]], list[Detections]]


def run(cfg: DictConfig) -> None:
    """Predict on `cfg.source` and write what `cfg.save` names to `cfg.output`.

    Raises:
        ValueError: checkpoint, source or options that can't be used; at the end, unreadable images.
        SystemExit: with 128 + signal, after Ctrl+C or SIGTERM.
    """
    source = download_images(_source(cfg), Path(cfg.output) / "downloads")
    cfg = checked_options(cfg, video=is_video(source))
    if is_video(source):
        with memory_in_words(PREDICT_WITH_LESS):
            _predict_video(cfg, *configured_predictor(cfg))
        return
    assert not isinstance(source, int)  # a camera
    files = image_files(source, recursive=cfg.recursive)
    skipped = left_out(source, recursive=cfg.recursive)
    if skipped is not None:
        _log.warning("%s", skipped)
    try:
        with memory_in_words(PREDICT_WITH_LESS):
            _predict_images(cfg, files, configured_predictor(cfg)[0])
    except OSError as error:
        raise ValueError(f"output={cfg.output} cannot be written to: {error.strerror or error}") from error


def _predict_images(cfg: DictConfig, files: list[Path], predictor: Predictor) -> None:
    folder, stems, save = Path(cfg.output), output_stems(files, reserved=["gallery"]), set(cfg.save)
    written_files = WrittenFiles(folder, "predictions", keep=files)
    writer = ImageWriter(
        folder,
        save=save,
        class_names=predictor.class_names,
        color_by=cfg.color_by,
        labels=cfg.labels,
        keep_picture=cfg.show,
        on_file=written_files.add,
    )
    _check_nothing_is_replaced(files, folder, writer.targets(stems))
    skipped: list[Path] = []
    thumbnails: list[Image] = []
    with ExitStack() as stack:
        received = stack.enter_context(stop_signals())
        stack.enter_context(logging_redirect_tqdm())
        stack.enter_context(written_files)
        results = stack.enter_context(ResultsFile(folder / "predictions.json")) if "json" in save else None
        screen = open_screen("yolact") if cfg.show else None
        bar = stack.enter_context(progress_bar(len(files), "image"))
        images = itertools.takewhile(
            lambda image: not received, readable_images(files, skipped, predictor.value_range)
        )
        stem_of = dict(zip(files, stems, strict=True))
        batch_size = cfg.batch_size or usual_batch_size(predictor.engine.device)
        found = _detect_batches(images, stem_of, _detect(cfg, predictor, batch_size), batch_size)
        writing = map_ahead(
            writer, found, threads=WRITERS, ahead=2 * WRITERS, weigh=lambda one: weight(one.image)
        )
        for written in writing:
            if results is not None:
                results.add(written.result)
            if "overlay" in save and written.picture is not None and len(thumbnails) < GALLERY_PICTURES:
                thumbnails.append(thumbnail(written.picture))
            screen = _show(screen, written)
            bar.update()
        bar.update(len(skipped))
        if received:
            _log.info(
                "stopped; what was begun is complete in %s, the json as predictions.partial.json", folder
            )
            raise SystemExit(128 + received[0])
        if thumbnails:
            sheet = gallery(thumbnails, columns=min(4, len(thumbnails)))
            written_files.add(write_picture(folder / "gallery.jpg", sheet))
        if results is not None:
            written_files.add(results.path)
    _log.info(
        "%d of %d images done, %s in %s",
        len(files) - len(skipped),
        len(files),
        ", ".join(cfg.save),
        folder,
    )
    if skipped:
        raise ValueError(_sentence_of(skipped, len(files)))


def _predict_video(cfg: DictConfig, predictor: Predictor, category_ids: list[int]) -> None:
    """Draw what is found in the frames of a video; Ctrl+C and SIGTERM complete the files.

    Raises:
        ValueError: a source that can't be read, at the end also if it is cut off; no place to write to.
        SystemExit: with 128 + signal, after an interruption.
    """
    tracker = None
    if cfg.track:
        predictor, tracker = start_tracking(predictor, track_buffer=cfg.track_buffer)
    with stop_signals() as received:
        reader = open_video(cfg.source)
        newest = cfg.mode == "latency" or (cfg.mode is None and reader.live)
        with (
            progress_bar(reader.num_frames, "frame") as bar,
            VideoOutput(
                reader,
                Path(cfg.output),
                class_names=predictor.class_names,
                category_ids=category_ids,
                save=cfg.save,
                suffix=cfg.video_suffix,
                show=cfg.show,
                on_frame=bar.update,
            ) as output,
        ):
            predict_video(
                paced(reader) if newest and not reader.live else reader,
                predictor,
                output.deliver,
                batch_size=cfg.batch_size or usual_batch_size(predictor.engine.device),
                newest=newest,
                tracker=tracker,
                draw=output.draws,
                color_by=cfg.color_by,
                labels=cfg.labels,
                interrupted=lambda: bool(received) or not output.show(),
            )
        _log.info("%s", output.summary())
        if received:
            raise SystemExit(128 + received[0])
        if not output.screen_closed and (where := reader.shortfall()) is not None:
            raise VideoError(
                f"{reader.name} ends {where}, the rest is cut off or damaged: what could be decoded has been "
                "processed"
            )


def _detect_batches(
    images: Iterable[tuple[Path, Image]], stem_of: dict[Path, str], detect: Detect, batch_size: int
) -> Iterator[Found]:
    for batch in batched(images, batch_size, weigh=lambda one: weight(one[1])):
        found = detect([image for _, image in batch])
        for (file, image), detections in zip(batch, found, strict=True):
            yield Found(file, stem_of[file], image, detections)


def _detect(cfg: DictConfig, predictor: Predictor, batch_size: int) -> Detect:
    """How a batch of images is looked at: whole, or one by one through tiles."""
    if cfg.tile is None:
        return predictor.with_parts() if "prototypes" in cfg.save else predictor
    tiled = functools.partial(predictor.tiled, tile=cfg.tile, overlap=cfg.overlap, batch_size=batch_size)
    return lambda images: [tiled(image) for image in images]


def _source(cfg: DictConfig) -> str | int | list[str]:
    source = cfg.source
    if source is None:
        raise ValueError(
            "task=predict needs source=<an image, a folder, a glob or a list of them; a video file, "
            "a camera's number or a stream's URL>"
        )
    if isinstance(source, ListConfig):
        return [str(one) for one in source]
    return source if isinstance(source, int) and is_video(source) else str(source)


def _check_nothing_is_replaced(files: Sequence[Path], folder: Path, targets: Iterable[Path]) -> None:
    """Nobody's photos are to be lost by drawing into their folder."""
    sources = {place for file in files for place in (file.resolve(), file.resolve().parent)}
    for target in targets:
        if target.resolve() in sources:
            raise ValueError(
                f"{target} is a source and would be written over: give another output=FOLDER than {folder}"
            )


def _show(screen: Screen | None, written: Written) -> Screen | None:
    """The window, or None when the user has had enough."""
    if screen is None or written.picture is None or screen.show(written.picture, wait_ms=None):
        return screen
    screen.close()
    return None


def _sentence_of(skipped: Sequence[Path], total: int) -> str:
    names = ", ".join(str(path) for path in skipped[:NAMED_AT_THE_END])
    more = len(skipped) - NAMED_AT_THE_END
    rest = f" and {more} more that are named above" if more > 0 else ""
    return f"{len(skipped)} of {total} images could not be read and were left out: {names}{rest}"
