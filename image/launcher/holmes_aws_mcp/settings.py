"""The launcher's configuration file (`HOLMES_AWS_MCP_CONFIG`) and its environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Holmes stops reading after 120 s. The rest is for the transfer of the answer.
MAX_CALL_TIMEOUT_SECONDS = 115
# Each of these overrides the region of every profile.
FORBIDDEN_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


class SettingsError(Exception):
    """The configuration or the environment is invalid. The message lists every problem."""


@dataclass(frozen=True)
class Account:
    """An AWS account that the server reaches with its own profile."""

    profile: str
    account_id: str
    region: str
    description: str = ""


@dataclass(frozen=True)
class Settings:
    """`launcher.json` with its defaults, and what the environment adds."""

    accounts: tuple[Account, ...]
    concurrency: int = 16
    call_timeout_seconds: int = 100
    max_answer_bytes: int = 1_000_000
    allowed_endpoints: tuple[str, ...] = ()
    suggest_commands: bool = False
    deny_list: tuple[str, ...] = ()
    default_profile: str | None = None
    metrics_port: int | None = None
    tokens_file: Path | None = None

    def account(self, profile: str | None) -> Account | None:
        """The account of a profile, if there is one."""
        return next((account for account in self.accounts if account.profile == profile), None)

    @property
    def fallback_profile(self) -> str | None:
        """The profile of commands without `--profile`: only one that is named `default` has credentials."""
        return "default" if self.account("default") else None


_KEYS: dict[str, tuple[str, type[Any]]] = {
    "concurrency": ("concurrency", int),
    "callTimeoutSeconds": ("call_timeout_seconds", int),
    "maxAnswerBytes": ("max_answer_bytes", int),
    "allowedEndpoints": ("allowed_endpoints", list),
    "suggestCommands": ("suggest_commands", bool),
    "denyList": ("deny_list", list),
    "defaultProfile": ("default_profile", str),
    "metricsPort": ("metrics_port", int),
    "accounts": ("accounts", list),
}
_RANGES = {
    "concurrency": (1, 64),
    "callTimeoutSeconds": (5, MAX_CALL_TIMEOUT_SECONDS),
    "maxAnswerBytes": (10_000, 10_000_000),
    "metricsPort": (1, 65_535),
}


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Reads the file that `HOLMES_AWS_MCP_CONFIG` names.

    Raises:
        SettingsError: the file is missing or invalid, or a forbidden variable is set; all problems at once.
    """
    problems = [
        f"{name}: the variable overrides the region of every profile. Remove it from the environment."
        for name in FORBIDDEN_VARIABLES
        if environment.get(name)
    ]
    document: Any = {}
    path = environment.get("HOLMES_AWS_MCP_CONFIG")
    if not path:
        problems.append("HOLMES_AWS_MCP_CONFIG: not set. Expected the path of launcher.json.")
    else:
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            problems.append(f"{path}: cannot be read ({error}). Expected a JSON object.")
    values = _values(document, problems) if isinstance(document, dict) else {}
    if not isinstance(document, dict):
        problems.append(f"{path}: found {type(document).__name__}. Expected a JSON object.")
    if path and not values.get("accounts"):
        problems.append("accounts: none. Expected at least one account with profile, accountId and region.")
    if problems:
        raise SettingsError("\n".join(problems))
    tokens = environment.get("HOLMES_AWS_MCP_TOKENS_FILE")
    return Settings(**values, tokens_file=Path(tokens) if tokens else None)


def _values(document: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, found in document.items():
        if key not in _KEYS:
            problems.append(f"{key}: unknown key. Expected one of {', '.join(_KEYS)}.")
            continue
        name, kind = _KEYS[key]
        value: Any = found
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            problems.append(f"{key}: found {value!r}. Expected {kind.__name__}.")
            continue
        low, high = _RANGES.get(key, (None, None))
        if low is not None and high is not None and not low <= value <= high:
            problems.append(f"{key}: found {value}. Expected {low} to {high}.")
        if key == "accounts":
            values[name] = _accounts(value, problems)
        elif kind is list:
            if not all(isinstance(item, str) for item in value):
                problems.append(f"{key}: found {value!r}. Expected a list of texts.")
            values[name] = tuple(value)
        else:
            values[name] = value
    return values


def _accounts(found: list[Any], problems: list[str]) -> tuple[Account, ...]:
    accounts = []
    for index, item in enumerate(found):
        fields = item if isinstance(item, dict) else {}
        texts = {key: fields.get(key) for key in ("profile", "accountId", "region")}
        if not all(isinstance(text, str) and text for text in texts.values()):
            problems.append(f"accounts[{index}]: found {item!r}. Expected texts profile, accountId and region.")
            continue
        description = fields.get("description") or ""
        accounts.append(Account(fields["profile"], fields["accountId"], fields["region"], str(description)))
    return tuple(accounts)
