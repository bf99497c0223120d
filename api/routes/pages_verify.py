"""The page that verifies: in the browser where scripts run, else on the server, which never gets the file itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from api.errors import STATUS_OF
from api.routes.verify import EVIDENCE_ONLY, JSON_FORMAT, parse_format, report_answer
from api.service import service
from api.web.forms import check_same_site
from api.web.rendering import check_language, page
from ledger_service.errors import BadRequestError, BodyTooLargeError, LedgerError
from ledger_service.proofs.receipt import as_evidence
from ledger_service.proofs.verdict import people_words

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("pages_verify", __name__, enable_openapi=False)
blueprint.before_request(check_language)

_LARGEST: Final = 1_048_576
_LINK: Final = re.compile(r"(?:\S*/records/)?([A-Za-z0-9_-]{22,43})(?:[/?#]\S*)?", re.ASCII)


@blueprint.get("/verify")
def verify() -> Response:
    """Offer to verify: a file, evidence, a record's link, a digest."""
    return page("verify.html", verdict=None, people=None, problem=None, asked=request.args.get("record", ""))


@blueprint.post("/verify")
def verify_here() -> Response:
    """Give the server's verdict on uploaded evidence or on a record, for browsers without scripts.

    It changes nothing and speaks for nobody, so it needs no token; a form of another site is refused all the same.
    """
    document, asked = _read_form()
    try:
        evidence = _as_evidence(document, asked)
    except LedgerError as error:
        return _refused(error, asked)
    verdict = service().judge.judge(evidence)
    return page(
        "verify.html", verdict=verdict, people=people_words(verdict.result), problem=None, asked=asked
    )


@blueprint.post("/verify/report")
def report_here() -> Response:
    """Give the same as a signed report."""
    form = parse_format()
    document, asked = _read_form()
    try:
        evidence = _as_evidence(document, asked)
        if form == JSON_FORMAT and evidence != _given(document, asked):
            raise BadRequestError(EVIDENCE_ONLY)
    except LedgerError as error:
        return _refused(error, asked)
    return report_answer(evidence, form=form)


def _refused(error: LedgerError, asked: str) -> Response:
    """The form again, with what is wrong with what was asked."""
    status = STATUS_OF[error.code]
    return page("verify.html", status=status, verdict=None, people=None, problem=error.text, asked=asked)


def _read_form() -> tuple[bytes, str]:
    check_same_site()
    request.max_content_length = _LARGEST
    request.max_form_memory_size = _LARGEST
    try:
        upload = request.files.get("evidence")
        asked = request.form.get("text", "").strip()
        return (upload.read() if upload is not None else b""), asked
    except RequestEntityTooLarge as error:
        raise BodyTooLargeError(limit=_LARGEST) from error


def _as_evidence(document: bytes, asked: str) -> bytes:
    """The evidence that was meant: a file, a text, or what there is of a record; raises NotFoundError."""
    record = None if document else _LINK.fullmatch(asked)
    return as_evidence(_given(document, asked)) if record is None else service().archive.evidence(record[1])


def _given(document: bytes, asked: str) -> bytes:
    return (document or asked.encode()).strip()
