"""Receipts, payloads and evidence: right, the same at any time, and only for those who may see them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from ledger_service.errors import (
    BadRequestError,
    CorruptLogError,
    IdempotencyConflictError,
    NotFoundError,
    NotSequencedError,
    PayloadMissingError,
)
from ledger_service.log.ledger_thread import LedgerThread
from ledger_service.log.tables import log_entries
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.proofs.acceptance import check_acceptance
from ledger_service.proofs.entry import Pointer, parse_entry
from ledger_service.proofs.evidence import format_evidence, parse_evidence
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.receipt import check_receipt, parse_receipt
from ledger_service.proofs.status import ACTIVE, AsOf, check_signed_status
from ledger_service.proofs.trust import parse_trust
from ledger_service.proofs.types import LeafHash, LeafIndex, Origin, RootHash, TreeSize
from ledger_service.proofs.verify import verify
from ledger_service.records.history import find_record
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Accepted
from ledger_service.records.tables import record_salts
from ledger_service.verification.recorder import Pending, Recorder
from ledger_service.verification.status import state_statement
from ledger_service.verification.trust_documents import fingerprint
from ledger_service.wiring import build
from ledger_service.wiring.installation import install
from tests.support.http_ledger import purchase, until
from tests.unit.api.conftest import settings_in
from tests.unit.verification.conftest import ORIGIN, record, submit

if TYPE_CHECKING:
    from pathlib import Path

    from ledger_service.wiring import Service


def test_a_receipt_is_the_same_at_any_time(service: Service) -> None:
    """The receipt of the write, its repetition and its later reading are equal bytes, however the log has grown."""
    made = record(service, "same")
    for number in range(3):
        record(service, f"growth-{number}")
    again = submit(service, "same")
    shop = service.organizations.find("shop").id
    assert not isinstance(again, Pending)
    assert (again.id, again.repeated, made.repeated) == (made.id, True, False)
    assert made.receipt == again.receipt == service.archive.receipt(made.id, org_id=shop)


def test_a_receipt_holds_to_the_policy(service: Service) -> None:
    """What the writer gets proves itself by the policy that outsiders have."""
    made = record(service, "policy")
    policy = parse_policy(service.trust_documents("shop", "purchases").policy)
    entry, verified = check_receipt(parse_receipt(made.receipt), policy=policy)
    assert (entry.claim.id, entry.claim.org, verified.checkpoint.origin) == (made.id, "shop", ORIGIN)


def test_a_conflict_stores_nothing(service: Service) -> None:
    """Another body under a used key raises and leaves the log as it was."""
    record(service, "conflict")
    with service.logs.view(ORIGIN) as view:
        before = view.size
    with pytest.raises(IdempotencyConflictError):
        submit(service, "conflict", channel="shop")
    with service.logs.view(ORIGIN) as view:
        assert view.size == before


def test_only_its_organization_reads_a_record(service: Service) -> None:
    """For another organization a record is not there, in the very words for one that does not exist."""
    made = record(service, "tenant")
    rival = service.organizations.find("rival").id
    words = set()
    for read in (service.archive.receipt, service.archive.payload):
        for record_id in (made.id, "A" * 22, "", "no id"):
            with pytest.raises(NotFoundError) as caught:
                read(record_id, org_id=rival)
            words.add((caught.value.text, str(caught.value.details)))
    with pytest.raises(NotFoundError) as caught:
        service.archive.disclosed_evidence(made.id, names=None, org_id=rival)
    assert len(words | {(caught.value.text, str(caught.value.details))}) == 1


def test_evidence_is_genuine_for_a_stranger(service: Service) -> None:
    """With the exported trust alone the kernel finds it valid, undisclosed, partly and wholly disclosed."""
    made = record(service, "stranger")
    documents = service.trust_documents("shop", "purchases")
    shop = service.organizations.find("shop").id
    shown = {
        "entry only": service.archive.evidence(made.id),
        "some fields": service.archive.disclosed_evidence(made.id, names={"currency"}, org_id=shop),
        "all fields": service.archive.disclosed_evidence(made.id, names=None, org_id=shop),
    }
    trust = parse_trust(documents.trust)
    # Step 2 is not required of evidence without contents: there is nothing that it could open.
    lenient = replace(trust, required=tuple(step for step in trust.required if step != 2))
    for scope, evidence in shown.items():
        verdict = verify(
            evidence, policy=parse_policy(documents.policy), trust=lenient, now=service.clock.now()
        )
        assert (verdict.result, verdict.scope) == ("valid", scope)
        assert format_evidence(parse_evidence(evidence)) == evidence


def test_a_field_that_the_kind_does_not_have_is_refused(service: Service) -> None:
    """Asking for an unknown field names it, and discloses nothing."""
    made = record(service, "unknown field")
    with pytest.raises(BadRequestError) as caught:
        service.archive.disclosed_evidence(
            made.id, names={"currency", "colour"}, org_id=service.organizations.find("shop").id
        )
    assert caught.value.details["unknown"] == ["colour"]


def test_the_status_is_a_signed_statement_as_of_the_newest_checkpoint(service: Service) -> None:
    """Evidence says active, under the status key, and has read the log as far as it goes."""
    made = record(service, "status")
    record(service, "status, later")
    status = parse_evidence(service.archive.evidence(made.id)).status
    assert status is not None
    with service.logs.view(ORIGIN) as view:
        assert status.as_of.size == view.size
    trusted = parse_trust(service.trust_documents("shop", "purchases").trust).logs[0]
    assert check_signed_status(status, trusted.status_keys).name == f"{ORIGIN}/status"
    assert status.current.state == ACTIVE


def test_a_status_is_never_in_force_before_it_is_known(service: Service) -> None:
    """An entry dated after its checkpoint, by a clock that stepped back, still has a status at that checkpoint."""
    now = service.clock.now().replace(microsecond=0)
    statement = state_statement(
        Pointer(Origin(ORIGIN), LeafIndex(1), LeafHash(bytes(32))),
        (),
        accepted=now + timedelta(seconds=3),
        known=now + timedelta(seconds=2),
        as_of=AsOf(TreeSize(2), RootHash(bytes(32)), now),
    )
    assert statement.current.since == statement.current.known == now


def test_a_record_that_waits_is_accepted_and_has_no_proof(service: Service) -> None:
    """Past its bound a write gives a promise under the acceptance key, and reads say how far it is."""
    thread = LedgerThread(service.intake, _NoSequencer(), heartbeat_s=600, alarm=lambda _error: None)  # type: ignore[arg-type]
    thread.start()
    recorder = Recorder(
        thread,
        service.archive,
        acceptance_signer=lambda origin: service.signers.acceptance_signer(origin, 0),
        bound_s=0.0,
    )
    known, service.recorder = service.recorder, recorder
    try:
        pending = submit(service, "waiting")
        assert isinstance(pending, Pending)
        key = service.signers.acceptance_signer(Origin(ORIGIN), 0).vkey
        state = service.archive.state(pending.id)
        assert check_acceptance(pending.acceptance, key).leaf == state.leaf
    finally:
        service.recorder = known
        thread.stop()
    # The service's own thread looks into the outbox and sequences it.
    assert until(lambda: service.archive.state(pending.id).index) > 0
    again = submit(service, "waiting")
    assert again.id == pending.id


class _NoSequencer:
    """A sequencer that never gets to anything."""

    def unfinished(self) -> set[int]:
        """Nothing is left to do."""
        return set()

    def overdue(self, heartbeat_s: float) -> set[int]:
        """Nothing is due."""
        del heartbeat_s
        return set()

    def sequence(self, log_id: int) -> None:
        """Leave it waiting."""
        del log_id


def test_what_was_erased_is_missing_and_still_proven(service: Service) -> None:
    """Without its salt a payload is gone, while receipt without opening and evidence without contents stay good."""
    made = record(service, "erased")
    shop = service.organizations.find("shop").id
    with service.database.write("records.accept") as conn:
        row = find_record(conn, made.id)
        conn.execute(delete(record_salts).where(record_salts.c.record == row.record))
    with pytest.raises(PayloadMissingError):
        service.archive.payload(made.id, org_id=shop)
    with pytest.raises(PayloadMissingError):
        service.archive.disclosed_evidence(made.id, names=None, org_id=shop)
    receipt = parse_receipt(service.archive.receipt(made.id, org_id=shop))
    assert receipt.opening is None
    assert service.judge.judge(service.archive.evidence(made.id)).result == "valid"


def test_a_payload_comes_back_as_it_was(service: Service) -> None:
    """The sealed fields open to what was recorded, and the state shows none of them."""
    made = record(service, "payload")
    payload = service.archive.payload(made.id, org_id=service.organizations.find("shop").id)
    assert dict(payload) == purchase("payload")
    state = service.archive.state(made.id)
    assert leaf_hash(state.entry) == state.leaf
    assert b"customer" not in state.entry
    assert parse_entry(state.entry).claim.public == {}


def test_the_judge_knows_only_our_logs(service: Service) -> None:
    """Evidence of a foreign log is never valid here, nor is nonsense, and neither raises."""
    evidence = service.archive.evidence(record(service, "foreign").id)
    foreign = evidence.replace(b"ledger.test", b"ledger.tesT")
    for document in (foreign, b"", b"nonsense", b"{}", bytes(100)):
        assert service.judge.judge(document).result in {"unknown", "invalid"}
    assert service.judge.judge(evidence).result == "valid"


def test_trust_documents_are_told_apart_by_their_fingerprints(service: Service) -> None:
    """Two logs have different documents and fingerprints; a log that nobody opened has none."""
    ours, theirs = (service.trust_documents(org, "purchases") for org in ("shop", "rival"))
    marks = {fingerprint(document) for each in (ours, theirs) for document in (each.policy, each.trust)}
    assert len(marks) == 4
    assert all(len(mark.split(" ")) == 8 for mark in marks)
    assert ours.anchored is False
    for org, collection in (("nobody", "purchases"), ("shop", "nothing")):
        with pytest.raises(NotFoundError):
            service.trust_documents(org, collection)


def test_a_record_before_its_checkpoint_has_no_proof(tmp_path: Path) -> None:
    """What is accepted and not published says so; a receipt or evidence is refused, the entry is shown."""
    settings = settings_in(tmp_path)
    install(settings)
    with build(settings) as resting:
        log, *_ = resting.create_organization("shop", name="The Shop")
        parsed = PURCHASE.parse(purchase("waits"), resting.clock.now())
        (outcome,) = resting.intake.accept([Submission(log.target, PURCHASE, parsed)])
        assert isinstance(outcome, Accepted)
        state = resting.archive.state(outcome.id)
        assert (state.stage, state.index, state.entry) == ("accepted", None, outcome.entry)
        with pytest.raises(NotSequencedError):
            resting.archive.evidence(outcome.id)
        with pytest.raises(NotSequencedError):
            resting.archive.receipt(outcome.id, org_id=log.org_id)
        with pytest.raises(NotSequencedError):
            resting.archive.disclosed_evidence(outcome.id, names=None, org_id=log.org_id)
        assert resting.archive.payload(outcome.id, org_id=log.org_id)["order_number"] == "waits"


def test_another_s_entry_is_not_given_out(service: Service) -> None:
    """Two records whose entries were exchanged: nobody gets the one's entry, proof or fields under the other's id."""
    made = [record(service, f"exchanged-{n}").id for n in range(2)]
    shop = service.organizations.find("shop").id
    before = [service.archive.evidence(each) for each in made]
    with service.database.read() as conn:
        one, other = [find_record(conn, each).record for each in made]
    _renumber(service, (one, -1), (other, one), (-1, other))
    for each in made:
        for question in (service.archive.state, service.archive.evidence):
            with pytest.raises(CorruptLogError):
                question(each)
        for own in (service.archive.receipt, service.archive.payload):
            with pytest.raises(CorruptLogError):
                own(each, org_id=shop)
    _renumber(service, (one, -1), (other, one), (-1, other))
    assert [service.archive.evidence(each) for each in made] == before


def _renumber(service: Service, *changes: tuple[int, int]) -> None:
    """Give entries to other records, one after the other."""
    with service.database.write("log.assign") as conn:
        for before, after in changes:
            conn.execute(update(log_entries).where(log_entries.c.record == before).values(record=after))
