"""Which account publishes on a chain, which one comes next, and which ones did before.

An operator names the next account. The anchorer then plans nothing else: what is under way ends first, then
the contracts and logs are handed over and the money is sent after, and when all of that is final the next
account takes over, with nonces of its own. Every step is found in the chain's state again, so a crash at any
of them is nothing special.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, insert, select, update

from ledger_service.chain.tables import publishers
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database

FIRST_KEY = ""


@dataclass(frozen=True, slots=True)
class Publisher:
    """An account and the name of its key; `FIRST_KEY` is the one that the settings name."""

    address: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Publishers:
    """Who publishes now, who comes next if somebody was named, and everybody who ever did or will."""

    present: Publisher
    following: Publisher | None
    named: tuple[Publisher, ...]

    @property
    def everybody(self) -> tuple[bytes, ...]:
        """The addresses of all of them."""
        return tuple(each.address for each in self.named)


def read_publishers(db: Database, chain: int | None, *, first: Callable[[], bytes]) -> Publishers:
    """Return the publishers of a chain; `first` tells the address of the one before any was named.

    It is asked only if none was: the first key need not be there any more once another one publishes.
    """
    query = select(publishers).where(publishers.c.chain == chain).order_by(publishers.c.id)
    with db.read() as conn:
        rows = conn.execute(query).all()
    if not rows:
        present = Publisher(first(), FIRST_KEY)
        return Publishers(present, None, (present,))
    present, following = Publisher(bytes(rows[0].address), rows[0].key), None
    named = tuple(Publisher(bytes(row.address), row.key) for row in rows)
    for row, each in zip(rows, named, strict=True):
        if row.since is None:
            following = each
        else:
            present = each
    return Publishers(present, following, named)


def name_publisher(
    db: Database, chain: int, *, present: Publisher, following: Publisher, clock: Clock
) -> None:
    """Store who publishes next, durable on return; nothing if that is known already."""
    now = to_instant(clock.now())
    with db.write("chain.name-publisher") as conn:
        rows = conn.execute(select(publishers.c.address).where(publishers.c.chain == chain)).scalars()
        known = {bytes(address) for address in rows}
        for each, since in ((present, now), (following, None)):
            if each.address not in known:
                values = {"chain": chain, "address": each.address, "key": each.key, "named": now}
                conn.execute(insert(publishers).values({**values, "since": since}))


def switch_publisher(db: Database, chain: int, following: Publisher, *, clock: Clock) -> None:
    """Let the next account publish from now on, durable on return."""
    mine = (publishers.c.chain == chain, publishers.c.address == following.address)
    with db.write("chain.switch-publisher") as conn:
        conn.execute(update(publishers).where(*mine).values(since=to_instant(clock.now())))


def count_moving(conn: Connection) -> int:
    """Return how many accounts were named and have not taken over yet: one, or none."""
    query = select(func.count()).select_from(publishers).where(publishers.c.since.is_(None))
    return int(conn.execute(query).scalar_one())
