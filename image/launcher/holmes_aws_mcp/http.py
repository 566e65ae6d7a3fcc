"""ASGI middleware of the MCP endpoint: checks the token, limits the body size, detects callers that disconnect."""

from __future__ import annotations

import asyncio
import hmac
import os
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .callers import LEFT

# A call has at most 64 kB of commands; JSON escapes can multiply that.
MAX_BODY_BYTES = 1_000_000
MIN_TOKEN_LENGTH = 32


class TokensError(Exception):
    """The tokens file is missing or invalid."""


class Tokens:
    """The accepted bearer tokens, one per line, read again when the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: object = None
        self._tokens: tuple[bytes, ...] = ()
        self.read()

    def read(self) -> None:
        """Reads the file if it changed.

        Raises:
            TokensError: it has no token, or one that is too short.
        """
        try:
            state = os.stat(self._path)
            stamp = (state.st_mtime_ns, state.st_ino, state.st_size)
            if stamp == self._stamp:
                return
            lines = [line.strip() for line in self._path.read_bytes().splitlines()]
        except OSError as error:
            raise TokensError(f"{self._path}: cannot be read ({error.strerror}).") from error
        tokens = tuple(line for line in lines if line)
        if not tokens or any(len(token) < MIN_TOKEN_LENGTH for token in tokens):
            raise TokensError(f"{self._path}: expected tokens of at least {MIN_TOKEN_LENGTH} characters, one per line.")
        self._tokens, self._stamp = tokens, stamp

    def accepts(self, header: bytes) -> bool:
        """Whether an Authorization header carries one of the tokens; the comparison takes constant time."""
        try:
            self.read()
        except TokensError:
            # The file is being replaced. The previous tokens stay valid.
            pass
        scheme, _, given = header.partition(b" ")
        if scheme.lower() != b"bearer":
            return False
        given = given.strip()
        # A list, so that every token is compared, also after a match.
        return any([hmac.compare_digest(given, token) for token in self._tokens])  # noqa: C419


class FrontDoor:
    """ASGI middleware; /healthz is exempt from the token."""

    def __init__(self, app: ASGIApp, tokens: Tokens | None = None) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if self._tokens is not None and scope["path"] != "/healthz":
            if not self._tokens.accepts(headers.get(b"authorization", b"")):
                await _reply(send, 401, b"A bearer token is required.", [(b"www-authenticate", b"Bearer")])
                return
        if int(headers.get(b"content-length", b"0") or 0) > MAX_BODY_BYTES:
            await _reply(send, 413, b"The body is too large.")
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


async def _reply(send: Send, status: int, text: bytes, headers: Any = ()) -> None:
    fields = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": text})
