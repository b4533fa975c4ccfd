"""The one folder that the server reads pictures from and writes corrections to."""

from pathlib import Path

import cv2

from yolact_pl.images.formats import is_image
from yolact_pl.images.image_file import read_image

SHOWN_BY_BROWSERS = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
}


class PictureFolder:
    """Pictures directly in a folder, by name; what links lead to outside of it is not there.

    Args:
        path: of the folder.

    Raises:
        ValueError: there is no such folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        if not self.path.is_dir():
            raise ValueError(f"folder={path} is no folder: give one with pictures")

    def names(self) -> list[str]:
        """The pictures, sorted; hidden ones are left out."""
        return sorted(entry.name for entry in self.path.iterdir() if self.picture(entry.name) is not None)

    def picture(self, name: str) -> Path | None:
        """The file of a picture; None: there is none of that name in this folder."""
        try:
            name.encode()
            path = self.path / name
            if name.startswith(".") or path.name != name or path.parent != self.path:
                return None
            inside = path.resolve().is_relative_to(self.path)
            return path if inside and path.is_file() and is_image(path) else None
        except (OSError, ValueError, RuntimeError):  # no file system or json takes it; a loop of links
            return None

    def shown(self, path: Path) -> tuple[bytes, str]:
        """A picture as browsers show it, and its media type; formats that they don't know become PNG.

        Raises:
            ImageError: such a file cannot be read.
            OSError: no file can be.
        """
        kind = SHOWN_BY_BROWSERS.get(path.suffix.lower())
        if kind is not None:
            return path.read_bytes(), kind
        pixels = cv2.cvtColor(read_image(path), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".png", pixels)[1].tobytes(), "image/png"
