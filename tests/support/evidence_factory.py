"""Complete valid evidence made in memory: keys, a log of purchases, checkpoints, anchors and statuses.

Everything follows from the log's name, so that two runs make the same evidence (ML-DSA signatures apart: they
are randomized). `SampleChain` plays the chain: it bears out exactly what the factories have put there.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from ledger_service.errors import AnchorError, SignatureError, TileMissingError
from ledger_service.proofs.canonical import JsonValue, encode_base64url, format_time
from ledger_service.proofs.chain_view import GRADE_NODE, AnchorFinding, ChainStatus
from ledger_service.proofs.checkpoint import (
    Checkpoint,
    cosigned_message,
    format_checkpoint,
    format_cosignature_payload,
    parse_checkpoint,
)
from ledger_service.proofs.entry import Claim, Entry, Pointer, format_entry
from ledger_service.proofs.evidence import Anchor, Block, Evidence, Head, format_evidence
from ledger_service.proofs.fields import commit_fields, disclose_fields
from ledger_service.proofs.merkle import EMPTY_ROOT, extend_tiles, leaf_hash, prove_inclusion, tree_root
from ledger_service.proofs.note import (
    ALG_ED25519,
    ALG_EIP712,
    ALG_MLDSA44,
    Note,
    Signature,
    VerifierKey,
    format_note,
    make_vkey,
    parse_note,
)
from ledger_service.proofs.opening import LogOpening, opening_claim
from ledger_service.proofs.policy import Group, Policy, Witness
from ledger_service.proofs.receipt import Opening, Receipt
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.status import (
    ACTIVE,
    AsOf,
    StatusChange,
    StatusStatement,
    signed_proof,
    status_key_name,
    status_message,
)
from ledger_service.proofs.tlog_proof import TlogProof
from ledger_service.proofs.trust import HeadKey, Trust, TrustedAnchor, TrustedLog
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, RecordId, RootHash, TreeSize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECONDS_PER_ENTRY = 10

PURCHASE = Schema(
    kind="purchase/v1",
    private=(
        "adjustment_minor",
        "amount_minor",
        "buyer",
        "channel",
        "currency",
        "items",
        "order_number",
        "paid_at",
    ),
    public=(),
)


def derive(*labels: object, size: int = 32) -> bytes:
    """Return bytes that follow from the labels alone, where a real ledger draws random ones."""
    return sha256("/".join(str(label) for label in labels).encode()).digest()[:size]


def purchase_values(number: int) -> dict[str, JsonValue]:
    """Return the private fields of one purchase; adjustment_minor is absent."""
    amount = 1000 + number
    return {
        "amount_minor": amount,
        "buyer": f"customer-{number:05}",
        "channel": "web",
        "currency": "USD",
        "items": [{"sku": f"cd-{number}", "quantity": 1, "amount_minor": amount}],
        "order_number": f"A-{number:06}",
        "paid_at": format_time(START + timedelta(seconds=number * SECONDS_PER_ENTRY)),
    }


class MemoryTiles:
    """The tiles of a growing tree in a dict."""

    def __init__(self) -> None:
        """Begin with the empty tree."""
        self.size = TreeSize(0)
        self.root = EMPTY_ROOT
        self.tiles: dict[tuple[int, int], bytes] = {}

    def read_tile(self, level: int, index: int, width: int) -> bytes:
        """Return the first `width` hashes of a tile."""
        tile = self.tiles.get((level, index), b"")
        if len(tile) < width * 32:
            raise TileMissingError(level=level, index=index)
        return tile[: width * 32]

    def append(self, leaves: Iterable[bytes]) -> None:
        """Append leaf hashes."""
        batch = list(leaves)
        changed, self.root = extend_tiles(self, self.size, batch)
        self.tiles.update(changed)
        self.size = TreeSize(self.size + len(batch))


@dataclass
class SampleChain:
    """A chain that holds exactly these anchors, states of records, and checkpoint lines."""

    anchors: list[Anchor] = field(default_factory=list)
    states: dict[Pointer, ChainStatus] = field(default_factory=dict)
    lines: set[tuple[str, Signature]] = field(default_factory=set)

    def observe_anchor(self, anchor: Anchor, *, trusted: TrustedAnchor) -> AnchorFinding:
        """Find the anchor, every member equal."""
        if anchor not in self.anchors or anchor.contract != trusted.contract:
            raise AnchorError
        lower = None if anchor.previous is None else anchor.previous.time
        return AnchorFinding(GRADE_NODE, lower, anchor.time, f"block {anchor.block.number}")

    def observe_status(self, pointer: Pointer, *, trusted: TrustedAnchor) -> ChainStatus:
        """Return the state that was set, or active."""
        del trusted
        return self.states.get(pointer, ChainStatus(ACTIVE, START, "no status was ever set"))

    def check_eip712_line(self, note: Note, key: VerifierKey) -> None:
        """Accept exactly the lines that a factory has made."""
        made = {(note.text, line) for line in note.signatures if line.key_id == key.key_id}
        if not made <= self.lines:
            raise SignatureError


@dataclass(frozen=True)
class SampleRecord:
    """One accepted record with everything that its writer knows."""

    entry: Entry
    data: bytes
    values: Mapping[str, JsonValue]
    salt: bytes


class EvidenceFactory:
    """One organization's log of purchases, entry 0 its opening, anchored every `anchor_every` entries."""

    def __init__(self, org: str = "acme", *, records: int = 10, anchor_every: int = 4) -> None:
        """Make the keys, the opening, and purchases until the log has `records` entries."""
        self.org = org
        self.origin = Origin(f"ledger.example/logs/{org}/purchases")
        self.anchor_every = anchor_every
        self.schema = PURCHASE
        self.chain = SampleChain()
        self._make_keys()
        self.tiles = MemoryTiles()
        self.records: list[SampleRecord] = []
        self._notes: dict[int, bytes] = {}
        self._add_opening()
        for number in range(1, records):
            self.add_record(purchase_values(number))

    def _make_keys(self) -> None:
        ed25519, origin = Ed25519PrivateKey.from_private_bytes, self.origin
        self.log_key = ed25519(derive(self.org, "ed25519"))
        self.status_key = ed25519(derive(self.org, "status"))
        self.mldsa_key = MLDSA44PrivateKey.from_seed_bytes(derive(self.org, "ml-dsa-44"))
        public = self.log_key.public_key().public_bytes_raw()
        self.log_vkey = make_vkey(origin, alg=ALG_ED25519, public_key=public)
        public = self.mldsa_key.public_key().public_bytes_raw()
        self.mldsa_vkey = make_vkey(origin, alg=ALG_MLDSA44, public_key=public)
        public = b"\x02" + derive(self.org, "secp256k1")
        self.eip712_vkey = make_vkey(origin, alg=ALG_EIP712, public_key=public)
        public = self.status_key.public_key().public_bytes_raw()
        self.status_vkey = make_vkey(status_key_name(origin), alg=ALG_ED25519, public_key=public)

    @property
    def size(self) -> TreeSize:
        """Entries so far, the opening included."""
        return TreeSize(len(self.records))

    @property
    def now(self) -> datetime:
        """A moment shortly after the last entry was accepted."""
        return self.time_of(self.size)

    @staticmethod
    def time_of(index: int) -> datetime:
        """When entry `index` is accepted."""
        return START + timedelta(seconds=index * SECONDS_PER_ENTRY)

    def _append(self, claim: Claim, values: Mapping[str, JsonValue], salt: bytes) -> LeafIndex:
        entry = Entry(claim, self.time_of(self.size))
        data = format_entry(entry)
        self.records.append(SampleRecord(entry, data, values, salt))
        self.tiles.append([leaf_hash(data)])
        return LeafIndex(self.size - 1)

    def _record_id(self) -> RecordId:
        return RecordId(encode_base64url(derive(self.org, "id", self.size, size=16)))

    def _add_opening(self) -> None:
        keys = (self.log_vkey, self.mldsa_vkey, self.eip712_vkey)
        opening = LogOpening(self.origin, self.org, ("purchase/v1", "refund/v1"), keys)
        self._append(opening_claim(opening, id=self._record_id()), {}, b"")

    def add_record(self, values: Mapping[str, JsonValue], **claim: object) -> LeafIndex:
        """Accept and sequence a record of the factory's schema; `claim` replaces members of its claim."""
        record_id, salt = self._record_id(), derive(self.org, "salt", self.size)
        commitment = None
        if self.schema.private:
            commitment = commit_fields(values, salt=salt, schema=self.schema, log=self.origin, id=record_id)
        made = Claim(
            log=self.origin,
            org=self.org,
            kind=self.schema.kind,
            schema=self.schema.hash,
            id=record_id,
            commitment=commitment,
            target=None,
            previous=None,
            tags=(),
            public={},
        )
        return self._append(replace(made, **claim), values, salt)  # type: ignore[arg-type]

    def root_at(self, size: int) -> RootHash:
        """Return the tree's root when it had `size` entries."""
        return tree_root(self.tiles, TreeSize(size))

    def pointer(self, index: int) -> Pointer:
        """Return what points at entry `index`."""
        return Pointer(self.origin, LeafIndex(index), LeafHash(leaf_hash(self.records[index].data)))

    def note(self, size: int) -> bytes:
        """Return the signed checkpoint at `size`, all three lines."""
        if size not in self._notes:
            checkpoint = Checkpoint(self.origin, TreeSize(size), self.root_at(size))
            self._notes[size] = format_note(
                self.sign(checkpoint, timestamp=int(self.time_of(size).timestamp()))
            )
        return self._notes[size]

    def keep_note(self, note: bytes) -> None:
        """Use a checkpoint that was signed before, because ML-DSA would not make the same signature again."""
        parsed = parse_note(note)
        self._notes[parse_checkpoint(parsed.text).size] = note
        self.chain.lines.update((parsed.text, line) for line in parsed.signatures)

    def sign(self, checkpoint: Checkpoint, *, timestamp: int) -> Note:
        """Return a note with our three lines, the third known to the chain."""
        text = format_checkpoint(checkpoint)
        message = cosigned_message(self.origin, timestamp=timestamp, checkpoint=checkpoint)
        payloads = (
            (self.log_vkey, self.log_key.sign(text.encode())),
            (self.mldsa_vkey, format_cosignature_payload(timestamp, self.mldsa_key.sign(message))),
            (self.eip712_vkey, derive("r", text) + derive("s", text)),
        )
        lines = tuple(Signature(key.name, key.key_id, payload) for key, payload in payloads)
        self.chain.lines.add((text, lines[2]))
        return Note(text, lines)

    def anchored_size(self, index: int) -> int:
        """Return the size of the first anchor that covers entry `index`."""
        return min(self.size, (index // self.anchor_every + 1) * self.anchor_every)

    def _head(self, size: int) -> Head | None:
        return None if size <= 0 else Head(TreeSize(size), self.root_at(size), self.time_of(size))

    def anchor(self, index: int) -> Anchor:
        """Return the first anchor that covers entry `index`; the chain holds it from now on."""
        size = self.anchored_size(index)
        head = self._head(size)
        assert head is not None
        trusted = self.trusted_log.anchors[0]
        anchor = Anchor(
            chain_id=trusted.chain_id,
            genesis_hash=trusted.genesis_hash,
            contract=trusted.contract,
            code_hash=trusted.code_hash,
            log_id=trusted.log_id,
            size=head.size,
            root=head.root,
            time=head.time,
            previous=self._head((size - 1) // self.anchor_every * self.anchor_every),
            block=Block(number=100 + size, hash=derive(self.org, "block", size), time=head.time),
            tx_hash=derive(self.org, "transaction", size),
        )
        if anchor not in self.chain.anchors:
            self.chain.anchors.append(anchor)
        return anchor

    def status(
        self, index: int, *changes: StatusChange, size: int | None = None, time: datetime | None = None
    ) -> StatusStatement:
        """Return a signed statement: active since acceptance, then `changes`; as of the whole log and now."""
        read = self.size if size is None else TreeSize(size)
        accepted = self.records[index].entry.accepted
        first = StatusChange(ACTIVE, accepted, accepted, "recorded", LeafIndex(index))
        statement = StatusStatement(
            pointer=self.pointer(index),
            history=(first, *changes),
            as_of=AsOf(read, self.root_at(min(read, self.size)), time or self.now),
        )
        return self.sign_status(statement)

    def sign_status(self, statement: StatusStatement) -> StatusStatement:
        """Return the statement with a fresh signature by the status key."""
        signature = self.status_key.sign(status_message(statement))
        return replace(statement, proof=signed_proof(self.status_vkey, signature))

    def proof(self, index: int, size: int) -> TlogProof:
        """Return the offline proof of entry `index` in the checkpoint at `size`."""
        hashes = prove_inclusion(self.tiles, LeafIndex(index), TreeSize(size))
        return TlogProof(LeafIndex(index), hashes, self.note(size))

    def evidence(self, index: int, *, names: Collection[str] | None = ("buyer", "amount_minor")) -> Evidence:
        """Return complete evidence of a record, `names` disclosed, or no fields shown at all (None)."""
        record = self.records[index]
        fields = None
        if names is not None and self.schema.private:
            fields = disclose_fields(record.values, salt=record.salt, schema=self.schema, names=names)
        return Evidence(
            entry=record.data,
            schema=self.schema,
            fields=fields,
            proof=self.proof(index, self.anchored_size(index)),
            anchors=(self.anchor(index),),
            status=self.status(index),
        )

    def document(self, index: int, *, names: Collection[str] | None = ("buyer", "amount_minor")) -> bytes:
        """Return complete evidence of a record as bytes."""
        return format_evidence(self.evidence(index, names=names))

    def receipt(self, index: int) -> Receipt:
        """Return the writer's receipt of a record."""
        record = self.records[index]
        opening = Opening(record.salt, record.values)
        return Receipt(record.data, self.schema, opening, self.proof(index, self.anchored_size(index)))

    @property
    def trusted_log(self) -> TrustedLog:
        """What a verifier should know about this log."""
        return TrustedLog(
            origin=self.origin,
            org=self.org,
            issuer_name=f"{self.org.title()} Incorporated",
            status_keys=(self.status_vkey,),
            head_keys=tuple(
                HeadKey(key, TreeSize(0), None) for key in (self.log_vkey, self.mldsa_vkey, self.eip712_vkey)
            ),
            anchors=(
                TrustedAnchor(
                    chain_id=31337,
                    genesis_hash=derive("genesis"),
                    contract=derive("contract", size=20),
                    code_hash=derive("code"),
                    log_id=derive(self.org, "log id"),
                    self_anchored=True,
                ),
            ),
        )

    @property
    def policy(self) -> Policy:
        """The policy of this log alone."""
        return join_policies([self])

    @property
    def trust(self) -> Trust:
        """The trust file of this log alone."""
        return join_trust([self])


def join_policies(factories: Collection[EvidenceFactory]) -> Policy:
    """Return the policy that accepts the logs of these factories: any one log's two signatures.

    A tlog-policy has one quorum for all its logs, so the ML-DSA keys form a group of which one must cosign.
    It is the right one because an ML-DSA line names the log it cosigns, and a log's key cosigns no other.
    """
    witnesses = tuple(Witness(f"{factory.org}-mldsa", factory.mldsa_vkey) for factory in factories)
    group = Group("a-log", 1, tuple(witness.name for witness in witnesses))
    return Policy(tuple(factory.log_vkey for factory in factories), witnesses, (group,), group.name)


def join_trust(factories: Collection[EvidenceFactory]) -> Trust:
    """Return the trust file that knows the logs of these factories."""
    return Trust(logs=tuple(factory.trusted_log for factory in factories))


def join_chains(factories: Collection[EvidenceFactory]) -> SampleChain:
    """Return the chain that holds what these factories have anchored so far."""
    joined = SampleChain()
    for factory in factories:
        joined.anchors += factory.chain.anchors
        joined.states |= factory.chain.states
        joined.lines |= factory.chain.lines
    return joined
