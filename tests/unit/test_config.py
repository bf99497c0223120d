"""Settings are what the environment says, and refused when unknown, malformed or unsafe."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from ledger_service.config import (
    Settings,
    load_settings,
    port_from_environment,
    settings_from_environment,
    variable_of,
)
from ledger_service.errors import SettingsError

ROOT = Path(__file__).parents[2]
KEY = "A" * 43


def load(**values: str) -> Settings:
    """Load with a data directory and the named variables."""
    environ = {f"AUDIT_LEDGER_{name.upper()}": value for name, value in values.items()}
    return load_settings({"AUDIT_LEDGER_DATA_DIR": "/data"} | environ)


def test_defaults_are_safe() -> None:
    """With nothing but a data directory the service is private, durable and on its own chain."""
    settings = load()
    assert settings.data_dir == Path("/data")
    assert settings.database == "sqlite:////data/ledger.db"
    assert settings.kek_path == Path("/data/keys/kek")
    assert settings.keys_dir == Path("/data/keys")
    assert settings.host == "127.0.0.1"
    assert settings.chain_url is None
    assert settings.unsafe_synchronous is None
    assert settings.failpoints == ""
    assert settings.needed_confirmations == 1
    assert (settings.heartbeat_s, settings.sequence_bound_s, settings.max_accept_delay_s) == (600, 5, 60)


def test_every_setting_is_read() -> None:
    """Each field takes its value from the variable of its name."""
    values = {
        "database_url": "postgresql://ledger@/ledger",
        "database_readers": "4",
        "database_writers": "3",
        "database_wait_s": "2.5",
        "disk_reserve_mb": "0",
        "origin_host": "ledger.example:8443",
        "host": "::1",
        "port": "0",
        "threads": "7",
        "max_body_bytes": "2048",
        "trusted_proxies": "1",
        "hsts_days": "365",
        "limit_writes": "1",
        "limit_reads": "2",
        "limit_verifications": "3",
        "limit_anonymous": "4",
        "limit_failed_keys": "5",
        "kek": KEY,
        "kek_generation": "2",
        "kek_previous": KEY,
        "chain_url": "https://node.example/rpc",
        "chain_private_key_file": "/data/publisher",
        "chain_port": "8545",
        "chain_poll_s": "0.1",
        "anchor_every_s": "0",
        "confirmations": "3",
        "sequence_bound_s": "1",
        "max_accept_delay_s": "30",
        "heartbeat_s": "60",
        "queue_records": "100",
        "lease_s": "5",
        "bulk_batch": "500",
        "seal_workers": "2",
        "backup_days": "7",
        "webhook_ports": "443,8443",
        "unsafe_webhooks": "yes",
        "log_level": "debug",
        "failpoints": "log.sign=fail",
        "unsafe_synchronous": "NORMAL",
    }
    settings = load(**values)
    untouched = {
        each.name for each in fields(Settings) if getattr(settings, each.name) == getattr(load(), each.name)
    }
    assert untouched == {"data_dir", "kek_file", "operator_token_file"}
    assert settings.kek == bytes(32)
    assert settings.database == "postgresql://ledger@/ledger"
    assert settings.needed_confirmations == 3
    assert load(kek_file="/elsewhere/kek").kek_path == Path("/elsewhere/kek")


def test_foreign_chain_needs_more_confirmations() -> None:
    """On a chain of others a head is final later than on our own."""
    assert load(chain_url="http://127.0.0.1:8545", chain_private_key_file="/x").needed_confirmations == 12


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after it was read."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().port = 1  # type: ignore[misc]


def test_unknown_names_are_refused_and_named() -> None:
    """A misspelled variable is refused by name, even when empty; those of other programs are not ours."""
    with pytest.raises(SettingsError, match="AUDIT_LEDGER_DATADIR, AUDIT_LEDGER_PROT"):
        load_settings({"AUDIT_LEDGER_PROT": "1", "AUDIT_LEDGER_DATADIR": "", "PORT": "x"})


def test_data_directory_is_required() -> None:
    """There is no default place for an audit ledger."""
    with pytest.raises(SettingsError, match="AUDIT_LEDGER_DATA_DIR"):
        load_settings({})


def test_empty_variable_is_one_that_is_not_there() -> None:
    """An empty variable means its default."""
    assert load(port="", kek="") == load()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data_dir", "relative/path"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///relative.db"),
        ("database_url", "mysql://host/x"),
        ("port", "65536"),
        ("port", "-1"),
        ("port", " 80"),
        ("port", "8_0"),
        ("port", "٣"),
        ("port", "+1"),
        ("port", "1" * 5000),
        ("threads", "0"),
        ("heartbeat_s", "0"),
        ("heartbeat_s", "nan"),
        ("heartbeat_s", "inf"),
        ("heartbeat_s", "1e3"),
        ("heartbeat_s", "-1"),
        ("max_accept_delay_s", "61"),
        ("origin_host", "Ledger.example"),
        ("origin_host", "ledger.example/logs"),
        ("origin_host", "https://ledger.example"),
        ("origin_host", "-ledger.example"),
        ("origin_host", "ledger.example:65536"),
        ("origin_host", "ledger.example:0"),
        ("origin_host", "ledger example"),
        ("origin_host", "ledger.example\n"),
        ("origin_host", "a" * 64),
        ("host", "not a host"),
        ("host", "localhost:80"),
        ("kek", "A" * 42),
        ("kek", "A" * 44),
        ("kek", "A" * 42 + "B"),
        ("kek", "A" * 43 + "="),
        ("kek", "+" * 43),
        ("chain_url", "ws://node"),
        ("chain_url", "node.example"),
        ("log_level", "DEBUG"),
        ("unsafe_synchronous", "FULL"),
        ("confirmations", "0"),
    ],
)
def test_malformed_values_are_refused_by_name(name: str, value: str) -> None:
    """A value that does not parse is refused with the name of its variable and without the value."""
    with pytest.raises(SettingsError, match=f"^AUDIT_LEDGER_{name.upper()}: ") as caught:
        load(**{name: value})
    assert repr(value) not in caught.value.text


@pytest.mark.parametrize("name", ["kek_file", "chain_private_key_file"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_secret_in_a_readable_file_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    """A file that holds a secret and that others may read is refused; a private one and none yet are not."""
    path = tmp_path / "secret"
    assert getattr(load(**{name: str(path)}), name) == path
    path.touch(mode=0o600)
    assert getattr(load(**{name: str(path)}), name) == path
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        load(**{name: str(path)})


@pytest.mark.parametrize(
    "values",
    [
        {"kek": KEY, "kek_file": "/data/kek"},
        {"chain_url": "http://127.0.0.1:8545"},
        {"sequence_bound_s": "30", "max_accept_delay_s": "20"},
    ],
)
def test_unsafe_combinations_are_refused(values: dict[str, str]) -> None:
    """Settings that contradict each other are refused, whichever comes first."""
    with pytest.raises(SettingsError):
        load(**values)


def test_environment_is_read_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process's own environment gives the settings."""
    monkeypatch.setenv("AUDIT_LEDGER_DATA_DIR", "/data")
    monkeypatch.setenv("AUDIT_LEDGER_PORT", "1234")
    assert settings_from_environment().port == 1234


def test_every_setting_says_what_it_is_for() -> None:
    """Each field has a sentence and a variable of its own."""
    assert all(each.metadata["sentence"].endswith(".") for each in fields(Settings))
    assert len({variable_of(each) for each in fields(Settings)}) == len(fields(Settings))


def test_settings_page_is_up_to_date() -> None:
    """docs/settings.md is what the code says."""
    script = ROOT / "scripts" / "generate_settings_doc.py"
    ran = subprocess.run(
        [sys.executable, script, "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize(("variable", "port"), [("", 8080), ("9000", 9000)])
def test_commands_ask_the_port_that_is_served(
    variable: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command on the service's own machine finds it at its port, with no other setting."""
    monkeypatch.setenv("AUDIT_LEDGER_PORT", variable)
    assert port_from_environment() == port


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed port is refused by its name, as it is when the service starts."""
    monkeypatch.setenv("AUDIT_LEDGER_PORT", "http")
    with pytest.raises(SettingsError, match="AUDIT_LEDGER_PORT"):
        port_from_environment()
