"""Step 7 of the verdict: the status at the asked date."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ledger_service.proofs.chain_view import ChainStatus
from ledger_service.proofs.status import ACTIVE, STATES, OtherProof, StatusChange
from ledger_service.proofs.trust import Trust
from ledger_service.proofs.types import LeafIndex, RootHash
from ledger_service.proofs.verdict import exit_code, people_words
from tests.support.evidence_factory import SampleChain
from tests.unit.proofs.judging import (
    DAY,
    EVIDENCE,
    FACTORY,
    DeadChain,
    judge,
    outcomes,
)

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.proofs.evidence import Evidence


def with_status(status: Any) -> Evidence:
    """The evidence with another status statement."""
    return replace(EVIDENCE, status=status)


def change(state: str, seconds: int, *, known: int | None = None) -> StatusChange:
    """A change in force `seconds` after the record, known at once or later."""
    since = FACTORY.time_of(5) + timedelta(seconds=seconds)
    recorded = since if known is None else FACTORY.time_of(5) + timedelta(seconds=known)
    return StatusChange(state, since, recorded, "because", LeafIndex(6))


@pytest.mark.parametrize("state", STATES[1:])
def test_state_is_the_result(state: str) -> None:
    """A record that is not active has its state as the verdict, and is not genuine."""
    verdict = judge(with_status(FACTORY.status(5, change(state, 10))))
    assert (verdict.result, people_words(verdict.result), exit_code(verdict.result)) == (
        state,
        "Not genuine",
        1,
    )


def test_asked_date() -> None:
    """The state that counts is the one at the asked date."""
    evidence = with_status(FACTORY.status(5, change("suspended", 20)))
    before, after = (FACTORY.time_of(5) + timedelta(seconds=seconds) for seconds in (19, 20))
    assert judge(evidence, at=before).result == "valid"
    assert judge(evidence, at=after).result == "suspended"
    assert judge(evidence).result == "suspended"


def test_known_date() -> None:
    """A change that became known later than the asked date of knowledge does not count."""
    evidence = with_status(FACTORY.status(5, change("revoked", 5, known=30)))
    at, early, late = (FACTORY.time_of(5) + timedelta(seconds=seconds) for seconds in (10, 29, 30))
    assert judge(evidence, at=at, known_at=early).result == "valid"
    assert judge(evidence, at=at, known_at=late).result == "revoked"


def test_before_the_record_was() -> None:
    """Before the record existed it had no status: unknown."""
    verdict = judge(at=FACTORY.time_of(4))
    assert (verdict.result, outcomes(verdict)[6]) == ("unknown", "?")


def unknown(evidence: Evidence, word: str, **question: Any) -> None:
    """Hold that step 7 could not be checked, that the verdict is unknown, and that the reason says why."""
    verdict = judge(evidence, **question)
    assert (verdict.result, outcomes(verdict)[6]) == ("unknown", "?")
    assert word in verdict.reason


def test_no_status() -> None:
    """A missing statement is unknown, never active."""
    unknown(with_status(None), "silence is not a status")
    unknown(with_status(None), "silence is not a status", chain_view=FACTORY.chain)


@pytest.mark.parametrize(("age", "result"), [(0, "valid"), (86_400, "valid"), (86_401, "unknown")])
def test_stale_status(age: int, result: str) -> None:
    """A statement older than the trust file allows is unknown."""
    verdict = judge(now=FACTORY.now + timedelta(seconds=age))
    assert verdict.result == result
    assert result == "valid" or "older than the trust file allows" in verdict.reason


def test_status_older_than_the_asked_date() -> None:
    """A date long after the statement cannot be answered from it, even by somebody whose clock is slow."""
    unknown(EVIDENCE, "older than the trust file allows", at=FACTORY.now + 2 * DAY)
    unknown(EVIDENCE, "older than the trust file allows", known_at=FACTORY.now + 2 * DAY)


def test_status_from_the_future() -> None:
    """A statement from beyond the verifier's clock and tolerance is unknown."""
    status = FACTORY.status(5, time=FACTORY.now + timedelta(seconds=300))
    assert judge(with_status(status)).result == "valid"
    unknown(with_status(status), "from the future", now=FACTORY.now - timedelta(seconds=1))


@pytest.mark.parametrize("size", [4, 5])
def test_status_below_the_entry(size: int) -> None:
    """A statement that has not read the log as far as the entry is unknown; one entry more is enough."""
    unknown(with_status(FACTORY.status(5, size=size)), "as far as this entry")
    assert judge(with_status(FACTORY.status(5, size=6))).result == "valid"


def test_unknown_status_key() -> None:
    """A statement by a key that the trust file does not list is unknown."""
    log = replace(FACTORY.trusted_log, status_keys=())
    unknown(EVIDENCE, "unknown key", trust=replace(FACTORY.trust, logs=(log,)))


def test_log_that_the_trust_file_does_not_know() -> None:
    """A log that the trust file does not describe has no status keys and no issuer: unknown."""
    for view in (None, FACTORY.chain):
        verdict = judge(trust=Trust(()), chain_view=view)
        assert (verdict.result, outcomes(verdict)) == ("unknown", "+++++???")
    assert verdict.record is not None
    assert verdict.record["issuer"] is None


def test_forged_status() -> None:
    """A statement whose signature does not verify under a known key is invalid."""
    status = EVIDENCE.status
    assert status is not None
    forged = replace(status, as_of=replace(status.as_of, time=FACTORY.now + timedelta(seconds=1)))
    verdict = judge(with_status(forged))
    assert (verdict.result, outcomes(verdict)[6]) == ("invalid", "-")


def test_status_of_another_record() -> None:
    """A statement about another record is invalid."""
    verdict = judge(with_status(FACTORY.status(6)))
    assert (verdict.result, outcomes(verdict)[6]) == ("invalid", "-")


def test_forked_log() -> None:
    """A status of the checkpoint's size with another root shows a fork: invalid."""
    status = FACTORY.status(5, size=8)
    forked = FACTORY.sign_status(replace(status, as_of=replace(status.as_of, root=RootHash(bytes(32)))))
    verdict = judge(with_status(forked))
    assert (verdict.result, outcomes(verdict)[6]) == ("invalid", "-")
    assert "forked" in verdict.reason
    assert judge(with_status(status)).result == "valid"


def chain_with(state: str, since: datetime) -> SampleChain:
    """The chain with a state of the record in the contract."""
    chain = SampleChain(FACTORY.chain.anchors, lines=FACTORY.chain.lines)
    chain.states[FACTORY.pointer(5)] = ChainStatus(state, since, "block 120")
    return chain


@pytest.mark.parametrize("log", STATES)
@pytest.mark.parametrize("contract", STATES)
def test_the_worse_of_log_and_contract_counts(log: str, contract: str) -> None:
    """Where log and contract disagree the worse state counts, and the verdict says that they disagree."""
    changes = [] if log == ACTIVE else [change(log, 10)]
    evidence = with_status(FACTORY.status(5, *changes))
    verdict = judge(evidence, chain_view=chain_with(contract, FACTORY.time_of(6)))
    worse = max(log, contract, key=STATES.index)
    assert verdict.result == ("valid" if worse == ACTIVE else worse)
    assert any("disagree" in text for text in verdict.not_proven) == (log != contract)


def test_contract_state_after_the_asked_date() -> None:
    """A state that the contract took on after the asked date does not count at that date."""
    chain = chain_with("revoked", FACTORY.time_of(9))
    assert judge(chain_view=chain, at=FACTORY.time_of(8)).result == "valid"
    assert judge(chain_view=chain, at=FACTORY.time_of(9)).result == "revoked"


def test_contract_state_without_statement() -> None:
    """Without a statement a bad state in the contract still counts; a good one does not make up for it."""
    chain = chain_with("revoked", FACTORY.time_of(6))
    assert judge(with_status(None), chain_view=chain).result == "revoked"


def test_statement_that_points_to_the_contract() -> None:
    """A statement whose proof is the contract's state needs a chain that answers."""
    statement = replace(FACTORY.status(5), proof=OtherProof("chain", {"block": 7}))
    unknown(with_status(statement), "needs a node")
    unknown(with_status(statement), "needs a node", chain_view=DeadChain())
    unknown(with_status(statement), "silence is not a status", chain_view=FACTORY.chain)
    chain = chain_with("revoked", FACTORY.time_of(6))
    assert judge(with_status(statement), chain_view=chain).result == "revoked"
    # The contract dates an untouched record from its anchor, which is later than the record.
    chain = chain_with(ACTIVE, FACTORY.time_of(8))
    unknown(with_status(statement), "silence is not a status", chain_view=chain, at=FACTORY.time_of(6))


def test_dead_chain_does_not_make_a_signed_status_worse() -> None:
    """A signed status stands without the contract, and the verdict says that the contract was not read."""
    verdict = judge(chain_view=DeadChain())
    assert verdict.result == "valid"
    assert any("contract's own status could not be read" in text for text in verdict.not_proven)
    assert any("operator's word" in text for text in verdict.not_proven)
