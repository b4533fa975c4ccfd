"""task=serve"""

import logging
from pathlib import Path

from omegaconf import DictConfig

from yolact_pl.cli.predict_options import BATCH_SIZE
from yolact_pl.config.find_checkpoint import checkpoint_to_use
from yolact_pl.config.switches import check_switches
from yolact_pl.inference.model import load
from yolact_pl.inference.options import is_count

_log = logging.getLogger(__name__)
MAX_PORT = 65_535
MISSING = "task=serve needs fastapi and uvicorn: pip install yolact-pl[serve]"


def run(cfg: DictConfig) -> None:
    """Serve a page and a REST interface for `cfg.checkpoint` until Ctrl+C or SIGTERM.

    Raises:
        ValueError: a checkpoint, folder or option that can't be used, or an address that is taken.
    """
    try:
        from yolact_pl.serving.access import is_local
        from yolact_pl.serving.app import create_app
        from yolact_pl.serving.folder import PictureFolder
        from yolact_pl.serving.server import bind, serve
        from yolact_pl.serving.uploads import MIB
    except ModuleNotFoundError as error:
        raise ValueError(f"{MISSING} ({error})") from None
    token = None if cfg.token is None else str(cfg.token)
    _check_options(cfg, token)
    host = str(cfg.host)
    if token is None and not is_local(host):
        raise ValueError(
            f"host={host} opens the server to other machines: give token=<a secret word> with it"
        )
    folder = None if cfg.folder is None else PictureFolder(str(cfg.folder))
    listening = bind(host, cfg.port)
    checkpoint = checkpoint_to_use(cfg) if cfg.checkpoint in (None, "auto") else cfg.checkpoint
    model = load(str(checkpoint), device=cfg.device, half=cfg.half)
    app = create_app(
        model,
        name=Path(checkpoint).name,
        folder=folder,
        token=token,
        local_only=token is None,
        batch_size=1 if model.predictor.engine.device == "cpu" else BATCH_SIZE,
        max_bytes=cfg.max_upload * MIB,
        max_pixels=cfg.max_pixels,
    )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}"
    secret = "" if token is None else f"#token={token}"
    _log.info("%s/%s    (REST: %s/docs; Ctrl+C stops)", address, secret, address)
    serve(app, listening)


def _check_options(cfg: DictConfig, token: str | None) -> None:
    check_switches(cfg, "half")
    if isinstance(cfg.port, bool) or not isinstance(cfg.port, int) or not 0 <= cfg.port <= MAX_PORT:
        raise ValueError(f"port={cfg.port}: expected a number from 0 (any free one) to {MAX_PORT}")
    for key in ("max_upload", "max_pixels"):
        if not is_count(cfg[key]):
            raise ValueError(f"{key}={cfg[key]}: expected a whole number of at least 1")
    if token is not None and not (token.isascii() and token.isprintable() and token and " " not in token):
        raise ValueError("token: expected letters, digits and signs of ASCII without spaces")
