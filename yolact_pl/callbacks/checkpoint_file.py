"""Checkpoints on disk that are complete or not there at all."""

import io
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import TorchCheckpointIO

PARTIAL = ".partial"
"""Ends the name of a file that is being written."""


class CheckpointWriteError(ValueError):
    """A checkpoint could not be written; those that were there before are as they were."""


class CompleteCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its place and moves it there when all of it is on the disk.

    A process that is killed meanwhile leaves a `.partial` file, which the next write removes.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        """Replace the file at `path`, or leave it as it is.

        Raises:
            CheckpointWriteError: the disk is full, or will not have the file for another reason.
        """
        assert storage_options is None
        content = io.BytesIO()  # torch would hide what the disk says in an error of its own
        torch.save(checkpoint, content)
        path = Path(path)
        partial = path.with_name(path.name + PARTIAL)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for abandoned in path.parent.glob("*.ckpt" + PARTIAL):
                abandoned.unlink()
            _write(partial, content.getbuffer())
            partial.replace(path)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise CheckpointWriteError(
                f"checkpoint {path} cannot be written ({error.strerror}, {len(content.getbuffer())} bytes); "
                "checkpoints saved before are complete: make room there and continue with resume=auto"
            ) from error


def _write(path: Path, content: memoryview) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # or a crash of the machine could leave the name without the content
