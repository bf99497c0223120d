"""Signatures as the Standard Webhooks specification has them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from ledger_service.webhooks.signing import format_secret, sign_event

# Of the specification's own libraries' tests.
SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_known_signature_is_made() -> None:
    """The vector that the specification's libraries share."""
    made = sign_event(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
        secret=base64.b64decode(SECRET),
    )
    assert made["webhook-signature"] == SIGNATURE
    assert format_secret(base64.b64decode(SECRET)) == f"whsec_{SECRET}"


@given(st.binary(min_size=24, max_size=64), st.text(max_size=50), st.integers(0, 2**33))
def test_the_reference_library_makes_the_same(secret: bytes, text: str, timestamp: int) -> None:
    """Whatever the secret, the body and the time."""
    made = sign_event("msg_1", timestamp=timestamp, body=text.encode(), secret=secret)
    moment = datetime.fromtimestamp(timestamp, UTC)
    assert made["webhook-signature"] == Webhook(format_secret(secret)).sign("msg_1", moment, text)
