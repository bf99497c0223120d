"""The keys of organizations and of their data subjects, wrapped in the database.

Nothing is cached. The row in the caller's transaction is the only truth, so a key whose creation was rolled
back, or which another process erased a moment ago, cannot be handed out; and unwrapping costs less than
looking the row up.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from hmac import digest as hmac_digest
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select, update

from ledger_service.errors import KeyInUseError, KeyUnavailableError
from ledger_service.storage.rows import Value, insert_rows, select_matching
from ledger_service.vault.blind_index import blind_index
from ledger_service.vault.tables import ERASED, vault_keys
from ledger_service.vault.wrapping import KEY_BYTES, KeyWrapper, generation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection

_FIRST_GENERATION: Final = 1
_COLUMNS: Final = ("org_id", "scope", "lookup", "generation", "kek_generation", "wrapped")
_NUMBERED: Final = ("id", "org_id", "scope", "lookup", "generation", "kek_generation", "wrapped")
_LOOKUP_BYTES: Final = 16
_TAG_BYTES: Final = 16
_FOUND: Final = ("lookup", "id", "generation", "wrapped")


@dataclass(frozen=True, slots=True)
class SubjectKey:
    """An unwrapped key: `id` names its row, `generation` is part of what it seals."""

    id: int
    generation: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class OrgKey:
    """An organization's own key, and the keys derived from it for one use each."""

    id: int
    generation: int
    key: bytes = field(repr=False)
    index_key: bytes = field(repr=False)
    fingerprint_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """A batch: the number of its last key, how many were wrapped anew, and those that did not unwrap."""

    last: int
    count: int
    failed: tuple[int, ...]


class Keyring:
    """Finds and makes keys inside the caller's transaction."""

    __slots__ = ("_entropy", "_wrapper")

    def __init__(self, wrapper: KeyWrapper, *, entropy: Callable[[int], bytes] = os.urandom) -> None:
        """Keep what wraps the keys; nothing is read yet."""
        self._wrapper = wrapper
        self._entropy = entropy

    def org_key(self, conn: Connection, org_id: int) -> OrgKey:
        """Return the organization's key, made now if it has none; `conn` must be writing then."""
        found = self._find(conn, org_id, "org", [b""])
        if not found:
            self._create(conn, org_id, "org", [b""])
            found = self._find(conn, org_id, "org", [b""])
        return _derive_org_key(found[b""])

    def existing_org_key(self, conn: Connection, org_id: int) -> OrgKey:
        """Return the organization's key; raises KeyUnavailableError when it has none."""
        found = self._find(conn, org_id, "org", [b""])
        if not found:
            raise KeyUnavailableError("The organization has no key.", org_id=org_id)
        return _derive_org_key(found[b""])

    def index_key(self, conn: Connection, org_id: int) -> bytes | None:
        """Return the key of the organization's blind indexes, or None while it has recorded nothing."""
        found = self._find(conn, org_id, "org", [b""])
        return _derive_org_key(found[b""]).index_key if found else None

    def subject_keys(self, conn: Connection, org_id: int, subjects: Iterable[str]) -> dict[str, SubjectKey]:
        """Return the key of each subject, making those that are missing, in two or three statements for all.

        Made keys are as durable as the caller's transaction and vanish with it. Raises KeyUnavailableError
        when a key is wrapped by another key-encryption key.
        """
        lookups = _lookups(self.org_key(conn, org_id), subjects)
        found = self._find(conn, org_id, "subject", lookups.values())
        missing = [lookup for lookup in lookups.values() if lookup not in found]
        if missing:
            made = self._create(conn, org_id, "subject", missing)
            # Read back, also because another process may have made one of them first: then its key counts.
            found |= self._find(conn, org_id, "subject", missing, made=made)
        return {subject: found[lookup] for subject, lookup in lookups.items()}

    def existing_subject_key(self, conn: Connection, org_id: int, subject: str) -> SubjectKey:
        """Return the key of a subject; raises KeyUnavailableError when there is none, or none any more."""
        lookup = _lookups(self.existing_org_key(conn, org_id), [subject])[subject]
        found = self._find(conn, org_id, "subject", [lookup])
        if not found:
            raise KeyUnavailableError(
                "There is no key for this data subject: it never had one, or it was erased."
            )
        return found[lookup]

    def key_of(self, conn: Connection, key_id: int) -> SubjectKey:
        """Return a key by its number, to open what it sealed; KeyUnavailableError when it was erased."""
        row = conn.execute(select(vault_keys).where(vault_keys.c.id == key_id)).one_or_none()
        if row is None or row.kek_generation == ERASED:
            raise KeyUnavailableError("The key was erased.", key_id=key_id)
        purpose = _purpose(row.org_id, row.scope, row.lookup, row.generation)
        return SubjectKey(row.id, row.generation, self._wrapper.unwrap(row.wrapped, purpose=purpose))

    def keys_of(self, conn: Connection, key_ids: Iterable[int]) -> dict[int, SubjectKey]:
        """Return those of the keys that are there, by number, in one statement: for reading many payloads."""
        rows = select_matching(conn, vault_keys, _NUMBERED, equal={}, among=("id", set(key_ids)))
        unwrap = self._wrapper.unwrap
        return {
            number: SubjectKey(
                number, generation, unwrap(wrapped, purpose=_purpose(org_id, scope, lookup, generation))
            )
            for number, org_id, scope, lookup, generation, kek_generation, wrapped in rows
            if kek_generation != ERASED
        }

    def subject_lookup(self, conn: Connection, org_id: int, subject: str) -> bytes:
        """Return the blind index of a subject; raises KeyUnavailableError when the organization has no key."""
        return _lookups(self.existing_org_key(conn, org_id), [subject])[subject]

    def find_subject(self, conn: Connection, org_id: int, lookup: bytes) -> SubjectKey | None:
        """Return the key of the subject of this blind index, or None when there is none, or none any more."""
        return self._find(conn, org_id, "subject", [lookup]).get(lookup)

    def erase(self, conn: Connection, key_id: int) -> None:
        """Overwrite a subject's key where it stands: what it sealed opens never again."""
        wrapped: Any = b""
        if conn.dialect.name == "sqlite":
            # As many bytes as before, so that SQLite writes over them.
            wrapped = func.zeroblob(func.length(vault_keys.c.wrapped))
        conn.execute(
            update(vault_keys)
            .where(vault_keys.c.id == key_id, vault_keys.c.scope == "subject")
            .values(lookup=self._entropy(_LOOKUP_BYTES), kek_generation=ERASED, wrapped=wrapped)
        )

    def rewrap(self, conn: Connection, *, after: int, limit: int) -> Rewrapped | None:
        """Wrap the next `limit` keys, by number, under the newest key-encryption key.

        Returns None when there are no more.
        """
        old = vault_keys.c.kek_generation.between(1, self._wrapper.generation - 1)
        wanted = select(vault_keys).where(vault_keys.c.id > after, old).order_by(vault_keys.c.id)
        rows = conn.execute(wanted.limit(limit)).all()
        failed = []
        for row in rows:
            purpose = _purpose(row.org_id, row.scope, row.lookup, row.generation)
            try:
                key = self._wrapper.unwrap(row.wrapped, purpose=purpose)
            except KeyUnavailableError:
                failed.append(row.id)
                continue
            wrapped = self._wrapper.wrap(key, purpose=purpose)
            # Another process may just have erased the key: then there is nothing to replace.
            same = (vault_keys.c.id == row.id, vault_keys.c.wrapped == row.wrapped)
            values = {"wrapped": wrapped, "kek_generation": generation_of(wrapped)}
            conn.execute(update(vault_keys).where(*same).values(values))
        return Rewrapped(rows[-1].id, len(rows) - len(failed), tuple(failed)) if rows else None

    def check_retired(self, conn: Connection) -> None:
        """Raise KeyInUseError unless the newest key-encryption key wraps every key, and let none be made now."""
        if conn.dialect.name == "postgresql":
            conn.exec_driver_sql("LOCK TABLE vault_keys IN EXCLUSIVE MODE")
        newest = self._wrapper.generation
        wanted = select(vault_keys.c.id, vault_keys.c.wrapped).where(vault_keys.c.kek_generation != ERASED)
        for number, wrapped in conn.execute(wanted):
            if generation_of(wrapped) != newest:
                raise KeyInUseError(key_id=number, generation=generation_of(wrapped))

    def check_wrapper(self, conn: Connection) -> None:
        """Raise KeyUnavailableError when the keys here are wrapped by a key-encryption key not ours."""
        newest = select(vault_keys.c.id).where(vault_keys.c.kek_generation != ERASED)
        first = conn.execute(newest.order_by(vault_keys.c.id.desc()).limit(1)).scalar()
        if first is not None:
            self.key_of(conn, first)

    def unsound(self, conn: Connection) -> Iterator[tuple[int, str]]:
        """Yield the numbers of keys that do not unwrap, or were erased and lie there all the same, and why."""
        for row in conn.execute(select(vault_keys).order_by(vault_keys.c.id)):
            if row.kek_generation == ERASED:
                if any(row.wrapped):
                    yield row.id, "the key was erased, and its wrapped form still lies there"
                continue
            try:
                self._wrapper.unwrap(
                    row.wrapped, purpose=_purpose(row.org_id, row.scope, row.lookup, row.generation)
                )
            except KeyUnavailableError as error:
                yield row.id, error.text
                continue
            if row.kek_generation != generation_of(row.wrapped):
                yield row.id, "its row names another generation of the key-encryption key than its wrapping"

    def _find(
        self,
        conn: Connection,
        org_id: int,
        scope: str,
        lookups: Iterable[bytes],
        *,
        made: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> dict[bytes, SubjectKey]:
        """Return the keys that are there, by lookup; `made` are keys known by their wrapped form already."""
        rows = select_matching(
            conn, vault_keys, _FOUND, equal={"org_id": org_id, "scope": scope}, among=("lookup", lookups)
        )
        unwrap = self._wrapper.unwrap
        return {
            lookup: SubjectKey(
                number,
                generation,
                made.get(wrapped) or unwrap(wrapped, purpose=_purpose(org_id, scope, lookup, generation)),
            )
            for lookup, number, generation, wrapped in rows
        }

    def _create(
        self, conn: Connection, org_id: int, scope: str, lookups: Sequence[bytes]
    ) -> dict[bytes, bytes]:
        """Store new keys where there are none, and return those keys by their wrapped form."""
        if conn.dialect.name == "postgresql":
            # Inserting takes this lock anyway; taken before wrapping, no key is made under a generation that is
            # being destroyed meanwhile.
            conn.exec_driver_sql("LOCK TABLE vault_keys IN ROW EXCLUSIVE MODE")
        keys = [self._entropy(KEY_BYTES) for _ in lookups]
        wrapped = [
            self._wrapper.wrap(key, purpose=_purpose(org_id, scope, lookup, _FIRST_GENERATION))
            for lookup, key in zip(lookups, keys, strict=True)
        ]
        rows: list[tuple[Value, ...]] = [
            (org_id, scope, lookup, _FIRST_GENERATION, generation_of(text), text)
            for lookup, text in zip(lookups, wrapped, strict=True)
        ]
        insert_rows(conn, vault_keys, _COLUMNS, rows, ignore_conflicts=True)
        return dict(zip(wrapped, keys, strict=True))


def key_tag(key: SubjectKey) -> bytes:
    """Return 16 bytes that tell this key from any other and say nothing about it once it is gone."""
    return hmac_digest(key.key, b"audit-ledger/subject-key/tag/v1", "sha256")[:_TAG_BYTES]


def _lookups(org: OrgKey, subjects: Iterable[str]) -> dict[str, bytes]:
    return {subject: blind_index(org.index_key, "subject", subject) for subject in subjects}


def _derive_org_key(found: SubjectKey) -> OrgKey:
    return OrgKey(
        found.id,
        found.generation,
        found.key,
        index_key=hmac_digest(found.key, b"audit-ledger/org-key/index/v1", "sha256"),
        fingerprint_key=hmac_digest(found.key, b"audit-ledger/org-key/fingerprint/v1", "sha256"),
    )


def _purpose(org_id: int, scope: str, lookup: bytes, generation: int) -> bytes:
    # Bound to its row: a wrapped key that was copied to another subject's row does not unwrap there.
    return b"%s\x00%d\x00%d\x00%s" % (scope.encode(), org_id, generation, lookup)
