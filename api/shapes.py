"""Shapes of bodies and answers as pydantic models: what the OpenAPI document shows, and nothing else.

The closed shapes (`extra="forbid"`) are those that the service refuses to extend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ledger_service.records.erasure import REASONS

Time = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", examples=["2026-11-22T01:02:03Z"]
    ),
]
if TYPE_CHECKING:
    Reason = str
else:
    # A list made at run time is no type to mypy, but exactly one to pydantic.
    Reason = Literal[REASONS]
Stage = Literal["accepted", "sequenced", "published", "anchored", "final"]
State = Literal["active", "suspended", "revoked", "refunded", "superseded", "withdrawn"]


class Open(BaseModel):
    """An answer of ours: later versions may add to it."""

    model_config = ConfigDict(extra="allow")


class Closed(BaseModel):
    """A body: a name that is not listed is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Problem(Open):
    """RFC 9457 problem. `code` is stable; the words may change."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: dict[str, Any] | None = None


class ErasureOrder(Closed):
    """Why the contents of a subject's records are destroyed. The reason becomes public, the subject does not."""

    reason: Reason


class ErasureCertificate(Open):
    """What was destroyed, when, and from when on no backup holds it; signed by the status keys of the logs."""

    v: Literal["audit-ledger/erasure-certificate/v1"]
    org: str
    reason: Reason
    erased: Time
    unrecoverable: Time
    records: int
    entries: list[dict[str, Any]] = Field(description="The erasure's entry in each log: log, index, leaf.")
    pages: Literal["overwritten", "pending", "vacuumed"] = Field(
        description="What is left in the database's own files: nothing; old pages until a reader ends; freed space."
    )
    signatures: list[dict[str, Any]]


class Payload(Open):
    """The private fields of a record, as its kind has them."""


class TrustFile(Open):
    """What a verifier believes beforehand, beside the policy."""

    v: Literal["audit-ledger/trust/v1"]


class Receipt(Open):
    """A receipt: the entry, its opening, and the proof that it is in the log. It proves without us."""

    v: Literal["audit-ledger/receipt/v1"]
    entry: str = Field(description="The entry's bytes in base64url.")
    schema_: dict[str, Any] = Field(alias="schema", description="The kind's schema.")
    opening: dict[str, Any] | None = Field(description="Salt and values of the private fields.")
    proof: str = Field(description="C2SP tlog-proof with the signed checkpoint.")


class Acceptance(Open):
    """A record that is safe and not yet in the log, with a signed promise when it will be."""

    id: str
    stage: Literal["accepted"]
    acceptance: str = Field(description="Signed note: origin, leaf hash, accepted, sequenced-by.")


class BulkLine(Open):
    """What became of one row of a stream."""

    row: int
    status: int
    id: str | None = None
    log: str | None = None
    index: int | None = None
    stage: Stage | None = None
    code: str | None = None
    detail: str | None = None


class ContractChange(Open):
    """A change of a record's status as a contract holds it, lacks it yet, or refuses it."""

    chain_id: int
    contract: str = Field(description="The contract's address in base64url.")
    state: State
    index: int = Field(description="The entry that explains the change.")
    stage: Literal["waiting", "mirrored", "refused"]
    since: Time | None = Field(description="Time of the block that made it.")
    block: int | None
    tx_hash: str | None


class RecordState(Open):
    """A record without its contents."""

    id: str
    org: str
    log: str
    kind: str
    stage: Stage
    status: State
    accepted: Time
    index: int | None
    entry: str = Field(description="The entry's bytes in base64url.")
    leaf: str = Field(description="The leaf hash in base64url.")
    in_contracts: list[ContractChange]


class RecordSummary(Open):
    """A record as a list shows it."""

    id: str
    log: str
    kind: str
    stage: Stage
    status: State
    accepted: Time
    index: int | None


class RecordPage(Open):
    """Records, newest first. A page may be shorter than asked for, even empty, while `cursor` names a next one."""

    records: list[RecordSummary]
    cursor: str | None = Field(description="Pass it on for the next page; null when there is none.")


class Evidence(Open):
    """Everything that an outsider needs to check one record."""

    v: Literal["audit-ledger/evidence/v1"]
    entry: str
    schema_: dict[str, Any] = Field(alias="schema")
    fields: list[Any] | None
    proof: str
    anchors: list[dict[str, Any]]
    status: dict[str, Any] | None


class VerifyQuestion(BaseModel):
    """Either evidence as it was given out, or the id of a record."""

    model_config = ConfigDict(
        extra="allow", json_schema_extra={"anyOf": [{"required": ["v"]}, {"required": ["record"]}]}
    )

    record: str | None = None
    v: str | None = None


class Verdict(Open):
    """The verdict with its numbered steps; a check that could not be made never becomes `valid`."""

    v: Literal["audit-ledger/verdict/v1"]
    result: str


class VerificationReport(Open):
    """A verdict, signed: the text is the document without `signature`, in canonical form, and a newline."""

    v: Literal["audit-ledger/verification-report/v1"]
    tool: str
    evidence: str = Field(description="SHA-256 of the evidence in base64url, as are policy and trust.")
    policy: str | None = Field(description="Null where the log is not one of this server's.")
    trust: str | None
    verdict: Verdict
    signature: str = Field(description="The signature line of a C2SP signed note.")


class LogKeys(Open):
    """Keys of a log's checkpoints, Ed25519 first, and the sizes they speak for, both included."""

    vkeys: list[str]
    from_size: int
    to_size: int | None = Field(description="Null for the keys of today.")
    began: Time
    leaked: bool = Field(description="They must be believed to be in other hands.")


class LogState(Open):
    """A log: how long it is and where it is anchored."""

    origin: str
    org: str
    collection: str
    kinds: list[str]
    created: Time
    size: int
    root: str
    vkeys: list[str] = Field(description="The keys of today.")
    keys: list[LogKeys] = Field(description="The keys of today, then those that were replaced.")
    anchor: dict[str, Any] | None


class LogList(Open):
    """Every log that may be listed."""

    logs: list[LogState]


class Consistency(Open):
    """RFC 9162 consistency proof between two sizes of a log, with both roots. Hashes in base64url."""

    origin: str
    first: dict[str, Any]
    second: dict[str, Any]
    proof: list[str]


class Health(Open):
    """The process answers."""

    alive: Literal[True]


class HealthCheck(Open):
    """One thing that was looked at."""

    name: str = Field(examples=["checkpoints"])
    outcome: Literal["pass", "fail", "could not check"]
    detail: str


class DeepHealth(Open):
    """What was looked at. Healthy is only what was seen to be: a check that could not be made is not."""

    healthy: bool
    time: Time
    checks: list[HealthCheck]


class Readiness(Open):
    """Whether writes are taken; why not; and what somebody should look at although they are."""

    ready: bool
    reasons: list[str]
    notes: list[str]


class WebhookOrder(Closed):
    """Where an organization wants to hear that its records are anchored."""

    url: str = Field(max_length=2000, examples=["https://hooks.example.com/ledger"])


class Webhook(Open):
    """An endpoint without its secret."""

    id: str = Field(examples=["whe_0123456789abcdef01234567"])
    url: str
    created: Time
    failures: int = Field(description="Attempts in a row that failed.")


class WebhookSecret(Webhook):
    """An endpoint and its signing secret, as the Standard Webhooks specification writes it."""

    secret: str = Field(pattern=r"^whsec_[A-Za-z0-9+/]{43}=$")


class WebhookList(Open):
    """The endpoints of an organization."""

    webhooks: list[Webhook]


class WebhookDelivery(Open):
    """One event for one endpoint."""

    id: str = Field(description="The webhook-id header of every attempt.")
    log: str
    size: int
    created: Time
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    attempted: Time | None
    status: int | None = Field(description="What the receiver answered last.")
    problem: str | None


class WebhookDeliveries(Open):
    """What an endpoint was sent."""

    deliveries: list[WebhookDelivery]
