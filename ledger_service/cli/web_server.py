"""The HTTP server as a child process: gunicorn, one worker, many threads, on a socket that we opened."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from ledger_service.errors import SettingsError

if TYPE_CHECKING:
    from ledger_service.config import Settings

# An import string, so that nothing of ours imports the api.
APPLICATION: Final = "api:create_app()"
_BACKLOG: Final = 1024
# Longer than the slowest request that is still in time for an answer.
_GRACE_S: Final = 30
_KEEP_ALIVE_S: Final = 75
_PATIENCE_S: Final = 3.0
_GLANCE_S: Final = 0.1


class WebServer:
    """A running gunicorn. It ends when this process does, however that dies."""

    def __init__(self, settings: Settings, opened: socket.socket) -> None:
        """Start the child on what `listen` opened."""
        self._socket = opened
        host, port = opened.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and fixed arguments
            [
                sys.executable,
                "-m",
                "ledger_service.cli.web_process",
                str(os.getpid()),
                *_arguments(settings, opened.fileno()),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[opened.fileno()],
        )

    def poll(self) -> int | None:
        """The exit code of the server, None while it runs."""
        return self._process.poll()

    def stop(self) -> int:
        """Let running requests end, and return the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout=_GRACE_S + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._socket.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises SettingsError when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(opened, (host, port))
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        raise SettingsError(
            f"Cannot listen on {host} port {port}: {error.strerror}. AUDIT_LEDGER_PORT names another port."
        ) from error
    return opened


def _bind(opened: socket.socket, address: tuple[str, int]) -> None:
    """Take the address, waiting a little for a server that was killed a moment ago and is still ending."""
    patience = threading.Event()
    for _ in range(int(_PATIENCE_S / _GLANCE_S)):
        try:
            opened.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            patience.wait(_GLANCE_S)
        else:
            return
    opened.bind(address)


def _arguments(settings: Settings, descriptor: int) -> list[str]:
    return [
        "--config", "python:ledger_service.cli.web_process",
        "--bind", f"fd://{descriptor}",
        "--workers", "1",
        "--worker-class", "gthread",
        "--threads", str(settings.threads),
        "--worker-connections", "2000",
        # A thread that works long does not keep the worker from its heartbeat; only a stuck worker dies.
        "--timeout", "120",
        "--graceful-timeout", str(_GRACE_S),
        "--keep-alive", str(_KEEP_ALIVE_S),
        "--limit-request-line", "4094",
        "--limit-request-fields", "64",
        "--limit-request-field_size", "8190",
        # Nobody's headers change what path or scheme is asked for; see AUDIT_LEDGER_TRUSTED_PROXIES for addresses.
        "--forwarded-allow-ips", "",
        "--forwarder-headers", "",
        "--log-level", "warning",
        "--no-control-socket",
        APPLICATION,
    ]  # fmt: skip
