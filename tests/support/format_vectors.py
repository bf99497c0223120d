"""The format vectors of tests/vectors that follow from the code. `scripts/make_vectors.py` writes them down.

ML-DSA signatures are randomized, so the note in checkpoint.json is kept. canonical.json, malformed.json
and tile_paths.json are written by hand; rfc6962/ comes from transparency-dev/merkle.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.proofs.audit_report import audit_report_hash
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.checkpoint import (
    check_mldsa,
    cosigned_message,
    format_checkpoint,
    parse_checkpoint,
)
from ledger_service.proofs.entry import Pointer, claim_digest, parse_entry
from ledger_service.proofs.evidence import format_evidence
from ledger_service.proofs.fields import disclose_fields
from ledger_service.proofs.merkle import leaf_hash, prove_consistency, prove_inclusion, tree_root
from ledger_service.proofs.note import format_vkey, parse_note
from ledger_service.proofs.policy import format_policy
from ledger_service.proofs.schema import format_schema
from ledger_service.proofs.tlog_proof import format_tlog_proof
from ledger_service.proofs.trust import format_trust
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, TreeSize
from ledger_service.records.kinds import Pointed
from ledger_service.records.preparation import (
    LogTarget,
    RecordMaker,
    SealingKey,
    WriterKeys,
    encode_values,
)
from ledger_service.wiring.kinds import KINDS
from tests.support.audit_history import make_history
from tests.support.erasure_certificate import make_certificate
from tests.support.evidence_factory import EvidenceFactory, MemoryTiles
from tests.support.verification_reports import SIGNER, make_verification

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
ABOUT = "Made by `python -m scripts.make_vectors`. Bytes are hex; texts are UTF-8."
RECORD = 3
ACCEPTED = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)


def tree_vectors() -> dict[str, Any]:
    """Roots and proofs of trees whose leaf n is the entry "n" in decimal."""
    tiles = MemoryTiles()
    tiles.append(leaf_hash(b"%d" % number) for number in range(70_000))
    sizes = [*range(18), 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000]
    inclusion = [(i, n) for n in range(1, 18) for i in range(n)] + [(255, 256), (256, 257), (69_999, 70_000)]
    consistency = [(m, n) for n in range(18) for m in range(n + 1)] + [(256, 70_000), (65_537, 70_000)]
    return {
        "about": f"{ABOUT} Leaf n of the tree is SHA-256(0x00 || n in decimal); proofs as in RFC 9162.",
        "roots": [{"size": n, "root": tree_root(tiles, TreeSize(n)).hex()} for n in sizes],
        "inclusion": [
            {"index": i, "size": n, "proof": _hex(prove_inclusion(tiles, LeafIndex(i), TreeSize(n)))}
            for i, n in inclusion
        ],
        "consistency": [
            {"first": m, "second": n, "proof": _hex(prove_consistency(tiles, TreeSize(m), TreeSize(n)))}
            for m, n in consistency
        ],
    }


def _hex(hashes: tuple[bytes, ...]) -> list[str]:
    return [item.hex() for item in hashes]


def record_vectors(factory: EvidenceFactory) -> dict[str, Any]:
    """One record: its schema, the opening of its commitment, every disclosure of one field, and its entry."""
    record, schema = factory.records[RECORD], factory.schema
    claim = record.entry.claim
    assert claim.commitment is not None
    shown = {
        name: disclose_fields(record.values, salt=record.salt, schema=schema, names=[name])
        for name in schema.private
    }
    return {
        "about": f"{ABOUT} A purchase; `disclosed` holds the fields of evidence that shows one field only.",
        "schema": {"text": format_schema(schema).decode(), "hash": schema.hash.hex()},
        "opening": {"salt": record.salt.hex(), "values": record.values, "log": claim.log, "id": claim.id},
        "commitment": claim.commitment.hex(),
        "disclosed": shown,
        "entry": {"text": record.data.decode(), "leaf": leaf_hash(record.data).hex()},
        "claim_digest": claim_digest(claim).hex(),
    }


def checkpoint_vectors(factory: EvidenceFactory) -> dict[str, Any]:
    """The signed checkpoint of that record's anchor, with keys and the message that the ML-DSA line signs."""
    note = factory.note(factory.anchored_size(RECORD))
    parsed = parse_note(note)
    checkpoint, time = parse_checkpoint(parsed.text), check_mldsa(parsed, factory.mldsa_vkey)
    message = cosigned_message(factory.origin, timestamp=time, checkpoint=checkpoint)
    keys = (factory.log_vkey, factory.mldsa_vkey, factory.eip712_vkey)
    return {
        "about": f"{ABOUT} The third line's signature is made up: its key type is checked elsewhere.",
        "vkeys": [format_vkey(key) for key in keys],
        "text": format_checkpoint(checkpoint),
        "note": note.decode(),
        "mldsa44": {"timestamp": time, "message": message.hex()},
        "tlog_proof": format_tlog_proof(factory.proof(RECORD, checkpoint.size)).decode(),
    }


def evidence_vectors(factory: EvidenceFactory) -> dict[str, Any]:
    """Whole evidence of that record, with the policy and the trust file under which it is valid."""
    evidence = format_evidence(factory.evidence(RECORD)).decode()
    policy, trust = format_policy(factory.policy).decode(), format_trust(factory.trust).decode()
    now = format_time(factory.now)
    return {
        "about": ABOUT,
        "evidence": evidence,
        "policy": policy,
        "trust": trust,
        "now": now,
        "result": "valid",
    }


def kind_vectors() -> dict[str, Any]:
    """The example of every kind on its way into an entry, with random bytes that count up from zero."""
    return {
        "about": f"{ABOUT} Each kind's example: its schema, the opening of its commitment, its entry.",
        "kinds": [_kind_vector(kind) for kind in KINDS.all()],
    }


def _kind_vector(kind: Kind) -> dict[str, Any]:
    drawn = itertools.count()

    def entropy(size: int) -> bytes:
        return bytes(next(drawn) % 256 for _ in range(size))

    origin = Origin(f"ledger.example/logs/acme/{kind.collection or 'purchases'}")
    maker = RecordMaker(
        kind,
        target=LogTarget(1, origin, 1, "acme"),
        keys=WriterKeys(bytes(32), bytes(32)),
        accepted=ACCEPTED,
        entropy=entropy,
    )
    parsed = kind.parse(kind.example, ACCEPTED)
    pointers = {}
    if kind.pointing is not None and parsed.points_at is not None:
        pointers[kind.pointing.role] = Pointer(origin, LeafIndex(7), LeafHash(bytes(range(32))))
        if kind.pointing.measure is not None:
            pointed = Pointed(lambda: EXAMPLE_PURCHASE, list)
            parsed = replace(parsed, public={**parsed.public, **kind.pointing.measure(parsed, pointed)})
    made, opening = maker.make(
        parsed, encode_values(parsed), sealing=SealingKey(1, 1, bytes(32)), token=None, **pointers
    )
    claim = parse_entry(made.entry).claim
    return {
        "kind": kind.name,
        "payload": dict(kind.example),
        "schema": {"text": format_schema(kind.schema).decode(), "hash": kind.schema.hash.hex()},
        "opening": None if opening is None else {"salt": opening.salt.hex(), "values": opening.values},
        "commitment": None if claim.commitment is None else claim.commitment.hex(),
        "entry": {"text": made.entry.decode(), "leaf": made.leaf.hex()},
    }


def erasure_vectors() -> dict[str, Any]:
    """A certificate with the keys that signed it."""
    certificate, keys = make_certificate()
    return {
        "about": ABOUT,
        "certificate": certificate.decode(),
        "vkeys": [format_vkey(key) for key in keys],
    }


def audit_vectors() -> dict[str, Any]:
    """Two reports, of which the second follows the first, with the key that signed them."""
    notes, key = make_history()
    return {
        "about": ABOUT,
        "notes": [note.decode() for note in notes],
        "vkey": format_vkey(key),
        "hash_of_first": audit_report_hash(notes[0]).hex(),
    }


def verification_vectors(factory: EvidenceFactory) -> dict[str, Any]:
    """The report on that record's evidence, with the key that signed it."""
    evidence, report = make_verification(factory, RECORD)
    return {
        "about": ABOUT,
        "evidence": evidence.decode(),
        "report": SIGNER.sign(report).decode(),
        "vkey": format_vkey(SIGNER.vkey),
    }


def make_vectors() -> dict[str, dict[str, Any]]:
    """Return every file's content by its name."""
    factory = EvidenceFactory(records=6)
    stored = VECTORS / "checkpoint.json"
    if stored.exists():
        factory.keep_note(json.loads(stored.read_text("utf-8"))["note"].encode())
    return {
        "merkle.json": tree_vectors(),
        "record.json": record_vectors(factory),
        "checkpoint.json": checkpoint_vectors(factory),
        "evidence.json": evidence_vectors(factory),
        "kinds.json": kind_vectors(),
        "erasure.json": erasure_vectors(),
        "audit_report.json": audit_vectors(),
        "verification_report.json": verification_vectors(factory),
    }
