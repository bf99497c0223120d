"""A record on paper: what is known of it as PDF/A-3, with the evidence inside and a code that leads to its page.

Paper convinces nobody by itself, and says so: what proves is the evidence that is attached to the file, and the page
behind the code. The fields that are shown are those that the evidence discloses, and no others.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import segno
from flask import render_template
from markupsafe import Markup

from api.web.languages import gettext
from api.web.languages import noted as _
from api.web.record_forms import FIELDS, ITEM_FIELDS
from api.web.record_page import site
from ledger_service.errors import OverloadedError, PapersUnavailableError
from ledger_service.marketplace.currencies import MINOR_UNITS
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from api.web.record_page import RecordPage
    from ledger_service.proofs.canonical import JsonValue
    from ledger_service.proofs.verdict import Verdict

EVIDENCE_NAME: Final = "evidence.json"
# The level that keeps the text, its order and the evidence for good, and can be read aloud (ISO 19005-3, level A).
_VARIANT: Final = "pdf/a-3a"
_STYLE: Final = Path(__file__).parent / "static/own/paper.css"
_MINOR: Final = "_minor"
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
# Drawing takes half a second of one core: whoever comes when others wait this long already is turned away.
_WAIT_S: Final = 5.0
_one_at_a_time = threading.Lock()


def draw_paper(page: RecordPage, evidence: bytes) -> bytes:
    """Return the PDF of a published record with its evidence, which `page` shows, attached as `evidence.json`.

    Raises PapersUnavailableError where the machine lacks the libraries, and OverloadedError.
    """
    weasyprint = _load()
    assert page.proof is not None, "only what was published has evidence"
    address = f"{site()}/records/{page.state.id}"
    text = render_template(
        "paper.html",
        record=page,
        address=address,
        code=Markup(segno.make(address, error="m").svg_inline(border=0, omitsize=True)),  # noqa: S704  drawn by us
        shown=_say_fields(page, _shown(page.proof.verdict)),
        public=_say_fields(page, page.public),
    )
    if not _one_at_a_time.acquire(timeout=_WAIT_S):
        raise OverloadedError(waiting=1)
    try:
        attachment = weasyprint.Attachment(
            string=evidence, name=EVIDENCE_NAME, description="audit-ledger evidence", relationship="Data"
        )
        # A paper holds all that it shows: nothing is fetched from any address.
        nowhere = weasyprint.urls.URLFetcher(allowed_protocols=())
        document = weasyprint.HTML(string=text, url_fetcher=nowhere)
        drawn: bytes = document.write_pdf(
            stylesheets=[weasyprint.CSS(filename=_STYLE)],
            attachments=[attachment],
            pdf_variant=_VARIANT,
            pdf_identifier=page.state.leaf,
        )
    finally:
        _one_at_a_time.release()
    return drawn


def _shown(verdict: Verdict) -> Mapping[str, JsonValue]:
    """The private fields that opened the commitment."""
    shown = {} if verdict.record is None else verdict.record["fields"]
    assert isinstance(shown, dict)
    return shown


def _say_fields(page: RecordPage, fields: Mapping[str, JsonValue]) -> list[tuple[str, list[str]]]:
    """Fields in the order in which people fill them in, by the labels of those forms, each with its lines."""
    labels = {field.name: field.label for field in FIELDS.get(_word_of(page.state.kind), ())} | _PUBLIC
    known = [name for name in labels if name in fields]
    names = (*known, *sorted(fields.keys() - labels.keys()))
    currency = fields.get("currency")
    return [(gettext(labels.get(name, name)), _say(name, fields[name], currency)) for name in names]


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
                f"{labels.get(key, key)}: {', '.join(_say(key, value[key], currency))}" for key in names
            )
        ]
    if name.endswith(_MINOR) and isinstance(value, int) and currency in MINOR_UNITS:
        return [say_amount(value, str(currency))]
    return [str(value)]


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
