"""One server with a small engine for all tests of this room."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.browser import chromium
from tests.serving.channel_engine import channel_model, colored_picture
from tests.serving.running import Client, png, running
from yolact_pl.serving.app import create_app
from yolact_pl.serving.folder import PictureFolder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, beside a secret and with links that lead to it."""
    outside = tmp_path_factory.mktemp("outside")
    folder = outside / "pictures"
    (folder / "inner").mkdir(parents=True)
    for name in ("a.png", "b c.png", "inner/c.png", "../secret.png"):
        (folder / name).write_bytes(png(colored_picture()))
    (folder / "notes.txt").write_text("no picture")
    (folder / "link.png").symlink_to("../secret.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "up").symlink_to("..")
    return folder


@pytest.fixture(scope="session")
def server(pictures: Path) -> Iterator[Client]:
    app = create_app(
        channel_model(),
        name="channels",
        folder=PictureFolder(pictures),
        batch_size=4,
        max_bytes=2**20,
        max_pixels=1_000_000,
    )
    with running(app) as client:
        yield client


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started
