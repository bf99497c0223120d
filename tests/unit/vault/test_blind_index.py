"""A blind index finds equal values and tells nothing else."""

from __future__ import annotations

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from ledger_service.vault.blind_index import blind_index

keys = st.binary(min_size=32, max_size=32)
roles = st.sampled_from(["subject", "reference", "ref", "reference2"])


@given(key=keys, role=roles, value=st.text(max_size=50))
def test_index_is_the_documented_hash(key: bytes, role: str, value: str) -> None:
    """Sixteen bytes of HMAC-SHA256 over domain, role, zero and value."""
    message = b"audit-ledger/blind-index/v1\x00" + role.encode() + b"\x00" + value.encode()
    assert blind_index(key, role, value) == hmac.new(key, message, hashlib.sha256).digest()[:16]


@given(first=st.tuples(keys, roles, st.text()), second=st.tuples(keys, roles, st.text()))
def test_only_equal_questions_have_equal_indexes(
    first: tuple[bytes, str, str], second: tuple[bytes, str, str]
) -> None:
    """Another key, role or value gives another index."""
    assert (blind_index(*first) == blind_index(*second)) is (first == second)
