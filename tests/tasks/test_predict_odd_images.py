"""A folder of odd and damaged files: each is either done or named, and nothing else happens."""

import json
import logging
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from tests.inference.test_predictor import small_predictor
from tests.tasks.odd_images import KINDS, odd_files
from yolact_pl.tasks import predict

OPTIONS = Path(__file__).parents[2] / "conf" / "task" / "predict.yaml"
COUNT = 60


def config(source: object, output: Path, *overrides: str) -> DictConfig:
    own = {"source": source, "output": str(output)}
    cfg = OmegaConf.merge(OmegaConf.load(OPTIONS), own, OmegaConf.from_dotlist(list(overrides)))
    assert isinstance(cfg, DictConfig)
    return cfg


def test_each_file_is_done_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    files = odd_files(COUNT)
    assert len(files) > 2 * len(KINDS)
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for file in files:
        (source / file.name).write_bytes(file.data)
    predictor = small_predictor().with_options(top_k=3)
    monkeypatch.setattr(predict, "_predictor", lambda cfg: predictor)
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(ValueError, match=r"\d+ of 60 images could not") as told,
    ):
        predict.run(config(str(source), output, "save=[overlay,json,masks,cutouts,prototypes]"))

    done = {Path(entry["file"]).name for entry in json.loads((output / "predictions.json").read_text())}
    complaints = [r.getMessage() for r in caplog.records if r.getMessage().startswith("left out: ")]
    assert len(done) + len(complaints) == len(files)
    assert str(told.value).startswith(f"{len(complaints)} of 60 images")
    for file in files:
        named = [text for text in complaints if str(source / file.name) in text]
        assert len(named) == (file.name not in done), file.name
        assert all("\n" not in text and "Traceback" not in text for text in named)
        if file.readable is not None:
            assert (file.name in done) == file.readable, (file.name, named)
    for name in done:
        stem = Path(name).stem
        assert (output / f"{stem}.jpg").stat().st_size > 100
        assert (output / "masks" / f"{stem}.png").exists()
        assert (output / "prototypes" / f"{stem}.png").exists()
