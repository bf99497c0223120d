"""Writing on the operator's pages: one record by a form, many by a file that is tried dry first."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from apiflask import APIBlueprint
from flask import Response, redirect, request

from api.errors import format_problem, status_of
from api.parsing import check_idempotency_key
from api.routes.pages_home import sign_in_first
from api.rows import CSV, NDJSON, Results, Rows
from api.service import service
from api.web.forms import check_form, required_session
from api.web.languages import noted as _
from api.web.record_forms import FIELDS, ITEM_FIELDS, ITEM_ROWS, read_payload
from api.web.rendering import check_language, link, page
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BadRequestError, LedgerError, NotFoundError, UnauthenticatedError
from ledger_service.log.bulk_writer import BulkRequest
from ledger_service.records.intake import Submission
from ledger_service.records.preparation import IdempotencyKey
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from werkzeug.datastructures import FileStorage
    from werkzeug.wrappers import Response as AnyResponse

    from ledger_service.accounts.sessions import Session
    from ledger_service.records.kinds import FieldProblem, Kind

blueprint = APIBlueprint("pages_write", __name__, enable_openapi=False)
blueprint.before_request(check_language)
blueprint.register_error_handler(UnauthenticatedError, sign_in_first)

_KINDS: Final[Mapping[str, Kind]] = {kind.word: kind for kind in KINDS.all() if kind.word is not None}
# A browser holds the whole answer of a form; what is larger goes through the API or the command line.
_LARGEST_FILE: Final = 64 << 20
_SHOWN_FAILURES: Final = 100


@dataclass(slots=True)
class Tally:
    """What became of a file's rows. `failures` are the first that were refused; `refused` counts them all."""

    dry: bool
    file_name: str
    digest: str
    taken: int = 0
    repeated: int = 0
    waiting: int = 0
    refused: int = 0
    failures: list[dict[str, object]] = field(default_factory=list)

    def count(self, lines: Iterable[dict[str, object]]) -> None:
        """Take every line in."""
        for line in lines:
            status = line["status"]
            if "code" in line:
                self.refused += 1
                if len(self.failures) < _SHOWN_FAILURES:
                    self.failures.append(line)
            elif status == 200:  # noqa: PLR2004  the original answer, once more
                self.repeated += 1
            else:
                self.taken += 1
                self.waiting += line.get("stage") == "accepted"


@blueprint.get("/home/record/<word>")
def one(word: str) -> Response:
    """Offer the form of one kind."""
    session = required_session(Scope.RECORDS_WRITE)
    return _form(session, _check_word(word), filled={}, problem=None)


@blueprint.post("/home/record/<word>")
def record_one(word: str) -> AnyResponse:
    """Record what a form says. The same form sent twice records once."""
    session = check_form(Scope.RECORDS_WRITE)
    kind = _KINDS[_check_word(word)]
    here = service()
    filled = request.form.to_dict()
    try:
        key = check_idempotency_key(filled.get("once"))
        parsed = kind.parse(read_payload(kind, word, filled), here.clock.now())
        log = here.log_of(session.caller.org.id, kind.collection)
        made = here.record(Submission(log.target, kind, parsed, IdempotencyKey(key)))
    except LedgerError as error:
        return _form(session, word, filled=filled, problem=error)
    answer = redirect(link(f"/home/records/{made.id}"), code=303)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@blueprint.get("/home/import")
def offer_import() -> Response:
    """Offer to import a file."""
    session = required_session(Scope.RECORDS_WRITE)
    return _import_page(session, tally=None, problem=None)


@blueprint.post("/home/import")
def import_file() -> Response:
    """Try a file dry, or record it once it was tried.

    The file comes with each of the two requests and is not kept between them: nothing unsealed lies about. What is
    recorded must be what was tried, by its digest. The same file again records nothing twice.
    """
    session = check_form(Scope.RECORDS_WRITE, largest=_LARGEST_FILE)
    try:
        word = _check_word(request.form.get("kind", ""))
        upload = request.files.get("file")
        if upload is None or not upload.filename:
            raise BadRequestError(_("Choose a file first."))
        tally = _import(session, word, upload)
    except NotFoundError:
        raise
    except LedgerError as error:
        return _import_page(session, tally=None, problem=error)
    return _import_page(session, tally=tally, problem=None)


def _import(session: Session, word: str, upload: FileStorage) -> Tally:
    digest = hashlib.file_digest(upload.stream, "sha256").hexdigest()  # type: ignore[arg-type]  # a spooled file
    upload.stream.seek(0)
    dry = request.form.get("action") != "record"
    if not dry and request.form.get("checked") != digest:
        raise BadRequestError(_("This is not the file that was checked. Check it first, then record it."))
    here = service()
    kind = _KINDS[word]
    log = here.log_of(session.caller.org.id, kind.collection)
    name = upload.filename or ""
    rows = Rows(upload.stream, kind, media=CSV if name.lower().endswith(".csv") else NDJSON)
    asked = BulkRequest(log.target, kind, f"page-{word}-{digest}", rows.lines())
    results = here.preview_rows(asked) if dry else here.record_rows(asked)
    tally = Tally(dry=dry, file_name=name, digest=digest)
    tally.count(Results(rows, origin=log.origin, media=NDJSON).lines(results))
    return tally


def _import_page(session: Session, *, tally: Tally | None, problem: LedgerError | None) -> Response:
    # htmx replaces the result alone, so that the chosen file stays chosen.
    part = request.headers.get("HX-Request") == "true"
    return page(
        "_import_result.html" if part else "import.html",
        status=200 if problem is None or part else status_of(problem),
        cache=None,
        session=session,
        words=tuple(_KINDS),
        chosen=request.form.get("kind", ""),
        tally=tally,
        shown=_SHOWN_FAILURES,
        problem=None if problem is None else problem.text,
    )


def _form(session: Session, word: str, *, filled: Mapping[str, str], problem: LedgerError | None) -> Response:
    problems: dict[str, str] = {}
    sentence = None
    if problem is not None:
        told = format_problem(problem)
        sentence = str(told["detail"])
        for each in cast("list[FieldProblem]", problem.details.get("fields", [])):
            name = each["field"].replace("[", ".").replace("]", "")
            problems.setdefault(name, each["problem"])
    return page(
        "record_form.html",
        status=200 if problem is None else status_of(problem),
        cache=None,
        session=session,
        word_=word,
        words=tuple(_KINDS),
        fields=FIELDS[word],
        item_fields=ITEM_FIELDS,
        item_rows=ITEM_ROWS,
        filled=filled,
        problems=problems,
        sentence=sentence,
        once=filled.get("once") or secrets.token_urlsafe(18),
        now=service().clock.now(),
    )


def _check_word(word: str) -> str:
    if word not in _KINDS:
        raise NotFoundError
    return word
