"""Replacing the account that publishes, beside a service that runs.

    make    the next account's key; where others run the chain, its address needs money before anything else
    name    one transaction: this account comes next

The running service does the rest (`chain/moving.py`). A crash before the transaction leaves a key that the
next call takes up.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_service.chain.account import PublisherAccount
from ledger_service.chain.client import Node
from ledger_service.chain.pins import ChainPins
from ledger_service.chain.publishers import FIRST_KEY, Publisher, name_publisher, read_publishers
from ledger_service.chain.rpc import JsonRpc
from ledger_service.errors import NotReadyError
from ledger_service.wiring.installation import (
    chain_url,
    load_files,
    open_checked_database,
    publisher_accounts,
)

if TYPE_CHECKING:
    from ledger_service.clock import Clock
    from ledger_service.config import Settings


@dataclass(frozen=True, slots=True)
class PublisherChange:
    """Who publishes, and who is to; `named` says that the service hands over, or that it needs money first."""

    present: bytes
    following: bytes
    named: bool


def rotate_publisher(settings: Settings, *, clock: Clock) -> PublisherChange:
    """Name the next publisher, its key made now; the same again while it has not taken over.

    Raises NotReadyError before anything was anchored, ChainUnavailableError, KeyFileError,
    KeyUnavailableError, StorageError.
    """
    files = load_files(settings)
    accounts = publisher_accounts(settings, files)
    with closing(open_checked_database(settings)) as database:
        chain = ChainPins(database, clock=clock).pinned()
        if chain is None:
            raise NotReadyError("Nothing was ever anchored: start the service first.")
        known = read_publishers(database, chain.row, first=lambda: accounts(FIRST_KEY).address)
        if known.following is not None:
            return PublisherChange(known.present.address, known.following.address, named=True)
        name = f"publisher {len(known.everybody)} of chain {chain.identity.chain_id}"
        account = PublisherAccount(files.publisher_key(name).secp256k1())
        following = Publisher(account.address, name)
        if not chain.self_anchored:
            node = Node(JsonRpc(chain_url(settings)))
            if node.balance_wei(account.address, at=node.newest()) == 0:
                return PublisherChange(known.present.address, account.address, named=False)
        name_publisher(database, chain.row, present=known.present, following=following, clock=clock)
    return PublisherChange(known.present.address, following.address, named=True)


def present_publisher(settings: Settings, *, clock: Clock) -> bytes:
    """The address that publishes now."""
    accounts = publisher_accounts(settings, load_files(settings))
    with closing(open_checked_database(settings)) as database:
        chain = ChainPins(database, clock=clock).pinned()
        row = None if chain is None else chain.row
        known = read_publishers(database, row, first=lambda: accounts(FIRST_KEY).address)
    return known.present.address
