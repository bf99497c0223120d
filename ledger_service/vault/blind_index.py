"""Finding a value again without storing it: a keyed hash, useless to whoever lacks the key."""

from __future__ import annotations

from hmac import digest as hmac_digest
from typing import Final

INDEX_BYTES: Final = 16
_DOMAIN: Final = b"audit-ledger/blind-index/v1\x00"


def blind_index(key: bytes, role: str, value: str) -> bytes:
    """Return the 16 bytes under which `value` in this role is found.

    They are the first of HMAC-SHA256(key, domain ‖ role ‖ 0 ‖ value). Roles are identifiers without a zero
    byte ("subject", "reference"), so that no role and value run into another's. Equal values give equal
    indexes under one key and unrelated ones under another, so two organizations' indexes cannot be compared.
    """
    return hmac_digest(key, _DOMAIN + role.encode() + b"\x00" + value.encode(), "sha256")[:INDEX_BYTES]
