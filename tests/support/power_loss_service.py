"""The whole service, its database, its keys and its chain, on a disk whose power is cut."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from sqlalchemy import select

from ledger_service.config import load_settings
from ledger_service.errors import LedgerError
from ledger_service.log.tables import log_entries
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.records.tables import records
from ledger_service.wiring.installation import open_database
from tests.support.failpoint_case import ask_again, judge, settle
from tests.support.installation import EmbeddedBackend, Installation, pause
from tests.support.lossy_fs import LossyMount
from tests.support.power_loss import Aftermath

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random
    from types import TracebackType

# How long the service may take to notice that its disk is gone; any I/O error is fatal for what writes.
_STOP_LIMIT_S = 15.0
_START_LIMIT_S = 20.0
_AT_A_TIME = 4
_ROWS = 6


@dataclass
class LedgerDisk:
    """One installation on one disk that suffers cut after cut. What its client heard must always be there."""

    rng: Random
    unsafe: str | None = None
    installation: Installation = field(init=False)
    _asked: int = 0

    def __post_init__(self) -> None:
        """An empty disk."""
        self.installation = Installation(EmbeddedBackend(), self.rng)
        self.backing.mkdir()
        self.mount_point.mkdir()

    @property
    def backing(self) -> Path:
        """What survives."""
        return self.installation.directory / "backing"

    @property
    def mount_point(self) -> Path:
        """What programs see."""
        return self.installation.directory / "disk"

    def suffer(self, *, most_acknowledgments: int) -> Aftermath:
        """Run the service on the disk, cut the power under it, start it on what is left, judge."""
        torn = self.rng.random() < 0.5
        after = len(self.installation.heard) + self.rng.randint(1, most_acknowledgments)
        tear_seed = self.rng.getrandbits(32) if torn else None
        findings: list[str] = []
        with LossyMount.mount(self.backing, self.mount_point) as disk:
            self._move(self.mount_point)
            self._start()
            if self.unsafe:
                # What an unsafe setting loses shall be what it acknowledged, not how it was installed.
                disk.sync_all()
            while len(self.installation.heard) < after:
                self._ask()
            cut = threading.Timer(self.rng.uniform(0, 0.03), lambda: disk.cut_power(tear_seed=tear_seed))
            cut.start()
            if not self._ask_until_dead():
                findings.append("the service went on for long after its disk had failed")
            cut.join()
            self.installation.kill()
            self.installation.backend.end()
        self._move(self.backing)
        lost = self._count_lost()
        if not self.unsafe:
            findings += self._recover()
        return Aftermath(len(self.installation.heard), lost, tuple(findings), torn)

    def _move(self, directory: Path) -> None:
        self.installation.environment["AUDIT_LEDGER_DATA_DIR"] = str(directory / "data")
        if self.unsafe:
            self.installation.environment["AUDIT_LEDGER_UNSAFE_SYNCHRONOUS"] = self.unsafe

    def _start(self) -> None:
        """Install if that was not done, start, and wait until records are taken."""
        said = self.installation.set_up() or self.installation.start()
        assert said is None, f"the service does not start: {said}"
        deadline = time.monotonic() + _START_LIMIT_S
        while not self._ask():
            assert time.monotonic() < deadline, "the service takes no records"
            pause(0.02)

    def _ask(self) -> bool:
        """Ask for a few new records; whether any was answered."""
        before = len(self.installation.heard)
        self._asked += 1
        if self.rng.random() < 0.2:
            self.installation.record_rows(f"rows-{self._asked}", _ROWS)
        else:
            self.installation.record({f"key-{self._asked}-{each}" for each in range(_AT_A_TIME)})
        return len(self.installation.heard) > before

    def _ask_until_dead(self) -> bool:
        """Go on asking until nothing is answered any more; whether that came soon enough.

        Whatever is still acknowledged counts: the service was told that its disk is gone.
        """
        deadline = time.monotonic() + _STOP_LIMIT_S
        silent = 0
        while self.installation.alive and silent < 3 and time.monotonic() < deadline:
            silent = 0 if self._ask() else silent + 1
            pause(0.01)
        return time.monotonic() < deadline

    def _count_lost(self) -> int:
        """How many acknowledged records, or places in the log that were told, are not on the disk."""
        try:
            database = open_database(load_settings(self.installation.environment))
        except (LedgerError, OSError):
            return len(self.installation.heard)
        try:
            with database.read() as conn:
                rows = conn.execute(
                    select(records.c.rid, log_entries.c.idx).join_from(
                        records, log_entries, records.c.id == log_entries.c.record, isouter=True
                    )
                )
                places = {bytes(rid): index for rid, index in rows}
        finally:
            database.close()
        lost = 0
        for answer in self.installation.heard.values():
            rid = decode_base64url(str(answer.record))
            moved = answer.place is not None and places.get(rid) != answer.place[0]
            lost += rid not in places or moved
        return lost

    def _recover(self) -> list[str]:
        """Start on what survived, ask for everything again, and hold all of it against what was said."""
        installation = self.installation
        try:
            said = installation.start()
            assert said is None, f"the service does not start after the cut: {said}"
            left = ask_again(installation, patience_s=_START_LIMIT_S)
            assert not left, f"never answered after the cut: {sorted(left)[:3]}"
            settle(installation)
            installation.stop()
            found = judge(installation, {})
        except (AssertionError, TimeoutError) as error:
            found = [f"{type(error).__name__}: {error}", installation.words()[-3000:]]
        installation.kill()
        installation.backend.end()
        return found

    def __enter__(self) -> Self:
        """The disk."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Throw it away."""
        self.installation.close()
        shutil.rmtree(self.installation.directory, ignore_errors=True)
