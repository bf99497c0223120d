"""What may happen to records later: a refund, a revocation, a new version, a correction, an erasure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from scripts.agency_files import EMPLOYMENT, revised_employment
from scripts.demo_calls import ORG, SCHOOL, say
from scripts.demo_checks import check_both_ways, fetch_evidence, verify_offline

if TYPE_CHECKING:
    from scripts.demo_service import DemoService


def refund(service: DemoService, record: str, purchase: dict[str, Any]) -> None:
    """The shop gives back what one purchase cost."""
    say(f"The shop refunds {purchase['currency']} {purchase['amount_minor'] / 100:.2f} of one purchase:")
    _show(service, ORG, record, "before", "valid")
    body = {
        "purchase": record,
        "refund_number": f"R-{purchase['order_number']}",
        "amount_minor": purchase["amount_minor"],
        "currency": purchase["currency"],
        "refunded_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "returned",
    }
    service.write(f"/v1/orgs/{ORG}/refunds", body, org=ORG, name="refund")
    _show(service, ORG, record, "after", "refunded")


def revoke(service: DemoService, record: str) -> None:
    """The school takes one completion back, for good."""
    say("The school revokes one completion:")
    _show(service, SCHOOL, record, "before", "valid")
    body = {"state": "revoked", "reason": "integrity"}
    service.write(f"/v1/records/{record}/status", body, org=SCHOOL, name="revoke")
    _show(service, SCHOOL, record, "after", "revoked")


def supersede(service: DemoService, record: str) -> None:
    """The agency notarizes a new version of a data set."""
    content = revised_employment()
    (service.folder / EMPLOYMENT.org / EMPLOYMENT.name).write_bytes(content)
    say(f"The agency supersedes {EMPLOYMENT.name} by a version without its calculated column:")
    _show(service, EMPLOYMENT.org, record, "before", "valid")
    payload = EMPLOYMENT.dataset(content, supersedes=record)
    path = f"/v1/orgs/{EMPLOYMENT.org}/datasets"
    newer = service.write(path, payload, org=EMPLOYMENT.org, name="supersede").record
    _show(service, EMPLOYMENT.org, record, "after", "superseded")
    _show(service, EMPLOYMENT.org, newer, "the new one", "valid")


def correct(service: DemoService, record: str, completion: dict[str, Any]) -> None:
    """The school entered a wrong result; the right one takes its place and nothing is overwritten."""
    right = "pass" if completion["result"] == "distinction" else "distinction"
    say(f"The school corrects one completion from {completion['result']} to {right}:")
    _show(service, SCHOOL, record, "before", "valid")
    body = {"reason": "entered_in_error", "replacement": completion | {"result": right}}
    path = f"/v1/records/{record}/correction"
    newer = service.write(path, body, org=SCHOOL, name="correct").record
    _show(service, SCHOOL, record, "after", "superseded")
    _show(service, SCHOOL, newer, "the right one", "valid")


def erase(service: DemoService, record: str, buyer: str) -> None:
    """One customer asks to be forgotten: contents go, proofs stay."""
    say(f"The customer {buyer} asks to be forgotten; one of the purchases:")
    _show(service, ORG, record, "before", "valid")
    _show_contents(service, record, "before", HTTPStatus.OK)
    given = fetch_evidence(service, ORG, record, fields="all")
    path = f"/v1/orgs/{ORG}/subjects/{buyer}/erase"
    certificate = service.write(path, {"reason": "subject_request"}, org=ORG, name="erase").body
    erased = json.loads(certificate)["records"]
    (service.folder / ORG / "erasure.json").write_bytes(certificate)
    (service.folder / ORG / "given-before.json").write_bytes(given)
    say(f"    {'after':<13}  {check_both_ways(service, ORG, record, expect='valid', fields='')}")
    _show_contents(service, record, "after", HTTPStatus.GONE)
    said = verify_offline(service, ORG, "given-before.json", expect=0)
    say(
        f"    The contents of {erased} purchases are destroyed; their proofs stay. Evidence given away before"
    )
    say(f"    still shows what it showed. {said}\n")


def _show(service: DemoService, org: str, record: str, when: str, expect: str) -> None:
    say(f"    {when:<13}  {check_both_ways(service, org, record, expect=expect)}")


def _show_contents(service: DemoService, record: str, when: str, expect: HTTPStatus) -> None:
    answer = service.call("GET", f"/v1/records/{record}/payload")
    if answer.status != expect:
        raise SystemExit(f"the contents were answered with {answer.status}: {answer.body.decode()}")
    contents = json.loads(answer.body)
    said = contents.get("detail") or f"{contents['buyer']} paid {contents['amount_minor'] / 100:.2f} ..."
    say(f"    {when:<13}  contents: {answer.status} {said}")
