"""What the plain model expects against what the service holds: the comparison of the state machine.

A caller's memory is compared too: every receipt must verify, say the index that follows from the order of
acceptance, and come back the same, byte for byte, for ever.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger_service.chain.head_signer import check_eip712_line
from ledger_service.errors import NotFoundError, PayloadMissingError
from ledger_service.log.auditor import audit
from ledger_service.proofs.entry import Pointer
from ledger_service.proofs.merkle import leaf_hash
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.receipt import check_receipt, parse_receipt
from ledger_service.proofs.types import LeafIndex
from ledger_service.verification.anchors import PUBLISHED
from tests.support.machine_host import ORG, private_fields
from tests.support.plain_model import PlainModel

if TYPE_CHECKING:
    from ledger_service.errors import LedgerError
    from ledger_service.proofs.entry import Claim
    from ledger_service.proofs.policy import Policy
    from ledger_service.proofs.receipt import Receipt
    from tests.support.machine_host import MachineHost, Said
    from tests.support.plain_model import Write

COLLECTIONS = ("purchases", "completions", "datasets")


class Books:
    """One ledger's model, and what its callers were told."""

    def __init__(self, host: MachineHost) -> None:
        """Nothing has happened yet."""
        self.host = host
        self.model = PlainModel()
        self.receipts: dict[int, bytes] = {}
        self.roots: dict[tuple[str, int], bytes] = {}
        self._policies: dict[str, Policy] = {}

    def expect_write(self, place: tuple[str, int], write: Write) -> tuple[str, int | None]:
        """What the model answers to a write now, and the record that is meant."""
        answer = self.model.write(place, write, self.host.clock.now())
        self._make_room()
        return answer

    def expect_erasure(self, key: str, subject: str) -> tuple[str, int]:
        """What the model answers to an erasure now, and how many records it concerned."""
        answer = self.model.erase(key, subject, self.host.clock.now())
        self._make_room()
        return answer

    def compare(self, said: Said, expected: str, number: int | None) -> None:
        """An answer must be the model's, about the same record as before."""
        assert said.verdict == expected, f"{said} instead of {expected}"
        self.note(said, number)

    def note(self, said: Said, number: int | None) -> None:
        """Keep the id and the receipt of an answer, which must be those of any earlier one."""
        if number is None:
            assert said.id is None, said
            return
        ids = self.host.ids
        assert ids[number] in {None, said.id}, f"{said}: record {number} was {ids[number]}"
        ids[number] = said.id
        if said.receipt is not None:
            self._keep_receipt(number, said.receipt)

    def check_all(self, *, each_receipt: bool = False) -> None:
        """Everything that the model knows is there, where it was put, and nothing else; the audit is clean.

        The audit opens every payload. With `each_receipt` all of them are fetched and opened as callers do, not
        only those that nobody has seen yet.
        """
        service, model = self.host.service, self.model
        listed = self.host.listed()[::-1]
        assert [(each.kind, each.log, each.status, each.index, each.stage) for each in listed] == [
            (f"{fact.kind}/v1", self._origin(fact.log), fact.state, model.index(number), PUBLISHED)
            for number, fact in enumerate(model.facts)
        ]
        for number, each in enumerate(listed):
            assert self.host.ids[number] in {None, each.id}
            self.host.ids[number] = each.id
            if each_receipt or number not in self.receipts:
                self._check_record(number)
        for own in {fact.number for fact in model.facts if fact.number}:
            found = [each.id for each in self.host.listed(reference=own)]
            kinds = {fact.kind for fact in model.facts}
            assert found == [self.host.ids[number] for number in model.found([*kinds], number=own)]
        self._check_logs()
        report = audit(
            service.database, keyring=service.keyring, kinds=service.kinds.all(), check_line=check_eip712_line
        )
        assert report.clean, report.findings
        assert report.looked_at["entries"] == len(model.facts) + len(COLLECTIONS)

    def _check_record(self, number: int) -> None:
        archive, record, fact = (
            self.host.service.archive,
            str(self.host.ids[number]),
            self.model.facts[number],
        )
        self._keep_receipt(number, archive.receipt(record, org_id=self.host.org_id))
        if fact.erased:
            self._check_refused(PayloadMissingError, record, self.host.org_id)
        self._check_refused(NotFoundError, record, self.host.other_id)

    def _check_refused(self, why: type[LedgerError], record: str, org_id: int) -> None:
        try:
            self.host.service.archive.payload(record, org_id=org_id)
        except why:
            return
        raise AssertionError(f"the contents of {record} were given to organization {org_id}")

    def _check_logs(self) -> None:
        logs = self.host.service.logs
        for collection in COLLECTIONS:
            with logs.view(self._origin(collection)) as view:
                assert view.size == 1 + sum(fact.log == collection for fact in self.model.facts)
                for (log, size), root in self.roots.items():
                    assert log != collection or view.root_at(size) == root, f"another root at size {size}"

    def _keep_receipt(self, number: int, data: bytes) -> None:
        fact = self.model.facts[number]
        before = self.receipts.get(number)
        if data == before and not fact.erased:
            return
        receipt = parse_receipt(data)
        if before is None:
            self._check_receipt(number, receipt)
            self.receipts[number] = data
        else:
            # Only an erasure changes a receipt: it takes the opening away.
            assert fact.erased, f"another receipt for {fact}"
            assert receipt == replace(parse_receipt(before), opening=None)

    def _check_receipt(self, number: int, receipt: Receipt) -> None:
        """It proves the record at its place, under a root that is the only one of its size."""
        fact = self.model.facts[number]
        if fact.log not in self._policies:
            documents = self.host.service.trust_documents(ORG, fact.log)
            self._policies[fact.log] = parse_policy(documents.policy)
        entry, verified = check_receipt(receipt, policy=self._policies[fact.log])
        assert (entry.claim.kind, entry.claim.id) == (f"{fact.kind}/v1", self.host.ids[number])
        assert receipt.proof.index == self.model.index(number)
        self._check_pointer(entry.claim, number)
        checkpoint = verified.checkpoint
        root = self.roots.setdefault((fact.log, checkpoint.size), checkpoint.root)
        assert checkpoint.root == root, f"two roots at size {checkpoint.size} of {fact.log}"
        expected = None if fact.erased else private_fields(fact.write, fact.kind)
        if fact.kind != "erasure" and expected != {}:
            assert (receipt.opening and receipt.opening.values) == expected

    def _check_pointer(self, claim: Claim, number: int) -> None:
        """What the entry points at is the record that the caller named, at its place."""
        pointer = claim.previous if claim.target is None else claim.target
        about = self.model.facts[number].write.about
        assert (pointer is None) == (about is None)
        if pointer is not None and about is not None and about in self.receipts:
            leaf = leaf_hash(parse_receipt(self.receipts[about]).entry)
            assert pointer == Pointer(claim.log, LeafIndex(self.model.index(about)), leaf)

    def _origin(self, collection: str) -> str:
        return self.host.service.public_log(ORG, collection).origin

    def _make_room(self) -> None:
        self.host.ids.extend([None] * (len(self.model.facts) - len(self.host.ids)))
