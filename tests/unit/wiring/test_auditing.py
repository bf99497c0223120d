"""A whole audit of an installation: what lies beside the logs is held against what tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Executable, delete, insert, update

from ledger_service.accounts.scopes import Scope
from ledger_service.accounts.tables import account_events, api_keys, organizations
from ledger_service.chain.guard import HighWaterGuard
from ledger_service.chain.source import LogHead
from ledger_service.errors import ChainUnavailableError
from ledger_service.log.tables import checkpoints
from ledger_service.vault.erasure_register import ErasureOrder
from ledger_service.vault.tables import ERASED, vault_keys
from ledger_service.webhooks.tables import webhook_endpoints, webhook_marks
from ledger_service.wiring import build
from ledger_service.wiring.auditing import run_audit
from ledger_service.wiring.installation import erasure_register, guard_file, install
from tests.unit.api.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.wiring import Service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """An organization with a key that was revoked, one that was not, and a webhook; audited once."""
    settings = settings_in(tmp_path, UNSAFE_WEBHOOKS="yes")
    install(settings)
    with build(settings, anchoring=False) as built:
        built.create_organization("shop", name="The Shop")
        shop = built.organizations.find("shop")
        keys = [built.api_keys.issue(shop, scopes=set(Scope), label="test") for _ in range(2)]
        built.api_keys.revoke(keys[0].split("_")[1])
        built.webhooks.endpoints.register(shop, "http://localhost:9/hook")
        assert run_audit(built).report.findings == ()
        yield built


def codes(service: Service) -> set[str]:
    """What an audit finds now."""
    return {finding.code for finding in run_audit(service).report.findings}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (update(organizations).values(name="Another"), {"kept_changed"}),
        (update(api_keys).values(secret_sha256=bytes(32)), {"kept_changed"}),
        (update(api_keys).values(revoked=None), {"account_differs"}),
        (delete(api_keys), {"account_differs", "kept_changed"}),
        (update(account_events).values(at=0), {"account_differs", "kept_changed", "webhook_unknown"}),
        (update(webhook_endpoints).values(sealed=b"x" * 80), {"webhook_secret"}),
        (
            update(webhook_endpoints).values(name="whe_other"),
            {"webhook_missing", "webhook_secret", "webhook_unknown"},
        ),
        (delete(webhook_endpoints), {"webhook_missing"}),
        (insert(webhook_marks).values(endpoint=1, log=1, size=77), {"webhook_size"}),
        (update(vault_keys).values(generation=2), {"key_unsound", "webhook_secret"}),
        (update(vault_keys).values(kek_generation=ERASED), {"key_unsound"}),
        (update(vault_keys).values(kek_generation=7), {"key_unsound"}),
    ],
)
def test_rows_beside_the_logs(service: Service, statement: Executable, expected: set[str]) -> None:
    """Each changed row of accounts, keys and webhooks is found by what else tells of it, or by the last report."""
    with service.database.write("accounts.write") as conn:
        conn.execute(statement)
    assert codes(service) == expected


def test_a_checkpoint_between_others_is_missed(service: Service) -> None:
    """What an audit saw signed is there for ever: one checkpoint of one log less is found, more are not missed."""
    made = {"root": bytes(32), "timestamp": 1, "note": b"note"}
    for size in range(1, 5):
        with service.database.write("log.sign") as conn:
            conn.execute(insert(checkpoints), [{"log_id": log, "size": size, **made} for log in (1, 2)])
        assert "kept_changed" not in codes(service)
    with service.database.write("log.sign") as conn:
        conn.execute(delete(checkpoints).where(checkpoints.c.log_id == 2, checkpoints.c.size == 3))
    found = [each for each in run_audit(service).report.findings if each.code == "kept_changed"]
    assert [each.where for each in found] == ["checkpoints.2"]


def test_what_happens_in_between_is_no_damage(service: Service) -> None:
    """New organizations, keys and webhooks, and those that end, are as they should be at the next audit."""
    service.create_organization("school", name="The School")
    school = service.organizations.find("school")
    key = service.api_keys.issue(school, scopes=set(Scope), label="test")
    service.api_keys.revoke(key.split("_")[1])
    made = service.webhooks.endpoints.register(school, "http://localhost:9/other")
    assert codes(service) == set()
    service.webhooks.endpoints.remove(school, made.endpoint.name)
    assert codes(service) == set()


def test_files_beside_the_database(service: Service) -> None:
    """A guard that knows more than the logs, an order that the log does not know, a key that does not open."""
    log = service.logs.logs()[0]
    guard = HighWaterGuard(guard_file(service.settings))
    guard.record([LogHead(log.id, log.origin, "PurchaseLedger", 5, bytes(32))], contracts=())
    assert codes(service) == {"rolled_back"}
    erasure_register(service.settings).append(
        ErasureOrder(1, bytes(16), bytes(16), "subject_request", bytes(16), bytes(16))
    )
    assert codes(service) == {"rolled_back", "erasure_register"}
    guard_file(service.settings).write_bytes(b"{}")
    next(service.settings.keys_dir.glob("status-*.key")).write_bytes(b"nothing")
    assert codes(service) == {"malformed", "erasure_register", "bad_key_file"}


def test_the_key_of_verifications(service: Service) -> None:
    """Nothing that is served needs it until somebody asks for a report, so the audit looks."""
    next(service.settings.keys_dir.glob("verification-*.key")).write_bytes(b"nothing")
    assert codes(service) == {"bad_key_file"}


def test_a_chain_that_does_not_answer_cannot_be_audited(service: Service) -> None:
    """An audit with a chain that cannot be asked does not tell that all is well."""
    with pytest.raises(ChainUnavailableError):
        run_audit(service, chain=True)
