"""`audit`: recompute everything from the stored bytes, and keep what came of it, signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger_service.cli.exits import CANNOT_TELL, DONE, FAILED
from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json, say_table
from ledger_service.log.audit_reports import PAYLOADS, read_history
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.note import format_vkey
from ledger_service.wiring.auditing import load_report_signer, run_audit

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger_service.proofs.audit_report import SignedReport
    from ledger_service.wiring import Service
    from ledger_service.wiring.auditing import Audited


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger audit\n"
    "  audit-ledger audit --with-chain --report audit.txt\n"
    "  audit-ledger audit --without-payloads --json\n"
    "  audit-ledger audit --history\n"
    "  audit-ledger audit --key\n"
    "\b\nExit codes: 0 clean, 1 something is wrong, 2 clean but payloads were left out, 64 wrong usage.\n"
)
@click.option("--without-payloads", is_flag=True, help="Do not open the payloads: then it cannot say clean.")
@click.option(
    "--with-chain", is_flag=True, help="Also check the embedded chain's file, and what contracts hold."
)
@click.option(
    "--report", type=click.Path(dir_okay=False), help="Write the signed report to this file as well."
)
@click.option("--history", is_flag=True, help="List the earlier reports instead, and check them.")
@click.option("--key", is_flag=True, help="Print the verifier key of the reports instead.")
@json_option
@click.pass_context
def audit(
    ctx: click.Context,
    *,
    without_payloads: bool,
    with_chain: bool,
    report: str | None,
    history: bool,
    key: bool,
    as_json: bool,
) -> None:
    """Recompute every log from its stored bytes: entries, tiles, checkpoints, signatures, payloads, keys, accounts.

    It reads one snapshot and may run beside the service. The report is signed with a key of its own and recorded.
    """
    with local_service() as service:
        if key:
            click.echo(format_vkey(load_report_signer(service).vkey))
            return
        if history:
            ctx.exit(_show_history(service, as_json=as_json))
        done = run_audit(service, payloads=not without_payloads, chain=with_chain)
    if report is not None and done.note is not None:
        Path(report).write_bytes(done.note)
    if as_json:
        say_json(_document(done))
    else:
        _say(done)
    if done.report.count or done.note is None or done.unrecorded is not None:
        ctx.exit(FAILED)
    ctx.exit(CANNOT_TELL if without_payloads else DONE)


def _show_history(service: Service, *, as_json: bool) -> int:
    with service.database.read() as conn:
        found = read_history(conn, load_report_signer(service).vkey)
    rows = [(r.number, format_time(r.time), "+".join(r.scope), r.count, r.finished) for r in found.reports]
    names = ("number", "time", "scope", "findings", "finished")
    if as_json:
        say_json({"problem": found.problem, "reports": [dict(zip(names, row, strict=True)) for row in rows]})
    else:
        say_table(names, rows)
        if found.problem is not None:
            click.echo(f"The history is not whole: {found.problem}.", err=True)
    return DONE if found.problem is None else FAILED


def _document(done: Audited) -> dict[str, object]:
    report = done.report
    payloads = PAYLOADS in report.scope
    return {
        "clean": report.count == 0 and payloads,
        "payloads_opened": payloads,
        "recorded": done.note is not None and done.unrecorded is None,
        "looked_at": dict(report.looked_at),
        "count": report.count,
        "findings": [
            {
                "code": f.code,
                "where": f.where,
                "problem": f.problem,
                "since": f.since and format_time(f.since),
            }
            for f in report.findings
        ],
    }


def _say(done: Audited) -> None:
    report: SignedReport = done.report
    said: Callable[[str], None] = click.echo
    for finding in report.findings:
        since = "" if finding.since is None else f", after {format_time(finding.since)}"
        said(f"{finding.where}: {finding.problem} [{finding.code}]{since}")
    looked = ", ".join(f"{count} {what}" for what, count in report.looked_at)
    if report.count:
        said(f"{report.count} findings in {looked}.")
    elif PAYLOADS in report.scope:
        said(f"Clean: {looked}.")
    else:
        said(f"Nothing found in {looked}; payloads were not opened, so this is no clean audit.")
    if done.note is None or done.unrecorded is not None:
        why = "its key cannot be used" if done.unrecorded is None else done.unrecorded.text
        click.echo(f"The report was not recorded: {why}", err=True)
