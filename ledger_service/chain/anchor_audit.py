"""Holds what is stored of anchors, contracts and transactions against the chain that they speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from eth_utils.crypto import keccak
from sqlalchemy import select

from ledger_service.chain.account import Call, Fees, contract_address
from ledger_service.chain.anchor_store import FINAL, PUBLISHED
from ledger_service.chain.contract import CheckpointLogContract
from ledger_service.chain.headers import encode_header
from ledger_service.chain.look import Look
from ledger_service.chain.tables import (
    anchor_sightings,
    anchors,
    chain_actions,
    chain_contracts,
    chain_logs,
    chain_transactions,
    status_cursors,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.account import PublisherAccount
    from ledger_service.chain.client import Node
    from ledger_service.chain.contract import AcceptedHead
    from ledger_service.chain.pins import PinnedChain
    from ledger_service.chain.source import ProofSource
    from ledger_service.log.findings import AuditReport

# What happened on the chain is stored when the service looks next. After this it should have looked.
PATIENCE_S: Final = 900


class AnchorAudit:
    """One look at the pinned chain, and the tables beside it."""

    def __init__(
        self,
        report: AuditReport,
        conn: Connection,
        node: Node,
        *,
        chain: PinnedChain,
        source: ProofSource,
        artifacts: Mapping[str, Artifact],
        confirmations: int,
        now: float,
    ) -> None:
        """Add to `report` what `conn` and `node` disagree about; `now` is in seconds."""
        self._report = report
        self._conn = conn
        self._node = node
        self._look = Look(node)
        self._chain = chain
        self._source = source
        self._artifacts = artifacts
        self._confirmations = confirmations
        self._now = now

    def run(self, accounts: Mapping[bytes, PublisherAccount | None]) -> None:
        """Audit contracts, anchors and transactions of these `accounts`. Raises what reading the chain raises."""
        wanted = select(chain_contracts).where(chain_contracts.c.chain == self._chain.row)
        for row in self._conn.execute(wanted.order_by(chain_contracts.c.id)).all():
            where = f"{row.kind} 0x{bytes(row.address).hex()}"
            with self._report.looking_at(where):
                self._audit_contract(row, where, openers=tuple(accounts))
        self._audit_actions(accounts)
        self._look.confirm()

    def _audit_contract(self, row: Row[Any], where: str, *, openers: Sequence[bytes]) -> None:
        self._report.looked_at["contracts"] += 1
        if row.code_hash is None:
            return
        if keccak(self._node.code(row.address, at=self._look.head)) != row.code_hash:
            self._report.add("contract_code", where, "the chain holds other code at its address")
        number, block_hash = row.deploy_block_number, row.deploy_block_hash
        if block_hash is not None and not (number and self._look.holds(number, block_hash)):
            self._report.add("contract_block", where, "the chain has no such block of its deployment")
        contract = CheckpointLogContract(self._node, self._artifacts[row.kind], address=row.address)
        opened = {
            each.origin: each.log_id
            for opener in openers
            for each in contract.logs_opened(opener, at=self._look.head)
        }
        heads = {head.log: head for head in self._source.heads()}
        stored = select(chain_logs.c.log, chain_logs.c.log_id).where(chain_logs.c.contract == row.id)
        known: dict[int, bytes] = {each.log: each.log_id for each in self._conn.execute(stored)}
        for log, head in heads.items():
            if head.contract_kind != row.kind:
                continue
            log_id = opened.get(head.origin)
            if log in known and known[log] != log_id:
                self._report.add("contract_log", head.origin, "the contract knows it under another id")
            elif log not in known and log_id is not None:
                self._late(head.origin, "the contract opened it, and nothing here tells", log_id, contract)
            told = () if log_id is None else contract.all_heads(log_id, at=self._look.head)
            self._audit_anchors(row.id, log, head.origin, {each.head.size: each for each in told}, log_id)

    def _audit_anchors(
        self,
        contract: int,
        log: int,
        origin: str,
        told: Mapping[int, AcceptedHead],
        log_id: bytes | None,
    ) -> None:
        wanted = select(anchors).where(anchors.c.contract == contract, anchors.c.log == log)
        stored = {row.size: row for row in self._conn.execute(wanted).all()}
        for size in sorted(told.keys() | stored.keys()):
            where = f"{origin} anchor {size}"
            row, accepted = stored.get(size), told.get(size)
            self._report.looked_at["anchors"] += 1
            if accepted is None:
                if row is not None and row.stage != PUBLISHED and row.disputed is None:
                    self._report.add("anchor_unfounded", where, "the chain holds no such head")
                continue
            if self._source.root_at(log, size) != accepted.head.root:
                self._report.add("anchor_root", where, "the chain holds another tree of this log")
            if row is None:
                self._report.add("anchor_missing", where, "the chain holds it, and nothing here planned it")
            else:
                self._audit_anchor(row, accepted, where, told=told, log_id=log_id)
        cursor = select(status_cursors.c.size).where(
            status_cursors.c.contract == contract, status_cursors.c.log == log
        )
        reached = self._conn.execute(cursor).scalar()
        if reached is not None and reached > max(told, default=0):
            self._report.add(
                "cursor_beyond", origin, "changes count as taken up that no accepted head covers"
            )

    def _audit_anchor(
        self,
        row: Row[Any],
        accepted: AcceptedHead,
        where: str,
        *,
        told: Mapping[int, AcceptedHead],
        log_id: bytes | None,
    ) -> None:
        block = self._look.block(accepted.event.block_number, accepted.event.block_hash)
        if row.root != accepted.head.root:
            self._report.add("anchor_differs", where, "its root is not the one that the chain holds")
        standing = select(anchor_sightings).where(
            anchor_sightings.c.anchor == row.id, anchor_sightings.c.lost.is_(None)
        )
        before = told.get(accepted.head.previous_size)
        held = (
            self._chain.row,
            log_id,
            accepted.head.time,
            accepted.head.previous_size,
            None if before is None else before.head.root,
            None if before is None else before.head.time,
            block.number,
            block.hash,
            block.time,
            accepted.event.tx_hash,
            encode_header(block),
        )
        sightings = self._conn.execute(standing).all()
        for seen in sightings:
            if tuple(getattr(seen, name) for name in _SEEN) != held:
                self._report.add(
                    "sighting_differs", where, "what is stored of it is not what the chain holds"
                )
        deep = self._look.depth(block.number) >= self._confirmations
        behind = not sightings or row.stage == PUBLISHED or (deep and row.stage != FINAL)
        if row.disputed is not None:
            self._report.add("anchor_disputed", where, "the chain holds it, and here it counts as lost")
        elif behind and block.time < self._now - PATIENCE_S:
            words = f"the chain holds it, {self._look.depth(block.number)} deep, and here it is {row.stage}"
            self._report.add("anchor_unobserved", where, words)

    def _late(self, where: str, words: str, log_id: bytes, contract: CheckpointLogContract) -> None:
        state = contract.log_state(log_id, at=self._look.head)
        if state is None or 0 < state.time < self._now - PATIENCE_S:
            self._report.add("contract_log", where, words)

    def _audit_actions(self, accounts: Mapping[bytes, PublisherAccount | None]) -> None:
        """Signing is deterministic: what was signed for an action is signed again and compared."""
        wanted = select(chain_actions).where(chain_actions.c.chain == self._chain.row)
        for row in self._conn.execute(wanted.order_by(chain_actions.c.nonce)).all():
            where = f"transaction {row.nonce} of 0x{bytes(row.sender).hex()}"
            self._report.looked_at["transactions"] += 1
            with self._report.looking_at(where):
                self._audit_action(row, where, accounts)

    def _audit_action(
        self, row: Row[Any], where: str, accounts: Mapping[bytes, PublisherAccount | None]
    ) -> None:
        signed = select(chain_transactions).where(chain_transactions.c.action == row.id)
        variants = self._conn.execute(signed).all()
        if row.sender not in accounts:
            self._report.add("transaction_differs", where, "its sender never was the publisher")
        account = accounts.get(row.sender)
        if not variants:
            self._report.add("transaction_missing", where, "nothing is stored of what was signed")
        for each in variants:
            again = None
            if account is not None:
                again = account.sign(
                    Call(row.receiver, row.calldata, int.from_bytes(row.value or b"")),
                    chain_id=self._chain.identity.chain_id,
                    nonce=row.nonce,
                    gas=each.gas,
                    fees=Fees(each.max_fee_wei, each.priority_fee_wei),
                ).raw
            if keccak(each.raw) != each.tx_hash or again not in {None, each.raw}:
                self._report.add("transaction_differs", where, "it is not what was signed for this action")
        self._audit_outcome(row, where, [each.tx_hash for each in variants])
        wanted = select(chain_contracts.c.address).where(chain_contracts.c.action == row.id)
        for address in self._conn.execute(wanted).scalars():
            if address != contract_address(row.sender, row.nonce):
                self._report.add("contract_address", where, "it deployed the contract at another address")

    def _audit_outcome(self, row: Row[Any], where: str, hashes: Sequence[bytes]) -> None:
        if row.outcome not in {"done", "reverted"}:
            return
        for tx_hash in hashes:
            receipt = self._node.rpc.ask("eth_getTransactionReceipt", f"0x{tx_hash.hex()}")
            if isinstance(receipt, dict):
                told = (int(receipt["blockNumber"], 16), receipt["blockHash"], int(receipt["status"], 16))
                here = (
                    row.block_number,
                    f"0x{bytes(row.block_hash or b'').hex()}",
                    int(row.outcome == "done"),
                )
                if told != here:
                    self._report.add("outcome_differs", where, "the chain tells of another end of it")
                return
        self._report.add("outcome_differs", where, "the chain holds none of its transactions")


_SEEN: Final = (
    "chain",
    "log_id",
    "time",
    "previous_size",
    "previous_root",
    "previous_time",
    "block_number",
    "block_hash",
    "block_time",
    "tx_hash",
    "header_rlp",
)
