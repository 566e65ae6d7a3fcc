"""What calls share: service models, credentials of profiles, clients. All of it is bounded, least recently used out.

Thread safety. botocore's clients may be shared between threads; their creation may not, and neither may a session's
component registry. So every creation runs under one lock, on sessions of this module: the default session of boto3
is never used. The loader's cache is only read and filled, under the lock of `LruCache`.
"""

from __future__ import annotations

import copy
import json
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, MutableMapping
from typing import Any

import botocore.session
from awslabs.aws_api_mcp_server.core.common.models import Credentials
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.loaders import JSONFileLoader, Loader

# Parsed data files: a service has up to five, of up to 30 MB (EC2) and usually below 1 MB.
MAX_DATA_FILES = 160
MAX_CLIENTS = 128
MAX_PROFILES = 128
# Credentials are refreshed this long before they expire: longer than a call takes, shorter than botocore's 15 minutes.
REFRESH_SECONDS = 300


class LruCache(MutableMapping[Hashable, Any]):
    """A dictionary that drops the least recently used entry beyond `size`."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, key: Hashable) -> Any:
        with self._lock:
            value = self._entries[key]
            self._entries.move_to_end(key)
            return value

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __setitem__(self, key: Hashable, value: Any) -> None:
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def __delitem__(self, key: Hashable) -> None:
        with self._lock:
            del self._entries[key]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


class _StepwiseFiles(JSONFileLoader):
    """Parses a file member by member, into dictionaries.

    One call of Python's JSON parser holds the interpreter's lock to its end: 0.2 s of processor time for EC2, in which
    the event loop answers nothing. botocore's OrderedDict takes more memory and time, and a dictionary is ordered too.
    """

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not os.path.isfile(full_path):
            return None
        with open_method(full_path, "rb") as file:
            return parse_stepwise(file.read().decode("utf-8"))


_decoder = json.JSONDecoder()
# The shapes and operations of a service are at the second level.
_STEP_LEVELS = 2


def parse_stepwise(text: str) -> Any:
    """The value of a JSON text, as `json.loads` returns it. The text must be valid."""
    return _parse_value(text, _skip(text, 0), _STEP_LEVELS)[0]


def _parse_value(text: str, at: int, levels: int) -> tuple[Any, int]:
    if levels == 0 or text[at] != "{":
        return _decoder.raw_decode(text, at)
    found = {}
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _decoder.raw_decode(text, at)
        colon = _skip(text, at)
        found[key], at = _parse_value(text, _skip(text, colon + 1), levels - 1)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found, at + 1


def _skip(text: str, at: int) -> int:
    """The position after white space."""
    return _WHITE_SPACE.match(text, at).end()  # type: ignore[union-attr]


_WHITE_SPACE = re.compile(r"[ \t\n\r]*")


class _SharedLoader(Loader):
    """botocore's loader with a bounded cache, whose hits survive an eviction by another thread."""

    FILE_LOADER_CLASS = _StepwiseFiles

    def __init__(self) -> None:
        search_path = botocore.session.Session().get_component("data_loader").search_paths
        super().__init__(extra_search_paths=search_path)
        self._cache = _EveryHit(MAX_DATA_FILES)


class _EveryHit(LruCache):
    # `instance_cache` asks `in` and then reads: between the two, another thread may evict the entry.
    def __contains__(self, key: object) -> bool:
        _read.hit = (key, self.get(key, _MISSING))
        return _read.hit[1] is not _MISSING

    def __getitem__(self, key: Hashable) -> Any:
        hit = getattr(_read, "hit", None)
        if hit is not None and hit[0] == key and hit[1] is not _MISSING:
            return hit[1]
        return super().__getitem__(key)


_MISSING = object()
_read = threading.local()


class Aws:
    """Credentials and clients for every profile of the AWS config file."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self.loader = _SharedLoader()
        self._lock = threading.Lock()
        self._profiles = LruCache(MAX_PROFILES)
        self._clients = LruCache(MAX_CLIENTS)
        self._config_stamp: object = None
        self._client_session = self._new_base()

    def adopt(self, session: Any) -> None:
        """Makes a botocore session of another module use the shared models."""
        session.register_component("data_loader", self.loader)

    def load(self, service: str, kind: str) -> Any:
        """A data file of botocore: `partitions`, or a file of a service."""
        return self.loader.load_data(service) if kind == "" else self.loader.load_service_model(service, kind)

    def region(self, profile: str | None) -> str | None:
        """The region of a profile in the AWS config file."""
        region: str | None = self._session(profile).get_config_variable("region")
        return region

    def credentials(self, profile: str | None) -> Credentials:
        """Credentials of a profile, refreshed by botocore shortly before they expire.

        A changed token file ends what was obtained with the old one. A failure is not kept either.

        Raises:
            NoCredentialsError: the profile has none.
        """
        session = self._session(profile)
        with session.holmes_lock:
            found = session.get_credentials()
            if found is None:
                raise NoCredentialsError()
            if hasattr(found, "_advisory_refresh_timeout"):
                found._advisory_refresh_timeout = REFRESH_SECONDS
                found._mandatory_refresh_timeout = REFRESH_SECONDS // 2
            frozen = found.get_frozen_credentials()
        return Credentials(
            access_key_id=frozen.access_key, secret_access_key=frozen.secret_key, session_token=frozen.token
        )

    def client(self, service_name: str, **arguments: Any) -> Any:
        """Replaces `boto3.client` inside the server: one client by service, credentials, region and endpoint.

        The retry mode is `standard`. The server asks for `adaptive`, whose rate limiter lives in the client: stock, a
        client lives for one call, so that it never took effect; kept, it would hold back every later call.
        """
        config: Config = arguments["config"]
        key = (service_name, arguments["aws_access_key_id"], config.region_name, arguments.get("endpoint_url"))
        client = self._clients.get(key)
        if client is not None:
            return client
        attempts = config.retries["total_max_attempts"]
        changed = Config(
            retries={"total_max_attempts": attempts, "mode": "standard"}, max_pool_connections=self._concurrency
        )
        arguments["config"] = config.merge(changed)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._client_session.create_client(
                    service_name, region_name=config.region_name, **arguments
                )
            return self._clients[key]

    def _session(self, profile: str | None) -> Any:
        with self._lock:
            self._notice_changes()
            session = self._profiles.get(profile)
            # A replaced token can belong to another service account, so its credentials are not kept.
            if session is None or _stamp(session.holmes_token_file) != session.holmes_token_stamp:
                session = self._profiles[profile] = self._new_session(profile)
            return session

    def _new_base(self) -> Any:
        """The session that creates the clients. It has no profile."""
        session: Any = botocore.session.Session()
        self.adopt(session)
        return session

    def _new_session(self, profile: str | None) -> Any:
        """A session of a profile, with the handlers and the parsed config file of the base: 20 ms less for each."""
        base = self._client_session
        session: Any = botocore.session.Session(
            profile=profile, event_hooks=copy.copy(base._original_handler), include_builtin_handlers=False
        )
        session._config = base.full_config
        self.adopt(session)
        session.holmes_lock = threading.Lock()
        profiles = session.full_config.get("profiles", {})
        session.holmes_token_file = profiles.get(profile or "default", {}).get("web_identity_token_file")
        session.holmes_token_stamp = _stamp(session.holmes_token_file)
        return session

    def _notice_changes(self) -> None:
        """A new AWS config file (a ConfigMap is replaced by its link) ends what was read from the old one."""
        stamp = _stamp(os.environ.get("AWS_CONFIG_FILE", os.path.expanduser("~/.aws/config")))
        if stamp != self._config_stamp:
            self._config_stamp = stamp
            self._profiles.clear()
            self._clients.clear()
            self._client_session = self._new_base()


def _stamp(path: str | None) -> object:
    """Changes with the file: the kubelet replaces mounted files by way of a link."""
    try:
        state = os.stat(path or "")
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino, state.st_size
