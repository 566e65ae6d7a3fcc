"""Runs at most `concurrency` commands at the same time, in threads, alternating between profiles.

Threads instead of processes: a call takes about 5 ms of processor time and otherwise waits for AWS, and each process
would need its own copy of the service models. Python cannot terminate a thread. Instead, every request checks the
deadline, and the connection is shut down when the deadline passes.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from .job import CommandError, Job, deadline_exceeded

# Time for a thread to detect that its job has ended. A thread that takes longer counts as stuck.
STUCK_SECONDS = 30

T = TypeVar("T")


class Pool:
    """A fixed number of threads, and a queue for each profile. Call all methods in the event loop."""

    def __init__(self, concurrency: int, profiles: int) -> None:
        self._concurrency = concurrency
        # One profile cannot use all slots, so that the first command of another profile starts immediately.
        self._per_profile = concurrency if profiles < 2 else math.ceil(concurrency * 3 / 4)
        self._executor = ThreadPoolExecutor(concurrency, thread_name_prefix="aws")
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._running: dict[str, int] = {}
        self._deadlines: dict[asyncio.Future[Any], float] = {}

    @property
    def running(self) -> int:
        """Number of commands that run in a thread."""
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        """Number of commands that wait for a thread."""
        return sum(map(len, self._waiting.values()))

    @property
    def is_wedged(self) -> bool:
        """Whether at least half of the threads are stuck."""
        limit = time.monotonic() - STUCK_SECONDS
        return sum(deadline < limit for deadline in self._deadlines.values()) * 2 >= self._concurrency

    async def run(self, profile: str, job: Job, work: Callable[[], T]) -> T:
        """Runs `work` in a thread.

        Raises an error at the deadline. The slot becomes free when the thread ends. Cancellation by the caller ends the
        job in the same way.

        Raises:
            CommandError: the deadline passed in the queue or in the thread.
        """
        await self._acquire(profile, job)
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        self._deadlines[future] = job.deadline
        future.add_done_callback(lambda done: self._finish(profile, done))
        try:
            await asyncio.wait({future}, timeout=max(0.0, job.remaining()))
        except asyncio.CancelledError:
            job.end(CommandError("The caller has left.", "cancelled"))
            raise
        if not future.done():
            error = deadline_exceeded()
            job.end(error)
            raise error
        return future.result()

    async def _acquire(self, profile: str, job: Job) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(profile, deque()).append(turn)
        self._grant()
        try:
            await asyncio.wait_for(asyncio.shield(turn), max(0.0, job.remaining()))
        except (asyncio.CancelledError, TimeoutError) as reason:
            if turn.done():
                self._release(profile)
            else:
                self._forget(profile, turn)
            if isinstance(reason, TimeoutError):
                raise CommandError("The server is busy: no slot was free in time. Retry later.", "busy") from None
            raise

    def _grant(self) -> None:
        """Assigns free slots, alternating between profiles."""
        while self.running < self._concurrency:
            profile = next((name for name in self._waiting if self._running.get(name, 0) < self._per_profile), None)
            if profile is None:
                return
            queue = self._waiting.pop(profile)
            turn = queue.popleft()
            if queue:
                self._waiting[profile] = queue
            self._running[profile] = self._running.get(profile, 0) + 1
            turn.set_result(None)

    def _forget(self, profile: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting[profile]
        queue.remove(turn)
        if not queue:
            del self._waiting[profile]

    def _finish(self, profile: str, future: asyncio.Future[Any]) -> None:
        self._deadlines.pop(future, None)
        if not future.cancelled():
            # Otherwise asyncio logs "exception was never retrieved" for a job whose caller has disconnected.
            future.exception()
        self._release(profile)

    def _release(self, profile: str) -> None:
        left = self._running.pop(profile) - 1
        if left:
            self._running[profile] = left
        self._grant()
