"""Data subjects: erase what was recorded of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint
from flask import request

from api.answers import bytes_answer
from api.auth import required_caller
from api.operations import Content, Parameter, operation
from api.parsing import KEY_SCHEMA, check_idempotency_key, read_body
from api.service import service
from api.shapes import ErasureCertificate, ErasureOrder
from ledger_service.accounts.scopes import Scope
from ledger_service.records.erasure import REASONS, reason_problem
from ledger_service.records.kinds import FieldProblem, refuse
from ledger_service.records.payload_text import parse_object

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("subjects", __name__)

ERASURE: Final = "application/vnd.audit-ledger.erasure+json"
_LARGEST_ORDER: Final = 1_024


@blueprint.post("/v1/orgs/<org>/subjects/<path:subject>/erase")
@operation(
    blueprint,
    "eraseSubject",
    tag="subjects",
    scope=Scope.SUBJECTS_ERASE,
    parameters=(
        Parameter(
            "Idempotency-Key",
            "1 to 255 visible ASCII characters. The same key and request again get the certificate again.",
            place="header",
            required=True,
            schema=KEY_SCHEMA,
        ),
    ),
    body=Content("Why.", ErasureOrder),
    answers={
        200: Content("Erased before, under the same key.", ErasureCertificate, (ERASURE,)),
        201: Content("Erased.", ErasureCertificate, (ERASURE,)),
    },
)
def erase(org: str, subject: str) -> Response:
    """Destroy the contents of every record of a data subject, for good, and certify it.

    The subject is named as in the records: a purchase's buyer. Entries and proofs stay and keep verifying.
    """
    caller = required_caller(org, scope=Scope.SUBJECTS_ERASE)
    key = check_idempotency_key(request.headers.get("Idempotency-Key"))
    order = parse_object(read_body(_LARGEST_ORDER))
    erased = service().erase(caller.org.id, subject, reason=_check_reason(order), key=key)
    return bytes_answer(erased.certificate, status=200 if erased.repeated else 201, media=ERASURE)


def _check_reason(order: dict[str, object]) -> str:
    problems: list[FieldProblem] = [
        {"field": "?", "problem": "is not known"} for name in order if name != "reason"
    ]
    reason = order.get("reason")
    if type(reason) is not str or reason not in REASONS:
        problems.append(reason_problem())
    if problems:
        raise refuse(problems)
    return str(reason)
