"""Step 8 of the verdict: what the kind adds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.canonical import encode_base64url, format_time
from ledger_service.proofs.entry import Author, Entry, format_entry
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.schema import Schema
from ledger_service.proofs.status import StatusChange
from ledger_service.proofs.trust import Trust
from ledger_service.proofs.types import LeafIndex
from tests.support.evidence_factory import EvidenceFactory
from tests.unit.proofs.judging import (
    DAY,
    FACTORY,
    detail,
    judge,
    other_schema_factory,
    outcomes,
)

if TYPE_CHECKING:
    from ledger_service.proofs.verdict import Verdict


def test_issuer() -> None:
    """The issuer is the one the trust file names; an entry of another organization is refused."""
    assert "Acme Incorporated (acme)" in detail(judge(), 8)
    log = replace(FACTORY.trusted_log, org="someone")
    verdict = judge(trust=replace(FACTORY.trust, logs=(log,)))
    assert (verdict.result, outcomes(verdict)[7]) == ("invalid", "-")


CERTIFICATE = Schema("sample/v1", ("file_sha256", "holder", "valid_from", "valid_until"), ())
FILE = sha256(b"a file").digest()


def certificate(**values: Any) -> EvidenceFactory:
    """A log whose entry 1 is about a file and valid for a time."""
    return other_schema_factory(CERTIFICATE, {"holder": "somebody", **values})


def judge_certificate(
    factory: EvidenceFactory, *, names: Any = CERTIFICATE.private, **question: Any
) -> Verdict:
    """The verdict on entry 1."""
    return judge(factory.evidence(1, names=names), factory=factory, **question)


def test_file() -> None:
    """The file asked about must be the one the record is about, shown in the evidence."""
    factory = certificate(file_sha256=encode_base64url(FILE))
    assert judge_certificate(factory, file_digest=FILE).result == "valid"
    assert judge_certificate(factory, file_digest=bytes(32)).result == "invalid"


def test_file_that_could_not_be_compared() -> None:
    """A file that was asked about and could not be compared makes the verdict unknown."""
    factory = certificate(file_sha256=encode_base64url(FILE), valid_until=format_time(FACTORY.now))
    verdict = judge_certificate(factory, names=("holder", "valid_until", "valid_from"), file_digest=FILE)
    assert (verdict.result, outcomes(verdict)[7]) == ("unknown", "?")
    assert judge(file_digest=FILE).result == "unknown"
    assert judge(trust=Trust(()), file_digest=FILE).result == "unknown"


def test_public_digest() -> None:
    """A digest that was published is compared like a private one."""
    factory = other_schema_factory(
        Schema("a/v1", (), ("file_sha256",)), {}, public={"file_sha256": encode_base64url(FILE)}
    )
    assert judge(factory.evidence(1), factory=factory, file_digest=FILE).result == "valid"


def test_digest_published_by_choice() -> None:
    """Where a kind keeps digests private unless asked, the published one is compared, hidden field or not."""
    schema = Schema("a/v1", ("file_sha256",), ("published_sha256",))
    factory = other_schema_factory(schema, {}, public={"published_sha256": encode_base64url(FILE)})
    assert judge(factory.evidence(1, names=()), factory=factory, file_digest=FILE).result == "valid"
    assert judge(factory.evidence(1, names=()), factory=factory, file_digest=bytes(32)).result == "invalid"


@pytest.mark.parametrize(
    ("seconds", "result"), [(-1, "invalid"), (0, "valid"), (100, "valid"), (101, "expired")]
)
def test_validity_period(seconds: int, result: str) -> None:
    """A record is valid from its first to its last second; after that expired, before it invalid."""
    start = EvidenceFactory.time_of(2)
    factory = certificate(
        valid_from=format_time(start), valid_until=format_time(start + timedelta(seconds=100))
    )
    verdict = judge_certificate(factory, at=start + timedelta(seconds=seconds))
    assert verdict.result == result


def test_open_ended() -> None:
    """A record whose end is shown to be absent does not expire."""
    assert judge_certificate(certificate()).result == "valid"


@pytest.mark.parametrize("names", [None, ("holder",), ("valid_from",)])
def test_hiding_the_end_does_not_help(names: Any) -> None:
    """A kind with a validity period that the evidence hides is unknown: what was not shown may be over."""
    start = EvidenceFactory.time_of(2)
    factory = certificate(valid_until=format_time(start))
    verdict = judge_certificate(factory, names=names, at=start + DAY / 2)
    assert (verdict.result, outcomes(verdict)[7]) == ("unknown", "?")
    assert judge_certificate(factory, at=start + DAY / 2).result == "expired"


@pytest.mark.parametrize("names", [None, ("holder",)])
def test_hiding_the_end_does_not_hide_a_state(names: Any) -> None:
    """A certificate that is shown to be revoked is revoked, whichever fields its holder leaves out."""
    factory = certificate(valid_until=format_time(FACTORY.now))
    since = factory.time_of(1) + timedelta(seconds=10)
    revoked = factory.status(1, StatusChange("revoked", since, since, "because", LeafIndex(2)))
    evidence = replace(factory.evidence(1, names=names), status=revoked)
    assert judge(evidence, factory=factory).result == "revoked"
    assert judge(evidence, factory=factory, at=factory.time_of(1)).result == "unknown"


@pytest.mark.parametrize("value", [5, "tomorrow", "2026-11-22T01:02:03+00:00"])
def test_malformed_end(value: Any) -> None:
    """An end that is no time is refused."""
    verdict = judge_certificate(certificate(valid_until=value))
    assert (verdict.result, outcomes(verdict)[7]) == ("invalid", "-")


def test_author_is_not_proven() -> None:
    """Who signed the claim is not proven while no trust file names author keys, and the verdict says so."""
    factory = EvidenceFactory("signed", records=1)
    claim = factory.records[0].entry.claim
    signed = format_entry(Entry(claim, factory.records[0].entry.accepted, (Author(b"k", "ed25519", b"s"),)))
    factory.schema = Schema("opening/v1", (), ("keys", "kinds", "org", "origin", "predecessor"))
    factory.records[0] = replace(factory.records[0], data=signed)
    factory.tiles = type(factory.tiles)()
    factory.tiles.append([leaf_hash(signed)])
    verdict = judge(factory.evidence(0), factory=factory)
    assert any("author keys" in text for text in verdict.not_proven)
