"""Ends a process that no longer works, so that the kubelet starts a new one. Over stdio, the gateway ends with it."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time

from .pool import Pool

TICK_SECONDS = 5
# Ticks in a row without a turn of the event loop, or with half of the threads stuck. A busy loop turns within one tick.
TICKS = 12
# /healthz: the loop's own turn must be younger than this.
LATELY_SECONDS = 15
EXIT_CODE = 70


class Watchdog:
    """Watches the event loop from a thread of its own."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._turn = time.monotonic()
        self._turned = threading.Event()

    def start(self) -> None:
        """Starts to watch the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._beat())
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    @property
    def is_healthy(self) -> bool:
        """Whether the loop has turned lately and the threads end their work."""
        return time.monotonic() - self._turn < LATELY_SECONDS and not self._pool.is_wedged

    async def _beat(self) -> None:
        while True:
            self._turn = time.monotonic()
            self._turned.set()
            await asyncio.sleep(1)

    def _watch(self) -> None:
        missed = 0
        while missed < TICKS:
            self._turned.clear()
            # Counted in ticks of this thread, so that a suspended process does not count as wedged.
            time.sleep(TICK_SECONDS)
            missed = 0 if self._turned.is_set() and not self._pool.is_wedged else missed + 1
        sys.stderr.write('{"event":"wedged","message":"The server no longer works and exits."}\n')
        os._exit(EXIT_CODE)
