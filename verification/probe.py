"""Connects to the MCP server from a pod that the NetworkPolicy does not admit.

Usage: probe.py HOST PORT. In an Indexed Job, only index 0 connects. Exit code 0: every attempt is blocked, so the
cluster enforces the policy. 1: a connection succeeds. 2: the name does not resolve, which proves nothing.
"""

import os
import socket
import sys
import time

ATTEMPTS = 4
TIMEOUT_SECONDS = 5


def main(host: str, port: int) -> int:
    if os.environ.get("JOB_COMPLETION_INDEX", "0") != "0":
        return 0
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        print(f"FAIL  {host} does not resolve ({error}), so the NetworkPolicy cannot be checked.")
        return 2
    for _ in range(ATTEMPTS):
        try:
            socket.create_connection((host, port), TIMEOUT_SECONDS).close()
        except OSError:
            time.sleep(1)
            continue
        print(
            f"FAIL  A pod without Holmes' labels reached {host}:{port}: the cluster does not enforce the NetworkPolicy."
            " Enable it in the network plugin (VPC CNI: enableNetworkPolicy)."
        )
        return 1
    print(f"ok    The NetworkPolicy blocks {host}:{port} for pods without Holmes' labels.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
