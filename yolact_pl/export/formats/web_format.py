"""A static page that computes the model in the browser."""

import shutil
from pathlib import Path

from yolact_pl.export.formats.onnx_format import OnnxFormat
from yolact_pl.export.formats.onnxruntime_web import runtime_files
from yolact_pl.export.source import Source
from yolact_pl.serving.page_files import PAGE

OF_THE_SERVER = ("index.html", "docs.html", "docs.js", "serve.js", "server.js")


class WebFormat(OnnxFormat):
    """See `Format`. The folder needs a web server that sends files, and nothing else."""

    layouts = ("coefficients",)

    def write(self, source: Source, layout: str, folder: Path) -> None:
        files = runtime_files()  # first: they may be missing
        super().write(source, layout, folder)
        if layout not in self.layouts:  # it is written to be compared
            return
        (folder / "onnxruntime").mkdir(exist_ok=True)
        for file in files:
            shutil.copy(file, folder / "onnxruntime")
        others = shutil.ignore_patterns(*OF_THE_SERVER)
        shutil.copytree(PAGE, folder / "page", ignore=others, dirs_exist_ok=True)
        index = (PAGE / "index.html").read_text(encoding="utf-8")
        (folder / "index.html").write_text(index.replace("page/serve.js", "page/web.js"), encoding="utf-8")

    def usage(self, folder: Path) -> str:
        return f"python -m http.server --directory {folder}    # then open http://localhost:8000"
