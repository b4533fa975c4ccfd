"""A published set, small and on loopback."""

import errno
import hashlib
import io
import re
import shutil
import threading
import urllib.parse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from tests.download.file_server import FileServer, running
from tests.download.test_unpack import files_in
from yolact_pl.download.data_set import download_set
from yolact_pl.download.published import PUBLISHED_SETS, Archive, PublishedSet, Take, set_that_has
from yolact_pl.download.record import DownloadError

ROOT = Path(__file__).parents[2]
IMAGES = {f"val/{number}.jpg": bytes([number]) * 3000 for number in range(5)}
WANTED = {
    "coco/val/0.jpg": IMAGES["val/0.jpg"],
    "coco/annotations/val.json": b"{}",
    **{f"coco/{name}": data for name, data in IMAGES.items()},
}


def zipped(content: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with running() as server:
        server.files = {
            "images.zip": zipped(IMAGES),
            "texts.zip": zipped({"annotations/val.json": b"{}", "annotations/captions.json": b"[]"}),
        }
        yield server


@pytest.fixture
def published(server: FileServer) -> PublishedSet:
    takes = {
        "texts.zip": (Take("annotations/val.json", "coco/annotations/val.json"),),
        "images.zip": (Take("val", "coco/val", 5),),
    }
    return PublishedSet(
        tuple(
            Archive(server.url(name), len(data), hashlib.sha256(data).hexdigest(), takes[name])
            for name, data in sorted(server.files.items(), reverse=True)
        )
    )


def test_everything_lands_where_it_belongs_and_archives_go(
    server: FileServer, published: PublishedSet, tmp_path: Path
) -> None:
    download_set(published, tmp_path)
    assert {k: v for k, v in files_in(tmp_path).items() if not k.endswith(".lock")} == WANTED
    download_set(published, tmp_path)  # nothing is fetched again
    assert server.seen == [("texts.zip", None), ("images.zip", None)]


def test_goes_on_where_the_connection_broke(
    server: FileServer, published: PublishedSet, tmp_path: Path
) -> None:
    server.breaks = [100, 10**6, 7000, 2000]
    download_set(published, tmp_path, keep_archives=True)
    assert [seen for seen in server.seen if seen[0] == "images.zip"] == [
        ("images.zip", None),
        ("images.zip", "bytes=7000-"),
        ("images.zip", "bytes=9000-"),
    ]
    found = files_in(tmp_path)
    assert WANTED.items() <= found.items()
    assert found["downloads/images.zip"] == server.files["images.zip"]
    assert not [name for name in found if ".part" in name]


def test_a_later_call_goes_on_too(server: FileServer, published: PublishedSet, tmp_path: Path) -> None:
    server.breaks = [10**6, 7000, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError, match=r"images\.zip \(7000 of \d+ bytes came\); run this again"):
        download_set(published, tmp_path)
    assert not (tmp_path / "coco" / "val").exists()
    server.seen.clear()
    download_set(published, tmp_path)
    assert server.seen == [("images.zip", "bytes=7000-")]
    assert WANTED.items() <= files_in(tmp_path).items()


def test_an_archive_put_there_by_hand_is_used(
    server: FileServer, published: PublishedSet, tmp_path: Path
) -> None:
    (tmp_path / "downloads").mkdir()
    for name, data in server.files.items():
        (tmp_path / "downloads" / name).write_bytes(data)
    download_set(published, tmp_path)
    assert WANTED.items() <= files_in(tmp_path).items()
    assert server.seen == []


def test_another_file_put_there_by_hand_is_refused(published: PublishedSet, tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "texts.zip").write_bytes(zipped({"annotations/val.json": b"[]"}))
    with pytest.raises(DownloadError, match=r"texts\.zip is not the file that is published at http"):
        download_set(published, tmp_path)


def test_another_size_or_content_on_the_server_is_refused(
    server: FileServer, published: PublishedSet, tmp_path: Path
) -> None:
    original = server.files["texts.zip"]
    server.files["texts.zip"] = b"<html>log in first</html>"
    with pytest.raises(DownloadError, match=rf"has 25 bytes, but the published file has {len(original)}"):
        download_set(published, tmp_path)
    server.files["texts.zip"] = original[:-1] + b"?"
    with pytest.raises(DownloadError, match=r"the sha256 of what came is \w+, expected \w+"):
        download_set(published, tmp_path)
    assert not (tmp_path / "coco").exists()
    server.files["texts.zip"] = original
    download_set(published, tmp_path)
    assert WANTED.items() <= files_in(tmp_path).items()


def test_a_folder_with_too_few_files_is_told(published: PublishedSet, tmp_path: Path) -> None:
    folder = tmp_path / "coco" / "val"
    folder.mkdir(parents=True)
    (folder / "0.jpg").touch()
    with pytest.raises(DownloadError, match=r"coco/val holds 1 of the 5 files that are published"):
        download_set(published, tmp_path)
    for number in range(1, 5):
        (folder / f"{number}.jpg").touch()
    download_set(published, tmp_path)
    assert (folder / "0.jpg").read_bytes() == b""  # what was there is kept


def test_no_room(published: PublishedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(DownloadError, match=r"texts\.zip .* GB left; make room, or .* data_dir=FOLDER"):
        download_set(published, tmp_path)


def test_a_disk_that_fills_up_ends_it_at_once(
    server: FileServer, published: PublishedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("yolact_pl.download.resumable._append", full)
    with pytest.raises(DownloadError, match=r"texts\.zip \(\[Errno \d+\] No space left on device\)"):
        download_set(published, tmp_path)
    assert len(server.seen) == 1


def test_no_such_file_and_no_server(server: FileServer, published: PublishedSet, tmp_path: Path) -> None:
    del server.files["texts.zip"]
    with pytest.raises(DownloadError, match=r"404.*put the file by hand at .*downloads/texts\.zip"):
        download_set(published, tmp_path)
    assert len(server.seen) == 1


def test_calls_at_the_same_time_fetch_once(
    server: FileServer, published: PublishedSet, tmp_path: Path
) -> None:
    threads = [threading.Thread(target=download_set, args=(published, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert WANTED.items() <= files_in(tmp_path).items()
    assert sorted(name for name, _ in server.seen) == ["images.zip", "texts.zip"]


@pytest.mark.parametrize("name", sorted(PUBLISHED_SETS))
def test_published_sets_land_where_their_configs_look(name: str) -> None:
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        dataset = compose("config", overrides=[f"dataset={name}", "data_dir=somewhere"]).dataset
    published = PUBLISHED_SETS[name]
    targets = {take.target for archive in published.archives for take in archive.takes}
    brought = {f"somewhere/{target}" for target in targets | set(published.converted)}
    keys = ("train_json", "train_images", "val_json", "val_images")
    for key in keys[2:] if name == "coco2017_testdev" else keys:
        assert dataset[key] in brought
        assert set_that_has(Path(dataset[key]), Path("somewhere")) == name
    assert set_that_has(Path(dataset.val_json), Path("elsewhere")) is None


def test_published_addresses_and_checksums_are_whole() -> None:
    archives = [archive for published in PUBLISHED_SETS.values() for archive in published.archives]
    assert len(archives) == 9
    for archive in archives:
        url = urllib.parse.urlparse(archive.url)
        assert (url.scheme, url.hostname) in (
            ("http", "images.cocodataset.org"),  # its certificate is for another name
            ("https", "www2.eecs.berkeley.edu"),
        )
        assert re.fullmatch("[0-9a-f]{64}", archive.sha256)
    assert len({archive.sha256 for archive in archives}) == len(archives)
