"""Mixed good and bad requests: each is answered, none by a fault of the server."""

import json
import random
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from tests.serving.channel_engine import colored_picture
from tests.serving.running import Client, png

GOOD = png(colored_picture((60, 80)))
PATHS = (
    "/predict",
    "/analyze",
    "/model",
    "/health",
    "/folder",
    "/folder/a.png",
    "/save",
    "/page/main.js",
    "/docs",
    "/",
)
METHODS = ("GET", "POST", "POST", "POST", "PUT", "DELETE", "HEAD", "OPTIONS")
KEYS = ("min_score", "classes", "top_k", "iou_threshold", "nms", "format", "stream")
VALUES = (
    "0",
    "0.5",
    "1",
    "-1",
    "nan",
    "inf",
    "1e999",
    "99999999999999999999",
    "red",
    "png",
    "",
    "\0",
    "ü",
    "../..",
    "é" * 300,
)
ODD_TEXT = (
    "",
    "..",
    "\0",
    "\udcff".encode("utf-8", "surrogatepass").decode("latin-1"),
    "é",
    "a" * 300,
    "%",
    "<b>",
)
JSON_VALUES = (None, True, -1, 10**30, 1e308, "x", "é", [], {}, [[]], {"size": [1, 1], "counts": "1"})


def body(random: random.Random) -> bytes:
    kind = random.randrange(6)
    if kind == 0:
        return GOOD
    if kind == 1:  # cut off, or with changed bytes
        damaged = bytearray(GOOD[: random.randrange(1, len(GOOD))])
        for _ in range(random.randrange(5)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        return bytes(damaged)
    if kind == 2:
        return random.randbytes(random.randrange(300))
    if kind == 3:
        return b"[" * 10_000
    rows = [
        {key: random.choice(JSON_VALUES) for key in ("category_id", "segmentation", "corrected")}
        for _ in range(random.randrange(3))
    ]
    content = {"file_name": random.choice(("a.png", *ODD_TEXT)), "annotations": rows}
    return json.dumps(random.choice((content, rows, random.choice(JSON_VALUES)))).encode()


def send(client: Client, seed: int) -> int:
    random_ = random.Random(seed)
    path = random_.choice(PATHS)
    if random_.random() < 0.3:
        path += quote(random_.choice(ODD_TEXT))
    pairs = (f"{random_.choice(KEYS)}={quote(random_.choice(VALUES))}" for _ in range(random_.randrange(4)))
    path += "?" + "&".join(pairs)
    content = body(random_)
    if random_.random() < 0.05:  # a client that leaves in the middle of its request
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content) + 9}\r\n\r\n"
            connection.sendall(head.encode() + content)
        return 0
    return client(random_.choice(METHODS), path, content).status


def fuzz(client: Client, seeds: range) -> None:
    before = threading.active_count()
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda seed: send(client, seed), seeds))
    assert max(statuses) < 500
    assert {200, 404, 405, 415, 422} <= set(statuses)
    assert client("POST", "/predict", GOOD).status == 200
    assert client("GET", "/health").json == {"status": "ok", "waiting": 0}
    assert threading.active_count() <= before + 40  # anyio keeps up to 40 threads


def test_mixed_requests(server: Client) -> None:
    fuzz(server, range(150))


@pytest.mark.slow
def test_a_thousand_mixed_requests(server: Client) -> None:
    fuzz(server, range(1000, 2000))
