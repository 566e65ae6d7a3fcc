"""The launcher's parts, put together as at a start."""

from __future__ import annotations

import os

import pytest

REGION = "us-east-1"


@pytest.fixture(scope="session")
def launcher(tmp_path_factory: pytest.TempPathFactory):
    """The runner with real parts: static credentials, no emulated AWS. Every request that leaves is a failure."""
    folder = tmp_path_factory.mktemp("launcher")
    (folder / "config").write_text(
        f"[profile dev]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\nregion = {REGION}\n"
    )
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        HOME=str(folder),
        AWS_CONFIG_FILE=str(folder / "config"),
        AWS_SHARED_CREDENTIALS_FILE="/dev/null",
        AWS_EC2_METADATA_DISABLED="true",
        READ_OPERATIONS_ONLY="true",
        AWS_API_MCP_TELEMETRY="false",
        AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS="no-access",
    )
    from awslabs.aws_api_mcp_server import server
    from awslabs.aws_api_mcp_server.core.metadata.read_only_operations_list import ReadOnlyOperations

    from holmes_aws_mcp import commands, endpoints, output
    from holmes_aws_mcp.aws import Aws
    from holmes_aws_mcp.guard import Guard
    from holmes_aws_mcp.settings import Account, Settings

    server.READ_OPERATIONS_INDEX = ReadOnlyOperations({})
    aws = Aws(4)
    guard = Guard(Settings(accounts=(Account(profile="dev", account_id="111111111111", region=REGION),)))
    wall = endpoints.Endpoints(aws.loader)
    endpoints.install(wall)
    commands.install(aws)
    output.install()
    return commands.Runner(server, guard, aws), guard, wall
