"""Verifies from inside the cluster that the MCP server reaches every account.

    /opt/venv/bin/python3 verify.py accounts.json [termination-log]

Runs in a Job with the image, service account, AWS profiles and environment of the MCP server:

1. Calls sts:GetCallerIdentity in every account with the AWS SDK and the server's profiles. IAM rejects a new role or
   provider until it has propagated, so rejected calls are retried for a limited time.
2. Connects to the server as Holmes does: initializes a session, lists the tools, makes one call per account, and
   repeats one call in a second session.

accounts.json: {"endpoint": URL, "transport": "sse" or "streamable-http", "timeoutSeconds": N,
"accounts": [{"profile", "accountId", "roleArn"}]}. Prints one line per account and a summary, and writes the failures
to the container's termination message (default /dev/termination-log, only if the file exists). Exit code 0 if every
account passes both checks, else 1. Prints only IDs and names, never the contents of an account.
"""

import asyncio
import base64
import json
import logging
import os
import re
import shlex
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import botocore.exceptions as aws
import botocore.loaders
import botocore.session
import httpx
from botocore.config import Config
from mcp import ClientSession, McpError
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import INVALID_PARAMS, CallToolResult

# Share of the timeout that the script uses. The rest is for the start of the pod and for the report.
TIMEOUT_SHARE = 0.85
# Seconds. IAM changes propagate within about 10 s, rarely a minute. A node knows the address of a new Service within a
# few seconds.
PROPAGATION_SECONDS = 120
CONNECT_SECONDS = 30
CALL_SECONDS = 60
# Accounts checked in parallel.
CONCURRENCY = 16
# Maximum size and default path of the termination message (Kubernetes, "Customizing the termination message").
TERMINATION_MESSAGE_BYTES = 4096
TERMINATION_LOG = "/dev/termination-log"

# The SDK's service models, shared by all sessions: one copy per session takes 900 MB for 100 accounts.
MODELS = botocore.loaders.create_loader()

UPDATE = "Run `pulumi up`, which restarts the pods when their list of accounts changes"
DOCTOR = "Run `npm run doctor -- --stack STACK` to compare the account with the config"
LOGS = "Run `kubectl logs -l app=aws-api-mcp-server` in the namespace of the server"


@dataclass(frozen=True)
class Account:
    """A target account and its role."""

    profile: str
    account_id: str
    role_arn: str

    @property
    def role(self) -> str:
        """The role's name without its IAM path, as STS returns it."""
        return self.role_arn.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return f"{self.profile} ({self.account_id})"


@dataclass(frozen=True)
class Task:
    """The contents of accounts.json."""

    endpoint: str
    transport: str
    seconds: float
    accounts: list[Account]


class Failure(Exception):
    """What is wrong, and how to fix it."""

    def __init__(self, what: str, fix: str):
        super().__init__(what, fix)
        self.what, self.fix = what, fix

    def __str__(self) -> str:
        return " ".join(f"{self.what}. {self.fix}.".split())


class Propagating(Failure):
    """AWS rejects the call, possibly because an IAM change has not propagated yet."""


class Unreachable(Failure):
    """No connection to the server, possibly because this node does not know the address of the Service yet."""


LATE = Failure("no result within the time limit", "Increase verify.timeoutSeconds, or check why the call hangs")
SKIPPED = Failure("the role can be assumed, but the server check did not run", "See the line of the server")


@dataclass
class Report:
    """The results so far. The checks write it; main() reads it at the end or at the time limit."""

    task: Task
    server: Failure | None = Failure(
        "not checked within the time limit", "See the lines of the accounts, or increase verify.timeoutSeconds"
    )
    # By profile: SKIPPED after the direct check, None after both.
    results: dict[str, Failure | None] = field(default_factory=dict)

    def failure(self, account: Account) -> Failure | None:
        """The first failure of an account; None if it passes both checks."""
        return self.results.get(account.profile, LATE)

    def failures(self) -> list[str]:
        """One line per failure. The server's comes first, because it explains the others."""
        lines = [] if self.server is None else [f"FAIL  server {self.task.endpoint}: {self.server}"]
        results = [(account, self.failure(account)) for account in self.task.accounts]
        return lines + [f"FAIL  {account}: {failure}" for account, failure in results if failure is not None]

    def lines(self) -> list[str]:
        """One line per account, one for the server if it fails, and the summary."""
        passed = [account for account in self.task.accounts if self.failure(account) is None]
        ok = [f"ok    {account}: {account.role} can be assumed directly and through the server" for account in passed]
        summary = f"{len(passed)} of {len(self.task.accounts)} accounts verified through {self.task.endpoint}"
        return [*ok, *self.failures(), summary + ("" if self.server is None else "; the server check failed")]


def show(line: str) -> None:
    """Prints without buffering, for `kubectl logs --follow`."""
    print(line, flush=True)


def read_task(file: str) -> Task:
    """Reads accounts.json, which is in the same ConfigMap as this script."""
    content = json.loads(Path(file).read_text(encoding="utf-8"))
    accounts = [Account(it["profile"], it["accountId"], it["roleArn"]) for it in content["accounts"]]
    return Task(content["endpoint"], content["transport"], content["timeoutSeconds"], accounts)


# --- Identity --------------------------------------------------------------------------------------------------------


def check_identity(arn: str, account: Account) -> None:
    """Raises Failure unless `arn`, the caller's identity, is a session of the account's role."""
    found = re.fullmatch(r"arn:[^:]+:sts::(\d{12}):assumed-role/([^/]+)/(.+)", arn)
    if found is None:
        raise Failure(
            f"the identity is {arn}, not a role session",
            "Remove AWS access keys from mcp.env and from everything else that sets the pod's environment",
        )
    account_id, role, session = found.groups()
    if (account_id, role) == (account.account_id, account.role):
        return
    if re.fullmatch(r"i-[0-9a-f]{8,17}", session):
        raise Failure(
            f"the credentials are those of the node's role {role} in account {account_id}, expected {account.role}",
            "Block the pods' access to instance metadata (AWS_EC2_METADATA_DISABLED=true, mcp.networkPolicy.enabled),"
            f" and check the role_arn of profile {account.profile} in the AWS config file",
        )
    if account_id != account.account_id:
        raise Failure(
            f"the assumed role {role} is in account {account_id}, expected account {account.account_id}",
            f"Correct targetAccounts[].accountId of profile {account.profile}. {UPDATE}",
        )
    raise Failure(
        f"the assumed role is {role}, expected {account.role}",
        f"Compare iam.roleName with the role_arn of the profile. {UPDATE}",
    )


def token_claims(profile: str) -> dict:
    """Claims of the token that the profile uses. Issuer, subject and audience are not secret."""
    try:
        config = botocore.session.Session(profile=profile).get_scoped_config()
        with open(config["web_identity_token_file"], encoding="utf-8") as file:
            payload = file.read().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims if isinstance(claims, dict) else {}
    except (aws.BotoCoreError, OSError, ValueError, IndexError, KeyError):
        return {}


def aws_failure(code: str, message: str, account: Account) -> Failure:
    """Describes an error code of AWS. A Propagating failure may disappear without a change."""
    claims = token_claims(account.profile)
    issuer, subject = claims.get("iss", "unknown"), claims.get("sub", "unknown")
    audience = claims.get("aud", "unknown")
    if isinstance(audience, list):
        audience = ", ".join(audience)
    if code == "AccessDenied":
        return Propagating(
            f"AWS rejects the role ({code}): account {account.account_id} has no role {account.role}, or its trust"
            f" policy does not allow issuer {issuer}, subject {subject} and audience {audience} together",
            f"Check iam.roleName, kubernetes.namespace, kubernetes.serviceAccount and the cluster's issuer. {DOCTOR}",
        )
    if code == "InvalidIdentityToken":
        if "No OpenIDConnect provider" in message:
            return Propagating(
                f"account {account.account_id} has no OIDC provider for issuer {issuer}",
                "Run `pulumi up`. If existingOidcProviders lists the cluster or manage is false, create the provider"
                f" where it is managed. {DOCTOR}",
            )
        if "audience" in message.lower():
            return Propagating(
                f"the OIDC provider of account {account.account_id} does not accept audience {audience}",
                "Run `aws iam add-client-id-to-open-id-connect-provider --client-id sts.amazonaws.com` for that"
                " provider, or set adopt: true",
            )
        if "verification key" in message:
            return Propagating(
                f"AWS cannot retrieve the keys of issuer {issuer}",
                f"Check that {issuer}/.well-known/openid-configuration is public and belongs to this cluster",
            )
        return Propagating(f"AWS rejects the pod's token ({code}: {clip(message)})", DOCTOR)
    if code == "IDPCommunicationError":
        return Propagating(
            f"AWS cannot reach issuer {issuer}", f"Check that {issuer}/.well-known/openid-configuration is public"
        )
    if code in ("ExpiredToken", "ExpiredTokenException"):
        return Failure("the pod's token has expired", "Check the clock of the node, and restart the pod")
    if code == "RegionDisabledException":
        return Failure(
            "STS is not active in the profile's region", "Enable the region, or set targetAccounts[].region"
        )
    return Failure(f"AWS returns {code}: {clip(message)}", DOCTOR)


def clip(text: str, limit: int = 300) -> str:
    """Shortens the text of another program to `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}…"


def sdk_failure(error: Exception, account: Account) -> Failure:
    """Describes an exception of the AWS SDK."""
    file = os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")
    if isinstance(error, aws.ClientError):
        return aws_failure(error.response["Error"]["Code"], error.response["Error"]["Message"], account)
    if isinstance(error, aws.ProfileNotFound):
        return Failure(f"profile {account.profile} is not in the AWS config file {file}", UPDATE)
    if isinstance(error, (aws.NoCredentialsError, aws.InvalidConfigError, aws.PartialCredentialsError)):
        return Failure(f"profile {account.profile} of {file} has no role that can be assumed", UPDATE)
    if isinstance(error, aws.SSLError):
        return Failure(
            f"the certificate of STS is not trusted ({clip(str(error))})",
            "Mount the CA of the proxy with mcp.extraVolumes, and set AWS_CA_BUNDLE in mcp.env",
        )
    # The SDK raises ConnectionError for proxies and endpoints, and HTTPClientError for interrupted connections.
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        return Failure(
            f"no connection to STS ({clip(str(error))})",
            "Allow egress to STS: mcp.networkPolicy.egressPorts and additionalEgress, the subnet's NAT or a VPC"
            " endpoint for STS in the profile's region. Set a proxy as HTTPS_PROXY in mcp.env",
        )
    if isinstance(error, OSError):
        return Failure(
            f"the pod's token cannot be read ({error.strerror}: {error.filename})",
            f"Check that the pod mounts the projected service account token of the plan's manifests. {UPDATE}",
        )
    return Failure(f"the AWS SDK failed ({type(error).__name__}: {clip(str(error))})", DOCTOR)


def check_directly(account: Account, deadline: float) -> None:
    """Assumes the account's role with the server's profile. Raises Failure; retries Propagating until `deadline`."""
    config = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
    start, pause = time.monotonic(), 1.0
    while True:
        try:
            # A new session for each attempt, because the SDK caches credentials.
            session = botocore.session.Session(profile=account.profile)
            session.register_component("data_loader", MODELS)
            session.set_default_client_config(config)
            arn = session.create_client("sts").get_caller_identity()["Arn"]
        except Exception as error:  # noqa: BLE001: every failure is reported in the account's line
            failure = sdk_failure(error, account)
        else:
            return check_identity(arn, account)
        left = deadline - time.monotonic()
        if not isinstance(failure, Propagating):
            raise failure
        if left <= 0:
            raise Failure(f"{failure.what}; retried for {time.monotonic() - start:.0f} s", failure.fix)
        if pause == 1.0:
            show(f"wait  {account}: rejected by AWS. IAM changes take time to propagate; retrying for {left:.0f} s")
        time.sleep(min(pause, left))
        pause = min(pause * 2, 10)


def check_all_directly(report: Report, deadline: float) -> None:
    """Checks all accounts in parallel."""

    def check(account: Account) -> None:
        try:
            check_directly(account, deadline)
            report.results[account.profile] = SKIPPED
        except Failure as failure:
            report.results[account.profile] = failure

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        list(pool.map(check, report.task.accounts))


# --- Through the server ----------------------------------------------------------------------------------------------


async def raise_for_error(response: httpx.Response) -> None:
    """Raises for every status but a success; the transports ignore some of them."""
    response.raise_for_status()


def http_client(headers=None, timeout=None, auth=None) -> httpx.AsyncClient:
    """Connects to the Service without a proxy, as Holmes does. Sends the bearer token if authentication is on."""
    hooks = {"response": [raise_for_error]}
    tokens = os.environ.get("HOLMES_AWS_MCP_TOKENS_FILE")
    if tokens:
        current = Path(tokens).read_text(encoding="utf-8").split()[0]
        headers = {**(headers or {}), "Authorization": f"Bearer {current}"}
    return httpx.AsyncClient(headers=headers, timeout=timeout, auth=auth, trust_env=False, event_hooks=hooks)


@asynccontextmanager
async def streams(task: Task):
    """The two message streams of a connection, in the transport that Holmes uses."""
    if task.transport == "sse":
        timeouts = {"timeout": 10, "sse_read_timeout": CALL_SECONDS}
        async with sse_client(task.endpoint, httpx_client_factory=http_client, **timeouts) as both:
            yield both
    else:
        async with (
            http_client(timeout=httpx.Timeout(10, read=CALL_SECONDS)) as client,
            streamable_http_client(task.endpoint, http_client=client) as (read, write, _),
        ):
            yield read, write


def root_cause(error: BaseException) -> BaseException:
    """The error in a task group's exception group that explains the others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [root_cause(inner) for inner in error.exceptions]
    return next((it for it in leaves if isinstance(it, (Failure, httpx.HTTPError))), leaves[0])


def connection_failure(error: BaseException, task: Task) -> Failure:
    """Describes why a connection failed."""
    error = root_cause(error)
    if isinstance(error, Failure):
        return error
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    code = error.error.code if isinstance(error, McpError) else None
    if status in (400, 404, 405, 406):
        return Failure(
            f"no {task.transport} endpoint at this address (HTTP {status})",
            "mcp.transport, the pods, and url and mode in Holmes' configuration must match. After a change of"
            " mcp.transport, run `pulumi up`",
        )
    # The check in the server rejects initialize with "invalid params", the check in the transport with 421.
    if status == 421 or code == INVALID_PARAMS:
        return Failure(
            "the server rejects the Host header",
            "AWS_API_MCP_ALLOWED_HOSTS of the Deployment must contain the Service's name. Do not set it in mcp.env",
        )
    if status == 401:
        return Failure(
            "the server rejects the bearer token (HTTP 401)",
            "After a rotation, running pods read the new token within about a minute: run the verification again. Then"
            " compare the Secret <mcp.serviceName>-tokens with the stack",
        )
    if status in (502, 503, 504) or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return Unreachable(
            f"no connection ({f'HTTP {status}' if status else str(error) or type(error).__name__})",
            f"Run `kubectl get pods,endpointslices -l app=aws-api-mcp-server`. {LOGS}. The server needs access to"
            " https://servicereference.us-east-1.amazonaws.com to start",
        )
    if status is not None:
        return Failure(f"HTTP {status}", "Check the components in front of the server, such as a service mesh")
    if isinstance(error, (httpx.TimeoutException, TimeoutError)) or code == httpx.codes.REQUEST_TIMEOUT:
        return Failure(f"no response within {CALL_SECONDS} s", LOGS)
    return Failure(f"the MCP connection failed ({type(error).__name__}: {clip(str(error))})", LOGS)


async def connected(task: Task, work: Callable[[ClientSession], Awaitable[None]], deadline: float) -> None:
    """Runs `work` in one MCP session. Raises Failure; retries Unreachable until `deadline` (monotonic)."""
    waiting = False
    timeout = timedelta(seconds=CALL_SECONDS)
    while True:
        try:
            async with streams(task) as (read, write), ClientSession(read, write, timeout) as session:
                await session.initialize()
                return await work(session)
        except Exception as error:  # noqa: BLE001: a task group wraps every exception
            failure = connection_failure(error, task)
        left = deadline - time.monotonic()
        if not isinstance(failure, Unreachable) or left <= 0:
            raise failure
        if not waiting:
            show(f"wait  server {task.endpoint}: no connection so far; retrying for {left:.0f} s")
        waiting = True
        await asyncio.sleep(min(2, left))


def check_result(call_result: CallToolResult, account: Account) -> None:
    """Raises Failure unless call_aws returned the identity of the account's role, in the profile's region."""
    text = "".join(part.text for part in call_result.content if part.type == "text")
    try:
        result = json.loads(text)
        # The server of the legacy image returns a list, with the response of AWS as a JSON string.
        (result,) = result if isinstance(result, list) else (result,)
        response = result.get("response") or {}
        error = result.get("error")
        arn = result.get("Arn") or json.loads(response.get("as_json") or "{}").get("Arn")
        region = (result.get("metadata") or {}).get("region_name")
    except (ValueError, TypeError, AttributeError) as problem:
        raise Failure(
            f"the response of the server is not a result of call_aws ({type(problem).__name__})",
            "Check that the image contains the locked version of awslabs.aws-api-mcp-server",
        ) from problem
    error = error or response.get("error")
    if error is not None or arn is None:
        raise result_failure(str(error or "the result has neither an identity nor an error"), account)
    check_identity(arn, account)
    expected = botocore.session.Session(profile=account.profile).get_scoped_config().get("region")
    if region is not None and expected is not None and region != expected:
        raise Failure(
            f"commands without --region use {region}, expected the profile's region {expected}",
            "Remove AWS_REGION and AWS_DEFAULT_REGION from the pod's environment: they override every profile",
        )


def result_failure(error: str, account: Account) -> Failure:
    """Describes an error that call_aws returns."""
    rejected = re.search(r"\((\w+)\) when calling the \w+ operation(?: \([^)]*\))?: (.*)", error, re.DOTALL)
    if rejected is not None:
        failure = aws_failure(rejected[1], rejected[2], account)
        return type(failure)(f"through the server: {failure.what}", failure.fix)
    if "could not be found" in error:
        return Failure(f"profile {account.profile} is not in the AWS config file of the server", UPDATE)
    if "denied by security policy" in error:
        return Failure("the server denies `aws sts get-caller-identity`", "Remove it from mcp.denyList")
    return Failure(f"the role can be assumed, but call_aws failed: {clip(error)}", LOGS)


async def check_call(session: ClientSession, account: Account, deadline: float) -> None:
    """Calls call_aws for one account. Raises Failure; retries Propagating until `deadline`."""
    command = f"aws sts get-caller-identity --profile {shlex.quote(account.profile)}"
    while True:
        try:
            return check_result(await session.call_tool("call_aws", {"cli_command": command}), account)
        except Propagating:
            if time.monotonic() >= deadline:
                raise
        except McpError as error:
            raise Failure(f"call_aws failed ({clip(error.error.message)})", LOGS) from error
        await asyncio.sleep(2)


async def check_through_server(report: Report, deadline: float) -> None:
    """Calls the server for every account whose role was assumed directly. The others are failures already."""
    task = report.task
    accounts = [account for account in task.accounts if report.failure(account) is SKIPPED]

    async def first(session: ClientSession) -> None:
        tools = [tool.name for tool in (await session.list_tools()).tools]
        if "call_aws" not in tools:
            raise Failure(
                f"the server has no tool call_aws (found: {', '.join(tools) or 'none'})",
                "image.prebuilt must contain awslabs.aws-api-mcp-server",
            )
        for account in accounts:
            try:
                await check_call(session, account, deadline)
                report.results[account.profile] = None
            except Failure as failure:
                report.results[account.profile] = failure

    async def second(session: ClientSession) -> None:
        account = next((it for it in accounts if report.failure(it) is None), None)
        if account is None:
            return
        try:
            await check_call(session, account, deadline)
        except Failure as failure:
            report.results[account.profile] = Failure(f"at the second connection: {failure.what}", failure.fix)

    try:
        await connected(task, first, deadline)
        await connected(task, second, deadline)
        report.server = None
    except Failure as failure:
        report.server = failure


# --- Main ------------------------------------------------------------------------------------------------------------


def verify(report: Report, start: float, seconds: float) -> None:
    """Fills the report. The direct check comes first, because its failures explain those of the server."""
    check_all_directly(report, start + min(PROPAGATION_SECONDS, seconds / 2))
    deadline = min(time.monotonic() + CONNECT_SECONDS, start + seconds * 0.8)
    asyncio.run(check_through_server(report, deadline))


def termination_message(report: Report) -> bytes:
    """The summary and the failures, truncated to the limit of Kubernetes. The log has all of them."""
    text = "\n".join([report.lines()[-1], *report.failures()]).encode()
    if len(text) <= TERMINATION_MESSAGE_BYTES:
        return text
    cut = " … (more in the log)".encode()
    return text[: TERMINATION_MESSAGE_BYTES - len(cut)].decode(errors="ignore").encode() + cut


def main(accounts_file: str, termination_log: str = TERMINATION_LOG) -> int:
    """Runs the checks within the time limit and prints the results. Returns the exit code."""
    start = time.monotonic()
    # The report has the failures: suppress what the libraries log about lost connections.
    logging.disable(logging.CRITICAL)
    task = read_task(accounts_file)
    report = Report(task)
    seconds = task.seconds * TIMEOUT_SHARE
    # A daemon thread, because a thread that hangs in name resolution cannot be stopped.
    worker = threading.Thread(target=verify, args=(report, start, seconds), daemon=True)
    worker.start()
    worker.join(max(0.0, start + seconds - time.monotonic()))
    for line in report.lines():
        show(line)
    if not report.failures():
        return 0
    try:
        # Opened without creating it: the file exists in pods only.
        with open(termination_log, "r+b") as file:
            file.truncate()
            file.write(termination_message(report))
    except OSError:
        pass
    return 1


if __name__ == "__main__":
    code = main(*sys.argv[1:])
    sys.stdout.flush()
    # End the process even if threads still wait for name resolution or a connection.
    os._exit(code)
