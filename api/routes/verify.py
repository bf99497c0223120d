"""The server's verdict on evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import request

from api.answers import bytes_answer
from api.operations import Content, Parameter, operation
from api.parsing import TIME_SCHEMA, parse_moment, read_body
from api.routes.records import EVIDENCE
from api.service import service
from api.shapes import Verdict, VerifyQuestion
from ledger_service.errors import LedgerError
from ledger_service.proofs.verdict import format_verdict
from ledger_service.records.payload_text import parse_object

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("verify", __name__)
_LARGEST_EVIDENCE: Final = 1_048_576


@blueprint.post("/v1/verify")
@operation(
    blueprint,
    "verify",
    tag="verify",
    parameters=(
        Parameter("at", "The moment whose status is asked for; now without.", schema=TIME_SCHEMA),
        Parameter(
            "known_at", "Only what was in the log by this moment; everything without.", schema=TIME_SCHEMA
        ),
    ),
    body=Content("Evidence, or a record's id.", VerifyQuestion, ("application/json", EVIDENCE)),
    problems=(404, 409),
    answers={200: Content("The verdict. A check that could not be made never makes it valid.", Verdict)},
)
def verify() -> Response:
    """Check evidence, or a record of this ledger by its id.

    Whoever does not trust this server checks the same evidence offline, by the same numbered steps.
    """
    body = read_body(_LARGEST_EVIDENCE, media=("application/json", EVIDENCE))
    here = service()
    record = _asked_record(body)
    evidence = body.strip() if record is None else here.archive.evidence(record)
    moments = {name: parse_moment(request.args.get(name), name=name) for name in ("at", "known_at")}
    verdict = here.judge.judge(evidence, **moments)
    return bytes_answer(format_verdict(verdict))


def _asked_record(body: bytes) -> str | None:
    """The id in `{"record": id}`; None for anything else, which is then judged as evidence."""
    try:
        question = parse_object(body)
    except LedgerError:
        return None
    record = question.get("record")
    return record if question.keys() == {"record"} and isinstance(record, str) else None
