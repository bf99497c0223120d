"""Random histories of records, the answers that a plain model expects of them, and forged statements.

The model is a list of (state, since, known): the answer at a moment, as far as was known then, is the last
one that was known and in force.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.credentials.completions import COMPLETION
from ledger_service.government.datasets import DATASET, EXAMPLE_DATASET
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE, PURCHASE
from ledger_service.marketplace.refunds import EXAMPLE_REFUND, REFUND
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.evidence import format_evidence, parse_evidence
from ledger_service.proofs.trust import DEFAULT_MAX_STATUS_AGE_S
from ledger_service.records.corrections import CORRECTION
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Accepted, Rejected
from ledger_service.records.statuses import STATUS
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.verification.archive import Archive
from ledger_service.verification.judge import IssuerKeys, Judge
from ledger_service.verification.status import StatusSigner
from ledger_service.wiring.kinds import KINDS
from tests.support.small_ledger import KEK, ORG_ID, SetClock, SmallLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from ledger_service.log.directory import LogRow
    from ledger_service.proofs.evidence import Evidence
    from ledger_service.proofs.types import Origin
    from ledger_service.records.kinds import Kind

_LEAST: Final = {"certificate_number": "n", "learner": "l", "course": "c"}
_VERDICTS: Final = {"active": "valid"}


@dataclass
class History:
    """One record and what the model knows of it: (state, since, known), oldest first."""

    kind: Kind
    id: str = ""
    left: int = 4500
    steps: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The newest state."""
        return self.steps[-1][0]

    def answer(self, at: datetime, known_at: datetime) -> str:
        """The verdict that is right for this question."""
        for state, since, known in reversed(self.steps):
            if since <= at and known <= known_at:
                return _VERDICTS.get(state, state)
        return "unknown"


class Histories:
    """A ledger in which random things happen to records of every kind that has a status."""

    def __init__(self, ledger: SmallLedger, rng: Random) -> None:
        """Use a ledger with a clock that can be set."""
        assert isinstance(ledger.clock, SetClock)
        self.ledger, self.rng, self.clock = ledger, rng, ledger.clock
        files = SigningKeyFiles(ledger.directory / "keys", KEK)

        @cache
        def signer(origin: Origin, _era: int = 0) -> StatusSigner:
            return StatusSigner(origin, files.open_log_keys(origin).status.ed25519())

        def keys(log: LogRow) -> IssuerKeys:
            vkey = signer(log.origin).vkey
            return IssuerKeys("The Shop", (vkey,), (vkey,))

        self.signer = signer(ledger.log.origin)
        self.archive = Archive(ledger.database, ledger.keyring, kinds=KINDS, status_signer=signer)
        self.judge = Judge(ledger.database, issuer_keys=keys, chain_view=None, clock=ledger.clock)
        self.all: list[History] = []

    def begin(self, count: int) -> None:
        """Record this many things."""
        fresh = [History(self.rng.choice([COMPLETION, COMPLETION, PURCHASE, DATASET])) for _ in range(count)]
        payloads = {COMPLETION.name: _LEAST, PURCHASE.name: EXAMPLE_PURCHASE, DATASET.name: EXAMPLE_DATASET}
        self._do([(each, self._submit(each.kind, payloads[each.kind.name]), "active") for each in fresh])
        self.all += fresh

    def happen(self, chance: float) -> None:
        """Let something happen to some of the records, and publish it; half of it is in force since earlier."""
        events = [self._event(each) for each in self.all if self.rng.random() < chance]
        self._do([event for event in events if event is not None])

    def _event(self, history: History) -> tuple[History, Submission, str] | None:
        if history.kind is PURCHASE:
            amount = self.rng.choice([max(1, history.left), self.rng.randint(1, 4500)])
            payload = {**EXAMPLE_REFUND, "purchase": history.id, "amount_minor": amount}
            return history, self._submit(REFUND, payload), "refunded" if amount == history.left else "active"
        if history.kind is DATASET and self.rng.random() < 0.5:
            payload = {**EXAMPLE_DATASET, "supersedes": history.id}
            return history, self._submit(DATASET, payload), "superseded"
        if history.kind is COMPLETION and self.rng.random() < 0.1:
            said = CORRECTION.parse({"record": history.id, "reason": "entered_in_error"}, self.clock.now())
            right = replace(self._submit(COMPLETION, _LEAST), explained_by=(CORRECTION, said))
            return history, right, "superseded"
        state = self.rng.choice(["suspended", "active", "revoked", "withdrawn"])
        payload = {"record": history.id, "state": state, "reason": "issuer_decision"}
        if self.rng.random() < 0.5:
            first = history.steps[0][1]
            back = self.rng.randint(0, int((self.clock.now() - first).total_seconds()))
            payload["since"] = format_time(self.clock.now() - timedelta(seconds=back))
        return history, self._submit(STATUS, payload), state

    def _submit(self, kind: Kind, payload: Any) -> Submission:
        return Submission(self.ledger.log.target, kind, kind.parse(payload, self.clock.now()))

    def _do(self, events: list[tuple[History, Submission, str]]) -> None:
        """Accept all at one time, sign a little later; what the kind does not allow must be refused."""
        accepted = self.clock.now()
        outcomes = self.ledger.intake.accept([submission for _, submission, _ in events])
        self.clock.move(self.rng.randint(0, 90))
        self.ledger.sequencer.sequence(self.ledger.log.id)
        for (history, submission, state), outcome in zip(events, outcomes, strict=True):
            if not history.steps:
                assert isinstance(outcome, Accepted)
                history.id = outcome.id
            elif isinstance(outcome, Rejected) == _allowed(history, submission, state):
                raise AssertionError(f"{history.kind.name} {history.state} -> {state}: {outcome}")
            if isinstance(outcome, Rejected):
                continue
            if submission.kind is REFUND:
                history.left -= submission.parsed.private["amount_minor"]  # type: ignore[operator]
                if history.left:
                    continue
            since = submission.parsed.public.get("since")
            moment = datetime.fromisoformat(since) if isinstance(since, str) else accepted
            history.steps.append((state, moment, self.clock.now()))
        self.clock.move(self.rng.randint(1, 600))

    def evidence(self, history: History) -> bytes:
        """The newest evidence, everything shown."""
        return self.archive.disclosed_evidence(history.id, names=None, org_id=ORG_ID)

    def questions(self, history: History, count: int) -> Iterator[tuple[datetime, datetime]]:
        """Random moments around the history's, and exactly its own."""
        own = [moment for _, since, known in history.steps for moment in (since, known)]
        start, end = min(own) - timedelta(seconds=60), self.clock.now()
        span = int((end - start).total_seconds())
        moments = [*own, end, *(start + timedelta(seconds=self.rng.randint(0, span)) for _ in range(8))]
        for _ in range(count):
            yield self.rng.choice(moments), self.rng.choice(moments)

    def wrong_answers(self, history: History, *, questions: int) -> list[str]:
        """Where the verdict is not the model's."""
        evidence = self.evidence(history)
        wrong = []
        for at, known_at in self.questions(history, questions):
            said = self.judge.judge(evidence, at=at, known_at=known_at).result
            if said != history.answer(at, known_at):
                wrong.append(f"{history.id} at {at} known {known_at}: {said}, {history.answer(at, known_at)}")
        return wrong

    def forgeries(self, history: History, other: History) -> dict[str, str]:
        """The verdict on statements that were deleted, cut, altered, exchanged, signed by another, or are old."""
        evidence, foreign = parse_evidence(self.evidence(history)), parse_evidence(self.evidence(other))
        status, another = evidence.status, foreign.status
        assert status is not None
        assert another is not None
        first, *rest = status.history
        earlier = replace(first, since=first.since - timedelta(days=1))
        # Everything about it is right but the key, which nobody has pinned.
        stranger = StatusSigner(self.ledger.log.origin, Ed25519PrivateKey.generate())
        forged = {
            "deleted": None,
            "exchanged": another,
            "signature exchanged": replace(status, proof=another.proof),
            "signed by another": stranger.sign(replace(status, history=(first,))),
            "backdated": replace(status, history=(earlier, *rest)),
        }
        if rest:
            forged["cut"] = replace(status, history=(first, *rest[:-1]))
        said = {name: self._judge(replace(evidence, status=each)) for name, each in forged.items()}
        # One second older than the trust file allows is too old.
        age_s = int((self.clock.now() - status.as_of.time).total_seconds())
        more_s = DEFAULT_MAX_STATUS_AGE_S + 1 - age_s
        self.clock.move(more_s)
        said["stale"] = self._judge(evidence)
        self.clock.move(-more_s)
        return said

    def _judge(self, evidence: Evidence) -> str:
        return self.judge.judge(format_evidence(evidence)).result


def _allowed(history: History, submission: Submission, state: str) -> bool:
    if submission.kind is REFUND:
        return history.state == "active" and submission.parsed.private["amount_minor"] <= history.left  # type: ignore[operator]
    return (history.state, state) in history.kind.changes
