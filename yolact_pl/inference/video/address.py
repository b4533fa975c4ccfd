"""Addresses of streams."""

import re

_URL = re.compile(r"^[a-zA-Z][a-zA-Z0-9+.-]+://")


def is_url(source: object) -> bool:
    """Whether it is a URL."""
    return _URL.match(str(source)) is not None


def without_password(url: str) -> str:
    """The address without user, password and query, which may hold a key."""
    return re.sub(r"(?<=://)[^/@]*@", "", url).split("?", 1)[0]


def stream_stem(url: str) -> str:
    """Letters, digits and dashes of the address."""
    address = without_password(url).split("://", 1)[1]
    return re.sub(r"[^A-Za-z0-9]+", "-", address).strip("-") or "stream"
