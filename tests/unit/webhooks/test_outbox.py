"""Events: one for each log and anchored size, kept until they are delivered or given up, always under one id."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, select
from standardwebhooks import Webhook, WebhookVerificationError

from ledger_service.chain.anchor_store import ANCHORED
from ledger_service.errors import InjectedFaultError, StorageFatalError
from ledger_service.storage import failpoints
from ledger_service.vault.tables import vault_keys
from ledger_service.webhooks.outbox import BACKOFF, GIVEN_UP_AFTER, KEPT_FOR
from ledger_service.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_marks
from tests.support.http_ledger import until
from tests.support.small_ledger import open_second_log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from ledger_service.webhooks.finality import News
    from tests.support.webhook_receiver import Received, WebhookReceiver
    from tests.unit.webhooks.conftest import Desk


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """Nothing stays armed."""
    yield
    failpoints.disarm()


def data_of(received: Received) -> Any:
    """What an event says."""
    return json.loads(received.body)["data"]


def test_an_event_tells_which_entries_are_anchored(desk: Desk, receiver: WebhookReceiver) -> None:
    """One event for each log and final size, with its newly covered indexes and a signature others find good."""
    made = desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(3)
    assert desk.courier.deliver_due() == 1
    desk.finalize(10)
    desk.finalize(12)
    assert desk.courier.deliver_due() == 2
    assert desk.courier.deliver_due() == 0
    told = [data_of(each) for each in receiver.received]
    assert [(each["first_index"], each["last_index"], each["size"]) for each in told] == [
        (0, 2, 3), (3, 9, 10), (10, 11, 12),
    ]  # fmt: skip
    assert told[0]["log"] == desk.ledger.log.origin
    assert told[0]["anchor"]["chain_id"] == 7
    for each in receiver.received:
        assert Webhook(made.secret).verify(each.body, each.headers)["type"] == "log.anchored"
        with pytest.raises(WebhookVerificationError):
            Webhook(made.secret).verify(each.body + b" ", each.headers)
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 3


def test_only_what_is_final_is_told(desk: Desk, receiver: WebhookReceiver) -> None:
    """No event of an anchor without its confirmations, a disputed one, or one older than the endpoint."""
    desk.finalize(2)
    desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(5, stage=ANCHORED)
    desk.finalize(4)
    desk.dispute(4)
    assert desk.courier.deliver_due() == 0
    desk.finalize(5)
    assert desk.courier.deliver_due() == 1
    assert (data_of(receiver.received[0])["first_index"], data_of(receiver.received[0])["size"]) == (2, 5)


def test_an_endpoint_hears_of_its_own_organizations_logs_only(desk: Desk, receiver: WebhookReceiver) -> None:
    """Another organization's log is neither told of nor remembered for it, before and after it was registered."""
    other = open_second_log(desk.ledger, org_id=desk.org.id + 1)
    desk.finalize(1)
    desk.finalize(2, log=other.id)
    desk.endpoints.register(desk.org, receiver.url)
    with desk.ledger.database.read() as conn:
        assert conn.execute(select(webhook_marks.c.log)).scalars().all() == [desk.ledger.log.id]
    desk.finalize(3, log=other.id)
    assert desk.courier.deliver_due() == 0
    desk.finalize(4)
    assert desk.courier.deliver_due() == 1
    assert [data_of(each)["log"] for each in receiver.received] == [desk.ledger.log.origin]


def test_each_log_is_told_of_apart(desk: Desk, receiver: WebhookReceiver) -> None:
    """A second log of the organization has a range of its own."""
    made = desk.endpoints.register(desk.org, receiver.url)
    second = open_second_log(desk.ledger)
    desk.finalize(3)
    desk.finalize(1, log=second.id)
    assert desk.courier.deliver_due() == 2
    assert {(data_of(each)["log"], data_of(each)["size"]) for each in receiver.received} == {
        (desk.ledger.log.origin, 3),
        (second.origin, 1),
    }
    assert len(desk.states(made.endpoint.name)) == 2


def test_a_refused_event_is_sent_again_under_the_same_id(desk: Desk, receiver: WebhookReceiver) -> None:
    """After each wait the same bytes come with the same id and a new signature, until they are taken."""
    made = desk.endpoints.register(desk.org, receiver.url)
    receiver.answers = [500, 302, 404]
    desk.finalize(1)
    for wait in (*BACKOFF[:3], None):
        assert desk.courier.deliver_due() == 1
        assert desk.courier.deliver_due() == 0
        if wait is not None:
            desk.clock.move(wait.total_seconds() - 1)
            assert desk.courier.deliver_due() == 0
            desk.clock.move(1)
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1
    assert len({each.body for each in receiver.received}) == 1
    assert len({each.headers["webhook-timestamp"] for each in receiver.received}) == 4
    assert desk.states(made.endpoint.name) == [(1, "delivered", 4)]
    assert desk.endpoints.all(desk.org)[0].failures == 0


def test_later_events_wait_for_the_oldest(desk: Desk, receiver: WebhookReceiver) -> None:
    """An endpoint that is away costs one attempt each time, however much it is owed; then all come in order."""
    made = desk.endpoints.register(desk.org, receiver.url)
    receiver.answers = [503]
    for size in (1, 2, 3):
        desk.finalize(size)
    assert desk.courier.deliver_due() == 1
    assert desk.states(made.endpoint.name) == [(1, "pending", 1), (2, "pending", 0), (3, "pending", 0)]
    desk.clock.move(BACKOFF[0].total_seconds())
    assert desk.courier.deliver_due() == 3
    assert [data_of(each)["size"] for each in receiver.received] == [1, 1, 2, 3]


def test_an_event_is_given_up_after_days(desk: Desk, receiver: WebhookReceiver) -> None:
    """What is too old when an attempt fails is dead and stays visible; what is younger goes on."""
    made = desk.endpoints.register(desk.org, receiver.url)
    receiver.status = 500
    desk.finalize(1)
    desk.courier.deliver_due()
    desk.clock.move(GIVEN_UP_AFTER.total_seconds() - 100)
    desk.finalize(2)
    desk.courier.deliver_due()
    assert [state for _, state, _ in desk.states(made.endpoint.name)] == ["pending", "pending"]
    desk.clock.move(BACKOFF[-1].total_seconds())
    desk.courier.deliver_due()
    assert [state for _, state, _ in desk.states(made.endpoint.name)] == ["dead", "pending"]
    receiver.status = 200
    desk.clock.move(BACKOFF[-1].total_seconds())
    assert desk.courier.deliver_due() == 1
    assert [state for _, state, _ in desk.states(made.endpoint.name)] == ["dead", "delivered"]
    assert data_of(receiver.received[-1])["first_index"] == 1
    desk.clock.move(KEPT_FOR.total_seconds() + 1)
    assert desk.outbox.forget_old() == 2
    assert desk.states(made.endpoint.name) == []


def test_what_a_receiver_says_is_never_kept(desk: Desk, receiver: WebhookReceiver) -> None:
    """Of an answer only the status is stored; a connection that fails leaves a neutral reason."""
    made = desk.endpoints.register(desk.org, receiver.url)
    gone = desk.endpoints.register(desk.org, "http://localhost:9/nobody")
    receiver.status = 418
    desk.finalize(1)
    desk.courier.deliver_due()
    (kept,) = desk.endpoints.deliveries(desk.org, made.endpoint.name)
    assert (kept.status, kept.problem) == (418, "The receiver did not take the event.")
    (failed,) = desk.endpoints.deliveries(desk.org, gone.endpoint.name)
    assert (failed.status, failed.problem) == (None, "No connection could be made.")


@pytest.mark.parametrize("action", ["fail", "fail-done"])
@pytest.mark.parametrize("step", ["webhooks.collect", "webhooks.claim", "webhooks.settle"])
def test_a_fault_at_any_step_loses_no_event(
    desk: Desk, receiver: WebhookReceiver, *, step: str, action: str
) -> None:
    """Whether the step was stored or not, after a clean start the event arrives, under one id."""
    made = desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(1)
    failpoints.arm(f"{step}={action}")
    with pytest.raises((StorageFatalError, InjectedFaultError)):
        desk.courier.deliver_due()
    desk.ledger.database._failure = None
    desk.clock.move(120)
    desk.courier.deliver_due()
    desk.clock.move(120)
    desk.courier.deliver_due()
    assert [(size, state) for size, state, _ in desk.states(made.endpoint.name)] == [(1, "delivered")]
    assert len({each.headers["webhook-id"] for each in receiver.received}) == 1


def test_two_processes_send_an_event_once(desk: Desk, receiver: WebhookReceiver) -> None:
    """An event that one has claimed is not claimed by another, and both together store each event once."""
    desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(1)
    threads = [threading.Thread(target=desk.courier.deliver_due) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with desk.ledger.database.read() as conn:
        assert len(conn.execute(select(webhook_deliveries)).all()) == 1
    assert len(receiver.received) == 1


def test_an_organization_without_its_key_holds_up_nobody(desk: Desk, receiver: WebhookReceiver) -> None:
    """When a secret cannot be opened, nothing is sent unsigned, and the reason is visible."""
    made = desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(1)
    with desk.ledger.database.write("vault.key-file") as conn:
        conn.execute(delete(vault_keys))
    assert desk.courier.deliver_due() == 1
    (kept,) = desk.endpoints.deliveries(desk.org, made.endpoint.name)
    assert (kept.state, kept.problem) == ("pending", "The endpoint's secret cannot be opened.")
    assert receiver.received == []


def test_the_courier_delivers_by_itself(desk: Desk, receiver: WebhookReceiver) -> None:
    """Once started it finds what is final, delivers it, and ends when it is told to."""
    desk.endpoints.register(desk.org, receiver.url)
    desk.courier.start()
    desk.finalize(1)
    desk.finalize(2)
    until(lambda: True if len(receiver.received) == 2 else None)
    desk.courier.stop()
    assert desk.reported == []
    with desk.ledger.database.read() as conn:
        assert conn.execute(select(webhook_endpoints.c.failures)).scalars().all() == [0]


def test_an_endpoint_that_is_removed_is_owed_nothing(desk: Desk, receiver: WebhookReceiver) -> None:
    """Its events go with it, also while it is being sent to."""
    made = desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(1)
    desk.outbox.collect()
    (attempt,) = desk.outbox.claim(busy=(), most=1)
    desk.endpoints.remove(desk.org, made.endpoint.name)
    assert desk.outbox.settle(attempt, status=500, problem=None) == "dead"
    assert desk.courier.deliver_due() == 0
    assert receiver.received == []


def test_an_endpoint_is_removed_while_an_event_for_it_is_stored(
    desk: Desk, receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever removes it waits for the event, and takes it along."""
    made = desk.endpoints.register(desk.org, receiver.url)
    desk.finalize(1)
    removal = threading.Thread(target=desk.endpoints.remove, args=(desk.org, made.endpoint.name))
    failed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", failed.append)

    def remove_now(conn: Connection, news: News) -> int:
        stored = store(conn, news)
        removal.start()
        removal.join(0.5)
        assert removal.is_alive()
        return stored

    store = desk.outbox._store
    monkeypatch.setattr(desk.outbox, "_store", remove_now)
    assert desk.outbox.collect() == 1
    removal.join(30)
    assert failed == []
    with desk.ledger.database.read() as conn:
        for table in (webhook_endpoints, webhook_deliveries, webhook_marks):
            assert conn.execute(select(table)).all() == []
