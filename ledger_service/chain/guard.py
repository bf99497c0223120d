"""A high-water mark outside the database: how far each log was published, and where it is anchored.

A restored backup brings back an older database but not an older guard file, unless somebody copies both. It
is what a database's age is compared with while the chain cannot be reached. It never goes down by itself.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger_service.errors import MalformedError, RollbackDetectedError, StorageFatalError
from ledger_service.proofs.canonical import decode, decode_base64url, encode, encode_base64url
from ledger_service.proofs.shapes import bytes_of, integer_of, list_of, object_of, text_of
from ledger_service.storage import failpoints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ledger_service.chain.source import LogHead, ProofSource
    from ledger_service.proofs.canonical import JsonValue

GUARD_VERSION: Final = "audit-ledger/guard/v1"


@dataclass(frozen=True, slots=True)
class KnownContract:
    """A contract of ours on a chain, as it was when the guard was last written."""

    chain_id: int
    genesis_hash: bytes
    kind: str
    address: bytes
    first_block: int


@dataclass(frozen=True, slots=True)
class Marks:
    """What the guard remembers: size and root of each log by origin, and our contracts."""

    logs: Mapping[str, tuple[int, bytes]] = field(default_factory=dict)
    contracts: tuple[KnownContract, ...] = ()


class HighWaterGuard:
    """The guard file of one installation. One thread writes it; a write is durable on return."""

    __slots__ = ("_marks", "_path")

    def __init__(self, path: Path) -> None:
        """Keep it at `path`. Raises MalformedError when what lies there is no guard file."""
        self._path = path
        self._marks = parse_marks(path.read_bytes()) if path.exists() else Marks()

    @property
    def marks(self) -> Marks:
        """What is remembered now; empty before the first write."""
        return self._marks

    def check(self, source: ProofSource) -> Marks:
        """Return the marks if every log has at least what they say, else raise RollbackDetectedError."""
        heads = {head.origin: head for head in source.heads()}
        for origin, (size, root) in self._marks.logs.items():
            head = heads.get(origin)
            if head is None or head.size < size:
                found = 0 if head is None else head.size
                raise RollbackDetectedError(origin=origin, database_size=found, guard_size=size)
            if source.root_at(head.log, size) != root:
                raise RollbackDetectedError(
                    "The database holds another tree of this log than was published. It must not sign.",
                    origin=origin,
                    guard_size=size,
                )
        return self._marks

    def record(self, heads: Sequence[LogHead], *, contracts: Sequence[KnownContract]) -> None:
        """Raise the marks to `heads`. A log that is behind its mark, or missing, keeps the mark."""
        logs = dict(self._marks.logs)
        for head in heads:
            if head.size > logs.get(head.origin, (0, b""))[0]:
                logs[head.origin] = (head.size, head.root)
        known = tuple(dict.fromkeys((*self._marks.contracts, *contracts)))
        marks = Marks(logs, known)
        if marks != self._marks:
            self._write(format_marks(marks))
            self._marks = marks

    def _write(self, data: bytes) -> None:
        draft = self._path.with_suffix(".new")
        with suppress(FileNotFoundError):
            draft.unlink()
        try:
            handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with failpoints.step("chain.guard"):
                draft.replace(self._path)
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise StorageFatalError("The guard file cannot be written.", cause=error.strerror) from error


def format_marks(marks: Marks) -> bytes:
    """Return the guard file's bytes: canonical JSON."""
    logs: list[JsonValue] = [
        {"origin": origin, "size": size, "root": encode_base64url(root)}
        for origin, (size, root) in sorted(marks.logs.items())
    ]
    contracts: list[JsonValue] = [
        {
            "chain_id": each.chain_id,
            "genesis_hash": encode_base64url(each.genesis_hash),
            "kind": each.kind,
            "address": encode_base64url(each.address),
            "first_block": each.first_block,
        }
        for each in marks.contracts
    ]
    return encode({"v": GUARD_VERSION, "logs": logs, "contracts": contracts})


def parse_marks(data: bytes) -> Marks:
    """Return the marks that `format_marks` writes as `data`; raises MalformedError."""
    members = object_of(decode(data), ("v", "logs", "contracts"), what="The guard file")
    if members["v"] != GUARD_VERSION:
        raise MalformedError("The guard file is of an unknown version.")
    logs: dict[str, tuple[int, bytes]] = {}
    for item in list_of(members["logs"], what="logs"):
        log = object_of(item, ("origin", "size", "root"), what="A mark")
        size = integer_of(log["size"], what="size", at_least=1)
        logs[text_of(log["origin"], what="origin")] = (size, bytes_of(log["root"], what="root", size=32))
    contracts = tuple(_parse_contract(item) for item in list_of(members["contracts"], what="contracts"))
    return Marks(logs, contracts)


def _parse_contract(value: JsonValue) -> KnownContract:
    names = ("chain_id", "genesis_hash", "kind", "address", "first_block")
    members = object_of(value, names, what="A contract")
    return KnownContract(
        chain_id=integer_of(members["chain_id"], what="chain_id"),
        genesis_hash=bytes_of(members["genesis_hash"], what="genesis_hash", size=32),
        kind=text_of(members["kind"], what="kind"),
        address=decode_base64url(text_of(members["address"], what="address"), size=20),
        first_block=integer_of(members["first_block"], what="first_block"),
    )
