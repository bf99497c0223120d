"""Making a record: what the entry says, what is sealed, and that nothing private shows."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from ledger_service.errors import MalformedError, SealError
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE, SCHEMA
from ledger_service.proofs.canonical import encode, encode_base64url
from ledger_service.proofs.entry import Entry, format_entry, parse_entry
from ledger_service.proofs.fields import check_fields, disclose_fields
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.types import Origin
from ledger_service.records.entry_template import EntryTemplate, make_claim
from ledger_service.records.history import parse_opening, unseal
from ledger_service.records.preparation import (
    LogTarget,
    Opening,
    Prepared,
    RecordMaker,
    SealingKey,
    WriterKeys,
    WriteToken,
    draw_id,
    encode_values,
    fingerprint,
    format_opening,
    hash_key,
)
from ledger_service.vault.envelope import SealContext, seal

if TYPE_CHECKING:
    import random

    from ledger_service.records.kinds import ParsedRecord

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TARGET = LogTarget(3, Origin("ledger.test/logs/shop/purchases"), 1, "shop")
KEYS = WriterKeys(b"i" * 32, b"f" * 32)
SEALING = SealingKey(9, 4, b"k" * 32)
PARSED = PURCHASE.parse(EXAMPLE_PURCHASE, NOW)


def make(**changes: Any) -> tuple[Prepared, Opening]:
    """One prepared purchase and its opening."""
    token = changes.pop("token", None)
    maker = RecordMaker(PURCHASE, target=TARGET, keys=KEYS, accepted=NOW, **changes)
    made, opening = maker.make(PARSED, encode_values(PARSED), sealing=SEALING, token=token)
    assert opening is not None
    return made, opening


def test_entry_says_what_was_asked() -> None:
    """The entry names log, organization, kind, schema and time, and its leaf is the hash of its bytes."""
    made, _ = make()
    entry = parse_entry(made.entry)
    claim = entry.claim
    assert (claim.log, claim.org, claim.kind, claim.schema) == (
        TARGET.origin,
        "shop",
        "purchase/v1",
        SCHEMA.hash,
    )
    assert (claim.id, entry.accepted, claim.public) == (encode_base64url(made.rid), NOW, {})
    assert made.leaf == leaf_hash(made.entry)


def test_opening_opens_the_commitment() -> None:
    """What the writer gets back discloses every field against the entry's commitment."""
    made, opening = make()
    claim = parse_entry(made.entry).claim
    items = disclose_fields(opening.values, salt=opening.salt, schema=SCHEMA, names=SCHEMA.private)
    assert claim.commitment is not None
    shown = check_fields(items, commitment=claim.commitment, schema=SCHEMA, log=claim.log, id=claim.id)
    assert shown == EXAMPLE_PURCHASE


def test_sealed_payload_opens_for_its_record_alone() -> None:
    """The payload opens with its key, salt and entry, and with no other record's."""
    made, opening = make()
    other, _ = make()
    assert made.sealed is not None
    assert made.salt is not None
    claim, others = parse_entry(made.entry).claim, parse_entry(other.entry).claim
    assert (
        unseal(SEALING.key, made.sealed, salt=made.salt, generation=4, claim=claim, schema=SCHEMA) == opening
    )
    for wrong in ({"claim": others}, {"generation": 5}, {"salt": other.salt}):
        asked: dict[str, Any] = {"salt": made.salt, "generation": 4, "claim": claim, "schema": SCHEMA}
        with pytest.raises(SealError):
            unseal(SEALING.key, made.sealed, **(asked | wrong))


def test_payload_that_is_not_the_committed_one_is_refused() -> None:
    """A payload sealed under the right key that opens another commitment is refused."""
    made, opening = make()
    claim = parse_entry(made.entry).claim
    forged = Opening(opening.salt, opening.values | {"amount_minor": 1})
    again, _ = make(entropy=os.urandom)
    assert again.salt is not None

    context = SealContext(claim.log, claim.id, claim.kind, 4, claim.commitment)
    sealed = seal(SEALING.key, format_opening(forged), salt=again.salt, context=context)
    with pytest.raises(SealError):
        unseal(SEALING.key, sealed, salt=again.salt, generation=4, claim=claim, schema=SCHEMA)


def test_nothing_private_shows() -> None:
    """No private value stands in clear in anything that is stored."""
    made, _ = make(token=WriteToken(b"k" * 16, 0, b"f" * 16))
    stored = pickle.dumps(made)
    for word in (b"customer-8805", b"2026-004711", b"CD-0042", b"4500", b"USD"):
        assert word not in stored


def test_template_writes_what_the_kernel_writes() -> None:
    """An entry from the template is to the byte what the kernel formats, and public fields leave the template."""
    made, _ = make()
    entry = parse_entry(made.entry)
    claim = make_claim(
        TARGET.origin,
        "shop",
        PURCHASE,
        record_id=entry.claim.id,
        commitment=entry.claim.commitment,
        public={},
    )
    assert made.entry == format_entry(Entry(claim, NOW))
    maker = RecordMaker(PURCHASE, target=TARGET, keys=KEYS, accepted=NOW)
    shown = replace(PARSED, public={"note": "x"})
    other, _ = maker.make(shown, encode_values(shown), sealing=SEALING, token=None)
    assert parse_entry(other.entry).claim.public == {"note": "x"}


@pytest.mark.parametrize("origin", ["l/1970-01-01T00:00:00Z", "l/0123456789_audit-ledger_"])
def test_origin_that_looks_like_a_variable_part_is_refused(origin: str) -> None:
    """A log whose name would be taken for what varies in an entry gets no template, instead of a wrong one."""
    with pytest.raises(MalformedError):
        EntryTemplate(Origin(origin), "shop", PURCHASE)


def test_every_record_is_different() -> None:
    """The same payload twice gives records that share no id, salt, leaf or ciphertext."""
    one, _ = make()
    two, _ = make()
    for name in ("rid", "salt", "sealed", "leaf", "entry"):
        assert getattr(one, name) != getattr(two, name)
    assert one.reference == two.reference


def test_fingerprint_tells_bodies_apart() -> None:
    """The fingerprint depends on the body, the log and the key, and on nothing else."""
    other = PURCHASE.parse(EXAMPLE_PURCHASE | {"channel": "store"}, NOW)
    turned = PURCHASE.parse(dict(reversed(EXAMPLE_PURCHASE.items())), NOW)
    elsewhere = LogTarget(3, Origin("ledger.test/logs/shop/other"), 1, "shop")

    def seen(parsed: ParsedRecord, target: LogTarget = TARGET, keys: WriterKeys = KEYS) -> bytes:
        return fingerprint(parsed, encode_values(parsed), kind=PURCHASE, target=target, keys=keys)

    assert seen(PARSED) == seen(turned)
    assert seen(PARSED) != seen(other)
    assert seen(PARSED) != seen(replace(PARSED, public={"a": 1}))
    assert seen(PARSED) != seen(PARSED, elsewhere)
    assert seen(PARSED) != seen(PARSED, keys=WriterKeys(b"i" * 32, b"g" * 32))
    assert hash_key("a", keys=KEYS) != hash_key("b", keys=KEYS)


def test_openings_are_canonical(rng: random.Random) -> None:
    """What is sealed is the kernel's canonical form, whatever characters it holds, and parses back."""
    for _ in range(300):
        text = "".join(
            chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(40)
        )
        values: dict[str, Any] = {
            "b": text,
            "a": [rng.randrange(-(2**53) + 1, 2**53), {"z": None, "y": True}],
        }
        opening = Opening(os.urandom(32), values)
        assert format_opening(opening) == encode({"salt": encode_base64url(opening.salt), "values": values})
        assert parse_opening(format_opening(opening)) == opening


@pytest.mark.parametrize("text", [b"", b"{}", b'{"salt":"AA","values":{}}', b'{"salt":1,"values":{}}', b"[]"])
def test_broken_openings_are_refused(text: bytes) -> None:
    """A plaintext that is not exactly an opening is refused as a broken seal."""
    with pytest.raises(SealError):
        parse_opening(text)


def test_opening_with_wrong_values_is_refused() -> None:
    """Values that are no object are refused even beside a good salt."""
    with pytest.raises(SealError):
        parse_opening(orjson.dumps({"salt": encode_base64url(bytes(32)), "values": []}))


def test_no_id_begins_with_a_hyphen() -> None:
    """Every id can be written after a command as it stands: what would look like an option is drawn again."""
    drawn = iter([b"\xf8" + bytes(15), b"\xfb" + bytes(15), b"\xfc" + bytes(15)])
    assert draw_id(lambda size: next(drawn)[:size]) == b"\xfc" + bytes(15)
