"""Records: how far they have come, and what proves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import request

from api.answers import bytes_answer, json_answer
from api.auth import member_caller
from api.bodies import Correction, StatusChange
from api.operations import Content, Parameter, operation
from api.parsing import check_idempotency_key, read_body
from api.routes.recording import IDEMPOTENCY, RECEIPT, RECORDED, answer
from api.rows import LARGEST_PAYLOAD
from api.service import service
from api.shapes import Evidence, Payload, Receipt, RecordState
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BadRequestError
from ledger_service.proofs.canonical import encode, encode_base64url, format_time
from ledger_service.records.kinds import refuse
from ledger_service.records.payload_text import parse_object

if TYPE_CHECKING:
    from flask import Response

    from ledger_service.chain.status_store import MirroredChange

blueprint = APIBlueprint("records", __name__)

EVIDENCE: Final = "application/vnd.audit-ledger.evidence+json"
FIELDS: Final = Parameter("fields", "Private fields to disclose, separated by commas, or `all`. Needs a key.")
_ALL: Final = "all"


@blueprint.get("/v1/records/<record_id>")
@operation(
    blueprint, "recordState", tag="records", answers={200: Content("Entry, stage and status.", RecordState)}
)
def state(record_id: str) -> Response:
    """Tell how far a record has come. Nothing personal stands here."""
    found = service().archive.state(record_id)
    return json_answer(
        {
            "id": found.id,
            "org": found.org,
            "log": found.log,
            "kind": found.kind,
            "stage": found.stage,
            "status": found.status,
            "accepted": format_time(found.accepted),
            "index": found.index,
            "leaf": encode_base64url(found.leaf),
            "entry": encode_base64url(found.entry),
            "in_contracts": [_in_contract(change) for change in found.in_contracts],
        }
    )


@blueprint.post("/v1/records/<record_id>/status")
@operation(
    blueprint,
    "changeStatus",
    tag="records",
    scope=Scope.RECORDS_WRITE,
    parameters=(IDEMPOTENCY,),
    body=Content("The new state and why.", StatusChange),
    answers=RECORDED,
)
def change_status(record_id: str) -> Response:
    """Change the status of a record and get the receipt of the change.

    A completion is suspended, made active again, or revoked for good; a data set is withdrawn for good. What a
    refund or a replacement changes is not changed here.
    """
    caller = member_caller(Scope.RECORDS_WRITE)
    key = check_idempotency_key(request.headers.get("Idempotency-Key"))
    body = parse_object(read_body(LARGEST_PAYLOAD))
    return answer(service().change_status(record_id, body, org_id=caller.org.id, key=key))


@blueprint.post("/v1/records/<record_id>/correction")
@operation(
    blueprint,
    "correctRecord",
    tag="records",
    scope=Scope.RECORDS_WRITE,
    parameters=(IDEMPOTENCY,),
    body=Content("Why, and the payload that is right.", Correction),
    answers=RECORDED,
)
def correct(record_id: str) -> Response:
    """Record the right payload in the place of a wrong one and get its receipt.

    Nothing is overwritten: the wrong record becomes `superseded`, and the new one points at it.
    """
    caller = member_caller(Scope.RECORDS_WRITE)
    key = check_idempotency_key(request.headers.get("Idempotency-Key"))
    body = parse_object(read_body(LARGEST_PAYLOAD))
    replacement = body.pop("replacement", None)
    if type(replacement) is not dict:
        raise refuse([{"field": "replacement", "problem": "must be a payload of the record's kind"}])
    found = service().correct(record_id, body, replacement=replacement, org_id=caller.org.id, key=key)
    return answer(found)


@blueprint.get("/v1/records/<record_id>/receipt")
@operation(
    blueprint,
    "recordReceipt",
    tag="records",
    problems=(409,),
    scope=Scope.RECORDS_READ,
    answers={200: Content("The receipt as its writer got it.", Receipt, (RECEIPT,))},
)
def receipt(record_id: str) -> Response:
    """Give the receipt again. After the payload was erased it comes without its opening."""
    caller = member_caller(Scope.RECORDS_READ)
    return bytes_answer(service().archive.receipt(record_id, org_id=caller.org.id), media=RECEIPT)


@blueprint.get("/v1/records/<record_id>/payload")
@operation(
    blueprint,
    "recordPayload",
    tag="records",
    problems=(410,),
    scope=Scope.RECORDS_READ,
    answers={200: Content("The private fields.", Payload)},
)
def payload(record_id: str) -> Response:
    """Give the private fields of a record to its own organization."""
    caller = member_caller(Scope.RECORDS_READ)
    values = service().archive.payload(record_id, org_id=caller.org.id)
    return bytes_answer(encode(dict(values)))


@blueprint.get("/v1/records/<record_id>/evidence")
@operation(
    blueprint,
    "recordEvidence",
    tag="records",
    parameters=(FIELDS,),
    problems=(403, 409, 410),
    answers={200: Content("Everything an outsider needs to check the record.", Evidence, (EVIDENCE,))},
)
def evidence(record_id: str) -> Response:
    """Give the evidence of a record.

    Without `fields` the contents stay hidden and anyone may ask. With them the record's organization may,
    and whoever gets the document can show those fields to anyone.
    """
    return bytes_answer(read_evidence(record_id), media=EVIDENCE)


def read_evidence(record_id: str) -> bytes:
    """The evidence with the fields that the request asks for, if its caller may have them."""
    asked = request.args.get(FIELDS.name)
    archive = service().archive
    if asked is None:
        return archive.evidence(record_id)
    caller = member_caller(Scope.RECORDS_READ)
    names = None if asked == _ALL else frozenset(asked.split(","))
    if names is not None and not all(names):
        raise BadRequestError("fields must be names separated by commas, or all.")
    return archive.disclosed_evidence(record_id, names=names, org_id=caller.org.id)


def _in_contract(change: MirroredChange) -> dict[str, object]:
    """What a contract holds, lacks or refuses of a change of status."""
    return {
        "chain_id": change.chain_id,
        "contract": encode_base64url(change.address),
        "state": change.mirror.state.name.lower(),
        "index": change.mirror.explanation,
        "stage": change.outcome or "waiting",
        "since": None if change.since is None else format_time(datetime.fromtimestamp(change.since, UTC)),
        "block": change.block_number,
        "tx_hash": None if change.tx_hash is None else encode_base64url(change.tx_hash),
    }
