"""What an operator must look at: raised while it is so, cleared when it is not, kept for ever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from ledger_service.chain.tables import chain_alarms
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.clock import Clock
    from ledger_service.storage.engine import Database


class AlarmCode(StrEnum):
    """What can be wrong between us and the chain."""

    CHAIN_REPLACED = "chain_replaced"
    CHAIN_AHEAD = "chain_ahead"
    ANCHOR_DISPUTED = "anchor_disputed"
    ROLLBACK_DETECTED = "rollback_detected"
    NONCE_TAKEN = "nonce_taken"
    PUBLISH_REFUSED = "publish_refused"
    STATUS_REFUSED = "status_refused"
    ROTATION_REFUSED = "rotation_refused"
    SENDING_REFUSED = "sending_refused"
    NO_FUNDS = "no_funds"
    FEE_LIMIT = "fee_limit"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong: what, about whom, and in words."""

    code: AlarmCode
    subject: str
    detail: str


class Alarms:
    """The alarms of this installation's chain."""

    __slots__ = ("_clock", "_db")

    def __init__(self, db: Database, *, clock: Clock) -> None:
        """Keep them in `db`."""
        self._db = db
        self._clock = clock

    def open(self) -> tuple[Alarm, ...]:
        """Return what is wrong now, oldest first."""
        with self._db.read() as conn:
            rows = conn.execute(
                select(chain_alarms).where(chain_alarms.c.cleared.is_(None)).order_by(chain_alarms.c.id)
            ).all()
        return tuple(Alarm(AlarmCode(row.code), row.subject, row.detail) for row in rows)

    def report(self, found: Mapping[tuple[AlarmCode, str], str]) -> None:
        """Make the open alarms those that were found: raise new ones, clear those that are over."""
        present = {(alarm.code, alarm.subject) for alarm in self.open()}
        if present == found.keys():
            return
        now = to_instant(self._clock.now())
        with self._db.write("chain.observe") as conn:
            for code, subject in sorted(found.keys() - present):
                values = {"code": code, "subject": subject, "detail": found[code, subject], "raised": now}
                conn.execute(insert(chain_alarms).values(values))
            for code, subject in sorted(present - found.keys()):
                conn.execute(
                    update(chain_alarms)
                    .where(
                        chain_alarms.c.code == code,
                        chain_alarms.c.subject == subject,
                        chain_alarms.c.cleared.is_(None),
                    )
                    .values(cleared=now)
                )
