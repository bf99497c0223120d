"""Settings, storage and keys."""

from __future__ import annotations

from ledger_service.errors.tree import LedgerError


class SettingsError(LedgerError):
    """A setting that is unknown, malformed or unsafe."""

    code = "bad_setting"
    message = "A setting is unknown, malformed or unsafe."


class StorageError(LedgerError):
    """Base of what the database can do to us."""

    code = "storage_error"
    message = "The database could not do what was asked."


class UnsafeStorageError(StorageError):
    """A database, its settings or its file system that could lose what was acknowledged."""

    code = "unsafe_storage"
    message = "The database is not set up to keep what it acknowledges."


class StorageBusyError(StorageError):
    """No connection or no lock within the time allowed. Nothing was stored; trying again is right."""

    code = "storage_busy"
    message = "The database is busy. Try again."


class StorageUnavailableError(StorageError):
    """A database server that cannot be reached. Nothing was stored."""

    code = "storage_unavailable"
    message = "The database cannot be reached."


class DiskFullError(StorageError):
    """No space left for new records. Nothing was stored; reads and proofs go on."""

    code = "disk_full"
    message = "There is no space left to store new records."


class StorageFatalError(StorageError):
    """An I/O error or a commit whose outcome is unknown. Writing stops until the process is started again."""

    code = "storage_failed"
    message = "The database failed while storing. Writing has stopped until the service is started again."


class DamagedDataError(StorageError):
    """A row that does not hold what was stored in it: the disk, or somebody, changed it."""

    code = "damaged_data"
    message = "What is stored here is damaged. The operator finds it with `audit-ledger audit`."


class SchemaError(StorageError):
    """A database whose schema is not the one this program was written for."""

    code = "schema_mismatch"
    message = "The database has another schema than this program. Run the migration."


class InjectedFaultError(StorageError):
    """A fault that a failpoint was told to cause. Seen in tests only."""

    code = "injected_fault"
    message = "A failpoint caused this error."


class KeyUnavailableError(LedgerError):
    """A key that is missing, erased, or wrapped by a key-encryption key that is not this one."""

    code = "key_unavailable"
    message = "A key that is needed is not available."


class KeyFileError(LedgerError):
    """A key file that is missing, readable by others, or not a key file."""

    code = "bad_key_file"
    message = "A key file is missing, unsafe or damaged."


class KeyInUseError(LedgerError):
    """A generation of the key-encryption key that still wraps a key, and so must not be destroyed."""

    code = "key_in_use"
    message = "An older key-encryption key still wraps keys: run `audit-ledger kek rotate` first."


class SealError(LedgerError):
    """A sealed payload that was changed, or that belongs to another record."""

    code = "seal_broken"
    message = "A sealed payload does not open under its key and its record."
