"""Fetching against a server on loopback that breaks connections."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.checkpoints import published as download
from yolact_pl.checkpoints.description import CheckpointError
from yolact_pl.models.cached_file import DownloadError, cache_folder, fetch_file

CONTENT = bytes(range(256)) * 2000  # 512,000 bytes
HALF = 200_000


class Server(ThreadingHTTPServer):
    """Serves `content`; `breaks` lists after how many bytes each of the next connections ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.breaks: list[int] = []
        self.ranges = True
        self.etag: str | None = '"first"'
        self.length = True
        self.seen: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/folder/weights.pth"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.seen.append(dict(self.headers))
        if not self.path.startswith("/folder/weights"):
            self.send_error(404)
            return
        start = 0
        wanted = self.headers.get("Range")
        if wanted and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            total = len(server.content)
            if start >= total:
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        rest = server.content[start:]
        if server.length:
            self.send_header("Content-Length", str(len(rest)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        self.wfile.write(rest[: server.breaks.pop(0)] if server.breaks else rest)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def fetch(server: Server) -> Path:
    return fetch_file(server.url, otherwise="do without")


def test_fetches_once_and_remembers(server: Server, folder: Path) -> None:
    path = fetch(server)
    assert path == folder / "weights.pth"
    assert path.read_bytes() == CONTENT
    assert fetch(server) == path
    assert len(server.seen) == 1
    remembered = json.loads((folder / "weights.pth.json").read_text())
    assert remembered["size"] == 512_000
    assert remembered["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert not list(folder.glob("*.part*"))


def test_goes_on_where_the_connection_broke(server: Server, folder: Path) -> None:
    server.breaks = [HALF, 100_000]
    assert fetch(server).read_bytes() == CONTENT
    assert [seen.get("Range") for seen in server.seen] == [None, "bytes=200000-", "bytes=300000-"]
    assert server.seen[1]["If-Range"] == '"first"'


def test_a_later_run_goes_on_too(server: Server, folder: Path) -> None:
    server.breaks = [HALF, 0, 0, 0, 0, 0]  # then nothing comes, five times
    with pytest.raises(DownloadError, match="200000 of 512000 bytes came"):
        fetch(server)
    assert not (folder / "weights.pth").exists()
    assert (folder / "weights.pth.part").stat().st_size == HALF
    server.seen.clear()
    assert fetch(server).read_bytes() == CONTENT
    assert [seen.get("Range") for seen in server.seen] == ["bytes=200000-"]


@pytest.mark.parametrize("how", ["etag", "no ranges", "no etag, other size", "no etag, smaller"])
def test_starts_again_if_the_rest_does_not_belong_to_the_part(server: Server, folder: Path, how: str) -> None:
    if how.startswith("no etag"):
        server.etag = None
    server.breaks = [HALF, 0, 0, 0, 0, 0]
    with pytest.raises(DownloadError):
        fetch(server)
    if how == "no ranges":
        server.ranges = False
    else:
        server.content = CONTENT[:100] if how == "no etag, smaller" else CONTENT[::-1] + b"more"
        server.etag = server.etag and '"second"'
    assert fetch(server).read_bytes() == server.content


def test_goes_on_without_etag(server: Server, folder: Path) -> None:
    server.etag = None
    server.breaks = [HALF]
    assert fetch(server).read_bytes() == CONTENT
    assert [seen.get("Range") for seen in server.seen] == [None, "bytes=200000-"]
    assert "If-Range" not in server.seen[1]


def test_without_a_length_the_end_is_the_end(server: Server, folder: Path) -> None:
    server.length = False
    assert fetch(server).read_bytes() == CONTENT


def test_a_part_that_was_complete_needs_no_connection(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "weights.pth.part").write_bytes(CONTENT)
    (folder / "weights.pth.part.json").write_text(json.dumps({"etag": None, "size": len(CONTENT)}))
    assert fetch(server).read_bytes() == CONTENT
    assert server.seen == []


@given(damage=st.text(max_size=20))
def test_damaged_notes_are_no_notes(damage: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("YOLACT_PL_CACHE", str(folder))
        (folder / "weights.pth").write_bytes(CONTENT)
        (folder / "weights.pth.json").write_text(damage, encoding="utf-8")
        assert fetch_file("http://nowhere.invalid/weights.pth", otherwise="").read_bytes() == CONTENT


def test_a_changed_file_is_told(server: Server, folder: Path) -> None:
    path = fetch(server)
    path.write_bytes(CONTENT[:-1])  # another size
    with pytest.raises(DownloadError, match=r"weights\.pth is not the file that was fetched from http"):
        fetch(server)
    path.write_bytes(CONTENT[:-1] + b"?")  # the same size
    with pytest.raises(DownloadError, match=r"delete it to fetch it again, or delete .*weights\.pth\.json"):
        fetch(server)
    (folder / "weights.pth.json").unlink()
    assert fetch(server) == path
    path.unlink()
    assert fetch(server).read_bytes() == CONTENT


def test_digest_in_the_name_is_checked(server: Server, folder: Path) -> None:
    with pytest.raises(DownloadError, match=r"sha256 of what came is .*, expected 0123abcd"):
        fetch_file(server.url.replace(".pth", "-0123abcd.pth"), otherwise="do without")
    assert not list(folder.glob("*.pth"))
    assert not list(folder.glob("*.part"))
    name = f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"
    assert fetch_file(server.url.replace("weights.pth", name), otherwise="do without") == folder / name


def test_digest_that_nobody_states_is_logged(
    server: Server, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        fetch(server)
    digest = hashlib.sha256(CONTENT).hexdigest()
    message = f"no sha256 of weights.pth is published to compare with; it is {digest}"
    assert caplog.messages.count(message) == 1


def test_processes_that_start_together_fetch_once(server: Server, folder: Path) -> None:
    threads = [threading.Thread(target=fetch, args=(server,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (folder / "weights.pth").read_bytes() == CONTENT
    assert len(server.seen) == 1


def test_no_such_file_on_the_server(server: Server, folder: Path) -> None:
    with pytest.raises(
        DownloadError, match=r"other\.pth \(HTTP Error 404.*put the file by hand at .*or buy it"
    ):
        fetch_file(server.url.replace("weights", "other"), otherwise="buy it")
    assert len(server.seen) == 1


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YOLACT_PL_CACHE", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: "/somewhere/hub")
    assert cache_folder() == Path("/somewhere/hub/checkpoints")
    monkeypatch.setenv("YOLACT_PL_CACHE", "/elsewhere")
    assert cache_folder() == Path("/elsewhere")


PUBLIC = "https://huggingface.co/dbolya/"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("yolact_resnet50", "yolact-resnet50/resolve/main/yolact_resnet50_54_800000.pth"),
        ("yolact_darknet53", "yolact-darknet53/resolve/main/yolact_darknet53_54_800000.pth"),
        ("yolact_base", "yolact-base/resolve/main/yolact_base_54_800000.pth"),
        ("yolact_im700", "yolact-im700/resolve/main/yolact_im700_54_800000.pth"),
        ("yolact_plus_resnet50", "yolact-plus-resnet50/resolve/main/yolact_plus_resnet50_54_800000.pth"),
        ("yolact_plus_base", "yolact-plus-base/resolve/main/yolact_plus_base_54_800000.pth"),
        ("imagenet_resnet101", "yolact-initial-weights/resolve/main/resnet101_reducedfc.pth"),
        ("imagenet_resnet50", "yolact-initial-weights/resolve/main/resnet50-19c8e357.pth"),
        ("imagenet_darknet53", "yolact-initial-weights/resolve/main/darknet53.pth"),
    ],
)
def test_addresses(name: str, address: str) -> None:
    assert download.published_url(name) == PUBLIC + address


def test_without_network_the_place_for_the_file_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def refuse(*args: object, **kwargs: object) -> None:
        attempts.append(args)
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    with pytest.raises(CheckpointError, match="no route to host") as error:
        download.fetch("yolact_base")
    assert f"{PUBLIC}yolact-base/resolve/main/yolact_base_54_800000.pth" in str(error.value)
    assert f"by hand at {folder / 'yolact_base_54_800000.pth'}" in str(error.value)
    assert len(attempts) == 1  # at once, not after some minutes of trying
    (folder / "yolact_base_54_800000.pth").write_bytes(b"by hand")
    assert download.fetch("yolact_base").read_bytes() == b"by hand"


def test_a_file_in_the_way_of_a_name_is_taken(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder.mkdir()
    fetched = folder / "yolact_base_54_800000.pth"
    fetched.write_bytes(b"")
    (tmp_path / "yolact_base").mkdir()  # a folder is not in the way
    assert download.local_file("yolact_base") == fetched
    (tmp_path / "yolact_base").rmdir()
    (tmp_path / "yolact_base").write_bytes(b"")
    assert download.local_file("yolact_base") == Path("yolact_base")


def test_unknown_names() -> None:
    with pytest.raises(
        CheckpointError, match=r"no weights are published as yolact_large; there are yolact_re"
    ):
        download.fetch("yolact_large")
    with pytest.raises(
        CheckpointError, match=r"'yolact_large': no such file, and no published name \(yolact_re"
    ):
        download.local_file("yolact_large")
