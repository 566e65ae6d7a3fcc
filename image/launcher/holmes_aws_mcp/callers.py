"""Callers that disconnect or cancel. Their work ends, and each request still receives exactly one response.

The SDK's `RequestResponder.cancel` responds by itself and cancels the handler. If the handler responds at the same
time, the SDK raises "Request already responded to" in the task group of the server, which ends the process. It also
loses a cancellation that arrives before the handler runs. Here, a cancellation only sets an event, and the handler
ends its work and responds.
"""

from __future__ import annotations

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_http_request
from mcp.shared.session import RequestResponder

# Key in the ASGI scope: an event that is set when the caller closes the HTTP connection.
LEFT = "holmes_aws_mcp.left"

_cancelled: WeakKeyDictionary[Any, asyncio.Event] = WeakKeyDictionary()


def install() -> None:
    """Replaces the SDK's cancellation."""
    responder: Any = RequestResponder
    responder.cancel = _cancel


async def _cancel(responder: Any) -> None:
    _event(responder).set()


def _event(responder: Any) -> asyncio.Event:
    return _cancelled.setdefault(responder, asyncio.Event())


def departures(context: Context | None) -> list[asyncio.Event]:
    """Events of the current request: `notifications/cancelled`, and over HTTP the end of its connection."""
    events = []
    request = context.request_context if context else None
    if request is not None:
        events.append(_event(request.session._in_flight[request.request_id]))
    try:
        events.append(get_http_request().scope[LEFT])
    except RuntimeError:
        # Over stdio there is no HTTP request.
        pass
    return events
