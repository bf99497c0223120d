"""Opening a log: entry 0 fixes for ever whose it is, what it holds and which keys sign it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from ledger_service.errors import LogExistsError
from ledger_service.log.directory import LogRow
from ledger_service.log.heads import create_head
from ledger_service.log.tables import logs
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.proofs.entry import Entry, format_entry
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.note import format_vkey
from ledger_service.proofs.opening import OPENING_KIND, LogOpening, opening_claim
from ledger_service.proofs.types import RecordId
from ledger_service.records.preparation import Prepared, draw_id
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from ledger_service.clock import Clock
    from ledger_service.records.intake import Intake
    from ledger_service.storage.engine import Database

_NO_GENERATION: Final = 0


def open_log(
    database: Database,
    intake: Intake,
    opening: LogOpening,
    *,
    org_id: int,
    collection: str,
    clock: Clock,
    entropy: Callable[[int], bytes],
) -> LogRow:
    """Store a log and its opening entry in one transaction; the sequencer signs it later.

    `opening.keys` are the keys of its checkpoints, Ed25519 first. Raises LogExistsError if the origin is
    taken.
    """
    now = clock.now().replace(microsecond=0)
    try:
        with database.write("log.open") as conn:
            row = _store_log(conn, opening, org_id=org_id, collection=collection, now=now)
            intake.accept_within(conn, [_prepare_opening(opening, row, now=now, rid=draw_id(entropy))])
    except IntegrityError as error:
        raise LogExistsError(origin=opening.origin) from error
    return row


def _store_log(
    conn: Connection, opening: LogOpening, *, org_id: int, collection: str, now: datetime
) -> LogRow:
    values = {
        "origin": opening.origin,
        "org_id": org_id,
        "org": opening.org,
        "collection": collection,
        "kinds": " ".join(opening.kinds),
        "vkeys": "\n".join(format_vkey(key) for key in opening.keys),
        "created": to_instant(now),
    }
    log_id = conn.execute(insert(logs).values(values).returning(logs.c.id)).scalar_one()
    create_head(conn, log_id)
    return LogRow(
        id=log_id,
        origin=opening.origin,
        org_id=org_id,
        org=opening.org,
        collection=collection,
        kinds=opening.kinds,
        vkeys=opening.keys,
        created=now,
    )


def _prepare_opening(opening: LogOpening, row: LogRow, *, now: datetime, rid: bytes) -> Prepared:
    claim = opening_claim(opening, id=RecordId(encode_base64url(rid)))
    entry = format_entry(Entry(claim, now))
    return Prepared(
        rid=rid,
        org_id=row.org_id,
        log_id=row.id,
        kind=OPENING_KIND,
        accepted=to_instant(now),
        reference=None,
        key_id=None,
        generation=_NO_GENERATION,
        salt=None,
        sealed=None,
        leaf=leaf_hash(entry),
        entry=entry,
        token=None,
    )
