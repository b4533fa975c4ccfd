"""What may be asked of task=predict, and how it is said."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from yolact_pl.cli.predict_options import checked_options, usual_batch_size
from yolact_pl.cli.suggest import suggestions

CONF = Path(__file__).parents[2] / "conf"


def options(**changes: Any) -> DictConfig:
    cfg = OmegaConf.merge(OmegaConf.load(CONF / "task" / "predict.yaml"), changes)
    assert isinstance(cfg, DictConfig)
    return cfg


def test_the_options_are_plain_words_of_the_command_line() -> None:
    overrides = ["task=predict", "save=[overlay,json,masks,cutouts,video]", "show=true", "mode=throughput"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides=[*overrides, "tile=640", "overlap=0.2", "device=cpu", "half=true"])
    assert (cfg.show, cfg.mode, cfg.tile, cfg.overlap, cfg.device, cfg.half) == (
        True,
        "throughput",
        640,
        0.2,
        "cpu",
        True,
    )
    assert list(cfg.task) == ["run"]


@pytest.mark.parametrize("word", ["save=[json]", "tile=640", "mode=latency", "min_score=0.5", "device=cpu"])
def test_with_task_in_front_the_right_word_is_told(word: str) -> None:
    (line,) = suggestions(["task=predict", f"task.{word}"], CONF)
    assert line.startswith(f"task.{word}: did you mean {word} ")


def test_defaults_are_allowed_for_both() -> None:
    for video in (False, True):
        assert list(checked_options(options(), video=video).save) == ["overlay", "json"]


def test_a_cpu_gets_one_image_at_a_time_and_a_gpu_several() -> None:
    assert usual_batch_size("cpu") == 1
    assert usual_batch_size("cuda:0") == usual_batch_size("mps") == 4


def test_one_word_is_a_list_of_one_and_the_callers_config_stays() -> None:
    cfg = options(save="json")
    assert list(checked_options(cfg, video=False).save) == ["json"]
    assert cfg.save == "json"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"save": ["prototypes"], "tile": 64}, r"save: prototypes.*leave out tile"),
        ({"save": ["prototype"]}, r"'prototype' is not known; did you mean 'prototypes'\?"),
        ({"save": ["video"]}, "video needs a video"),
        ({"save": []}, r"save=\[\] and show=false leave nothing to do"),
        ({"save": None}, r"save=\[\] and show=false leave nothing to do"),
        ({"save": ["masks"], "top_k": 300}, "255"),
        ({"save": ["masks"], "top_k": None}, "255"),
        ({"color_by": "size"}, "expected class, instance or"),
        ({"color_by": "track"}, "color_by=track needs track=true"),
        ({"track": True}, "track=true needs the frames of a video.*ffmpeg"),
        ({"track": "maybe"}, "track=maybe: expected true or false"),
        ({"track_buffer": 0}, "track_buffer=0"),
        ({"track_buffer": None}, "track_buffer=None"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"batch_size": "all"}, "batch_size=all"),
        ({"top_k": 0}, "top_k=0"),
        ({"top_k": "many"}, "top_k=many"),
        ({"tile": "large"}, "tile=large"),
        ({"tile": 0}, "tile=0"),
        ({"tile": 640, "overlap": 0.95}, r"overlap=0\.95"),
        ({"overlap": "some"}, "overlap=some"),
        ({"min_score": "high"}, "min_score=high"),
        ({"show": "maybe"}, "show=maybe: expected true or false"),
        ({"half": 1}, "half=1: expected true or false"),
        ({"mode": "fast"}, "mode=fast is not known: give throughput or latency"),
        ({"video_suffix": ".gif"}, r"video_suffix=\.gif: expected one of \.mp4"),
    ],
)
def test_what_does_not_fit_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_options(options(**changes), video=False)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"save": ["prototypes"]}, "prototypes is for images"),
        ({"save": ["film"]}, "'film' is not known"),
        ({"tile": 640}, "tile is for images"),
        ({"save": ["tracks"]}, "save: tracks needs track=true"),
    ],
)
def test_what_does_not_fit_a_video_is_told(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_options(options(**changes), video=True)


def test_colors_follow_tracks_where_there_are_some() -> None:
    assert checked_options(options(), video=True).color_by == "class"
    assert checked_options(options(track=True), video=True).color_by == "track"
    assert checked_options(options(track=True, color_by="class"), video=True).color_by == "class"
