"""A ledger of one organization with one log of purchases, made of the real parts, in its own directory."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ledger_service.clock import SystemClock
from ledger_service.errors import UnknownLogError
from ledger_service.log import tables as log_tables
from ledger_service.log.directory import LogRow, find_log
from ledger_service.log.opening import open_log
from ledger_service.log.published import StoredPlaces
from ledger_service.log.reader import LogReader
from ledger_service.log.sequencer import Sequencer
from ledger_service.log.signers import Ed25519Signer, MlDsa44Signer
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.proofs.opening import LogOpening
from ledger_service.proofs.types import Origin
from ledger_service.records.erasure import ERASURE
from ledger_service.records.intake import Intake, Submission
from ledger_service.records.pointing import PointingRules
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.vault.wrapping import KeyEncryptionKey
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ledger_service.clock import Clock
    from ledger_service.log.signers import CheckpointSigner

ORG_ID = 1
ORG = "shop"
ORIGIN = Origin("ledger.test/logs/shop/purchases")
KEK = KeyEncryptionKey.from_bytes(bytes(range(32)))

assert log_tables  # the tables that `create_all` makes


class SetClock:
    """A clock that a test sets."""

    def __init__(self, now: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)) -> None:
        """Stand still at `now`."""
        self.time = now

    def now(self) -> datetime:
        """The moment that was set."""
        return self.time

    def move(self, seconds: float) -> None:
        """Step on, or back."""
        self.time += timedelta(seconds=seconds)


@dataclass
class SmallLedger:
    """The parts, wired by hand."""

    directory: Path
    database: Database
    keyring: Keyring
    intake: Intake
    sequencer: Sequencer
    reader: LogReader
    clock: Clock
    log: LogRow

    def submission(self, key: str | None = None, *, line: int = 0, **changes: Any) -> Submission:
        """The example purchase with changes, under an idempotency key."""
        parsed = PURCHASE.parse({**EXAMPLE_PURCHASE, **changes}, self.clock.now())
        return Submission(
            self.log.target, PURCHASE, parsed, None if key is None else IdempotencyKey(key, line)
        )

    def another_sequencer(self) -> Sequencer:
        """A second sequencer on the same database, as another process would have."""
        return Sequencer(self.database, signers_of=signers_in(self.directory), clock=self.clock)


def signers_in(directory: Path) -> Any:
    """What gives the signers of a log whose keys lie in `directory`, made when there are none."""
    files = SigningKeyFiles(directory / "keys", KEK)
    made: dict[tuple[Origin, int], Sequence[CheckpointSigner]] = {}

    def signers_of(origin: Origin, era: int = 0) -> Sequence[CheckpointSigner]:
        if (origin, era) not in made:
            keys = files.open_log_keys(origin, era)
            ed25519 = Ed25519Signer(origin, keys.head_ed25519.ed25519())
            made[origin, era] = (ed25519, MlDsa44Signer(origin, keys.head_ml_dsa_44.ml_dsa_44()))
        return made[origin, era]

    return signers_of


@contextmanager
def small_ledger(
    directory: Path, *, url: str | None = None, clock: Clock | None = None
) -> Iterator[SmallLedger]:
    """Open the ledger in `directory`, made now if there is none; nothing is sequenced yet."""
    clock = clock or SystemClock()
    (directory / "keys").mkdir(mode=0o700, exist_ok=True)
    database = Database.open(url or f"sqlite:///{directory / 'ledger.sqlite'}", reserve_bytes=0)
    try:
        database.create_all(metadata)
        keyring = Keyring(KEK)
        intake = Intake(database, keyring, clock=clock, rules=PointingRules(KINDS, keyring, StoredPlaces()))
        signers_of = signers_in(directory)
        opening = LogOpening(
            ORIGIN, ORG, (ERASURE.name, PURCHASE.name), tuple(each.vkey for each in signers_of(ORIGIN))
        )
        try:
            with database.read() as conn:
                log = find_log(conn, ORIGIN)
        except UnknownLogError:
            log = open_log(
                database,
                intake,
                opening,
                org_id=ORG_ID,
                collection="purchases",
                clock=clock,
                entropy=os.urandom,
            )
        sequencer = Sequencer(database, signers_of=signers_of, clock=clock)
        yield SmallLedger(directory, database, keyring, intake, sequencer, LogReader(database), clock, log)
    finally:
        database.close()


def open_second_log(ledger: SmallLedger, origin: str = f"{ORIGIN}-2", *, org_id: int = ORG_ID) -> LogRow:
    """Another log of the same collection, of the same organization or of one with another number."""
    keys = tuple(each.vkey for each in signers_in(ledger.directory)(Origin(origin)))
    return open_log(
        ledger.database,
        ledger.intake,
        LogOpening(Origin(origin), ORG, (ERASURE.name, PURCHASE.name), keys),
        org_id=org_id,
        collection="purchases",
        clock=ledger.clock,
        entropy=os.urandom,
    )
