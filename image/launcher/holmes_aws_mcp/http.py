"""ASGI middleware of the MCP endpoint: checks the token, limits the body size, detects callers that disconnect."""

from __future__ import annotations

import asyncio
import hmac
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .callers import LEFT
from .settings import SettingsError

# A call has at most 64 kB of commands; JSON escapes can multiply that.
MAX_BODY_BYTES = 1_000_000
MIN_TOKEN_LENGTH = 32


def read_tokens(path: Path) -> list[bytes]:
    """The accepted bearer tokens: one per line.

    Raises:
        SettingsError: the file is missing, has no token, or one that is too short.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror}).") from error
    tokens = [line.strip() for line in lines if line.strip()]
    if not tokens or any(len(token) < MIN_TOKEN_LENGTH for token in tokens):
        raise SettingsError(f"{path}: expected tokens of at least {MIN_TOKEN_LENGTH} characters, one per line.")
    return tokens


def accepts(path: Path, header: str) -> bool:
    """Whether an Authorization header contains one of the tokens. The comparison takes constant time.

    The file is read for each request, so that a rotation needs no restart. A missing or invalid file accepts nothing.
    """
    try:
        tokens = read_tokens(path)
    except SettingsError:
        return False
    scheme, _, given = header.partition(" ")
    found = given.strip().encode("latin-1")
    # A list, so that all tokens are compared even after a match.
    return scheme.lower() == "bearer" and any([hmac.compare_digest(found, token) for token in tokens])  # noqa: C419


class FrontDoor:
    """ASGI middleware. /healthz requires no token."""

    def __init__(self, app: ASGIApp, tokens_file: Path | None = None) -> None:
        self._app = app
        self._tokens_file = tokens_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._tokens_file is not None and scope["path"] != "/healthz":
            if not accepts(self._tokens_file, headers.get("authorization", "")):
                unauthorized = PlainTextResponse("A bearer token is required.", 401, {"www-authenticate": "Bearer"})
                await unauthorized(scope, receive, send)
                return
        if int(headers.get("content-length", 0)) > MAX_BODY_BYTES:
            await PlainTextResponse("The body is too large.", 413)(scope, receive, send)
            return
        left = asyncio.Event()
        scope[LEFT] = left
        size = 0

        async def watched() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.disconnect":
                left.set()
            elif message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > MAX_BODY_BYTES:
                    # The headers have no length, so the limit applies while the body is read.
                    left.set()
                    return {"type": "http.disconnect"}
            return message

        await self._app(scope, watched, send)
