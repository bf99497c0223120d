"""Figures for Prometheus: who may read them, that they are true, and that they name nobody."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledger_service.chain.alarms import AlarmCode
from ledger_service.errors import SettingsError
from tests.support.http_ledger import purchase
from tests.unit.api.conftest import Desk, problem_of, resting_desk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from werkzeug.test import TestResponse

TOKEN = "operator-" + "t" * 32


def write_token(path: Path, text: str = TOKEN, *, mode: int = 0o600) -> Path:
    """A file with a token."""
    path.touch(mode=mode)
    path.write_text(text)
    return path


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Desk]:
    """A service whose operator has a token."""
    token = write_token(tmp_path / "token", f"{TOKEN}\n")
    with resting_desk(tmp_path, OPERATOR_TOKEN_FILE=str(token), LIMIT_WRITES="2") as desk:
        yield desk


def figures(desk: Desk) -> Mapping[tuple[str, tuple[str, ...]], float]:
    """Every figure by its name and the values of its labels, in the order of their names."""
    reply = desk.get("/metrics", key=TOKEN)
    assert (reply.status_code, reply.mimetype) == (200, "text/plain")
    return {
        (sample.name.removeprefix("audit_ledger_"), tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(reply.get_data(as_text=True))
        for sample in family.samples
    }


def test_without_a_token_there_is_nothing_for_anybody(resting: Desk) -> None:
    """Where no token is configured, any caller gets what a path that does not exist gives."""
    nothing = resting.get("/nothing")
    for key in (None, resting.key, "", TOKEN):
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        reply = resting.client.get("/metrics", headers=headers)
        assert (reply.status_code, reply.data) == (404, nothing.data)


def test_the_token_and_nothing_else_opens_the_figures(watched: Desk) -> None:
    """No key, an API key, and a token that is nearly right are refused alike; the token opens nothing else."""
    refused: list[TestResponse] = [
        watched.get("/metrics", key=key) for key in (None, watched.key, TOKEN[:-1], f"{TOKEN}x")
    ]
    assert {reply.status_code for reply in refused} == {401}
    assert len({reply.data for reply in refused}) == 1
    assert watched.get("/metrics", key=TOKEN).status_code == 200
    assert watched.get("/v1/orgs/shop/records", key=TOKEN).status_code == 401


def test_guesses_of_the_token_are_counted_like_keys(watched: Desk) -> None:
    """Guessing the token spends the same small budget; the token itself, once used, goes on working."""
    assert watched.get("/metrics", key=TOKEN).status_code == 200
    replies: list[int] = []
    # The budget comes back while it is spent: on a slow machine a few guesses more.
    while 429 not in replies and len(replies) < 1_000:
        replies.append(watched.get("/metrics", key=secrets.token_hex(16)).status_code)
    assert replies == [*[401] * (len(replies) - 1), 429]
    assert len(replies) > 120
    assert watched.get("/metrics", key=TOKEN).status_code == 200


def test_what_was_asked_is_counted(watched: Desk) -> None:
    """Requests stand under their route, method and status; refusals under their budget."""
    for _ in range(3):
        watched.get("/v1/logs/shop/purchases")
    for _ in range(3):
        watched.record(purchase("x"), name="x")
    found = figures(watched)
    assert found["requests_total", ("GET", "/v1/logs/<org>/<collection>", "200")] == 3
    path = "/v1/orgs/<org>/purchases"
    assert found["requests_total", ("POST", path, "503")] == 2
    assert found["requests_total", ("POST", path, "429")] == 1
    assert found["request_seconds_count", ("POST", path)] == 3
    assert found["refusals_total", ("writes",)] == 1
    assert found["refusals_total", ("reads",)] == 0


def test_the_state_is_told(watched: Desk, desk: Desk) -> None:
    """What waits, what is signed, what is wrong: the figures of a service that rests and of one that signs."""
    watched.service.alarms.report({(AlarmCode.NO_FUNDS, "an account"): "It is empty."})
    resting = figures(watched)
    assert resting["waiting_records", ()] == 3  # the openings of the shop's logs
    assert resting["entries", ("purchases", "published")] == 0
    assert (resting["writable", ()], resting["chain_reachable", ()], resting["disk_low", ()]) == (0, 0, 0)
    assert (resting["alarms_open", ("no_funds",)], resting["alarms_open", ("fee_limit",)]) == (1, 0)
    assert resting["check_passed", ("database",)] == 1
    assert resting["check_passed", ("signing",)] == 0
    assert resting["disk_free_bytes", ()] > 0
    assert resting["process_open_fds", ()] > 0
    desk.record(purchase("figures"), name="figures")
    vitals = desk.client.application.extensions["audit-ledger edge"].metrics.format().decode()
    assert re.search(
        r'^audit_ledger_entries\{collection="purchases",stage="published"\} ([2-9]|\d\d)',
        vitals,
        re.MULTILINE,
    )
    assert re.search(r'^audit_ledger_entries\{collection="purchases",stage="final"\} 0', vitals, re.MULTILINE)
    assert re.search(r"^audit_ledger_writable 1", vitals, re.MULTILINE)


def test_figures_are_bounded_and_name_nobody(watched: Desk) -> None:
    """Whatever paths and methods are invented, no label comes of it; nobody's name, key or address is there."""
    ask = watched.client.open
    for number in range(50):
        ask(f"/invented/{number}", method="GET")
        ask(f"/v1/records/invented-{number}", method=f"INVENTED{number}")
        ask(f"/v1/orgs/invented-{number}/subjects/somebody/erase", method="POST")
    figures(watched)  # reading them is counted as well
    before = len(figures(watched))
    for number in range(50, 200):
        ask(f"/invented/{number}", method="GET")
        ask(f"/v1/records/invented-{number}", method=f"INVENTED{number}")
        ask(f"/v1/orgs/invented-{number}/subjects/somebody/erase", method="POST")
    assert len(figures(watched)) == before
    text = watched.get("/metrics", key=TOKEN).get_data(as_text=True)
    prefix = watched.key.split("_")[1]
    for word in ("invented", "INVENTED", "shop", "Shop", "somebody", "127.0.0.1", prefix, TOKEN):
        assert word not in text


@pytest.mark.parametrize(
    ("text", "mode"), [("short", 0o600), ("", 0o600), ("é" * 32, 0o600), (TOKEN, 0o644), (None, 0)]
)
def test_a_token_that_protects_nothing_is_refused(tmp_path: Path, text: str | None, mode: int) -> None:
    """A token that is short, not there, or readable by others keeps the service from starting."""
    path = tmp_path / "token"
    if text is not None:
        write_token(path, text, mode=mode)
    with (
        pytest.raises(SettingsError, match=r"token|others may open it"),
        resting_desk(tmp_path, OPERATOR_TOKEN_FILE=str(path)),
    ):
        pass


def test_only_the_operator_s_path_is_told_apart(watched: Desk) -> None:
    """The refusal says what is needed like every other."""
    reply = watched.get("/metrics")
    assert problem_of(reply)["code"] == "unauthenticated"
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
