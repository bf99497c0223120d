"""What the service should do, in lists and dictionaries: the model that `ledger_machine.py` compares it with.

Records are numbered by the order in which they are accepted. A test holds this module to fewer than 150 lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LOGS: Final = {kind: f"{kind}s" for kind in ("purchase", "completion", "dataset")} | {"refund": "purchases"}
STEPS: Final = {
    "purchase": {("active", "refunded"), ("active", "superseded")},
    "dataset": {("active", "superseded"), ("active", "withdrawn")},
    "completion": {("active", "suspended"), ("suspended", "active"), ("active", "revoked")}
    | {("suspended", "revoked"), ("active", "superseded")},
}
FINAL: Final = {"refunded", "superseded", "withdrawn", "revoked"}


@dataclass(frozen=True)
class Write:
    """What a caller asks for: a new record, or a status or correction of record number `about`."""

    verb: str
    number: str = ""
    subject: str = ""
    amount: int = 0
    about: int | None = None
    state: str = ""
    since: datetime | None = None


@dataclass
class Fact:
    """One record; `steps` are (state, in force since, known since)."""

    kind: str
    log: str
    accepted: datetime
    write: Write
    subject: str = ""
    number: str = ""
    erased: bool = False
    refunds: list[int] = field(default_factory=list)
    steps: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """It is active from its acceptance on."""
        self.steps.append(("active", self.accepted, self.accepted))

    @property
    def state(self) -> str:
        """The newest state."""
        return self.steps[-1][0]

    def answer(self, at: datetime, known_at: datetime, *, shown: bool) -> str:
        """The verdict: the last state known by then and in force; a hidden certificate may have expired."""
        said = [state for state, since, known in self.steps if since <= at and known <= known_at]
        if said and said[-1] != "active":
            return said[-1]
        return "valid" if said and (shown or self.kind != "completion") else "unknown"


class PlainModel:
    """One organization's records, and what each call must answer: `new`, `again`, or the code of an error."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.facts: list[Fact] = []
        self.keys: dict[tuple[str, int], tuple[Write, int]] = {}
        self.erasures: dict[str, tuple[str, int]] = {}

    def index(self, number: int) -> int:
        """Where a record stands in its log, behind the opening and all that was accepted before."""
        return 1 + sum(fact.log == self.facts[number].log for fact in self.facts[:number])

    def write(self, key: tuple[str, int], write: Write, now: datetime) -> tuple[str, int | None]:
        """Accept a record, give back an old one, or refuse."""
        if key in self.keys:
            before, number = self.keys[key]
            same = before == write or self.facts[number].erased
            return ("again", number) if same else ("idempotency_conflict", None)
        about = None if write.about is None else self.facts[write.about]
        if about is not None and (problem := self._problem(write, about, now)):
            return problem, None
        self._add(write, about, now)
        self.keys[key] = write, len(self.facts) - 1
        return "new", len(self.facts) - 1

    def _problem(self, write: Write, about: Fact, now: datetime) -> str | None:
        steps = STEPS.get(about.kind, set())
        state = {"dataset": "superseded", "correction": "superseded"}.get(write.verb, write.state)
        if write.verb == "refund":
            return self._refund_problem(write, about)
        if write.verb == "dataset" and about.kind != "dataset":
            return "bad_target"
        if about.state not in FINAL and state not in {after for _, after in steps}:
            return "bad_target"
        if (about.state, state) not in steps or (write.verb == "correction" and about.refunds):
            return "state_conflict"
        early = write.since is not None and not about.accepted <= write.since <= now
        return "invalid_payload" if early else None

    def _refund_problem(self, write: Write, about: Fact) -> str | None:
        if about.kind != "purchase" or about.state in FINAL:
            return "bad_target" if about.kind != "purchase" else "state_conflict"
        if about.erased:
            return "payload_missing"
        return None if sum(about.refunds) + write.amount <= about.write.amount else "invalid_payload"

    def _add(self, write: Write, about: Fact | None, now: datetime) -> None:
        kind = about.kind if about is not None and write.verb == "correction" else write.verb
        log = about.log if about is not None else LOGS[kind]
        if write.verb == "correction":
            self.facts.append(Fact("correction", log, now, write))
        self.facts.append(Fact(kind, log, now, write, write.subject, write.number))
        if about is None:
            return
        if write.verb == "refund":
            self.facts[-1].subject = about.subject
            about.refunds.append(write.amount)
        if write.verb != "refund" or sum(about.refunds) == about.write.amount:
            state = {"refund": "refunded", "status": write.state}.get(write.verb, "superseded")
            about.steps.append((state, write.since or now, now))

    def erase(self, key: str, subject: str, now: datetime) -> tuple[str, int]:
        """Erase a person; returns how many records that concerned."""
        if key in self.erasures:
            before, count = self.erasures[key]
            return ("again", count) if before == subject else ("idempotency_conflict", 0)
        if not (concerned := [fact for fact in self.facts if fact.subject == subject and not fact.erased]):
            return "unknown_subject", 0
        for fact in concerned:
            fact.erased = True
        for log in sorted({fact.log for fact in concerned}):
            self.facts.append(Fact("erasure", log, now, Write("erasure")))
        self.erasures[key] = subject, len(concerned)
        return "new", len(concerned)

    def found(self, kinds: Sequence[str], *, number: str | None, status: str | None = None) -> list[int]:
        """The records of these kinds, newest first, perhaps of one number or status."""
        fits = [fact.kind in kinds and status in {None, fact.state} for fact in self.facts]
        named = [number is None or (fact.number == number and not fact.erased) for fact in self.facts]
        return [at for at in reversed(range(len(fits))) if fits[at] and named[at]]
