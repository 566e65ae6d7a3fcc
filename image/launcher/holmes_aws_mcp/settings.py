"""The launcher's configuration file (`HOLMES_AWS_MCP_CONFIG`)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

# The time-out of Holmes is 120 s. The difference is for the transfer of the answer.
MAX_CALL_TIMEOUT_SECONDS = 115
# Each of these overrides the region of every profile.
FORBIDDEN_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Without these, the server runs commands that write, and commands that read and write local files.
REQUIRED_VARIABLES = {
    "READ_OPERATIONS_ONLY": "true",
    "AWS_API_MCP_ALLOW_UNRESTRICTED_LOCAL_FILE_ACCESS": "no-access",
}

_Text = Annotated[str, Field(min_length=1)]


class SettingsError(Exception):
    """The configuration or the environment is invalid. The message lists every problem."""


class _Strict(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True, strict=True)


class Account(_Strict):
    """An AWS account that the server reaches with its own profile."""

    profile: _Text
    account_id: _Text
    region: _Text
    description: str | None = None


class Settings(_Strict):
    """`launcher.json` with its defaults."""

    accounts: Annotated[Sequence[Account], Field(min_length=1)]
    concurrency: Annotated[int, Field(ge=1, le=64)] = 16
    call_timeout_seconds: Annotated[int, Field(ge=5, le=MAX_CALL_TIMEOUT_SECONDS)] = 100
    max_answer_bytes: Annotated[int, Field(ge=10_000, le=10_000_000)] = 1_000_000
    allowed_endpoints: tuple[str, ...] = ()
    suggest_commands: bool = False
    deny_list: tuple[str, ...] = ()
    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = None

    def account(self, profile: str | None) -> Account | None:
        """The account of a profile. None if the profile does not exist."""
        return next((account for account in self.accounts if account.profile == profile), None)

    @property
    def fallback_profile(self) -> str | None:
        """The profile of commands without `--profile`. Only a profile with the name `default` provides credentials."""
        return "default" if self.account("default") else None


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the file that `HOLMES_AWS_MCP_CONFIG` names.

    Raises:
        SettingsError: the file is missing or invalid, a forbidden variable is set, or a required one is not; all
            problems at once.
    """
    problems = [
        f"{name}: the variable overrides the region of every profile. Remove it from the environment."
        for name in FORBIDDEN_VARIABLES
        if environment.get(name)
    ]
    problems += [
        f"{name}: expected {expected}. The image and the Deployment set this value."
        for name, expected in REQUIRED_VARIABLES.items()
        if environment.get(name) != expected
    ]
    path = environment.get("HOLMES_AWS_MCP_CONFIG")
    try:
        if path:
            settings = Settings.model_validate_json(Path(path).read_bytes(), by_name=False, by_alias=True)
        else:
            problems.append("HOLMES_AWS_MCP_CONFIG: not set. Expected the path of launcher.json.")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}). Expected a JSON object.")
    except ValidationError as error:
        for detail in error.errors():
            where = ".".join(map(str, detail["loc"])) or path
            problems.append(f"{where}: found {detail['input']!r:.100}. {detail['msg']}.")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings
