"""Purchases: record one, or a stream of them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import orjson
import structlog
from apiflask import APIBlueprint
from flask import Response, request

from api.answers import bytes_answer, json_answer
from api.auth import required_caller
from api.errors import format_problem, status_of
from api.operations import Content, Parameter, operation
from api.parsing import check_idempotency_key, check_media, read_body
from api.service import service
from api.shapes import Acceptance, BulkLine, Purchase, Receipt
from api.streams import TOO_LONG, read_lines, run_aside
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BodyTooLargeError, InternalError, LedgerError
from ledger_service.log.bulk_writer import BulkRequest
from ledger_service.marketplace.purchases import PURCHASE
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Rejected, Replayed
from ledger_service.records.payload_text import parse_object
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.verification.recorder import Pending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.streams import Readable, Spool
    from ledger_service.log.bulk_writer import LineResult
    from ledger_service.verification.recorder import Recorded

blueprint = APIBlueprint("purchases", __name__)
_log: Final = structlog.get_logger("api")

RECEIPT: Final = "application/vnd.audit-ledger.receipt+json"
NDJSON: Final = "application/x-ndjson"
# An entry has at most 64 KiB; a payload of a thousand items is larger than its entry.
_LARGEST_PURCHASE: Final = 262_144
_IDEMPOTENCY: Final = Parameter(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters. The same key and body again get the original answer.",
    place="header",
    required=True,
)
_LOCATION: Final = {"Location": "The record.", "Record-Id": "The record's id."}


@blueprint.post("/v1/orgs/<org>/purchases")
@operation(
    blueprint,
    "recordPurchase",
    tag="purchases",
    scope=Scope.RECORDS_WRITE,
    parameters=(_IDEMPOTENCY,),
    body=Content("The purchase.", Purchase),
    answers={
        200: Content("The same as before: it was recorded already.", Receipt, (RECEIPT,), _LOCATION),
        201: Content("Recorded, and in the log.", Receipt, (RECEIPT,), _LOCATION),
        202: Content(
            "Recorded, and in the log by the time the acceptance states.", Acceptance, headers=_LOCATION
        ),
    },
)
def record(org: str) -> Response:
    """Record a purchase and get its receipt."""
    caller = required_caller(org, scope=Scope.RECORDS_WRITE)
    key = check_idempotency_key(request.headers.get("Idempotency-Key"))
    payload = parse_object(read_body(_LARGEST_PURCHASE))
    here = service()
    parsed = PURCHASE.parse(payload, here.clock.now())
    log = here.log_of(caller.org.id, PURCHASE.collection)
    return _answer(here.record(Submission(log.target, PURCHASE, parsed, IdempotencyKey(key))))


@blueprint.post("/v1/orgs/<org>/purchases/bulk")
@operation(
    blueprint,
    "recordPurchases",
    tag="purchases",
    scope=Scope.RECORDS_WRITE,
    parameters=(_IDEMPOTENCY,),
    body=Content("A purchase a line.", media=(NDJSON,)),
    answers={200: Content("A result a line, in the same order; each is a BulkLine.", BulkLine, (NDJSON,))},
)
def record_rows(org: str) -> Response:
    """Record a stream of purchases, one JSON object a line, and get a line about each.

    Results come while rows still go in. Sent again under the same key, rows that were recorded get their
    original answer with status 200, so an interrupted stream is continued by sending it again.
    """
    caller = required_caller(org, scope=Scope.RECORDS_WRITE)
    key = check_idempotency_key(request.headers.get("Idempotency-Key"))
    check_media((NDJSON,))
    # A stream has no greatest length, a line has. (None would mean the application's limit.)
    request.max_content_length = sys.maxsize
    here = service()
    log = here.log_of(caller.org.id, PURCHASE.collection)
    rows = _Rows(request.stream)
    results = here.record_rows(BulkRequest(log.target, PURCHASE, key, rows.lines()))
    answers = run_aside(lambda spool: _write_results(rows, results, origin=log.origin, spool=spool))
    return Response(answers, content_type=NDJSON)


class _Rows:
    """The lines of a stream. One that is too long keeps its place, so that rows keep their numbers."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.too_long: set[int] = set()

    def lines(self) -> Iterator[bytes]:
        for number, line in enumerate(read_lines(self._stream, limit=_LARGEST_PURCHASE), start=1):
            if line is TOO_LONG:
                self.too_long.add(number)
                yield b""
            else:
                assert isinstance(line, bytes)
                yield line


def _write_results(rows: _Rows, results: Iterator[LineResult], *, origin: str, spool: Spool) -> None:
    line = 0
    try:
        for result in results:
            line = result.line
            too_long = line in rows.too_long
            spool.put(orjson.dumps(_format_line(result, origin=origin, too_long=too_long)) + b"\n")
            if spool.abandoned:
                return
    except LedgerError as error:
        spool.put(orjson.dumps(_format_failure(line + 1, error), default=str) + b"\n")
    except Exception as error:  # noqa: BLE001  the stream's last line says that the rest has no answer
        _log.error("defect", kind=type(error).__name__, exc_info=error)
        spool.put(orjson.dumps(_format_failure(line + 1, InternalError())) + b"\n")


def _format_line(result: LineResult, *, origin: str, too_long: bool) -> dict[str, object]:
    outcome = result.outcome
    if isinstance(outcome, Rejected):
        return _format_failure(
            result.line, BodyTooLargeError(limit=_LARGEST_PURCHASE) if too_long else outcome.error
        )
    published = result.position is not None
    status = 200 if isinstance(outcome, Replayed) else 201 if published else 202
    line: dict[str, object] = {"row": result.line, "status": status, "id": outcome.id, "log": origin}
    if result.position is not None:
        line |= {"index": result.position.index, "stage": "published"}
    elif status != 200:  # noqa: PLR2004  a repeated record may have come further than accepted
        line["stage"] = "accepted"
    return line


def _format_failure(row: int, error: LedgerError) -> dict[str, object]:
    problem = format_problem(error)
    return {"row": row, "status": status_of(error)} | {
        name: problem[name] for name in ("code", "detail", "errors") if name in problem
    }


def _answer(outcome: Recorded | Pending) -> Response:
    headers = {"Location": f"/v1/records/{outcome.id}", "Record-Id": outcome.id}
    if isinstance(outcome, Pending):
        document = {"id": outcome.id, "stage": "accepted", "acceptance": outcome.acceptance.decode()}
        return json_answer(document, status=202, headers=headers)
    status = 200 if outcome.repeated else 201
    return bytes_answer(outcome.receipt, status=status, media=RECEIPT, headers=headers)
