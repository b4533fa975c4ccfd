"""The server with an engine that is not torch's."""

import subprocess
import sys

from tests.tiny_run import ROOT

CODE = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = None  # importing them fails
import yolact_pl.serving.server
from tests.serving.channel_engine import channel_model, colored_picture
from tests.serving.running import png, running
from yolact_pl.serving.app import create_app
with running(create_app(channel_model(), name="channels")) as client:
    assert len(client("POST", "/predict", png(colored_picture())).json["annotations"]) == 3
    assert client("POST", "/analyze", png(colored_picture())).status == 200
"""


def test_serving_needs_no_torch() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True, cwd=ROOT, timeout=60)
