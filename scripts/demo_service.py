"""A ledger of the demo's own: its folder and its server."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_service.accounts.scopes import Scope
from ledger_service.config import load_settings
from ledger_service.wiring import build
from ledger_service.wiring.installation import install
from scripts.demo_calls import ORG, Calls

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOP = {ORG: "CDNOW, Inc. (historical)"}
AUDIT_LEDGER = str(Path(sys.executable).with_name("audit-ledger"))
_ONLY_OURS = "AUDIT_LEDGER_"


class DemoService(Calls):
    """`audit-ledger` as an operator would run it, in a folder that is made anew."""

    def __init__(self, folder: Path, *, database_url: str | None = None) -> None:
        """Choose a free port, and an origin with a random part: no two demos claim the same log."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            super().__init__(int(probe.getsockname()[1]))
        self.folder = folder
        clean = {name: text for name, text in os.environ.items() if not name.startswith(_ONLY_OURS)}
        self.environment = clean | {
            "AUDIT_LEDGER_DATA_DIR": str(folder / "ledger"),
            "AUDIT_LEDGER_ORIGIN_HOST": f"demo-{secrets.token_hex(4)}.example",
            "AUDIT_LEDGER_PORT": str(self.port),
        }
        if database_url is not None:
            self.environment["AUDIT_LEDGER_DATABASE_URL"] = database_url
        self.settings = load_settings(self.environment)
        self._server: subprocess.Popen[bytes] | None = None

    def set_up(self, organizations: Mapping[str, str] = SHOP) -> None:
        """What `init`, `org create` and `key create` do, without a process for each."""
        install(self.settings)
        with build(self.settings, anchoring=False) as service:
            for org, name in organizations.items():
                service.create_organization(org, name=name)
                owner = service.organizations.find(org)
                self.keys[org] = service.api_keys.issue(owner, scopes=set(Scope), label="demo")
                (self.folder / org).mkdir()
                key_file = self.folder / org / "key"
                key_file.touch(mode=0o600)
                key_file.write_text(self.keys[org] + "\n", encoding="ascii")

    def export_trust(self, logs: Mapping[str, str]) -> None:
        """What `trust export` does, for the log of each organization."""
        with build(self.settings, anchoring=False) as service:
            for org, collection in logs.items():
                documents = service.trust_documents(org, collection)
                (self.folder / org / "policy.txt").write_bytes(documents.policy)
                (self.folder / org / "trust.json").write_bytes(documents.trust)

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
                if self.call("GET", "/readyz").status == HTTPStatus.OK:
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
