"""Records on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from apiflask import APIBlueprint

from api.answers import bytes_answer
from api.operations import Content, Parameter, operation
from api.routes.records import FIELDS, read_evidence
from api.web.languages import LANGUAGES, PARAMETER
from api.web.papers import draw_paper
from api.web.record_page import read_record_page
from api.web.rendering import check_language

if TYPE_CHECKING:
    from flask import Response

blueprint = APIBlueprint("papers", __name__)
blueprint.before_request(check_language)

PDF: Final = "application/pdf"
LANGUAGE: Final = Parameter(
    PARAMETER, f"The language: {', '.join(LANGUAGES)}.", schema={"enum": list(LANGUAGES)}
)


@blueprint.get("/v1/records/<record_id>/paper")
@operation(
    blueprint,
    "recordPaper",
    tag="records",
    parameters=(FIELDS, LANGUAGE),
    problems=(403, 409, 410, 422),
    answers={200: Content("The record as PDF/A-3 with the evidence inside.", media=(PDF,))},
)
def paper(record_id: str) -> Response:
    """Give a record on paper: its verdict, its place, and its evidence as an attached file.

    `fields` works as it does for the evidence.
    """
    evidence = read_evidence(record_id)
    page = read_record_page(record_id, evidence=evidence)
    pdf = draw_paper(page, evidence)
    name = f'attachment; filename="{page.state.id}.pdf"'
    return bytes_answer(pdf, media=PDF, headers={"Content-Disposition": name})
