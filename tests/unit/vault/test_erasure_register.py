"""The erasure register: what was ordered is there after a crash, and a torn line never counts."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

import pytest

from ledger_service.errors import InjectedFaultError, KeyFileError, StorageError
from ledger_service.storage import failpoints
from ledger_service.vault.erasure_register import ErasureOrder, ErasureRegister, format_order, parse_order

if TYPE_CHECKING:
    from pathlib import Path


def order(number: int) -> ErasureOrder:
    """An order that differs by its number."""
    return ErasureOrder(1, bytes([number]) * 16, bytes(16), "subject_request", bytes(16), bytes(16))


def test_orders_come_back_in_their_order(tmp_path: Path) -> None:
    """Orders survive another opening, the file is its owner's alone, and an empty register has none."""
    path = tmp_path / "erasures.log"
    assert ErasureRegister(path).orders() == ()
    for number in range(3):
        ErasureRegister(path).append(order(number))
    assert ErasureRegister(path).orders() == tuple(order(number) for number in range(3))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert parse_order(format_order(order(1))) == order(1)


def test_a_torn_line_is_dropped(tmp_path: Path) -> None:
    """Whatever part of a line a crash leaves behind, it is not read, and the next order follows the whole ones."""
    path = tmp_path / "erasures.log"
    register = ErasureRegister(path)
    register.append(order(0))
    line = format_order(order(1))
    for length in (1, len(line) // 2, len(line)):
        with path.open("ab") as file:
            file.write(line[:length])
        assert register.orders() == (order(0),)
    register.append(order(2))
    assert register.orders() == (order(0), order(2))


@pytest.mark.parametrize("damage", [b"{}\n", b"nonsense\n", b"\n", b"\xff\n"])
def test_a_damaged_register_is_refused(tmp_path: Path, damage: bytes) -> None:
    """A line that is no order is an error and not skipped: an erasure could be lost in it."""
    path = tmp_path / "erasures.log"
    ErasureRegister(path).append(order(0))
    path.write_bytes(damage + path.read_bytes())
    with pytest.raises(KeyFileError, match="damaged"):
        ErasureRegister(path).orders()


def test_processes_append_side_by_side(tmp_path: Path) -> None:
    """Appending at the same time loses and mixes no line."""
    path = tmp_path / "erasures.log"

    def append_often(number: int) -> None:
        for _ in range(20):
            ErasureRegister(path).append(order(number))

    threads = [threading.Thread(target=append_often, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = ErasureRegister(path).orders()
    assert sorted(each.lookup[0] for each in found) == [n for n in range(4) for _ in range(20)]


def test_what_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A register that cannot be written stops the erasure, and so does a fault on the way."""
    with pytest.raises(StorageError):
        ErasureRegister(tmp_path / "missing" / "erasures.log").append(order(0))
    failpoints.arm("vault.erasure-order=fail")
    try:
        with pytest.raises(InjectedFaultError):
            ErasureRegister(tmp_path / "erasures.log").append(order(0))
    finally:
        failpoints.disarm()
    assert ErasureRegister(tmp_path / "erasures.log").orders() == ()
