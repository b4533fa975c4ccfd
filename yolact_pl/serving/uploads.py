"""Bodies of requests, read and decoded within limits."""

import anyio
import numpy as np
from anyio import CapacityLimiter, to_thread
from fastapi import HTTPException, Request
from numpy.typing import NDArray

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import ImageError, decode_image

MIB = 2**20
SECONDS = 60
"""That an upload may take."""
DECODERS = 2


class Uploads:
    """Reads what clients send.

    Args:
        max_bytes: of a body.
        max_pixels: of an image.
        value_range: of images with more than 8 bits, see `read_image`.
    """

    def __init__(self, *, max_bytes: int, max_pixels: int, value_range: ValueRange | None) -> None:
        self.max_bytes = max_bytes
        self.max_pixels = max_pixels
        self.value_range = value_range
        self._decoders = CapacityLimiter(DECODERS)

    async def body(self, request: Request) -> bytes:
        """The whole body.

        Raises:
            HTTPException: 413, more than `max_bytes`, told before the rest is read; 408, too slow.
        """
        stated = request.headers.get("content-length", "0")
        if stated.isdecimal() and int(stated[:18]) > self.max_bytes:
            raise self._too_large()
        data = bytearray()
        try:
            with anyio.fail_after(SECONDS):
                async for chunk in request.stream():
                    data += chunk
                    if len(data) > self.max_bytes:
                        raise self._too_large()
        except TimeoutError:
            raise HTTPException(408, f"the upload took more than {SECONDS} seconds") from None
        return bytes(data)

    async def image(self, request: Request) -> NDArray[np.uint8]:
        """The image in the body, uint8 [H, W, 3] RGB.

        Raises:
            HTTPException: as `body`; 415, it is no image or has more than `max_pixels`.
        """
        data = await self.body(request)
        if not data:
            raise HTTPException(415, "the body is empty: send the bytes of an image file as the body")
        try:
            return await to_thread.run_sync(self._decode, data, limiter=self._decoders)
        except ImageError as error:
            raise HTTPException(415, str(error)) from None

    def _decode(self, data: bytes) -> NDArray[np.uint8]:
        return decode_image(data, "the upload", value_range=self.value_range, max_pixels=self.max_pixels)

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"the upload has more than {self.max_bytes // MIB} MiB: start the server with max_upload="
        )
