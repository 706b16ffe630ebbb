"""A minimal port finder for Python: the first port of a range that can be bound."""

import socket


def is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
        return True


def find(low, high):
    for port in range(low, high + 1):
        if is_free(port):
            return port
    raise RuntimeError(f"no free port from {low} to {high}")
