"""Recording: one fact, or a stream of them, of each kind that callers record by itself.

The registry of kinds says which those are; nothing here knows one from another.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import structlog
from apiflask import APIBlueprint
from flask import Response, request

from api.answers import bytes_answer, json_answer
from api.auth import required_caller
from api.bodies import BODIES
from api.operations import Content, Parameter, operation
from api.parsing import KEY_SCHEMA, check_idempotency_key, check_media, parse_switch, read_body
from api.rows import CSV, LARGEST_PAYLOAD, MOST_ROWS, NDJSON, Results, Rows
from api.service import service
from api.shapes import Acceptance, BulkLine, Receipt
from api.streams import Body, run_aside
from ledger_service.accounts.scopes import Scope
from ledger_service.log.bulk_writer import BulkRequest
from ledger_service.records.intake import Submission
from ledger_service.records.payload_text import parse_object
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.verification.recorder import Pending
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from ledger_service.records.kinds import Kind
    from ledger_service.verification.recorder import Recorded

blueprint = APIBlueprint("recording", __name__)
_log: Final = structlog.get_logger("api")

RECEIPT: Final = "application/vnd.audit-ledger.receipt+json"
IDEMPOTENCY: Final = Parameter(
    "Idempotency-Key",
    "1 to 255 visible ASCII characters. The same key and body again get the original answer.",
    place="header",
    required=True,
    schema=KEY_SCHEMA,
)
_LOCATION: Final = {"Location": "The record.", "Record-Id": "The record's id."}
_DRY_RUN: Final = Parameter(
    "dry_run",
    "`true`: check every row, say what would become of it, store nothing.",
    schema={"enum": ["true", "false"]},
)
_BULK: Final = (
    f"At most {MOST_ROWS:,} rows; what follows is refused by one last line. Results come while rows still go in."
    " Sent again under the same key, rows that were recorded get their original answer with status 200, so an"
    " interrupted stream is continued by sending it again. In a CSV a column is a field's name; a list of objects is"
    " one column of JSON or columns such as `items.0.sku`; an empty cell is an absent field. Results are CSV if"
    " Accept prefers it."
)
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
        problems=(410,),
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
        parameters=(IDEMPOTENCY, _DRY_RUN),
        body=Content(f"A {noun} a line, or a CSV with a header.", media=(NDJSON, CSV)),
        answers={
            200: Content("A result a line, in the same order; each is a BulkLine.", BulkLine, (NDJSON, CSV))
        },
        summary=f"Record a stream of {word} and get a line about each.",
        description=_BULK,
    )
    def record_rows(org: str) -> Response:
        caller = required_caller(org, scope=Scope.RECORDS_WRITE)
        key = check_idempotency_key(request.headers.get("Idempotency-Key"))
        dry_run = parse_switch(request.args.get("dry_run"), name="dry_run")
        check_media((NDJSON, CSV))
        # A stream has no greatest length, a line has. (None would mean the application's limit.)
        request.max_content_length = sys.maxsize
        here = service()
        log = here.log_of(caller.org.id, kind.collection)
        rows = Rows(Body(request.stream, length=request.content_length), kind, media=request.mimetype)
        write = here.preview_rows if dry_run else here.record_rows
        results = write(BulkRequest(log.target, kind, key, rows.lines()))
        media = CSV if request.accept_mimetypes.best_match((NDJSON, CSV)) == CSV else NDJSON
        told = Results(rows, origin=log.origin, media=media)
        return Response(run_aside(lambda spool: told.write(results, spool)), content_type=media)

    path = f"/v1/orgs/<org>/{word}"
    blueprint.post(path, endpoint=f"record_{noun}")(record)
    blueprint.post(f"{path}/bulk", endpoint=f"record_{word}")(record_rows)


for _kind in KINDS.all():
    if _kind.word is not None:
        _offer(_kind, _kind.word)


def answer(outcome: Recorded | Pending) -> Response:
    """What a writer of one record gets: its receipt, or the promise of it."""
    headers = {"Location": f"/v1/records/{outcome.id}", "Record-Id": outcome.id}
    if isinstance(outcome, Pending):
        document = {"id": outcome.id, "stage": "accepted", "acceptance": outcome.acceptance.decode()}
        return json_answer(document, status=202, headers=headers)
    status = 200 if outcome.repeated else 201
    return bytes_answer(outcome.receipt, status=status, media=RECEIPT, headers=headers)
