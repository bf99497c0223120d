"""The kernel's README shows real instances of every format, those of tests/vectors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import ledger_service.proofs
from ledger_service.proofs.__main__ import main
from ledger_service.proofs.canonical import decode, encode
from ledger_service.proofs.verdict import STEPS
from tests.unit.proofs.vectors import read_vectors

FOLDER = Path(ledger_service.proofs.__file__).parent
README = (FOLDER / "README.md").read_text("utf-8")
BLOCKS = [block for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) if "──" not in block]


def instances() -> list[str]:
    """Every text that the README may quote."""
    record, checkpoint, evidence = (read_vectors(name) for name in ("record", "checkpoint", "evidence"))
    audits = read_vectors("audit_report")
    whole = decode(evidence["evidence"].encode())
    assert isinstance(whole, dict)
    return [
        record["schema"]["text"],
        encode(record["disclosed"]["buyer"]).decode(),
        record["entry"]["text"],
        checkpoint["note"],
        checkpoint["tlog_proof"],
        evidence["policy"],
        evidence["trust"],
        encode(whole["status"]).decode(),
        evidence["evidence"],
        audits["notes"][0],
        read_vectors("verification_report")["report"],
    ]


@pytest.mark.parametrize(("block", "instance"), list(zip(BLOCKS, instances(), strict=True)))
def test_instances_are_real(block: str, instance: str) -> None:
    """Each block of the README is the stored instance, apart from what is cut at [...]."""
    pattern = r".*".join(re.escape(part.strip("\n")) for part in block.split("[...]"))
    assert re.match(pattern, instance, re.DOTALL)


def test_every_module_is_introduced() -> None:
    """Each module of the kernel that a reader meets by name is named in the README."""
    inner = {"__init__", "__main__", "case", "shapes", "types", "chain_view", "verdict"}
    for path in FOLDER.glob("*.py"):
        assert path.stem in inner or f"`{path.stem}`" in README or f"`{path.stem}`," in README, path.stem


def test_steps_are_those_of_the_code() -> None:
    """The README's table has the steps of the code, by number and name."""
    for number, name in STEPS.items():
        assert f"| {number} {name.partition(',')[0]}" in README


def test_command_line_is_that_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    """The command in the README is the one that `--help` describes."""
    with pytest.raises(SystemExit):
        main(["--help"])
    usage = " ".join(capsys.readouterr().out.split())
    for word in re.findall(r"--\w+(?: [A-Z]+\b)?", README.partition("## What")[0]):
        assert word in usage
