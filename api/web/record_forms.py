"""Forms that record one fact: the fields of each kind, as people fill them in.

An input is named like a column of a CSV (`records/csv_rows.py`), so a filled form is one row of such a file, and
the kind's own validator says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from api.web.languages import noted as _
from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.records.csv_rows import CsvRows
from ledger_service.records.payload_text import parse_object
from ledger_service.records.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger_service.records.kinds import Kind

ITEM_ROWS: Final = 5


@dataclass(frozen=True, slots=True)
class Field:
    """One input. `hint` is an example or a rule; `choices` are what a list offers."""

    name: str
    label: str
    type: Literal["text", "number", "time", "date", "choice", "switch"] = "text"
    required: bool = False
    hint: str = ""
    choices: tuple[str, ...] = ()


_TIME: Final = "2026-11-22T01:02:03Z"
_MINOR: Final = _("In the currency's smallest unit: 4500 is 45.00 EUR, or 4500 JPY.")
_OWN: Final = _("Your own reference, never a name or an address.")
_DIGEST: Final = _("32 bytes in base64url, without padding.")

FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "purchases": (
        Field("order_number", _("Order number"), required=True),
        Field("buyer", _("Buyer"), required=True, hint=_OWN),
        Field("paid_at", _("Paid at"), "time", required=True, hint=_TIME),
        Field("channel", _("Channel"), required=True, hint="web"),
        Field("currency", _("Currency"), "choice", required=True, choices=tuple(sorted(MINOR_UNITS))),
        Field("items", _("Items")),
        Field(
            "adjustment_minor", _("Adjustment"), "number", hint=_("Discount, shipping, tax; may be negative.")
        ),
        Field("amount_minor", _("Amount paid"), "number", required=True, hint=_MINOR),
    ),
    "refunds": (
        Field("purchase", _("Record of the purchase"), required=True, hint=_("Its 22-character id.")),
        Field("refund_number", _("Refund number"), required=True),
        Field("amount_minor", _("Amount given back"), "number", required=True, hint=_MINOR),
        Field("currency", _("Currency"), "choice", required=True, choices=tuple(sorted(MINOR_UNITS))),
        Field("refunded_at", _("Refunded at"), "time", required=True, hint=_TIME),
        Field("reason", _("Reason"), "choice", required=True, choices=tuple(REASONS)),
    ),
    "completions": (
        Field("certificate_number", _("Certificate number"), required=True),
        Field("learner", _("Learner"), required=True, hint=_OWN),
        Field("course", _("Course code"), required=True),
        Field("course_title", _("Course title")),
        Field("presentation", _("Run of the course"), hint="2026B"),
        Field("achievement_type", _("Type of achievement"), hint="certificate"),
        Field("result", _("Result"), hint="pass"),
        Field("score", _("Score"), "number"),
        Field("score_max", _("Highest possible score"), "number"),
        Field("completed_on", _("Completed on"), "date", hint="2026-11-22"),
        Field("issued_at", _("Issued at"), "time", hint=_TIME),
        Field("valid_until", _("Valid until"), "time", hint=_TIME),
        Field("workload_hours", _("Workload in hours"), "number"),
    ),
    "datasets": (
        Field("dataset_number", _("Data set number"), required=True),
        Field("title", _("Title"), required=True),
        Field("file_sha256", _("SHA-256 of the file"), required=True, hint=_DIGEST),
        Field("size_bytes", _("Size in bytes"), "number", required=True),
        Field("media_type", _("Media type"), hint="text/csv"),
        Field("source", _("Source")),
        Field("period", _("Period"), hint="2026-01-01/2026-03-31"),
        Field("licence", _("Licence"), hint="CC-BY-4.0"),
        Field("rows", _("Rows"), "number"),
        Field("row_root", _("Merkle root of the rows"), hint=_DIGEST),
        Field("file_sm3", _("SM3 of the file"), hint=_DIGEST),
        Field("supersedes", _("Supersedes the record"), hint=_("Its 22-character id.")),
        Field("publish_digest", _("Publish digests and size, for everybody, for ever"), "switch"),
    ),
}
ITEM_FIELDS: Final = (
    Field("sku", _("Article")),
    Field("quantity", _("Quantity"), "number"),
    Field("amount_minor", _("Amount"), "number"),
)


def columns_of(word: str) -> tuple[str, ...]:
    """The names of a form's inputs."""
    names: list[str] = []
    for field in FIELDS[word]:
        if field.name == "items":
            names += [f"items.{row}.{item.name}" for row in range(ITEM_ROWS) for item in ITEM_FIELDS]
        else:
            names.append(field.name)
    return tuple(names)


def read_payload(kind: Kind, word: str, form: Mapping[str, str]) -> dict[str, object]:
    """The payload that a filled form means; raises MalformedError and InvalidPayloadError."""
    names = columns_of(word)
    rows = CsvRows(kind, ",".join(names).encode())
    cells = [form.get(name, "").strip() for name in names]
    return parse_object(rows.line(_format_row(cells)))


def _format_row(cells: list[str]) -> bytes:
    # `format_cells` writes for spreadsheets and puts an apostrophe before what looks like a formula.
    return ",".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells).encode()
