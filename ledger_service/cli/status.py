"""`status`: change the status of a record."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from ledger_service.cli.remote import Remote, remote_options, repeatable, required_key
from ledger_service.errors import StateConflictError
from ledger_service.proofs.entry import parse_entry
from ledger_service.proofs.receipt import parse_receipt
from ledger_service.records.reasons import REASONS
from ledger_service.records.statuses import STATES
from ledger_service.wiring.kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
_PENDING = 202


def _change_options(command: F) -> F:
    """Give a command why, from when, and how to ask."""
    for option in reversed((
        click.option(
            "--reason", required=True, type=click.Choice(list(REASONS)), help="Why; it becomes public."
        ),
        click.option("--since", help="From when on it is in force, such as 2026-11-20T14:03:07Z; now without."),
        click.option("--idempotency-key", help="To ask again for the same change; a random one without."),
        click.option("--dry-run", is_flag=True, help="Look whether the record takes it and change nothing."),
    )):  # fmt: skip
        command = option(command)
    return remote_options(command)


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger status q1wFMcc0d1N4nU0dO5bYDA suspended --reason under_review --key-file school.key\n"
    "  audit-ledger status q1wFMcc0d1N4nU0dO5bYDA revoked --reason integrity"
    " --since 2026-11-20T14:03:07Z --key-file school.key\n"
)
@click.argument("record_id", metavar="RECORD")
@click.argument("state", type=click.Choice(STATES))
@_change_options
def status(record_id: str, *, state: str, **asked: Any) -> None:
    """Change the status of a record, for everybody to see; print the id of the record that says so.

    A completion is suspended, made active again, or revoked for good; a data set is withdrawn for good.
    """
    _change(record_id, state, **asked)


@click.command(
    epilog="\b\nExample:\n"
    "  audit-ledger revoke q1wFMcc0d1N4nU0dO5bYDA --reason integrity --key-file school.key\n"
)
@click.argument("record_id", metavar="RECORD")
@_change_options
def revoke(record_id: str, **asked: Any) -> None:
    """Revoke a completion for good, for everybody to see; print the id of the record that says so.

    The same as `status RECORD revoked`. What may be reinstated is suspended instead.
    """
    _change(record_id, "revoked", **asked)


def _change(
    record_id: str, state: str, *, reason: str, since: str | None, idempotency_key: str | None, dry_run: bool,
    url: str, key_file: str | None,
) -> None:  # fmt: skip
    remote = Remote(url, required_key(key_file))
    if dry_run:
        found = json.loads(remote.get(f"/v1/records/{quote(record_id, safe='')}"))
        if (found["status"], state) not in KINDS.get(found["kind"]).changes:
            raise StateConflictError(kind=found["kind"], status=found["status"], wanted=state)
        click.echo(f"Would change {record_id} ({found['kind']}) from {found['status']} to {state}: {reason}.")
        return
    key = idempotency_key or f"status-{secrets.token_hex(16)}"
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    body = {"state": state, "reason": reason} | ({"since": since} if since else {})
    path = f"/v1/records/{quote(record_id, safe='')}/status"
    with repeatable(key):
        code, answer = remote.post(path, json.dumps(body).encode(), headers=headers)
    said = json.loads(answer)["id"] if code == _PENDING else parse_entry(parse_receipt(answer).entry).claim.id
    click.echo(said)
