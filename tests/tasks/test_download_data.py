"""task=download, and what a run says whose data was not downloaded."""

import hashlib
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hydra.utils import get_method
from PIL import Image

from tests.download.file_server import FileServer, running
from tests.tiny_run import ROOT, compose_config
from yolact_pl.data.annotations.annotations import DataError, read_annotations
from yolact_pl.download.published import PUBLISHED_SETS, Archive, PublishedSet


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with running() as server:
        yield server


def small_sbd(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an archive like SBD's, with three images, in place of the public one."""
    scipy_io = pytest.importorskip("scipy.io")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:

        def add(name: str, data: bytes) -> None:
            info = tarfile.TarInfo(f"benchmark_RELEASE/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))

        for number in (1, 2, 3):
            picture, truth = io.BytesIO(), io.BytesIO()
            Image.new("RGB", (60, 40), (number, 0, 0)).save(picture, "JPEG")
            objects = np.zeros((40, 60), np.uint8)
            objects[10:20, 10 : 10 + 10 * number] = 1
            struct = {"Segmentation": objects, "Categories": np.array([[number]], np.uint8)}
            scipy_io.savemat(truth, {"GTinst": struct})
            add(f"dataset/img/{number}.jpg", picture.getvalue())
            add(f"dataset/inst/{number}.mat", truth.getvalue())
            add(f"dataset/cls/{number}.mat", b"not needed")
        add("dataset/train.txt", b"1\n3\n")
        add("dataset/val.txt", b"2\n")
        add("README.txt", b"hello")
    data = server.files["benchmark.tgz"] = buffer.getvalue()
    (published,) = PUBLISHED_SETS["pascal_sbd"].archives
    takes = tuple(take.__class__(take.member, take.target) for take in published.takes)  # not 11,355 files
    archive = Archive(server.url("benchmark.tgz"), len(data), hashlib.sha256(data).hexdigest(), takes)
    changed = PublishedSet((archive,), PUBLISHED_SETS["pascal_sbd"].converted)
    monkeypatch.setitem(PUBLISHED_SETS, "pascal_sbd", changed)


ONE_IMAGE = {
    "images": [{"id": 1, "file_name": "a", "width": 1, "height": 1}],
    "categories": [{"id": 1, "name": "x"}],
    "annotations": [],
}


def run(output: Path, *overrides: str) -> None:
    cfg = compose_config(list(overrides), output)
    get_method(cfg.task.run)(cfg)


def test_sbd_is_downloaded_and_converted(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_sbd(server, monkeypatch)
    data = tmp_path / "data"
    server.breaks = [1000]
    run(tmp_path / "out", "task=download", "dataset=pascal_sbd", f"data_dir={data}")
    assert [wanted for _, wanted in server.seen] == [None, "bytes=1000-"]
    train = read_annotations(data / "sbd" / "pascal_sbd_train.json", data / "sbd" / "img")
    val = read_annotations(data / "sbd" / "pascal_sbd_val.json", data / "sbd" / "img")
    assert train.class_names == val.class_names
    assert len(train.class_names) == 20
    assert [train.file_name(i) for i in range(2)] == ["1.jpg", "3.jpg"]
    np.testing.assert_array_equal(train.area, [100, 300])
    np.testing.assert_array_equal(val.boxes, [[10, 10, 30, 20]])
    assert not (data / "sbd" / "cls").exists()
    assert not (data / "downloads" / "benchmark.tgz").exists()

    (data / "sbd" / "pascal_sbd_val.json").unlink()  # as if the conversion had been broken off
    run(tmp_path / "out", "task=download", "dataset=pascal_sbd", f"data_dir={data}")
    assert (data / "sbd" / "pascal_sbd_val.json").is_file()
    assert len(server.seen) == 2


def test_sbd_without_scipy_is_told_before_anything_is_fetched(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_sbd(server, monkeypatch)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"comes as \.mat files; to read them: pip install scipy"):
        run(tmp_path / "out", "task=download", "dataset=pascal_sbd", f"data_dir={tmp_path}")
    assert server.seen == []


def test_archives_are_kept_on_demand(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_sbd(server, monkeypatch)
    run(
        tmp_path / "out",
        "task=download",
        "dataset=pascal_sbd",
        f"data_dir={tmp_path}",
        "task.keep_archives=true",
    )
    assert (tmp_path / "downloads" / "benchmark.tgz").read_bytes() == server.files["benchmark.tgz"]


def test_sets_that_nobody_published(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match="dataset=shapes cannot be fetched; the published sets are coco2017, "
    ):
        run(tmp_path, "task=download", "dataset=shapes", f"data_dir={tmp_path}")


@pytest.mark.parametrize(
    ("name", "there", "missing"),
    [
        ("coco2017", [], "coco/annotations/instances_train2017.json"),
        ("coco2014", [], "coco/annotations/instances_train2014.json"),
        ("pascal_sbd", [], "sbd/pascal_sbd_train.json"),
        ("coco2017", ["coco/annotations/instances_train2017.json"], "coco/train2017"),
    ],
)
def test_training_without_the_data_says_the_command(
    tmp_path: Path, name: str, there: list[str], missing: str
) -> None:
    data = tmp_path / "my data"
    for path in there:
        (data / path).parent.mkdir(parents=True)
        (data / path).write_text(json.dumps(ONE_IMAGE))
    with pytest.raises(DataError) as error:
        run(tmp_path / "out", f"dataset={name}", f"data_dir='{data}'", "logger=csv", "backbone.weights=null")
    wanted = f"{data / missing} does not exist; fetch the data set with `"
    assert str(error.value).startswith(wanted)
    assert str(error.value).endswith("`, or give the paths of your own one.")
    command = shlex.split(str(error.value).split("`")[1])
    assert command[-3:] == ["task=download", f"dataset={name}", f"data_dir={data}"]


@pytest.mark.parametrize("task", ["check_data", "preview_data", "anchors", "find_lr"])
def test_other_tasks_without_the_data_say_the_command_too(tmp_path: Path, task: str) -> None:
    with pytest.raises(DataError, match=r"fetch the data set with `.*task=download dataset=coco2014"):
        run(
            tmp_path / "out",
            f"task={task}",
            "dataset=coco2014",
            f"data_dir={tmp_path}",
            "backbone.weights=null",
        )


def test_own_data_that_is_missing_is_told_by_its_path(tmp_path: Path) -> None:
    overrides = [f"dataset.train_json={tmp_path / 'a.json'}", f"dataset.train_images={tmp_path}"]
    with pytest.raises(DataError, match=r"a\.json does not exist; check the path of the annotation file"):
        run(tmp_path / "out", "dataset=coco_custom", *overrides, "logger=csv", "backbone.weights=null")


def test_the_command_that_is_told_is_one_that_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "dataset=coco2014", "backbone.weights=null"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"},
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if "error:" in line]
    assert "error: data/coco/annotations/instances_train2014.json does not exist" in line
    command = line.split("`")[1]
    assert command.endswith("run.py task=download dataset=coco2014")
    task = compose_config(command.split()[2:], tmp_path).task
    assert (task.run, task.name) == ("yolact_pl.tasks.download.run", "coco2014")
