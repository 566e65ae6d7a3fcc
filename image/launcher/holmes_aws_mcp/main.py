"""`holmes-aws-mcp`: starts the MCP server for the transport that `AWS_API_MCP_TRANSPORT` names."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import socket
import sys
import threading
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .settings import Settings, SettingsError, load

# With Python's default of 5 ms, every busy thread delays the event loop: 16 threads delay it by 40 to 80 ms per turn.
SWITCH_INTERVAL_SECONDS = 0.0005


def main() -> None:
    """Starts the server, or with `--check` verifies what the launcher relies on and exits with 0 or 1."""
    parser = argparse.ArgumentParser(prog="holmes-aws-mcp", description=__doc__)
    parser.add_argument("--check", action="store_true", help="verify the installed packages, then exit")
    arguments = parser.parse_args()
    from .internals import InternalsError, check

    try:
        if arguments.check:
            # It requires no configuration, so it uses the stdio transport.
            os.environ["AWS_API_MCP_TRANSPORT"] = "stdio"
            check()
            # Fails if the lock file lacks a package that only the launcher imports.
            from . import http, middleware, watchdog  # noqa: F401
        else:
            settings = load()
            check()
            _start(settings)
    except (SettingsError, InternalsError) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)


def _start(settings: Settings) -> None:
    # These modules read the environment and open the server's log file, so import them after the settings are valid.
    from awslabs.aws_api_mcp_server import server
    from loguru import logger
    from starlette.middleware import Middleware as HttpMiddleware
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response

    from . import callers, commands, endpoints, output
    from .aws import Aws
    from .calls import CallLog, serve_metrics
    from .guard import Guard
    from .http import FrontDoor, read_tokens
    from .middleware import Guarded
    from .pool import Pool
    from .watchdog import watch

    # By default the server logs refused arguments and writes 10 MB a day to a file. Keep only its errors.
    logger.remove()
    logger.add(_log, level="ERROR")
    # It logs a traceback for every client that disconnects.
    logging.getLogger("mcp.server.streamable_http").setLevel(logging.CRITICAL)
    named = os.environ.get("HOLMES_AWS_MCP_TOKENS_FILE")
    tokens_file = Path(named) if named else None
    if tokens_file is not None:
        read_tokens(tokens_file)

    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    aws = Aws(settings.concurrency)
    log = CallLog()
    guard = Guard(settings)
    runner = commands.Runner(server, guard, aws)
    pool = Pool(settings.concurrency, len(settings.accounts))
    endpoints.install(endpoints.Endpoints(aws.loader, settings.allowed_endpoints))
    commands.install(aws)
    output.install()
    callers.install()

    mcp: Any = server.server
    mcp.add_middleware(Guarded(settings, guard, runner, pool, log))

    @mcp.custom_route("/healthz", methods=["GET"])  # type: ignore[untyped-decorator]
    async def healthz(_: Request) -> Response:
        return PlainTextResponse("unhealthy", 503) if pool.is_wedged else PlainTextResponse("ok")

    inherited = mcp._lifespan

    @asynccontextmanager
    async def lifespan(app: Any) -> Any:
        watching = asyncio.create_task(watch(pool))
        async with inherited(app) as state:
            yield state
        watching.cancel()

    mcp._lifespan = lifespan
    if settings.metrics_port is not None:
        every_address = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
        host = os.environ.get("AWS_API_MCP_HOST", every_address)
        serve_metrics(host, settings.metrics_port, lambda: log.metrics(pool.running, pool.waiting))
    run = partial(mcp.run, show_banner=False)
    if server.TRANSPORT != "stdio":
        front_door = HttpMiddleware(FrontDoor, tokens_file=tokens_file)
        # The server uses no WebSockets. Uvicorn would accept them without the token check.
        run = partial(run, middleware=[front_door], uvicorn_config={"access_log": False, "ws": "none"})
    mcp.run = run
    # Exclude the loaded modules from full garbage collections, which otherwise stop all threads for 0.1 s.
    gc.freeze()
    threading.Thread(target=runner.warm, name="warm", daemon=True).start()
    try:
        server.main()
    except asyncio.CancelledError:
        pass


def _log(message: Any) -> None:
    line = {"event": "server", "message": message.record["message"][:500]}
    print(json.dumps(line), file=sys.__stderr__, flush=True)
