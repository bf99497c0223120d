"""What a person has who comes to /verify: a ledger that serves, records in it, and their files and documents."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.proofs.canonical import encode_base64url
from tests.support.http_ledger import HttpLedger, purchase

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

FILE = "number,place\n1,Zürich\n".encode() * 1000
# A title that would run if a page took it for markup.
TITLE = '<img src=x onerror="alert(1)">'


class VerifyDesk:
    """One ledger with three records, and what a holder has of them in files."""

    def __init__(self, ledger: HttpLedger, folder: Path) -> None:
        """Record a data set with a private digest, one with a public digest, and a purchase."""
        self.ledger = ledger
        self.folder = folder
        self.url = f"{ledger.url}/verify"
        self.private = self.record_file("private", hashlib.sha256(FILE).digest(), title=TITLE)
        self.public = self.record_file("public", hashlib.sha256(FILE).digest(), publish_digest=True)
        self.purchase = self._record("purchases", purchase("A-1"))
        self.file = self.write("data.csv", FILE)
        self.other = self.write("other.csv", FILE + b"2,Basel\n")
        self.evidence = self.write("evidence.json", self.evidence_of(self.private))
        self.hidden = self.write("hidden.json", self._get(f"records/{self.private}/evidence"))
        self.receipt = self.write("receipt.json", self._get(f"records/{self.purchase}/receipt"))
        self.policy = self.write("policy.txt", self._get("logs/shop/datasets/policy"))
        self.trust = self.write("trust.json", self._get("logs/shop/datasets/trust"))

    def record_file(self, number: str, digest: bytes, **fields: object) -> str:
        """Record a data set whose file has this digest; returns the record's id."""
        stated = {"dataset_number": number, "file_sha256": encode_base64url(digest)}
        return self._record("datasets", {**EXAMPLE_DATASET, **stated, **fields})

    def evidence_of(self, record: str) -> bytes:
        """Evidence that shows a data set's digest and title."""
        return self._get(f"records/{record}/evidence?fields=file_sha256,title")

    def write(self, name: str, data: bytes) -> Path:
        """A file of the holder's."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def sparse(self, name: str, size: int) -> Path:
        """A file of this size that takes no room on the disk; only its end is not zero."""
        path = self.folder / name
        with path.open("wb") as file:
            file.truncate(size - 1)
            file.seek(size - 1)
            file.write(b"!")
        return path

    def _record(self, collection: str, payload: dict[str, Any]) -> str:
        body = json.dumps(payload).encode()
        reply = self.ledger.ask(
            "POST",
            f"/v1/orgs/shop/{collection}",
            body,
            key=self.ledger.key,
            Idempotency_Key=hashlib.sha256(body).hexdigest()[:20],
            Content_Type="application/json",
        )
        assert reply.status == 201, reply
        return reply.record

    def _get(self, path: str) -> bytes:
        reply = self.ledger.get(f"/v1/{path}", key=self.ledger.key)
        assert reply.status == 200, reply
        return reply.body


def choose(page: Page, *paths: Path) -> None:
    """Choose files, as dropping them does."""
    page.set_input_files("#verify-files", list(paths))


def paste(page: Page, text: str) -> None:
    """Type a text and ask."""
    page.fill("#verify-paste", text)
    page.click("#verify-go")


def answer(page: Page) -> str:
    """The answer's one line, once it is there."""
    return page.locator("#answer-line").inner_text()
