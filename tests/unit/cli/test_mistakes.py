"""What people get wrong: each mistake ends with one line that says what it was, never with a traceback."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest

from ledger_service.cli.command import audit_ledger
from ledger_service.cli.remote import Remote, read_key, repeatable, required_key
from ledger_service.errors import NotReadyError, OutcomeUnknownError, UsageError
from ledger_service.proofs.policy import format_policy
from ledger_service.proofs.trust import format_trust
from tests.support.evidence_factory import EvidenceFactory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

NOBODY = ("--url", "http://127.0.0.1:9")


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    """A file with something that could be a key."""
    file = tmp_path / "shop.key"
    file.touch(mode=0o600)
    file.write_text("alk_x\n", encoding="ascii")
    return str(file)


@pytest.mark.parametrize(
    "words",
    [
        ("find", "shop"),
        ("record", "shop", "--from", "rows.ndjson"),
        ("record", "shop", "--from", "missing.ndjson", "--dry-run"),
        ("status", "q1wFMcc0d1N4nU0dO5bYDA", "revoked", "--reason", "integrity"),
        ("erase", "shop", "--reason", "objection", "--subject-file", "missing.txt"),
        ("erase", "shop", "--reason", "objection", "--subject-file", "rows.ndjson"),
        ("proof", "q1wFMcc0d1N4nU0dO5bYDA", "--fields", "all"),
        ("proof", "q1wFMcc0d1N4nU0dO5bYDA", "--url", "http://127.0.0.1:99999"),
        ("proof", "q1wFMcc0d1N4nU0dO5bYDA", "--url", "http://[::1"),
        ("proof", "q1wFMcc0d1N4nU0dO5bYDA", "--url", "http://127.0.0.1 :8080"),
        ("proof", "q1wFMcc0d1N4nU0dO5bYDA", "--url", "http://ledger.example/\u00fc"),
        ("verify", "missing.json"),
        ("verify", "rows.ndjson", "--policy", "rows.ndjson"),
    ],
    ids=" ".join,
)
def test_a_mistake_is_wrong_usage_in_one_line(command: Callable[..., Ended], words: tuple[str, ...]) -> None:
    """A missing key or file and a wrong address end with 64, before anybody is asked."""
    with open("rows.ndjson", "w", encoding="ascii") as file:  # noqa: PTH123  the test stands in its own folder
        file.write("{}\n")
    ended = command(*words)
    assert (ended.code, ended.out) == (64, "")
    assert "Traceback" not in ended.err
    assert "[usage]" in ended.err or "Error: " in ended.err


def test_a_place_that_cannot_be_written_is_named(
    command: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` where a file is in the way says which path, and what the system says of it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDIT_LEDGER_DATA_DIR", str(tmp_path / "file" / "data"))
    ended = command("init")
    assert (ended.code, "Traceback" in ended.err) == (64, False)
    assert str(tmp_path / "file") in ended.err


def test_nothing_is_erased_when_the_certificate_has_no_place(
    command: Callable[..., Ended], key_file: str, tmp_path: Path
) -> None:
    """The file for it is made before the service is asked."""
    subject = tmp_path / "subject"
    subject.write_text("somebody\n", encoding="ascii")
    asked = ("erase", "shop", "--reason", "objection", "--subject-file", str(subject), "--key-file", key_file)
    ended = command(*asked, "--out", str(tmp_path / "nowhere" / "certificate.json"), *NOBODY)
    assert (ended.code, "nowhere" in ended.err) == (64, True)
    assert command(*asked, *NOBODY).code == 2


def test_a_service_that_is_not_there_is_waited_for_by_nobody(
    command: Callable[..., Ended], key_file: str
) -> None:
    """One line says where nobody answers and what to do; the exit code says: try again."""
    ended = command("find", "shop", "--key-file", key_file, *NOBODY)
    assert ended.code == 2
    assert "http://127.0.0.1:9" in ended.err
    assert "audit-ledger serve" in ended.err


def test_only_the_first_line_of_a_key_file_counts(tmp_path: Path) -> None:
    """What is no key is refused here, so that it reaches neither a header nor another machine."""
    file = tmp_path / "key"
    file.touch(mode=0o600)
    file.write_text("alk_x\nmore\n", encoding="ascii")
    assert required_key(str(file)) == "alk_x"
    for text in ("", "\nalk_x\n", "two words\n", "tab\tbed\n"):
        file.write_text(text, encoding="ascii")
        with pytest.raises(UsageError, match="not an API key"):
            read_key(str(file))
    with pytest.raises(UsageError, match="--key-file"):
        required_key(None)


def test_a_key_that_others_may_read_is_warned_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The warning names the command that mends it, and not the key."""
    file = tmp_path / "key"
    file.write_text("alk_secret\n", encoding="ascii")
    file.chmod(0o644)
    assert read_key(str(file)) == "alk_secret"
    said = capsys.readouterr().err
    assert f"chmod 600 {file}" in said
    assert "alk_secret" not in said
    file.chmod(0o600)
    read_key(str(file))
    assert capsys.readouterr().err == ""


def test_a_write_of_unknown_outcome_says_how_to_ask_again() -> None:
    """The idempotency key that was made for it stands in the error."""
    with pytest.raises(OutcomeUnknownError) as caught, repeatable("erase-1"):
        raise OutcomeUnknownError(cause="cut")
    assert caught.value.details == {"cause": "cut", "idempotency_key": "erase-1"}
    with pytest.raises(NotReadyError), repeatable("erase-2"):
        Remote("http://127.0.0.1:9").get("/healthz")


def test_what_nobody_foresaw_is_one_line(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kind and place of a defect, and nothing of what it was about: that could be private."""

    def broken(*_: object, **__: object) -> None:
        raise http.client.InvalidURL("with something private")

    monkeypatch.setattr(audit_ledger, "invoke", broken)
    ended = command("org", "list")
    assert (ended.code, ended.out) == (1, "")
    assert "InvalidURL in test_mistakes.py" in ended.err
    assert "[internal_error]" in ended.err
    assert "private" not in ended.err


def test_data_and_evidence_may_be_named_in_either_order(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    """`verify` finds out which of two files is the evidence."""
    factory = EvidenceFactory(records=3)
    data, evidence = tmp_path / "data.csv", tmp_path / "evidence.json"
    data.write_bytes(b"a,b\n1,2\n")
    evidence.write_bytes(factory.document(2))
    (tmp_path / "policy").write_bytes(format_policy(factory.policy))
    (tmp_path / "trust").write_bytes(format_trust(factory.trust))
    trust = ("--policy", str(tmp_path / "policy"), "--trust", str(tmp_path / "trust"), "--json")
    one = command("verify", str(data), str(evidence), *trust).json
    other = command("verify", str(evidence), str(data), *trust).json
    assert one["steps"] == other["steps"]
    assert one["steps"][0]["outcome"] == "pass"
