"""What commands do without doing it, and the small verbs: shell completion, key files, files by their digests."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from ledger_service.accounts.key_text import parse_key
from ledger_service.proofs.canonical import decode_base64url
from tests.unit.cli.test_command import leaves

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

READERS = {
    ("org", "list"), ("key", "list"), ("webhook", "list"), ("webhook", "deliveries"), ("serve",), ("log", "keys"),
    ("find",), ("proof",), ("verify",), ("report",), ("audit",), ("trust", "export"), ("trust", "vkey"), ("doctor",),
    ("completion",),
}  # fmt: skip


@pytest.mark.parametrize("words", sorted({*leaves()} - READERS), ids=" ".join)
def test_every_write_has_a_dry_run(command: Callable[..., Ended], words: tuple[str, ...]) -> None:
    """Whatever makes, changes or destroys something can say first what it would do."""
    assert "--dry-run" in command(*words, "--help").out


def test_a_dry_run_leaves_everything_as_it_is(command: Callable[..., Ended], data: Path) -> None:
    """No key, no webhook, no generation: what is said stands nowhere afterwards, and mistakes are still found."""
    command("init")
    command("org", "create", "shop", "--name", "Shop")
    prefix = parse_key(command("key", "create", "shop").out.strip()).prefix
    before = command("key", "list").out
    assert "Would make a key of shop" in command("key", "create", "shop", "--dry-run").out
    assert f"Would revoke {prefix} of shop" in command("key", "revoke", prefix, "--dry-run").out
    assert command("key", "list").out == before
    assert command("key", "revoke", "0" * 16, "--dry-run").code == 1
    url = "https://hooks.shop.example/ledger"
    assert f"Would register {url}" in command("webhook", "create", "shop", url, "--dry-run").out
    assert command("webhook", "create", "shop", "http://10.0.0.1/", "--dry-run").code == 64
    assert command("webhook", "list", "shop").out == ""
    keys = sorted((data / "keys").iterdir())
    assert "generation 2" in command("kek", "rotate", "--dry-run").out
    assert "none" in command("kek", "retire", "--dry-run").out
    assert sorted((data / "keys").iterdir()) == keys


def test_a_key_goes_into_a_file_of_its_owner(command: Callable[..., Ended], tmp_path: Path) -> None:
    """Mode 0600 from the beginning; a file that is there already is not overwritten, and no key is made."""
    command("init")
    file = tmp_path / "shop.key"
    assert command("key", "create", "shop", "--out", str(file)).code == 1
    assert not file.exists()
    command("org", "create", "shop", "--name", "Shop")
    made = command("key", "create", "shop", "--out", str(file))
    assert (made.code, made.out) == (0, "")
    parse_key(file.read_text(encoding="ascii").strip())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert command("key", "create", "shop", "--out", str(file)).code == 64
    assert len(command("key", "list").out.splitlines()) == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_their_script(command: Callable[..., Ended], shell: str) -> None:
    """The script asks this program, by the variable that click listens to."""
    ended = command("completion", shell)
    assert ended.code == 0
    assert "_AUDIT_LEDGER_COMPLETE" in ended.out


def test_completion_knows_commands_and_options(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`re` becomes record, revoke and report, `find --` its options."""
    monkeypatch.setenv("_AUDIT_LEDGER_COMPLETE", "bash_complete")
    for words, at, wanted in (
        ("audit-ledger re", "1", "plain,record\nplain,revoke\nplain,report\n"),
        ("audit-ledger find --re", "2", "plain,--ref\n"),
    ):
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", at)
        with pytest.raises(SystemExit):
            command()
        assert capsys.readouterr().out == wanted


def test_notarizing_shows_first_what_becomes_public(command: Callable[..., Ended], tmp_path: Path) -> None:
    """The digest is the file's, private unless asked otherwise; words about one file are refused for two."""
    file = tmp_path / "data.csv"
    file.write_bytes(b"")
    said = command("notarize", "city", str(file), "--licence", "CC0-1.0", "--dry-run")
    assert said.code == 0
    assert "public: nothing of it" in said.out
    [told] = command("notarize", "city", str(file), "--publish-digest", "--dry-run", "--json").json
    payload = told["payload"]
    assert decode_base64url(payload["file_sha256"], size=32).hex().startswith("e3b0c44298fc1c14")
    assert (payload["size_bytes"], payload["dataset_number"], payload["publish_digest"]) == (
        0,
        "data.csv",
        True,
    )
    two = command("notarize", "city", str(file), str(file), "--title", "Both", "--dry-run")
    assert (two.code, "[usage]" in two.err) == (64, True)
    wrong = command("notarize", "city", str(file), "--supersedes", "that one", "--dry-run")
    assert (wrong.code, "supersedes" in wrong.err) == (1, True)


def test_issuing_is_recording_completions(command: Callable[..., Ended], tmp_path: Path) -> None:
    """`issue` takes rows as completions and knows the options of `record`."""
    rows = tmp_path / "rows.csv"
    rows.write_text("learner,course,certificate_number\nlearner-1,AAA,C-1\n", encoding="ascii")
    said = command("issue", "school", "--from", str(rows), "--dry-run")
    assert (said.code, "1 of 1 rows would be recorded" in said.out) == (0, True)
    assert command("record", "school", "--from", str(rows), "--dry-run").code == 1
