"""Hypothesis strategies for the values that the kernel formats."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from ledger_service.proofs.checkpoint import Checkpoint
from ledger_service.proofs.entry import Author, Claim, Entry, Pointer
from ledger_service.proofs.evidence import Anchor, Block, Head
from ledger_service.proofs.note import ALG_ED25519, ALG_EIP712, ALG_MLDSA44, PUBLIC_KEY_SIZES, make_vkey
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.status import STATES, AsOf, OtherProof, SignedProof, StatusChange, StatusStatement
from ledger_service.proofs.types import LeafIndex, Origin, RecordId, RootHash, TreeSize

if TYPE_CHECKING:
    from ledger_service.proofs.canonical import JsonValue

SAFE = 2**53 - 1

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
integers = st.integers(-SAFE, SAFE)
scalars = st.none() | st.booleans() | integers | texts
keys = st.text("abcxyz019_", min_size=1, max_size=6)
hashes = st.binary(min_size=32, max_size=32)
times = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - replaced below
    lambda value: value.replace(microsecond=0, tzinfo=UTC)
)
origins = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="+"), min_size=1
).map(Origin)
sizes = st.integers(1, SAFE).map(TreeSize)
indexes = st.integers(0, SAFE).map(LeafIndex)
kinds = st.from_regex(r"[a-z][a-z0-9_]{0,9}/v[1-9]", fullmatch=True)
names = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,7}", fullmatch=True), max_size=8, unique=True)


def json_values(max_leaves: int = 12) -> st.SearchStrategy[JsonValue]:
    """Anything that canonical JSON can hold."""
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
        max_leaves=max_leaves,
    )


present_values = json_values(6).filter(lambda value: value is not None)


@st.composite
def schemas(draw: st.DrawFn, *, private: bool | None = None) -> Schema:
    """A schema, with private fields if asked."""
    drawn = draw(names if private is None else names.filter(bool))
    cut = draw(st.integers(1 if private else 0, len(drawn)))
    return Schema(draw(kinds), tuple(sorted(drawn[:cut])), tuple(sorted(drawn[cut:])))


pointers = st.builds(Pointer, origins, indexes, hashes)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """An entry with any mixture of members."""
    tags = draw(st.lists(st.binary(min_size=16, max_size=16), max_size=3, unique=True).map(sorted))
    claim = Claim(
        log=draw(origins),
        org=draw(st.from_regex(r"[a-z0-9][a-z0-9-]{0,9}", fullmatch=True)),
        kind=draw(kinds),
        schema=draw(hashes),
        id=RecordId(draw(st.from_regex(r"[A-Za-z0-9_-]{22}", fullmatch=True))),
        commitment=draw(st.none() | hashes),
        target=draw(pointers),
        previous=draw(st.none() | pointers),
        tags=tuple(tags),
        public=draw(st.dictionaries(keys, json_values(4), max_size=3)),
    )
    authors = st.builds(Author, st.binary(), st.sampled_from(["ed25519", "sm2-1"]), st.binary())
    return Entry(claim, draw(times), tuple(draw(st.lists(authors, max_size=2))))


checkpoints = st.builds(Checkpoint, origins, st.integers(0, 2**63 - 1).map(TreeSize), hashes.map(RootHash))


@st.composite
def vkeys(draw: st.DrawFn, alg: bytes | None = None) -> object:
    """A verifier key of any type; its public key is noise."""
    name = draw(st.from_regex(r"[a-z./]{1,12}", fullmatch=True))
    kind = alg or draw(st.sampled_from([ALG_ED25519, ALG_MLDSA44, ALG_EIP712]))
    size = PUBLIC_KEY_SIZES[kind]
    return make_vkey(name, alg=kind, public_key=draw(st.binary(min_size=size, max_size=size)))


heads = st.builds(Head, sizes, hashes.map(RootHash), times)
anchors = st.builds(
    Anchor,
    chain_id=st.integers(1, SAFE),
    genesis_hash=hashes,
    contract=st.binary(min_size=20, max_size=20),
    code_hash=hashes,
    log_id=hashes,
    size=sizes,
    root=hashes.map(RootHash),
    time=times,
    previous=st.none() | heads,
    block=st.builds(Block, st.integers(0, SAFE), hashes, times),
    tx_hash=hashes,
    header_rlp=st.none() | st.binary(max_size=40),
    receipt_proof=st.none() | st.lists(st.binary(max_size=20), max_size=3).map(tuple),
)


@st.composite
def statements(draw: st.DrawFn) -> StatusStatement:
    """A consistent status statement with a proof of any type."""
    pointer = draw(pointers.filter(lambda value: value.index < SAFE - 10))
    known = sorted(draw(st.lists(times, min_size=1, max_size=4)))
    changes = tuple(
        StatusChange(
            state=draw(st.sampled_from(STATES)),
            since=moment,
            known=moment,
            reason=draw(st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True)),
            index=LeafIndex(pointer.index + place),
        )
        for place, moment in enumerate(known)
    )
    signed = st.builds(SignedProof, st.just("a/status+01234567"), st.binary(min_size=64, max_size=64))
    other = st.builds(
        OtherProof,
        st.sampled_from(["map", "chain"]),
        st.dictionaries(keys.filter(lambda key: key != "type"), scalars, max_size=3),
    )
    as_of = AsOf(draw(sizes), draw(hashes.map(RootHash)), known[-1])
    return StatusStatement(pointer, changes, as_of, draw(signed | other))
