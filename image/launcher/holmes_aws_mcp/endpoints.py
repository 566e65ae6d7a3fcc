"""Wall 2: botocore sends requests only to endpoints of the command's service in its partition.

The check parses the URL with urllib3, which opens the connection. Another parser could find a different host. It wraps
`URLLib3Session.send`, which sends every HTTP request of botocore, of the AWS CLI and of the credential providers.
It applies to redirects that botocore follows. urllib3 follows none (`retries=Retry(False)`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import botocore.awsrequest
import botocore.httpsession
from botocore.loaders import Loader
from urllib3.util import parse_url

from . import job as jobs
from .job import CommandError, Job

# A label before these host names belongs to an API of a customer, not to an AWS service.
CUSTOMER_HOSTS = frozenset({"apigatewaymanagementapi", "cloudsearchdomain"})
READ_TIMEOUT_SECONDS = 60

_PORTS = {"http": 80, "https": 443}


class Endpoints:
    """URLs to which a command can send requests."""

    def __init__(
        self,
        loader: Loader,
        allowed: Iterable[str] = (),
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Takes botocore's loader, `mcp.allowedEndpoints` and the environment of the process.

        The origins in `AWS_ENDPOINT_URL*` of the environment are allowed, for an emulated AWS. The stack config rejects
        these variables.
        """
        self._loader = loader
        self._allowed = tuple(host.lower().rstrip(".") for host in allowed)
        self._origins = frozenset(
            origin
            for name, value in environment.items()
            if name.startswith("AWS_ENDPOINT_URL") and (origin := _origin(value)) is not None
        )
        self._patterns = lru_cache(maxsize=128)(self._compile)

    def check(self, url: str, job: Job | None) -> None:
        """Raises CommandError unless the command can send requests to the URL."""
        origin = _origin(url)
        if origin is not None:
            scheme, host, port = origin
            if origin in self._origins:
                return
            if scheme == "https" and port == 443 and self._is_allowed(host, job):
                return
        raise CommandError("The request was stopped: its host is not an endpoint of this AWS service.", "refused")

    def _is_allowed(self, host: str, job: Job | None) -> bool:
        if any(host == allowed or host.endswith("." + allowed) for allowed in self._allowed):
            return True
        if job is None or job.region is None:
            return False
        return any(
            pattern.fullmatch(host) is not None
            for service in job.services
            for pattern in self._patterns(service, job.region)
        )

    def _partition(self, region: str) -> Any:
        for partition in self._loader.load_data("partitions")["partitions"]:
            if region in partition["regions"] or re.fullmatch(partition["regionRegex"].strip("^$"), region):
                return partition
        raise CommandError(f"region: found {region!r}. Expected an AWS region.", "refused")

    def _compile(self, service: str, region: str) -> tuple[re.Pattern[str], ...]:
        """The host names in the endpoint rules of a service, as patterns for one partition."""
        partition = self._partition(region)
        outputs = partition["outputs"]
        suffixes = "|".join(re.escape(outputs[key]) for key in ("dnsSuffix", "dualStackDnsSuffix") if outputs.get(key))
        regions = "|".join([partition["regionRegex"].strip("^$"), *map(re.escape, partition["regions"])])
        # Some operations and virtual-hosted buckets add labels before the host name.
        prefix = "" if service in CUSTOMER_HOSTS else r"(?:[a-z0-9_-]+\.)*"
        rules = json.dumps(self._loader.load_service_model(service, "endpoint-rule-set-1"))
        patterns = set()
        for template in re.findall(r'"https://([^"/]+)', rules):
            if not re.search(r"[a-z0-9]", re.sub(r"{[^}]*}", "", template)) or template.startswith("{url"):
                continue
            # Endpoint discovery of Timestream returns cells: query-cell2.timestream.….
            template = re.sub(r"^(?:query|ingest)\.(?=timestream)", "", template)
            if "nsSuffix}" not in template and not re.search(rf"(?:{suffixes})$", template):
                continue
            parts = re.split(r"({[^}]*})", template)
            patterns.add(prefix + "".join(self._part(part, regions, suffixes) for part in parts))
        return tuple(re.compile(pattern) for pattern in sorted(patterns))

    @staticmethod
    def _part(part: str, regions: str, suffixes: str) -> str:
        if not part.startswith("{"):
            return re.escape(part.lower())
        if part.endswith("nsSuffix}"):
            return f"(?:{suffixes})"
        if part.lower().endswith("region}"):
            return f"(?:{regions})"
        return "[a-z0-9_-]+"


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port as urllib3 connects to them."""
    try:
        parsed = parse_url(url)
        scheme = parsed.scheme or "http"
        host = parsed.host
        if host is None or parsed.auth is not None:
            return None
        return scheme, host.lower().rstrip("."), parsed.port or _PORTS[scheme]
    except (KeyError, ValueError):
        return None


def install(endpoints: Endpoints) -> None:
    """Applies the check to every HTTP request of botocore, with the deadline and the limits of the job."""
    session: Any = botocore.httpsession.URLLib3Session
    connection: Any = botocore.awsrequest.AWSConnection
    original_send = session.send
    original_request = connection.request

    def send(self: Any, request: Any) -> Any:
        job = jobs.current()
        endpoints.check(request.url, job)
        if job is None:
            return original_send(self, request)
        job.begin_request()
        context = dict(getattr(request, "context", None) or {})
        own = context.get("read_timeout") or READ_TIMEOUT_SECONDS
        context["read_timeout"] = max(0.1, min(own, job.remaining()))
        request.context = context
        response = original_send(self, request)
        if not request.stream_output:
            job.received_bytes(len(response.content))
        return response

    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        job = jobs.current()
        if job is not None:
            job.connection = self
            job.check()
        return original_request(self, *args, **kwargs)

    session.send = send
    connection.request = request
