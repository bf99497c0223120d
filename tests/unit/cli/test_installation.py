"""Commands that work on the installation itself."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ledger_service.accounts.key_text import parse_key
from ledger_service.proofs.audit_report import check_audit_report
from ledger_service.proofs.note import parse_vkey
from ledger_service.storage.sqlite import find_driver

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.unit.cli.conftest import Ended


def test_init_makes_what_only_its_owner_may_open(command: Callable[..., Ended], data: Path) -> None:
    """Directory 0700, key 0600, a schema; a second run changes nothing, a dry run makes nothing."""
    assert command("init", "--dry-run").code == 0
    assert not data.exists()
    assert command("init").code == 0
    kek = data / "keys" / "kek"
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE(kek.stat().st_mode) == 0o600
    before = kek.read_bytes()
    assert command("init", "--json").json["kek_file"] == str(kek)
    assert kek.read_bytes() == before


def test_an_organization_is_made_with_its_logs(command: Callable[..., Ended]) -> None:
    """It is listed, each of its logs has an origin, and a second one of the name is refused."""
    command("init")
    made = command("org", "create", "shop", "--name", "The Shop", "--json")
    collections = ("purchases", "completions", "datasets")
    assert made.json["logs"] == [f"ledger.test/logs/shop/{each}" for each in collections]
    assert [each["org"] for each in command("org", "list", "--json").json] == ["shop"]
    assert "The Shop" in command("org", "list").out
    again = command("org", "create", "shop", "--name", "The Shop")
    assert (again.code, "[organization_exists]" in again.err) == (1, True)
    assert command("org", "create", "No Good", "--name", "x").code == 64
    assert command("org", "create", "dry", "--name", "x", "--dry-run").code == 0
    assert len(command("org", "list", "--json").json) == 1


def test_a_key_is_shown_once(command: Callable[..., Ended]) -> None:
    """The secret stands alone on standard output when the key is made, and nowhere afterwards."""
    command("init")
    command("org", "create", "shop", "--name", "The Shop")
    text = command("key", "create", "shop").out.strip()
    key = parse_key(text)
    limited = command(
        "key", "create", "shop", "--scope", "records:read", "--expires-days", "1", "--json"
    ).json
    assert limited["scopes"] == ["records:read"]
    listed = command("key", "list", "--json")
    assert text not in listed.out
    assert next(each["prefix"] for each in listed.json) == key.prefix
    assert key.prefix in command("key", "list").out
    assert command("key", "revoke", key.prefix).code == 0
    assert command("key", "list", "--json").json[0]["revoked"] is not None
    assert command("key", "revoke", "0" * 16).code == 1
    assert command("key", "create", "nobody").code == 1
    assert command("key", "create", "shop", "--scope", "everything").code == 64


def test_trust_is_exported_with_fingerprints(command: Callable[..., Ended], tmp_path: Path) -> None:
    """Policy and trust file are written where they are wanted, with marks to compare."""
    command("init")
    command("org", "create", "shop", "--name", "The Shop")
    exported = command("trust", "export", "shop")
    assert exported.code == 0
    assert "not anchored yet" in exported.err
    assert (tmp_path / "desk" / "policy.txt").read_bytes().startswith(b"log ledger.test/logs/shop/purchases+")
    marks = command("trust", "export", "shop", "--policy", "p", "--trust", "t", "--json").json
    assert marks["files"]["p"] in exported.out
    assert command("trust", "export", "nobody").code == 1


def test_an_audit_of_a_new_ledger_is_clean(command: Callable[..., Ended]) -> None:
    """Clean is 0; without opening payloads it is no clean audit and ends with 2."""
    command("init")
    command("org", "create", "shop", "--name", "The Shop")
    assert command("audit").out.startswith("Clean: ")
    audited = command("audit", "--json")
    assert (audited.code, audited.json["clean"], audited.json["findings"]) == (0, True, [])
    partly = command("audit", "--without-payloads", "--json")
    assert (partly.code, partly.json["clean"]) == (2, False)
    assert command("audit", "--without-payloads").code == 2


def test_an_audit_finds_a_changed_byte(command: Callable[..., Ended], data: Path) -> None:
    """A byte of an entry changed behind the ledger's back is found and named, and the exit code is 1."""
    command("init")
    command("org", "create", "shop", "--name", "The Shop")
    database = data / "ledger.db"
    content = database.read_bytes()
    assert b"ledger.test/logs/shop" in content
    place = content.index(b'"kind":"opening/v1"')
    database.write_bytes(content[:place] + b'"kind":"opening/v2"' + content[place + 19 :])
    audited = command("audit", "--json")
    assert (audited.code, audited.json["clean"]) == (1, False)
    assert audited.json["findings"]
    assert command("audit").code == 1


def test_reports_of_audits_are_listed_and_written(command: Callable[..., Ended], data: Path) -> None:
    """Each audit leaves a signed report: in the list, in the file asked for, and in what the doctor says."""
    command("init")
    assert states(command)["audit"] == "good"
    assert command("audit", "--report", "first.txt").code == 0
    assert command("audit", "--without-payloads").code == 2
    key = parse_vkey(command("audit", "--key").out.strip())
    report = check_audit_report(Path("first.txt").read_bytes(), key)
    assert (report.number, report.scope, report.count) == (0, ("payloads",), 0)
    listed = command("audit", "--history", "--json").json
    assert listed["problem"] is None
    assert [(each["number"], each["scope"]) for each in listed["reports"]] == [(0, "payloads"), (1, "")]
    assert command("audit", "--history").out.count("\n") == 2
    (key_file,) = (data / "keys").glob("audit-*.key")
    key_file.write_bytes(b"nothing")
    unsigned = command("audit", "--json")
    assert (unsigned.code, unsigned.json["recorded"]) == (1, False)
    assert [each["code"] for each in unsigned.json["findings"]] == ["bad_key_file"]
    assert states(command)["audit"] == "bad"


def test_an_audit_says_since_when(command: Callable[..., Ended], data: Path) -> None:
    """What an audit finds is dated by the last one without it; the list and the doctor tell of it."""
    command("init")
    command("org", "create", "shop", "--name", "The Shop")
    clean = command("audit", "--json").json
    assert clean["recorded"]
    when = command("audit", "--history", "--json").json["reports"][0]["time"]
    with closing(find_driver().connect(str(data / "ledger.db"), isolation_level=None)) as conn:
        conn.execute("UPDATE organizations SET name='Another Shop'")
        conn.execute("DELETE FROM account_events")
    found = {each["code"]: each["since"] for each in command("audit", "--json").json["findings"]}
    assert found == {"kept_changed": when, "account_differs": when}
    assert f"after {when}" in command("audit").out
    assert command("audit", "--history", "--json").json["reports"][1]["findings"] == 3
    assert states(command)["audit"] == "bad"


def states(command: Callable[..., Ended]) -> dict[str, str]:
    """What the doctor thinks of each subject."""
    return {each["subject"]: each["state"] for each in command("doctor", "--json").json}


def test_the_doctor_names_the_fix(command: Callable[..., Ended], data: Path) -> None:
    """Nothing installed, a key file open to others, a key that is gone: each is bad and has its fix."""
    nothing = command("doctor")
    assert (nothing.code, "audit-ledger init" in nothing.out) == (1, True)
    command("init")
    assert states(command) | {"chain": "unknown", "clock": "unknown"} == {
        "settings": "good",
        "permissions": "good",
        "keys": "good",
        "database": "good",
        "logs": "good",
        "chain": "unknown",
        "status": "good",
        "rotation": "good",
        "audit": "good",
        "clock": "unknown",
    }
    assert command("doctor").code == 2
    (data / "keys" / "kek").chmod(0o644)
    opened = command("doctor", "--json")
    assert opened.code == 1
    assert all(each["fix"] for each in opened.json if each["state"] == "bad")
    assert "permissions" in {each["subject"] for each in opened.json if each["state"] == "bad"}


def test_the_doctor_sees_a_log_that_nobody_signs(command: Callable[..., Ended]) -> None:
    """A log that was opened and never signed is bad: no service runs that would."""
    command("init")
    command("org", "create", "shop", "--name", "The Shop")
    assert states(command)["logs"] == "bad"


def test_unknown_settings_are_refused(command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is an error, not a default."""
    monkeypatch.setenv("AUDIT_LEDGER_DATADIR", "x")
    ended = command("init")
    assert (ended.code, "AUDIT_LEDGER_DATADIR" in ended.err) == (64, True)
