"""The work of one command: its deadline, its limits and its connection."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

# Requests of one command, including pages and retries.
MAX_REQUESTS = 1_000
# Bytes that all running commands together can receive. A parsed answer takes about five times as much memory.
MAX_BYTES_IN_FLIGHT = 64_000_000
# A filter (--query) can reduce an answer, so more than the size of one answer can be received.
RECEIVED_PER_ANSWER = 8
NARROW = "Narrow the question: use --query, filters, a time range or --max-items"


class CommandError(Exception):
    """A command failed. The log and the metrics report `outcome`."""

    def __init__(self, message: str, outcome: str, **details: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.details = details


@dataclass
class Job:
    """State of one command while a thread works on it."""

    deadline: float
    max_answer_bytes: int
    service: str = ""
    operation: str = ""
    profile: str | None = None
    region: str | None = None
    # Services to whose endpoints the command can send requests (wall 2). Empty until the command has passed wall 1.
    services: frozenset[str] = frozenset()
    requests: int = 0
    received: int = 0
    connection: Any = None
    ended: CommandError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remaining(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def end(self, error: CommandError) -> None:
        """Ends the work from another thread: shuts down the connection and prevents further requests."""
        with self._lock:
            self.ended = self.ended or error
            connection = self.connection
        sock = getattr(connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raises CommandError when the work has ended or the deadline has passed."""
        if self.ended is not None:
            raise self.ended
        if self.remaining() <= 0:
            raise deadline_exceeded()

    def begin_request(self) -> None:
        """Counts a request before it is sent."""
        self.check()
        self.requests += 1
        if self.requests > MAX_REQUESTS:
            raise CommandError(f"The answer has more than {MAX_REQUESTS} pages. {NARROW}.", "too_large")

    def received_bytes(self, count: int) -> None:
        """Counts the bytes that were received from AWS."""
        self.received += count
        _in_flight.add(count)
        if self.received > RECEIVED_PER_ANSWER * self.max_answer_bytes:
            raise too_large(self.max_answer_bytes)
        if _in_flight.total > MAX_BYTES_IN_FLIGHT:
            raise CommandError(
                f"The server is reading too many large answers at once. {NARROW}, or retry.", "too_large"
            )


def deadline_exceeded() -> CommandError:
    return CommandError(f"The command did not finish in time and was stopped. {NARROW}.", "deadline")


def too_large(limit: int) -> CommandError:
    return CommandError(f"The answer exceeds {limit} bytes. {NARROW}.", "too_large")


class _InFlight:
    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        with self._lock:
            self.total += count


_in_flight = _InFlight()
_current: ContextVar[Job | None] = ContextVar("job", default=None)
# Returns the job of this thread, or None.
current = _current.get


@contextlib.contextmanager
def working_on(job: Job) -> Iterator[None]:
    """Makes `job` the job of this thread."""
    token = _current.set(job)
    try:
        yield
    finally:
        _current.reset(token)
        _in_flight.add(-job.received)
        job.connection = None
