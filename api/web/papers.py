"""Papers as PDF/A-3: a record with its evidence inside, and a verification with its signed report inside.

Both have a code that leads to the record's page. Paper convinces nobody by itself, and says so: what proves is the
evidence that is attached to the file, and the page behind the code. The fields that are shown are those that the
evidence discloses, and no others.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import segno
from flask import render_template
from markupsafe import Markup

from api.web.languages import gettext
from api.web.languages import noted as _
from api.web.record_forms import FIELDS, ITEM_FIELDS
from api.web.record_page import site
from ledger_service.errors import MalformedError, OverloadedError, PapersUnavailableError, PaperTooLongError
from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.proofs.canonical import decode_base64url
from ledger_service.proofs.note import format_vkey
from ledger_service.proofs.verdict import PASS, people_words, printable
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.web.record_page import RecordPage
    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.verdict import Verdict
    from ledger_service.verification.reports import Reported

EVIDENCE_NAME: Final = "evidence.json"
REPORT_NAME: Final = "report.json"
_INSIDE: Final = {
    EVIDENCE_NAME: "audit-ledger evidence",
    REPORT_NAME: "audit-ledger report of a verification",
}
# The level that keeps the text, its order and the evidence for good, and can be read aloud (ISO 19005-3, level A).
_VARIANT: Final = "pdf/a-3a"
_STYLE: Final = Path(__file__).parent / "static/own/paper.css"
_MINOR: Final = "_minor"
# Digests stand in base64url in entries, and in hexadecimal wherever people compare them.
_DIGESTS: Final = ("_sha256", "_sm3")
# What stands in entries for everybody, and in no form under this name.
_PUBLIC: Final = {
    "extent": _("Extent"),
    "published_sha256": _("SHA-256 of the file"),
    "published_size_bytes": _("Size in bytes"),
    "published_sm3": _("SM3 of the file"),
    "reason": _("Reason"),
    "since": _("Since"),
    "state": _("New status"),
}
# Drawing takes half a second of one core. Who would wait longer than this, or as one of too many, is turned away.
_WAIT_S: Final = 5.0
_one_at_a_time = threading.Lock()
_waiting = threading.BoundedSemaphore(4)
# More than anybody reads on paper: a page holds about 3,000 characters, and each of them costs time.
MOST_CHARACTERS: Final = 50_000
MOST_LINES: Final = 2_000


def draw_paper(page: RecordPage, evidence: bytes) -> bytes:
    """Return the PDF of a published record with its evidence, which `page` shows, attached as `evidence.json`.

    Raises PapersUnavailableError where the machine lacks the libraries, and OverloadedError.
    """
    assert page.proof is not None, "only what was published has evidence"
    address = f"{site()}/records/{page.state.id}"
    text = _render("paper.html", page.proof.verdict, address=address, record=page)
    return _draw(text, {EVIDENCE_NAME: evidence}, identifier=page.state.leaf)


def draw_report(reported: Reported, evidence: bytes) -> bytes:
    """Return the PDF of a verification with its signed report attached as `report.json`.

    What could be read as evidence is attached as well. Raises as `draw_paper` does.
    """
    verdict = reported.verdict
    address = None
    if verdict.record is not None and reported.report.policy is not None:
        address = f"{site()}/records/{verdict.record['id']}"
    vkey = format_vkey(reported.vkey)
    text = _render("report.html", verdict, address=address, site=site(), report=reported.report, vkey=vkey)
    inside = {REPORT_NAME: reported.document}
    if verdict.steps[0].outcome == PASS:
        inside[EVIDENCE_NAME] = evidence
    return _draw(text, inside, identifier=sha256(reported.document).digest())


def _render(template: str, verdict: Verdict, *, address: str | None, **more: object) -> str:
    """The paper of a verdict as HTML, with a code that leads to `address` if there is one."""
    kind = "" if verdict.record is None else str(verdict.record["kind"])
    return render_template(
        template,
        verdict=verdict,
        people=people_words(verdict.result),
        address=address,
        code=None if address is None else _code(address),
        shown=_say_fields(kind, _part(verdict, "fields")),
        public=_say_fields(kind, _part(verdict, "public")),
        **more,
    )


def _draw(text: str, inside: Mapping[str, bytes], *, identifier: bytes) -> bytes:
    weasyprint = _load()
    with _turn():
        attachments = [
            weasyprint.Attachment(string=data, name=name, description=_INSIDE[name], relationship="Data")
            for name, data in inside.items()
        ]
        # A paper holds all that it shows: nothing is fetched from any address.
        nowhere = weasyprint.urls.URLFetcher(allowed_protocols=())
        document = weasyprint.HTML(string=text, url_fetcher=nowhere)
        drawn: bytes = document.write_pdf(
            stylesheets=[weasyprint.CSS(filename=_STYLE)],
            attachments=attachments,
            pdf_variant=_VARIANT,
            pdf_identifier=identifier,
        )
    return drawn


@contextmanager
def _turn() -> Iterator[None]:
    """The one turn to draw; raises OverloadedError."""
    if not _waiting.acquire(blocking=False):
        raise OverloadedError(waiting=4)
    try:
        if not _one_at_a_time.acquire(timeout=_WAIT_S):
            raise OverloadedError(waiting=1)
        try:
            yield
        finally:
            _one_at_a_time.release()
    finally:
        _waiting.release()


def _code(address: str) -> Markup:
    return Markup(segno.make(address, error="m").svg_inline(border=0, omitsize=True))  # noqa: S704  drawn by us


def _part(verdict: Verdict, name: str) -> Mapping[str, JsonValue]:
    """The public fields of the record, or (`fields`) the private ones that opened the commitment."""
    part = {} if verdict.record is None else verdict.record[name]
    assert isinstance(part, dict)
    return part


def _say_fields(kind: str, fields: Mapping[str, JsonValue]) -> list[tuple[str, list[str]]]:
    """Fields in the order in which people fill them in, by the labels of those forms, each with its lines.

    Raises PaperTooLongError.
    """
    labels = {field.name: field.label for field in FIELDS.get(_word_of(kind), ())} | _PUBLIC
    known = [name for name in labels if name in fields]
    names = (*known, *sorted(fields.keys() - labels.keys()))
    currency = fields.get("currency")
    said = [(gettext(labels.get(name, name)), _say(name, fields[name], currency)) for name in names]
    lines = [line for _label, each in said for line in each]
    if len(lines) > MOST_LINES or sum(map(len, lines)) > MOST_CHARACTERS:
        raise PaperTooLongError(limit=MOST_CHARACTERS)
    return said


def _word_of(kind: str) -> str:
    words = {each.name: each.word for each in KINDS.all()}
    return words.get(kind) or ""


def _say(name: str, value: JsonValue, currency: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [line for each in value for line in _say(name, each, currency)]
    if isinstance(value, dict):
        labels = {field.name: gettext(field.label) for field in ITEM_FIELDS}
        names = [*(each for each in labels if each in value), *sorted(value.keys() - labels.keys())]
        return [
            " · ".join(
                f"{labels.get(key, printable(key))}: {', '.join(_say(key, value[key], currency))}"
                for key in names
            )
        ]
    # What a stranger's evidence shows may be of any type under any name.
    if name.endswith(_MINOR) and type(value) is int and isinstance(currency, str) and currency in MINOR_UNITS:
        return [say_amount(value, currency)]
    if name.endswith(_DIGESTS) and isinstance(value, str):
        with suppress(MalformedError):
            return [decode_base64url(value).hex()]
    return [printable(str(value))]


def say_amount(minor: int, currency: str) -> str:
    """An amount in minor units as people write it: 1234 is 12.34 USD, 1234 JPY, 1.234 KWD."""
    places = MINOR_UNITS[currency]
    sign, digits = "-" if minor < 0 else "", str(abs(minor)).zfill(places + 1)
    whole = digits[:-places] if places else digits
    return f"{sign}{whole}{'.' + digits[-places:] if places else ''} {currency}"


@cache
def _load() -> Any:
    """WeasyPrint, which needs libraries of the system; loaded when the first paper is asked for."""
    try:
        import weasyprint  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise PapersUnavailableError(missing=str(error).partition(":")[0][:100]) from None
    return weasyprint
