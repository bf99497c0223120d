"""Recording on the operator's pages: one by a form, many by a file that is tried first."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest

from api.bodies import BODIES
from api.web.record_forms import FIELDS, ITEM_FIELDS, columns_of
from ledger_service.credentials.completions import EXAMPLE_COMPLETION
from ledger_service.government.datasets import EXAMPLE_DATASET
from ledger_service.wiring.kinds import KINDS
from tests.support.http_ledger import purchase
from tests.unit.api.home import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.test import TestResponse

    from tests.unit.api.conftest import Desk

WORDS = {kind.word: kind for kind in KINDS.all() if kind.word is not None}


@pytest.fixture
def operator(desk: Desk) -> Operator:
    """Someone signed in with the shop's key."""
    signed_in = Operator(desk)
    signed_in.sign_in()
    signed_in.see("/home")
    return signed_in


def filled(payload: Mapping[str, object]) -> dict[str, str]:
    """A payload as somebody fills it into the form."""
    form: dict[str, str] = {}
    for name, value in payload.items():
        if isinstance(value, list):
            for row, item in enumerate(value):
                form |= {f"{name}.{row}.{member}": str(each) for member, each in item.items()}
        else:
            form[name] = str(value)
    return form


def send(operator: Operator, word: str, payload: Mapping[str, object], **form: str) -> TestResponse:
    """Open the form of a kind and send it filled."""
    page = operator.see(f"/home/record/{word}")
    once = re.search(r'name="once" value="([^"]+)"', page.text)
    assert once
    return operator.send(f"/home/record/{word}", {"once": once[1], **filled(payload), **form})


def upload(operator: Operator, content: bytes, *, name: str = "rows.ndjson", **form: str) -> TestResponse:
    """Send a file of purchases."""
    sent = {"kind": "purchases", "file": (io.BytesIO(content), name), **form}
    return operator.send("/home/import", sent)


def figures(reply: TestResponse) -> list[str]:
    """The counts that an import told."""
    return re.findall(r"<dd>(\d+)</dd>", reply.text)


@pytest.mark.parametrize("word", WORDS)
def test_a_form_has_the_fields_of_its_kind(word: str) -> None:
    """No field of the kind is missing in its form, and none is there that the kind does not take."""
    described = BODIES[WORDS[word].name].model_fields
    assert {field.name for field in FIELDS[word]} == set(described)
    assert {field.name for field in FIELDS[word] if field.required or field.name == "items"} == {
        name for name, field in described.items() if field.is_required()
    }
    if "items" in described:
        assert {field.name for field in ITEM_FIELDS} == {"sku", "quantity", "amount_minor"}
    assert len(set(columns_of(word))) == len(columns_of(word))


@pytest.mark.parametrize(
    ("word", "payload"),
    [
        ("purchases", purchase("by-form", items=[{"sku": 'a,b"c', "quantity": 2, "amount_minor": 4848}])),
        ("completions", {**EXAMPLE_COMPLETION, "course_title": '=1+1, "quoted" 数据'}),
        ("datasets", dict(EXAMPLE_DATASET)),
    ],
)  # fmt: skip
def test_a_filled_form_records_what_it_says(
    operator: Operator, desk: Desk, word: str, payload: dict[str, object]
) -> None:
    """The private fields of the record are exactly those of the form."""
    reply = send(operator, word, payload)
    assert reply.status_code == 303, reply.text
    record = reply.headers["Location"].rpartition("/")[2]
    assert json.loads(desk.get(f"/v1/records/{record}/payload", key=desk.key).data) == payload
    shown = operator.see(reply.headers["Location"]).text
    assert all(name in shown for name in payload)


def test_a_form_sent_twice_records_once(operator: Operator) -> None:
    """The second click leads to the record of the first."""
    page = operator.see("/home/record/purchases")
    once = re.search(r'name="once" value="([^"]+)"', page.text)
    assert once
    form = {"once": once[1], **filled(purchase("twice"))}
    places = {operator.send("/home/record/purchases", form).headers["Location"] for _ in range(3)}
    assert len(places) == 1


def test_a_form_with_mistakes_comes_back_with_them_and_what_was_filled_in(operator: Operator) -> None:
    """Every mistake stands at its field, nothing is recorded, and nothing has to be typed again."""
    reply = send(
        operator, "purchases", purchase("with mistakes", currency="XXX", buyer=" ", amount_minor="1.5")
    )
    assert reply.status_code == 422
    assert 'value="with mistakes"' in reply.text
    assert reply.text.count('aria-invalid="true"') == 3
    assert "must be a current ISO 4217 code" in reply.text
    chinese = operator.send(
        "/home/record/purchases?lang=zh", {"once": "x", **filled(purchase("x", currency="XXX"))}
    )
    assert "必须是现行的 ISO 4217 代码" in chinese.text
    assert operator.see("/home/record/nothing").status_code == 404
    assert operator.send("/home/record/nothing", {"once": "x"}).status_code == 404


def test_a_file_is_tried_before_it_is_recorded(operator: Operator, desk: Desk) -> None:
    """The dry run tells what can be recorded and stores nothing; recording takes exactly the file that was tried."""
    rows = [purchase(f"file-{number}") for number in range(3)] + [purchase("bad", currency="XXX")]
    content = b"\n".join(json.dumps(row).encode() for row in rows)
    tried = upload(operator, content, action="check")
    assert figures(tried) == ["3", "0", "1"]
    assert "must be a current ISO 4217 code" in tried.text
    found = "/v1/orgs/shop/records?ref=file-0"
    assert json.loads(desk.get(found, key=desk.key).data)["records"] == []
    checked = re.search(r'name="checked" value="([0-9a-f]{64})"', tried.text)
    assert checked
    assert upload(operator, content + b"\n{}", action="record", checked=checked[1]).status_code == 400
    assert upload(operator, content, action="record").status_code == 400
    assert figures(upload(operator, content, action="record", checked=checked[1]))[::3] == ["3", "1"]
    assert len(json.loads(desk.get(found, key=desk.key).data)["records"]) == 1
    again = upload(operator, content, action="record", checked=checked[1])
    assert figures(again)[:2] == ["0", "3"]
    assert len(json.loads(desk.get(found, key=desk.key).data)["records"]) == 1


def test_a_csv_is_a_file_too(operator: Operator) -> None:
    """A header and rows, by the name's end; what is no CSV is said to be none."""
    row = filled(purchase("from csv"))
    content = f"{','.join(row)}\n{','.join(row.values())}\n".encode()
    assert figures(upload(operator, content, name="Rows.CSV", action="check")) == ["1", "0", "0"]
    broken = upload(operator, b"a b,c\n1,2\n", name="rows.csv", action="check")
    assert figures(broken) == ["0", "0", "1"]
    assert "no field&#39;s name" in broken.text


def test_with_scripts_only_the_result_comes_back(operator: Operator) -> None:
    """The part that htmx swaps in is no whole page."""
    sent = {"kind": "purchases", "action": "check", "file": (io.BytesIO(b"{}"), "rows.ndjson")}
    part = operator.send("/home/import", sent, HX_Request="true")
    assert "<html" not in part.text
    assert figures(part) == ["0", "0", "1"]
    assert "HX-Request" in part.headers["Vary"]


def test_a_form_without_a_file_says_so(operator: Operator) -> None:
    """Nothing chosen, a kind that there is not, a file over the limit."""
    assert "Choose a file first" in operator.send("/home/import", {"kind": "purchases"}).text
    assert upload(operator, b"{}", kind="nothing").status_code == 404
