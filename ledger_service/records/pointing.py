"""Records that point at earlier ones of their log, inside the accepting transaction.

What is pointed at is found, held, and its state taken from every change that was accepted before, in this
batch too. The kinds say what may be done to it. So of two changes that race for one record the second meets
what the first has made of it, whichever thread or process it comes from.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from sqlalchemy import select

from ledger_service.errors import (
    NotSequencedError,
    StateConflictError,
    TargetError,
    UnknownKindError,
    UnknownRecordError,
)
from ledger_service.proofs.canonical import parse_time
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.status import ACTIVE
from ledger_service.records.history import RecordRow, find_record, open_record, record_of_number
from ledger_service.records.kinds import Effect, Pointed, refuse
from ledger_service.records.preparation import SealingKey
from ledger_service.records.tables import record_pointers, records, status_changes
from ledger_service.storage.metadata import to_instant
from ledger_service.storage.rows import insert_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.entry import Claim, Pointer
    from ledger_service.records.kinds import Kind, KindRegistry, ParsedRecord
    from ledger_service.records.preparation import LogTarget
    from ledger_service.vault.keyring import Keyring

_CHANGE: Final = ("explanation", "record", "log_id", "state", "reason", "since", "accepted")


class Places(Protocol):
    """Where records stand in their logs, as a transaction sees it."""

    def published(self, conn: Connection, record: int) -> Pointer | None:
        """Where a record is published, or None if it is not yet."""
        ...

    def entry(self, conn: Connection, record: int) -> bytes:
        """The entry of a record that was accepted, however far it has come."""
        ...


@dataclass(frozen=True, slots=True)
class PointingRules:
    """What resolving pointers takes beside the database."""

    kinds: KindRegistry
    keyring: Keyring
    places: Places


@dataclass(frozen=True, slots=True)
class Bond:
    """One new record's tie to an earlier one: `record` is the earlier one's number.

    `parsed` has the public fields that follow from both. `effect` is in force from `since`. `sealing` is the
    key of the earlier record where the new one is sealed under the same.
    """

    record: int
    pointer: Pointer
    parsed: ParsedRecord
    effect: Effect | None
    since: datetime
    sealing: SealingKey | None


def change_of(claim: Claim, kind: Kind, *, accepted: datetime) -> tuple[Pointer, Effect, datetime] | None:
    """What an entry says about the status of another: whose, what, since when; None if it says nothing.

    The one reading of entries: what is stored when they are accepted follows it, and so does the audit.
    """
    pointing = kind.pointing
    if pointing is None:
        return None
    pointer = claim.target if pointing.role == "target" else claim.previous
    effect = None if pointer is None else pointing.effect(claim.public)
    if pointer is None or effect is None:
        return None
    return pointer, effect, _since(claim.public, accepted)


class PointedRecords:
    """The records that one batch points at, in a transaction that has locked the counter of records."""

    __slots__ = ("_conn", "_others", "_rules", "_states")

    def __init__(self, conn: Connection, rules: PointingRules) -> None:
        """Nothing is looked up yet."""
        self._conn = conn
        self._rules = rules
        self._states: dict[int, str] = {}
        self._others: defaultdict[tuple[int, str], list[Mapping[str, JsonValue]]] = defaultdict(list)

    def bind(self, kind: Kind, parsed: ParsedRecord, *, log: LogTarget, accepted: datetime) -> Bond:
        """Tie a new record to the one that it points at; nothing is changed before `apply`.

        Raises UnknownRecordError (also for another organization's), TargetError, NotSequencedError,
        StateConflictError, InvalidPayloadError, and what opening the other record's fields raises.
        """
        pointing = kind.pointing
        assert pointing is not None
        row, pointer, there = self._find(parsed, log)
        if pointing.kinds is not None and row.kind not in pointing.kinds:
            raise TargetError(kind=row.kind)
        self._check_open(row, there)
        if pointing.measure is not None:
            pointed = Pointed(partial(self._values, row), partial(self._others_of, row, kind))
            parsed = replace(parsed, public={**parsed.public, **pointing.measure(parsed, pointed)})
        effect = pointing.effect(parsed.public)
        if effect is not None:
            self._check_change(row, there, effect)
        since = _since(parsed.public, accepted)
        if "since" in parsed.public and not row.accepted <= since <= accepted:
            raise refuse([{"field": "since", "problem": "must lie between the record's acceptance and now"}])
        sealing = self._key_of(row) if pointing.seals_alike else None
        return Bond(row.record, pointer, parsed, effect, since, sealing)

    def replace(self, kind: Kind, parsed: ParsedRecord, *, bond: Bond, accepted: datetime) -> Bond:
        """Tie the record that a correction brings to the one that it corrects, which `bond` has.

        Raises TargetError if it is of another kind, and StateConflictError if others were measured against
        the fields that it would replace.
        """
        row = record_of_number(self._conn, bond.record)
        if row.kind != kind.name:
            raise TargetError("A record is corrected by one of its own kind.", kind=row.kind)
        if any(self._is_measuring(name) for name in self._referring(row)):
            raise StateConflictError("Other records build on the fields of this one.")
        return Bond(bond.record, bond.pointer, parsed, None, accepted, None)

    def apply(self, kind: Kind, bond: Bond) -> None:
        """Let the rest of the batch see what a bond changes."""
        if bond.effect is not None:
            self._states[bond.record] = bond.effect.state
        self._others[bond.record, kind.name].append(bond.parsed.private)

    def _find(self, parsed: ParsedRecord, log: LogTarget) -> tuple[RecordRow, Pointer, Kind]:
        assert parsed.points_at is not None
        row = find_record(self._conn, parsed.points_at)
        if row.org_id != log.org_id:
            raise UnknownRecordError
        if row.log_id != log.log_id:
            raise TargetError("The record is in another log.")
        try:
            kind = self._rules.kinds.get(row.kind)
        except UnknownKindError:
            raise TargetError(kind=row.kind) from None
        pointer = self._rules.places.published(self._conn, row.record)
        if pointer is None:
            raise NotSequencedError
        return row, pointer, kind

    def _state(self, row: RecordRow) -> str:
        if row.record not in self._states:
            newest = (
                select(status_changes.c.state)
                .where(status_changes.c.record == row.record)
                .order_by(status_changes.c.explanation.desc())
                .limit(1)
            )
            self._states[row.record] = self._conn.execute(newest).scalar() or ACTIVE
        return self._states[row.record]

    def _check_open(self, row: RecordRow, kind: Kind) -> None:
        state = self._state(row)
        if state != ACTIVE and not any(before == state for before, _ in kind.changes):
            raise StateConflictError(state=state)

    def _check_change(self, row: RecordRow, kind: Kind, effect: Effect) -> None:
        if not any(after == effect.state for _, after in kind.changes):
            raise TargetError(kind=row.kind, state=effect.state)
        state = self._state(row)
        if (state, effect.state) not in kind.changes:
            raise StateConflictError(state=state, asked=effect.state)

    def _values(self, row: RecordRow) -> Mapping[str, JsonValue]:
        claim = parse_entry(self._rules.places.entry(self._conn, row.record)).claim
        schema = self._rules.kinds.get(row.kind).schema
        return open_record(self._conn, self._rules.keyring, row, claim=claim, schema=schema).values

    def _others_of(self, row: RecordRow, kind: Kind) -> Sequence[Mapping[str, JsonValue]]:
        stored = (
            select(records.c.id)
            .join(record_pointers, record_pointers.c.record == records.c.id)
            .where(record_pointers.c.target == row.record, records.c.kind == kind.name)
            .order_by(records.c.id)
        )
        numbers = self._conn.execute(stored).scalars().all()
        found = [self._values(record_of_number(self._conn, number)) for number in numbers]
        return [*found, *self._others[row.record, kind.name]]

    def _referring(self, row: RecordRow) -> set[str]:
        stored = (
            select(records.c.kind)
            .join(record_pointers, record_pointers.c.record == records.c.id)
            .where(record_pointers.c.target == row.record)
            .distinct()
        )
        return {*self._conn.execute(stored).scalars(), *(k for n, k in self._others if n == row.record)}

    def _is_measuring(self, name: str) -> bool:
        pointing = self._rules.kinds.get(name).pointing
        return pointing is not None and pointing.measure is not None

    def _key_of(self, row: RecordRow) -> SealingKey:
        assert row.key_id is not None
        key = self._rules.keyring.key_of(self._conn, row.key_id)
        return SealingKey(key.id, key.generation, key.key)


def store_bonds(conn: Connection, bonds: Iterable[tuple[int, int, datetime, Bond]]) -> None:
    """Store (number of the new record, log, accepted, bond): which points at which, and what that changed."""
    ties = list(bonds)
    insert_rows(conn, record_pointers, ("record", "target"), [(n, bond.record) for n, _, _, bond in ties])
    insert_rows(
        conn,
        status_changes,
        _CHANGE,
        [
            (
                number,
                bond.record,
                log_id,
                bond.effect.state,
                bond.effect.reason,
                to_instant(bond.since),
                to_instant(accepted),
            )
            for number, log_id, accepted, bond in ties
            if bond.effect is not None
        ],
    )


def _since(public: Mapping[str, JsonValue], accepted: datetime) -> datetime:
    text = public.get("since")
    return parse_time(text) if isinstance(text, str) else accepted
