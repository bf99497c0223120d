"""`audit`: recompute everything from the stored bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger_service.chain.head_signer import check_eip712_line
from ledger_service.cli.exits import CANNOT_TELL, DONE, FAILED
from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json
from ledger_service.log.auditor import audit as audit_logs

if TYPE_CHECKING:
    from ledger_service.log.findings import AuditReport


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger audit\n"
    "  audit-ledger audit --json\n"
    "  audit-ledger audit --without-payloads\n"
    "  audit-ledger audit --with-chain\n"
    "\b\nExit codes: 0 clean, 1 something is wrong, 2 clean but payloads were left out, 64 wrong usage.\n"
)
@click.option("--without-payloads", is_flag=True, help="Do not open the payloads: then it cannot say clean.")
@click.option("--with-chain", is_flag=True, help="Also compare the states that contracts hold with the logs.")
@json_option
@click.pass_context
def audit(ctx: click.Context, *, without_payloads: bool, with_chain: bool, as_json: bool) -> None:
    """Recompute every log from its stored bytes: entries, tiles, checkpoints, signatures, payloads.

    It reads one snapshot and may run beside the service.
    """
    with local_service() as service:
        report = audit_logs(
            service.database,
            keyring=None if without_payloads else service.keyring,
            kinds=service.kinds.all(),
            check_line=check_eip712_line,
        )
        if with_chain:
            # The chain's libraries take long to load, and most audits do not need them.
            from ledger_service.wiring.anchoring import audit_contracts  # noqa: PLC0415

            audit_contracts(report, service.settings, service.database, clock=service.clock)
    if as_json:
        say_json(_document(report, payloads=not without_payloads))
    else:
        _say(report, payloads=not without_payloads)
    if report.count:
        ctx.exit(FAILED)
    ctx.exit(CANNOT_TELL if without_payloads else DONE)


def _document(report: AuditReport, *, payloads: bool) -> dict[str, object]:
    return {
        "clean": report.clean and payloads,
        "payloads_opened": payloads,
        "looked_at": dict(report.looked_at),
        "count": report.count,
        "findings": [{"code": f.code, "where": f.where, "problem": f.problem} for f in report.findings],
    }


def _say(report: AuditReport, *, payloads: bool) -> None:
    for finding in report.findings:
        click.echo(f"{finding.where}: {finding.problem} [{finding.code}]")
    looked = ", ".join(f"{count} {what}" for what, count in sorted(report.looked_at.items()))
    if report.count:
        click.echo(f"{report.count} findings in {looked}.")
    elif payloads:
        click.echo(f"Clean: {looked}.")
    else:
        click.echo(f"Nothing found in {looked}; payloads were not opened, so this is no clean audit.")
