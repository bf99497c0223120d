"""The erasure certificate: one encoding, one meaning, signed for every log that it names."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ledger_service.errors import CouldNotCheckError, MalformedError, SignatureError
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.erasure import check_certificate, format_certificate, parse_certificate
from tests.support.erasure_certificate import ERASED, LOGS, make_certificate


def changed(**members: Any) -> bytes:
    """The certificate with other members."""
    found: Any = decode(make_certificate()[0])
    return encode({**found, **members})


def test_a_certificate_is_checked_and_comes_back_as_it_was() -> None:
    """What was formatted parses to the same bytes and says what was erased, when, and until when backups last."""
    data, keys = make_certificate()
    found = check_certificate(data, keys)
    assert format_certificate(found) == data
    assert (found.records, found.erased, found.unrecoverable - found.erased) == (
        3,
        ERASED,
        timedelta(days=35),
    )
    assert tuple(each.log for each in found.entries) == LOGS


@pytest.mark.parametrize(
    "members",
    [
        {"v": "audit-ledger/erasure-certificate/v2"},
        {"org": "Shop"},
        {"reason": "Ann asked"},
        {"erased": "2026-11-22T12:00:00+00:00"},
        {"unrecoverable": "2026-11-22T11:59:59Z"},
        {"records": 0},
        {"records": True},
        {"entries": []},
        {"entries": [{"log": LOGS[0], "index": 7, "leaf": "AA"}]},
        {"pages": "gone"},
        {"signatures": []},
        {"subject": "ann"},
    ],
)
def test_what_is_not_in_its_form_is_refused(members: dict[str, Any]) -> None:
    """Another version, a name, an empty list, a missing signature or one member more is no certificate."""
    with pytest.raises(MalformedError):
        parse_certificate(changed(**members))


def test_logs_stand_in_order_each_once() -> None:
    """A log that is named twice, or out of order, is refused: there is one way to write a certificate."""
    found: Any = decode(make_certificate()[0])
    for entries in (found["entries"][::-1], [found["entries"][0]] * 2):
        with pytest.raises(MalformedError):
            parse_certificate(changed(entries=entries))


def test_every_byte_is_signed() -> None:
    """No byte of a certificate can be changed unnoticed."""
    data, keys = make_certificate()
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= 1
        with pytest.raises((MalformedError, SignatureError, CouldNotCheckError)):
            check_certificate(bytes(altered), keys)


def test_one_log_cannot_sign_for_another() -> None:
    """A signature by an unknown key could not be checked; swapped signatures verify nowhere."""
    data, keys = make_certificate()
    with pytest.raises(CouldNotCheckError):
        check_certificate(data, keys[:1])
    found: Any = decode(data)
    with pytest.raises((SignatureError, CouldNotCheckError)):
        check_certificate(changed(signatures=found["signatures"][::-1]), keys)
