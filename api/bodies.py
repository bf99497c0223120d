"""Bodies of writes as pydantic models, one for each kind that callers record by itself.

The kind's own validator decides; a test holds these shapes to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.shapes import Closed, Time
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.marketplace.purchases import EXAMPLE_PURCHASE
from ledger_service.marketplace.refunds import EXAMPLE_REFUND
from ledger_service.records.reasons import REASONS
from ledger_service.records.statuses import EXAMPLE_STATUS

if TYPE_CHECKING:
    from collections.abc import Mapping

    Currency = str
    Reason = str
else:
    # A list made at run time is no type to mypy, but exactly one to pydantic.
    Currency = Literal[tuple(sorted(MINOR_UNITS))]
    Reason = Literal[tuple(REASONS)]

_SAFE = 2**53 - 1
Word = Annotated[str, Field(min_length=1, max_length=64)]
Title = Annotated[str, Field(min_length=1, max_length=256)]
RecordId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{21}[AQgw]$")]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Digest = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$", description="32 bytes in base64url.")
]


class PurchaseItem(Closed):
    """One line of an order."""

    sku: str = Field(min_length=1, max_length=64)
    quantity: int = Field(ge=1, le=1_000_000_000)
    amount_minor: int = Field(ge=0, le=_SAFE, description="Of all pieces of this item together.")


class Purchase(Closed):
    """A paid order of one customer.

    Every field is private: only a salted commitment to them becomes public.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_PURCHASE]})

    order_number: str = Field(min_length=1, max_length=64, description="Your own number of the order.")
    buyer: str = Field(
        min_length=1,
        max_length=128,
        description="Your own reference of the customer, never a name or an address.",
    )
    paid_at: Time
    channel: Code = Field(examples=["web"])
    currency: Currency = Field(description="ISO 4217 code.")
    items: list[PurchaseItem] = Field(min_length=1, max_length=1000)
    adjustment_minor: int | None = Field(
        default=None, ge=-_SAFE, le=_SAFE, description="Discount, shipping, tax: what the items do not say."
    )
    amount_minor: int = Field(
        ge=0, le=_SAFE, description="What was paid, in minor units: the items' amounts and adjustment_minor."
    )


class Completion(Closed):
    """One learner completed one course, or one run of it.

    Every field is private: only a salted commitment to them becomes public.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_COMPLETION]})

    certificate_number: Word = Field(description="Your own number of the certificate.")
    learner: str = Field(
        min_length=1,
        max_length=128,
        description="Your own reference of the person, never a name or an address.",
    )
    course: Word = Field(description="Your own code of the course.")
    course_title: Title | None = None
    presentation: Word | None = Field(default=None, description="Which run of the course, such as 2014J.")
    achievement_type: Code | None = Field(default=None, examples=["certificate"])
    result: Code | None = Field(default=None, examples=["pass"])
    score: int | None = Field(default=None, ge=0, le=1_000_000, description="Needs score_max.")
    score_max: int | None = Field(default=None, ge=1, le=1_000_000)
    completed_on: str | None = Field(default=None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    issued_at: Time | None = None
    valid_until: Time | None = Field(default=None, description="After this the verdict is `expired`.")
    workload_hours: int | None = Field(default=None, ge=1, le=100_000)


class Dataset(Closed):
    """One version of a data set, by the digest of its file. The file itself is never sent.

    Every field is private, and digests and size become public only by `publish_digest`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_DATASET]})

    dataset_number: Word = Field(description="Your own number of the data set.")
    title: Title
    file_sha256: Digest
    file_sm3: Digest | None = None
    size_bytes: int = Field(ge=0, le=_SAFE)
    media_type: str | None = Field(
        default=None, pattern=r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}$"
    )
    source: Title | None = None
    period: Word | None = Field(default=None, examples=["2026-01-01/2026-03-31"])
    rows: int | None = Field(default=None, ge=0, le=_SAFE)
    row_root: Digest | None = Field(default=None, description="RFC 9162 root over the rows. Needs rows.")
    licence: Word | None = Field(default=None, examples=["CC-BY-4.0"])
    supersedes: RecordId | None = Field(
        default=None, description="The record of the version before this one."
    )
    publish_digest: bool = Field(
        default=False, description="Let digests and size stand in the public entry, for everybody, for ever."
    )


class Refund(Closed):
    """Money of one purchase was given back. Reason and extent are public, everything else is private."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_REFUND]})

    purchase: RecordId = Field(description="The record of the purchase.")
    refund_number: Word = Field(description="Your own number of the refund.")
    amount_minor: int = Field(
        ge=1, le=_SAFE, description="All refunds of a purchase together: what was paid."
    )
    currency: Currency = Field(description="That of the purchase.")
    refunded_at: Time
    reason: Reason


class StatusChange(Closed):
    """A change of a record's status; every field is public."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{k: v for k, v in EXAMPLE_STATUS.items() if k != "record"}]}
    )

    state: Literal["active", "suspended", "revoked", "withdrawn"]
    reason: Reason
    since: Time | None = Field(default=None, description="From when on; the moment of acceptance without.")


class Correction(Closed):
    """A record was wrong, and `replacement`, a payload of the same kind, takes its place."""

    reason: Reason
    replacement: dict[str, Any]


BODIES: Final[Mapping[str, type[BaseModel]]] = {
    "purchase/v1": Purchase,
    "refund/v1": Refund,
    "completion/v1": Completion,
    "dataset/v1": Dataset,
}
