import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from yolact_pl.images.image_file import ImageError, read_image
from yolact_pl.inference.image_url import download_images
from yolact_pl.inference.media import image_files, is_video


class Server(BaseHTTPRequestHandler):
    """Images under any path but /live and /gone; /private asks for a password."""

    def do_GET(self) -> None:
        private = self.path.startswith("/private")
        if private and self.headers.get("Authorization") != "Basic bWU6cEB3":  # me:p@w
            self.send_error(401)
            return
        if self.path.startswith("/gone"):
            self.send_error(404)
            return
        live = self.path.startswith("/live")
        data = io.BytesIO()
        Image.new("RGB", (8, 6)).save(data, "PNG")
        self.send_response(200)
        kind = "multipart/x-mixed-replace; boundary=x" if live else "image/png"
        self.send_header("Content-Type", "application/octet-stream" if "raw" in self.path else kind)
        self.end_headers()
        self.wfile.write(data.getvalue())

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize(
    "path", ["a.png", "a.jpg?size=2&k=v", "photo?id=3", "raw/a.png", "caf%C3%A9%20(1).png"]
)
def test_the_url_of_an_image_is_an_image(server: str, path: str, tmp_path: Path) -> None:
    source = download_images(f"http://{server}/{path}", tmp_path / "downloads")
    assert not is_video(source)
    (file,) = image_files(str(source))
    assert read_image(file).shape == (6, 8, 3)


def test_urls_in_a_list_and_with_a_password(server: str, tmp_path: Path) -> None:
    urls = [f"http://{server}/x/a.png", f"http://{server}/y/a.png", f"http://me:p%40w@{server}/private.png"]
    files = download_images(urls, tmp_path)
    assert isinstance(files, list)
    assert len(set(files)) == len(image_files(files)) == 3


def test_other_urls_stay_streams(server: str, tmp_path: Path) -> None:
    for source in (
        f"http://{server}/live",
        f"http://{server}/gone",
        f"http://{server}/a.mp4",
        "rtsp://x/a.png",
        0,
    ):
        assert download_images(source, tmp_path) == source
        assert is_video(source)
    assert download_images("photos", tmp_path) == "photos"
    assert not list(tmp_path.iterdir())


def test_an_image_that_cannot_be_downloaded_is_named_without_password(server: str, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"^http://127.0.0.1:\d+/gone\.png cannot be downloaded .*404"):
        download_images(f"http://me:secret@{server}/gone.png?key=secret", tmp_path)
