"""format=web: the model in a real browser beside the Python predictor, on the same picture."""

import base64
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.mask
import pytest

import yolact_pl
from tests.serving.browser import opened, until
from tests.serving.channel_engine import colored_picture
from tests.serving.running import png
from yolact_pl.export.formats import onnxruntime_web
from yolact_pl.inference.exported.metadata import ExportError
from yolact_pl.serving.analysis import analysis

PICTURE = colored_picture((90, 120))
MIN_SCORE = 0.06
mask_api: Any = pycocotools.mask


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """The folder's files over HTTP, and nothing else."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    """A small network, trained for a moment and exported."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    from hydra.utils import get_method

    from tests.tiny_run import TINY, compose_config

    output = tmp_path_factory.mktemp("web")
    for options in (["resize=letterbox"], ["task=export", "format=web", "check=false"]):
        if options[0] == "task=export":
            (checkpoint, *_) = (output / "checkpoints").glob("*.ckpt")
            options += [f"checkpoint={checkpoint}"]
            output = output / "exported"
        cfg = compose_config([*TINY, f"data_dir={data_dir}", *options], output)
        get_method(cfg.task.run)(cfg)
    return output


@pytest.mark.slow
def test_the_browser_finds_what_python_finds(browser: Any, folder: Path) -> None:
    predictor = yolact_pl.load(folder).predictor.with_options(min_score=MIN_SCORE).with_parts()
    (found,) = predictor([PICTURE])
    assert len(found) > 3
    expected = analysis(
        found,
        input_size=predictor.image_size,
        class_names=predictor.class_names,
        category_ids=range(len(predictor.class_names)),
        iou_threshold=0.5,
    )
    with hosted(folder) as url, opened(browser, url) as page:
        until(page, "document.getElementById('status').textContent === ''")
        given = page.evaluate(
            """async ([data, minScore]) => {
              const { OnnxModel } = await import("./page/onnx_model.js");
              const { maskRuns, compress } = await import("./page/coco.js");
              const model = new OnnxModel();
              await model.model();
              const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
              const result = await model.analyze(new Blob([bytes]), minScore);
              return result.candidates.map((item) => ({
                score: item.score,
                label: item.label,
                box: item.box,
                coefficients: [...item.coefficients],
                code: compress(maskRuns(result, item).counts),
              }));
            }""",
            [base64.b64encode(png(PICTURE)).decode(), MIN_SCORE],
        )
        page.locator("#file").set_input_files(
            {"name": "a.png", "mimeType": "image/png", "buffer": png(PICTURE)}
        )
        until(page, "document.getElementById('status').textContent.startsWith('120 x 90')")
    objects = expected["objects"]
    assert [row["label"] for row in given] == objects["labels"]
    np.testing.assert_allclose([row["score"] for row in given], objects["scores"], atol=1e-4)
    np.testing.assert_allclose([row["box"] for row in given], objects["boxes"], atol=1e-2)
    np.testing.assert_allclose([row["coefficients"] for row in given], objects["coefficients"], atol=1e-3)
    for row, mask in zip(given, found.masks, strict=True):
        code = {"size": list(PICTURE.shape[:2]), "counts": row["code"].encode()}
        assert (mask_api.decode(code) != mask).mean() < 1e-3


@pytest.mark.slow
def test_the_folder_has_no_server_s_files(folder: Path) -> None:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert {"index.html", "model.onnx", "metadata.json", "page/main.js", "page/web.js"} <= names
    assert {f"onnxruntime/{name}" for name in onnxruntime_web.FILES} <= names
    assert not {"page/serve.js", "page/server.js", "page/docs.html", "page/index.html"} & names


def test_npm_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ExportError, match="npm, which is missing: install it, or put ort"):
        onnxruntime_web.runtime_files()


def test_npm_that_fails_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network is down' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ExportError, match=r"npm cannot fetch .* \(npm error network is down\)"):
        onnxruntime_web.runtime_files()
    assert [*(tmp_path / "cache").iterdir()] == []


def test_fetched_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / f"{onnxruntime_web.PACKAGE}-{onnxruntime_web.VERSION}"
    kept.mkdir()
    for name in onnxruntime_web.FILES:
        (kept / name).write_text("x")
    monkeypatch.setenv("YOLACT_PL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    assert [file.name for file in onnxruntime_web.runtime_files()] == list(onnxruntime_web.FILES)


@pytest.mark.slow
def test_scripts_say_who_made_them(folder: Path) -> None:
    """The runtime's licence asks for it."""
    head = (folder / "onnxruntime" / "ort.wasm.min.mjs").read_text()[:400]
    assert "Microsoft" in head
    assert "MIT" in head
