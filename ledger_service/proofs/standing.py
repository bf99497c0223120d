"""Step 7 of the verdict: the status that the record had at the asked date, as far as was known then."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from ledger_service.errors import CouldNotCheckError, EvidenceError
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.status import (
    ACTIVE,
    STATES,
    SignedProof,
    StatusChange,
    StatusStatement,
    check_signed_status,
    find_change,
)

if TYPE_CHECKING:
    from ledger_service.proofs.case import Case
    from ledger_service.proofs.chain_view import ChainStatus


def check_standing(case: Case) -> str:
    """Return where the status comes from and note the state in `case`; of log and contract the worse counts.

    Raises EvidenceError when the statement is about another record or contradicts the checkpoint,
    SignatureError when its signature does not verify, CouldNotCheckError when it is missing, stale, below the
    entry or by an unknown key.
    """
    contract = _contract_status(case)
    statement = case.evidence.status
    if statement is None:
        if contract is not None and contract.state != ACTIVE:
            case.state = contract.state
            return f"{contract.state} since {format_time(contract.since)} in the contract: {contract.detail}"
        raise CouldNotCheckError("The evidence has no status statement, and silence is not a status.")
    _check_about(case, statement)
    _check_fresh(case, statement)
    source = _check_proof(case, statement, contract)
    change = find_change(statement, at=case.question.at, known_at=case.question.known_at)
    if change is None:
        raise CouldNotCheckError("The record had no status yet at the asked time.")
    return _conclude(case, change, contract=contract, source=source)


def _check_about(case: Case, statement: StatusStatement) -> None:
    if statement.pointer != case.pointer:
        raise EvidenceError("The status is another record's.")
    same_size = statement.as_of.size == case.checkpoint.size
    if same_size and statement.as_of.root != case.checkpoint.root:
        raise EvidenceError(
            "Status and checkpoint state different roots for the same size: the log is forked."
        )
    if statement.as_of.size <= case.pointer.index:
        raise CouldNotCheckError("The status statement has not read the log as far as this entry.")


def _check_fresh(case: Case, statement: StatusStatement) -> None:
    question = case.question
    read = statement.as_of.time
    if read - question.now > question.tolerance:
        raise CouldNotCheckError(f"The status statement is from the future, {format_time(read)}.")
    if max(question.at, question.known_at) - read > timedelta(seconds=question.trust.max_status_age_s):
        raise CouldNotCheckError(
            f"The status statement of {format_time(read)} is older than the trust file allows, "
            f"{question.trust.max_status_age_s} s."
        )


def _check_proof(case: Case, statement: StatusStatement, contract: ChainStatus | None) -> str:
    read = format_time(statement.as_of.time)
    if isinstance(statement.proof, SignedProof):
        if case.trusted is None:
            raise CouldNotCheckError("The trust file names no status key of this log.")
        key = check_signed_status(statement, case.trusted.status_keys)
        case.not_proven.append(f"The status is the operator's word as of {read}.")
        return f"signed by {key.name} as of size {statement.as_of.size} at {read}"
    if contract is None:
        raise CouldNotCheckError("The status statement needs a node, and none was asked or could answer.")
    if contract.state == ACTIVE:
        # A contract calls every record active that nobody changed there, so an unsigned statement beside it
        # could hide what the log says: whoever made it left the signed one away.
        raise CouldNotCheckError(
            "The status is unsigned, and the contract holds no change: silence is not a status."
        )
    return f"as the contract holds it: {contract.detail}"


def _contract_status(case: Case) -> ChainStatus | None:
    """Return the worst state in a pinned contract at the asked date, or None if none could be read."""
    view = case.question.chain_view
    anchors = case.trusted.anchors if case.trusted is not None and view is not None else ()
    found: list[ChainStatus] = []
    for trusted in anchors:
        assert view is not None
        try:
            status = view.observe_status(case.pointer, trusted=trusted)
        except CouldNotCheckError as error:
            case.not_proven.append(f"The contract's own status could not be read. {error.text}")
            continue
        if status.state == ACTIVE or status.since <= case.question.at:
            found.append(status)
    return max(found, key=lambda status: _badness(status.state), default=None)


def _conclude(case: Case, change: StatusChange, *, contract: ChainStatus | None, source: str) -> str:
    case.state = change.state
    detail = f"{change.state} since {format_time(change.since)} ({change.reason}), {source}"
    if contract is None or contract.state == change.state:
        return detail
    case.state = max(change.state, contract.state, key=_badness)
    disagreement = (
        f"Log and contract disagree ({change.state} in the log, {contract.state} in the contract): the worse "
        "counts."
    )
    case.not_proven.append(disagreement)
    return f"{detail}. {disagreement} {contract.detail}"


def _badness(state: str) -> int:
    return STATES.index(state)
