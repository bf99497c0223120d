"""Rotating the key-encryption key: whatever is struck, every key opens, and in the end the old one opens nothing."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from ledger_service.errors import (
    InjectedFaultError,
    KeyFileError,
    KeyInUseError,
    KeyUnavailableError,
    SettingsError,
    StorageFatalError,
)
from ledger_service.proofs.canonical import encode_base64url
from ledger_service.storage import failpoints
from ledger_service.vault.kek_ring import KekFiles, KekRing
from ledger_service.vault.keyring import Keyring
from ledger_service.vault.signing_keys import SigningKeyFiles
from ledger_service.vault.tables import vault_keys
from ledger_service.vault.wrapping import KeyEncryptionKey, generation_of
from ledger_service.wiring import build
from ledger_service.wiring.installation import (
    check_installation,
    install,
    load_key_wrapper,
    open_checked_database,
)
from ledger_service.wiring.rotation import retire_kek, rotate_kek
from tests.unit.api.conftest import settings_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger_service.config import Settings

ORIGIN = "ledger.test/logs/shop/purchases"
SUBJECTS = [f"customer-{number}" for number in range(7)]
STEPS = ("vault.key-file", "vault.rewrap", "vault.rewrap-file", "vault.retire", "vault.kek-destroy")


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    """No failpoint stays armed."""
    yield
    failpoints.disarm()


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """An installation with an organization's key, seven subjects' and the keys of a log."""
    changes = {}
    if request.param == "postgresql":
        changes["DATABASE_URL"] = str(request.getfixturevalue("postgres_url"))
    made = settings_in(tmp_path, **changes)
    install(made)
    make_keys(made)
    return made


def make_keys(settings: Settings) -> None:
    """Find or make the keys of the subjects, and of a log."""
    wrapper = load_key_wrapper(settings)
    with closing(open_checked_database(settings)) as database, database.write("records.keys") as conn:
        Keyring(wrapper).subject_keys(conn, 1, SUBJECTS)
    SigningKeyFiles(settings.keys_dir, wrapper).open_log_keys(ORIGIN)


def secrets_of(settings: Settings, wrapper: KekRing | None = None) -> dict[str, bytes]:
    """Every key there is, unwrapped."""
    wrapper = wrapper or load_key_wrapper(settings)
    with closing(open_checked_database(settings)) as database, database.read() as conn:
        numbers = conn.execute(select(vault_keys.c.id)).scalars().all()
        found = {str(number): Keyring(wrapper).key_of(conn, number).key for number in numbers}
    keys = SigningKeyFiles(settings.keys_dir, wrapper).log_keys(ORIGIN)
    return found | {"head": keys.head_ed25519.secret, "status": keys.status.secret}


def generations_in_use(settings: Settings) -> set[int]:
    """The generations that any stored key needs."""
    with closing(open_checked_database(settings)) as database, database.read() as conn:
        rows = conn.execute(select(vault_keys.c.wrapped, vault_keys.c.kek_generation)).all()
    assert all(generation_of(wrapped) == generation for wrapped, generation in rows)
    return {generation for _, generation in rows}


def test_a_rotation_changes_the_wrapping_only(settings: Settings) -> None:
    """Every key is the same afterwards, wrapped by the next generation; the old file is destroyed when told."""
    before, old = secrets_of(settings), load_key_wrapper(settings)
    done = rotate_kek(settings, batch=3)
    assert (done.generation, done.keys, done.files, done.failed) == (2, 8, 6, ())
    assert generations_in_use(settings) == {2}
    assert secrets_of(settings) == before
    assert retire_kek(settings) == (1,)
    assert KekFiles(settings.kek_path).generations() == [2]
    check_installation(settings)
    assert secrets_of(settings) == before
    with closing(open_checked_database(settings)) as database, database.read() as conn:
        alone = KekRing([next(iter(old._keys.values()))])
        for number in conn.execute(select(vault_keys.c.id)).scalars().all():
            with pytest.raises(KeyUnavailableError):
                Keyring(alone).key_of(conn, number)
        with pytest.raises(KeyUnavailableError):
            SigningKeyFiles(settings.keys_dir, alone).log_keys(ORIGIN)
    assert rotate_kek(settings).generation == 3
    assert secrets_of(settings) == before


@pytest.mark.parametrize("fault", ["fail", "fail-done"])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("nth", [1, 2])
def test_a_fault_at_any_step_is_continued(settings: Settings, step: str, fault: str, nth: int) -> None:
    """Wherever a rotation is struck every key opens, the same command ends it, and the old one opens nothing."""
    before, old = secrets_of(settings), load_key_wrapper(settings)
    first = next(iter(old._keys.values()))
    failpoints.arm(f"{step}={fault}:{nth}")
    struck = False
    try:
        rotate_kek(settings, batch=3)
        retire_kek(settings)
    except (InjectedFaultError, StorageFatalError):
        struck = True
    failpoints.disarm()
    assert struck or nth == 2
    assert secrets_of(settings) == before
    if KekFiles(settings.kek_path).generations() != [2]:
        rotate_kek(settings, batch=3)
    retire_kek(settings)
    assert secrets_of(settings) == before
    assert generations_in_use(settings) == {load_key_wrapper(settings).generation} == {2}
    with pytest.raises(KeyUnavailableError):
        secrets_of(settings, KekRing([first]))
    assert [path.name for path in settings.keys_dir.glob(".kek*")] == []


def test_what_is_in_use_is_not_destroyed(settings: Settings) -> None:
    """An old generation that wraps one key, in the database or in a file, is refused and stays."""
    rotate_kek(settings)
    files = KekFiles(settings.kek_path)
    old = KekRing([files.load()[0]])
    with closing(open_checked_database(settings)) as database, database.write("records.keys") as conn:
        Keyring(old).subject_keys(conn, 2, ["another"])
    with pytest.raises(KeyInUseError):
        retire_kek(settings)
    assert files.generations() == [1, 2]
    rotate_kek(settings)
    SigningKeyFiles(settings.keys_dir, old).open_log_keys("ledger.test/logs/other/purchases")
    with pytest.raises(KeyInUseError):
        retire_kek(settings)
    rotate_kek(settings)
    assert retire_kek(settings) == (1,)


def test_a_running_process_takes_the_new_generation(settings: Settings) -> None:
    """A wrapper from before wraps under the new key as soon as there is one, and opens what others rewrapped."""
    before, running = secrets_of(settings), load_key_wrapper(settings)
    rotate_kek(settings)
    assert generation_of(running.wrap(bytes(32), purpose=b"")) == 2
    waiting = KekRing.of_files(KekFiles(settings.kek_path))
    retire_kek(settings)
    assert secrets_of(settings, waiting) == before
    assert secrets_of(settings, running) == before


def test_the_key_of_the_environment_rotates_with_two(tmp_path: Path) -> None:
    """In the environment both keys are stated while it lasts; without the old one it is refused with the remedy."""
    first, second = (encode_base64url(bytes([n]) * 32) for n in (1, 2))
    old = settings_in(tmp_path, KEK=first)
    install(old)
    make_keys(old)
    before = secrets_of(old)
    with pytest.raises(SettingsError, match="KEK_PREVIOUS"):
        rotate_kek(old)
    (tmp_path / "payer.key").unlink()
    both = settings_in(tmp_path, KEK=second, KEK_GENERATION="2", KEK_PREVIOUS=first)
    assert rotate_kek(both).keys == 8
    assert retire_kek(both) == ()
    (tmp_path / "payer.key").unlink()
    assert secrets_of(settings_in(tmp_path, KEK=second, KEK_GENERATION="2")) == before


def test_no_second_key_is_made_over_a_lost_one(tmp_path: Path) -> None:
    """Installing again with the key file gone says what to do and makes none; with the copy back all is well."""
    settings = settings_in(tmp_path)
    install(settings)
    make_keys(settings)
    copy = shutil.move(settings.kek_path, tmp_path / "copy")
    with pytest.raises(KeyFileError, match="put your copy back"):
        install(settings)
    assert not settings.kek_path.exists()
    shutil.move(copy, settings.kek_path)
    install(settings)
    make_keys(settings)


def test_a_service_with_another_key_does_not_start(tmp_path: Path) -> None:
    """A key-encryption key that opens nothing of what is there ends the start, not the first request."""
    settings = settings_in(tmp_path)
    install(settings)
    make_keys(settings)
    with build(settings, anchoring=False) as service:
        assert service.database.failure is None
    settings.kek_path.unlink()
    KekFiles(settings.kek_path).create(1)
    with pytest.raises(KeyUnavailableError):
        build(settings, anchoring=False)
    assert KeyEncryptionKey.from_bytes(bytes(32)).generation == 1
