"""Marked strings sent through a real service, and the search for them in everything that it leaves behind.

All marks of a run begin alike, so one search finds any of them, in whatever form it was written. An erasure is
attacked with all files and keys, with every name known to the attacker, and with what the rows held before.
"""

from __future__ import annotations

import base64
import json
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from sqlalchemy import select

from ledger_service.config import load_settings
from ledger_service.errors import KeyUnavailableError
from ledger_service.records.tables import record_salts, records, sealed_payloads
from ledger_service.vault.keyring import _purpose
from ledger_service.vault.tables import vault_keys
from ledger_service.wiring.installation import load_key_wrapper, open_database
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from random import Random

    from tests.support.http_ledger import HttpLedger, Reply

_WRAPPED_BYTES: Final = 73
_SLICE: Final = slice(16, 48)


@dataclass
class Canaries:
    """The marks of one run, what was sent, and every answer that refused something."""

    rng: Random
    prefix: str = ""
    drawn: int = 0
    buyers: list[str] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the beginning that all marks share."""
        self.prefix = "zq" + "".join(self.rng.choices("bcdfghjklmnpqrstvwxz", k=10))

    def draw(self) -> str:
        """A new mark."""
        self.drawn += 1
        return f"{self.prefix}{self.drawn:06d}"

    def send(self, ledger: HttpLedger, count: int) -> None:
        """Send at least `count` marks: streams of purchases and completions, a tenth of the rows refused."""
        while self.drawn < count:
            rows = [self._purchase() for _ in range(max(1, min(500, (count - self.drawn) // 6)))]
            rows += [self._refused() for _ in range(len(rows) // 8 + 1)]
            self._stream(ledger, "purchases", rows)
            self._stream(ledger, "completions", [self._completion() for _ in range(len(rows) // 3 + 1)])
        for body in (self._refused(), b'{"buyer":"' + self.draw().encode()):
            self._keep(self._post(ledger, "/v1/orgs/shop/purchases", body, name=self.draw()))
        mark = quote(self.draw())
        self._keep(ledger.get(f"/v1/orgs/shop/subjects/{mark}/nothing", key=ledger.key))
        self._keep(self._post(ledger, f"/v1/orgs/shop/subjects/{mark}/erase", _ORDER, name=self.draw()))
        self.hear(ledger)

    def hear(self, ledger: HttpLedger) -> None:
        """Keep what the service says of itself, to anyone."""
        self.errors += [ledger.get(path).body for path in ("/metrics", "/healthz", "/readyz", "/v1/logs")]

    def forms(self) -> list[bytes]:
        """The beginning of every mark as it could be written: plain, in capitals, hexadecimal, base64 at any place."""
        plain = self.prefix.encode()
        forms = [plain, plain.upper(), plain.hex().encode(), plain.hex().upper().encode(), plain[::-1]]
        for shift in range(3):
            coded = base64.b64encode(bytes(shift) + plain)
            forms.append(coded[4 if shift else 0 : -4])
        return forms

    def find(self, name: str, content: bytes) -> list[str]:
        """Where marks stand in these bytes."""
        return [f"{name}: {form[:6]!r}…" for form in self.forms() if form in content]

    def _purchase(self) -> bytes:
        self.buyers.append(self.draw())
        example: Any = dict(KINDS.get("purchase/v1").example)
        items = [{**example["items"][0], "sku": self.draw()}, *example["items"][1:]]
        changes = {"buyer": self.buyers[-1], "order_number": self.draw(), "items": items}
        return json.dumps(example | changes | {"idempotency_key": f"k{self.draw()}"}).encode()

    def _completion(self) -> bytes:
        changes = {"learner": self.draw(), "certificate_number": self.draw(), "course_title": self.draw()}
        return json.dumps(dict(KINDS.get("completion/v1").example) | changes).encode()

    def _refused(self) -> bytes:
        fields = ("currency", "paid_at", "amount_minor", "channel", "items", "adjustment_minor")
        example = json.loads(self._purchase()) | {self.rng.choice(fields): f"€ {self.draw()}"}
        self.buyers.pop()
        text = json.dumps(example).encode()
        return text if self.rng.random() < 0.8 else text[:-9]

    def _stream(self, ledger: HttpLedger, word: str, rows: Sequence[bytes]) -> None:
        path = f"/v1/orgs/shop/{word}/bulk"
        body = b"\n".join(rows) + b"\n"
        reply = self._post(ledger, path, body, name=self.draw(), media="application/x-ndjson")
        assert reply.status == HTTPStatus.OK, reply
        self.errors.append(reply.body)

    def _post(
        self, ledger: HttpLedger, path: str, body: bytes, *, name: str, media: str = "application/json"
    ) -> Reply:
        return ledger.ask("POST", path, body, key=ledger.key, Idempotency_Key=name, Content_Type=media)

    def _keep(self, reply: Reply) -> None:
        assert reply.status >= HTTPStatus.BAD_REQUEST
        self.errors.append(reply.body)

    def erase(self, ledger: HttpLedger, subjects: Iterable[str]) -> list[str]:
        """Erase these buyers; returns what the certificates say of the pages."""
        said = []
        for number, subject in enumerate(subjects):
            path = f"/v1/orgs/shop/subjects/{subject}/erase"
            reply = self._post(ledger, path, _ORDER, name=f"erase-{number}")
            assert reply.status == HTTPStatus.CREATED, reply.body
            said.append(str(reply.json["pages"]))
        return said


_ORDER: Final = b'{"reason":"subject_request"}'


@dataclass(frozen=True)
class Held:
    """What the rows of one subject held before an erasure; `purpose` is what the key is bound to."""

    wrapped: bytes
    purpose: bytes
    parts: tuple[bytes, ...]
    record: bytes


def read_held(ledger: HttpLedger, subjects: Iterable[str]) -> list[Held]:
    """What an attacker could at best have seen of these subjects before: wrapped key, salts, sealed payloads."""
    from ledger_service.vault.keyring import Keyring  # noqa: PLC0415

    settings = load_settings(ledger.environment)
    keyring = Keyring(load_key_wrapper(settings))
    held = []
    with closing(open_database(settings)) as database, database.read() as conn:
        org_id = conn.execute(select(records.c.org_id).limit(1)).scalar_one()
        for subject in subjects:
            lookup = keyring.subject_lookup(conn, org_id, subject)
            row = conn.execute(select(vault_keys).where(vault_keys.c.lookup == lookup)).one()
            rows = conn.execute(
                select(records.c.rid, record_salts.c.salt, sealed_payloads.c.sealed)
                .join(record_salts, record_salts.c.record == records.c.id)
                .join(sealed_payloads, sealed_payloads.c.record == records.c.id)
                .where(records.c.key_id == row.id)
            ).all()
            parts = tuple(part for each in rows for part in (bytes(each.salt), bytes(each.sealed)[_SLICE]))
            purpose = _purpose(org_id, "subject", bytes(lookup), row.generation)
            held.append(Held(bytes(row.wrapped), purpose, parts, bytes(rows[0].rid)))
    return held


def files_of(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the folders: database, journal, chain, guard, register, keys, logs."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path.name, path.read_bytes()


def recover(ledger: HttpLedger, held: Sequence[Held], contents: Iterable[tuple[str, bytes]]) -> list[str]:
    """Try to get at the subjects again with these bytes and the keys on the disk; return what worked.

    A wrapped key is recognized by its header wherever it lies, in free pages too, and tried as each subject's.
    """
    wrapper = load_key_wrapper(load_settings(ledger.environment))
    header = wrapper.wrap(bytes(32), purpose=b"")[:13]
    found = []
    for name, content in contents:
        for each in held:
            found += [f"{name}: a salt or a payload" for part in each.parts if part in content]
        for wrapped in _find_wrapped(content, header):
            found += [f"{name}: a key" for each in held if _unwraps(wrapper, wrapped, each.purpose)]
    return found


def _find_wrapped(content: bytes, header: bytes) -> set[bytes]:
    found = set()
    start = content.find(header)
    while start >= 0:
        found.add(content[start : start + _WRAPPED_BYTES])
        start = content.find(header, start + 1)
    return found


def _unwraps(wrapper: Any, wrapped: bytes, purpose: bytes) -> bool:
    try:
        wrapper.unwrap(wrapped, purpose=purpose)
    except KeyUnavailableError:
        return False
    return True
