"""The interface of a file format."""

from pathlib import Path
from typing import Protocol

from yolact_pl.export.source import Source
from yolact_pl.inference.engines.session import Session


class Format(Protocol):
    """How a network is written, and how what was written is computed to be compared with torch."""

    packages: tuple[str, ...]
    """Modules that it needs beside those of the project."""
    int8_packages: tuple[str, ...]
    """Those that only `precision="int8"` needs."""
    precisions: tuple[str, ...]
    """Of the weights, see `ExportMetadata`."""
    layouts: tuple[str, ...]
    """That make sense in it, see `OUTPUTS`."""
    model: str
    """The file or folder with the model, in the folder that is written to."""

    def write(self, source: Source, layout: str, folder: Path) -> None:
        """Write to an empty folder; called again for another layout or changed metadata.

        Args:
            source: what is exported, and what its files say.
            layout: of the outputs. It may differ from the metadata's: raw outputs are written to be
                compared.
            folder: exists.
        """
        ...

    def open(self, folder: Path) -> Session:
        """What was written to a folder, ready to compute on the CPU."""
        ...

    def usage(self, folder: Path) -> str:
        """The command or code that uses what was written to a folder."""
        ...
