"""Fetching a file of weights once: it is checked whenever it is used again."""

import http.client
import logging
import os
import re
from pathlib import Path

import torch
from filelock import FileLock

from yolact_pl.download.record import DownloadError, check_unchanged, sha256_of
from yolact_pl.download.resumable import fetch

__all__ = ["DownloadError", "cache_folder", "fetch_file"]

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "YOLACT_PL_CACHE"


def cache_folder() -> Path:
    """Where fetched weights lie: $YOLACT_PL_CACHE, or torch.hub's folder of checkpoints."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own).expanduser() if own else Path(torch.hub.get_dir()) / "checkpoints"


def fetch_file(url: str, *, otherwise: str) -> Path:
    """The file behind a URL, from the cache folder, fetched first if it is not there.

    A file that was put there by hand is used as it is. Size and sha256 of a fetched one are remembered
    beside it, and checked each time. Where the URL states no sha256, the log says which one came.

    Args:
        url: http or https; its last part names the file, and may end in `-<first digits of the sha256>.pth`,
            which the file must have then.
        otherwise: what else the user can do where it cannot be fetched, for the error.

    Raises:
        DownloadError: it cannot be fetched, or was changed since.
    """
    digest = _stated_digest(url)
    path = cache_folder() / url.rsplit("/", 1)[-1]
    if path.is_file():
        check_unchanged(path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # of several processes one fetches
            if not path.is_file():
                fetch(url, path, digest=digest)
                if not digest:
                    found = sha256_of(path)
                    logger.info("no sha256 of %s is published to compare with; it is %s", path.name, found)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(
            f"cannot fetch {url} ({error}); put the file by hand at {path}, or {otherwise}"
        ) from error
    return path


def _stated_digest(url: str) -> str:
    """First digits of the sha256 in the name of torchvision's files, empty where there are none."""
    found = re.search(r"-([0-9a-f]{8,64})\.pth$", url)
    return found[1] if found else ""
