"""Addresses of the server: what they answer, and to whom."""

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from tests.serving.channel_engine import CATEGORY_IDS, CLASS_NAMES, channel_model, colored_picture
from tests.serving.running import Client, png, running
from yolact_pl.inference.options import Request
from yolact_pl.serving.app import create_app

PICTURE = colored_picture()
BODY = png(PICTURE)


def test_predict_answers_what_the_library_finds(server: Client, tmp_path: Path) -> None:
    answer = server("POST", "/predict?min_score=0.1&iou_threshold=0.9", BODY)
    assert (answer.status, answer.kind) == (200, "application/json")
    (tmp_path / "coco.json").write_bytes(answer.content)
    coco = COCO(tmp_path / "coco.json")
    found = channel_model()(PICTURE, min_score=0.1, iou_threshold=0.9)
    annotations = coco.loadAnns(coco.getAnnIds())
    assert len(annotations) == len(found) == 6
    for annotation, name, mask, score in zip(
        annotations, found.names, found.masks, found.scores, strict=True
    ):
        assert coco.loadCats(annotation["category_id"])[0]["name"] == name
        assert annotation["score"] == pytest.approx(score)
        assert (coco.annToMask(annotation) == mask).all()
        assert annotation["area"] == mask.sum()


@pytest.mark.parametrize(("query", "accept"), [("?format=png", "*/*"), ("", "image/png")])
def test_predict_draws(server: Client, query: str, accept: str) -> None:
    answer = server("POST", f"/predict{query}", BODY, {"Accept": accept})
    assert answer.kind == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert (drawn == channel_model()(PICTURE).draw(PICTURE)).all()


def test_options_choose(server: Client) -> None:
    found = server("POST", "/predict?classes=green&classes=red&top_k=1", BODY).json["annotations"]
    assert [row["category_id"] for row in found] == [CATEGORY_IDS[0]]


def test_analysis_has_all_candidates_and_their_parts(server: Client) -> None:
    given = server("POST", "/analyze?min_score=0.1", BODY).json
    predictor = channel_model().predictor.with_options(iou_threshold=1.0, min_score=0.1).with_parts()
    (found,) = predictor([PICTURE])
    assert found.parts is not None
    assert given["objects"]["labels"] == found.labels.tolist()
    assert given["objects"]["coefficients"] == found.parts.coefficients.tolist()
    np.testing.assert_allclose(given["objects"]["boxes"], found.boxes, atol=1)  # those are in whole pixels
    low, high = (np.array(given["prototypes"][end])[:, None, None] for end in ("low", "high"))
    levels = np.frombuffer(base64.b64decode(given["prototypes"]["data"]), np.uint8)
    values = low + levels.reshape(given["prototypes"]["shape"]) / 255 * (high - low)
    np.testing.assert_allclose(values, found.parts.prototypes, atol=float((high - low).max()) / 500)
    # 320 x 240 pixels on a square of 128: a quarter is padding, half of it above.
    assert given["input_size"] == [128, 128]
    assert given["place"] == pytest.approx({"top": 16, "left": 0, "height": 96, "width": 128})


def test_model_and_health_and_documentation(server: Client) -> None:
    model = server("GET", "/model").json
    assert (model["class_names"], model["category_ids"]) == (list(CLASS_NAMES), list(CATEGORY_IDS))
    assert (model["engine"], model["image_size"], model["min_score"]) == ("channels", [128, 128], 0.3)
    assert server("GET", "/health").json == {"status": "ok", "waiting": 0}
    described = server("GET", "/openapi.json").json["paths"]
    assert set(described) == {
        "/predict",
        "/analyze",
        "/model",
        "/health",
        "/save",
        "/folder",
        "/folder/{name}",
    }
    page = server("GET", "/docs").content.decode()
    assert "//" not in page.replace("<!doctype", "")  # no address of another machine


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/predict", b"", 415, "the body is empty: send the bytes of an image file as the body"),
        ("/predict", b"hello", 415, "the upload is not a picture in a format that can be read"),
        ("/analyze", BODY[:500], 415, "the upload is truncated"),
        ("/predict", b"\0" * 2**21, 413, "more than 1 MiB"),
        ("/predict", png(np.zeros((1001, 1000, 3), np.uint8)), 415, "1001 x 1000, more than 1000000 pixels"),
        ("/predict?min_score=2", BODY, 422, "min_score: Input should be less than 1"),
        ("/predict?classes=gren", BODY, 422, "did you mean 'green'?"),
        ("/predict?nms=exact", BODY, 422, "this engine has no exact NMS"),
        ("/predict?format=tiff", BODY, 422, "format: Input should be"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(
    server: Client, path: str, body: bytes, status: int, sentence: str
) -> None:
    answer = server("POST", path, body)
    assert answer.status == status
    assert sentence in answer.json["detail"]
    assert "\n" not in answer.json["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "../secret.png",
        "..%2fsecret.png",
        "%2e%2e/secret.png",
        "inner/c.png",
        "inner%2fc.png",
        "up/secret.png",
        "link.png",
        "loop.png",
        "notes.txt",
        "a.png%00",
        "%00",
        "..",
        ".",
        "",
        "a.png/",
        "%ff.png",
        "x" * 5000,
    ],
)
def test_nothing_but_the_folder_s_pictures_is_read(server: Client, pictures: Path, name: str) -> None:
    absolute = quote(str(pictures.parent / "secret.png"))
    for path in (name, absolute, f"/{absolute}"):
        answer = server("GET", f"/folder/{path}")
        assert answer.status in (404, 307) or (name == "" and path == name)
        assert b"PNG" not in answer.content
    assert server("GET", "/page/../app.py").status == 404
    assert server("GET", f"/page/{name}").status in (404, 307)


def test_the_folder_lists_its_pictures(server: Client) -> None:
    listed = server("GET", "/folder").json
    assert [one["name"] for one in listed["pictures"]] == ["a.png", "b c.png"]
    assert server("GET", "/folder/b%20c.png").content == BODY


def test_formats_that_browsers_do_not_show_become_png(tmp_path: Path) -> None:
    from yolact_pl.serving.folder import PictureFolder

    Image.fromarray(PICTURE).save(tmp_path / "a.tif")
    folder = PictureFolder(tmp_path)
    path = folder.picture("a.tif")
    assert path is not None
    content, kind = folder.shown(path)
    assert kind == "image/png"
    assert (np.asarray(Image.open(io.BytesIO(content))) == PICTURE).all()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
    ],
)
def test_other_web_sites_are_refused(server: Client, headers: dict[str, str], status: int) -> None:
    assert server("GET", "/model", headers=headers).status == status


def test_a_token_is_needed_where_there_is_one() -> None:
    with running(create_app(channel_model(), name="channels", token="word", local_only=False)) as client:
        right, wrong = ({"Authorization": f"Bearer {word}", "Host": "lab"} for word in ("word", "wört"))
        for method, path in (("GET", "/model"), ("POST", "/predict"), ("GET", "/folder"), ("POST", "/save")):
            assert client(method, path).status == 401
            assert client(method, path, headers=wrong).status == 401
            assert client(method, path, headers=right).status != 401
        assert client("GET", "/").status == 200
        assert (
            client("POST", "/save", headers=right).json["detail"].startswith("the server was started without")
        )


def test_eight_clients_at_once_get_their_own_answers(server: Client) -> None:
    pictures = [colored_picture((60 + 10 * k, 90)) for k in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda picture: server("POST", "/predict", png(picture)), pictures))
    assert [answer.json["images"][0]["height"] for answer in answers] == [60 + 10 * k for k in range(8)]


def test_a_slow_client_holds_up_nobody(server: Client) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", server.port)) as slow:
        slow.sendall(b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        assert server("POST", "/predict", BODY).status == 200


def test_analysis_of_a_file_that_suppresses_by_itself() -> None:
    """What cannot be turned off is told, so that the page's slider ends there."""
    model = channel_model()

    def fixed(request: Request) -> None:
        if request.iou_threshold != 0.5 or (request.min_score or 0) < 0.05 or (request.top_k or 0) > 100:
            raise ValueError("exported with iou_threshold=0.5")

    model.predictor.engine.check = fixed  # type: ignore[method-assign]
    with running(create_app(model, name="exported")) as client:
        given = client("POST", "/analyze?min_score=0", BODY).json
    assert given["iou_threshold"] == 0.5
    assert len(given["objects"]["scores"]) == 3
