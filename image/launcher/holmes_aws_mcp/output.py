"""Separate standard output and error for each thread, for customized commands of the AWS CLI, which print.

The server redirects the streams of the process for such a command, which would mix the output of concurrent commands.
The stdio transport does not use `sys.stdout`: it keeps the buffer of the original stream.
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
    """A text buffer that raises an error when it exceeds a number of bytes in UTF-8."""

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
    """Replaces the streams of the process. Threads without a capture still write to the original streams."""
    sys.stdout = _ByThread("stdout", sys.stdout)
    sys.stderr = _ByThread("stderr", sys.stderr)


@contextlib.contextmanager
def captured(stdout: TextIO, stderr: TextIO) -> Iterator[None]:
    """Captures the output of this thread."""
    _streams.stdout, _streams.stderr = stdout, stderr
    try:
        yield
    finally:
        _streams.stdout = _streams.stderr = None
