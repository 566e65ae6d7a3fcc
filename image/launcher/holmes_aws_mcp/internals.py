"""Checks the internals of the pinned packages that the guards rely on. The launcher does not start if one differs."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

VERSIONS = {"awslabs.aws-api-mcp-server": "1.5.6", "awscli": "1.46.0", "botocore": "1.44.5"}


class InternalsError(Exception):
    """The installed packages differ from those that the launcher supports."""


def check() -> None:
    """Raises InternalsError with every difference."""
    problems = []
    for package, expected in VERSIONS.items():
        found = version(package)
        if found != expected:
            problems.append(f"{package}: found version {found}. Expected {expected}.")
    problems += [f"{what}: not as expected in the installed packages." for what, holds in _facts() if not holds]
    if problems:
        raise InternalsError("\n".join(problems))


def _facts() -> list[tuple[str, bool]]:
    import botocore.awsrequest
    import botocore.credentials
    import botocore.httpsession
    import botocore.loaders
    import botocore.session
    from awscli import alias, clidriver, paramfile
    from awslabs.aws_api_mcp_server import server
    from awslabs.aws_api_mcp_server.core.aws import driver, pagination, service, services
    from awslabs.aws_api_mcp_server.core.common import config
    from awslabs.aws_api_mcp_server.core.metadata import read_only_operations_list
    from awslabs.aws_api_mcp_server.core.parser import interpretation, parser
    from awslabs.aws_api_mcp_server.core.security import policy
    from fastmcp.server.middleware import Middleware
    from jmespath.visitor import TreeInterpreter, Visitor
    from mcp.shared.session import BaseSession

    def source(item: Any) -> str:
        return inspect.getsource(item)

    def takes(item: Any, *names: str) -> bool:
        return set(names) <= set(inspect.signature(item).parameters)

    send = source(botocore.httpsession.URLLib3Session.send)
    interpret = source(interpretation.interpret)
    options = {action.dest for action in parser.parser._actions}
    wanted = {
        "endpoint_url", "verify_ssl", "ca_bundle", "sign_request", "debug", "profile", "region", "command",
        "connect_timeout", "read_timeout",
    }  # fmt: skip
    return [
        ("botocore sends through URLLib3Session.send and follows no redirect", "retries=Retry(False)" in send),
        ("botocore connects to the URL as urllib3 parses it", "manager.connection_from_url(request.url)" in send),
        ("botocore's read time-out by request", "_get_request_timeout(request)" in send),
        ("AWSConnection.request", callable(getattr(botocore.awsrequest.AWSConnection, "request", None))),
        ("the loader's cache", "self._cache" in source(botocore.loaders.instance_cache)),
        ("the loader's files", "_load_file(file_path + ext, open_method)" in source(botocore.loaders.JSONFileLoader)),
        (
            "a session's handlers and parsed config file",
            "self._original_handler = event_hooks" in source(botocore.session.Session.__init__)
            and "if self._config is None" in source(botocore.session.Session.full_config.fget),
        ),
        (
            "the refresh time-outs of credentials",
            hasattr(botocore.credentials.RefreshableCredentials, "_advisory_refresh_timeout"),
        ),
        ("the options of the AWS CLI's parser", wanted <= options),
        ("the handlers that fetch parameters from URLs", "http://" in paramfile.REMOTE_PREFIX_MAP),
        ("the aliases of the AWS CLI", hasattr(alias, "BaseAliasCommand")),
        ("the command tables of the AWS CLI", hasattr(clidriver.ServiceCommand, "_get_command_table")),
        (
            "interpret() makes its client with boto3.client",
            "boto3.client(" in interpret and hasattr(interpretation, "boto3"),
        ),
        (
            "interpret() takes an endpoint and a filter",
            takes(interpretation.interpret, "endpoint_url", "client_side_filter"),
        ),
        ("the encoder of interpret()", hasattr(interpretation, "Boto3Encoder") and hasattr(pagination, "Boto3Encoder")),
        ("translate_cli_to_ir()", takes(driver.translate_cli_to_ir, "cli_command")),
        ("check_security_policy()", takes(service.check_security_policy, "ir", "read_only_operations", "ctx")),
        ("get_awscli_driver()", takes(services.get_awscli_driver, "credentials")),
        ("the parser's get_region()", hasattr(parser, "get_region") and takes(config.get_region, "profile_name")),
        (
            "the expression for ARNs and the hints for SSM",
            {"ARN_PATTERN", "perform_ssm_validations"} <= set(vars(parser)),
        ),
        ("JMESPath's interpreter", TreeInterpreter.visit is Visitor.visit),
        ("SecurityPolicy._load_policy()", hasattr(policy.SecurityPolicy, "_load_policy")),
        (
            "the service reference of read-only operations",
            hasattr(read_only_operations_list.ReadOnlyOperations, "_cache_ready_only_operations_for_service"),
        ),
        ("main() runs the server with server.run()", source(server.main).count("server.run(") == 2),
        ("the tools of the server", {"call_aws", "suggest_aws_commands"} <= set(vars(server))),
        (
            "the session cancels a request with RequestResponder.cancel()",
            "await self._in_flight[cancelled_id].cancel()" in source(BaseSession._receive_loop)
            and "self._in_flight[responder.request_id] = responder" in source(BaseSession._receive_loop),
        ),
        ("the middleware's hooks", hasattr(Middleware, "on_call_tool") and hasattr(Middleware, "on_list_tools")),
    ]
