"""A throwaway PostgreSQL cluster: made in a temporary directory, durable settings on, gone at the end.

Tests and campaigns use it the same way::

    with PostgresCluster.start() as cluster:
        url = cluster.create_database()
"""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg import sql

from tests.support.processes import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

_SERVER_ACCOUNT = "postgres"
_ROLE = "ledger"
_START_TIMEOUT_S = 30.0
# The settings that a ledger insists on are the server's defaults; they stand here so that a machine's own
# configuration cannot weaken them. The others only keep a test's cluster small.
_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "listen_addresses": "",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "autovacuum_naptime": "5min",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


def server_program(name: str) -> Path:
    """The newest installed server program of that name; fails with what to install when there is none."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4].split(".")[0])
    )
    if installed:
        return installed[-1]
    found = shutil.which(name)
    if found is None:
        raise FileNotFoundError(
            f"{name} is missing: run scripts/install_debian.sh, which installs PostgreSQL"
        )
    return Path(found)


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root, so root starts it under the account its package made."""
    if os.geteuid() != 0:
        return None
    pwd.getpwnam(_SERVER_ACCOUNT)
    return _SERVER_ACCOUNT


@dataclass
class PostgresCluster:
    """One running cluster, reachable only through a Unix socket in its own directory."""

    directory: Path
    user: str | None
    _server: ChildProcess | None = field(default=None, init=False)
    _numbers: Iterator[int] = field(default_factory=itertools.count, init=False)

    @classmethod
    def start(cls) -> Self:
        """Make a cluster and run it until the `with` block or `stop` ends it."""
        directory = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
        user = _server_user()
        if user is not None:
            account = pwd.getpwnam(user)
            os.chown(directory, account.pw_uid, account.pw_gid)
        cluster = cls(directory, user)
        try:
            cluster._initialize()
            cluster.restart()
        except BaseException:
            cluster.stop()
            raise
        return cluster

    def _initialize(self) -> None:
        subprocess.run(
            [
                server_program("initdb"),
                *("--pgdata", self.directory / "data"),
                *("--username", _ROLE),
                *("--auth", "trust"),
                *("--encoding", "UTF8"),
                *("--locale", "C"),
                "--no-sync",
            ],
            user=self.user,
            group=self.user,
            extra_groups=[] if self.user is not None else None,
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
        )

    def restart(self) -> None:
        """Start the server again after `crash`; returns when it answers, recovery included."""
        settings = _SETTINGS | {"unix_socket_directories": str(self.directory)}
        with (self.directory / "server.log").open("a") as log:
            self._server = ChildProcess.start(
                [
                    server_program("postgres"),
                    *("-D", self.directory / "data"),
                    *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
                ],
                user=self.user,
                working_directory=self.directory,
                stdout=log,
                stderr=log,
                stop_signal=signal.SIGQUIT,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._server is not None
        deadline = time.monotonic() + _START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(self._conninfo("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                if self._server.popen.poll() is not None or time.monotonic() > deadline:
                    report = (self.directory / "server.log").read_text()
                    raise TimeoutError(f"PostgreSQL did not start: {report}") from error
                # The server says nothing when it is ready; a knock every 20 ms is what pg_ctl does too.
                threading.Event().wait(0.02)
            else:
                return

    def _conninfo(self, database: str) -> str:
        return f"host={self.directory} user={_ROLE} dbname={database}"

    def create_database(self, *, template: str = "template0") -> str:
        """A fresh, empty database (or a copy of `template`); returns its SQLAlchemy URL."""
        name = f"ledger_{os.getpid()}_{next(self._numbers)}"
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
        return f"postgresql+psycopg://{_ROLE}@/{name}?host={self.directory}"

    def checkpoint(self) -> None:
        """Write everything to the files that the server holds in memory."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as conn:
            conn.execute("CHECKPOINT")

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made, throwing out whoever still uses it."""
        name = url.split("@/", 1)[1].split("?", 1)[0]
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, command: sql.Composed) -> None:
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(command)

    def crash(self) -> None:
        """SIGKILL to every server process at once, as the out-of-memory killer or a panic would."""
        assert self._server is not None
        pid = self._server.pid
        # Each server process leads a group of its own, so the postmaster's group holds only the postmaster.
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        self._server.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(child), signal.SIGKILL)

    def stop(self) -> None:
        """End the server and remove the cluster's directory."""
        if self._server is not None:
            self._server.stop()
            self._server = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        """The started thing itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, whatever happened inside."""
        self.stop()
