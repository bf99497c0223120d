"""A database that is older than what the chain or the guard file has seen of it must not sign."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.chain.account import PublisherAccount
from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.client import Node
from ledger_service.chain.guard import HighWaterGuard
from ledger_service.chain.head_signer import Eip712Signer, check_eip712_line
from ledger_service.chain.pins import ChainPins
from ledger_service.chain.rollback import Compared, compare_with_chain
from ledger_service.chain.rpc import JsonRpc
from ledger_service.chain.stored_logs import StoredLogs
from ledger_service.errors import (
    ChainReplacedError,
    ChainUnavailableError,
    PolicyError,
    RollbackDetectedError,
    SettingsError,
)
from ledger_service.proofs.merkle import check_consistency
from ledger_service.proofs.note import parse_note
from ledger_service.proofs.types import RootHash, TreeSize
from tests.support import small_ledger as small
from tests.support.anchoring import PURCHASES, AnchoringRig
from tests.support.anvil import FUNDED_KEYS, Anvil

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.small_ledger import SmallLedger

CONTRACTS = {"purchases": "PurchaseLedger"}


@pytest.fixture(autouse=True)
def _three_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small ledger's checkpoints get line 3 as well."""
    two_lines = small.signers_in

    def signers_in(directory: Path) -> Any:
        signers_of = two_lines(directory)
        return lambda origin, _era=0: (*signers_of(origin), Eip712Signer(b"\x44" * 32, name=origin))

    monkeypatch.setattr(small, "signers_in", signers_in)


class Installation:
    """A small ledger in a folder, its guard file beside it, and its anchorer on a chain."""

    def __init__(self, folder: Path, url: str) -> None:
        """Use what lies in `folder`."""
        self.folder = folder
        self.url = url
        self.guard = HighWaterGuard(folder / "guard.json")

    @contextmanager
    def open(self) -> Iterator[SmallLedger]:
        """The ledger, from opening to closing its database."""
        with small.small_ledger(self.folder) as ledger:
            yield ledger

    def write(self, count: int, *, word: str = "first") -> int:
        """Record and sequence purchases; return the size of the log."""
        with self.open() as ledger:
            ledger.intake.accept(
                [ledger.submission(f"{word} {n}", order_number=f"{word}-{n}") for n in range(count)]
            )
            done = ledger.sequencer.sequence(ledger.log.id)
            assert done is not None
            return done.size

    def anchor(self) -> AnchoringRig:
        """Anchor what is published until nothing moves; return the rig, its database closed."""
        with self.open() as ledger:
            rig = AnchoringRig(
                self.url,
                f"sqlite:///{self.folder / 'ledger.sqlite'}",
                source=StoredLogs(ledger.database, contracts=CONTRACTS),
                guard=self.guard,
                confirmations=1,
            )
            rig.settle()
            rig.close()
            return rig

    def compare(self, *, guard: HighWaterGuard | None = None) -> Compared:
        """What is asked before the first signature."""
        with self.open() as ledger:
            return compare_with_chain(
                StoredLogs(ledger.database, contracts=CONTRACTS),
                Node(JsonRpc(self.url, timeout_s=2)),
                pins=ChainPins(ledger.database, clock=ledger.clock),
                guard=guard or HighWaterGuard(self.folder / "guard.json"),
                artifacts={"PurchaseLedger": PURCHASES},
                openers=(PublisherAccount(FUNDED_KEYS[0]).address,),
            )

    def back_up(self) -> None:
        """Copy the database and nothing else."""
        shutil.copy(self.folder / "ledger.sqlite", self.folder / "backup")

    def restore(self) -> None:
        """Put the copy back."""
        for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.copy(self.folder / "backup", self.folder / "ledger.sqlite")


@pytest.fixture
def installation(anvil: Anvil, tmp_path: Path) -> Installation:
    """Three purchases, not anchored yet."""
    made = Installation(tmp_path, anvil.url)
    assert made.write(3) == 4
    return made


def test_a_database_that_is_up_to_date_may_sign(installation: Installation) -> None:
    """With everything that the chain has, and more, nothing is in the way."""
    assert installation.compare() == Compared(0, 0)
    rig = installation.anchor()
    assert rig.anchorer is not None
    assert installation.compare() == Compared(1, 1)
    installation.write(2, word="second")
    assert installation.compare() == Compared(1, 1)


def test_a_restored_database_is_refused_when_the_chain_is_ahead(installation: Installation) -> None:
    """The chain has a head that the copy does not contain: refused, with both sizes, guard file or not."""
    installation.anchor()
    installation.back_up()
    installation.write(3, word="second")
    installation.anchor()
    installation.restore()
    for guard in (HighWaterGuard(installation.folder / "no guard"), None):
        with pytest.raises(RollbackDetectedError) as refused:
            installation.compare(guard=guard)
        assert refused.value.details["database_size"] == 4


def test_a_copy_from_before_the_first_anchor_is_refused(installation: Installation, anvil: Anvil) -> None:
    """Such a copy knows of no contract, but the guard file does; with the chain away the marks are enough."""
    installation.back_up()
    installation.anchor()
    installation.write(1, word="second")
    installation.anchor()
    installation.restore()
    marks = HighWaterGuard(installation.folder / "guard.json").marks
    assert [contract.kind for contract in marks.contracts] == ["PurchaseLedger"]
    anvil.stop()
    with pytest.raises(RollbackDetectedError):
        installation.compare()


def test_a_copy_that_went_on_differently_is_refused(installation: Installation) -> None:
    """A restored database that has grown past the chain again, with other entries, is another tree."""
    installation.anchor()
    installation.back_up()
    installation.write(2, word="second")
    installation.anchor()
    installation.restore()
    assert installation.write(5, word="other") == 9
    with pytest.raises(RollbackDetectedError, match="another tree"):
        installation.compare(guard=HighWaterGuard(installation.folder / "no guard"))


def test_a_log_that_the_database_has_never_heard_of_is_refused(
    installation: Installation, tmp_path: Path
) -> None:
    """A log that our account opened, and the database lacks, was lost with a newer database."""
    installation.anchor()
    (tmp_path / "other").mkdir()
    other = Installation(tmp_path / "other", installation.url)
    with other.open() as ledger, ledger.database.write("log.open") as conn:
        conn.exec_driver_sql("UPDATE logs SET origin = 'ledger.test/logs/elsewhere/purchases'")
    with pytest.raises(RollbackDetectedError) as refused:
        other.compare(guard=HighWaterGuard(installation.folder / "guard.json"))
    assert refused.value.details["origin"] == small.ORIGIN


def test_the_running_anchorer_notices_as_well(installation: Installation) -> None:
    """A second copy of the installation on the same contract is told to stop, and nothing is sent for it."""
    installation.anchor()
    installation.back_up()
    installation.write(3, word="second")
    installation.anchor()
    installation.restore()
    with installation.open() as ledger:
        rig = AnchoringRig(
            installation.url,
            f"sqlite:///{installation.folder / 'ledger.sqlite'}",
            source=StoredLogs(ledger.database, contracts=CONTRACTS),
            confirmations=1,
        )
        ledger.intake.accept([ledger.submission("third")])
        ledger.sequencer.sequence(ledger.log.id)
        seen = rig.step()
        assert [error.details["chain_size"] for error in seen.rolled_back] == [7]
        assert (seen.planned, rig.alarms()) == (0, {AlarmCode.ROLLBACK_DETECTED})
        rig.close()


def test_without_the_chain_only_the_guard_vouches(installation: Installation, anvil: Anvil) -> None:
    """The guard is compared first; then the caller hears that the chain is away, or another one."""
    installation.anchor()
    anvil.stop()
    with pytest.raises(ChainUnavailableError):
        installation.compare()
    with (
        Anvil.start(port=anvil.port, options=["--timestamp", "1700000000"]),
        pytest.raises(ChainReplacedError),
    ):
        installation.compare()


def test_stored_logs_are_what_the_anchorer_reads(installation: Installation) -> None:
    """Heads, notes with line 3, roots and paths come from the tables; a log without a contract is refused."""
    installation.write(4, word="second")
    with installation.open() as ledger:
        source = StoredLogs(ledger.database, contracts=CONTRACTS)
        (head,) = source.heads()
        signed = source.signed(head.log)
        assert signed.head == head
        assert check_eip712_line(parse_note(signed.note), signed.head_key)
        assert (head.size, source.root_at(head.log, head.size)) == (8, head.root)
        check_consistency(
            first=TreeSize(4), second=TreeSize(8), first_root=RootHash(source.root_at(head.log, 4)),
            second_root=RootHash(head.root), proof=tuple(source.prove_consistency(head.log, 4, 8)),
        )  # fmt: skip
        with pytest.raises(SettingsError):
            StoredLogs(ledger.database, contracts={}).heads()
        with ledger.database.write("log.open") as conn:
            conn.exec_driver_sql("UPDATE logs SET vkeys = substr(vkeys, 1, instr(vkeys, char(10)) - 1)")
        with pytest.raises(PolicyError):
            source.signed(head.log)
