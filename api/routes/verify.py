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
from api.shapes import Evidence, Verdict, VerificationReport, VerifyQuestion
from api.web.papers import draw_report
from api.web.rendering import check_language
from ledger_service.errors import BadRequestError, LedgerError
from ledger_service.proofs.note import format_vkey
from ledger_service.proofs.receipt import as_evidence
from ledger_service.proofs.verdict import format_verdict
from ledger_service.records.payload_text import parse_object

if TYPE_CHECKING:
    from datetime import datetime

    from flask import Response

blueprint = APIBlueprint("verify", __name__)
_LARGEST_EVIDENCE: Final = 1_048_576

REPORT: Final = "application/vnd.audit-ledger.verification-report+json"
JSON_FORMAT: Final = "json"
FORMATS: Final = (JSON_FORMAT, "pdf")
EVIDENCE_ONLY: Final = (
    "A report names the evidence by its digest: fetch the record's evidence, and send that."
)
_MOMENTS: Final = (
    Parameter("at", "The moment whose status is asked for; now without.", schema=TIME_SCHEMA),
    Parameter("known_at", "Only what was in the log by this moment; everything without.", schema=TIME_SCHEMA),
)


@blueprint.post("/v1/verify")
@operation(
    blueprint,
    "verify",
    tag="verify",
    parameters=_MOMENTS,
    body=Content("Evidence, a receipt, or a record's id.", VerifyQuestion, ("application/json", EVIDENCE)),
    problems=(404, 409),
    answers={200: Content("The verdict. A check that could not be made never makes it valid.", Verdict)},
)
def verify() -> Response:
    """Check evidence, a receipt, or a record of this ledger by its id.

    Whoever does not trust this server checks the same evidence offline, by the same numbered steps.
    """
    body = _read_body()
    record = _asked_record(body)
    evidence = as_evidence(body.strip()) if record is None else service().archive.evidence(record)
    return bytes_answer(format_verdict(service().judge.judge(evidence, **_asked_moments())))


@blueprint.post("/v1/verify/report")
@operation(
    blueprint,
    "verificationReport",
    tag="verify",
    parameters=(
        *_MOMENTS,
        Parameter(
            "format",
            "json (the signed report, which names the evidence by its digest), or pdf with both inside.",
            schema={"enum": list(FORMATS)},
        ),
        LANGUAGE,
    ),
    body=Content("Evidence.", Evidence, (EVIDENCE, "application/json")),
    answers={200: Content("The signed report.", VerificationReport, (REPORT, PDF))},
)
def report() -> Response:
    """Check evidence and sign the verdict.

    The signature is by a key of this server that signs nothing else: its word, for whoever trusts it, that this
    evidence was so judged at that time.
    """
    check_language()
    form = parse_format()
    body = _read_body()
    evidence = body.strip()
    if _asked_record(body) is not None or as_evidence(evidence) != evidence:
        raise BadRequestError(EVIDENCE_ONLY)
    return report_answer(evidence, form=form, **_asked_moments())


def parse_format() -> str:
    """The form of report that the request asks for; raises BadRequestError."""
    form = request.args.get("format", JSON_FORMAT)
    if form not in FORMATS:
        raise BadRequestError(f"format must be {' or '.join(FORMATS)}.")
    return form


def report_answer(evidence: bytes, *, form: str, **moments: datetime | None) -> Response:
    """The signed report on evidence, in one of FORMATS."""
    reported = service().reporter.report(evidence, **moments)
    saved = {"Content-Disposition": f'attachment; filename="verification.{form}"'}
    if form == JSON_FORMAT:
        return bytes_answer(reported.document, media=REPORT, headers=saved)
    return bytes_answer(draw_report(reported, evidence), media=PDF, headers=saved)


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


def _read_body() -> bytes:
    return read_body(_LARGEST_EVIDENCE, media=("application/json", EVIDENCE))


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
