"""Standard output and error by thread, for the AWS CLI's own commands, which print their answers.

The server redirects the process's streams for such a command; two at once would mix. Over stdio, the protocol does
not use `sys.stdout`: the transport holds the stream's buffer from the start.
"""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

_streams = threading.local()


class BoundedText(io.StringIO):
    """A text that raises when it grows beyond a number of bytes in UTF-8."""

    def __init__(self, limit: int, error: Exception) -> None:
        super().__init__()
        self._left = limit
        self._error = error

    def write(self, text: str) -> int:
        self._left -= len(text.encode("utf-8", "surrogatepass"))
        if self._left < 0:
            raise self._error
        return super().write(text)


class _ByThread:
    def __init__(self, name: str, fallback: TextIO) -> None:
        self._name = name
        self._fallback = fallback

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(_streams, self._name, None) or self._fallback, attribute)


def install() -> None:
    """Replaces the process's streams; without a capture in the thread they are what they were."""
    sys.stdout = _ByThread("stdout", sys.stdout)
    sys.stderr = _ByThread("stderr", sys.stderr)


@contextlib.contextmanager
def captured(stdout: TextIO, stderr: TextIO) -> Iterator[None]:
    """Collects what this thread prints."""
    _streams.stdout, _streams.stderr = stdout, stderr
    try:
        yield
    finally:
        _streams.stdout = _streams.stderr = None
