"""One look at the chain and all that is due after it. `anchorer` says why it is safe to die in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ledger_service.chain.actions import DISPLACED, DONE
from ledger_service.chain.alarms import AlarmCode
from ledger_service.chain.anchor_store import ANCHORED, FINAL
from ledger_service.chain.contract import CheckpointLogContract, deployment
from ledger_service.chain.moving import plan_move
from ledger_service.chain.planning import Planner
from ledger_service.chain.settling import settle_actions
from ledger_service.chain.watch import look_at_logs, look_at_standing
from ledger_service.errors import ChainAheadError, SettingsError
from ledger_service.storage.metadata import to_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.actions import Action, ActionJournal, Settlement
    from ledger_service.chain.anchor_store import AnchorStore
    from ledger_service.chain.client import Node
    from ledger_service.chain.look import Look
    from ledger_service.chain.mempool import Mempool
    from ledger_service.chain.pins import ChainPins, PinnedChain, PinnedContract
    from ledger_service.chain.planning import HeadSigners
    from ledger_service.chain.publishers import Publishers
    from ledger_service.chain.sending import Sender
    from ledger_service.chain.source import LogHead, ProofSource
    from ledger_service.chain.status_mirror import StatusFindings, StatusMirror
    from ledger_service.chain.watch import Findings, Standing
    from ledger_service.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look found, before it is stored. `open` are the actions that the chain does not hold.

    `settled` says that the fate of no action can change any more.
    """

    nonce: int
    open: tuple[Action, ...]
    ends: tuple[tuple[Action, Settlement | None], ...]
    displaced: tuple[Action, ...]
    standing: Standing
    contracts: Mapping[str, PinnedContract | None]
    findings: Mapping[str, Findings]
    settled: bool
    states: Mapping[str, StatusFindings]


class Cycle:
    """One look's work. `alarms` collects what is wrong."""

    __slots__ = (
        "_account",
        "_artifacts",
        "_chain",
        "_confirmations",
        "_journal",
        "_look",
        "_mempool",
        "_mirror",
        "_node",
        "_pins",
        "_publishers",
        "_signers",
        "_source",
        "_store",
        "alarms",
        "heads",
        "moved",
    )  # fmt: skip

    def __init__(
        self,
        look: Look,
        node: Node,
        mempool: Mempool,
        *,
        chain: PinnedChain,
        pins: ChainPins,
        journal: ActionJournal,
        store: AnchorStore,
        mirror: StatusMirror,
        source: ProofSource,
        signers: HeadSigners,
        artifacts: Mapping[str, Artifact],
        publishers: Publishers,
        confirmations: int,
        alarms: dict[tuple[AlarmCode, str], str],
    ) -> None:
        """Work at `look` for the logs of `source`."""
        self._look = look
        self._node = node
        self._mempool = mempool
        self._chain = chain
        self._pins = pins
        self._journal = journal
        self._store = store
        self._mirror = mirror
        self._source = source
        self._signers = signers
        self._artifacts = artifacts
        self._account = publishers.present.address
        self._publishers = publishers
        self._confirmations = confirmations
        self.alarms = alarms
        self.moved = False
        self.heads: tuple[LogHead, ...] = tuple(source.heads())

    def read(self) -> Reading:
        """Find out how things are; nothing is stored but pins. Raises BlockGoneError if the chain moved."""
        look = self._look
        nonce = self._node.nonce(self._account, at=look.head)
        final_height = look.head.number - self._confirmations + 1
        actions = self._journal.unsettled(nonce=nonce, final_height=final_height)
        ends = settle_actions(
            look,
            self._node,
            self._mempool,
            actions=actions,
            sender=self._account,
            confirmations=self._confirmations,
        )
        ended = {action.id: end for action, end in ends}
        now = {action: ended.get(action.id, action.settlement) for action in actions}
        kinds = sorted({head.contract_kind for head in self.heads})
        contracts = {kind: self._contract(kind, ended) for kind in kinds}
        standing = look_at_standing(
            look, self._store, chain=self._chain.row, confirmations=self._confirmations
        )
        findings = {
            kind: self._read_contract(pin, standing) for kind, pin in contracts.items() if pin is not None
        }
        waiting = tuple(action for action, end in now.items() if end is None)
        states = {
            kind: self._mirror.look(
                look, self._speak_to(pin), row=pin.row, findings=findings[kind], waiting=waiting
            )
            for kind, pin in contracts.items()
            if pin is not None
        }
        look.confirm()
        return Reading(
            nonce=nonce,
            open=waiting,
            ends=tuple(ends),
            displaced=tuple(a for a, end in now.items() if end is not None and end.outcome == DISPLACED),
            standing=standing,
            contracts=contracts,
            findings=findings,
            settled=not actions,
            states=states,
        )

    def store(self, db: Database, reading: Reading) -> None:
        """Store what was found, all of it or nothing, if there is anything new."""
        rows = {kind: pin.row for kind, pin in reading.contracts.items() if pin is not None}
        new = any(found.seen or found.named or found.eras for found in reading.findings.values())
        new = new or any(states.new for states in reading.states.values())
        if not (new or reading.ends or reading.standing.lost or reading.standing.done):
            return
        with db.write("chain.observe") as conn:
            self._journal.settle(conn, reading.ends)
            for lost in reading.standing.lost:
                self._store.lose(conn, lost)
            for done in reading.standing.done:
                self._store.finish(conn, done)
            for kind, found in reading.findings.items():
                for log, log_id in found.named.items():
                    self._store.name_log(conn, contract=rows[kind], log=log, log_id=log_id)
                for log, era in found.eras.items():
                    self._store.obey(conn, contract=rows[kind], log=log, era=era)
                for anchor, seen in found.seen:
                    deep = self._look.depth(seen.block_number) >= self._confirmations
                    self._store.see(conn, anchor, seen, stage=FINAL if deep else ANCHORED)
            for kind, states in reading.states.items():
                self._mirror.keep(conn, rows[kind], states)

    def raise_alarms(self, reading: Reading) -> None:
        """Collect what an operator must look at."""
        for disputed in self._store.disputed(self._chain.row):
            words = f"The chain no longer holds the final anchor of size {disputed.size}."
            self.alarms[AlarmCode.ANCHOR_DISPUTED, f"log {disputed.log} size {disputed.size}"] = words
        for action in reading.displaced:
            words = f"Not our transaction ({action.kind}) took nonce {action.nonce}: is the key shared?"
            self.alarms[AlarmCode.NONCE_TAKEN, f"nonce {action.nonce}"] = words
        for found in reading.findings.values():
            for origin, error in found.rolled_back.items():
                self.alarms[AlarmCode.ROLLBACK_DETECTED, origin] = f"{error.text} {error.details}"
        origins = {head.log: head.origin for head in self.heads}
        for pin in reading.contracts.values():
            for log, words in ({} if pin is None else self._mirror.refused(pin.row)).items():
                self.alarms[AlarmCode.STATUS_REFUSED, origins[log]] = words

    def check_clock(self, now: datetime, *, tolerance_s: float) -> None:
        """Raise ChainAheadError when the newest block is more than `tolerance_s` in the future."""
        ahead_s = self._look.head.time - now.timestamp()
        if ahead_s > tolerance_s:
            raise ChainAheadError(ahead_s=round(ahead_s, 3))

    def plan(
        self,
        db: Database,
        reading: Reading,
        sender: Sender,
        *,
        room: int,
        now: datetime,
        anchor_every_s: float,
    ) -> tuple[Action, ...]:
        """Store what should be asked of the chain next, at most `room` actions; return them."""
        gaps = _count_gaps(reading)
        fees = sender.quote() if gaps or (room > 0 and self._wants(reading)) else None
        if fees is None:
            return ()
        planner = Planner(sender, fees=fees, room=room)
        if self._publishers.following is not None:
            self._plan_move(planner, self._publishers.following.address, reading)
            return self._store_plan(planner, reading, gaps=gaps)
        for kind, pin in reading.contracts.items():
            if pin is None:
                self._deploy(kind, planner, reading)
                continue
            found = reading.findings[kind]
            contract = self._speak_to(pin)
            busy = {action.log for action in reading.open if action.log is not None}
            logs = [log for log in found.unopened if log.log not in busy]
            planner.open_logs(contract, logs, source=self._source, account=self._account)
            heads = {head.log: head for head in self.heads}
            planner.rotate(
                contract, chain_id=self._chain.identity.chain_id, findings=found, heads=heads, busy=busy,
                source=self._source, signers=self._signers, publisher=self._account,
            )  # fmt: skip
            planner.publish(
                contract,
                row=pin.row,
                findings=found,
                heads=heads,
                resting=busy | self._resting(pin.row, found, now=now, anchor_every_s=anchor_every_s),
                source=self._source,
                store=self._store,
            )
        self._plan_states(db, planner, reading)
        return self._store_plan(planner, reading, gaps=gaps)

    def _store_plan(self, planner: Planner, reading: Reading, *, gaps: int) -> tuple[Action, ...]:
        # What is asked for anyway takes the free nonces first.
        planner.fill(gaps - len(planner.requests), account=self._account)
        if not planner.requests:
            return ()
        return self._journal.plan(planner.requests, nonce=reading.nonce, height=self._look.head.number)

    def _plan_move(self, planner: Planner, following: bytes, reading: Reading) -> None:
        """Plan what the next publisher lacks, once nothing else is under way.

        `moved` is set when the chain shows, for good, that it lacks nothing.
        """
        if reading.open:
            return
        found = [
            (self._speak_to(pin), reading.findings[kind])
            for kind, pin in reading.contracts.items()
            if pin is not None
        ]
        plan_move(
            planner, found, self._node, present=self._account, following=following,
            with_money=self._chain.self_anchored, at=self._look.head, chain_id=self._chain.identity.chain_id,
            heads={head.log: head for head in self.heads}, source=self._source, signers=self._signers,
        )  # fmt: skip
        self.moved = reading.settled and not planner.requests and not planner.refused

    def _plan_states(self, db: Database, planner: Planner, reading: Reading) -> None:
        """Plan changes of status in the room that checkpoints have left."""
        for kind, states in reading.states.items():
            pin = reading.contracts[kind]
            assert pin is not None
            refused = self._mirror.plan(
                planner,
                self._speak_to(pin),
                states,
                findings=reading.findings[kind],
                logs={head.log: head for head in self.heads},
                waiting=reading.open,
            )
            if refused:
                with db.write("chain.observe") as conn:
                    self._mirror.refuse(conn, refused, at=self._look.head)

    def _deploy(self, kind: str, planner: Planner, reading: Reading) -> None:
        """Plan a contract, unless its deployment is under way."""
        artifact = self._artifacts[kind]
        call = deployment(artifact, opener=self._account)
        if not any(action.kind == "deploy" and action.call == call for action in reading.open):
            planner.deploy(artifact, call, chain=self._chain, pins=self._pins, account=self._account)

    def _wants(self, reading: Reading) -> bool:
        """Tell whether anything might be planned, so that an idle chain is not asked for its prices."""
        sizes = {head.log: head.size for head in self.heads}
        eras = {head.log: head.era for head in self.heads}
        return (
            self._publishers.following is not None
            or any(pin is None for pin in reading.contracts.values())
            or any(
                found.unopened
                or any(sizes[log] > head.size or eras[log] > 0 for log, head in found.accepted.items())
                for found in reading.findings.values()
            )
            or any(states.due for states in reading.states.values())
        )

    def _resting(self, row: int, found: Findings, *, now: datetime, anchor_every_s: float) -> set[int]:
        """Return those of the logs looked at whose last anchor was planned less than `anchor_every_s` ago."""
        earliest = to_instant(now - timedelta(seconds=anchor_every_s))
        latest = to_instant(now)
        return {
            log
            for log, at in self._store.last_planned(row, found.accepted).items()
            if earliest < at <= latest
        }

    def _contract(self, kind: str, ended: Mapping[int, Settlement | None]) -> PinnedContract | None:
        """Return the contract of a kind if it can be used now; None if it must be deployed or waited for."""
        artifact = self._artifacts.get(kind)
        if artifact is None:
            raise SettingsError(f"There is no contract called {kind}.")
        pin = self._pins.contract(self._chain, kind)
        if pin is None:
            return None
        if pin.action is not None and pin.deploy_block_hash is None:
            end = ended[pin.action] if pin.action in ended else self._journal.find(pin.action).settlement
            if end is not None and end.outcome == DONE and end.block_number != pin.deploy_block_number:
                pin = self._pins.place(pin, block_number=end.block_number)
        return self._pins.check_code(
            pin, self._node, artifact=artifact, look=self._look, confirmations=self._confirmations
        )

    def _read_contract(self, pin: PinnedContract, standing: Standing) -> Findings:
        return look_at_logs(
            self._look,
            self._speak_to(pin),
            row=pin.row,
            openers=self._publishers.everybody,
            heads=[head for head in self.heads if head.contract_kind == pin.kind],
            source=self._source,
            store=self._store,
            standing=standing,
            every_log=self._publishers.following is not None,
        )

    def _speak_to(self, pin: PinnedContract) -> CheckpointLogContract:
        return CheckpointLogContract(
            self._node,
            self._artifacts[pin.kind],
            address=pin.address,
            first_block=pin.deploy_block_number or 0,
        )


def _count_gaps(reading: Reading) -> int:
    """Return how many nonces below those of the open actions have no action.

    Such a gap is left when a reorganization takes back a transaction that somebody else sent with our key.
    """
    nonces = {action.nonce for action in reading.open if action.nonce >= reading.nonce}
    return max(nonces) - reading.nonce + 1 - len(nonces) if nonces else 0
