"""A ledger of the demo's own: its folder, its server, and the calls that the demo makes to it."""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

ORG = "cdnow"
AUDIT_LEDGER = str(Path(sys.executable).with_name("audit-ledger"))


class DemoService:
    """`audit-ledger` as an operator would run it, in a folder that is made anew."""

    def __init__(self, folder: Path) -> None:
        """Choose a free port, and an origin with a random part: no two demos claim the same log."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder = folder
        self.key_file = folder / "cdnow.key"
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "AUDIT_LEDGER_DATA_DIR": str(folder / "ledger"),
            "AUDIT_LEDGER_ORIGIN_HOST": f"demo-{secrets.token_hex(4)}.example",
            "AUDIT_LEDGER_PORT": str(self.port),
        }
        self._server: subprocess.Popen[bytes] | None = None
        self._key = ""

    def cli(self, *arguments: str, expect: int = 0, **environment: str) -> str:
        """Run an `audit-ledger` command and return what it printed."""
        command = [AUDIT_LEDGER, *arguments]
        done = subprocess.run(
            command, env=self.environment | environment, capture_output=True, text=True, check=False
        )
        if done.returncode != expect:
            raise SystemExit(
                f"audit-ledger {' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout + done.stderr

    def set_up(self) -> None:
        """Make the ledger, one organization and its key."""
        self.cli("init")
        self.cli("org", "create", ORG, "--name", "CDNOW, Inc. (historical)")
        self._key = self.cli("key", "create", ORG).strip()
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(self._key, encoding="ascii")

    def start(self) -> None:
        """Start `audit-ledger serve` and wait until it is ready."""
        output = (self.folder / "serve.log").open("wb")
        command = [AUDIT_LEDGER, "serve"]
        self._server = subprocess.Popen(
            command, env=self.environment, stdout=output, stderr=output, start_new_session=True
        )
        for _ in range(600):
            if self._server.poll() is not None:
                break
            with contextlib.suppress(OSError):
                if self.call("GET", "/readyz")[0] == http.HTTPStatus.OK:
                    return
            time.sleep(0.1)
        raise SystemExit(f"the server did not become ready:\n{(self.folder / 'serve.log').read_text()}")

    def wait(self) -> None:
        """Return when the server ends."""
        if self._server is not None:
            self._server.wait()

    def stop(self) -> None:
        """Stop the server as an operator would."""
        if self._server is not None:
            self._server.terminate()
            self._server.wait(timeout=60)

    def connection(self) -> http.client.HTTPConnection:
        """A connection that can be used again and again."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """One request on a connection of its own; returns status and body."""
        connection = self.connection()
        connection.request(method, path, body, self.headers(**headers))
        answer = connection.getresponse()
        return answer.status, answer.read()

    def headers(self, **more: str) -> dict[str, str]:
        """The key, the media type, and what else is named (`Idempotency_Key` means `Idempotency-Key`)."""
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"} | named
