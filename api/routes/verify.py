"""The server's verdict on evidence, and the same as a signed report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import request

from api.answers import bytes_answer
from api.operations import Content, Parameter, operation
from api.parsing import TIME_SCHEMA, parse_moment, read_body
from api.routes.papers import LANGUAGE, PDF
from api.routes.records import EVIDENCE
from api.service import service
from api.shapes import Verdict, VerificationReport, VerifyQuestion
from api.web.papers import draw_report
from api.web.rendering import check_language
from ledger_service.errors import BadRequestError, LedgerError
from ledger_service.proofs.note import format_vkey
from ledger_service.proofs.verdict import format_verdict
from ledger_service.records.payload_text import parse_object

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

blueprint = APIBlueprint("verify", __name__)
_LARGEST_EVIDENCE: Final = 1_048_576

REPORT: Final = "application/vnd.audit-ledger.verification-report+json"
FORMATS: Final = ["json", "pdf"]
MOMENTS: Final = (
    Parameter("at", "The moment whose status is asked for; now without.", schema=TIME_SCHEMA),
    Parameter("known_at", "Only what was in the log by this moment; everything without.", schema=TIME_SCHEMA),
)
QUESTION: Final = Content("Evidence, or a record's id.", VerifyQuestion, ("application/json", EVIDENCE))


@blueprint.post("/v1/verify")
@operation(
    blueprint,
    "verify",
    tag="verify",
    parameters=MOMENTS,
    body=QUESTION,
    problems=(404, 409),
    answers={200: Content("The verdict. A check that could not be made never makes it valid.", Verdict)},
)
def verify() -> Response:
    """Check evidence, or a record of this ledger by its id.

    Whoever does not trust this server checks the same evidence offline, by the same numbered steps.
    """
    return bytes_answer(format_verdict(service().judge.judge(_asked_evidence(), **_asked_moments())))


@blueprint.post("/v1/verify/report")
@operation(
    blueprint,
    "verificationReport",
    tag="verify",
    parameters=(
        *MOMENTS,
        Parameter(
            "format", "json (the signed report itself), or pdf with it inside.", schema={"enum": FORMATS}
        ),
        LANGUAGE,
    ),
    body=QUESTION,
    problems=(404, 409),
    answers={200: Content("The signed report.", VerificationReport, (REPORT, PDF))},
)
def report() -> Response:
    """Check evidence, or a record of this ledger by its id, and sign the verdict.

    The signature is by a key of this server that signs nothing else: its word, for whoever trusts it, that this
    evidence was so judged at that time.
    """
    check_language()
    asked = request.args.get("format", FORMATS[0])
    if asked not in FORMATS:
        raise BadRequestError(f"format must be {' or '.join(FORMATS)}.")
    evidence = _asked_evidence()
    return report_answer(evidence, form=asked, **_asked_moments())


def report_answer(evidence: bytes, *, form: str, **moments: datetime | None) -> Response:
    """The signed report on evidence, as one of FORMATS."""
    reported = service().reporter.report(evidence, **moments)
    saved = {"Content-Disposition": f'attachment; filename="verification.{form}"'}
    if form == "pdf":
        return bytes_answer(draw_report(reported, evidence), media=PDF, headers=saved)
    return bytes_answer(reported.document, media=REPORT, headers=saved)


@blueprint.get("/v1/verify/vkey")
@operation(
    blueprint,
    "verificationKey",
    tag="verify",
    answers={200: Content("The verifier key, on one line.", media=("text/plain",))},
)
def vkey() -> Response:
    """Give the C2SP verifier key of the signed reports; compare it with one from elsewhere."""
    return bytes_answer(f"{format_vkey(service().reporter.vkey)}\n".encode(), media="text/plain")


def _asked_evidence() -> bytes:
    body = read_body(_LARGEST_EVIDENCE, media=("application/json", EVIDENCE))
    record = _asked_record(body)
    return body.strip() if record is None else service().archive.evidence(record)


def _asked_moments() -> dict[str, datetime | None]:
    return {name: parse_moment(request.args.get(name), name=name) for name in ("at", "known_at")}


def _asked_record(body: bytes) -> str | None:
    """The id in `{"record": id}`; None for anything else, which is then judged as evidence."""
    try:
        question = parse_object(body)
    except LedgerError:
        return None
    record = question.get("record")
    return record if question.keys() == {"record"} and isinstance(record, str) else None
