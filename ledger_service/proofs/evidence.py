"""Evidence: everything an outsider needs to judge one record, in one JSON document (design section 11).

Values of the chain (hashes, addresses, RLP) are lower-case 0x text, as every chain tool prints them; the rest
is base64url.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_service.errors import MalformedError
from ledger_service.proofs.canonical import (
    JsonValue,
    decode,
    encode,
    encode_base64url,
    format_time,
    parse_time,
)
from ledger_service.proofs.schema import Schema, parse_schema_json, schema_json
from ledger_service.proofs.shapes import bytes_of, hex_of, integer_of, list_of, object_of, text_of
from ledger_service.proofs.status import StatusStatement, format_status, parse_status
from ledger_service.proofs.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof
from ledger_service.proofs.types import RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

EVIDENCE_VERSION = "audit-ledger/evidence/v1"
MAX_EVIDENCE_SIZE = 8 << 20
MAX_ANCHORS = 16

_ANCHOR_MEMBERS = (
    "chain_id", "genesis_hash", "contract", "code_hash", "log_id", "size", "root", "time", "previous",
    "block", "tx_hash", "header_rlp", "receipt_proof",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """A tree head that the contract accepted at `time`, the time of its block."""

    size: TreeSize
    root: RootHash
    time: datetime


@dataclass(frozen=True, slots=True)
class Block:
    """The block that holds an anchor."""

    number: int
    hash: bytes
    time: datetime


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head of the log that a contract accepted, and the one before that (None: it was the first)."""

    chain_id: int
    genesis_hash: bytes
    contract: bytes
    code_hash: bytes
    log_id: bytes
    size: TreeSize
    root: RootHash
    time: datetime
    previous: Head | None
    block: Block
    tx_hash: bytes
    header_rlp: bytes | None = None
    receipt_proof: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """A parsed evidence document. `fields` are what `disclose_fields` makes, or None when not shown."""

    entry: bytes
    schema: Schema
    fields: Sequence[JsonValue] | None
    proof: TlogProof
    anchors: tuple[Anchor, ...]
    status: StatusStatement | None


def format_evidence(evidence: Evidence) -> bytes:
    """Return the document as canonical JSON; raises MalformedError."""
    return encode(
        {
            "v": EVIDENCE_VERSION,
            "entry": encode_base64url(evidence.entry),
            "schema": schema_json(evidence.schema),
            "fields": evidence.fields,
            "proof": format_tlog_proof(evidence.proof).decode(),
            "anchors": [_anchor_json(anchor) for anchor in evidence.anchors],
            "status": None if evidence.status is None else format_status(evidence.status),
        }
    )


def parse_evidence(data: bytes) -> Evidence:
    """Return the evidence that `format_evidence` writes as `data`, at most 8 MiB; raises MalformedError."""
    if len(data) > MAX_EVIDENCE_SIZE:
        raise MalformedError("The evidence is larger than 8 MiB.")
    names = ("v", "entry", "schema", "fields", "proof", "anchors", "status")
    members = object_of(decode(data), names, what="The evidence")
    if members["v"] != EVIDENCE_VERSION:
        raise MalformedError("The evidence is of an unknown version.")
    anchors = list_of(members["anchors"], what="anchors", at_most=MAX_ANCHORS)
    return Evidence(
        entry=bytes_of(members["entry"], what="entry"),
        schema=parse_schema_json(members["schema"]),
        fields=None if members["fields"] is None else list_of(members["fields"], what="fields"),
        proof=parse_tlog_proof(text_of(members["proof"], what="proof").encode()),
        anchors=tuple(_parse_anchor(anchor) for anchor in anchors),
        status=None if members["status"] is None else parse_status(members["status"]),
    )


def _anchor_json(anchor: Anchor) -> JsonValue:
    previous = anchor.previous
    return {
        "chain_id": anchor.chain_id,
        "genesis_hash": _hex(anchor.genesis_hash),
        "contract": _hex(anchor.contract),
        "code_hash": _hex(anchor.code_hash),
        "log_id": _hex(anchor.log_id),
        "size": anchor.size,
        "root": encode_base64url(anchor.root),
        "time": format_time(anchor.time),
        "previous": None
        if previous is None
        else {
            "size": previous.size,
            "root": encode_base64url(previous.root),
            "time": format_time(previous.time),
        },
        "block": {
            "number": anchor.block.number,
            "hash": _hex(anchor.block.hash),
            "time": format_time(anchor.block.time),
        },
        "tx_hash": _hex(anchor.tx_hash),
        "header_rlp": None if anchor.header_rlp is None else _hex(anchor.header_rlp),
        "receipt_proof": None
        if anchor.receipt_proof is None
        else [_hex(node) for node in anchor.receipt_proof],
    }


def _parse_anchor(value: JsonValue) -> Anchor:
    members = object_of(value, _ANCHOR_MEMBERS, what="An anchor")
    header, nodes = members["header_rlp"], members["receipt_proof"]
    return Anchor(
        chain_id=integer_of(members["chain_id"], what="chain_id", at_least=1),
        genesis_hash=hex_of(members["genesis_hash"], what="genesis_hash", size=32),
        contract=hex_of(members["contract"], what="contract", size=20),
        code_hash=hex_of(members["code_hash"], what="code_hash", size=32),
        log_id=hex_of(members["log_id"], what="log_id", size=32),
        size=TreeSize(integer_of(members["size"], what="size", at_least=1)),
        root=RootHash(bytes_of(members["root"], what="root", size=32)),
        time=parse_time(text_of(members["time"], what="time")),
        previous=None if members["previous"] is None else _parse_head(members["previous"]),
        block=_parse_block(members["block"]),
        tx_hash=hex_of(members["tx_hash"], what="tx_hash", size=32),
        header_rlp=None if header is None else hex_of(header, what="header_rlp"),
        receipt_proof=None
        if nodes is None
        else tuple(hex_of(node, what="A node") for node in list_of(nodes, what="receipt_proof", at_most=64)),
    )


def _parse_head(value: JsonValue) -> Head:
    members = object_of(value, ("size", "root", "time"), what="The previous head")
    return Head(
        size=TreeSize(integer_of(members["size"], what="size", at_least=1)),
        root=RootHash(bytes_of(members["root"], what="root", size=32)),
        time=parse_time(text_of(members["time"], what="time")),
    )


def _parse_block(value: JsonValue) -> Block:
    members = object_of(value, ("number", "hash", "time"), what="The block")
    return Block(
        number=integer_of(members["number"], what="number"),
        hash=hex_of(members["hash"], what="hash", size=32),
        time=parse_time(text_of(members["time"], what="time")),
    )


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
