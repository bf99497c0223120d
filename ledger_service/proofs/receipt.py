"""The receipt: what a writer gets back and keeps (design section 2).

`{"entry":<base64url>,"opening":{"salt":<base64url>,"values":{...}}|null,"proof":<tlog-proof>,"schema":{...},"v":...}`.
The opening is the secret half: whoever has it can show any private field. After an erasure it is null.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_service.errors import CommitmentError, EvidenceError, LedgerError, MalformedError
from ledger_service.proofs.canonical import JsonValue, decode, encode, encode_base64url
from ledger_service.proofs.entry import Entry, parse_entry
from ledger_service.proofs.evidence import EVIDENCE_VERSION, Evidence, format_evidence
from ledger_service.proofs.fields import SALT_SIZE, commit_fields, disclose_fields
from ledger_service.proofs.merkle import check_inclusion, leaf_hash
from ledger_service.proofs.policy import Policy, VerifiedCheckpoint, check_policy
from ledger_service.proofs.schema import Schema, parse_schema_json, schema_json
from ledger_service.proofs.shapes import bytes_of, object_of, text_of
from ledger_service.proofs.tlog_proof import TlogProof, format_tlog_proof, parse_tlog_proof

if TYPE_CHECKING:
    from collections.abc import Mapping

RECEIPT_VERSION = "audit-ledger/receipt/v1"


@dataclass(frozen=True, slots=True)
class Opening:
    """The record's 32-byte salt and its private fields; an absent field is a missing key."""

    salt: bytes
    values: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Receipt:
    """An entry's bytes, the schema of its kind, the opening of its commitment, and the proof of inclusion."""

    entry: bytes
    schema: Schema
    opening: Opening | None
    proof: TlogProof


def format_receipt(receipt: Receipt) -> bytes:
    """Return the receipt as canonical JSON; raises MalformedError."""
    opening = receipt.opening
    return encode(
        {
            "v": RECEIPT_VERSION,
            "entry": encode_base64url(receipt.entry),
            "schema": schema_json(receipt.schema),
            "opening": None
            if opening is None
            else {"salt": encode_base64url(opening.salt), "values": opening.values},
            "proof": format_tlog_proof(receipt.proof).decode(),
        }
    )


def parse_receipt(data: bytes) -> Receipt:
    """Return the receipt that `format_receipt` writes as `data`; raises MalformedError."""
    members = object_of(decode(data), ("v", "entry", "schema", "opening", "proof"), what="The receipt")
    if members["v"] != RECEIPT_VERSION:
        raise MalformedError("The receipt is of an unknown version.")
    return Receipt(
        entry=bytes_of(members["entry"], what="entry"),
        schema=parse_schema_json(members["schema"]),
        opening=None if members["opening"] is None else _parse_opening(members["opening"]),
        proof=parse_tlog_proof(text_of(members["proof"], what="proof").encode()),
    )


def as_evidence(document: bytes) -> bytes:
    """Return evidence as it is, and a receipt as the evidence its holder could give: all shown, no status.

    What is neither stays as it is: `verify` says what is wrong with it.
    """
    bare = document.removesuffix(b"\n")
    version = document_version(bare)
    if version == RECEIPT_VERSION:
        try:
            return format_evidence(_evidence_of(parse_receipt(bare)))
        except LedgerError:
            return document
    return bare if version == EVIDENCE_VERSION else document


def document_version(document: bytes) -> JsonValue:
    """Return the version that a document says it has, whatever it is; None for what is no canonical JSON object."""
    try:
        value = decode(document)
    except MalformedError:
        return None
    return value.get("v") if isinstance(value, dict) else None


def check_receipt(receipt: Receipt, *, policy: Policy) -> tuple[Entry, VerifiedCheckpoint]:
    """Return entry and checkpoint, once the opening fits the entry and the signed log holds it.

    Raises what the single checks raise: MalformedError, EvidenceError, CommitmentError, InclusionError,
    SignatureError, PolicyError, CouldNotCheckError.
    """
    entry = parse_entry(receipt.entry)
    claim = entry.claim
    if (claim.kind, claim.schema) != (receipt.schema.kind, receipt.schema.hash):
        raise EvidenceError("The schema is not the one that the entry names.")
    if receipt.opening is not None:
        commitment = commit_fields(
            receipt.opening.values,
            salt=receipt.opening.salt,
            schema=receipt.schema,
            log=claim.log,
            id=claim.id,
        )
        if commitment != claim.commitment:
            raise CommitmentError
    verified = check_policy(receipt.proof.checkpoint, policy)
    checkpoint = verified.checkpoint
    if checkpoint.origin != claim.log:
        raise EvidenceError("The checkpoint is another log's.")
    check_inclusion(
        leaf_hash(receipt.entry),
        index=receipt.proof.index,
        size=checkpoint.size,
        root=checkpoint.root,
        proof=receipt.proof.hashes,
    )
    return entry, verified


def _evidence_of(receipt: Receipt) -> Evidence:
    opening = receipt.opening
    fields = None
    if opening is not None:
        schema = receipt.schema
        fields = disclose_fields(opening.values, salt=opening.salt, schema=schema, names=schema.private)
    return Evidence(receipt.entry, receipt.schema, fields, receipt.proof, anchors=(), status=None)


def _parse_opening(value: JsonValue) -> Opening:
    members = object_of(value, ("salt", "values"), what="The opening")
    values = members["values"]
    if not isinstance(values, dict):
        raise MalformedError("The values are not an object.")
    return Opening(salt=bytes_of(members["salt"], what="salt", size=SALT_SIZE), values=values)
