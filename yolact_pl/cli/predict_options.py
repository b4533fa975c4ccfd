"""Options of task=predict, checked before anything is loaded."""

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, ListConfig

from yolact_pl.config.switches import check_switches
from yolact_pl.inference.options import AUTO, is_count, is_number, nearest
from yolact_pl.inference.tiling.tiles import tile_overlap
from yolact_pl.inference.video.writer import CODECS
from yolact_pl.inference.writing.outputs import MAX_INDEX

OF_BOTH = ("overlay", "json", "masks", "instance_masks", "polygons", "cutouts")
OF_IMAGES = (*OF_BOTH, "prototypes")
OF_VIDEO = ("video", "tracks", *OF_BOTH)
MODES = ("throughput", "latency")
SWITCHES = ("show", "labels", "recursive", "half", "track")
BATCH_SIZE = 4
"""Where devices compute images at the same time."""
NUMBERS = ("min_score", "overlap")


def usual_batch_size(device: str) -> int:
    """If none is given."""
    return 1 if device == "cpu" else BATCH_SIZE


def checked_options(cfg: DictConfig, *, video: bool) -> DictConfig:
    """The config with `save` as a list, also where one word was given.

    Args:
        cfg: as Hydra composed it, see `conf/task/predict.yaml`.
        video: whether the source is one; then other things can be saved than of images.

    Raises:
        ValueError: an option of the wrong kind, out of its range, or that does not fit the source.
    """
    cfg = cfg.copy()
    cfg.save = _words(cfg.save)
    _check_kinds(cfg)
    _check_save(cfg.save, OF_VIDEO if video else OF_IMAGES)
    if not cfg.save and not cfg.show:
        raise ValueError(f"save=[] and show=false leave nothing to do: give some of {', '.join(OF_IMAGES)}")
    _check_tracking(cfg, video=video)
    if cfg.mode not in (None, *MODES):
        raise ValueError(f"mode={cfg.mode} is not known: give {' or '.join(MODES)}, or null to choose")
    if cfg.video_suffix not in CODECS:
        raise ValueError(f"video_suffix={cfg.video_suffix}: expected one of {', '.join(CODECS)}")
    if cfg.tile is not None:
        tile_overlap(cfg.tile, cfg.overlap)
        if video:
            raise ValueError("tile is for images: leave it out for a video")
        if "prototypes" in cfg.save:
            raise ValueError("save: prototypes belong to a whole image; leave out tile")
    if "masks" in cfg.save and (cfg.top_k is None or cfg.top_k > MAX_INDEX):
        raise ValueError(f"save: masks are numbered up to {MAX_INDEX} in a PNG; set top_k to at most that")
    return cfg


def _check_tracking(cfg: DictConfig, *, video: bool) -> None:
    """Check what belongs to tracks, and settle `color_by`."""
    if cfg.track and not video:
        raise ValueError(
            "track=true needs the frames of a video, a camera or a stream; numbered images become a video by "
            "ffmpeg -i frames/%06d.png clip.mp4"
        )
    if "tracks" in cfg.save and not cfg.track:
        raise ValueError("save: tracks needs track=true")
    if cfg.color_by is None:
        cfg.color_by = "track" if cfg.track else "class"
    if cfg.color_by not in ("class", "instance", "track"):
        raise ValueError(f"color_by={cfg.color_by}: expected class, instance or, with track=true, track")
    if cfg.color_by == "track" and not cfg.track:
        raise ValueError("color_by=track needs track=true; give class or instance")


def _words(save: Any) -> list[str]:
    if isinstance(save, ListConfig):
        return [str(word) for word in save]
    return [] if save is None else [str(save)]


def _check_save(save: Sequence[str], possible: Sequence[str]) -> None:
    for word in save:
        if word in possible:
            continue
        if word in OF_VIDEO:
            raise ValueError(f"save: {word} needs a video, a camera or a stream as source")
        if word in OF_IMAGES:
            raise ValueError(f"save: {word} is for images; of a video {', '.join(OF_VIDEO)} can be saved")
        raise ValueError(f"save: {word!r} is not known; {nearest(word, possible)}")


def _check_kinds(cfg: DictConfig) -> None:
    check_switches(cfg, *SWITCHES)
    for key in NUMBERS:
        if not is_number(cfg[key]) and (key, cfg[key]) != ("min_score", AUTO):
            raise ValueError(f"{key}={cfg[key]}: expected a number")
    for key in ("batch_size", "top_k", "tile", "track_buffer"):
        if (key == "track_buffer" or cfg[key] is not None) and not is_count(cfg[key]):
            raise ValueError(f"{key}={cfg[key]}: expected a whole number, at least 1")
