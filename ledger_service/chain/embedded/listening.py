"""The socket the node listens on. It may be opened by the supervisor and handed to one child after another."""

from __future__ import annotations

import socket
from typing import Final

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8545
BACKLOG: Final = 128
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a host and port (0 for any free one). Raises OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def url_of(listening: socket.socket) -> str:
    """Return the URL at which a listening socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
