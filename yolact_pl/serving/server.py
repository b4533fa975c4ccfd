"""The application on a port of this machine."""

import socket
from contextlib import closing

import uvicorn
from fastapi import FastAPI

MAX_CONNECTIONS = 500
IDLE_SECONDS = 30
STOP_SECONDS = 3


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 is any free one.

    Raises:
        ValueError: the address is not of this machine, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(address)
            made.listen()
        except OSError:
            made.close()
            raise
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"host={host} port={port} cannot be used ({reason}): give another one") from None
    return made


def serve(app: FastAPI, listening: socket.socket) -> None:
    """Answer until Ctrl+C or SIGTERM."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    with closing(listening):
        uvicorn.Server(config).run(sockets=[listening])
