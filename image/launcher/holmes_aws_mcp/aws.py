"""Caches that calls share: service models, credentials of profiles, clients. Each evicts the least recently used entry.

Thread safety: threads can share botocore's clients, but cannot create them or use the component registry of a session
concurrently. Every creation therefore runs under one lock, on sessions of this module. The default session of boto3 is
never used. The cache of the loader has a separate lock.
"""

from __future__ import annotations

import copy
import json
import os
import threading
from collections.abc import Hashable
from functools import partial
from typing import IO, Any

import botocore.session
from awslabs.aws_api_mcp_server.core.common.models import Credentials
from botocore.config import Config
from botocore.exceptions import NoCredentialsError
from botocore.loaders import JSONFileLoader, Loader
from cachetools import LRUCache, cached
from cachetools.keys import hashkey

# Parsed data files: a service has up to five, of up to 30 MB (EC2) and usually below 1 MB.
MAX_DATA_FILES = 160
# The methods of botocore's loader that cache their results.
CACHED_METHODS = (
    "list_available_services", "determine_latest_version", "list_api_versions", "load_service_model",
    "load_data_with_path",
)  # fmt: skip
MAX_CLIENTS = 128
MAX_PROFILES = 128
# Credentials are refreshed this long before they expire: longer than a call takes, shorter than botocore's 15 minutes.
REFRESH_SECONDS = 300


def parse(file: IO[bytes]) -> Any:
    """Parses JSON and lets other threads run after each object.

    Python's parser holds the interpreter lock: 0.2 s of processor time for EC2, during which the event loop does not
    respond. The interpreter can switch threads in a hook that is written in Python. botocore's hook, OrderedDict, is
    not.
    """
    return json.load(file, object_hook=lambda found: found)


class _InterruptibleFiles(JSONFileLoader):
    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not os.path.isfile(full_path):
            return None
        with open_method(full_path, "rb") as file:
            return parse(file)


class _SharedLoader(Loader):
    """botocore's loader with a bounded cache that threads can share."""

    FILE_LOADER_CLASS = _InterruptibleFiles

    def __init__(self) -> None:
        search_path = botocore.session.Session().get_component("data_loader").search_paths
        super().__init__(extra_search_paths=search_path)
        # The original cache has no limit. It is read in two steps, between which another thread could evict the entry.
        self._cache = _KeepsNothing()
        cache, lock = LRUCache[Hashable, Any](MAX_DATA_FILES), threading.Lock()
        for name in CACHED_METHODS:
            setattr(self, name, cached(cache, partial(hashkey, name), lock)(getattr(self, name)))


class _KeepsNothing(dict[Any, Any]):
    def __setitem__(self, key: Any, value: Any) -> None:
        pass


def stamp(path: str | None) -> object:
    """A value that changes with the file, also when the kubelet replaces its link. None if the file is missing."""
    try:
        state = os.stat(path or "")
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino, state.st_size


class Aws:
    """Credentials and clients for every profile of the AWS config file."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self.loader = _SharedLoader()
        self._lock = threading.Lock()
        self._profiles = LRUCache[str | None, Any](MAX_PROFILES)
        self._clients = LRUCache[Hashable, Any](MAX_CLIENTS)
        self._config_stamp: object = None
        self._client_session = self._new_base()

    def adopt(self, session: Any) -> None:
        """Makes a botocore session of another module use the shared models."""
        session.register_component("data_loader", self.loader)

    def region(self, profile: str | None) -> str | None:
        """The region of a profile in the AWS config file."""
        region: str | None = self._session(profile).get_config_variable("region")
        return region

    def credentials(self, profile: str | None) -> Credentials:
        """Credentials of a profile, refreshed by botocore shortly before they expire.

        Credentials that were obtained with a replaced token file are discarded. Failures are not cached.

        Raises:
            NoCredentialsError: the profile has no credentials.
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
        """Replaces `boto3.client` inside the server: one client for each service, credentials, region and endpoint.

        The retry mode is `standard`. The server requests `adaptive`, whose rate limiter belongs to the client. In the
        stock server a client exists for one call, so the limiter has no effect. In a cached one it would
        delay later calls.
        """
        config: Config = arguments["config"]
        key = (service_name, arguments["aws_access_key_id"], config.region_name, arguments.get("endpoint_url"))
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
            # A replaced token can belong to another service account, so do not reuse the credentials.
            if session is None or stamp(session.holmes_token_file) != session.holmes_token_stamp:
                session = self._profiles[profile] = self._new_session(profile)
            return session

    def _new_base(self) -> Any:
        """The session that creates the clients. It has no profile."""
        session: Any = botocore.session.Session()
        self.adopt(session)
        return session

    def _new_session(self, profile: str | None) -> Any:
        """A session of a profile. It shares the handlers and the parsed config file of the base, which saves 20 ms."""
        base = self._client_session
        session: Any = botocore.session.Session(
            profile=profile, event_hooks=copy.copy(base._original_handler), include_builtin_handlers=False
        )
        session._config = base.full_config
        self.adopt(session)
        session.holmes_lock = threading.Lock()
        profiles = session.full_config.get("profiles", {})
        session.holmes_token_file = profiles.get(profile or "default", {}).get("web_identity_token_file")
        session.holmes_token_stamp = stamp(session.holmes_token_file)
        return session

    def _notice_changes(self) -> None:
        """Clears the caches when the AWS config file has changed."""
        current = stamp(os.environ.get("AWS_CONFIG_FILE", os.path.expanduser("~/.aws/config")))
        if current != self._config_stamp:
            self._config_stamp = current
            self._profiles.clear()
            self._clients.clear()
            self._client_session = self._new_base()
