"""A start answers its first clients while the models are still loading."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import io
import json
import socket
import sys
import threading
import time
from pathlib import Path

import pytest


def test_other_threads_get_turns_while_a_model_loads(launcher):
    """Python's JSON parser by itself gives two or three."""
    from holmes_aws_mcp import aws

    loader = aws._SharedLoader()
    path = Path(loader.BUILTIN_DATA_PATH) / "ec2" / loader.determine_latest_version("ec2", "service-2")
    turns = 0
    loaded_all = threading.Event()

    def count():
        nonlocal turns
        while not loaded_all.is_set():
            turns += 1
            time.sleep(0.0001)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    counting = threading.Thread(target=count)
    counting.start()
    text = gzip.decompress((path / "service-2.json.gz").read_bytes())
    before = turns
    loaded = aws.parse(io.BytesIO(text))
    during = turns - before
    loaded_all.set()
    counting.join()
    sys.setswitchinterval(interval)
    assert during > 10
    assert loaded == json.loads(text)


def test_the_loader_parses_files_once_and_forgets_the_oldest(launcher, monkeypatch):
    from holmes_aws_mcp import aws

    parsed = []
    parse = aws.parse

    def recorded(file):
        parsed.append(file)
        return parse(file)

    monkeypatch.setattr(aws, "parse", recorded)
    # A service has up to six entries: its model, the files that it consists of, and its versions.
    monkeypatch.setattr(aws, "MAX_DATA_FILES", 8)
    loader = aws._SharedLoader()
    model = loader.load_service_model("sts", "service-2")
    files = len(parsed)
    assert files >= 1
    assert loader.load_service_model("sts", "service-2") is model
    assert len(parsed) == files
    for service in ("sns", "sqs"):
        loader.load_service_model(service, "service-2")
    others = len(parsed)
    assert loader.load_service_model("sts", "service-2") == model
    assert len(parsed) == others + files


def test_the_description_is_short(launcher):
    """The model reads it at every step."""
    from holmes_aws_mcp.middleware import description
    from holmes_aws_mcp.settings import Account, Settings

    accounts = tuple(Account(profile=name, account_id="111111111111", region="r") for name in ("default", "dev"))
    settings = Settings(accounts=accounts, call_timeout_seconds=115, max_answer_bytes=10_000_000)
    text, *lines = description(settings).split("\n--profile ")
    assert len(text) <= 1_200
    assert len(lines) == 2


GUARDS = {"READ_OPERATIONS_ONLY": "true", "AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS": "no-access"}
DEV = {"profile": "dev", "accountId": "111111111111", "region": "eu-west-1"}


def load(folder: Path, document: object, **more: str):
    from holmes_aws_mcp.settings import load

    file = folder / "launcher.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return load({**GUARDS, "HOLMES_AWS_MCP_CONFIG": str(file), **more})


def test_settings_have_defaults(launcher, tmp_path):
    settings = load(tmp_path, {"accounts": [DEV], "denyList": ["aws s3 ls"], "metricsPort": None})
    assert [(it.profile, it.account_id, it.region, it.description) for it in settings.accounts] == [
        ("dev", "111111111111", "eu-west-1", None)
    ]
    assert (settings.concurrency, settings.call_timeout_seconds, settings.max_answer_bytes) == (16, 100, 1_000_000)
    assert settings.deny_list == ("aws s3 ls",)
    assert (settings.metrics_port, settings.suggest_commands, settings.allowed_endpoints) == (None, False, ())


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ("", "/launcher.json: "),
        ("{", "/launcher.json: "),
        ([], "/launcher.json: "),
        ({}, "accounts: "),
        ({"accounts": []}, "accounts: "),
        ({"accounts": [{**DEV, "region": ""}]}, "accounts.0.region: found ''."),
        ({"accounts": [{**DEV, "accountId": 111111111111}]}, "accounts.0.accountId: found 111111111111."),
        ({"accounts": [{**DEV, "role": "x"}]}, "accounts.0.role: found 'x'."),
        ({"accounts": [DEV], "concurrency": 65}, "concurrency: found 65."),
        ({"accounts": [DEV], "concurrency": True}, "concurrency: found True."),
        ({"accounts": [DEV], "callTimeoutSeconds": 116}, "callTimeoutSeconds: found 116."),
        ({"accounts": [DEV], "call_timeout_seconds": 50}, "call_timeout_seconds: found 50."),
        ({"accounts": [DEV], "maxAnswerBytes": 9_999}, "maxAnswerBytes: found 9999."),
        ({"accounts": [DEV], "metricsPort": 0}, "metricsPort: found 0."),
        ({"accounts": [DEV], "denyList": "aws s3 ls"}, "denyList: found 'aws s3 ls'."),
        ({"accounts": [DEV], "suggestCommands": "yes"}, "suggestCommands: found 'yes'."),
    ],
)
def test_invalid_settings_are_rejected(launcher, tmp_path, document, where):
    from holmes_aws_mcp.settings import SettingsError

    with pytest.raises(SettingsError) as error:
        load(tmp_path, document)
    (line,) = str(error.value).splitlines()
    assert where in line


def test_every_problem_is_reported_at_once(launcher, tmp_path):
    from holmes_aws_mcp.settings import SettingsError

    document = {"accounts": [DEV], "concurrency": 0, "unknown": 1}
    with pytest.raises(SettingsError) as error:
        load(tmp_path, document, AWS_REGION="eu-west-1", READ_OPERATIONS_ONLY="false")
    names = [line.split(":")[0] for line in str(error.value).splitlines()]
    assert names == ["AWS_REGION", "READ_OPERATIONS_ONLY", "concurrency", "unknown"]


@pytest.mark.parametrize("name", GUARDS)
@pytest.mark.parametrize("value", ["", "false", "workdir", "unrestricted", " true"])
def test_the_launcher_requires_the_guards_of_the_server(launcher, tmp_path, name, value):
    from holmes_aws_mcp.settings import SettingsError

    with pytest.raises(SettingsError, match=rf"^{name}: expected {GUARDS[name]}\. "):
        load(tmp_path, {"accounts": [DEV]}, **{name: value})


def test_clients_connect_and_list_tools_while_models_load(launcher):
    from awslabs.aws_api_mcp_server import server
    from fastmcp import Client

    from holmes_aws_mcp.calls import CallLog
    from holmes_aws_mcp.middleware import Guarded
    from holmes_aws_mcp.pool import Pool

    runner, guard, _ = launcher
    server.server.add_middleware(Guarded(guard._settings, guard, runner, Pool(4, 1), CallLog()))

    async def connect() -> list[str]:
        async with Client(server.server) as client:
            return [tool.name for tool in await client.list_tools()]

    # Loading holds these locks. Here they are held until the client has its answer.
    with runner._parse_lock, runner._aws._lock:
        assert asyncio.run(asyncio.wait_for(connect(), 60)) == ["call_aws"]


@pytest.mark.parametrize(("wedged", "ends"), [([True] * 12, True), ([True] * 11 + [False] + [True] * 11, False)])
def test_a_process_with_stuck_threads_ends(launcher, monkeypatch, wedged, ends):
    from holmes_aws_mcp import watchdog

    class Ended(Exception):
        """Raised instead of ending the process."""

    class Stub:
        @property
        def is_wedged(self) -> bool:
            if not wedged:
                raise IndexError
            return wedged.pop(0)

    def leave(code: int) -> None:
        assert code == 70
        raise Ended

    monkeypatch.setattr(watchdog.os, "_exit", leave)
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0)
    with pytest.raises(Ended if ends else IndexError):
        asyncio.run(watchdog.watch(Stub()))


def test_half_of_the_threads_stuck_is_unhealthy(launcher, monkeypatch):
    from holmes_aws_mcp import pool

    async def stuck(threads: int) -> bool:
        monkeypatch.setattr(pool, "STUCK_SECONDS", -1)
        watched = pool.Pool(4, 1)
        watched._deadlines = {asyncio.get_running_loop().create_future(): time.monotonic() for _ in range(threads)}
        return watched.is_wedged

    assert not asyncio.run(stuck(1))
    assert asyncio.run(stuck(2))


def test_metrics_are_served(launcher):
    from holmes_aws_mcp.calls import serve_metrics

    server = serve_metrics("127.0.0.1", 0, lambda: "metrics")
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1])
    connection.request("GET", "/metrics")
    assert connection.getresponse().read() == b"metrics"
    connection.close()
    server.shutdown()


@pytest.mark.parametrize(("host", "family"), [("0.0.0.0", socket.AF_INET), ("::", socket.AF_INET6)])
def test_metrics_listen_on_both_kinds_of_addresses(launcher, monkeypatch, host, family):
    """Opens no socket, because some machines have no IPv6."""
    from holmes_aws_mcp import calls

    class Server:
        address_family = socket.AF_INET

        def __init__(self, address, handler):
            self.address = address

        def serve_forever(self):
            """Returns at once."""

    monkeypatch.setattr(calls, "ThreadingHTTPServer", Server)
    server = calls.serve_metrics(host, 9090, lambda: "metrics")
    assert (server.address, server.address_family) == ((host, 9090), family)


def test_the_tokens_of_a_file_are_accepted_while_it_is_valid(launcher, tmp_path):
    from holmes_aws_mcp.http import accepts

    file = tmp_path / "tokens"
    first, second = "a" * 32, "b" * 40
    found = []
    for text in (f"{first}\n{second}\n", f"{second}\r\n", f"{second}\nshort\n", "\n", None):
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        found.append([accepts(file, header) for header in (f"Bearer {first}", f"bearer  {second} ", second, "")])
    nothing = [False] * 4
    assert found == [[True, True, False, False], [False, True, False, False], nothing, nothing, nothing]
