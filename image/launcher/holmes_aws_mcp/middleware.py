"""The FastMCP middleware: lists the tools, runs calls and formats their answers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mcp.types as mt
from awslabs.aws_api_mcp_server.core.common.config import MAX_BATCH_COMMANDS
from fastmcp.exceptions import NotFoundError
from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools.base import Tool, ToolResult

from . import callers
from .calls import CallLog
from .commands import REGION_WILDCARD, Runner
from .guard import REFUSED_OPTIONS, Guard, refused
from .job import CommandError, Job
from .pool import Pool
from .settings import Settings

# --profile and its abbreviations.
_PROFILE = re.compile(r"""--p(?:r(?:o(?:f(?:i(?:le?)?)?)?)?)?['"]?(?:=|\s+)['"]?([^\s'"]+)""")


def description(settings: Settings) -> str:
    """Description of call_aws for the model: at most 1,200 characters, and one line for each account."""
    fallback = settings.fallback_profile
    lines = [
        "Runs AWS CLI commands, read-only. cli_command is one command or a list of up to "
        f"{MAX_BATCH_COMMANDS}, each starting with `aws`: no pipes, shell operators, variables or local files.",
        "Returns AWS's JSON answer; for a list, one entry per command. An `error` field means that the command failed: "
        "report it, do not treat it as an empty result. AccessDenied: do not repeat the command.",
        f"Ask for little: --query, filters, time ranges, --max-items. Answers over {settings.max_answer_bytes} bytes "
        f"and calls over {settings.call_timeout_seconds} s fail. Use a list for independent commands, --region '*' for "
        "all enabled regions.",
        f"Refused: writes, commands that return credentials or tokens, {', '.join(REFUSED_OPTIONS)}.",
        f"Without --profile, {fallback} is used. Accounts:" if fallback else "Every command needs --profile. Accounts:",
    ]
    accounts = [
        f"--profile {account.profile}: account {account.account_id}, region {account.region}"
        + (f" ({' '.join(account.description.split())})" if account.description else "")
        for account in settings.accounts
    ]
    return "\n".join([*lines, *accounts])


@dataclass
class _Answer:
    command: str
    text: str
    error: CommandError | None = None

    def single(self) -> str:
        """The answer to a single command."""
        return _error(self.error) if self.error else self.text

    def entry(self) -> str:
        """The JSON of a list entry. A response of AWS is already JSON and is not encoded again."""
        command = json.dumps(self.command, ensure_ascii=False)
        if self.error:
            return f'{{"cli_command":{command},{_error(self.error)[1:]}'
        return f'{{"cli_command":{command},"response":{self.text if _is_json(self.text) else json.dumps(self.text)}}}'


def _error(error: CommandError) -> str:
    return json.dumps({"error": str(error), **error.details}, ensure_ascii=False)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class _Call:
    session: str | None
    max_results: int | None
    deadline: float


class Guarded(Middleware):
    """Lists the enabled tools and runs call_aws."""

    def __init__(self, settings: Settings, guard: Guard, runner: Runner, pool: Pool, log: CallLog) -> None:
        self._settings = settings
        self._guard = guard
        self._runner = runner
        self._pool = pool
        self._log = log
        self._description = description(settings)

    def _is_listed(self, name: str) -> bool:
        return name == "call_aws" or (name == "suggest_aws_commands" and self._settings.suggest_commands)

    async def on_list_tools(
        self, context: MiddlewareContext[mt.ListToolsRequest], call_next: CallNext[mt.ListToolsRequest, Sequence[Tool]]
    ) -> Sequence[Tool]:
        tools = [tool for tool in await call_next(context) if self._is_listed(tool.name)]
        lean = {"description": self._description, "output_schema": None}
        return [tool.model_copy(update=lean) if tool.name == "call_aws" else tool for tool in tools]

    async def on_call_tool(
        self,
        context: MiddlewareContext[mt.CallToolRequestParams],
        call_next: CallNext[mt.CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        name = context.message.name
        if not self._is_listed(name):
            raise NotFoundError(f"Unknown tool: {name!r}")
        if name != "call_aws":
            return await call_next(context)
        session = context.fastmcp_context.session_id if context.fastmcp_context else None
        started = time.monotonic()
        try:
            commands, is_list, max_results = _arguments(context.message.arguments or {})
            self._guard.check_size(commands)
        except CommandError as error:
            self._log.report(started=started, size=len(str(error)), outcome=error.outcome, session=session, tool=name)
            return ToolResult(_error(error), is_error=True)
        call = _Call(session, max_results, started + self._settings.call_timeout_seconds)
        work = asyncio.ensure_future(self._run_each(commands, call))
        answers = await _until_left(work, callers.departures(context.fastmcp_context))
        if answers is None:
            # The caller ignores this response, but the protocol requires one.
            return ToolResult("The call was cancelled.", is_error=True)
        self._bound(answers)
        is_single = not is_list and len(answers) == 1
        text = answers[0].single() if is_single else f"[{','.join(answer.entry() for answer in answers)}]"
        return ToolResult(text or "(no output)", is_error=all(answer.error for answer in answers))

    def _bound(self, answers: list[_Answer]) -> None:
        """Applies the limit to the whole call. An answer that exceeds the rest becomes an error and is never cut."""
        left = self._settings.max_answer_bytes
        for answer in answers:
            size = _size(answer.text)
            if size > left:
                answer.text = ""
                answer.error = CommandError(
                    f"The answers of this call exceed {self._settings.max_answer_bytes} bytes. "
                    "Run fewer commands at once or narrow them.",
                    "too_large",
                )
            else:
                left -= size

    async def _run_each(self, commands: list[str], call: _Call) -> list[_Answer]:
        groups = await asyncio.gather(*(self._run(command, call) for command in commands))
        return [answer for group in groups for answer in group]

    async def _run(self, command: str, call: _Call) -> list[_Answer]:
        """Runs a command once, or once for each region."""
        job = Job(call.deadline, self._settings.max_answer_bytes)
        started = time.monotonic()

        def work() -> str | list[str]:
            if REGION_WILDCARD.search(command):
                return self._runner.expand(command, job)
            return self._runner.execute(command, call.max_results, job)

        try:
            found = await self._pool.run(_key(command), job, work)
        except CommandError as error:
            self._report(job, call, started, len(str(error)), error.outcome)
            return [_Answer(command, "", error)]
        except asyncio.CancelledError:
            self._report(job, call, started, 0, "cancelled")
            raise
        if isinstance(found, list):
            return await self._run_each(found, call)
        self._report(job, call, started, _size(found), "ok")
        return [_Answer(command, found)]

    def _report(self, job: Job, call: _Call, started: float, size: int, outcome: str) -> None:
        account = self._settings.account(job.profile)
        self._log.report(
            started=started,
            size=size,
            outcome=outcome,
            session=call.session,
            tool="call_aws",
            service=job.service,
            operation=job.operation,
            profile=job.profile,
            account=account.account_id if account else None,
            region=job.region,
        )


def _arguments(arguments: dict[str, Any]) -> tuple[list[str], bool, int | None]:
    found = arguments.get("cli_command")
    commands = [found] if isinstance(found, str) else found
    if not isinstance(commands, list) or not commands or not all(isinstance(item, str) for item in commands):
        raise refused("cli_command: expected an AWS CLI command or a list of them.")
    if len(commands) > MAX_BATCH_COMMANDS:
        raise refused(f"cli_command: found {len(commands)} commands. Expected at most {MAX_BATCH_COMMANDS}.")
    limit = arguments.get("max_results")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise refused("max_results: expected a whole number of at least 1.")
    unknown = sorted(set(arguments) - {"cli_command", "max_results"})
    if unknown:
        raise refused(f"Unknown argument. Expected cli_command and max_results; found {len(unknown)} others.")
    return commands, isinstance(found, list), limit


def _key(command: str) -> str:
    """The profile for the queue, read without parsing. A wrong result affects only the order of the calls."""
    found = _PROFILE.search(command)
    return found[1][:64] if found else ""


async def _until_left(work: asyncio.Future[list[_Answer]], left: Sequence[asyncio.Event]) -> list[_Answer] | None:
    """Waits for the work. If the caller disconnects or cancels first, cancels the work and returns None."""
    watches: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait()) for event in left]
    try:
        await asyncio.wait([work, *watches], return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        for future in (work, *watches):
            future.cancel()
