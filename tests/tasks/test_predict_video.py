"""`task=predict` on clips with numbered frames: files, interruption, damage."""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from yolact_pl.inference.options import Request
from yolact_pl.inference.video.reader import VideoReader
from yolact_pl.inference.writing import video_output
from yolact_pl.results.detections import Detections
from yolact_pl.tasks import predict

OPTIONS = Path(__file__).parents[2] / "conf" / "task" / "predict.yaml"
SIZE = (48, 64)
FRAMES = 14


class Stub:
    """A predictor that finds in each image one object, whose score is the image's number in hundredths.

    Args:
        before: called with the number of the batch in place of the network.
    """

    class_names = ("thing",)

    def __init__(self, before: Callable[[int], None] = lambda batch: None) -> None:
        self.before = before
        self.batches: list[int] = []

    def prepare(self, images: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.tensor([number_of(image) for image in images])

    def forward(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        self.before(len(self.batches))
        self.batches.append(len(inputs))
        return torch.cat(list(inputs))

    def detect(self, predictions: torch.Tensor, index: int, size: Sequence[int]) -> Detections:
        mask = np.zeros((1, *size), dtype=np.bool_)
        mask[:, 10:20, 50:60] = True
        score = predictions[index : index + 1] / 100
        return Detections.from_masks(boxes=[[50.0, 10, 60, 20]], scores=score, labels=[0], masks=mask)


def number_of(image: np.ndarray) -> int:
    """Of a frame, a bit in each of 4 blocks of its last rows, where nothing is drawn."""
    bits = image[-12:-2].reshape(10, 4, 16, 3)[:, :, 4:12].mean(axis=(0, 2, 3)) > 128
    return int(np.packbits(bits)[0] >> 4)


def write_clip(path: Path, *, codec: str = "mp4v", rate: float = 12.5, frames: int = FRAMES) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, SIZE[::-1])
    for number in range(frames):
        picture = np.random.default_rng(number).integers(0, 60, (*SIZE, 3), dtype=np.uint8)
        bits = np.unpackbits(np.array([number << 4], np.uint8))[:4].repeat(16)
        picture[-12:] = bits[None, :, None] * 255
        writer.write(picture)
    writer.release()
    return path


def numbers(path: Path) -> list[int]:
    capture = cv2.VideoCapture(str(path))
    found = []
    while (picture := capture.read()[1]) is not None:
        found.append(number_of(picture))
    return found


def config(source: object, output: Path, **options: Any) -> DictConfig:
    own = {"source": source, "output": str(output), "batch_size": 4, "color_by": "class"}
    cfg = OmegaConf.merge(OmegaConf.load(OPTIONS), own, options)
    assert isinstance(cfg, DictConfig)
    return cfg


def run(cfg: DictConfig, stub: Stub | None = None) -> None:
    predictor: Any = stub or Stub()
    predict._predict_video(cfg, predictor, [1])


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_video_and_a_line_of_json_for_each_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG")
    stub = Stub()
    monkeypatch.setattr(predict, "configured_predictor", lambda cfg: (stub, [1]))
    with caplog.at_level(logging.INFO):
        predict.run(config(str(clip), tmp_path / "out", batch_size=4))
    assert numbers(tmp_path / "out" / "clip.mp4") == list(range(FRAMES))
    capture = cv2.VideoCapture(str(tmp_path / "out" / "clip.mp4"))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    assert stub.batches == [4, 4, 4, 2]

    lines = records(tmp_path / "out" / "clip.jsonl")
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert [line["time"] for line in lines] == pytest.approx([i / 12.5 for i in range(FRAMES)], abs=1e-5)
    assert [line["detections"][0]["score"] for line in lines] == pytest.approx(
        [i / 100 for i in range(FRAMES)]
    )
    assert lines[0]["file"] == str(clip)
    assert lines[0]["detections"][0]["box"] == [50, 10, 60, 20]
    assert "14 frames of" in caplog.text
    assert str(tmp_path / "out" / "clip.mp4") in caplog.text


def test_the_object_is_drawn_where_it_is(tmp_path: Path) -> None:
    run(config(str(write_clip(tmp_path / "clip.avi", codec="MJPG")), tmp_path / "out"))
    before = cv2.VideoCapture(str(tmp_path / "clip.avi")).read()[1].astype(int)
    after = cv2.VideoCapture(str(tmp_path / "out" / "clip.mp4")).read()[1].astype(int)
    change = np.abs(after - before).max(axis=2)
    assert change[11:19, 51:59].mean() > 40
    assert change[24:, :40].mean() < 20


def test_labels_may_be_left_out(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG", frames=2)
    above = []
    for labels in (True, False):
        run(config(str(clip), tmp_path / "out", save=["video"], labels=labels))
        picture = cv2.VideoCapture(str(tmp_path / "out" / "clip.mp4")).read()[1]
        above.append(picture[1:8, 30:62].mean())  # the box begins at row 10; noise has at most 60
    assert above[0] > above[1] + 40


@pytest.mark.parametrize(("save", "files"), [(["json"], {"clip.jsonl"}), (["video"], {"clip.mkv"})])
def test_only_what_is_asked_for_is_written(save: list[str], files: set[str], tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    run(config(str(clip), tmp_path / "out", save=save, video_suffix=".mkv"))
    assert {path.name for path in (tmp_path / "out").glob("[!.]*")} == files


def test_masks_and_cutouts_of_each_frame(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG", frames=3)
    run(config(str(clip), tmp_path / "out", save=["masks", "cutouts", "instance_masks", "polygons"]))
    expected = {f"clip/masks/{number:06}.png" for number in range(3)}
    expected |= {f"clip/{kind}/{number:06}/01_thing.png" for number in range(3)
                 for kind in ("cutouts", "instance_masks")}  # fmt: skip
    expected |= {f"clip/polygons/{number:06}.json" for number in range(3)}
    written = (path for path in (tmp_path / "out").rglob("[!.]*") if path.is_file())
    assert {path.relative_to(tmp_path / "out").as_posix() for path in written} == expected
    write_clip(clip, codec="MJPG", frames=2)
    run(config(str(clip), tmp_path / "out", save=["masks"]))
    left = (path.name for path in (tmp_path / "out").rglob("[!.]*") if path.is_file())
    assert sorted(left) == ["000000.png", "000001.png"]
    run(config(str(write_clip(clip, codec="MJPG", frames=3)), tmp_path / "out", save=["masks"]))
    mask = cv2.imread(str(tmp_path / "out" / "clip" / "masks" / "000002.png"))
    assert mask is not None
    columns, rows = np.nonzero(mask.any(axis=2).T)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (50, 59, 10, 19)


def test_latency_drops_what_is_stale_and_keeps_the_time(tmp_path: Path) -> None:
    """14 frames in 0.56 s, 0.2 s of network for each: some 4 are seen, each at its time."""
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG", rate=25)
    stub = Stub(lambda batch: time.sleep(0.2))
    run(config(str(clip), tmp_path / "out", mode="latency"), stub)
    lines = records(tmp_path / "out" / "clip.jsonl")
    seen = [line["frame"] for line in lines]
    assert 2 <= len(seen) <= 6
    assert seen[0] < seen[-1] == FRAMES - 1
    assert seen == sorted(set(seen))
    assert set(stub.batches) == {1}
    assert numbers(tmp_path / "out" / "clip.mp4") == seen
    times = [frame.time for frame in VideoReader(tmp_path / "out" / "clip.mp4")]
    assert times == pytest.approx([(frame - seen[0]) / 25 for frame in seen], abs=1e-3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_completes_the_files(number: signal.Signals, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG")
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def interrupt(batch: int) -> None:
        if batch == 2:
            signal.raise_signal(number)

    with pytest.raises(SystemExit) as stopped:
        run(config(str(clip), tmp_path / "out", batch_size=2), Stub(interrupt))
    assert stopped.value.code == 128 + number
    assert numbers(tmp_path / "out" / "clip.mp4") == list(range(6))
    assert len(records(tmp_path / "out" / "clip.jsonl")) == 6
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_second_interruption_stops_at_once(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG")

    def interrupt(batch: int) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run(config(str(clip), tmp_path / "out"), Stub(interrupt))


def test_a_cut_video_is_processed_as_far_as_it_goes_and_told(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG")
    data = clip.read_bytes()
    clip.write_bytes(data[: data.index(b"movi") + (len(data) - data.index(b"movi")) // 2])
    with pytest.raises(ValueError, match=r"clip\.avi ends after (\d+) of 14 frames") as caught:
        run(config(str(clip), tmp_path / "out"))
    count = int(str(caught.value).split(" ends after ")[1].split()[0])
    assert 4 <= count <= 9
    assert numbers(tmp_path / "out" / "clip.mp4") == list(range(count))
    assert len(records(tmp_path / "out" / "clip.jsonl")) == count


def test_an_error_of_the_network_leaves_a_file_that_plays(tmp_path: Path) -> None:
    def fail(batch: int) -> None:
        if batch == 2:
            raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        run(config(str(write_clip(tmp_path / "clip.mp4")), tmp_path / "out", batch_size=1), Stub(fail))
    found = numbers(tmp_path / "out" / "clip.mp4") if (tmp_path / "out" / "clip.mp4").exists() else []
    assert found == list(range(len(found)))


def test_a_video_is_not_written_over_itself(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4")
    before = clip.read_bytes()
    with pytest.raises(ValueError, match=r"clip\.mp4 would be written over itself: give another output"):
        run(config(str(clip), tmp_path))
    assert clip.read_bytes() == before


def test_nothing_is_printed_by_the_libraries_below(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a clip with damage in it: FFmpeg writes past Python's streams."""
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG")
    data = bytearray(clip.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    clip.write_bytes(data)
    capfd.readouterr()
    run(config(str(clip), tmp_path / "out"))
    assert capfd.readouterr() == ("", "")


def test_closing_the_window_ends_a_video_without_a_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closing:
        shown = 0

        def show(self, picture: np.ndarray) -> bool:
            assert threading.current_thread() is threading.main_thread()
            assert picture.shape == (*SIZE, 3)
            self.shown += 1
            return self.shown < 3

        def close(self) -> None:
            self.shown = -1

    window = Closing()
    monkeypatch.setattr(video_output, "open_screen", lambda title: window)
    clip = write_clip(tmp_path / "clip.avi", codec="MJPG")
    stub = Stub(lambda batch: time.sleep(0.05))
    run(config(str(clip), tmp_path / "out", show=True, batch_size=1), stub)
    assert window.shown == -1
    found = numbers(tmp_path / "out" / "clip.mp4")
    assert found == list(range(len(stub.batches)))
    assert 2 <= len(found) < FRAMES


class TrackedStub(Stub):
    """Its object moves to the right and is weak in every third frame and missing in the fifth."""

    def __init__(self) -> None:
        super().__init__()
        self.request = Request(nms="fast", iou_threshold=0.5, min_score=0.3, top_k=5)
        self.engine = SimpleNamespace(score_threshold=0.05)
        self.options: dict[str, Any] = {}

    def with_options(self, **options: Any) -> "TrackedStub":
        self.options = options
        return self

    def with_parts(self) -> "TrackedStub":
        raise ValueError("this file has no coefficients")

    def detect(self, predictions: torch.Tensor, index: int, size: Sequence[int]) -> Detections:
        number = int(predictions[index])
        mask = np.zeros((1, *size), dtype=np.bool_)
        mask[:, 10:20, number : number + 12] = True
        found = Detections.from_masks(
            boxes=[[number, 10, number + 12, 20]],
            scores=[0.9 if number % 3 else 0.2],
            labels=[0],
            masks=mask,
        )
        return found[: 0 if number == 5 else 1]


def test_tracks_are_in_the_json_and_in_files_of_their_own(tmp_path: Path) -> None:
    clip, stub = write_clip(tmp_path / "clip.avi", codec="MJPG"), TrackedStub()
    run(config(str(clip), tmp_path / "out", track=True, save=["json", "tracks"], color_by="track"), stub)
    assert stub.options == {"min_score": 0.1, "top_k": None}
    lines = records(tmp_path / "out" / "clip.jsonl")
    found = [[(one["tracker_id"], one["coasting"]) for one in line["detections"]] for line in lines]
    # The first frame's object is too weak to start a track, the second's appears with its second detection.
    assert found == [[], [], *[[(1, False)]] * 3, [(1, True)], *[[(1, False)]] * 8]
    folder = tmp_path / "out" / "clip"
    assert sorted(path.name for path in folder.iterdir()) == ["tracks.csv", "tracks.json", "tracks.txt"]
    assert len((folder / "tracks.csv").read_text().splitlines()) == 1 + 12
    run(config(str(clip), tmp_path / "out", save=["json"]))
    assert not folder.exists()
