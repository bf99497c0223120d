"""`report`: check the signed report of a verification."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ledger_service.cli.output import json_option, refuse_pdf, say_json
from ledger_service.errors import MalformedError, UsageError
from ledger_service.proofs.canonical import JsonValue, encode_base64url
from ledger_service.proofs.note import VerifierKey, parse_vkey
from ledger_service.proofs.verdict import exit_code, people_words, printable
from ledger_service.proofs.verification_report import check_evidence_of, check_verification_report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SAID: Final = ("result", "scope", "reason", "at", "known_at", "checked_at", "record")


@click.command(
    epilog="\b\nExamples:\n"
    "  audit-ledger report report.json --vkey vkey.txt\n"
    "  audit-ledger report report.json evidence.json --vkey vkey.txt --json\n"
    "\b\nExit codes: 0 it says genuine, 1 it says not genuine, or is not to be believed, 2 it says cannot tell,\n"
    "64 wrong usage.\n"
)
@click.argument("report", metavar="REPORT", type=click.Path(exists=True, dir_okay=False))
@click.argument(
    "evidence", metavar="[EVIDENCE]", required=False, type=click.Path(exists=True, dir_okay=False)
)
@click.option(
    "--vkey",
    type=click.Path(dir_okay=False),
    default="vkey.txt",
    show_default=True,
    help="Key of the reports.",
)
@json_option
@click.pass_context
def report(ctx: click.Context, report: str, *, evidence: str | None, vkey: str, as_json: bool) -> None:
    """Check who signed a report, and that it is about this EVIDENCE, without asking the server that made it.

    A report is the word of its server at that time. The key must come from somewhere other than that server; its
    operator prints it with `audit-ledger trust vkey`.
    """
    document = Path(report).read_bytes().removesuffix(b"\n")
    refuse_pdf(document, inside="report.json")
    found = check_verification_report(document, _load_vkey(Path(vkey)))
    if evidence is not None:
        check_evidence_of(found, Path(evidence).read_bytes().strip())
    said: dict[str, JsonValue] = {name: found.verdict.get(name) for name in _SAID}
    people = people_words(found.result)
    if as_json:
        say_json({"signed": True, "evidence": encode_base64url(found.evidence), "people": people, **said})
    else:
        for line in (
            f"{people}: {said['result']} ({said['scope']}). {said['reason']}",
            f"So signed at {said['checked_at']} about evidence with SHA-256 {found.evidence.hex()}.",
            *_other_moments(said),
        ):
            click.echo(printable(line))
    ctx.exit(exit_code(found.result))


def _other_moments(said: Mapping[str, JsonValue]) -> Iterator[str]:
    """What the report does not say of the moment at which it was made."""
    if said["at"] != said["checked_at"]:
        yield f"Asked about {said['at']}: it says nothing of the status after that."
    if said["known_at"] != said["checked_at"]:
        yield f"Asked with what was known by {said['known_at']}: it leaves out what came after that."


def _load_vkey(path: Path) -> VerifierKey:
    try:
        return parse_vkey(path.read_text(encoding="utf-8").strip())
    except OSError as error:
        raise UsageError(f"{path} cannot be read. Name the key of the reports with --vkey.") from error
    except (UnicodeDecodeError, MalformedError) as error:
        raise UsageError(f"{path} holds no verifier key.") from error
