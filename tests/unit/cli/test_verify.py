"""`verify`: what it takes for evidence, and how it answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger_service.cli.remote import Remote, read_key
from ledger_service.client.problems import named_error
from ledger_service.errors import LedgerError, NotFoundError, NotReadyError, UsageError
from ledger_service.proofs.note import format_vkey, parse_vkey
from ledger_service.proofs.policy import format_policy
from ledger_service.proofs.receipt import format_receipt
from ledger_service.proofs.trust import format_trust
from ledger_service.verification.reports import VerificationSigner
from tests.support.evidence_factory import EvidenceFactory
from tests.support.verification_reports import SIGNER, make_verification

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended


@pytest.fixture
def factory(tmp_path: Path) -> EvidenceFactory:
    """A log made in memory; its policy and trust file lie where `verify` looks for them."""
    made = EvidenceFactory(records=6)
    desk = tmp_path / "desk"
    desk.mkdir(exist_ok=True)
    (desk / "policy.txt").write_bytes(format_policy(made.policy))
    (desk / "trust.json").write_bytes(format_trust(made.trust))
    return made


def asked_times(factory: EvidenceFactory) -> tuple[str, ...]:
    """Ask for the moment at which the factory's log ends, so that its statuses are fresh."""
    moment = factory.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return ("--at", moment, "--known-at", moment)


def test_genuine_evidence_ends_with_0(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """One verdict line, then why; with --json the verdict itself."""
    file = tmp_path / "evidence.json"
    file.write_bytes(factory.document(3) + b"\n")
    said = command("verify", str(file), *asked_times(factory))
    assert (said.code, said.out.splitlines()[0].split(":")[0]) == (0, "Genuine")
    verdict = command("verify", str(file), *asked_times(factory), "--json").json
    assert (verdict["v"], verdict["result"]) == ("audit-ledger/verdict/v1", "valid")


def test_changed_evidence_ends_with_1(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """A changed digit is not genuine, and the line says so."""
    file = tmp_path / "evidence.json"
    document = factory.document(3)
    file.write_bytes(document.replace(b'"amount_minor",', b'"amount_minor",1', 1))
    said = command("verify", str(file), *asked_times(factory))
    assert (said.code, said.out.startswith("Not genuine: invalid")) == (1, True)


def test_what_cannot_be_checked_ends_with_2(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """A stale status, a foreign log and a receipt without status are all: cannot tell."""
    file = tmp_path / "evidence.json"
    file.write_bytes(factory.document(3))
    stale = command("verify", str(file), "--at", "2046-01-01T00:00:00Z")
    assert (stale.code, stale.out.startswith("Cannot tell")) == (2, True)
    file.write_bytes(EvidenceFactory("other").document(3))
    assert command("verify", str(file), *asked_times(factory)).code == 2
    file.write_bytes(format_receipt(factory.receipt(3)))
    receipt = command("verify", str(file), *asked_times(factory), "--json")
    assert receipt.code == 2
    assert [step["outcome"] for step in receipt.json["steps"]][:5] == ["pass"] * 5


def test_a_file_is_held_against_its_evidence(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """With two files the first is the data: evidence of a purchase says nothing about any file."""
    data, evidence = tmp_path / "data.csv", tmp_path / "evidence.json"
    data.write_bytes(b"a,b\n1,2\n")
    evidence.write_bytes(factory.document(3))
    said = command("verify", str(data), str(evidence), *asked_times(factory), "--json")
    assert said.code in {1, 2}
    assert said.json["steps"][7]["outcome"] != "pass"


def test_a_node_that_does_not_answer_is_not_a_pass(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """Step 6 could not be checked, and says so."""
    file = tmp_path / "evidence.json"
    file.write_bytes(factory.document(3))
    node = ("--node", "http://127.0.0.1:9")
    verdict = command("verify", str(file), *asked_times(factory), *node, "--json").json
    assert verdict["steps"][5]["outcome"] == "could not check"


def test_trust_must_come_from_somewhere(command: Callable[..., Ended], tmp_path: Path) -> None:
    """Without policy or trust file, or with a wrong time, the command was called wrongly."""
    file = tmp_path / "evidence.json"
    file.write_bytes(b"{}")
    missing = command("verify", str(file))
    assert (missing.code, "not from the server under audit" in missing.err) == (64, True)
    assert command("verify", str(tmp_path / "nothing")).code == 64


def test_times_are_read_strictly(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """A moment has one form."""
    file = tmp_path / "evidence.json"
    file.write_bytes(factory.document(3))
    assert command("verify", str(file), "--at", "yesterday").code == 64


def test_a_paper_is_no_evidence(
    command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path
) -> None:
    """A PDF is neither genuine nor not: the command says how to come by what is inside."""
    paper, evidence = tmp_path / "paper.pdf", tmp_path / "evidence.json"
    paper.write_bytes(b"%PDF-1.7\n%\xff\n")
    evidence.write_bytes(factory.document(3))
    for name in ("verify", "report"):
        refused = command(name, str(paper))
        assert (refused.code, "pdfdetach" in refused.err) == (64, True)
    # As the data that evidence is about it is a file like any other.
    assert command("verify", str(paper), str(evidence), *asked_times(factory)).code in {1, 2}


def test_a_problem_is_raised_as_the_error_it_names() -> None:
    """The code decides; what is no problem document is an error all the same."""
    error = named_error(b'{"code":"not_found","detail":"Gone.","errors":{"a":1}}')
    assert (type(error), error.text, error.details) == (NotFoundError, "Gone.", {"a": 1})
    for problem in (b"", b"{}", b"[]", b"<html>", b'{"code":"never_heard_of","detail":"x"}'):
        assert type(named_error(problem)) is LedgerError


def test_a_key_is_read_from_a_file(tmp_path: Path) -> None:
    """The first line without its end; a file that cannot be read is wrong usage."""
    file = tmp_path / "shop.key"
    file.write_text("alk_x\n", encoding="ascii")
    assert (read_key(str(file)), read_key(None)) == ("alk_x", None)
    with pytest.raises(UsageError):
        read_key(str(tmp_path / "nothing"))


def test_a_service_that_is_not_there_is_named() -> None:
    """A refused connection says where nobody answers, and a wrong address is wrong usage."""
    with pytest.raises(NotReadyError, match=r"127\.0\.0\.1:9"):
        Remote("http://127.0.0.1:9").get("/healthz")
    with pytest.raises(UsageError):
        Remote("ftp://127.0.0.1").get("/healthz")
    assert "secret" not in repr(Remote("http://127.0.0.1:9", "secret"))


def test_signed_reports(command: Callable[..., Ended], factory: EvidenceFactory, tmp_path: Path) -> None:
    """A report is checked with its key and its evidence; another key, other evidence, or no key ends otherwise."""
    evidence, report = make_verification(factory, 3)
    for name, data in (("report.json", SIGNER.sign(report)), ("evidence.json", evidence + b"\n")):
        (tmp_path / name).write_bytes(data)
    paths = str(tmp_path / "report.json"), str(tmp_path / "evidence.json")
    vkey = tmp_path / "desk" / "vkey.txt"
    assert command("report", *paths).code == 64
    vkey.write_text(f"{format_vkey(SIGNER.vkey)}\n", encoding="utf-8")
    said = command("report", *paths)
    assert (said.code, said.out.splitlines()[0].split(":")[0]) == (0, "Genuine")
    assert command("report", *paths, "--json").json["result"] == "valid"
    assert "it says nothing of the status after that" not in said.out
    past = {**report.verdict, "at": "2026-01-01T00:00:00Z", "result": "invalid", "reason": "\x1b[2J"}
    (tmp_path / "past.json").write_bytes(SIGNER.sign(replace(report, verdict=past)))
    told = command("report", str(tmp_path / "past.json"))
    assert (told.code, told.out.split(":")[0]) == (1, "Not genuine")
    assert "Asked about 2026-01-01T00:00:00Z: it says nothing of the status after that." in told.out
    assert "\x1b" not in told.out
    (tmp_path / "evidence.json").write_bytes(factory.document(2))
    assert "other evidence" in command("report", *paths).err
    assert command("report", paths[0]).code == 0
    vkey.write_text(f"{format_vkey(VerificationSigner(Ed25519PrivateKey.generate()).vkey)}\n", "utf-8")
    assert command("report", *paths).code == 1
    vkey.write_text("no key\n", encoding="utf-8")
    assert command("report", *paths).code == 64


def test_the_key_of_the_reports(command: Callable[..., Ended]) -> None:
    """`init` makes it and the operator prints it, the same each time."""
    assert command("init").code == 0
    first = command("trust", "vkey")
    assert parse_vkey(first.out.strip()).name == "audit-ledger/verifications"
    assert command("trust", "vkey").out == first.out
