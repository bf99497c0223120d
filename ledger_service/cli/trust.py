"""`trust`: what an outsider needs to check evidence."""

from __future__ import annotations

from pathlib import Path

import click

from ledger_service.cli.local import local_service
from ledger_service.cli.output import json_option, say_json
from ledger_service.proofs.note import format_vkey
from ledger_service.verification.trust_documents import fingerprint


@click.group()
def trust() -> None:
    """Policy and trust file: what verifiers believe beforehand."""


@trust.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger trust export cdnow\n"
    "  audit-ledger trust export cdnow --policy cdnow-policy.txt --trust cdnow-trust.json\n"
)
@click.argument("org")
@click.option("--collection", default="purchases", show_default=True, help="Which log of the organization.")
@click.option("--policy", type=click.Path(dir_okay=False), default="policy.txt", show_default=True)
@click.option(
    "--trust", "trust_path", type=click.Path(dir_okay=False), default="trust.json", show_default=True
)
@json_option
def export(org: str, *, collection: str, policy: str, trust_path: str, as_json: bool) -> None:
    """Write the policy and the trust file of a log, and print their fingerprints.

    Publish the fingerprints where the server under audit cannot change them: on paper, on the organization's
    own domain. Export again once the log has been anchored: the contract is part of the trust file.
    """
    with local_service() as service:
        documents = service.trust_documents(org, collection)
    marks = {policy: fingerprint(documents.policy), trust_path: fingerprint(documents.trust)}
    Path(policy).write_bytes(documents.policy)
    Path(trust_path).write_bytes(documents.trust)
    if as_json:
        say_json({"files": marks, "anchored": documents.anchored})
        return
    for name, mark in marks.items():
        click.echo(f"{name}  {mark}")
    if not documents.anchored:
        click.echo(
            "The log is not anchored yet: export again later, or verdicts will not reach step 6.", err=True
        )


@trust.command(epilog="\b\nExamples:\n  audit-ledger trust vkey > vkey.txt\n")
def vkey() -> None:
    """Print the key that checks this server's signed reports of verifications."""
    with local_service() as service:
        click.echo(format_vkey(service.reporter.vkey))
