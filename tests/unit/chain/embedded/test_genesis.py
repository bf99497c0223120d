"""Block 0: every installation has its own."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from ledger_service.chain.embedded.genesis import (
    CHAIN_IDS,
    FIRST_CHAIN_ID,
    FUNDED_WEI,
    draw_chain_id,
    load_funded_key,
)
from ledger_service.errors import KeyFileError
from tests.support.embedded_chain import ChainBench

if TYPE_CHECKING:
    from pathlib import Path

# What eth-tester funds in every chain: the keys 1 to 10.
KNOWN_TO_ALL = [bytes.fromhex("7e5f4552091a69125d5dfcb7b8c2659029395bdf")]


def test_chain_ids_are_drawn_from_the_private_range() -> None:
    """Chain ids have thirteen digits that begin with 7, and two draws differ."""
    drawn = {draw_chain_id() for _ in range(100)}
    assert len(drawn) == 100
    assert all(FIRST_CHAIN_ID <= each < FIRST_CHAIN_ID + CHAIN_IDS for each in drawn)
    assert max(drawn) < 2**53 // 2 - 36


def test_two_installations_are_two_chains(bench: ChainBench, tmp_path: Path) -> None:
    """Even with one key and one time, two chains have different ids, so no transaction is valid on both."""
    other = ChainBench.create(tmp_path / "other.sqlite")
    assert other.chain.identity.chain_id != bench.chain.identity.chain_id
    other.file.close()


def test_only_the_given_address_has_money(bench: ChainBench) -> None:
    """The funded address owns everything; keys that everybody knows own nothing."""
    state = bench.chain.state(bench.chain.head())
    assert state.get_balance(bench.sender.address) == FUNDED_WEI  # type: ignore[arg-type]
    assert [state.get_balance(each) for each in KNOWN_TO_ALL] == [0]  # type: ignore[arg-type]


def test_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """The first call makes a key file with mode 0600, the next ones read it, and nothing else is left behind."""
    path = tmp_path / "chain.key"
    made = load_funded_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_funded_key(path) == made
    assert load_funded_key(tmp_path / "other.key") != made
    assert sorted(each.name for each in tmp_path.iterdir()) == ["chain.key", "other.key"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0x",
        "0x" + "00" * 32,
        "0x" + "ff" * 32,
        "11" * 32,
        "0x" + "11" * 31,
        "0x" + "11" * 33,
        "0x" + "zz" * 32,
    ],
)
def test_malformed_keys_are_refused(tmp_path: Path, text: str) -> None:
    """A key file must hold 0x and 64 digits of a number that is a secp256k1 key."""
    path = tmp_path / "chain.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyFileError):
        load_funded_key(path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """A key file with a wider mode is refused instead of used."""
    path = tmp_path / "chain.key"
    load_funded_key(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        load_funded_key(path)
