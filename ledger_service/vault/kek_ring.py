"""The generations of the key-encryption key, while one replaces another.

New keys are wrapped by the newest, and whatever any of them wrapped is unwrapped. A running process notices a
generation that another process has made before it wraps the next key, or when it meets a key wrapped by it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from ledger_service.errors import KeyFileError, KeyUnavailableError
from ledger_service.vault.secret_files import destroy_drafts, destroy_secret_file
from ledger_service.vault.wrapping import KeyEncryptionKey, create_kek, key_id_of, load_kek

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


class KekFiles:
    """The files of the generations: the first has the plain name, the others `.2`, `.3` and so on after it."""

    __slots__ = ("_path",)

    def __init__(self, path: Path) -> None:
        """`path` is that of the first generation."""
        self._path = path

    def path_of(self, generation: int) -> Path:
        """Where a generation lies."""
        return self._path if generation == 1 else self._path.with_name(f"{self._path.name}.{generation}")

    def generations(self) -> list[int]:
        """The generations that are there, ascending."""
        ends = (each.name.removeprefix(f"{self._path.name}.") for each in self._path.parent.glob("*"))
        later = {int(end) for end in ends if _NUMBER.fullmatch(end)}
        found = {each for each in later if each > 1 and self.path_of(each).is_file()}
        return sorted(found | ({1} if self._path.is_file() else set()))

    def load(self) -> list[KeyEncryptionKey]:
        """Every generation that is there; raises KeyFileError for a file that is unsafe or of another generation."""
        keys = []
        for generation in self.generations():
            path = self.path_of(generation)
            key = load_kek(path)
            if key.generation != generation:
                raise KeyFileError(
                    f"{path.name} holds another generation than its name says.", file=path.name
                )
            keys.append(key)
        return keys

    def create(self, generation: int) -> KeyEncryptionKey:
        """Make a generation, durable on return; raises FileExistsError when there is one."""
        return create_kek(self.path_of(generation), generation=generation)

    def destroy_before(self, newest: int) -> tuple[int, ...]:
        """Overwrite and remove the older generations, and what crashes left of any; returns which there were."""
        older = tuple(each for each in self.generations() if each < newest)
        for generation in older:
            destroy_secret_file(self.path_of(generation))
        destroy_drafts(self._path)
        return older


class KekRing:
    """Wraps with the newest generation and unwraps with any: a KeyWrapper for all threads of a process."""

    __slots__ = ("_files", "_keys", "_newest")

    def __init__(self, keys: Iterable[KeyEncryptionKey], *, files: KekFiles | None = None) -> None:
        """Hold `keys`, at least one; with `files`, look there for generations that come later."""
        self._files = files
        self._hold(keys)

    @classmethod
    def of_files(cls, files: KekFiles) -> Self:
        """Hold what the files have; raises KeyFileError when there is none."""
        keys = files.load()
        if not keys:
            name = files.path_of(1).name
            raise KeyFileError(f"The key file {name} cannot be opened.", file=name)
        return cls(keys, files=files)

    @property
    def generation(self) -> int:
        """Return the number of the key that wraps now."""
        return self._current().generation

    def wrap(self, key: bytes, *, purpose: bytes) -> bytes:
        """Return `key` (32 bytes) encrypted under the newest generation, and bound to `purpose`."""
        return self._current().wrap(key, purpose=purpose)

    def unwrap(self, wrapped: bytes, *, purpose: bytes) -> bytes:
        """Return the key; KeyUnavailableError for another wrapping key, another purpose or a change."""
        found = self._keys.get(key_id_of(wrapped))
        if found is None:
            self._look()
            found = self._keys.get(key_id_of(wrapped), self._newest)
        return found.unwrap(wrapped, purpose=purpose)

    def _current(self) -> KeyEncryptionKey:
        newest = self._newest
        if self._files is not None and self._files.path_of(newest.generation + 1).exists():
            self._look()
        return self._newest

    def _look(self) -> None:
        """Read the files again. Those of a process that lost them stay in its memory."""
        if self._files is None:
            return
        try:
            keys = self._files.load()
        except KeyFileError as error:
            raise KeyUnavailableError("A file of the key-encryption key cannot be used.") from error
        if keys:
            self._hold(keys)

    def _hold(self, keys: Iterable[KeyEncryptionKey]) -> None:
        held = {key.id: key for key in keys}
        self._newest = max(held.values(), key=lambda each: each.generation)
        self._keys = held
