"""Runs commands in threads: at most `concurrency` at once, by turns between profiles.

Threads, not processes: a warm call needs about 5 ms of processor time, nearly all of its time is waiting for AWS, and
each further process would hold its own copy of the service models. The work of a thread cannot be ended by force, so
its ends are built in: every request checks the deadline, and the connection is shut down when it passes.
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

# Time for a thread to notice that its job has ended. After it, the thread counts as stuck.
STUCK_SECONDS = 30

T = TypeVar("T")


class Pool:
    """A bounded number of threads with a queue for each profile. All methods belong to the event loop."""

    def __init__(self, concurrency: int, profiles: int) -> None:
        self._concurrency = concurrency
        # A profile never holds every slot: the next one's first command starts at once.
        self._per_profile = concurrency if profiles < 2 else math.ceil(concurrency * 3 / 4)
        self._executor = ThreadPoolExecutor(concurrency, thread_name_prefix="aws")
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._running: dict[str, int] = {}
        self._deadlines: dict[asyncio.Future[Any], float] = {}

    @property
    def running(self) -> int:
        """Commands that have a thread."""
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        """Commands that wait for one."""
        return sum(map(len, self._waiting.values()))

    @property
    def is_wedged(self) -> bool:
        """Whether half of the threads or more did not end after their deadline."""
        limit = time.monotonic() - STUCK_SECONDS
        return sum(deadline < limit for deadline in self._deadlines.values()) * 2 >= self._concurrency

    async def run(self, profile: str, job: Job, work: Callable[[], T]) -> T:
        """Runs `work` in a thread.

        The caller gets an error at the deadline; the slot is free when the thread has ended. A caller that leaves
        (cancellation) ends the job in the same way.

        Raises:
            CommandError: the deadline passed, in the queue or in the thread.
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
        """Gives free slots to the profiles by turns."""
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
            # Otherwise asyncio logs the error of a job whose caller has left as never retrieved.
            future.exception()
        self._release(profile)

    def _release(self, profile: str) -> None:
        left = self._running.pop(profile) - 1
        if left:
            self._running[profile] = left
        self._grant()
