"""`verify`: check evidence offline, by the kernel alone; with `--node` the chain as well."""

from __future__ import annotations

import sys
from hashlib import file_digest
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ledger_service.cli.output import json_option, refuse_pdf
from ledger_service.clock import SystemClock
from ledger_service.errors import MalformedError, UsageError
from ledger_service.proofs.canonical import parse_time
from ledger_service.proofs.evidence import EVIDENCE_VERSION
from ledger_service.proofs.policy import Policy, parse_policy
from ledger_service.proofs.receipt import RECEIPT_VERSION, as_evidence, document_version
from ledger_service.proofs.trust import Trust, parse_trust
from ledger_service.proofs.verdict import describe_verdict, exit_code, format_verdict
from ledger_service.proofs.verify import verify as verify_evidence

if TYPE_CHECKING:
    from datetime import datetime

    from ledger_service.proofs.chain_view import ChainView

_LARGEST_DOCUMENT: Final = 16 << 20


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger verify evidence.json\n"
    "  audit-ledger verify data.csv evidence.json\n"
    "  audit-ledger verify evidence.json --policy p --trust t.json --node http://127.0.0.1:8545 --json\n"
    "\b\nExit codes: 0 genuine, 1 not genuine, 2 cannot tell, 64 wrong usage.\n"
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.argument(
    "evidence_file", metavar="[EVIDENCE]", required=False, type=click.Path(exists=True, dir_okay=False)
)
@click.option(
    "--policy", type=click.Path(dir_okay=False), default="policy.txt", show_default=True, help="Policy."
)
@click.option(
    "--trust", type=click.Path(dir_okay=False), default="trust.json", show_default=True, help="Trust file."
)
@click.option("--node", help="JSON-RPC address of a node of the pinned chain, to check the anchor now.")
@click.option("--at", help="The moment whose status is asked for, such as 2026-11-22T01:02:03Z; now without.")
@click.option("--known-at", help="Only what was in the log by this moment; everything without.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context, file: str, *, evidence_file: str | None, policy: str, trust: str,
    node: str | None, at: str | None, known_at: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Check evidence or a receipt without asking the ledger that made it.

    FILE is the evidence or the receipt. With EVIDENCE given as well, FILE is the data that it is about.
    Keys, policy and trust file must come from somewhere other than the server under audit.
    """
    document, digest = _sort_out(file, evidence_file)
    refuse_pdf(document, inside="evidence.json")
    verdict = verify_evidence(
        as_evidence(document),
        policy=_load_policy(Path(policy)),
        trust=_load_trust(Path(trust)),
        now=SystemClock().now(),
        at=_moment(at, name="--at"),
        known_at=_moment(known_at, name="--known-at"),
        chain_view=_chain_view(node),
        file_digest=digest,
    )
    if as_json:
        click.echo(format_verdict(verdict))
    else:
        click.echo(describe_verdict(verdict), nl=False)
    ctx.exit(exit_code(verdict.result))


def _sort_out(file: str, evidence_file: str | None) -> tuple[bytes, bytes | None]:
    """The document to judge, and the digest of the data beside it, in whichever order the two were named."""
    document = _read(evidence_file or file)
    if evidence_file is None:
        return document, None
    if not _is_judged(document) and _is_judged(other := _read(file)):
        return other, _digest(evidence_file)
    return document, _digest(file)


def _is_judged(document: bytes) -> bool:
    """Whether it says that it is evidence or a receipt."""
    return document_version(document.removesuffix(b"\n")) in (EVIDENCE_VERSION, RECEIPT_VERSION)


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(_LARGEST_DOCUMENT)
    with Path(path).open("rb") as stream:
        return stream.read(_LARGEST_DOCUMENT)


def _digest(path: str) -> bytes:
    with Path(path).open("rb") as stream:
        return file_digest(stream, "sha256").digest()


def _load_policy(path: Path) -> Policy:
    try:
        return parse_policy(_read_trusted(path))
    except MalformedError as error:
        raise UsageError(f"{path} is not a policy: {error.text}") from error


def _load_trust(path: Path) -> Trust:
    try:
        return parse_trust(_read_trusted(path).removesuffix(b"\n"))
    except MalformedError as error:
        raise UsageError(f"{path} is not a trust file: {error.text}") from error


def _read_trusted(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read. Get policy and trust file from the organization itself, "
            "not from the server under audit, and name them with --policy and --trust."
        ) from error


def _moment(text: str | None, *, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except MalformedError as error:
        raise UsageError(f"{name} must be a time such as 2026-11-22T01:02:03Z.") from error


def _chain_view(node: str | None) -> ChainView | None:
    if node is None:
        return None
    if not node.startswith(("http://", "https://")):
        raise UsageError(f"{node} is not the http or https address of a node.")
    # Loaded only here: the chain libraries take longer to load than a verdict takes.
    from ledger_service.chain.observer import observe_node  # noqa: PLC0415

    return observe_node(node)
