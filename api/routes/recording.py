"""Recording: one fact, or a stream of them, of each kind that callers record by itself.

The registry of kinds says which those are; nothing here knows one from another.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import orjson
import structlog
from apiflask import APIBlueprint
from flask import Response, request

from api.answers import bytes_answer, json_answer
from api.auth import required_caller
from api.bodies import BODIES
from api.errors import format_problem, status_of
from api.operations import Content, Parameter, operation
from api.parsing import check_idempotency_key, check_media, read_body
from api.service import service
from api.shapes import Acceptance, BulkLine, Receipt
from api.streams import TOO_LONG, read_lines, run_aside
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BodyTooLargeError, InternalError, LedgerError
from ledger_service.log.bulk_writer import BulkRequest
from ledger_service.records.intake import Submission
from ledger_service.records.outcomes import Rejected, Replayed
from ledger_service.records.payload_text import parse_object
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.verification.recorder import Pending
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api.streams import Readable, Spool
    from ledger_service.log.bulk_writer import LineResult
    from ledger_service.records.kinds import Kind
    from ledger_service.verification.recorder import Recorded

blueprint = APIBlueprint("recording", __name__)
_log: Final = structlog.get_logger("api")

RECEIPT: Final = "application/vnd.audit-ledger.receipt+json"
NDJSON: Final = "application/x-ndjson"
# An entry has at most 64 KiB; a payload of a thousand items is larger than its entry.
LARGEST_PAYLOAD: Final = 262_144
IDEMPOTENCY: Final = Parameter(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters. The same key and body again get the original answer.",
    place="header",
    required=True,
)
_LOCATION: Final = {"Location": "The record.", "Record-Id": "The record's id."}
RECORDED: Final = {
    200: Content("The same as before: it was recorded already.", Receipt, (RECEIPT,), _LOCATION),
    201: Content("Recorded, and in the log.", Receipt, (RECEIPT,), _LOCATION),
    202: Content(
        "Recorded, and in the log by the time the acceptance states.", Acceptance, headers=_LOCATION
    ),
}


def _offer(kind: Kind, word: str) -> None:
    """Add the two routes of one kind."""
    noun = kind.name.partition("/")[0]

    @operation(
        blueprint,
        f"record{noun.capitalize()}",
        tag=word,
        scope=Scope.RECORDS_WRITE,
        parameters=(IDEMPOTENCY,),
        body=Content(f"The {noun}.", BODIES[kind.name]),
        answers=RECORDED,
        summary=f"Record a {noun} and get its receipt.",
    )
    def record(org: str) -> Response:
        caller = required_caller(org, scope=Scope.RECORDS_WRITE)
        key = check_idempotency_key(request.headers.get("Idempotency-Key"))
        payload = parse_object(read_body(LARGEST_PAYLOAD))
        here = service()
        parsed = kind.parse(payload, here.clock.now())
        log = here.log_of(caller.org.id, kind.collection)
        return answer(here.record(Submission(log.target, kind, parsed, IdempotencyKey(key))))

    @operation(
        blueprint,
        f"record{word.capitalize()}",
        tag=word,
        scope=Scope.RECORDS_WRITE,
        parameters=(IDEMPOTENCY,),
        body=Content(f"A {noun} a line.", media=(NDJSON,)),
        answers={
            200: Content("A result a line, in the same order; each is a BulkLine.", BulkLine, (NDJSON,))
        },
        summary=f"Record a stream of {word}, one JSON object a line, and get a line about each.",
        description="Results come while rows still go in. Sent again under the same key, rows that were "
        "recorded get their original answer with status 200, so an interrupted stream is continued by "
        "sending it again.",
    )
    def record_rows(org: str) -> Response:
        caller = required_caller(org, scope=Scope.RECORDS_WRITE)
        key = check_idempotency_key(request.headers.get("Idempotency-Key"))
        check_media((NDJSON,))
        # A stream has no greatest length, a line has. (None would mean the application's limit.)
        request.max_content_length = sys.maxsize
        here = service()
        log = here.log_of(caller.org.id, kind.collection)
        rows = _Rows(request.stream)
        results = here.record_rows(BulkRequest(log.target, kind, key, rows.lines()))
        answers = run_aside(lambda spool: _write_results(rows, results, origin=log.origin, spool=spool))
        return Response(answers, content_type=NDJSON)

    path = f"/v1/orgs/<org>/{word}"
    blueprint.post(path, endpoint=f"record_{noun}")(record)
    blueprint.post(f"{path}/bulk", endpoint=f"record_{word}")(record_rows)


for _kind in KINDS.all():
    if _kind.word is not None:
        _offer(_kind, _kind.word)


class _Rows:
    """The lines of a stream. One that is too long keeps its place, so that rows keep their numbers."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.too_long: set[int] = set()

    def lines(self) -> Iterator[bytes]:
        for number, line in enumerate(read_lines(self._stream, limit=LARGEST_PAYLOAD), start=1):
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
            result.line, BodyTooLargeError(limit=LARGEST_PAYLOAD) if too_long else outcome.error
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


def answer(outcome: Recorded | Pending) -> Response:
    """What a writer of one record gets: its receipt, or the promise of it."""
    headers = {"Location": f"/v1/records/{outcome.id}", "Record-Id": outcome.id}
    if isinstance(outcome, Pending):
        document = {"id": outcome.id, "stage": "accepted", "acceptance": outcome.acceptance.decode()}
        return json_answer(document, status=202, headers=headers)
    status = 200 if outcome.repeated else 201
    return bytes_answer(outcome.receipt, status=status, media=RECEIPT, headers=headers)
