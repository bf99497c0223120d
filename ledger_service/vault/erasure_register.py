"""The erasure register: every erasure that was ordered, in a file outside the database.

A database that is restored from an older backup holds what was erased since. At start, before anything is
served, the register is held against it and what is still there is erased again. A line is written and synced
before the erasure's transaction commits: a crash between leaves an order that the next start carries out.

A line holds nothing personal: the subject's blind index under the organization's key, a tag of the subject's
own key (so that a key made after the erasure is told from the erased one), and keyed hashes by which a
repeated request is known. Lines are appended and never changed; the file grows by 250 bytes an erasure.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger_service.errors import DiskFullError, KeyFileError, MalformedError, StorageError
from ledger_service.proofs.canonical import decode, encode, encode_base64url
from ledger_service.proofs.shapes import bytes_of, integer_of, object_of, text_of
from ledger_service.proofs.status import REASON
from ledger_service.storage import failpoints
from ledger_service.storage.filesystem import sync_directory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGISTER_VERSION: Final = "audit-ledger/erasure-order/v1"
_MEMBERS: Final = ("v", "org", "lookup", "tag", "reason", "request", "fingerprint")
_LONGEST_LINE: Final = 1_024


@dataclass(frozen=True, slots=True)
class ErasureOrder:
    """Whose contents to erase and why: `lookup` finds the subject, `tag` names the one key that is meant.

    `request` and `fingerprint` are the keyed hashes of the idempotency key and of what was asked under it.
    """

    org_id: int
    lookup: bytes
    tag: bytes
    reason: str
    request: bytes
    fingerprint: bytes


class ErasureRegister:
    """The register of one installation. Several processes may append; each line is durable on return."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        """Keep it at `path`; it is made with the first erasure."""
        self._path = path

    def append(self, order: ErasureOrder) -> None:
        """Note an order; raises DiskFullError or StorageError, after which the next start may know it or not."""
        line = format_order(order) + b"\n"
        try:
            with self._locked(os.O_RDWR | os.O_CREAT) as handle:
                # What a crash left half written was never acted upon.
                os.ftruncate(handle, _whole_length(handle))
                os.lseek(handle, 0, os.SEEK_END)
                with failpoints.step("vault.erasure-order"):
                    _write_all(handle, line)
                    os.fsync(handle)
                    sync_directory(self._path.parent)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise DiskFullError from error
            raise StorageError("The erasure register cannot be written.", cause=error.strerror) from error

    def orders(self) -> tuple[ErasureOrder, ...]:
        """Every order, oldest first; raises KeyFileError when the file is not what `append` wrote."""
        try:
            with self._locked(os.O_RDONLY) as handle, os.fdopen(os.dup(handle), "rb") as file:
                lines = file.read().split(b"\n")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise KeyFileError("The erasure register cannot be read.", file=self._path.name) from error
        try:
            return tuple(parse_order(line) for line in lines[:-1])
        except MalformedError as error:
            raise KeyFileError("The erasure register is damaged.", file=self._path.name) from error

    @contextmanager
    def _locked(self, flags: int) -> Iterator[int]:
        handle = os.open(self._path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def format_order(order: ErasureOrder) -> bytes:
    """Return the line of an order, without its end: canonical JSON."""
    return encode(
        {
            "v": REGISTER_VERSION,
            "org": order.org_id,
            "lookup": encode_base64url(order.lookup),
            "tag": encode_base64url(order.tag),
            "reason": order.reason,
            "request": encode_base64url(order.request),
            "fingerprint": encode_base64url(order.fingerprint),
        }
    )


def parse_order(line: bytes) -> ErasureOrder:
    """Return the order that `format_order` writes as `line`; raises MalformedError."""
    members = object_of(decode(line), _MEMBERS, what="An erasure order")
    if members["v"] != REGISTER_VERSION:
        raise MalformedError("The erasure order is of an unknown version.")
    return ErasureOrder(
        org_id=integer_of(members["org"], what="org"),
        lookup=bytes_of(members["lookup"], what="lookup", size=16),
        tag=bytes_of(members["tag"], what="tag", size=16),
        reason=text_of(members["reason"], what="reason", pattern=REASON),
        request=bytes_of(members["request"], what="request", size=16),
        fingerprint=bytes_of(members["fingerprint"], what="fingerprint", size=16),
    )


def _whole_length(handle: int) -> int:
    """The length of the file up to its last complete line."""
    size = os.fstat(handle).st_size
    start = max(0, size - _LONGEST_LINE)
    return start + os.pread(handle, _LONGEST_LINE, start).rfind(b"\n") + 1


def _write_all(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
