"""No secret appears where a value is shown: in repr, str, a traceback or an error."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from ledger_service.config import load_settings
from ledger_service.errors import KeyUnavailableError, LedgerError, SettingsError
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.vault.keyring import OrgKey, SubjectKey
from ledger_service.vault.signing_keys import ED25519, KeyLabel, LogKeys, SigningKey, SigningKeyFiles
from ledger_service.vault.wrapping import KeyEncryptionKey

if TYPE_CHECKING:
    from pathlib import Path

CANARY = b"CANARY-0123456789-0123456789-012"
FORMS = (CANARY.decode(), repr(CANARY)[2:-1], CANARY.hex(), encode_base64url(CANARY))
KEY = SigningKey(KeyLabel("origin", "status", ED25519), CANARY)
VALUES = (
    SubjectKey(1, 1, CANARY),
    OrgKey(1, 1, CANARY, CANARY, CANARY),
    KEY,
    LogKeys(KEY, KEY, KEY, KEY, KEY),
    KeyEncryptionKey.from_bytes(CANARY),
    load_settings({"AUDIT_LEDGER_DATA_DIR": "/x", "AUDIT_LEDGER_KEK": encode_base64url(CANARY)}),
)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_do_not_show_their_secrets(value: object) -> None:
    """Neither repr nor str nor a formatted string shows a secret, in any usual form."""
    shown = f"{value!r} {value} {[value]} {(value,)!s}"
    assert not any(form in shown for form in FORMS)


def test_errors_do_not_show_secrets(tmp_path: Path) -> None:
    """An error raised with a secret in hand carries it neither in its words nor in its details."""
    files = SigningKeyFiles(tmp_path, KeyEncryptionKey.from_bytes(CANARY), entropy=lambda _size: CANARY)
    label = KeyLabel("origin", "status", ED25519)
    files.create(label)
    other = SigningKeyFiles(tmp_path, KeyEncryptionKey.from_bytes(bytes(32)))
    with pytest.raises(KeyUnavailableError) as caught:
        other.load(label)
    assert not any(form in _words(caught.value) for form in FORMS)


@pytest.mark.parametrize("name", ["KEK", "KEK_FILE", "DATABASE_URL", "CHAIN_URL"])
def test_refused_settings_do_not_show_secrets(name: str) -> None:
    """A setting that may hold a secret is refused by name, without its value."""
    value = CANARY.decode() + "-and-more"
    with pytest.raises(SettingsError) as caught:
        load_settings({"AUDIT_LEDGER_DATA_DIR": "/x", f"AUDIT_LEDGER_{name}": value})
    assert not any(form in _words(caught.value) for form in FORMS)


def _words(error: LedgerError) -> str:
    return "".join(traceback.format_exception(error)) + error.text + repr(error.details)
