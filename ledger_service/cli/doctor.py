"""`doctor`: look at settings, keys, database, chain, clock and permissions, and say what to do."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from ledger_service.chain.client import Node
from ledger_service.chain.publishers import count_moving
from ledger_service.chain.rotations import count_lagging_keys
from ledger_service.chain.rpc import JsonRpc
from ledger_service.chain.status_store import count_refused, count_waiting
from ledger_service.cli.exits import CANNOT_TELL, DONE, FAILED
from ledger_service.cli.output import json_option, say_json
from ledger_service.clock import SystemClock
from ledger_service.config import settings_from_environment
from ledger_service.errors import ChainUnavailableError, CouldNotCheckError, LedgerError
from ledger_service.log.audit_reports import ReportSigner, read_history, read_notes
from ledger_service.log.reader import LogReader
from ledger_service.proofs.canonical import format_time
from ledger_service.vault.keyring import Keyring
from ledger_service.wiring.installation import (
    chain_url,
    check_installation,
    load_files,
    load_key_wrapper,
    open_checked_database,
)
from ledger_service.wiring.publisher import present_publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger_service.config import Settings
    from ledger_service.storage.engine import Database

_OPEN_TO_OTHERS: Final = 0o077
_MOST_AHEAD_S: Final = 15
_SIGNS: Final = {"good": "✓", "bad": "✗", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and what to do if it is not good."""

    subject: str
    state: str
    detail: str
    fix: str = ""


@click.command(epilog="\b\nExamples:\n  audit-ledger doctor\n  audit-ledger doctor --json\n")
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Check settings, keys, database, logs, chain, clock and permissions, and say the fix."""
    found = list(_examine())
    if as_json:
        say_json(
            [
                {"subject": f.subject, "state": f.state, "detail": f.detail, "fix": f.fix or None}
                for f in found
            ]
        )
    else:
        for each in found:
            click.echo(f"{_SIGNS[each.state]} {each.subject}: {each.detail}")
            if each.fix:
                click.echo(f"    {each.fix}")
    states = {each.state for each in found}
    ctx.exit(FAILED if "bad" in states else CANNOT_TELL if "unknown" in states else DONE)


def _examine() -> Iterator[Finding]:
    try:
        settings = settings_from_environment()
        check_installation(settings)
    except LedgerError as error:
        yield Finding("settings", "bad", error.text, "See docs/settings.md, then run `audit-ledger init`.")
        return
    yield Finding("settings", "good", f"data in {settings.data_dir}")
    yield _look("permissions", lambda: _permissions(settings), "Run `chmod -R go-rwx` on that path.")
    yield _look("keys", lambda: _keys(settings), "Put the key-encryption key back, with mode 0600.")
    yield _look(
        "database", lambda: _database(settings), "Run `audit-ledger init`; then `audit-ledger audit`."
    )
    yield _look("logs", lambda: _logs(settings), "Start the service: it signs what waits.")
    yield _look(
        "chain", lambda: _chain(settings), "Start `audit-ledger serve`, or mend AUDIT_LEDGER_CHAIN_URL."
    )
    yield _look(
        "status",
        lambda: _status(settings),
        "Look at the alarms in /readyz; see ledger_service/chain/README.md.",
    )
    yield _look(
        "rotation",
        lambda: _rotation(settings),
        "Let `audit-ledger serve` run and reach the chain: it finishes what was begun.",
    )
    yield _look(
        "audit", lambda: _audit(settings), "Run `audit-ledger audit --with-chain`; see what it finds."
    )
    yield _look("clock", lambda: _clock(settings), "Set this machine's clock, for example with chrony.")


def _look(subject: str, examine: Callable[[], str], fix: str) -> Finding:
    try:
        return Finding(subject, "good", examine())
    except (ChainUnavailableError, CouldNotCheckError) as error:
        return Finding(subject, "unknown", error.text, fix)
    except (LedgerError, OSError) as error:
        words = error.text if isinstance(error, LedgerError) else str(error)
        return Finding(subject, "bad", words, fix)


def _permissions(settings: Settings) -> str:
    secret = [settings.data_dir, settings.keys_dir, *settings.keys_dir.glob("*")]
    for path in secret:
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & _OPEN_TO_OTHERS:
            raise LedgerError(f"{path} is open to others.")
    return f"{len(secret)} paths are closed to others"


def _keys(settings: Settings) -> str:
    wrapper = load_key_wrapper(settings)
    with _opened(settings) as database, database.read() as conn:
        Keyring(wrapper).check_wrapper(conn)
    files = load_files(settings)
    with _opened(settings) as database:
        logs = LogReader(database).logs()
    for log in logs:
        files.log_keys(log.origin, log.era.number)
    return f"the key-encryption key opens what is stored, and the keys of {len(logs)} logs"


def _database(settings: Settings) -> str:
    with _opened(settings) as database, database.read():
        if database.warnings:
            raise LedgerError(" ".join(database.warnings))
        return f"{database.dialect} opens with safe settings"


def _logs(settings: Settings) -> str:
    with _opened(settings) as database:
        reader = LogReader(database)
        logs = reader.logs()
        for log in logs:
            with reader.view_number(log.id) as view:
                if view.size == 0:
                    raise LedgerError(f"{log.origin} was never signed.")
                signed = datetime.fromtimestamp(view.checkpoint().timestamp, UTC)
            age_s = (SystemClock().now() - signed).total_seconds()
            if age_s > 2 * settings.heartbeat_s:
                raise LedgerError(f"{log.origin} was signed last {age_s:.0f} s ago.")
    return f"{len(logs)} logs, each signed in time"


def _chain(settings: Settings) -> str:
    node = Node(JsonRpc(chain_url(settings)))
    identity, head = node.identity(), node.newest()
    balance = node.balance_wei(present_publisher(settings, clock=SystemClock()), at=head)
    if balance == 0:
        raise LedgerError("The account that pays for anchors is empty.")
    return f"chain {identity.chain_id} at block {head.number}"


def _status(settings: Settings) -> str:
    with _opened(settings) as database, database.read() as conn:
        waiting, refused = count_waiting(conn), count_refused(conn)
    if refused:
        raise LedgerError(f"Contracts refuse {refused} changes of status that the logs hold.")
    return f"no contract refuses what its log says; {waiting} changes of status wait for one"


def _rotation(settings: Settings) -> str:
    with _opened(settings) as database, database.read() as conn:
        lagging, moving = count_lagging_keys(conn), count_moving(conn)
    if lagging:
        raise CouldNotCheckError(f"{lagging} logs have new keys that their contract does not obey yet.")
    if moving:
        raise CouldNotCheckError("The next publisher has not taken over yet.")
    return "the contracts obey the keys that sign, and the account that publishes"


def _audit(settings: Settings) -> str:
    with _opened(settings) as database, database.read() as conn:
        if not read_notes(conn):
            return "no audit was recorded yet"
        signer = ReportSigner(load_files(settings).audit_key().ed25519())
        history = read_history(conn, signer.vkey)
    last = history.last
    if last is None or history.problem is not None:
        raise LedgerError(f"The reports of audits are not whole: {history.problem}.")
    when = format_time(last.time)
    if last.count or not last.finished:
        raise LedgerError(f"The last audit, {when}, found {last.count} things wrong.")
    return f"the last one, {when}, found nothing in {', '.join(('the database', *last.scope))}"


def _clock(settings: Settings) -> str:
    head = Node(JsonRpc(chain_url(settings))).newest()
    ahead_s = head.time - SystemClock().now().timestamp()
    if ahead_s > _MOST_AHEAD_S:
        raise LedgerError(f"The chain's newest block is {ahead_s:.0f} s ahead of this machine's clock.")
    return "the chain is not ahead of this machine's clock"


@contextmanager
def _opened(settings: Settings) -> Iterator[Database]:
    database = open_checked_database(settings)
    try:
        yield database
    finally:
        database.close()
