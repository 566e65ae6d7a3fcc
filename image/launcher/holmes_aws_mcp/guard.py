"""Wall 1: refuses commands by their name and their global options, before the rest is parsed."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from awslabs.aws_api_mcp_server.core.security import policy

from .job import CommandError
from .settings import Settings

MAX_COMMAND_BYTES = 64 * 1024

REFUSED_OPTIONS = ("--endpoint-url", "--no-verify-ssl", "--ca-bundle", "--no-sign-request", "--debug", "--v2-debug")

# Commands that return credentials, bearer tokens or signed URLs. IAM cannot deny those that are computed locally or
# whose API requires no signature. The others are listed too, independent of the permissions of the role.
REFUSED_COMMANDS = (
    "* *embed-url*",
    "* *initiate-auth",
    "* *presigned-*url*",
    "* *respond-to-auth-challenge",
    "* assume-*",
    "* get-*access-token",
    "* get-*auth*-token",
    "* get-*credentials*",
    "* get-federation-token",
    "* get-open-id-token*",
    "* get-workload-access-token*",
    "cloudfront sign",
    "codeartifact login",
    "codecommit credential-helper",
    "codepipeline get-*job-details",
    "cognito-idp get-*token*",
    "configure*",
    "dsql generate-db-connect-*",
    "ecr get-login*",
    "ecr-public get-login*",
    "eks get-token",
    "login*",
    "rds generate-db-auth-token",
    "s3 presign",
    "s3control get-data-access",
    "signin *",
    "sso *",
    "sso-oidc *",
    "sts get-*-token",
)


class Guard:
    """Checks commands against the built-in rules and the deny list of the configuration."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # The API calls of customized commands of the CLI, as `aws SERVICE OPERATION`.
        path = Path(policy.__file__).with_name("aws_api_customization.json")
        self._customizations = json.loads(path.read_bytes())["customizations"]

    def check_size(self, commands: Iterable[str]) -> None:
        """Raises CommandError when the commands of a call are longer than 64 kB."""
        size = sum(len(command.encode("utf-8", "surrogatepass")) for command in commands)
        if size > MAX_COMMAND_BYTES:
            raise refused(f"The command has {size} bytes. Expected at most {MAX_COMMAND_BYTES}.")

    def check_tokens(self, tokens: Iterable[str]) -> None:
        """Raises CommandError for a refused option or a second --profile, also if argparse accepts an abbreviation."""
        profiles = 0
        for token in tokens:
            name = token.split("=", 1)[0]
            if not name.startswith("--") or len(name) < 3:
                continue
            profiles += "--profile".startswith(name)
            if profiles > 1:
                raise refused("The command has more than one --profile. Expected one.")
            option = next((option for option in REFUSED_OPTIONS if option.startswith(name)), None)
            if option is not None:
                raise refused(f"The option {option} is not allowed. Remove it from the command.")

    def check_options(self, options: Any) -> None:
        """Checks the options as the parser of the AWS CLI read them, and the values of the time-outs."""
        given = {
            "--endpoint-url": options.endpoint_url is not None,
            "--no-verify-ssl": not options.verify_ssl,
            "--ca-bundle": getattr(options, "ca_bundle", None) is not None,
            "--no-sign-request": not options.sign_request,
            "--debug": bool(options.debug),
        }
        for option, found in given.items():
            if found:
                raise refused(f"The option {option} is not allowed. Remove it from the command.")
        limit = self._settings.call_timeout_seconds
        for option, value in (
            ("--cli-connect-timeout", options.connect_timeout),
            ("--cli-read-timeout", options.read_timeout),
        ):
            try:
                valid = value is None or 1 <= float(value) <= limit
            except ValueError:
                valid = False
            if not valid:
                raise refused(f"The value of {option} is not allowed. Expected 1 to {limit} seconds.")

    def check_command(self, *names: str) -> None:
        """Raises CommandError for a refused or denied command.

        Args:
            names: the command as `SERVICE OPERATION`, by the names of the CLI and of the SDK
        """
        for name in names:
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in REFUSED_COMMANDS):
                raise refused(f"The command aws {name[:64]} is not allowed. It returns credentials or tokens.")
            for call in [f"aws {name}", *self._customizations.get(name, {}).get("api_calls", [])]:
                if any(fnmatch.fnmatchcase(call, entry) for entry in self._settings.deny_list):
                    raise CommandError(
                        "Execution of this operation is denied by security policy. It is in the configured deny list.",
                        "denied",
                    )

    def check_profile(self, profile: str | None) -> str:
        """The profile that a command uses. Raises CommandError when it is missing or unknown."""
        known = ", ".join(account.profile for account in self._settings.accounts)
        if profile is None:
            profile = self._settings.fallback_profile
            if profile is None:
                raise refused(f"No AWS credentials found without --profile. Expected --profile with one of: {known}.")
        if self._settings.account(profile) is None:
            raise refused(f"The config profile ({profile[:64]}) could not be found. Expected one of: {known}.")
        return profile


def refused(message: str) -> CommandError:
    return CommandError(message, "refused")
