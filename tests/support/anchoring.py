"""An anchorer with everything around it: a database, paper logs, a funded key and the real clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from ledger_service.chain.abi import load_artifacts
from ledger_service.chain.account import PublisherAccount
from ledger_service.chain.alarms import AlarmCode, Alarms
from ledger_service.chain.anchorer import Anchorer, AnchorOptions, StepSummary
from ledger_service.chain.client import Node
from ledger_service.chain.contract import CheckpointLogContract, Head, LogState
from ledger_service.chain.pins import ChainPins
from ledger_service.chain.publishers import FIRST_KEY
from ledger_service.chain.rpc import JsonRpc
from ledger_service.chain.tables import anchor_sightings, anchors, chain_actions, chain_transactions
from ledger_service.clock import SystemClock
from ledger_service.errors import BlockGoneError
from ledger_service.storage.engine import Database
from ledger_service.storage.metadata import metadata
from tests.support.anvil import FUNDED_KEYS
from tests.support.paper_logs import PaperLog, PaperLogs

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_service.chain.guard import HighWaterGuard
    from ledger_service.chain.source import ProofSource
    from ledger_service.errors import LedgerError

ARTIFACTS = {artifact.name: artifact for artifact in load_artifacts()}
PURCHASES = ARTIFACTS["PurchaseLedger"]
ORIGIN = "ledger.example/logs/shop/purchases"


class AnchoringRig:
    """One installation's chain side. A second rig on the same file is that installation after a restart."""

    def __init__(
        self,
        url: str,
        database: str,
        *,
        papers: PaperLogs | None = None,
        secret: bytes = FUNDED_KEYS[0],
        timeout_s: float = 10.0,
        guard: HighWaterGuard | None = None,
        source: ProofSource | None = None,
        **options: Any,
    ) -> None:
        """Anchor `source`, or `papers` (one log with 5 entries unless given), through the node at `url`."""
        self.logs = papers or PaperLogs(PaperLog(ORIGIN).grow(5))
        self.database_url = database
        self.database = Database.open(database)
        self.node = Node(JsonRpc(url, timeout_s=timeout_s))
        self.account = PublisherAccount(secret)
        # By the name of their keys; a test names others.
        self.accounts = {FIRST_KEY: self.account}
        self.clock = SystemClock()
        self.pins = ChainPins(self.database, clock=self.clock)
        self.anchorer = Anchorer(
            self.database,
            self.node,
            source=source or self.logs,
            changes=self.logs,
            signers=self.logs.head_signer,
            artifacts=ARTIFACTS,
            accounts=self.accounts.__getitem__,
            clock=self.clock,
            options=AnchorOptions(**({"self_anchored": False, "confirmations": 2} | options)),
            guard=guard,
        )

    @classmethod
    def create(cls, url: str, folder: Path, *, database: str | None = None, **options: Any) -> AnchoringRig:
        """Make a rig with a new database: an empty one that is named, or SQLite in `folder`."""
        rig = cls(url, database or f"sqlite:///{folder / 'ledger.db'}", **options)
        rig.database.create_all(metadata)
        with rig.database.write("log.open") as conn:
            rig.logs.register(conn)
        return rig

    @property
    def paper(self) -> PaperLog:
        """The first log."""
        return self.logs.papers[0]

    def step(self) -> StepSummary:
        """One step; when the chain moves under it, one more."""
        try:
            return self.anchorer.step()
        except BlockGoneError:
            return self.anchorer.step()

    def step_until(self, error: type[LedgerError], *, most: int = 4) -> None:
        """Step until one raises `error`; fails when `most` steps go well."""
        for _ in range(most):
            try:
                self.anchorer.step()
            except error:
                return
        raise AssertionError(f"{most} steps without {error.__name__}")

    def settle(self, *, most: int = 200) -> StepSummary:
        """Step until nothing is planned, waiting or new; fails when that takes more than `most` steps."""
        for _ in range(most):
            done = self.step()
            busy = (done.planned, done.waiting, done.anchored, done.lost, done.mirrored, done.to_mirror)
            if not any(busy):
                return done
        raise AssertionError(f"still busy after {most} steps: {done}, alarms {self.alarms()}")

    def alarms(self) -> set[AlarmCode]:
        """The codes of what is wrong now."""
        return {alarm.code for alarm in Alarms(self.database, clock=self.clock).open()}

    def stages(self) -> dict[int, str]:
        """The stage of each anchor by its size."""
        with self.database.read() as conn:
            return {row.size: row.stage for row in conn.execute(select(anchors))}

    def sightings(self, *, standing: bool = True) -> list[Any]:
        """The sightings that stand, or all that ever were."""
        query = select(anchor_sightings, anchors.c.size).join(
            anchors, anchors.c.id == anchor_sightings.c.anchor
        )
        if standing:
            query = query.where(anchor_sightings.c.lost.is_(None))
        with self.database.read() as conn:
            return list(conn.execute(query.order_by(anchor_sightings.c.id)))

    def actions(self, kind: str) -> list[Any]:
        """The actions of a kind, in the order in which they were planned."""
        query = select(chain_actions).where(chain_actions.c.kind == kind).order_by(chain_actions.c.id)
        with self.database.read() as conn:
            return list(conn.execute(query))

    def transactions(self, action: int) -> list[Any]:
        """The signed transactions of an action."""
        query = select(chain_transactions).where(chain_transactions.c.action == action)
        with self.database.read() as conn:
            return list(conn.execute(query.order_by(chain_transactions.c.id)))

    def contract(self, kind: str = "PurchaseLedger") -> CheckpointLogContract:
        """The deployed contract of a kind."""
        chain = self.pins.pinned()
        assert chain is not None
        pin = self.pins.contract(chain, kind)
        assert pin is not None
        return CheckpointLogContract(self.node, ARTIFACTS[kind], address=pin.address)

    def state(self) -> LogState | None:
        """What the contract keeps of the first log, read now."""
        contract, head = self.contract(), self.node.newest()
        log_id = contract.find_log(self.account.address, self.paper.origin, at=head)
        return None if log_id is None else contract.log_state(log_id, at=head)

    def heads_on_chain(self) -> list[Head]:
        """Every head of the first log that the chain's events tell, oldest first."""
        contract, newest = self.contract(self.paper.contract_kind), self.node.newest()
        log_id = contract.find_log(self.account.address, self.paper.origin, at=newest)
        assert log_id is not None
        return [each.head for each in contract.all_heads(log_id, at=newest)]

    def close(self) -> None:
        """Close the database."""
        self.database.close()
