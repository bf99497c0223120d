"""The logs of this installation as the anchorer reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from ledger_service.chain.head_signer import key_address
from ledger_service.chain.source import LoggedChange, LogHead, SignedCheckpoint
from ledger_service.chain.states import RecordState
from ledger_service.errors import PolicyError, SettingsError
from ledger_service.log.reader import LogReader
from ledger_service.log.tables import log_entries, log_heads, logs
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.note import ALG_EIP712
from ledger_service.records.reasons import reason_code
from ledger_service.records.tables import status_changes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ScalarSelect

    from ledger_service.log.directory import LogRow
    from ledger_service.log.eras import KeyEra
    from ledger_service.proofs.note import VerifierKey
    from ledger_service.storage.engine import Database


class StoredLogs:
    """A `ProofSource` and a `ChangeSource` over the tables of logs and records."""

    __slots__ = ("_contracts", "_db", "_reader")

    def __init__(self, db: Database, *, contracts: Mapping[str, str]) -> None:
        """Read from `db`. `contracts` names the kind of contract for each collection."""
        self._db = db
        self._reader = LogReader(db)
        self._contracts = contracts

    def heads(self) -> Sequence[LogHead]:
        """Return the newest checkpoint of every log that has one, from one snapshot."""
        query = (
            select(
                logs.c.id, logs.c.origin, logs.c.collection, logs.c.era, log_heads.c.size, log_heads.c.root
            )
            .join(log_heads, log_heads.c.log_id == logs.c.id)
            .where(log_heads.c.size > 0)
            .order_by(logs.c.id)
        )
        with self._db.read() as conn:
            rows = conn.execute(query).all()
        return tuple(
            LogHead(row.id, row.origin, self._kind(row.collection), row.size, bytes(row.root), row.era)
            for row in rows
        )

    def signed(self, log: int, *, head_key: bytes | None = None) -> SignedCheckpoint:
        """Return the newest checkpoint that the head key of this address signs.

        Without an address it is for a contract that does not know the log yet, and then the newest key's that signed
        one: right after a rotation that is the key before. Raises PolicyError if the log has no line 3, or never
        had this key.
        """
        with self._reader.view_number(log) as view:
            eras = view.log.eras
            place = _signing_era(eras, view.size) if head_key is None else _find_era(view.log, head_key)
            era = eras[place]
            # The first note of the size at which an era ends is its own; the next one may sign it again.
            checkpoint = view.checkpoint() if era.to_size is None else view.checkpoint_at(era.to_size)
            kind = self._kind(view.log.collection)
            return SignedCheckpoint(
                LogHead(log, view.log.origin, kind, checkpoint.size, checkpoint.root, eras[-1].number),
                checkpoint.note,
                _head_key(view.log, era),
                era.number,
                None if era is eras[-1] else _head_key(view.log, eras[place + 1]),
            )

    def root_at(self, log: int, size: int) -> bytes:
        """Return the root of a log's first `size` entries."""
        with self._reader.view_number(log) as view:
            return view.root_at(size)

    def prove_consistency(self, log: int, first: int, second: int) -> Sequence[bytes]:
        """Return the checked RFC 9162 consistency path between two sizes of a log."""
        with self._reader.view_number(log) as view:
            return view.prove_consistency(first, second)

    def prove_entry(self, log: int, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """Return an entry's leaf hash and its checked RFC 9162 inclusion path."""
        with self._reader.view_number(log) as view:
            return leaf_hash(view.entry(index)), view.prove_inclusion(index, size)

    def changes(self, log: int, *, first: int, end: int) -> Sequence[LoggedChange]:
        """Return the changes that entries `first` to `end` of a log explain, in their order.

        Numbers of records ascend in a log, so only changes in that range are touched, not the entries.
        """
        changed, explaining = log_entries.alias("changed"), log_entries.alias("explaining")
        query = (
            select(changed.c.idx.label("place"), explaining.c.idx, status_changes.c.state)
            .add_columns(status_changes.c.reason)
            .join_from(status_changes, explaining, explaining.c.record == status_changes.c.explanation)
            .join(changed, changed.c.record == status_changes.c.record)
            .where(
                status_changes.c.log_id == log,
                status_changes.c.explanation.between(_record_at(log, first), _record_at(log, end - 1)),
                explaining.c.log_id == log,
                changed.c.log_id == log,
            )
            .order_by(explaining.c.idx)
        )
        with self._db.read() as conn:
            return tuple(
                LoggedChange(row.place, row.idx, RecordState[row.state.upper()], reason_code(row.reason))
                for row in conn.execute(query)
            )

    def _kind(self, collection: str) -> str:
        kind = self._contracts.get(collection)
        if kind is None:
            raise SettingsError(f"There is no contract for logs of {collection}.")
        return kind


def _record_at(log: int, index: int) -> ScalarSelect[int]:
    place = (log_entries.c.log_id == log, log_entries.c.idx == index)
    return select(log_entries.c.record).where(*place).scalar_subquery()


def _signing_era(eras: Sequence[KeyEra], size: int) -> int:
    """The place of the newest era that surely signed a checkpoint: its first one is larger than that it begins at."""
    return max((place for place, era in enumerate(eras) if era.from_size < size), default=0)


def _find_era(log: LogRow, head_key: bytes) -> int:
    """The place of the newest era whose head key has this address."""
    for place, era in reversed(list(enumerate(log.eras))):
        if key_address(_head_key(log, era)) == head_key:
            return place
    raise PolicyError("The contract obeys a head key that is none of the log's.", log=log.origin)


def _head_key(log: LogRow, era: KeyEra) -> VerifierKey:
    for key in era.vkeys:
        if key.alg == ALG_EIP712:
            return key
    raise PolicyError("The log has no EIP-712 key, so no contract can check its heads.", log=log.origin)
