"""Arrays of whole numbers inside of a json, compressed."""

import base64
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

TYPES = ("uint8", "uint16", "uint32", "int64")
"""The smallest that holds all values is written."""


def pack(values: NDArray[np.integer]) -> dict[str, Any]:
    """One dimension of whole numbers as `dtype` and `data`: base64 of zlib of little-endian numbers."""
    small = next(name for name in TYPES if np.array_equal(values.astype(name), values))
    data = zlib.compress(values.astype(np.dtype(small).newbyteorder("<")).tobytes(), level=6)
    return {"dtype": small, "data": base64.b64encode(data).decode("ascii")}


def unpack(packed: Any) -> NDArray[np.int64]:
    """What was packed, as int64.

    Raises:
        ValueError: it is not what `pack` makes.
    """
    try:
        kind = packed["dtype"]
        if kind not in TYPES:
            raise ValueError(kind)
        data = zlib.decompress(base64.b64decode(packed["data"], validate=True))
        return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).astype(np.int64)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise ValueError("expected dtype and data of a packed array") from error
