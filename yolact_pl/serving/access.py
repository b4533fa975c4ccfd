"""Who may use the server: local pages and programs, or whoever knows the token."""

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_PATHS = frozenset({"/", "/docs", "/openapi.json"})
"""The page itself has no secrets, and a browser loads it before it can send a token."""
OPEN_FOLDER = "/page/"


def is_local(host: str) -> bool:
    """Whether a server at this address is reached from the same machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """ASGI middleware that refuses requests of other web sites, and those without the token.

    A browser sends requests to 127.0.0.1 for any page that it shows. Such pages are told apart by `Origin`,
    and by `Host` where a foreign name was made to point to this machine.

    Args:
        app: the application behind.
        local_only: whether `Host` must be a name of this machine.
        token: that requests carry as `Authorization: Bearer TOKEN`; None: none is needed.
    """

    def __init__(self, app: ASGIApp, *, local_only: bool, token: str | None) -> None:
        self.app = app
        self.local_only = local_only
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
            return
        status, sentence = refusal
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        await JSONResponse({"detail": sentence}, status, headers)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.local_only and _name(host) not in LOCAL_NAMES:
            return 421, "this server answers to localhost only: start it with host= and token= for others"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            return 403, "requests of other web sites are refused"
        path = scope["path"]
        if self.token is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return None
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode("latin-1", "replace"), self.token.encode()):
            return None
        return 401, "the token is missing or wrong: send it as the header Authorization: Bearer TOKEN"


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _name(host: str) -> str | None:
    """The name of a `Host` header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
