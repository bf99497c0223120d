"""The operator's home: signed in with an API key, what an organization's ledger does now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, get_args

from apiflask import APIBlueprint
from flask import Response, redirect, request

from api.answers import bytes_answer
from api.parsing import parse_choice
from api.routes.pages_logs import summarize
from api.routes.recording import RECEIPT
from api.service import edge, service
from api.shapes import Stage, State
from api.web.forms import (
    check_form,
    check_sign_in,
    forget,
    keep_offer,
    keep_session,
    offer_sign_in,
    required_session,
    session_text,
)
from api.web.rendering import check_language, link, page
from ledger_service.accounts.scopes import Scope
from ledger_service.errors import BadRequestError, PayloadMissingError, UnauthenticatedError
from ledger_service.verification.finder import Wanted
from ledger_service.verification.growth import newest_anchors, read_backlog

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response as AnyResponse

    from api.routes.pages_logs import LogSummary
    from ledger_service.accounts.sessions import Session
    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.verification.growth import AnchorPoint, Backlog

blueprint = APIBlueprint("pages_home", __name__, enable_openapi=False)
blueprint.before_request(check_language)

_STAGES: Final = get_args(Stage)
_STATES: Final = get_args(State)
_PAGE: Final = 25
_ANCHORS: Final = 8
_LONGEST_REFERENCE: Final = 256


@dataclass(frozen=True, slots=True)
class LogDesk:
    """One log of the organization: what it holds, how far that has come, and how long the chain is behind."""

    summary: LogSummary
    backlog: Backlog
    waits_s: int | None


@dataclass(frozen=True, slots=True)
class PaidAnchor:
    """An anchor and what it cost; `gas` is None where the node does not say."""

    collection: str
    point: AnchorPoint
    gas: int | None


@blueprint.errorhandler(UnauthenticatedError)
def sign_in_first(error: UnauthenticatedError) -> Response:
    """Whoever is not signed in gets the form that signs in, whatever was asked."""
    del error
    return _sign_in_page(status=401)


@blueprint.get("/home")
def home() -> Response:
    """Show how the organization's logs are, or the form that signs in."""
    try:
        session = required_session()
    except UnauthenticatedError:
        return _sign_in_page(status=200)
    return page(
        "home.html",
        cache=None,
        session=session,
        anchors=_paid_anchors(session),
        sessions=service().sessions.open_of(session.caller),
        **_health(session),
    )


@blueprint.get("/home/health")
def health() -> Response:
    """The part of the home that changes by itself."""
    session = required_session()
    return page("_health.html", cache=None, session=session, **_health(session))


@blueprint.post("/home/sign-in")
def sign_in() -> AnyResponse:
    """Begin a session with an API key. A session that this browser had before ends."""
    check_sign_in()
    limits = edge().limits
    key = request.form.get("key", "").strip()
    limits.check_guess(key)
    try:
        text = service().sessions.begin(key)
    except UnauthenticatedError:
        limits.note_bad(key)
        return _sign_in_page(status=401, refused=True)
    limits.note_good(key)
    _end_quietly()
    return keep_session(_see("/home"), text)


@blueprint.post("/home/sign-out")
def sign_out() -> AnyResponse:
    """End this session on the server, and tell the browser to forget what it kept of us."""
    check_form()
    service().sessions.end(session_text())
    return _forgetting()


@blueprint.post("/home/sign-out-everywhere")
def sign_out_everywhere() -> AnyResponse:
    """End every session of this key; the key is asked for again, as whoever found a screen open has none."""
    session = check_form()
    caller = service().api_keys.authenticate(request.form.get("key", "").strip())
    if caller.key != session.caller.key:
        raise UnauthenticatedError
    service().sessions.end_all(caller)
    return _forgetting()


@blueprint.get("/home/records")
def records() -> Response:
    """List the organization's own records by filters."""
    session = required_session(Scope.RECORDS_READ)
    here = service()
    asked = {name: text for name, text in request.args.items() if text}
    kind, reference = asked.get("kind"), asked.get("ref")
    if reference is not None and len(reference) > _LONGEST_REFERENCE:
        raise BadRequestError(f"ref must have 1 to {_LONGEST_REFERENCE} characters.")
    wanted = Wanted(
        kinds=[each.name for each in here.kinds.all()] if kind is None else [here.kinds.get(kind).name],
        stage=parse_choice(asked.get("stage"), name="stage", known=_STAGES),
        status=parse_choice(asked.get("status"), name="status", known=_STATES),
        reference=reference,
        since=_parse_day(asked.get("from"), name="from"),
        until=_parse_day(asked.get("to"), name="to", through=True),
    )
    found = here.finder.find(wanted, org_id=session.caller.org.id, cursor=asked.get("cursor"), limit=_PAGE)
    return page(
        "own_records.html",
        cache=None,
        session=session,
        found=found,
        asked=asked,
        kinds=[each.name for each in here.kinds.all()],
        stages=_STAGES,
        states=_STATES,
    )


@blueprint.get("/home/records/<record_id>")
def own_record(record_id: str) -> Response:
    """Show one of the organization's own records with its private fields."""
    session = required_session(Scope.RECORDS_READ)
    here = service()
    fields: Mapping[str, JsonValue] | None
    try:
        fields = here.archive.payload(record_id, org_id=session.caller.org.id)
    except PayloadMissingError:
        fields = None
    return page(
        "own_record.html", cache=None, session=session, state=here.archive.state(record_id), fields=fields
    )


@blueprint.get("/home/records/<record_id>/receipt")
def own_receipt(record_id: str) -> Response:
    """Give the receipt of one of the organization's own records as a file."""
    session = required_session(Scope.RECORDS_READ)
    found = service().archive.receipt(record_id, org_id=session.caller.org.id)
    named = {"Content-Disposition": 'attachment; filename="receipt.json"'}
    return bytes_answer(found, media=RECEIPT, headers=named)


def _sign_in_page(*, status: int, refused: bool = False) -> Response:
    token = offer_sign_in()
    return keep_offer(page("sign_in.html", status=status, cache=None, token=token, refused=refused))


def _health(session: Session) -> dict[str, Any]:
    here = service()
    now = here.clock.now()
    desks = []
    for log in here.logs.logs():
        if log.org_id == session.caller.org.id:
            with here.database.read() as conn:
                backlog = read_backlog(conn, log.id)
            since = backlog.published_since
            waits = None if since is None else max(0, int(now.timestamp()) - since)
            desks.append(LogDesk(summarize(log), backlog, waits))
    return {"ready": here.readiness(), "desks": desks, "now": now}


def _paid_anchors(session: Session) -> list[PaidAnchor]:
    here = service()
    found: list[tuple[str, AnchorPoint]] = []
    for log in here.logs.logs():
        if log.org_id == session.caller.org.id:
            with here.database.read() as conn:
                found += [(log.collection, each) for each in newest_anchors(conn, log.id, most=_ANCHORS)]
    newest = sorted(found, key=lambda each: each[1].time, reverse=True)[:_ANCHORS]
    return [PaidAnchor(collection, point, here.gas_used(point.tx_hash)) for collection, point in newest]


def _parse_day(text: str | None, *, name: str, through: bool = False) -> datetime | None:
    """The beginning of a day, or with `through` its end; raises BadRequestError."""
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return day + timedelta(days=1) if through else day
    except (ValueError, OverflowError):
        raise BadRequestError(f"{name} must be a day such as 2026-11-22.") from None


def _see(path: str) -> Response:
    answer = redirect(link(path), code=303)
    assert isinstance(answer, Response)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _forgetting() -> Response:
    answer = forget(_see("/home"))
    # The back button must not show what was on the screen (ASVS 7.4.1).
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _end_quietly() -> None:
    """End the session that this browser had before it signed in again."""
    try:
        service().sessions.end(session_text())
    except UnauthenticatedError:
        return
