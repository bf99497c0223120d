"""Replacing the keys of a log, beside a service that runs.

    make       the files of the next era's keys, as far as they are not there
    begin      one transaction: from the size on that is signed now, the new keys sign

After that every process signs with the new keys, since each reads the era with what it is about to sign. The
log's contract follows: the anchorer brings the last head of the old key and then the new key, signed by the
old one. A crash before the transaction leaves files that the next call takes up.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.accounts.organizations import Organizations
from ledger_service.errors import NotSequencedError
from ledger_service.log.directory import find_collection
from ledger_service.log.eras import EraKeys, KeyEra, begin_era
from ledger_service.verification.log_signers import LogSigners
from ledger_service.wiring.installation import load_files, open_checked_database

if TYPE_CHECKING:
    from ledger_service.clock import Clock
    from ledger_service.config import Settings
    from ledger_service.log.directory import LogRow
    from ledger_service.proofs.types import TreeSize
    from ledger_service.storage.engine import Database

_PATIENCE_S: Final = 20.0
_PAUSE_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Which keys sign a log from which size on; without a size they are only made, or would be."""

    origin: str
    era: int
    keys: EraKeys | None
    size: TreeSize | None


def rotate_log_keys(
    settings: Settings,
    org: str,
    collection: str,
    *,
    clock: Clock,
    leaked: bool = False,
    only_make: bool = False,
    dry_run: bool = False,
    patience_s: float = _PATIENCE_S,
) -> KeyChange:
    """Let new keys sign a log. With `leaked`, those of today must be believed to be in other hands.

    `only_make` makes the files and changes nothing, so that they can be copied to other hosts first. Raises
    NotFoundError, UnknownLogError, NotSequencedError (nothing is signed yet, or a checkpoint stays half
    signed), KeyFileError, KeyUnavailableError, StorageError.
    """
    files = load_files(settings)
    signers = LogSigners(files, max_delay_s=int(settings.max_accept_delay_s))
    with closing(open_checked_database(settings)) as database:
        log = _find(database, org, collection, clock=clock)
        era = log.era.number + 1
        if dry_run:
            return KeyChange(log.origin, era, None, None)
        after = signers.create(log.origin, era).keys
        if only_make:
            return KeyChange(log.origin, era, after, None)
        before = _keys_of(log.era) or signers.of(log.origin, log.era.number).keys
        deadline = time.monotonic() + patience_s
        pause = threading.Event()
        while True:
            size = begin_era(database, log.id, before=before, after=after, leaked=leaked, clock=clock)
            if size is not None:
                return KeyChange(log.origin, era, after, size)
            if time.monotonic() > deadline:
                raise NotSequencedError(
                    "A checkpoint stays half signed: start the service, which finishes it, and try again."
                )
            pause.wait(_PAUSE_S)


def log_with_keys(settings: Settings, org: str, collection: str, *, clock: Clock) -> LogRow:
    """The newest log of a collection; raises NotFoundError, UnknownLogError."""
    with closing(open_checked_database(settings)) as database:
        return _find(database, org, collection, clock=clock)


def _find(database: Database, org: str, collection: str, *, clock: Clock) -> LogRow:
    owner = Organizations(database, clock=clock).find(org)
    with database.read() as conn:
        return find_collection(conn, owner.id, collection)


def _keys_of(era: KeyEra) -> EraKeys | None:
    if era.status is None or era.acceptance is None:
        return None
    return EraKeys(era.vkeys, era.status, era.acceptance)
