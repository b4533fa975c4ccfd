"""Fetching a file of weights once: it is checked whenever it is used again."""

import http.client
import os
from pathlib import Path

import torch
from filelock import FileLock

from yolact_pl.download.record import DownloadError, check_unchanged
from yolact_pl.download.resumable import fetch

__all__ = ["DownloadError", "cache_folder", "fetch_file"]

CACHE_VARIABLE = "YOLACT_PL_CACHE"


def cache_folder() -> Path:
    """Where fetched weights lie: $YOLACT_PL_CACHE, or torch.hub's folder of checkpoints."""
    own = os.environ.get(CACHE_VARIABLE)
    return Path(own).expanduser() if own else Path(torch.hub.get_dir()) / "checkpoints"


def fetch_file(url: str, *, digest: str = "", otherwise: str) -> Path:
    """The file behind a URL, from the cache folder, fetched first if it is not there.

    A file that was put there by hand is used as it is. Size and sha256 of a fetched one are remembered
    beside it, and checked each time.

    Args:
        url: http or https; its last part names the file.
        digest: first digits of the sha256 that the file must have.
        otherwise: what else the user can do where it cannot be fetched, for the error.

    Raises:
        DownloadError: it cannot be fetched, or was changed since.
    """
    path = cache_folder() / url.rsplit("/", 1)[-1]
    if path.is_file():
        check_unchanged(path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # of several processes one fetches
            if not path.is_file():
                fetch(url, path, digest=digest)
    except (OSError, http.client.HTTPException) as error:
        raise DownloadError(
            f"cannot fetch {url} ({error}); put the file by hand at {path}, or {otherwise}"
        ) from error
    return path
