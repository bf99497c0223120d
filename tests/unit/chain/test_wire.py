"""The values of JSON-RPC are read strictly."""

from __future__ import annotations

import pytest

from ledger_service.chain.wire import format_data, format_quantity, parse_data, parse_quantity
from ledger_service.errors import ChainUnavailableError


@pytest.mark.parametrize("number", [0, 1, 15, 16, 255, 2**53, 2**256 - 1])
def test_a_quantity_survives_the_wire(number: int) -> None:
    """What is written as a QUANTITY is read as the same number."""
    assert parse_quantity(format_quantity(number), what="number") == number


@pytest.mark.parametrize("data", [b"", b"\x00", bytes(range(256))])
def test_data_survives_the_wire(data: bytes) -> None:
    """What is written as DATA is read as the same bytes."""
    assert parse_data(format_data(data), what="bytes") == data


@pytest.mark.parametrize(
    "value", ["0x", "0x00", "0x01", "1", "", "0x1_0", " 0x1", "0x1 ", "0xg", "-0x1", "0x" + "1" * 65, 1, None,
     "0x\uff11"]
)  # fmt: skip
def test_what_is_not_a_quantity_is_refused(value: object) -> None:
    """Leading zeros, signs, spaces, other digits and other types are no number."""
    with pytest.raises(ChainUnavailableError):
        parse_quantity(value, what="number")


@pytest.mark.parametrize("value", ["", "0", "0x0", "0x123", "0xzz", "00", b"\x00", None, ["0x"], "0x00\n"])
def test_what_is_not_data_is_refused(value: object) -> None:
    """Odd digits, a missing prefix and other types are no bytes."""
    with pytest.raises(ChainUnavailableError):
        parse_data(value, what="bytes")


def test_a_wrong_length_is_refused() -> None:
    """Where a hash is expected, 31 bytes are none."""
    with pytest.raises(ChainUnavailableError, match="31 bytes instead of 32"):
        parse_data("0x" + "ab" * 31, what="hash", size=32)
