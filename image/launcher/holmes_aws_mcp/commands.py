"""Runs one AWS CLI command with the server's own functions, between both walls.

Globals of the server that a command uses, and why threads can share them here:
- `parser.parser`, `parser.command_table`, the driver's session and its event handlers: built lazily while a command
  is parsed, so parsing runs under `_parse_lock`. It takes 2 to 3 ms and waits for no network.
- `READ_OPERATIONS_INDEX`: filled from the service reference. `_fill_reference` assigns each list as a whole.
- `boto3`'s client and default session: replaced by `Aws`, which creates clients under a lock.
- `sys.stdout` and `sys.stderr`: separate for each thread (output.py). Each customized command of the CLI has its own
  driver.
- `SecurityPolicy`: created for each command. Wall 1 checks the deny list.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import re
import shlex
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import botocore.session
import requests
from awscli import paramfile
from awscli.alias import BaseAliasCommand
from awscli.clidriver import ServiceCommand
from awslabs.aws_api_mcp_server.core.aws import pagination
from awslabs.aws_api_mcp_server.core.aws.driver import translate_cli_to_ir
from awslabs.aws_api_mcp_server.core.aws.service import check_security_policy
from awslabs.aws_api_mcp_server.core.aws.services import get_awscli_driver
from awslabs.aws_api_mcp_server.core.common import help_command
from awslabs.aws_api_mcp_server.core.common.errors import AwsApiMcpError
from awslabs.aws_api_mcp_server.core.common.helpers import Boto3Encoder
from awslabs.aws_api_mcp_server.core.metadata import read_only_operations_list
from awslabs.aws_api_mcp_server.core.parser import interpretation, parser
from awslabs.aws_api_mcp_server.core.parser.lexer import split_cli_command
from awslabs.aws_api_mcp_server.core.security import policy
from botocore import xform_name
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.response import StreamingBody
from jmespath.visitor import TreeInterpreter, Visitor

from . import job as jobs
from . import output
from .aws import Aws
from .guard import Guard, refused
from .job import RECEIVED_PER_ANSWER, CommandError, Job, too_large

# Services whose parsed command tables are cached. EC2 takes about 20 MB, most others less than 1 MB.
MAX_PARSED_SERVICES = 32
# Parsed after the start, so that the first question does not wait for them.
USUAL_SERVICES = (
    "sts", "ec2", "cloudwatch", "logs", "cloudtrail", "s3api", "rds", "eks", "elbv2", "iam", "ce", "lambda",
)  # fmt: skip
# Other services that customized commands of the CLI call.
ALSO_CALLED = {"s3": {"s3"}, "cloudtrail": {"s3", "organizations"}, "emr": {"ec2"}, "datapipeline": {"iam"}}

# Nodes of a --query whose result can contain the same value more than once. Other nodes return an existing value.
REPEATING_NODES = frozenset({
    "multi_select_list", "multi_select_dict", "projection", "filter_projection", "value_projection", "flatten",
    "function_expression",
})  # fmt: skip

REGION_WILDCARD = re.compile(r"""--region(?:\s+|=)(['"]?)\*\1(?=\s|$)""")


class BoundedEncoder(Boto3Encoder):
    """The server's encoder, which reads a streamed body only up to the size of an answer."""

    def default(self, o: Any) -> Any:
        if isinstance(o, StreamingBody):
            job = jobs.current()
            limit = job.max_answer_bytes if job else 0
            body = o.read(limit + 1)
            if len(body) > limit:
                raise too_large(limit)
            return self._decode_bytes(body)
        return super().default(o)


def _visit(self: Any, node: Any, *args: Any, **options: Any) -> Any:
    """JMESPath's own method with the limits of the job. A short --query can double its input at every step."""
    value = Visitor.visit(self, node, *args, **options)
    job = jobs.current()
    if job is not None:
        job.check()
        if isinstance(value, (str, list, dict)) and len(value) > job.max_answer_bytes:
            raise too_large(job.max_answer_bytes)
        # Nested lists that repeat a value take little memory until a function or a comparison reads all of them.
        if node["type"] in REPEATING_NODES and _is_larger(value, RECEIVED_PER_ANSWER * job.max_answer_bytes):
            raise too_large(job.max_answer_bytes)
    return value


def _is_larger(value: Any, limit: int) -> bool:
    """Whether a value has more than `limit` characters and elements. Repeated values count each time."""
    size = 0
    unread = [value]
    while unread and size <= limit:
        part = unread.pop()
        size += len(part) if isinstance(part, str) else 1
        if isinstance(part, dict):
            unread.extend(part.values())
        elif isinstance(part, list):
            unread.extend(part)
    return size > limit


@contextlib.contextmanager
def _errors(job: Job) -> Iterator[None]:
    """Converts every exception of a command to a CommandError."""
    try:
        yield
    except CommandError:
        raise
    except ClientError as error:
        response = error.response
        details = {
            "error_code": response.get("Error", {}).get("Code"),
            "request_id": response.get("ResponseMetadata", {}).get("RequestId"),
        }
        present = {name: str(value) for name, value in details.items() if value}
        raise CommandError(str(error), "error", **present) from error
    except NoCredentialsError as error:
        raise CommandError(f"No AWS credentials found for profile {job.profile}.", "error") from error
    # Includes SystemExit: the parser of the CLI exits the process on an invalid argument.
    except BaseException as error:
        # botocore wraps the error that ended the job, and reports the closed connection as another error.
        job.check()
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, CommandError):
                raise cause from error
            cause = cause.__cause__ or cause.__context__
        if isinstance(error, AwsApiMcpError):
            raise CommandError(error.as_failure().reason, "invalid") from error
        text = str(error) if isinstance(error, Exception) else f"the AWS CLI exited ({type(error).__name__})"
        raise CommandError(f"Error while executing the command: {text}", "error") from error


class Runner:
    """Parses, checks and executes commands. `execute` runs in a thread of the pool."""

    def __init__(self, server: Any, guard: Guard, aws: Aws) -> None:
        self._server = server
        self._guard = guard
        self._aws = aws
        self._parse_lock = threading.Lock()
        self._parsed: OrderedDict[str, None] = OrderedDict()

    def warm(self) -> None:
        """Loads the models of the usual services."""
        for service in USUAL_SERVICES:
            with self._parse_lock:
                command = parser.command_table[service]
                self._keep(service)
                command._get_command_table()
            for kind in ("endpoint-rule-set-1", "paginators-1"):
                self._aws.loader.load_service_model(command.service_model.service_name, kind)
        gc.freeze()

    def expand(self, command: str, job: Job) -> list[str]:
        """Replaces `--region *` with each enabled region of the account."""
        with jobs.working_on(job), _errors(job):
            _, _, profile = self._inspect(command)
            listing = (
                "aws account list-regions --region-opt-status-contains ENABLED ENABLED_BY_DEFAULT"
                f" --query Regions[].RegionName --profile {shlex.quote(profile)}"
            )
            found = json.loads(self._execute(listing, None, job))
        return [REGION_WILDCARD.sub(f"--region {region}", command) for region in found]

    def execute(self, command: str, max_results: int | None, job: Job) -> str:
        """Runs one command.

        Returns:
            The response of AWS as JSON text, or the output of a customized command of the CLI.

        Raises:
            CommandError: the command was refused or denied, failed, or ended early.
        """
        with jobs.working_on(job), _errors(job):
            return self._execute(command, max_results, job)

    def _execute(self, command: str, max_results: int | None, job: Job) -> str:
        job.check()
        tokens, options, job.profile = self._inspect(command)
        job.service = options.command
        if options.profile is None:
            command = f"{command} --profile {job.profile}"
        with self._parse_lock:
            self._keep(options.command)
            translation = translate_cli_to_ir(command)
        failures = [*(translation.validation_failures or []), *(translation.missing_context_failures or [])]
        parsed = translation.command
        if parsed is None or failures:
            reasons = "; ".join(failure.reason for failure in failures) or "not understood"
            raise CommandError(f"Error while validating the command: {reasons}", "invalid")
        # Check again with the names that the parser found: those of the API.
        metadata = parsed.command_metadata
        operation = xform_name(metadata.operation_sdk_name).replace("_", "-")
        job.operation = metadata.operation_sdk_name
        service = metadata.service_sdk_name
        self._guard.check_command(f"{metadata.service_cli_name or service} {operation}", f"{service} {operation}")
        if parsed.profile != job.profile:
            raise refused("The profile of the command is ambiguous. Expected one --profile.")
        # Without a context the server cannot request consent, so it denies operations that require consent.
        decision = check_security_policy(translation, self._server.READ_OPERATIONS_INDEX, ctx=None)
        if decision != policy.PolicyDecision.ALLOW:
            raise CommandError("Execution of this operation is denied by security policy.", "denied")
        if parsed.is_help_operation:
            with self._parse_lock:
                return self._json(help_command.generate_help_document(tokens[1], tokens[2]), job)
        job.region = parsed.region
        job.services = frozenset({"sts", self._sdk_name(options.command), *ALSO_CALLED.get(options.command, ())})
        credentials = self._aws.credentials(job.profile)
        job.check()
        if parsed.is_awscli_customization:
            return self._customization(tokens, credentials, job)
        response = interpretation.interpret(
            parsed,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            session_token=credentials.session_token,
            region=job.region,
            client_side_filter=parsed.client_side_filter,
            max_results=max_results,
            endpoint_url=parsed.endpoint_url,
        )
        response.pop("ResponseMetadata", None)
        if parsed.client_side_filter is not None and set(response) == {"Result"}:
            return self._json(response["Result"], job)
        return self._json(response, job)

    def _inspect(self, command: str) -> tuple[list[str], Any, str]:
        """Applies wall 1 to the words of the command, and to the options as the parser of the AWS CLI reads them."""
        tokens = split_cli_command(command)
        self._guard.check_tokens(tokens)
        with self._parse_lock:
            options, rest = parser.parser.parse_known_args(tokens[1:])
        self._guard.check_options(options)
        if isinstance(parser.command_table[options.command], BaseAliasCommand):
            raise refused(f"The command {options.command[:64]} is an alias. Expected a command of the AWS CLI.")
        words = [word for word in rest if not word.startswith("-")][:2]
        self._guard.check_command(" ".join([options.command, *words[:1]]), " ".join([options.command, *words]))
        return tokens, options, self._guard.check_profile(options.profile)

    def _sdk_name(self, command: str) -> str:
        entry = parser.command_table[command]
        return str(entry.service_model.service_name) if isinstance(entry, ServiceCommand) else command

    def _keep(self, service: str) -> None:
        """Caches the command table of a service and evicts the least recently used one. Requires the parse lock."""
        if not isinstance(parser.command_table.get(service), ServiceCommand):
            return
        self._parsed[service] = None
        self._parsed.move_to_end(service)
        while len(self._parsed) > MAX_PARSED_SERVICES:
            oldest, _ = self._parsed.popitem(last=False)
            entry = parser.command_table[oldest]
            entry._command_table = entry._service_model = None

    def _customization(self, tokens: list[str], credentials: Any, job: Job) -> str:
        stdout = output.BoundedText(job.max_answer_bytes, too_large(job.max_answer_bytes))
        stderr = io.StringIO()
        driver = get_awscli_driver(credentials)
        self._aws.adopt(driver.session)
        with output.captured(stdout, stderr):
            code = driver.main(tokens[1:])
        job.check()
        if code == 0:
            return stdout.getvalue()
        errors = stderr.getvalue().strip() or f"The command ended with exit code {code}."
        if not stdout.getvalue():
            raise CommandError(errors, "error")
        # Return both, because the output before an error is incomplete.
        stdout.write(errors)
        return stdout.getvalue()

    def _json(self, value: Any, job: Job) -> str:
        text = output.BoundedText(job.max_answer_bytes, too_large(job.max_answer_bytes))
        # Write in chunks, because a filter can repeat values: its result can be much larger than the response.
        json.dump(value, text, cls=BoundedEncoder, ensure_ascii=False, separators=(",", ":"))
        return text.getvalue()


def _fill_reference(self: Any, service: str) -> None:
    """The server's own method, but other threads never see an incomplete list, which would deny reads."""
    try:
        timeout = read_only_operations_list.DEFAULT_REQUEST_TIMEOUT
        document = requests.get(self._service_reference_urls_by_service[service], timeout=timeout).json()
    except Exception as error:
        raise RuntimeError(f"Error retrieving the service reference document: {error}") from error
    actions = document["Actions"]
    self[service] = [action["Name"] for action in actions if not action["Annotations"]["Properties"]["IsWrite"]]


def install(aws: Aws) -> None:
    """Patches the server's modules to use the caches and limits of the launcher."""
    aws.adopt(parser.driver.session)
    interpretation.boto3 = aws
    interpretation.Boto3Encoder = BoundedEncoder
    pagination.Boto3Encoder = BoundedEncoder
    parser.get_region = lambda profile=None: aws.region(profile) or "us-east-1"
    read_only_operations_list.ReadOnlyOperations._cache_ready_only_operations_for_service = _fill_reference
    TreeInterpreter.visit = _visit
    # Two regular expressions of the server take cubic time or longer in the length of a value and block all threads.
    # The first does so only at a line break, which DOTALL avoids. The second belongs to a check that only prints hints.
    parser.ARN_PATTERN = re.compile(parser.ARN_PATTERN.pattern, re.DOTALL)
    parser.perform_ssm_validations = lambda operation, parameters: None
    # Otherwise each run of the CLI driver adds a log handler and sets its logger to DEBUG.
    botocore.session.Session.set_stream_logger = lambda self, *arguments, **options: None
    # Otherwise customized commands fetch a parameter that is a URL.
    paramfile.REMOTE_PREFIX_MAP.clear()
    # The deny list is in launcher.json. Otherwise the server looks for a file and logs a warning for each command.
    policy.SecurityPolicy._load_policy = lambda self: None
