"""Shows that every account answers Holmes, from inside the cluster.

    /opt/venv/bin/python3 verify.py accounts.json [termination-log]

Runs in a Job with the image, service account, AWS profiles and environment of the MCP server:

1. asks every account who we are, with the AWS SDK and the server's profiles; what AWS refuses while a new role or
   provider is still spreading through IAM is asked again for a bounded time;
2. speaks MCP to the server, as Holmes does: initialize, list the tools, one call per account, then a second connection.

accounts.json: {"endpoint": URL, "transport": "sse" or "streamable-http", "timeoutSeconds": N,
"accounts": [{"profile", "accountId", "roleArn"}]}. Prints one line per account and a summary, and writes the failures
to the container's termination message (default /dev/termination-log, left out where there is none). Exit code 0 when
every account answers, else 1. Nothing that an account contains is printed, only ids and names.
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

# Part of the time given that the script uses: the rest is for the pod's start and for the last words.
BUSY = 0.85
# Seconds. IAM settles within some 10 s, rarely a minute; a Service's address is known to a node within a few.
SETTLING = 120
CONNECTING = 30
CALL = 60
# Accounts asked at the same time.
SIDE_BY_SIDE = 16
# Bytes of a termination message, and where it goes (Kubernetes, "Customizing the termination message").
TERMINATION_MESSAGE = 4096
TERMINATION_LOG = "/dev/termination-log"

# The SDK's own tables, read once: with a copy in every session, 100 accounts would take 900 MB.
MODELS = botocore.loaders.create_loader()

# How STS refuses a role, a provider or a trust policy that it does not know yet.
UNSETTLED = {"AccessDenied", "InvalidIdentityToken", "IDPCommunicationError"}

UPDATE = "run `pulumi up`, which renews the pods when their accounts change"
DOCTOR = "`npm run doctor -- --stack STACK` compares the account with the config"


@dataclass(frozen=True)
class Account:
    """A target account, and the role that has to answer for it."""

    profile: str
    account_id: str
    role_arn: str

    @property
    def role(self) -> str:
        """The role's name: the ARN without its IAM path, as STS shows it."""
        return self.role_arn.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return f"{self.profile} ({self.account_id})"


@dataclass(frozen=True)
class Task:
    """What accounts.json asks for."""

    endpoint: str
    transport: str
    seconds: float
    accounts: list[Account]


class Failure(Exception):
    """What is wrong, and what to do about it."""

    def __init__(self, what: str, todo: str):
        super().__init__(what, todo)
        self.what, self.todo = what, todo

    def __str__(self) -> str:
        return " ".join(f"{self.what}. To do: {self.todo}.".split())


class Unsettled(Failure):
    """A refusal that may pass when IAM has settled."""


class Unreachable(Failure):
    """No connection to the server: its address may not be known on this node yet."""


@dataclass
class Report:
    """What is known so far. Written by the checks, read by main() at the end or when time is over."""

    task: Task
    server: Failure | None = field(
        default_factory=lambda: Failure(
            "it was not asked before the time was over", "see the accounts, or raise verify.timeoutSeconds"
        )
    )
    direct: dict[str, Failure | None] = field(default_factory=dict)
    through_server: dict[str, Failure | None] = field(default_factory=dict)

    def answered(self, account: Account) -> bool:
        """Whether the account's role answered the SDK."""
        return account.profile in self.direct and self.direct[account.profile] is None

    def failure(self, account: Account) -> Failure | None:
        """The first thing that is wrong with an account; None when it answers both ways."""
        late = Failure("no answer before the time was over", "raise verify.timeoutSeconds, or see what hangs")
        if not self.answered(account):
            return self.direct.get(account.profile, late)
        unasked = Failure("the role answers, but the server was not asked", "see the line of the server")
        return self.through_server.get(account.profile, unasked if self.server else late)

    def failures(self) -> list[str]:
        """One line per failure: the server's first, because it explains the others."""
        lines = [] if self.server is None else [f"FAIL  server {self.task.endpoint}: {self.server}"]
        wrong = [(account, self.failure(account)) for account in self.task.accounts]
        return lines + [f"FAIL  {account}: {failure}" for account, failure in wrong if failure is not None]

    def lines(self) -> list[str]:
        """Every account, the server when it fails, and the summary."""
        right = [account for account in self.task.accounts if self.failure(account) is None]
        ok = [f"ok    {account}: {account.role} answers, directly and through the server" for account in right]
        summary = f"{len(right)} of {len(self.task.accounts)} accounts answer through {self.task.endpoint}"
        return [*ok, *self.failures(), summary + ("" if self.server is None else "; the server fails")]


def say(line: str) -> None:
    """Prints at once, for those who follow the log."""
    print(line, flush=True)


def read_task(file: str) -> Task:
    """Reads accounts.json; raises Failure when it is not what it has to be."""
    try:
        with open(file, encoding="utf-8") as text:
            content = json.load(text)
        accounts = [Account(it["profile"], it["accountId"], it["roleArn"]) for it in content["accounts"]]
        task = Task(content["endpoint"], content["transport"], float(content["timeoutSeconds"]), accounts)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Failure(f"{file} cannot be read ({type(error).__name__}: {error})", UPDATE) from error
    if task.transport not in ("sse", "streamable-http"):
        raise Failure(f'{file} names transport "{task.transport}"', "mcp.transport is sse or streamable-http")
    return task


# --- Who answers -----------------------------------------------------------------------------------------------------


def check_identity(arn: str, account: Account) -> None:
    """Raises Failure unless `arn`, the caller's identity, is a session of the account's role."""
    found = re.fullmatch(r"arn:[^:]+:sts::(\d{12}):assumed-role/([^/]+)/(.+)", arn)
    if found is None:
        raise Failure(
            f"{arn} answers, which is no role's session",
            "take AWS keys out of mcp.env and of what else sets the pod's environment",
        )
    account_id, role, session = found.groups()
    if (account_id, role) == (account.account_id, account.role):
        return
    if re.fullmatch(r"i-[0-9a-f]{8,17}", session):
        raise Failure(
            f"the node's own role {role} of account {account_id} answers, not {account.role}",
            "keep pods away from instance metadata (AWS_EC2_METADATA_DISABLED=true, mcp.networkPolicy.enabled), and see"
            f" that profile {account.profile} of the AWS config file names its role",
        )
    if account_id != account.account_id:
        which = "the right role" if role == account.role else f"role {role}"
        raise Failure(
            f"{which}, but of account {account_id}, answers",
            f"compare targetAccounts[].accountId of {account.profile} with the account that is meant, then {UPDATE}",
        )
    raise Failure(
        f"another role of the account answers: {role}, not {account.role}",
        f"compare iam.roleName with the profile's role_arn, then {UPDATE}",
    )


def token_claims(profile: str) -> dict:
    """Claims of the token that the profile sends: issuer, subject and audience are names, not secrets."""
    try:
        config = botocore.session.Session(profile=profile).get_scoped_config()
        with open(config["web_identity_token_file"], encoding="utf-8") as file:
            payload = file.read().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return claims if isinstance(claims, dict) else {}
    except (aws.BotoCoreError, OSError, ValueError, IndexError, KeyError):
        return {}


def refusal(code: str, message: str, account: Account) -> Failure:
    """Puts AWS's error code into words. An Unsettled may pass by itself."""
    claims = token_claims(account.profile)
    issuer, subject = claims.get("iss", "unknown"), claims.get("sub", "unknown")
    audience = claims.get("aud", "unknown")
    if isinstance(audience, list):
        audience = ", ".join(audience)
    if code == "AccessDenied":
        return Unsettled(
            f"AWS refuses the role ({code}): account {account.account_id} has no role {account.role}, or its trust"
            f" policy does not name issuer {issuer}, subject {subject} and audience {audience} together",
            f"check iam.roleName, kubernetes.namespace, kubernetes.serviceAccount and the cluster's issuer; {DOCTOR}",
        )
    if code == "InvalidIdentityToken":
        if "No OpenIDConnect provider" in message:
            return Unsettled(
                f"account {account.account_id} has no OIDC provider for issuer {issuer}",
                f"run `pulumi up`; where existingOidcProviders lists the cluster or manage is false, make it there;"
                f" {DOCTOR}",
            )
        if "audience" in message.lower():
            return Unsettled(
                f"the OIDC provider of account {account.account_id} does not accept audience {audience}",
                "`aws iam add-client-id-to-open-id-connect-provider --client-id sts.amazonaws.com` on that provider, or"
                " adopt it",
            )
        if "verification key" in message:
            return Unsettled(
                f"AWS cannot get the keys of issuer {issuer}",
                f"see that {issuer}/.well-known/openid-configuration can be read from the internet",
            )
        return Unsettled(f"AWS refuses the pod's token ({code}: {clip(message)})", DOCTOR)
    if code == "IDPCommunicationError":
        return Unsettled(
            f"AWS cannot reach issuer {issuer}", f"see that {issuer}/.well-known/openid-configuration is public"
        )
    if code in ("ExpiredToken", "ExpiredTokenException"):
        return Failure("the pod's token has expired", "see that the node's clock is right, and restart the pod")
    if code == "RegionDisabledException":
        return Failure(
            "STS is not active in the profile's region", "switch the region on, or set targetAccounts[].region"
        )
    return Failure(f"AWS answers {code}: {clip(message)}", DOCTOR)


def clip(text: str, most: int = 300) -> str:
    """Foreign text, short enough for a line."""
    return text if len(text) <= most else f"{text[:most]}…"


def sdk_failure(error: Exception, account: Account) -> Failure:
    """Puts what the AWS SDK raises into words."""
    file = os.environ.get("AWS_CONFIG_FILE", "~/.aws/config")
    if isinstance(error, aws.ClientError):
        return refusal(error.response["Error"]["Code"], error.response["Error"]["Message"], account)
    if isinstance(error, aws.ProfileNotFound):
        return Failure(f"profile {account.profile} is not in the AWS config file {file}", UPDATE)
    if isinstance(error, (aws.NoCredentialsError, aws.InvalidConfigError, aws.PartialCredentialsError)):
        return Failure(f"profile {account.profile} of {file} names no role that can be taken", UPDATE)
    if isinstance(error, aws.SSLError):
        return Failure(
            f"the certificate of STS is not trusted ({clip(str(error))})",
            "give the CA of the proxy in between: mcp.extraVolumes, and AWS_CA_BUNDLE in mcp.env",
        )
    # ConnectionError is the SDK's word for proxies and endpoints, HTTPClientError for what breaks on the way.
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        return Failure(
            f"no connection to STS ({clip(str(error))})",
            "let the pod out to it: mcp.networkPolicy.egressPorts and additionalEgress, the subnet's NAT or a VPC"
            " endpoint for STS in the profile's region; a proxy goes into mcp.env as HTTPS_PROXY",
        )
    if isinstance(error, OSError):
        return Failure(
            f"the pod's token cannot be read ({error.strerror}: {error.filename})",
            "see that the pod has the projected service account token of the plan's manifests; " + UPDATE,
        )
    return Failure(f"the AWS SDK fails ({type(error).__name__}: {clip(str(error))})", DOCTOR)


def ask_directly(account: Account, settled: float) -> None:
    """Takes the account's role with the server's profile. Raises Failure; Unsettled is tried again until `settled`."""
    config = Config(connect_timeout=5, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
    start, pause = time.monotonic(), 1.0
    while True:
        try:
            # A new session each time: the SDK keeps what it was told.
            session = botocore.session.Session(profile=account.profile)
            session.register_component("data_loader", MODELS)
            session.set_default_client_config(config)
            arn = session.create_client("sts").get_caller_identity()["Arn"]
        except Exception as error:  # noqa: BLE001: every failure becomes the account's line
            failure = sdk_failure(error, account)
        else:
            return check_identity(arn, account)
        left = settled - time.monotonic()
        if not isinstance(failure, Unsettled):
            raise failure
        if left <= 0:
            raise Failure(f"{failure.what}; still so after {time.monotonic() - start:.0f} s", failure.todo)
        if pause == 1.0:
            say(f"wait  {account}: refused so far; a new role takes some seconds, asked again for {left:.0f} s")
        time.sleep(min(pause, left))
        pause = min(pause * 2, 10)


def ask_all_directly(report: Report, settled: float) -> None:
    """Asks all accounts side by side."""

    def ask(account: Account) -> None:
        try:
            ask_directly(account, settled)
            report.direct[account.profile] = None
        except Failure as failure:
            report.direct[account.profile] = failure

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(ask, report.task.accounts))


# --- Through the server ----------------------------------------------------------------------------------------------


async def raise_for_error(response: httpx.Response) -> None:
    """The transports hide some status codes; this shows them all."""
    if response.is_error:
        raise httpx.HTTPStatusError("refused", request=response.request, response=response)


def http_client(headers=None, timeout=None, auth=None) -> httpx.AsyncClient:
    """Straight to the Service: Holmes takes no proxy of ours either. Sends the token that the server requires."""
    hooks = {"response": [raise_for_error]}
    tokens = os.environ.get("HOLMES_AWS_MCP_TOKENS_FILE")
    if tokens:
        current = Path(tokens).read_text(encoding="utf-8").split()[0]
        headers = {**(headers or {}), "Authorization": f"Bearer {current}"}
    return httpx.AsyncClient(headers=headers, timeout=timeout, auth=auth, trust_env=False, event_hooks=hooks)


@asynccontextmanager
async def streams(task: Task):
    """The two message streams of a connection, in the transport that Holmes is told to use."""
    if task.transport == "sse":
        connection = sse_client(task.endpoint, timeout=10, sse_read_timeout=CALL, httpx_client_factory=http_client)
        async with connection as both:
            yield both
    else:
        async with (
            http_client(timeout=httpx.Timeout(10, read=CALL)) as client,
            streamable_http_client(task.endpoint, http_client=client) as (read, write, _),
        ):
            yield read, write


def telling(error: BaseException) -> BaseException:
    """Of what a task group collected, the error that explains the others."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [telling(inner) for inner in error.exceptions]
    return next((it for it in leaves if isinstance(it, (Failure, httpx.HTTPError))), leaves[0])


def connection_failure(error: BaseException, task: Task) -> Failure:
    """Puts what broke a connection into words."""
    error = telling(error)
    if isinstance(error, Failure):
        return error
    status = error.response.status_code if isinstance(error, httpx.HTTPStatusError) else None
    code = error.error.code if isinstance(error, McpError) else None
    if status in (400, 404, 405, 406):
        return Failure(
            f"it does not speak {task.transport} at this address (HTTP {status})",
            "mcp.transport, the pods and the url and mode in Holmes' configuration have to agree; after a change of"
            f" mcp.transport {UPDATE}",
        )
    # The server's own check answers initialize with "invalid params", the transport's with 421.
    if status == 421 or code == INVALID_PARAMS:
        return Failure(
            "it refuses the name that it is called by",
            "AWS_API_MCP_ALLOWED_HOSTS of the Deployment has to name the Service; do not set it in mcp.env",
        )
    if status in (502, 503, 504) or isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
        return Unreachable(
            f"no connection ({f'HTTP {status}' if status else str(error) or type(error).__name__})",
            "`kubectl get pods,endpointslices -l app=aws-api-mcp-server` and `kubectl logs -l app=aws-api-mcp-server` in"
            " its namespace; the server does not start without https://servicereference.us-east-1.amazonaws.com",
        )
    if status is not None:
        return Failure(f"it answers HTTP {status}", "see what stands in front of it, such as a service mesh")
    if isinstance(error, (httpx.TimeoutException, TimeoutError)) or code == httpx.codes.REQUEST_TIMEOUT:
        return Failure(f"no answer within {CALL} s", "`kubectl logs -l app=aws-api-mcp-server` in its namespace")
    return Failure(
        f"the MCP connection breaks ({type(error).__name__}: {clip(str(error))})",
        "`kubectl logs -l app=aws-api-mcp-server` in its namespace",
    )


async def connected(task: Task, work: Callable[[ClientSession], Awaitable[None]], patience: float) -> None:
    """Does `work` in one MCP session. Raises Failure; Unreachable is tried again until `patience` (monotonic)."""
    waiting = False
    while True:
        try:
            async with streams(task) as (read, write), ClientSession(read, write, timedelta(seconds=CALL)) as session:
                await session.initialize()
                return await work(session)
        except Exception as error:  # noqa: BLE001: a task group wraps whatever it was
            failure = connection_failure(error, task)
        left = patience - time.monotonic()
        if not isinstance(failure, Unreachable) or left <= 0:
            raise failure
        if not waiting:
            say(f"wait  server {task.endpoint}: no connection so far, tried again for {left:.0f} s")
        waiting = True
        await asyncio.sleep(min(2, left))


def check_answer(answer: CallToolResult, account: Account) -> None:
    """Raises Failure unless call_aws answered with the account's role, in the profile's region."""
    text = "".join(part.text for part in answer.content if part.type == "text")
    try:
        result = json.loads(text)
        # The legacy image has no launcher: its server returns a list, with AWS's answer as JSON inside JSON.
        (result,) = result if isinstance(result, list) else (result,)
        response = result.get("response") or {}
        error = result.get("error")
        arn = result.get("Arn") or json.loads(response.get("as_json") or "{}").get("Arn")
        region = (result.get("metadata") or {}).get("region_name")
    except (ValueError, TypeError, AttributeError) as problem:
        raise Failure(
            f"the server answers something that is not an answer of call_aws ({type(problem).__name__})",
            "see that the image holds the locked awslabs.aws-api-mcp-server",
        ) from problem
    error = error or response.get("error")
    if error is not None or arn is None:
        raise answer_failure(str(error or "neither an identity nor an error"), account)
    check_identity(arn, account)
    wanted = botocore.session.Session(profile=account.profile).get_scoped_config().get("region")
    if region is not None and wanted is not None and region != wanted:
        raise Failure(
            f"the server's commands without --region go to {region}, not to the profile's {wanted}",
            "take AWS_REGION and AWS_DEFAULT_REGION out of the pod's environment: they win over every profile",
        )


def answer_failure(error: str, account: Account) -> Failure:
    """Puts an error that call_aws hands on into words."""
    refused = re.search(r"\((\w+)\) when calling the \w+ operation(?: \([^)]*\))?: (.*)", error, re.DOTALL)
    if refused is not None:
        failure = refusal(refused[1], refused[2], account)
        return type(failure)(f"through the server {failure.what}", failure.todo)
    if "could not be found" in error:
        return Failure(
            f"the server does not know profile {account.profile}", f"its pod is older than its accounts: {UPDATE}"
        )
    if "denied by security policy" in error:
        return Failure("the server denies `aws sts get-caller-identity`", "take it out of mcp.denyList")
    return Failure(f"the role answers, but the server fails: {clip(error)}", "`kubectl logs -l app=aws-api-mcp-server`")


async def ask(session: ClientSession, account: Account, settled: float) -> None:
    """One call of call_aws. Raises Failure; Unsettled is tried again until `settled`."""
    command = f"aws sts get-caller-identity --profile {shlex.quote(account.profile)}"
    while True:
        try:
            return check_answer(await session.call_tool("call_aws", {"cli_command": command}), account)
        except Unsettled:
            if time.monotonic() >= settled:
                raise
        except McpError as error:
            raise Failure(
                f"the server does not answer ({clip(error.error.message)})", "`kubectl logs -l app=aws-api-mcp-server`"
            ) from error
        await asyncio.sleep(2)


async def ask_through_server(report: Report, patience: float) -> None:
    """Asks the server for every account whose role answered directly; the others have their line already."""
    task = report.task
    accounts = [account for account in task.accounts if report.answered(account)]

    async def first(session: ClientSession) -> None:
        tools = [tool.name for tool in (await session.list_tools()).tools]
        if "call_aws" not in tools:
            raise Failure(
                f"it has no tool call_aws, only {', '.join(tools) or 'none'}",
                "image.prebuilt has to hold awslabs.aws-api-mcp-server",
            )
        for account in accounts:
            try:
                await ask(session, account, patience)
                report.through_server[account.profile] = None
            except Failure as failure:
                report.through_server[account.profile] = failure

    async def again(session: ClientSession) -> None:
        account = next((it for it in accounts if report.through_server[it.profile] is None), None)
        if account is None:
            return
        try:
            await ask(session, account, patience)
        except Failure as failure:
            second = Failure(f"at the second connection: {failure.what}", failure.todo)
            report.through_server[account.profile] = second

    try:
        await connected(task, first, patience)
        await connected(task, again, patience)
        report.server = None
    except Failure as failure:
        report.server = failure


# --- The run ---------------------------------------------------------------------------------------------------------


def verify(report: Report, start: float, seconds: float) -> None:
    """Fills the report: directly first, because a role that does not answer explains a server that does not."""
    ask_all_directly(report, start + min(SETTLING, seconds / 2))
    patience = min(time.monotonic() + CONNECTING, start + seconds * 0.8)
    asyncio.run(ask_through_server(report, patience))


def termination_message(report: Report) -> bytes:
    """The failures, cut to what Kubernetes keeps; the whole is in the log."""
    text = "\n".join([report.lines()[-1], *report.failures()]).encode()
    if len(text) <= TERMINATION_MESSAGE:
        return text
    cut = " … (more in the log)".encode()
    return text[: TERMINATION_MESSAGE - len(cut)].decode(errors="ignore").encode() + cut


def main(arguments: list[str]) -> int:
    """Runs the checks within their time and prints what came out."""
    start = time.monotonic()
    # What the libraries would print about a lost connection is in our own lines.
    logging.disable(logging.CRITICAL)
    if len(arguments) not in (1, 2):
        say("usage: verify.py accounts.json [termination-log]")
        return 1
    try:
        task = read_task(arguments[0])
    except Failure as failure:
        say(f"FAIL  {failure}")
        return 1
    report = Report(task)
    seconds = task.seconds * BUSY
    # A thread that hangs in the name resolution cannot be ended: it is left behind.
    worker = threading.Thread(target=verify, args=(report, start, seconds), daemon=True)
    worker.start()
    worker.join(max(0.0, start + seconds - time.monotonic()))
    for line in report.lines():
        say(line)
    if not report.failures():
        return 0
    try:
        # Not made where it is missing: then this is no pod, and the log has it all.
        with open(arguments[1] if len(arguments) == 2 else TERMINATION_LOG, "r+b") as file:
            file.truncate()
            file.write(termination_message(report))
    except OSError:
        pass
    return 1


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    # Threads that still wait for a name or a connection would keep the process alive.
    os._exit(code)
