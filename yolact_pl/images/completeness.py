"""End marks of JPEG and PNG files."""

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_DEPTH = 24
"""Where a PNG has its bits per channel."""


def is_complete(data: bytes) -> bool:
    """Whether a JPEG or a PNG of 8 bits has its end mark: OpenCV decodes half of any file silently."""
    if data[:2] == JPEG_START:
        # Inside of compressed data ff is always followed by 00 or a restart mark, so ffd9 after the scan's
        # start is the end; an embedded thumbnail has an end mark too, but lies before the start.
        return data[-2:] == b"\xff\xd9" or data.find(b"\xff\xd9", _scan_start(data)) >= 0
    return data[:8] == PNG_START and data[PNG_DEPTH] <= 8  # its end mark was checked


def _scan_start(data: bytes) -> int:
    """Where the first compressed scan of a JPEG begins; the file's end if there is none."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if marker == 0xDA:
            return position
    return len(data)
