"""Brings checkpoints to the chain and keeps looking until they are final (design sections 3.6 and 7).

One step looks once, at one block, and does whatever is due:

    pins → what became of our transactions → which anchors stand → store → plan → store → send

There is no other state than the database and the chain, so recovery is the same code. A crash between any
two of these leaves what the next step continues from: what is planned is sent again as the same bytes, what
was sent is found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger_service.chain.actions import ActionJournal, Request
from ledger_service.chain.alarms import AlarmCode, Alarms
from ledger_service.chain.anchor_store import AnchorStore
from ledger_service.chain.contract import name_revert
from ledger_service.chain.cycle import Cycle
from ledger_service.chain.look import Look
from ledger_service.chain.mempool import Mempool
from ledger_service.chain.pins import ChainPins
from ledger_service.chain.publishers import FIRST_KEY, read_publishers, switch_publisher
from ledger_service.chain.rollback import known_contracts
from ledger_service.chain.sending import Sender, SendingOptions, gas_limit
from ledger_service.chain.status_mirror import StatusMirror
from ledger_service.chain.status_store import StatusStore
from ledger_service.errors import (
    ChainAheadError,
    ChainReplacedError,
    ChainUnavailableError,
    ContractRevertedError,
    LedgerError,
    StorageFatalError,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.account import Call, PublisherAccount
    from ledger_service.chain.actions import Action
    from ledger_service.chain.client import Block, Node
    from ledger_service.chain.cycle import Reading
    from ledger_service.chain.guard import HighWaterGuard
    from ledger_service.chain.pins import PinnedChain
    from ledger_service.chain.planning import HeadSigners
    from ledger_service.chain.publishers import Publishers
    from ledger_service.chain.source import ChangeSource, ProofSource
    from ledger_service.clock import Clock
    from ledger_service.errors import RollbackDetectedError
    from ledger_service.storage.engine import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorOptions:
    """How to anchor.

    `confirmations` counts the anchor's own block; `anchor_every_s` is the least time between two anchors of
    one log; `clock_tolerance_s` is how far the chain's clock may be ahead of ours.
    """

    self_anchored: bool
    confirmations: int
    anchor_every_s: float = 0.0
    replace_after_blocks: int = 6
    max_fee_wei: int = 500_000_000_000
    max_in_flight: int = 16
    clock_tolerance_s: float = 15.0


@dataclass(frozen=True, slots=True)
class StepSummary:
    """What one step saw and did. `waiting` counts what was asked and is not in the chain yet.

    `mirrored` counts the changes of status that the contract was seen to hold, `to_mirror` those that it was
    seen to lack and those that are new.
    """

    head_number: int
    planned: int
    waiting: int
    anchored: int
    finished: int
    lost: int
    rolled_back: tuple[RollbackDetectedError, ...]
    mirrored: int = 0
    to_mirror: int = 0


class Anchorer:
    """The one who speaks to the chain for this installation. One thread runs it."""

    __slots__ = ("_accounts", "_alarms", "_artifacts", "_clock", "_db", "_found", "_guard", "_mempool",
                 "_mirror", "_node", "_options", "_pins", "_signers", "_source", "_store")  # fmt: skip

    def __init__(
        self,
        db: Database,
        node: Node,
        *,
        source: ProofSource,
        changes: ChangeSource,
        signers: HeadSigners,
        artifacts: Mapping[str, Artifact],
        accounts: Callable[[str], PublisherAccount],
        clock: Clock,
        options: AnchorOptions,
        guard: HighWaterGuard | None = None,
    ) -> None:
        """Anchor the logs of `source` through `node`; `step` or `run` does it.

        The contracts' states of records follow `changes`; `signers` have the head keys that were replaced.

        It is paid by the account that publishes now: `accounts` has it by the name of its key, "" for the first.

        `artifacts` has the contract for each `LogHead.contract_kind`. The marks of `guard` are raised at
        each step, whether the chain answers or not.
        """
        self._db = db
        self._node = node
        self._mempool = Mempool(node.rpc)
        self._source = source
        self._signers = signers
        self._artifacts = artifacts
        self._accounts = accounts
        self._clock = clock
        self._options = options
        self._guard = guard
        self._pins = ChainPins(db, clock=clock)
        self._store = AnchorStore(db, clock=clock)
        self._mirror = StatusMirror(
            StatusStore(db), source=source, changes=changes, max_in_flight=options.max_in_flight
        )
        self._alarms = Alarms(db, clock=clock)
        self._found: dict[tuple[AlarmCode, str], str] = {}

    def run(
        self, stop: threading.Event, *, poll_s: float, report: Callable[[StepSummary | LedgerError], None]
    ) -> None:
        """Step until `stop` is set, `poll_s` apart, and tell `report` what each step did or why it could not.

        Raises StorageFatalError, after which the process must end. Any other trouble is tried again.
        """
        while not stop.is_set():
            try:
                report(self.step())
            except StorageFatalError:
                raise
            except LedgerError as error:
                report(error)
            stop.wait(poll_s)

    def step(self) -> StepSummary:
        """Look once and do what is due. Raises LedgerError; what was not done is done by a later step.

        Alarms are kept up to date whatever happens. ChainReplacedError means that nothing will be anchored
        until an operator has decided; recording and proving go on.
        """
        self._found = {}
        try:
            return self._step()
        except ChainReplacedError as error:
            self._found[AlarmCode.CHAIN_REPLACED, "chain"] = f"{error.text} {error.details}"
            raise
        except ChainAheadError as error:
            self._found[AlarmCode.CHAIN_AHEAD, "chain"] = f"{error.text} {error.details}"
            raise
        finally:
            self._alarms.report(self._found)

    def ask(self, kind: str, call: Call, *, log: int | None = None) -> Action:
        """Store a call that an operator wants made (a status, a retirement); later steps send it.

        `kind` names it in the journal and in alarms. Durable on return. Raises ContractRevertedError, by
        name, when the call would fail now, and what `step` raises.
        """
        chain = self._pins.check(self._node, self_anchored=self._options.self_anchored)
        look = Look(self._node)
        account = self._accounts(self._publishers(chain).present.key)
        journal = self._journal(chain, account)
        fees = self._sender(look.head, journal, account).quote()
        if fees is None:
            raise ChainUnavailableError("The chain asks more for gas than is allowed.")
        try:
            needed = self._mempool.estimate_gas(call, sender=account.address)
        except ContractRevertedError as error:
            raise name_revert(next(iter(self._artifacts.values())), error) from error
        nonce = self._node.nonce(account.address, at=look.head)
        request = Request(kind, call, gas=gas_limit(needed, head=look.head), fees=fees, log=log)
        (action,) = journal.plan([request], nonce=nonce, height=look.head.number)
        return action

    def _step(self) -> StepSummary:
        options = self._options
        if self._guard is not None:
            self._guard.record(self._source.heads(), contracts=known_contracts(self._pins))
        chain = self._pins.check(self._node, self_anchored=options.self_anchored)
        look = Look(self._node)
        publishers = self._publishers(chain)
        account = self._accounts(publishers.present.key)
        journal = self._journal(chain, account)
        cycle = Cycle(
            look,
            self._node,
            self._mempool,
            chain=chain,
            pins=self._pins,
            journal=journal,
            store=self._store,
            mirror=self._mirror,
            source=self._source,
            signers=self._signers,
            artifacts=self._artifacts,
            publishers=publishers,
            confirmations=options.confirmations,
            alarms=self._found,
        )
        reading = cycle.read()
        cycle.store(self._db, reading)
        cycle.raise_alarms(reading)
        now = self._clock.now()
        cycle.check_clock(now, tolerance_s=options.clock_tolerance_s)
        sender = self._sender(look.head, journal, account)
        room = options.max_in_flight - len(reading.open)
        planned = cycle.plan(
            self._db, reading, sender, room=room, now=now, anchor_every_s=options.anchor_every_s
        )
        waiting = sorted((*reading.open, *planned), key=lambda action: action.nonce)
        sender.send(waiting, nonce=reading.nonce)
        if cycle.moved and publishers.following is not None:
            switch_publisher(self._db, chain.row, publishers.following, clock=self._clock)
        return _summarize(look, reading, planned=len(planned))

    def _publishers(self, chain: PinnedChain) -> Publishers:
        return read_publishers(self._db, chain.row, first=lambda: self._accounts(FIRST_KEY).address)

    def _journal(self, chain: PinnedChain, account: PublisherAccount) -> ActionJournal:
        return ActionJournal(
            self._db,
            chain=chain.row,
            chain_id=chain.identity.chain_id,
            account=account,
            clock=self._clock,
        )

    def _sender(self, head: Block, journal: ActionJournal, account: PublisherAccount) -> Sender:
        return Sender(
            self._mempool,
            journal=journal,
            head=head,
            sender=account.address,
            options=SendingOptions(
                self._options.replace_after_blocks, self._options.max_fee_wei, self._options.max_in_flight
            ),
            alarms=self._found,
        )


def _summarize(look: Look, reading: Reading, *, planned: int) -> StepSummary:
    found, states = reading.findings.values(), reading.states.values()
    return StepSummary(
        head_number=look.head.number,
        planned=planned,
        waiting=len(reading.open) + planned,
        anchored=sum(len(each.seen) for each in found),
        finished=len(reading.standing.done),
        lost=len(reading.standing.lost),
        rolled_back=tuple(error for each in found for error in each.rolled_back.values()),
        mirrored=sum(len(each.seen) for each in states),
        to_mirror=sum(len(each.due) + sum(len(new.changes) for new in each.taken_up) for each in states),
    )
