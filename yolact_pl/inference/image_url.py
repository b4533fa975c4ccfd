"""Images behind URLs."""

import base64
import mimetypes
import re
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from yolact_pl.images.formats import image_suffixes
from yolact_pl.images.image_file import ImageError

_SECONDS = 10.0


def download_images(source: str | int | Sequence[str], folder: Path) -> str | int | list[str]:
    """The source with a file in `folder` in place of each URL of an image; other URLs are streams and stay.

    Raises:
        ImageError: a URL that ends like an image file cannot be downloaded.
    """
    if isinstance(source, int):
        return source
    taken: set[str] = set()
    if isinstance(source, str):
        return _download(source, folder, taken)
    return [_download(one, folder, taken) for one in source]


def _download(url: str, folder: Path, taken: set[str]) -> str:
    """A URL is an image if the server says so, or its suffix where the server does not know."""
    parts = urlsplit(url) if re.match("https?://", url, re.IGNORECASE) else None
    path = PurePosixPath(unquote(parts.path)) if parts else PurePosixPath()
    if parts is None or (mimetypes.guess_type(path.name)[0] or "").startswith(("video/", "audio/")):
        return url
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    request = Request(address.geturl(), headers={"User-Agent": "yolact-pl"})
    if parts.username is not None:
        user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    looks_so = path.suffix.lower() in image_suffixes()
    try:
        with urlopen(request, timeout=_SECONDS) as response:
            kind = response.headers.get_content_type()
            unknown = kind in ("application/octet-stream", "text/plain")
            if not (kind.startswith("image/") or (unknown and looks_so)):
                return url
            data = response.read()
    except (OSError, ValueError, HTTPException) as error:
        if not looks_so:
            return url  # perhaps a stream that only FFmpeg can open
        shown = address._replace(query="", fragment="").geturl()  # neither password nor key
        raise ImageError(f"{shown} cannot be downloaded ({error}); check the address.") from None
    name = re.sub(r"[^\w.-]+", "_", path.name).lstrip(".") or "image"
    while name in taken:
        name = f"_{name}"
    taken.add(name)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return str(folder / name)
