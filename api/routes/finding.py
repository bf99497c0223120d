"""Finding: an organization's own records, listed and filtered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from apiflask import APIBlueprint
from flask import request

from api.answers import json_answer
from api.auth import required_caller
from api.operations import Content, Parameter, operation
from api.parsing import TIME_SCHEMA, parse_choice, parse_count, parse_moment
from api.service import service
from api.shapes import RecordPage, Stage, State
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BadRequestError
from ledger_service.proofs.canonical import format_time
from ledger_service.verification.finder import Wanted

if TYPE_CHECKING:
    from flask import Response

    from ledger_service.verification.finder import FoundRecord

blueprint = APIBlueprint("finding", __name__)

_STAGES: Final = get_args(Stage)
_STATES: Final = get_args(State)
_DEFAULT_LIMIT: Final = 100
_LARGEST_LIMIT: Final = 1000
_LONGEST_REFERENCE: Final = 256


@blueprint.get("/v1/orgs/<org>/records")
@operation(
    blueprint,
    "findRecords",
    tag="records",
    scope=Scope.RECORDS_READ,
    parameters=(
        Parameter("kind", "Only records of this kind, such as purchase/v1."),
        Parameter("stage", "Only records that have come just so far.", schema={"enum": [*_STAGES]}),
        Parameter("status", "Only records of this status.", schema={"enum": [*_STATES]}),
        Parameter("from", "Only records accepted at this time or later.", schema=TIME_SCHEMA),
        Parameter("to", "Only records accepted before this time.", schema=TIME_SCHEMA),
        Parameter(
            "ref",
            "Your own number of the record: order, certificate or data set.",
            schema={"type": "string", "minLength": 1, "maxLength": _LONGEST_REFERENCE},
        ),
        Parameter("cursor", "Where the page before ended, as it said itself."),
        Parameter(
            "limit",
            f"Most records in the page, {_DEFAULT_LIMIT} without.",
            schema={"type": "integer", "minimum": 1, "maximum": _LARGEST_LIMIT},
        ),
    ),
    problems=(422,),
    answers={200: Content("A page of records, newest first.", RecordPage)},
)
def find_records(org: str) -> Response:
    """List your own records, newest first.

    Pages stay stable while records are added. A page that had to look at many records for few that fit is
    shorter than its limit; the end is where `cursor` is null.
    """
    caller = required_caller(org, scope=Scope.RECORDS_READ)
    here = service()
    asked = request.args
    kind, reference = asked.get("kind"), asked.get("ref")
    if reference is not None and not 1 <= len(reference) <= _LONGEST_REFERENCE:
        raise BadRequestError(f"ref must have 1 to {_LONGEST_REFERENCE} characters.")
    wanted = Wanted(
        kinds=[each.name for each in here.kinds.all()] if kind is None else [here.kinds.get(kind).name],
        stage=parse_choice(asked.get("stage"), name="stage", known=_STAGES),
        status=parse_choice(asked.get("status"), name="status", known=_STATES),
        reference=reference,
        since=parse_moment(asked.get("from"), name="from"),
        until=parse_moment(asked.get("to"), name="to"),
    )
    limit = parse_count(asked.get("limit"), name="limit", default=_DEFAULT_LIMIT, most=_LARGEST_LIMIT)
    page = here.finder.find(wanted, org_id=caller.org.id, cursor=asked.get("cursor"), limit=limit)
    return json_answer({"records": [_describe(each) for each in page.records], "cursor": page.cursor})


def _describe(found: FoundRecord) -> dict[str, object]:
    return {
        "id": found.id,
        "log": found.log,
        "kind": found.kind,
        "stage": found.stage,
        "status": found.status,
        "accepted": format_time(found.accepted),
        "index": found.index,
    }
