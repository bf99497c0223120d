"""Signatures of events, as the Standard Webhooks specification 1.0.0 has them (symmetric, `v1`)."""

from __future__ import annotations

import base64
from hmac import digest as hmac_digest
from typing import Final

SECRET_BYTES: Final = 32
PREFIX: Final = "whsec_"


def format_secret(secret: bytes) -> str:
    """The secret as its holder gets it: `whsec_` and standard base64."""
    return PREFIX + base64.b64encode(secret).decode()


def sign_event(name: str, *, timestamp: int, body: bytes, secret: bytes) -> dict[str, str]:
    """The three headers of one attempt.

    `name` stays the same for one event however often it is sent, `timestamp` (seconds since 1970) is that of
    the attempt. Neither can hold a full stop, so that the signed text has one reading.
    """
    signed = b"%b.%d.%b" % (name.encode(), timestamp, body)
    signature = base64.b64encode(hmac_digest(secret, signed, "sha256")).decode()
    return {
        "webhook-id": name,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
