"""A free port that no other program takes while it is held."""

from __future__ import annotations

import errno
import socket
import sys
from types import TracebackType
from typing import Optional

# On other systems, a socket that is bound twice is no protection: the port is released first.
_CAN_SHARE = sys.platform == "linux"
_ATTEMPTS = 20
_TAKEN = {errno.EADDRINUSE, errno.EACCES}


class Hold(int):
    """A free port, as a number, that stays reserved until `release`, or the end of the process.

    On Linux, a server that sets SO_REUSEADDR, as most do, binds the port while it is held. Elsewhere, and for
    other servers, call `release` immediately before the server starts, or pass it `listening_socket`.
    """

    _sockets: list[socket.socket]

    def __new__(cls) -> Hold:
        """Reserve a free port of the loopback interface, for IPv4 and IPv6."""
        for _ in range(_ATTEMPTS):
            first = _bound(socket.AF_INET, "127.0.0.1", 0)
            port = first.getsockname()[1]
            try:
                second = _bound(socket.AF_INET6, "::1", port) if socket.has_ipv6 else None
            except OSError as error:
                # The machine has no IPv6, or another program has the port there.
                second = None
                if error.errno in _TAKEN:
                    first.close()
                    continue
            hold = super().__new__(cls, port)
            hold._sockets = [one for one in (first, second) if one]
            return hold
        raise OSError("no port is free for both IPv4 and IPv6")

    @property
    def port(self) -> int:
        """The port as a plain number."""
        return int(self)

    @property
    def url(self) -> str:
        """The URL of a server on the port."""
        return f"http://localhost:{self.port}"

    def listening_socket(self) -> socket.socket:
        """Return a listening socket on 127.0.0.1, for a server that accepts one. The caller closes it."""
        if not _CAN_SHARE:
            self.release()
        server = _bound(socket.AF_INET, "127.0.0.1", self.port)
        server.listen()
        return server

    def release(self) -> None:
        """Release the port."""
        for one in self._sockets:
            one.close()
        self._sockets = []

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self.release()


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """Return a socket that is bound and does not listen: clients are refused at once."""
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        if _CAN_SHARE:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
    except OSError:
        one.close()
        raise
    return one
