"""The offline verifier: `python -m ledger_service.proofs EVIDENCE --policy P --trust T [--json] [--at TIME]`.

Needs neither network nor database. Exit codes: 0 genuine, 1 not genuine, 2 cannot tell, 64 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ledger_service.errors import LedgerError
from ledger_service.proofs.canonical import parse_time
from ledger_service.proofs.policy import parse_policy
from ledger_service.proofs.receipt import as_evidence
from ledger_service.proofs.trust import parse_trust
from ledger_service.proofs.verdict import describe_verdict, exit_code, format_verdict
from ledger_service.proofs.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

WRONG_USAGE = 64


class _Parser(argparse.ArgumentParser):
    """An argument parser whose exit code for wrong usage leaves 2 to "cannot tell"."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(WRONG_USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify one evidence file, print the verdict and return the exit code."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    try:
        evidence = Path(options.evidence).read_bytes()
        policy = parse_policy(Path(options.policy).read_bytes())
        trust = parse_trust(Path(options.trust).read_bytes())
        at = None if options.at is None else parse_time(options.at)
    except OSError as error:
        parser.error(f"{error.filename}: {error.strerror}")
    except LedgerError as error:
        parser.error(error.text)
    verdict = verify(as_evidence(evidence), policy=policy, trust=trust, now=datetime.now(UTC), at=at)
    sys.stdout.write(format_verdict(verdict).decode() + "\n" if options.json else describe_verdict(verdict))
    return exit_code(verdict.result)


def _make_parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m ledger_service.proofs", description="Verify evidence offline.")
    parser.add_argument("evidence", metavar="EVIDENCE", help="evidence or receipt (JSON)")
    parser.add_argument("--policy", required=True, metavar="P", help="trust policy file (C2SP tlog-policy)")
    parser.add_argument("--trust", required=True, metavar="T", help="trust file (JSON)")
    parser.add_argument("--at", metavar="TIME", help="date whose status is asked, like 2026-11-22T01:02:03Z")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
