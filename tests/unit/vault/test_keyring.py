"""Keys are found or made in the caller's transaction, and never outlive or precede it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from ledger_service.errors import KeyUnavailableError
from ledger_service.vault.keyring import Keyring, SubjectKey
from ledger_service.vault.tables import vault_keys
from ledger_service.vault.wrapping import KeyEncryptionKey

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from ledger_service.storage.engine import Database


def make(db: Database, keyring: Keyring, org_id: int, subjects: Iterable[str]) -> dict[str, SubjectKey]:
    """Find or make keys in a transaction of their own."""
    with db.write("records.accept") as conn:
        return keyring.subject_keys(conn, org_id, subjects)


def test_key_is_made_once_and_found_again(db: Database, keyring: Keyring) -> None:
    """The same subject has the same key each time, and different subjects have different ones."""
    first = make(db, keyring, 1, ["ann", "bob"])
    again = make(db, keyring, 1, ["bob", "cai", "ann", "bob"])
    assert {name: again[name] for name in first} == first
    assert len({key.key for key in again.values()}) == len({key.id for key in again.values()}) == 3
    with db.read() as conn:
        assert keyring.existing_subject_key(conn, 1, "cai") == again["cai"]
        assert keyring.key_of(conn, again["cai"].id) == again["cai"]


def test_thousand_subjects_take_one_transaction(db: Database, keyring: Keyring) -> None:
    """A batch of a thousand subjects, half of them known, gets a key each."""
    make(db, keyring, 1, (f"subject {n}" for n in range(500)))
    found = make(db, keyring, 1, (f"subject {n}" for n in range(1_000)))
    assert len({key.key for key in found.values()}) == 1_000
    with db.read() as conn:
        assert conn.execute(select(func.count()).select_from(vault_keys)).scalar_one() == 1_001


def test_no_subjects_need_no_keys(db: Database, keyring: Keyring) -> None:
    """An empty batch gives an empty answer."""
    assert make(db, keyring, 1, []) == {}


def test_rolled_back_key_is_not_handed_out_again(db: Database, keyring: Keyring) -> None:
    """A key that was made in a transaction that failed is gone; the subject gets another one."""
    lost: list[SubjectKey] = []

    def fail() -> None:
        with db.write("records.accept") as conn:
            lost.append(keyring.subject_keys(conn, 1, ["ann"])["ann"])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with db.read() as conn, pytest.raises(KeyUnavailableError):
        keyring.existing_subject_key(conn, 1, "ann")
    assert make(db, keyring, 1, ["ann"])["ann"].key != lost[0].key


def test_erased_key_is_gone_at_once(db: Database, keyring: Keyring) -> None:
    """After its row is deleted no one hands the key out, and a new one has another number."""
    old = make(db, keyring, 1, ["ann", "bob"])["bob"]
    with db.write("records.accept") as conn:
        conn.execute(vault_keys.delete().where(vault_keys.c.id == old.id))
    with db.read() as conn:
        with pytest.raises(KeyUnavailableError):
            keyring.existing_subject_key(conn, 1, "bob")
        with pytest.raises(KeyUnavailableError, match="erased"):
            keyring.key_of(conn, old.id)
    new = make(db, keyring, 1, ["bob"])["bob"]
    assert new.id > old.id
    assert new.key != old.key


def test_organizations_share_nothing(db: Database, keyring: Keyring) -> None:
    """The same subject of two organizations has two keys under two unrelated indexes."""
    first, second = make(db, keyring, 1, ["ann"])["ann"], make(db, keyring, 2, ["ann"])["ann"]
    assert first.key != second.key
    with db.read() as conn:
        rows = conn.execute(select(vault_keys).where(vault_keys.c.scope == "subject")).all()
        orgs = [keyring.existing_org_key(conn, number) for number in (1, 2)]
    assert len({row.lookup for row in rows}) == 2
    assert len({key for org in orgs for key in (org.key, org.index_key, org.fingerprint_key)}) == 6


def test_organization_s_key_is_made_once(db: Database, keyring: Keyring) -> None:
    """An organization has one key; asking without making raises where there is none."""
    with db.read() as conn, pytest.raises(KeyUnavailableError):
        keyring.existing_org_key(conn, 1)
    with db.write("records.accept") as conn:
        made = keyring.org_key(conn, 1)
        assert keyring.org_key(conn, 1) == made
    with db.read() as conn:
        assert keyring.existing_org_key(conn, 1) == made
        assert keyring.key_of(conn, made.id).key == made.key


def test_wrong_kek_is_a_typed_error_and_never_another_key(
    db: Database, keyring: Keyring, rng: random.Random
) -> None:
    """Under another key-encryption key existing keys are unavailable; none is made in their place."""
    keyring_check(db, keyring)
    made = make(db, keyring, 1, ["ann"])["ann"]
    keyring_check(db, keyring)
    stranger = Keyring(KeyEncryptionKey.from_bytes(rng.randbytes(32)))
    with pytest.raises(KeyUnavailableError):
        make(db, stranger, 1, ["ann", "bob"])
    with db.read() as conn:
        with pytest.raises(KeyUnavailableError):
            stranger.check_wrapper(conn)
        assert conn.execute(select(func.count()).select_from(vault_keys)).scalar_one() == 2
        assert keyring.existing_subject_key(conn, 1, "ann") == made


def keyring_check(db: Database, keyring: Keyring) -> None:
    """The start-up check passes."""
    with db.read() as conn:
        keyring.check_wrapper(conn)


def test_wrapped_key_does_not_work_in_another_row(db: Database, keyring: Keyring) -> None:
    """A wrapped key copied over another subject's is noticed."""
    keys = make(db, keyring, 1, ["ann", "bob"])
    with db.write("records.accept") as conn:
        wrapped = select(vault_keys.c.wrapped).where(vault_keys.c.id == keys["ann"].id).scalar_subquery()
        conn.execute(update(vault_keys).where(vault_keys.c.id == keys["bob"].id).values(wrapped=wrapped))
    with db.read() as conn, pytest.raises(KeyUnavailableError):
        keyring.key_of(conn, keys["bob"].id)


def test_many_threads_agree_on_one_key(db: Database, keyring: Keyring) -> None:
    """Threads that ask for the same new subjects at once all get the same keys."""
    barrier, answers = threading.Barrier(4), []

    def work() -> None:
        barrier.wait()
        answers.append(make(db, keyring, 1, ["ann", "bob", "cai"]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)


def test_database_holds_neither_keys_nor_subjects(db: Database, keyring: Keyring) -> None:
    """No column holds a key or a subject in clear."""
    keys = make(db, keyring, 1, ["canary-ann", "canary-bob"])
    with db.read() as conn:
        rows = conn.execute(select(vault_keys)).all()
        org = keyring.existing_org_key(conn, 1)
    secrets = [key.key for key in keys.values()] + [org.key, org.index_key, org.fingerprint_key, b"canary"]
    stored = b"|".join(
        str(value).encode() if not isinstance(value, bytes) else value for row in rows for value in row
    )
    assert not any(secret in stored for secret in secrets)
