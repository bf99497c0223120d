"""The offline verifier as a command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from ledger_service.proofs.__main__ import main
from ledger_service.proofs.canonical import format_time
from ledger_service.proofs.evidence import format_evidence
from ledger_service.proofs.policy import format_policy
from ledger_service.proofs.receipt import format_receipt
from ledger_service.proofs.trust import format_trust
from ledger_service.proofs.verdict import describe_verdict
from ledger_service.proofs.verify import verify
from tests.support.evidence_factory import EvidenceFactory

if TYPE_CHECKING:
    from pathlib import Path

FACTORY = EvidenceFactory(records=6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with evidence whose status is fresh by the real clock, a policy and a trust file."""
    now = datetime.now(UTC).replace(microsecond=0)
    evidence = replace(FACTORY.evidence(3), status=FACTORY.status(3, time=now))
    (tmp_path / "evidence.json").write_bytes(format_evidence(evidence))
    (tmp_path / "policy").write_bytes(format_policy(FACTORY.policy))
    (tmp_path / "trust.json").write_bytes(format_trust(FACTORY.trust))
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    """The command line over the three files."""
    return [
        str(folder / "evidence.json"), "--policy", str(folder / "policy"), "--trust",
        str(folder / "trust.json"), *more,
    ]  # fmt: skip


def test_genuine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Good evidence: code 0, the answer in the first line, then the steps by their numbers."""
    assert main(arguments(folder)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Genuine: valid (some fields). Every required step passed."
    assert [line[0] for line in lines[1:9]] == list("12345678")
    assert lines[6].startswith("6 could not check checkpoint anchored: ")
    assert "Not proven:" in lines


def test_not_genuine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Evidence with one byte changed: code 1."""
    path = folder / "evidence.json"
    path.write_bytes(path.read_bytes().replace(b'"index":3', b'"index":2'))
    assert main(arguments(folder)) == 1
    assert capsys.readouterr().out.startswith("Not genuine: invalid (")


def test_cannot_tell(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Evidence without status: code 2."""
    (folder / "evidence.json").write_bytes(format_evidence(replace(FACTORY.evidence(3), status=None)))
    assert main(arguments(folder)) == 2
    assert capsys.readouterr().out.startswith("Cannot tell: unknown (some fields). Step 7 ")


def test_receipt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A receipt proves all but the status, which it does not have: code 2."""
    (folder / "evidence.json").write_bytes(format_receipt(FACTORY.receipt(3)))
    assert main(arguments(folder)) == 2
    assert capsys.readouterr().out.startswith("Cannot tell: unknown (all fields). Step 7 ")


def test_asked_date(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--at` asks for the status at a date; before the record there was none."""
    before = format_time(FACTORY.time_of(3) - timedelta(seconds=1))
    assert main(arguments(folder, "--at", before)) == 2
    assert main(arguments(folder, "--at", format_time(FACTORY.time_of(4)))) == 0
    assert "had no status yet" in capsys.readouterr().out


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--json` prints the verdict as one line of JSON."""
    assert main(arguments(folder, "--json")) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["v"], verdict["result"], len(verdict["steps"])) == ("audit-ledger/verdict/v1", "valid", 8)


@pytest.mark.parametrize(
    "change",
    [
        lambda line, _: line[1:],
        lambda line, _: line[:3],
        lambda line, _: [*line, "--unknown"],
        lambda line, _: [*line, "more"],
        lambda line, _: [*line, "--at", "yesterday"],
        lambda line, _: ["missing.json", *line[1:]],
        lambda line, folder: [str(folder), *line[1:]],
        lambda line, folder: [*line[:2], str(folder / "trust.json"), *line[3:]],
        lambda line, folder: [*line[:4], str(folder / "policy")],
    ],
)
def test_wrong_usage(folder: Path, capsys: pytest.CaptureFixture[str], change: object) -> None:
    """Bad arguments, unreadable files, malformed policy, trust file or date: code 64, no verdict."""
    assert callable(change)
    with pytest.raises(SystemExit) as stopped:
        main(change(arguments(folder), folder))
    captured = capsys.readouterr()
    assert (stopped.value.code, captured.out) == (64, "")
    assert captured.err.startswith("usage: ")


def test_help_names_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` ends well and names what can be given."""
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("EVIDENCE", "--policy P", "--trust T", "--json", "--at TIME"))


def test_as_a_process_of_its_own(folder: Path) -> None:
    """`python -m ledger_service.proofs` ends with its answer's code and loads nothing it does not need."""
    command = [sys.executable, "-X", "importtime", "-m", "ledger_service.proofs", *arguments(folder)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout.partition(":")[0]) == (0, "Genuine")
    loaded = set(re.findall(r"\| +([\w.]+)$", process.stderr, re.MULTILINE))
    ours = {name for name in loaded if name.partition(".")[0] in {"ledger_service", "api"}}
    allowed = ("ledger_service.errors", "ledger_service.proofs")
    assert all(name == "ledger_service" or name.startswith(allowed) for name in ours)
    assert not {"sqlalchemy", "flask", "web3", "socket", "sqlite3"} & loaded
    assert "ledger_service.proofs.verify" in loaded
    process = subprocess.run([*command[:5], "nowhere"], capture_output=True, text=True, check=False)
    assert process.returncode == 64


def test_hostile_text_does_not_steer_the_terminal() -> None:
    """Control and bidirectional characters in shown fields are printed as escapes."""
    factory = EvidenceFactory("hostile", records=1)
    factory.add_record({"buyer": "\u202egpj.exe\u2066 \x1b[2J\u0085", "amount_minor": 1})
    verdict = verify(factory.document(1), policy=factory.policy, trust=factory.trust, now=factory.now)
    text = describe_verdict(verdict)
    assert verdict.result == "valid"
    assert all(char.isprintable() for char in text.replace("\n", ""))
    assert "\\u202egpj.exe" in text
