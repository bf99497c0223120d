"""Files that hold a secret: made once, whole or not at all, readable by their owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING, Final

from ledger_service.errors import KeyFileError
from ledger_service.storage import failpoints
from ledger_service.storage.filesystem import make_directory, sync_directory

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 16_384


def create_secret_file(path: Path, content: bytes) -> None:
    """Make `path` with mode 0600 and this content, durable before it returns; its directory with 0700.

    The content is written under another name, synced, and linked to its own name, so that nobody ever sees
    half a key and an existing key is never replaced: then FileExistsError is raised.
    """
    make_directory(path.parent)
    _check_directory(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            _write_all(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        with failpoints.step("vault.key-file"):
            # A crash before this line leaves a draft that nothing reads; after it, the whole key.
            os.link(draft, path)
            sync_directory(path.parent)
    finally:
        draft.unlink()


def replace_secret_file(path: Path, content: bytes) -> None:
    """Give an existing secret file other content, durable before it returns: it has the old one or the new."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _write_all(handle, content)
        os.fsync(handle)
    finally:
        os.close(handle)
    with failpoints.step("vault.rewrap-file"):
        draft.replace(path)
        sync_directory(path.parent)


def destroy_secret_file(path: Path) -> None:
    """Overwrite a secret file and remove it.

    It loses its name first, so that nobody ever reads half of what is being destroyed; what a crash leaves
    then is a draft.
    """
    with failpoints.step("vault.kek-destroy"):
        path.replace(path.with_name(f".{path.name}.{secrets.token_hex(8)}"))
        sync_directory(path.parent)
    destroy_drafts(path)


def destroy_drafts(path: Path) -> None:
    """Overwrite and remove what a crash left of a secret file under other names."""
    for draft in path.parent.glob(f".{path.name}.*"):
        handle = os.open(draft, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _write_all(handle, bytes(os.fstat(handle).st_size))
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.unlink()
    sync_directory(path.parent)


def read_secret_file(path: Path) -> bytes:
    """Return the content of a secret file.

    Raises KeyFileError when it is missing, not a plain file, not ours, or open to anybody else.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise KeyFileError(f"The key file {path.name} cannot be opened.", file=path.name) from error
    try:
        state = os.fstat(handle)
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            raise KeyFileError(f"The key file {path.name} is not a plain file of this user.", file=path.name)
        if stat.S_IMODE(state.st_mode) & 0o077:
            raise KeyFileError(f"Others may open the key file {path.name}: chmod 600.", file=path.name)
        content = os.read(handle, MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > MAX_BYTES:
        raise KeyFileError(f"The key file {path.name} is too long to be one.", file=path.name)
    return content


def _check_directory(directory: Path) -> None:
    if stat.S_IMODE(directory.stat().st_mode) & 0o022:
        raise KeyFileError(f"Others may write into the key directory {directory.name}: chmod 700.")


def _write_all(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
