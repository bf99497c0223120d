"""Holds every state that contracts keep of records against what the logs say: two witnesses of one history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ledger_service.chain.contract import CheckpointLogContract
from ledger_service.chain.look import Look

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from ledger_service.chain.abi import Artifact
    from ledger_service.chain.anchor_store import AnchorStore
    from ledger_service.chain.client import Node
    from ledger_service.chain.contract import StatusChange
    from ledger_service.chain.pins import ChainPins
    from ledger_service.chain.source import ChangeSource, LoggedChange, LogHead
    from ledger_service.chain.status_store import StatusStore
    from ledger_service.log.findings import AuditReport


def audit_states(
    report: AuditReport,
    node: Node,
    *,
    pins: ChainPins,
    anchors: AnchorStore,
    store: StatusStore,
    changes: ChangeSource,
    heads: Mapping[int, LogHead],
    artifacts: Mapping[str, Artifact],
    overdue: float = 0.0,
) -> None:
    """Compare the newest contract of each kind with the log, change by change, and add what disagrees.

    A change that waits for its contract is counted, not reported; one that the contract has held since before
    `overdue` (in seconds) should be stored. Raises what reading the chain raises, so a
    chain that could not be read is not taken for one that agrees.
    """
    chain = pins.pinned()
    if chain is None:
        return
    pins.check(node, self_anchored=chain.self_anchored)
    look = Look(node)
    for kind, artifact in artifacts.items():
        pin = pins.contract(chain, kind)
        if pin is None or pin.code_hash is None:
            continue
        contract = CheckpointLogContract(
            node, artifact, address=pin.address, first_block=pin.deploy_block_number or 0
        )
        for log, log_id in anchors.log_ids(pin.row).items():
            state = contract.log_state(log_id, at=look.head)
            said = changes.changes(log, first=0, end=state.size) if state is not None and state.size else ()
            rows = store.mirrors(pin.row, log)
            if log in heads:
                _compare(
                    report,
                    contract,
                    look,
                    log=heads[log],
                    log_id=log_id,
                    said=said,
                    rows=rows,
                    overdue=overdue,
                )
    look.confirm()


def _compare(
    report: AuditReport,
    contract: CheckpointLogContract,
    look: Look,
    *,
    log: LogHead,
    log_id: bytes,
    said: Sequence[LoggedChange],
    rows: Mapping[int, Row[Any]],
    overdue: float,
) -> None:
    """Compare one log: what the contract tells, then what it does not, and what is stored of both."""
    by_place = {(each.record, each.explanation): each for each in said}
    told = set()
    for event in contract.all_status_changes(log_id, at=look.head):
        place = (event.index, event.explanation_index)
        where = f"{log.origin} entry {event.index}"
        known = by_place.get(place)
        report.looked_at["contract states"] += 1
        if known is None:
            report.add(
                "state_unexplained", where, f"The contract says {event.state.name.lower()}, the log does not."
            )
        elif (known.state, known.reason) != (event.state, event.reason):
            words = f"{event.state.name.lower()} in the contract is {known.state.name.lower()} in the log."
            report.add("state_differs", where, words)
        told.add(place)
        _check_row(report, event, rows.get(event.explanation_index), where, overdue=overdue)
    for place, each in by_place.items():
        if place in told:
            continue
        where = f"{log.origin} entry {each.record}"
        row = rows.get(each.explanation)
        outcome = None if row is None else row.outcome
        if outcome is None:
            report.looked_at["changes that wait for a contract"] += 1
        else:
            words = f"The log says {each.state.name.lower()}, the contract does not: {outcome}."
            report.add("state_missing", where, words)


def _check_row(
    report: AuditReport, event: StatusChange, row: Row[Any] | None, where: str, *, overdue: float
) -> None:
    """What is stored of a change that the contract holds: the same, or that nobody has looked since."""
    if row is None or row.outcome is None:
        if event.since < overdue:
            report.add("state_unobserved", where, "The contract holds it, and nothing here tells.")
        return
    stored = (row.record, row.state, row.reason, row.block_number, row.block_hash, row.tx_hash, row.since)
    seen = event.event
    held = (
        event.index,
        int(event.state),
        event.reason,
        seen.block_number,
        seen.block_hash,
        seen.tx_hash,
        event.since,
    )
    if stored != held:
        report.add(
            "mirror_differs", where, "What is stored of the contract's state is not what the chain holds."
        )
