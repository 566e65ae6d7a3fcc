"""A start answers its first clients while the models are still loading."""

from __future__ import annotations

import asyncio
import json

import pytest


@pytest.mark.parametrize("service", ["ec2", "iam", "s3", "sts"])
def test_no_step_of_loading_holds_the_interpreter_for_long(launcher, monkeypatch, service):
    """One call of the JSON parser cannot be interrupted: each takes a small part of a model."""
    from holmes_aws_mcp import aws

    texts, sizes = [], []

    class Recorder(json.JSONDecoder):
        def raw_decode(self, text, at=0):
            value, end = super().raw_decode(text, at)
            texts.append(text)
            sizes.append(end - at)
            return value, end

    monkeypatch.setattr(aws, "_decoder", Recorder())
    loader = aws._SharedLoader()
    version = loader.determine_latest_version(service, "service-2")
    loaded = loader.load_data(f"{service}/{version}/service-2")
    assert loaded == json.loads(texts[0])
    assert list(loaded["shapes"]) == list(json.loads(texts[0])["shapes"])
    # The largest shape of EC2 has 30 kB of 3 MB.
    assert max(sizes) < 60_000


@pytest.mark.parametrize(
    "text", ["{}", " { } ", '{"a":{}}', '{"a": {"b" : [1, {"c": "}"}], "d":{"e":{}}} , "f":null}', "[1]"]
)
def test_stepwise_parsing_equals_json(text):
    from holmes_aws_mcp.aws import parse_stepwise

    assert parse_stepwise(text) == json.loads(text)


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
