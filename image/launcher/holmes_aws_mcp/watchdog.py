"""Ends a process whose threads stay stuck, so that the kubelet starts a new one. Over stdio, the gateway ends too.

A process whose event loop is stuck responds neither to /healthz nor to the ping of the gateway, so the liveness probe
restarts the container.
"""

from __future__ import annotations

import asyncio
import os
import sys

from .pool import Pool

TICK_SECONDS = 5.0
# Consecutive ticks with at least half of the threads stuck.
TICKS = 12
EXIT_CODE = 70


async def watch(pool: Pool) -> None:
    """Watches the pool. Counts ticks instead of time, so that a suspended process does not count as stuck."""
    stuck = 0
    while stuck < TICKS:
        await asyncio.sleep(TICK_SECONDS)
        stuck = stuck + 1 if pool.is_wedged else 0
    sys.stderr.write('{"event":"wedged","message":"The server no longer works and exits."}\n')
    os._exit(EXIT_CODE)
