"""One line of JSON on standard error for each command, and Prometheus metrics of the same data."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class CallLog:
    """Reports names, account, region, duration, size and outcome of each command, never its parameters or answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stream = sys.stderr
        self._commands: Counter[tuple[str, str, str]] = Counter()
        self._bytes: Counter[str] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._count = 0

    def report(self, *, started: float, size: int, outcome: str, **names: str | None) -> None:
        """Writes the line.

        Args:
            started: `time.monotonic()` when the command arrived
            size: bytes of the answer
            outcome: ok, refused, denied, invalid, error, too_large, deadline, busy or cancelled
            names: session, tool, service, operation, profile, account, region. None is omitted
        """
        seconds = time.monotonic() - started
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            **{name: value for name, value in names.items() if value},
            "milliseconds": round(seconds * 1000),
            "bytes": size,
            "outcome": outcome,
        }
        with self._lock:
            self._commands[names.get("service") or "", names.get("profile") or "", outcome] += 1
            self._bytes[names.get("profile") or ""] += size
            self._buckets[next((bound for bound in BUCKETS if seconds <= bound), float("inf"))] += 1
            self._seconds += seconds
            self._count += 1
            self._stream.write(json.dumps(line) + "\n")
            self._stream.flush()

    def metrics(self, running: int, waiting: int) -> str:
        """The text format of Prometheus, version 0.0.4."""

        def labels(**values: str) -> str:
            # json.dumps escapes quotes, backslashes and line ends as the format requires.
            return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in values.items()) + "}"

        with self._lock:
            lines = ["# TYPE aws_mcp_commands_total counter"]
            for (service, profile, outcome), count in sorted(self._commands.items()):
                names = labels(service=service, profile=profile, outcome=outcome)
                lines.append(f"aws_mcp_commands_total{names} {count}")
            lines.append("# TYPE aws_mcp_answer_bytes_total counter")
            lines += [
                f"aws_mcp_answer_bytes_total{labels(profile=profile)} {size}"
                for profile, size in sorted(self._bytes.items())
            ]
            lines.append("# TYPE aws_mcp_command_seconds histogram")
            total = 0
            for bound in BUCKETS:
                total += self._buckets[bound]
                lines.append(f'aws_mcp_command_seconds_bucket{{le="{bound}"}} {total}')
            lines.append(f'aws_mcp_command_seconds_bucket{{le="+Inf"}} {self._count}')
            lines += [f"aws_mcp_command_seconds_sum {self._seconds}", f"aws_mcp_command_seconds_count {self._count}"]
        lines += ["# TYPE aws_mcp_running gauge", f"aws_mcp_running {running}"]
        lines += ["# TYPE aws_mcp_waiting gauge", f"aws_mcp_waiting {waiting}"]
        return "\n".join(lines) + "\n"


def serve_metrics(host: str, port: int, text: Any) -> ThreadingHTTPServer:
    """Serves `text()` at /metrics on a separate port, in a daemon thread."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            body = text().encode() if self.path == "/metrics" else b""
            self.send_response(200 if body else 404)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Does not log scrapes."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    server = Server((host, port), Handler)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
